// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_BEGUNPRODUCTS_H
#define LANDMARK_COMPILER_TRANSFORMS_BEGUNPRODUCTS_H

#include "dialects/Tile/Tile.h"

namespace landmark {

/// Whether an operation begins a product that a tile.dot_wait waits for.
inline bool isBegun(mlir::Operation &op) {
  auto dot = mlir::dyn_cast<tile::DotOp>(op);
  return dot && dot.getAsync();
}

} // namespace landmark
#endif
