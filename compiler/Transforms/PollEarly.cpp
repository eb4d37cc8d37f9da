// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/BegunProducts.h"
#include "compiler/Transforms/FewBlocks.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILEPOLLEARLY
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

bool isWork(Operation &op) { return isBegun(op) || llvm::any_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>); }

/// The wait that an operation of a loop's body is: itself, or what a branch without results does if there is another iteration.
tile::AwaitOp awaitOf(Operation &op) {
  auto branch = dyn_cast<scf::IfOp>(op);
  if (!branch || branch.getNumResults() > 0 || !branch.getElseRegion().empty())
    return dyn_cast<tile::AwaitOp>(op);
  SmallVector<tile::AwaitOp> awaits(branch.thenBlock()->getOps<tile::AwaitOp>());
  bool isAlone = awaits.size() == 1 && llvm::all_of(*branch.thenBlock(), [](Operation &inside) { return isa<tile::AwaitOp>(inside) || isMemoryEffectFree(&inside); });
  return isAlone ? awaits.front() : tile::AwaitOp();
}

/// The operation before which the question is asked: in front of a vote, or behind the last wait for a product in front of `op`, or else in front of what the iteration begins first.
/// Null where nothing lies between, or what the wait names is not known there, or a thread has no room for the answer (L=32 at D=128 spills 12 bytes with it).
Operation *placeOfPoll(Operation &op, tile::AwaitOp await) {
  auto isKnownBefore = [&](Operation *place) {
    return llvm::all_of(await->getOperands(), [&](Value value) {
      Operation *owner = value.getDefiningOp();
      Operation *here = owner ? op.getBlock()->findAncestorOpInBlock(*owner) : nullptr;
      return !here || (here == owner && here->isBeforeInBlock(place));
    });
  };
  Operation *place = nullptr;
  bool works = false;
  for (Operation *before = op.getPrevNode(); before; before = before->getPrevNode()) {
    if (auto vote = dyn_cast<tile::AllOp>(before))
      return vote.getMask().getType().getShape().back() <= fewBlocks && isKnownBefore(before) ? before : nullptr;
    if (isa<tile::DotWaitOp>(before)) {
      place = before->getNextNode();
      break;
    }
    works |= isWork(*before);
    if (isBegun(*before))
      place = before;
  }
  if (!place || !works)
    return nullptr;
  while (isa<tile::ReleaseOp>(place))
    place = place->getNextNode();
  return isKnownBefore(place) ? place : nullptr;
}

/// The wait is for those who were told no.
void pollFirst(Operation &op, tile::AwaitOp await, Operation *place) {
  ImplicitLocOpBuilder b(await.getLoc(), place);
  Value full = tile::PollOp::create(b, await.getBarriers(), await.getTurn());
  b.setInsertionPoint(&op);
  Value isMissing = arith::XOrIOp::create(b, full, arith::ConstantIntOp::create(b, 1, 1));
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    branch.getConditionMutable().assign(arith::AndIOp::create(b, branch.getCondition(), isMissing));
    return;
  }
  auto branch = scf::IfOp::create(b, isMissing);
  await->moveBefore(branch.thenBlock(), branch.thenBlock()->begin());
}

struct PollEarly : landmark::impl::TilePollEarlyBase<PollEarly> {
  void runOnOperation() override {
    getOperation()->walk([](scf::ForOp loop) {
      for (Operation &op : llvm::make_early_inc_range(loop.getBody()->without_terminator()))
        if (tile::AwaitOp await = awaitOf(op))
          if (Operation *place = placeOfPoll(op, await))
            pollFirst(op, await, place);
    });
  }
};

} // namespace
