// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_BENCHDECODE_H
#define LANDMARK_TOOLS_BENCHDECODE_H

#include "Command.h"

namespace landmark::tool {

/// landmark bench decode, a subcommand of bench.
Command addBenchDecode(CLI::App &bench);
/// landmark bench prefill, another.
Command addBenchPrefill(CLI::App &bench);

} // namespace landmark::tool
#endif
