// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which uses of a load can read shared memory.
#ifndef LANDMARK_COMPILER_TRANSFORMS_DOTUSES_H
#define LANDMARK_COMPILER_TRANSFORMS_DOTUSES_H

#include "dialects/Tile/Tile.h"

#include "mlir/IR/Builders.h"

namespace landmark {

/// Whether a use is as an operand of a dot, which can read shared memory, or on the way to one.
inline bool feedsDot(mlir::OpOperand &use) {
  return mlir::isa<tile::RotateOp>(use.getOwner()) || (mlir::isa<tile::DotOp>(use.getOwner()) && use.getOperandNumber() < 2);
}

inline bool staysInRegisters(tile::LoadOp load) { return llvm::none_of(load->getUses(), feedsDot); }

/// Leaves the load to its dots: what else uses it gets a load of its own, into registers.
inline void separateUses(tile::LoadOp load) {
  if (staysInRegisters(load) || llvm::all_of(load->getUses(), feedsDot))
    return;
  mlir::Operation *clone = mlir::OpBuilder(load).clone(*load);
  load.getResult().replaceUsesWithIf(clone->getResult(0), [](mlir::OpOperand &use) { return !feedsDot(use); });
}

} // namespace landmark
#endif
