// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product by wgmma is begun where it stands and waited for where its result is first used:
//
//     S = begin Q K;   A = begin dO V;   wait for S;   work on S;   wait for A;   work on both
//
// What gives an operand back stands behind the wait, too.
//
// A sum that a loop carries is waited for in the next iteration, behind the first product begun there, and after the loop: the matrix units have work while an iteration
// begins. Where the iteration writes the sum's operand anew that is too late: then it is waited for before the barrier that lets the writers begin.
//
// A product that a loop hands on to the next iteration, as tile-advance-products makes them, is waited for there.
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

bool isBegun(Operation &op) {
  auto dot = dyn_cast<tile::DotOp>(op);
  return dot && dot.getAsync();
}

/// The barrier behind which the iteration writes the left operand anew, if it does.
Operation *barrierBeforeWrite(tile::DotOp dot) {
  auto left = dot.getA().getDefiningOp<tile::SlotOp>();
  Operation *barrier = nullptr;
  for (Operation *op = dot->getNextNode(); op && left; op = op->getNextNode()) {
    if (!barrier && isa<tile::BarrierOp>(op))
      barrier = op;
    auto write = dyn_cast<tile::WriteOp>(op);
    auto slot = write ? write.getSlot().getDefiningOp<tile::SlotOp>() : tile::SlotOp();
    if (slot && slot.getBuffer() == left.getBuffer())
      return barrier;
  }
  return nullptr;
}

/// What needs the product, in its block: its first use, or the block's end.
Operation *firstUse(tile::DotOp dot) {
  if (Operation *barrier = barrierBeforeWrite(dot))
    return barrier;
  Block *block = dot->getBlock();
  Operation *first = block->getTerminator();
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

  void move() {
    carryTurns();
    ImplicitLocOpBuilder inside(loop.getLoc(), firstBegun->getNextNode()), after(loop.getLoc(), loop->getNextNode());
    for (tile::DotWaitOp wait : waits) {
      auto dot = wait.getProduct().getDefiningOp<tile::DotOp>();
      int64_t number = cast<BlockArgument>(dot.getAcc()).getArgNumber() - 1;
      dot.getAccMutable().assign(tile::DotWaitOp::create(inside, dot.getAcc(), 1));
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
  /// Whether nothing is begun behind the wait.
  static bool isLast(tile::DotWaitOp wait) {
    for (Operation *op = wait->getNextNode(); op; op = op->getNextNode())
      if (isa<tile::DotOp>(op))
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

/// The number among the loop's carried values of a product that is not a sum and that the next iteration works on, if it is one.
std::optional<unsigned> handedOn(tile::DotOp dot) {
  auto loop = cast<scf::ForOp>(dot->getParentOp());
  if (!dot->hasOneUse() || dot->use_begin()->getOwner() != loop.getBody()->getTerminator() || isa<BlockArgument>(dot.getAcc()))
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
      pending += isBegun(*op);
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

  /// Waits for a product that the loop hands on in the next iteration, at its first use; for one that is worked on before anything is begun there. What the loop begins
  /// with is done.
  static void deferHandedOn(tile::DotOp dot, unsigned number) {
    auto loop = cast<scf::ForOp>(dot->getParentOp());
    Value carried = loop.getRegionIterArg(number), result = loop.getResult(number);
    Operation *use = loop.getBody()->getTerminator();
    for (Operation *user : carried.getUsers())
      if (Operation *here = loop.getBody()->findAncestorOpInBlock(*user); here->isBeforeInBlock(use))
        use = here;
    auto begun = llvm::find_if(*loop.getBody(), isBegun);
    if (isWork(*use) && begun->isBeforeInBlock(use))
      use = &*begun;
    int64_t pending = llvm::count_if(*loop.getBody(), [&](Operation &op) { return isBegun(op) && (dot->isBeforeInBlock(&op) || op.isBeforeInBlock(use)); });
    OpBuilder builder(use);
    auto wait = tile::DotWaitOp::create(builder, dot.getLoc(), carried, pending);
    carried.replaceAllUsesExcept(wait.getResult(), wait);
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
    for (tile::DotOp dot : llvm::reverse(dots)) {
      if (handedOn(dot)) {
        handed.push_back(dot);
        dot.setAsync(true);
      } else {
        defer(dot);
      }
      loops.insert(dot->getParentOp());
    }
    for (tile::DotOp dot : handed)
      deferHandedOn(dot, *handedOn(dot));
    for (Operation *loop : loops)
      if (LateSums sums(cast<scf::ForOp>(loop)); sums.canMove())
        sums.move();
  }
};

} // namespace
