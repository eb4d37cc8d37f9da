// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_FEWBLOCKS_H
#define LANDMARK_COMPILER_TRANSFORMS_FEWBLOCKS_H

#include <cstdint>

namespace landmark {

/// Blocks of a tile whose numbers, one a row and block, leave a thread registers for something beside them.
constexpr int64_t fewBlocks = 2;

} // namespace landmark
#endif
