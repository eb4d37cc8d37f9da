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
void cloneBody(scf::ForOp loop, scf::ForOp target, Value iv, Value edge, OpBuilder &builder) {
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), iv);
  mapping.map(loop.getRegionIterArgs(), target.getRegionIterArgs());
  for (Operation &op : *loop.getBody()) {
    if (auto question = dyn_cast<tile::EdgeOp>(op))
      mapping.map(question.getResult(), edge);
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

/// The iterations of a loop in the order in which it is walked: those at its edges, which jump over the interior, then those of the interior.
struct Walk {
  Walk(ImplicitLocOpBuilder &b, scf::ForOp loop, tile::EdgeOp edge) : begin(edge.getBegin()), end(edge.getEnd()) {
    interior = arith::SubIOp::create(b, end, begin);
    edgesEnd = arith::SubIOp::create(b, loop.getUpperBound(), interior);
    // No less than the edges before the interior, which a reader of the bounds alone would not know.
    edgesEnd = arith::MaxSIOp::create(b, edgesEnd, begin);
  }

  /// What an iteration at the edges stands for.
  Value edgeOf(ImplicitLocOpBuilder &b, Value iv) const {
    Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, begin);
    Value jumped = arith::AddIOp::create(b, iv, interior);
    return arith::SelectOp::create(b, before, iv, jumped);
  }

  Value begin, end, interior, edgesEnd;
};

/// A loop over the edges, and one over the interior.
void split(scf::ForOp loop, tile::EdgeOp edge) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  Walk walk(b, loop, edge);
  scf::ForOp edges = createLoop(b, loop.getLowerBound(), walk.edgesEnd, loop, loop.getInitArgs());
  scf::ForOp inner = createLoop(b, walk.begin, walk.end, loop, edges.getResults());
  b.setInsertionPointToEnd(edges.getBody());
  Value position = walk.edgeOf(b, edges.getInductionVar());
  cloneBody(loop, edges, position, arith::ConstantOp::create(b, b.getBoolAttr(true)), b);
  b.setInsertionPointToEnd(inner.getBody());
  cloneBody(loop, inner, inner.getInductionVar(), arith::ConstantOp::create(b, b.getBoolAttr(false)), b);
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

/// One loop, whose iterations find out what they are.
void branch(scf::ForOp loop, tile::EdgeOp edge) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  Walk walk(b, loop, edge);
  Value behind = arith::SubIOp::create(b, walk.edgesEnd, walk.begin);
  scf::ForOp whole = createLoop(b, loop.getLowerBound(), loop.getUpperBound(), loop, loop.getInitArgs());
  b.setInsertionPointToEnd(whole.getBody());
  Value iv = whole.getInductionVar();
  Value answer = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, walk.edgesEnd);
  Value inner = arith::SubIOp::create(b, iv, behind);
  Value position = arith::SelectOp::create(b, answer, walk.edgeOf(b, iv), inner);
  cloneBody(loop, whole, position, answer, b);
  loop.replaceAllUsesWith(whole.getResults());
  loop.erase();
  SmallVector<scf::IfOp> branches;
  for (Operation *user : answer.getUsers())
    if (auto branch = dyn_cast<scf::IfOp>(user))
      branches.push_back(branch);
  llvm::for_each(branches, sinkSelections);
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
    llvm::MapVector<scf::ForOp, tile::EdgeOp> loops; // one question answers for all of its loop
    for (tile::EdgeOp edge : questions)
      loops.insert({cast<scf::ForOp>(edge->getParentOp()), edge});
    for (auto [loop, edge] : loops)
      peel ? split(loop, edge) : branch(loop, edge);
  }
};

} // namespace
