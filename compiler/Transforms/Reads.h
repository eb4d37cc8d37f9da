// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_READS_H
#define LANDMARK_COMPILER_TRANSFORMS_READS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace landmark {

/// Whether an operation computes the same whenever it runs within `scope`: it has no effect, or reads a number from a view that nothing in `scope` writes. Views are
/// apart: what a kernel writes shares no memory with anything else.
inline bool isTimeless(mlir::Operation *op, mlir::Operation *scope) {
  auto read = mlir::dyn_cast<mlir::memref::LoadOp>(op);
  if (!read)
    return mlir::isMemoryEffectFree(op);
  return !scope
              ->walk([&](mlir::Operation *other) {
                bool writes = !mlir::isa<mlir::memref::LoadOp>(other) && !mlir::isMemoryEffectFree(other) &&
                              llvm::is_contained(other->getOperands(), read.getMemRef());
                return writes ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
              })
              .wasInterrupted();
}

} // namespace landmark
#endif
