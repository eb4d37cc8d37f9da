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

void peel(scf::ForOp loop, tile::EdgeOp edge) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  Value begin = edge.getBegin(), end = edge.getEnd();

  // The edges as one loop: its iterations jump over the interior.
  Value interior = arith::SubIOp::create(b, end, begin);
  Value edgesEnd = arith::SubIOp::create(b, loop.getUpperBound(), interior);
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

struct PeelEdges : landmark::impl::TilePeelEdgesBase<PeelEdges> {
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
      peel(loop, edge);
  }
};

} // namespace
