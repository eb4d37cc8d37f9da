// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product by wgmma is begun where it stands and waited for where its result is first used:
//
//     S = begin Q K;   A = begin dO V;   wait for S;   work on S;   wait for A;   work on both
//
// What gives an operand back stands behind the wait, too.
//
// A sum that a loop carries is waited for in the next iteration, behind the first product begun there, and after the loop: the matrix units have work while an iteration
// begins.
#include "compiler/Transforms/BegunProducts.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace landmark {
#define GEN_PASS_DEF_TILEDEFERWAITS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Whether a wait counts it: of joined ones the last.
bool isCounted(Operation &op) { return isBegun(op) && !cast<tile::DotOp>(op).getJoined(); }

/// Whether the product is a sum that the loop carries and nothing else reads.
bool isCarriedSum(tile::DotOp dot) {
  auto sum = dyn_cast<BlockArgument>(dot.getAcc());
  return sum && sum.getOwner() == dot->getBlock() && sum.hasOneUse() && dot->hasOneUse() && isa<scf::YieldOp>(*dot->user_begin());
}

/// The product begun next, if there is a barrier between: what was begun before it has had time.
Operation *nextBehindBarrier(tile::DotOp dot) {
  bool isBehind = false;
  for (Operation *op = dot->getNextNode(); op; op = op->getNextNode()) {
    isBehind |= isa<tile::BarrierOp>(op);
    if (isa<tile::DotOp>(op))
      return isBehind ? op : nullptr;
  }
  return nullptr;
}

/// The barrier behind which the left operand is written anew, if the iteration writes it: the product has to be done before. Of several places another turn writes this one, behind
/// the barrier that follows the iteration's own write.
Operation *barrierBeforeWrite(tile::DotOp dot) {
  auto left = dot.getA().getDefiningOp<tile::SlotOp>();
  Operation *barrier = nullptr;
  bool isWritten = false;
  for (Operation *op = dot->getNextNode(); op && left; op = op->getNextNode()) {
    if (auto write = dyn_cast<tile::WriteOp>(op))
      isWritten |= write.getSlot().getDefiningOp<tile::SlotOp>().getBuffer() == left.getBuffer();
    bool hasPlaces = left.getBuffer().getType().getStages() > 1;
    if (isa<tile::BarrierOp>(op) && (hasPlaces ? isWritten : !barrier))
      barrier = op;
    if (isWritten && (barrier || !hasPlaces))
      return barrier;
  }
  return nullptr;
}

/// What needs the product, in its block: its first use, or the block's end.
Operation *firstUse(tile::DotOp dot) {
  Block *block = dot->getBlock();
  Operation *barrier = barrierBeforeWrite(dot), *behind = nextBehindBarrier(dot), *first = barrier ? barrier : behind ? behind : block->getTerminator();
  for (Operation *user : dot->getUsers())
    if (Operation *here = block->findAncestorOpInBlock(*user); here && here->isBeforeInBlock(first))
      first = here;
  return first;
}

/// Sums of a loop whose products are waited for at an iteration's end, and what gives their operands back there.
class LateSums {
public:
  explicit LateSums(scf::ForOp loop) : loop(loop) {
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (isBegun(op) && !firstBegun)
        firstBegun = cast<tile::DotOp>(op);
      if (auto wait = dyn_cast<tile::DotWaitOp>(op); wait && isSum(wait) && isLast(wait))
        waits.push_back(wait);
      else if (isa<tile::ReleaseOp>(op) && !waits.empty())
        releases.push_back(cast<tile::ReleaseOp>(op));
    }
  }

  /// Stages that are held into the next iteration must not be those that it waits for, and what is begun first must not be one of the sums.
  bool canMove() {
    return !waits.empty() && firstBegun != waits.front().getProduct().getDefiningOp() &&
           llvm::all_of(releases, [](tile::ReleaseOp release) { return release.getBarriers().getType().getStages() > 1; });
  }

  /// Where work on a product of the iteration before begins at once, its sums may run until the first one begun is waited for.
  void move(bool beginsWithWork) {
    carryTurns();
    Operation *place = firstBegun->getNextNode();
    while (beginsWithWork && !(isa<tile::DotWaitOp>(place) && place->getOperand(0) == firstBegun.getResult()))
      place = place->getNextNode();
    int64_t pending = beginsWithWork ? cast<tile::DotWaitOp>(place).getPending() : 1;
    ImplicitLocOpBuilder inside(loop.getLoc(), place), after(loop.getLoc(), loop->getNextNode());
    for (tile::DotWaitOp wait : waits) {
      auto dot = wait.getProduct().getDefiningOp<tile::DotOp>();
      int64_t number = cast<BlockArgument>(dot.getAcc()).getArgNumber() - 1;
      dot.getAccMutable().assign(tile::DotWaitOp::create(inside, dot.getAcc(), pending));
      auto end = tile::DotWaitOp::create(after, loop.getResult(number), 0);
      loop.getResult(number).replaceAllUsesExcept(end, end);
      wait.replaceAllUsesWith(wait.getProduct());
      wait.erase();
    }
    release(inside, arith::CmpIOp::create(inside, arith::CmpIPredicate::ne, loop.getInductionVar(), loop.getLowerBound()),
            loop.getRegionIterArgs().take_back(releases.size()));
    release(after, arith::CmpIOp::create(after, arith::CmpIPredicate::slt, loop.getLowerBound(), loop.getUpperBound()),
            loop.getResults().take_back(releases.size()));
    for (tile::ReleaseOp release : releases)
      release.erase();
  }

private:
  /// Whether nothing is begun behind the wait, nor a barrier passed on what it waits for.
  static bool isLast(tile::DotWaitOp wait) {
    for (Operation *op = wait->getNextNode(); op; op = op->getNextNode())
      if (isa<tile::DotOp, tile::BarrierOp>(op))
        return false;
    return true;
  }

  /// Whether the loop carries the product and nothing else uses it.
  bool isSum(tile::DotWaitOp wait) {
    auto dot = wait.getProduct().getDefiningOp<tile::DotOp>();
    auto carried = dot ? dyn_cast<BlockArgument>(dot.getAcc()) : BlockArgument();
    return carried && carried.getOwner() == loop.getBody() && carried.hasOneUse() && wait->hasOneUse() &&
           loop.getYieldedValues()[carried.getArgNumber() - 1] == wait.getResult();
  }

  /// The turns of the iteration before, as values that the loop carries.
  void carryTurns() {
    IRRewriter rewriter(loop.getContext());
    ImplicitLocOpBuilder b(loop.getLoc(), loop);
    SmallVector<Value> none(releases.size(), arith::ConstantIntOp::create(b, 0, 32));
    auto turns = [&](OpBuilder &, Location, ArrayRef<BlockArgument>) {
      return llvm::map_to_vector(releases, [](tile::ReleaseOp release) -> Value { return release.getTurn(); });
    };
    rewriter.setInsertionPoint(loop);
    loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, none, /*replaceInitOperandUsesInLoop=*/false, turns));
  }

  void release(ImplicitLocOpBuilder &b, Value exists, ValueRange turns) {
    auto branch = scf::IfOp::create(b, exists);
    OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
    for (auto [release, turn] : llvm::zip(releases, turns))
      tile::ReleaseOp::create(body, release.getLoc(), release.getBarriers(), turn);
  }

  scf::ForOp loop;
  tile::DotOp firstBegun;
  SmallVector<tile::DotWaitOp> waits;
  SmallVector<tile::ReleaseOp> releases;
};

/// The last wait for an operand before the product. Its stage is still held at the product's wait.
Operation *lastAwait(tile::DotOp dot) {
  Operation *op = dot->getPrevNode();
  while (op && !isa<tile::AwaitOp>(op))
    op = op->getPrevNode();
  return op;
}

/// Whether the product is one of an iteration, and not of a program that a loop over programs runs.
bool isInInnermostLoop(tile::DotOp dot) {
  auto loop = dyn_cast<scf::ForOp>(dot->getParentOp());
  return loop && loop.getOps<scf::ForOp>().empty();
}

bool isWork(Operation &op) { return !isa<tile::DotOp, tile::DotWaitOp>(op) && llvm::any_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>); }

/// The number among the loop's carried values of a product that the next iteration works on, if it is one.
std::optional<unsigned> handedOn(tile::DotOp dot) {
  auto loop = cast<scf::ForOp>(dot->getParentOp());
  if (nextBehindBarrier(dot) || !dot->hasOneUse() || dot->use_begin()->getOwner() != loop.getBody()->getTerminator() || isa<BlockArgument>(dot.getAcc()))
    return std::nullopt;
  return dot->use_begin()->getOperandNumber();
}

struct DeferWaits : landmark::impl::TileDeferWaitsBase<DeferWaits> {
  static void defer(tile::DotOp dot) {
    Operation *use = firstUse(dot);
    SmallVector<Operation *> releases;
    int64_t pending = 0;
    bool runsUnderWork = false;
    for (Operation *op = dot->getNextNode(); op != use; op = op->getNextNode()) {
      pending += isCounted(*op);
      runsUnderWork |= isWork(*op);
      if (isa<tile::ReleaseOp>(op))
        releases.push_back(op);
    }
    dot.setAsync(true);
    OpBuilder builder(use);
    if (Operation *await = lastAwait(dot); await && runsUnderWork && pending == 0 && use != dot->getBlock()->getTerminator())
      builder.clone(*await); // a loop: the assembler, which moves waits in front of other work, moves none across it
    auto wait = tile::DotWaitOp::create(builder, dot.getLoc(), dot.getResult(), pending);
    dot.getResult().replaceAllUsesExcept(wait.getResult(), wait);
    for (Operation *release : releases)
      release->moveBefore(use);
  }

  /// Where work on a product that was handed on runs beside others of the iteration before, the assembler knows that one done if one group of others is under way, not
  /// two: the last products of an iteration are one group, as far as none is waited for in it.
  static void joinLast(ArrayRef<tile::DotOp> dots) {
    auto leavesIteration = [](tile::DotOp dot) { return isCarriedSum(dot) || handedOn(dot); };
    for (size_t i = 0; i + 1 < dots.size(); ++i) {
      tile::DotOp dot = dots[i], next = dots[i + 1];
      bool handsOn = llvm::any_of(dot->getBlock()->getOps<tile::DotOp>(), [](tile::DotOp other) { return handedOn(other).has_value(); });
      if (handsOn && dot->getBlock() == next->getBlock() && leavesIteration(dot) && isCarriedSum(next) && !dot.getTranspose()) {
        dot.setAsync(true);
        dot.setJoined(true);
      }
    }
  }

  /// Products under way at `use` in the next iteration, of those begun behind `dot`.
  static int64_t pendingIn(tile::DotOp dot, Operation *use) {
    int64_t pending = 0;
    bool isFinished = !dot.getJoined(); // if joined, by the next one that is counted
    for (Operation *op = dot->getNextNode(); op; op = op->getNextNode()) {
      pending += isFinished && isCounted(*op);
      isFinished |= isCounted(*op);
    }
    for (Operation &op : *dot->getBlock())
      pending += isCounted(op) && op.isBeforeInBlock(use);
    return pending;
  }

  /// A product that the loop hands on is waited for in the next iteration, at its first use; one that is worked on before anything is begun there. What the loop
  /// begins with is done.
  static void deferHandedOn(tile::DotOp dot, unsigned number) {
    auto loop = cast<scf::ForOp>(dot->getParentOp());
    Value carried = loop.getRegionIterArg(number);
    Operation *use = loop.getBody()->getTerminator();
    for (Operation *user : carried.getUsers())
      if (Operation *here = loop.getBody()->findAncestorOpInBlock(*user); here->isBeforeInBlock(use))
        use = here;
    for (Operation &op : *loop.getBody())
      if (isBegun(op) && isWork(*use)) {
        use = op.isBeforeInBlock(use) ? &op : use;
        break;
      }
    OpBuilder builder(use);
    auto wait = tile::DotWaitOp::create(builder, dot.getLoc(), carried, pendingIn(dot, use));
    carried.replaceAllUsesExcept(wait.getResult(), wait);
    Value result = loop.getResult(number);
    if (result.use_empty() || llvm::any_of(result.getUsers(), llvm::IsaPred<scf::ForOp>))
      return; // the next loop waits
    builder.setInsertionPointAfter(loop);
    auto end = tile::DotWaitOp::create(builder, dot.getLoc(), result, 0);
    result.replaceAllUsesExcept(end.getResult(), end);
  }

  void runOnOperation() override {
    SmallVector<tile::DotOp> dots, handed;
    getOperation()->walk([&](tile::DotOp dot) {
      if (dot.getUnit() == tile::MatrixUnit::Wgmma && !dot.getAsync() && isInInnermostLoop(dot))
        dots.push_back(dot);
    });
    // From the last one on: those begun behind a product are known when its wait counts them.
    llvm::SetVector<Operation *> loops;
    joinLast(dots);
    llvm::SmallDenseSet<Operation *> beginWithWork;
    for (tile::DotOp dot : llvm::reverse(dots)) {
      if (handedOn(dot)) {
        handed.push_back(dot);
        dot.setAsync(true);
      } else {
        defer(dot);
      }
      loops.insert(dot->getParentOp());
    }
    for (tile::DotOp dot : handed) {
      beginWithWork.insert(dot->getParentOp());
      deferHandedOn(dot, *handedOn(dot));
    }
    for (Operation *loop : loops)
      if (LateSums sums(cast<scf::ForOp>(loop)); sums.canMove())
        sums.move(beginWithWork.contains(loop));
  }
};

} // namespace
