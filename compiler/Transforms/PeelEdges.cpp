// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/MapVector.h"

namespace landmark {
#define GEN_PASS_DEF_TILEPEELEDGES
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Clones `loop`'s body into `target`, whose iteration stands for `iv`, with every tile.edge answered.
void cloneBody(scf::ForOp loop, scf::ForOp target, Value iv, bool edge, OpBuilder &builder) {
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), iv);
  mapping.map(loop.getRegionIterArgs(), target.getRegionIterArgs());
  for (Operation &op : *loop.getBody()) {
    if (auto question = dyn_cast<tile::EdgeOp>(op))
      mapping.map(question.getResult(), arith::ConstantOp::create(builder, op.getLoc(), builder.getBoolAttr(edge)).getResult());
    else
      builder.clone(op, mapping);
  }
}

scf::ForOp createLoop(ImplicitLocOpBuilder &b, Value low, Value high, scf::ForOp like, ValueRange inits) {
  auto loop = scf::ForOp::create(b, low, high, like.getStep(), inits);
  if (!inits.empty())
    return loop;
  loop.getBody()->getTerminator()->erase(); // the clone brings its own
  return loop;
}

void split(scf::ForOp loop, tile::EdgeOp edge) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  Value begin = edge.getBegin(), end = edge.getEnd();

  // The edges as one loop: its iterations jump over the interior.
  Value interior = arith::SubIOp::create(b, end, begin);
  Value edgesEnd = arith::SubIOp::create(b, loop.getUpperBound(), interior);
  // No less than the edges before the interior, which a reader of the bounds alone would not know.
  edgesEnd = arith::MaxSIOp::create(b, edgesEnd, begin);
  scf::ForOp edges = createLoop(b, loop.getLowerBound(), edgesEnd, loop, loop.getInitArgs());
  {
    ImplicitLocOpBuilder body(loop.getLoc(), b.getContext());
    body.setInsertionPointToEnd(edges.getBody());
    Value iv = edges.getInductionVar();
    Value before = arith::CmpIOp::create(body, arith::CmpIPredicate::slt, iv, begin);
    Value jumped = arith::AddIOp::create(body, iv, interior);
    cloneBody(loop, edges, arith::SelectOp::create(body, before, iv, jumped), /*edge=*/true, body);
  }
  scf::ForOp inner = createLoop(b, begin, end, loop, edges.getResults());
  OpBuilder body = OpBuilder::atBlockEnd(inner.getBody());
  cloneBody(loop, inner, inner.getInductionVar(), /*edge=*/false, body);
  loop.replaceAllUsesWith(inner.getResults());
  loop.erase();
}

/// Selections by a result of `branch` that can as well be made inside it.
SmallVector<arith::SelectOp> selectionsBy(scf::IfOp branch) {
  SmallVector<arith::SelectOp> selections;
  auto isBefore = [&](Value value) {
    Operation *owner = value.getDefiningOp();
    return !owner || owner->hasTrait<OpTrait::ConstantLike>() || owner->getBlock() != branch->getBlock() || owner->isBeforeInBlock(branch);
  };
  for (OpResult mask : branch.getResults())
    for (OpOperand &use : mask.getUses())
      if (auto select = dyn_cast<arith::SelectOp>(use.getOwner()); select && select->getBlock() == branch->getBlock() && select.getCondition() == mask &&
                                                                  isBefore(select.getTrueValue()) && isBefore(select.getFalseValue()))
        selections.push_back(select);
  return selections;
}

/// Moves selections by masks that `branch` yields into its regions, where each sees the mask of its side.
void sinkSelections(scf::IfOp branch) {
  SmallVector<arith::SelectOp> selections = selectionsBy(branch);
  if (selections.empty())
    return;
  SmallVector<Type> types(branch.getResultTypes());
  for (arith::SelectOp select : selections)
    types.push_back(select.getType());
  OpBuilder builder(branch);
  auto moved = scf::IfOp::create(builder, branch.getLoc(), types, branch.getCondition(), /*withElseRegion=*/true);
  for (auto [from, to] : {std::pair(branch.thenBlock(), moved.thenBlock()), std::pair(branch.elseBlock(), moved.elseBlock())}) {
    to->getOperations().splice(to->end(), from->getOperations());
    auto yield = cast<scf::YieldOp>(to->getTerminator());
    builder.setInsertionPoint(yield);
    for (arith::SelectOp select : selections) {
      IRMapping mapping;
      mapping.map(select.getCondition(), yield.getOperand(cast<OpResult>(select.getCondition()).getResultNumber()));
      for (Value value : {select.getTrueValue(), select.getFalseValue()})
        if (Operation *owner = value.getDefiningOp(); owner && owner->hasTrait<OpTrait::ConstantLike>() && !mapping.contains(value))
          builder.clone(*owner, mapping);
      yield.getResultsMutable().append(builder.clone(*select, mapping)->getResult(0));
    }
  }
  for (auto [select, result] : llvm::zip(selections, moved.getResults().take_back(selections.size())))
    select.replaceAllUsesWith(result);
  branch.replaceAllUsesWith(moved.getResults().take_front(branch.getNumResults()));
  for (arith::SelectOp select : selections)
    select.erase();
  branch.erase();
}

/// Answers the question when the iteration runs.
void branchOn(tile::EdgeOp edge) {
  ImplicitLocOpBuilder b(edge.getLoc(), edge);
  Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, edge.getIv(), edge.getBegin());
  Value behind = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, edge.getIv(), edge.getEnd());
  Value answer = arith::OrIOp::create(b, before, behind);
  edge.replaceAllUsesWith(answer);
  edge.erase();
  SmallVector<scf::IfOp> branches;
  for (Operation *user : answer.getUsers())
    if (auto branch = dyn_cast<scf::IfOp>(user))
      branches.push_back(branch);
  for (scf::IfOp branch : branches)
    sinkSelections(branch);
}

struct PeelEdges : landmark::impl::TilePeelEdgesBase<PeelEdges> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<tile::EdgeOp> questions;
    getOperation()->walk([&](tile::EdgeOp op) { questions.push_back(op); });
    for (tile::EdgeOp edge : questions) {
      auto loop = dyn_cast<scf::ForOp>(edge->getParentOp());
      if (!loop || !loop.isDefinedOutsideOfLoop(edge.getBegin()) || !loop.isDefinedOutsideOfLoop(edge.getEnd())) {
        edge.emitOpError("needs an enclosing scf.for outside of which its interior is known");
        return signalPassFailure();
      }
      if (llvm::any_of(loop.getBody()->getOps<tile::EdgeOp>(), [&](tile::EdgeOp other) {
            return other.getBegin() != edge.getBegin() || other.getEnd() != edge.getEnd();
          })) {
        edge.emitOpError("disagrees with another tile.edge of its loop about the interior");
        return signalPassFailure();
      }
    }
    if (!peel) {
      llvm::for_each(questions, branchOn);
      return;
    }
    llvm::MapVector<scf::ForOp, tile::EdgeOp> loops; // one question answers for all of its loop
    for (tile::EdgeOp edge : questions)
      loops.insert({cast<scf::ForOp>(edge->getParentOp()), edge});
    for (auto [loop, edge] : loops)
      split(loop, edge);
  }
};

} // namespace
