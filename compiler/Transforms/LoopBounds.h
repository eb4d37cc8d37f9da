// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_LOOPBOUNDS_H
#define LANDMARK_COMPILER_TRANSFORMS_LOOPBOUNDS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace landmark {

inline bool isAtLeast(mlir::Value value, int64_t least) {
  if (auto constant = mlir::getConstantIntValue(value))
    return *constant >= least;
  auto maximum = value.getDefiningOp<mlir::arith::MaxSIOp>();
  return maximum && (isAtLeast(maximum.getLhs(), least) || isAtLeast(maximum.getRhs(), least));
}

/// Whether a loop's bounds say that it runs: it begins at a constant and ends at a maximum of at least one more.
inline bool surelyRuns(mlir::scf::ForOp loop) {
  std::optional<int64_t> begin = mlir::getConstantIntValue(loop.getLowerBound());
  return begin && isAtLeast(loop.getUpperBound(), *begin + 1);
}

} // namespace landmark
#endif
