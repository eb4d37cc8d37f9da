// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/ProgramSlice.h"
#include "compiler/Transforms/Reads.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace landmark;

bool ProgramSlice::has(Value value) const {
  mlir::Operation *owner = value.getParentBlock()->getParentOp();
  if (mlir::Operation *definition = value.getDefiningOp())
    owner = definition;
  return values.contains(value) || owner == kernel || !program.contains(gpu::GPUFuncOp(kernel).getBody().front().findAncestorOpInBlock(*owner));
}

LogicalResult ProgramSlice::emit(ImplicitLocOpBuilder &b) {
  for (mlir::Operation *op : program)
    if (failed(emit(*op, b)))
      return failure();
  return success();
}

LogicalResult ProgramSlice::emit(mlir::Operation &op, ImplicitLocOpBuilder &b) {
  if (isOwn(&op))
    return emitOwn(&op, b, *this);
  bool holdsOwn = op.walk([&](mlir::Operation *inside) { return isOwn(inside) ? WalkResult::interrupt() : WalkResult::advance(); }).wasInterrupted();
  if (auto loop = dyn_cast<scf::ForOp>(op); loop && holdsOwn)
    return emitLoop(loop, b);
  if (holdsOwn)
    return op.emitOpError("holds a load that no loop of the producer can follow");
  auto isTile = [](Type type) { return isa<TensorType>(type); };
  bool isSlice = op.getNumRegions() == 0 && isTimeless(&op, kernel) && llvm::none_of(op.getResultTypes(), isTile) &&
                 llvm::all_of(op.getOperands(), [&](Value value) { return has(value); });
  if (isSlice)
    b.clone(op, values);
  return success();
}

LogicalResult ProgramSlice::emitLoop(scf::ForOp loop, ImplicitLocOpBuilder &b) {
  for (Value bound : {loop.getLowerBound(), loop.getUpperBound(), loop.getStep()})
    if (!has(bound))
      return loop.emitOpError("loads a number of tiles that the producer cannot compute");
  SmallVector<unsigned> kept;
  SmallVector<Value> inits;
  for (auto [number, init] : llvm::enumerate(loop.getInitArgs()))
    if (!isa<TensorType>(init.getType()) && has(init)) {
      kept.push_back(number);
      inits.push_back(at(init));
    }
  auto copy = scf::ForOp::create(b, at(loop.getLowerBound()), at(loop.getUpperBound()), at(loop.getStep()), inits);
  values.map(loop.getInductionVar(), copy.getInductionVar());
  for (auto [number, inside] : llvm::zip(kept, copy.getRegionIterArgs()))
    values.map(loop.getRegionIterArgs()[number], inside);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(copy.getBody());
  if (inits.empty())
    b.setInsertionPoint(copy.getBody()->getTerminator());
  for (mlir::Operation &op : loop.getBody()->without_terminator())
    if (failed(emit(op, b)))
      return failure();
  SmallVector<Value> yields;
  for (unsigned number : kept) {
    Value yielded = loop.getYieldedValues()[number];
    if (!has(yielded))
      return loop.emitOpError("carries a number that the producer cannot compute");
    yields.push_back(at(yielded));
  }
  if (!inits.empty())
    scf::YieldOp::create(b, yields);
  for (auto [number, result] : llvm::zip(kept, copy.getResults()))
    values.map(loop.getResult(number), result);
  return success();
}
