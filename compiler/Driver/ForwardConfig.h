// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_DRIVER_FORWARDCONFIG_H
#define LANDMARK_COMPILER_DRIVER_FORWARDCONFIG_H

#include "landmark/Config.h"

namespace landmark {

/// Whether the output of a forward goes through shared memory and tensor maps: with loads = tma, where a block that runs several programs has a place for it beside the
/// queries. The kernel's tensor maps say so too.
bool stagesOutput(const Config &config, const Problem &problem, const Target &target);

} // namespace landmark
#endif
