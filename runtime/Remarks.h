// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_REMARKS_H
#define LANDMARK_RUNTIME_REMARKS_H

#include "landmark/Compiler.h"

#include <string>
#include <vector>

namespace landmark {

/// What may make a kernel slow, a sentence each: a fall-back instead of the fast instructions, blocks in parts, few
/// warps on a multiprocessor, and, where `uses` tells of the functions, spilled registers and serialized products. Empty for the host.
std::vector<std::string> remarks(const Kernel &kernel, const std::vector<ResourceUse> &uses = {});

} // namespace landmark
#endif
