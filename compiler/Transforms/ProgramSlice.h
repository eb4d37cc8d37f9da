// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a warp with a work of its own takes of a kernel's program: some operations, and what their addresses and the bounds of their loops are computed from.
#ifndef LANDMARK_COMPILER_TRANSFORMS_PROGRAMSLICE_H
#define LANDMARK_COMPILER_TRANSFORMS_PROGRAMSLICE_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <functional>

namespace landmark {

class ProgramSlice {
public:
  /// Which operations are the warp's own,
  using IsOwn = std::function<bool(mlir::Operation *)>;
  /// and what becomes of them in the slice.
  using EmitOwn = std::function<mlir::LogicalResult(mlir::Operation *, mlir::ImplicitLocOpBuilder &, ProgramSlice &)>;

  /// `program` holds the operations of the kernel's body that are sliced; what is before them is there for everybody.
  ProgramSlice(mlir::gpu::GPUFuncOp kernel, const llvm::SetVector<mlir::Operation *> &program, IsOwn isOwn, EmitOwn emitOwn)
      : kernel(kernel), program(program), isOwn(std::move(isOwn)), emitOwn(std::move(emitOwn)) {}

  /// Fails, with an error at the operation, where an own operation stands in what is no loop, or a loop's bounds cannot be computed in the slice.
  mlir::LogicalResult emit(mlir::ImplicitLocOpBuilder &b);

  /// Values made by the program are there if the slice makes them too; all others are from outside of it.
  bool has(mlir::Value value) const;
  /// The slice's own value, or the one from outside.
  mlir::Value at(mlir::Value value) const { return values.lookupOrDefault(value); }
  mlir::IRMapping &mapping() { return values; }

private:
  mlir::LogicalResult emit(mlir::Operation &op, mlir::ImplicitLocOpBuilder &b);
  mlir::LogicalResult emitLoop(mlir::scf::ForOp loop, mlir::ImplicitLocOpBuilder &b);

  mlir::gpu::GPUFuncOp kernel;
  const llvm::SetVector<mlir::Operation *> &program;
  IsOwn isOwn;
  EmitOwn emitOwn;
  mlir::IRMapping values;
};

} // namespace landmark

#endif
