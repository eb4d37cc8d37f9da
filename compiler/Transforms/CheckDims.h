// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_CHECKDIMS_H
#define LANDMARK_COMPILER_TRANSFORMS_CHECKDIMS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace landmark {

/// Refuses memref.dim of a dimension that the view does not have: it is valid IR of undefined behaviour, which upstream's folders do not survive.
inline mlir::LogicalResult checkDims(mlir::Operation *root) {
  return mlir::failure(root->walk([](mlir::memref::DimOp op) {
                             auto type = mlir::dyn_cast<mlir::MemRefType>(op.getSource().getType());
                             std::optional<int64_t> index = op.getConstantIndex();
                             if (!type || !index || (*index >= 0 && *index < type.getRank()))
                               return mlir::WalkResult::advance();
                             op.emitOpError("asks for dimension ") << *index << " of a view of rank " << type.getRank();
                             return mlir::WalkResult::interrupt();
                           }).wasInterrupted());
}

} // namespace landmark
#endif
