// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop that multiplies twice an iteration, the second product after work on the first one's result, becomes
//
//     if there is an iteration:
//       first(0);   work(0)
//       for i = 1 ..:   begin first(i);   begin second(i-1);   wait for first(i);   work(i);   wait for second(i-1)
//       second(last)
//
// so that the matrix units have the second product to do while other units work. Where the loop's bounds say that it runs, nothing is asked. Of two loops of the same
// form that follow each other, the accumulator of the one going on in the other, the first leaves its last second product to the second:
//
//     first(0);   work(0)
//     for i = 1 ..:    as above
//     for i' = 0 ..:   as above, second(i-1) of the other loop to begin with
//     second(last)
//
// A sum that is multiplied by something of the first stage before the second product adds to it, as parts of one softmax are, is so behind the begin of the first one.
//
// Two things keep the order that is written here when the assembler schedules instructions, which takes waits for products for something to get over with early:
// the loop's wait for the operand of the next first product, a loop of its own, stands before the wait for the second one; and what the second product of the next
// iteration reads, registers that this one's still reads, is rounded behind it, or scaled where it is rounded before.
#include "compiler/Transforms/LoopBounds.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace landmark {
#define GEN_PASS_DEF_TILEOVERLAPPRODUCTS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// A loop's operations, in two stages: those up to the operands of the second product, and that product with what surrounds it.
class Rotation {
public:
  /// Nothing where the loop has not the form.
  static std::optional<Rotation> of(scf::ForOp loop) {
    SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
    if (dots.size() != 2 || dots[1].getUnit() != tile::MatrixUnit::Wgmma || dots[1].getTransposed())
      return std::nullopt;
    Rotation rotation{loop, dots[0], dots[1]};
    return rotation.split() ? std::optional<Rotation>(rotation) : std::nullopt;
  }

  bool runs() { return surelyRuns(loop); }

  /// Whether `next` can go on with what this loop leaves behind.
  bool leadsTo(Rotation &next) {
    Value accumulator = loop.getResult(carried);
    return loop->getBlock() == next.loop->getBlock() && accumulator.hasOneUse() && next.loop.getInitArgs()[next.carried] == accumulator &&
           TypeRange(ValueRange(passed)) == TypeRange(ValueRange(next.passed));
  }

  void apply() {
    ImplicitLocOpBuilder b(loop.getLoc(), loop);
    if (runs()) {
      loop.replaceAllUsesWith(emit(b));
      loop.erase();
      return;
    }
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, loop.getLowerBound(), loop.getUpperBound());
    auto branch = scf::IfOp::create(b, loop.getResultTypes(), exists, /*withElseRegion=*/true);
    OpBuilder otherwise = OpBuilder::atBlockEnd(branch.elseBlock());
    scf::YieldOp::create(otherwise, loop.getLoc(), loop.getInitArgs());
    ImplicitLocOpBuilder body = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), branch.thenBlock());
    scf::YieldOp::create(body, emit(body));
    loop.replaceAllUsesWith(branch.getResults());
    loop.erase();
  }

  /// For a loop that runs and leads to `next`.
  void applyWith(Rotation &next) {
    ImplicitLocOpBuilder b(loop.getLoc(), loop);
    scf::ForOp rotated = emitFrom(b, emitFirst(b));
    SmallVector<Value> results = carriedOf(rotated);
    loop.replaceAllUsesWith(results); // the accumulator's is what `next` begins with
    b.setInsertionPoint(next.loop);
    SmallVector<Value> inits(next.loop.getInitArgs());
    next.awaitNext(b, next.loop.getLowerBound(), inits);
    llvm::append_range(inits, rotated.getResults().take_back(passed.size()));
    scf::ForOp last = next.emitLoop(b, next.loop.getLowerBound(), inits);
    next.loop.replaceAllUsesWith(next.emitLast(b, last));
    next.loop.erase();
    loop.erase();
  }

private:
  Rotation(scf::ForOp loop, tile::DotOp first, tile::DotOp second) : loop(loop), first(first), second(second) {}

  /// What the second stage takes from the first, and which values the loop carries for which stage.
  bool split() {
    // The second stage: the second product, and what waits for its operand or gives that back.
    for (Operation &op : loop.getBody()->without_terminator()) {
      bool isLater = &op == second || (op.getNumResults() == 0 && guards(op)) || scales(op) || dependsOnSecond(op);
      (isLater ? later : earlier).insert(&op);
    }
    for (Operation *op : later)
      for (Value operand : op->getOperands())
        if (Operation *owner = operand.getDefiningOp(); owner && earlier.contains(owner) && !llvm::is_contained(passed, operand))
          passed.push_back(operand);
        else if (auto argument = dyn_cast<BlockArgument>(operand); argument && argument.getOwner() == loop.getBody() && argument != carriedSum() &&
                                                                      !llvm::is_contained(passed, operand))
          passed.push_back(operand);
    // Only the accumulator may come from the second stage of the iteration before.
    auto accumulator = dyn_cast<BlockArgument>(carriedSum());
    if (!accumulator || accumulator.getOwner() != loop.getBody() || !accumulator.hasOneUse())
      return false;
    carried = accumulator.getArgNumber() - loop.getNumInductionVars();
    return second.getResult().hasOneUse() && loop.getYieldedValues()[carried] == second.getResult();
  }

  /// What multiplies the sum before the second product, or null.
  arith::MulFOp scaling() {
    auto product = second.getAcc().getDefiningOp<arith::MulFOp>();
    return product && product->hasOneUse() ? product : arith::MulFOp();
  }
  /// The sum as the iteration before left it.
  Value carriedSum() { return scaling() ? scaling().getLhs() : Value(second.getAcc()); }
  /// Whether `op` does nothing but multiply the sum: the product, or what spreads its factor over columns.
  bool scales(Operation &op) { return scaling() && (&op == scaling() || (op.hasOneUse() && isa<tile::BroadcastOp>(op) && *op.user_begin() == scaling())); }

  /// What makes the second product's operand of the weights: rounds them, or scales them where they are rounded before.
  Operation *rounding() {
    Operation *op = second.getA().getDefiningOp();
    return op && isa<tile::CastOp, arith::MulFOp>(op) && op->hasOneUse() ? op : nullptr;
  }

  /// Whether `op` waits for the second product's right operand, or gives it back: it names the barriers of that operand's ring.
  bool guards(Operation &op) {
    auto slot = second.getB().getDefiningOp<tile::SlotOp>();
    Value barriers = barriersOf(op);
    if (!slot || !barriers)
      return false;
    // Of the two rings, the first product's is released before it is worked on.
    Operation *before = first->getNextNode();
    while (before && !isa<tile::ReleaseOp>(before))
      before = before->getNextNode();
    return before && barriersOf(*before) != barriers;
  }
  static Value barriersOf(Operation &op) {
    if (auto await = dyn_cast<tile::AwaitOp>(op))
      return await.getBarriers();
    if (auto release = dyn_cast<tile::ReleaseOp>(op))
      return release.getBarriers();
    return {};
  }
  bool dependsOnSecond(Operation &op) {
    return llvm::any_of(op.getOperands(), [&](Value operand) { return operand.getDefiningOp() && later.contains(operand.getDefiningOp()); });
  }

  size_t place(const llvm::SetVector<Operation *> &stage, Operation *op) const { return llvm::find(stage, op) - stage.begin(); }
  /// What precedes and what follows a product in its stage.
  ArrayRef<Operation *> before(const llvm::SetVector<Operation *> &stage, Operation *op) const { return stage.getArrayRef().take_front(place(stage, op)); }
  ArrayRef<Operation *> after(const llvm::SetVector<Operation *> &stage, Operation *op) const { return stage.getArrayRef().drop_front(place(stage, op) + 1); }

  static void clone(OpBuilder &b, ArrayRef<Operation *> ops, IRMapping &mapping) {
    for (Operation *op : ops)
      b.clone(*op, mapping);
  }

  /// Waits for what the first product of iteration `iv` reads, if there is such an iteration. `yielded` is what the one before hands on.
  void awaitNext(ImplicitLocOpBuilder &b, Value iv, ValueRange yielded) {
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, loop.getUpperBound());
    auto branch = scf::IfOp::create(b, exists);
    OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), iv);
    mapping.map(loop.getRegionIterArgs(), yielded);
    for (Operation *op : before(earlier, first))
      if (isa<tile::AwaitOp>(op) || isMemoryEffectFree(op))
        body.clone(*op, mapping);
  }

  /// What iteration `now` hands on to the next, the accumulator given.
  SmallVector<Value> handOver(IRMapping &now, Value accumulator) {
    SmallVector<Value> values;
    for (auto [number, yielded] : llvm::enumerate(loop.getYieldedValues()))
      values.push_back(static_cast<int64_t>(number) == carried ? accumulator : now.lookupOrDefault(yielded));
    return values;
  }
  SmallVector<Value> passOn(IRMapping &now) {
    return llvm::map_to_vector(passed, [&](Value value) { return now.lookupOrDefault(value); });
  }

  /// Iteration 0, first stage. Yields what iteration 1 begins with.
  SmallVector<Value> emitFirst(ImplicitLocOpBuilder &b) {
    IRMapping start;
    start.map(loop.getInductionVar(), loop.getLowerBound());
    start.map(loop.getRegionIterArgs(), loop.getInitArgs());
    clone(b, earlier.getArrayRef(), start);
    SmallVector<Value> inits = handOver(start, loop.getInitArgs()[carried]);
    llvm::append_range(inits, passOn(start));
    return inits;
  }

  /// The iterations from 1 on.
  scf::ForOp emitFrom(ImplicitLocOpBuilder &b, ArrayRef<Value> inits) {
    Value from = arith::AddIOp::create(b, loop.getLowerBound(), loop.getStep());
    awaitNext(b, from, inits.drop_back(passed.size()));
    return emitLoop(b, from, inits);
  }

  scf::ForOp emitLoop(ImplicitLocOpBuilder &b, Value from, ValueRange inits) {
    auto rotated = scf::ForOp::create(b, from, loop.getUpperBound(), loop.getStep(), inits);
    ImplicitLocOpBuilder body = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), rotated.getBody());
    emitIteration(body, rotated);
    b.setInsertionPointAfter(rotated);
    return rotated;
  }

  /// What the loop itself carries.
  SmallVector<Value> carriedOf(scf::ForOp rotated) { return SmallVector<Value>(rotated.getResults().take_front(loop.getNumResults())); }

  /// The last iteration, second stage. Yields the loop's results.
  SmallVector<Value> emitLast(ImplicitLocOpBuilder &b, scf::ForOp rotated) {
    IRMapping end;
    end.map(passed, rotated.getResults().take_back(passed.size()));
    end.map(carriedSum(), rotated.getResult(carried));
    passReleases(b);
    clone(b, later.getArrayRef(), end);
    SmallVector<Value> results = carriedOf(rotated);
    results[carried] = end.lookup(second.getResult());
    return results;
  }

  /// What is given back behind the loop was not for the second product: its place may be filled meanwhile.
  void passReleases(ImplicitLocOpBuilder &b) {
    if (b.getInsertionBlock() != loop->getBlock())
      return; // in a branch of its own
    Block::iterator next = std::next(loop->getIterator());
    while (isa<tile::ReleaseOp>(*next))
      ++next;
    b.setInsertionPoint(loop->getBlock(), next);
  }

  SmallVector<Value> emit(ImplicitLocOpBuilder &b) {
    scf::ForOp rotated = emitFrom(b, emitFirst(b));
    return emitLast(b, rotated);
  }

  void emitIteration(ImplicitLocOpBuilder &b, scf::ForOp rotated) {
    IRMapping now, last;
    Value iv = rotated.getInductionVar();
    now.map(loop.getInductionVar(), iv);
    now.map(loop.getRegionIterArgs(), rotated.getRegionIterArgs().drop_back(passed.size()));
    last.map(passed, rotated.getRegionIterArgs().take_back(passed.size()));
    last.map(carriedSum(), rotated.getRegionIterArg(carried));

    for (Operation *op : before(earlier, first))
      if (!isa<tile::AwaitOp>(op))
        b.clone(*op, now);
    auto logits = cast<tile::DotOp>(b.clone(*first, now));
    logits.setAsync(true);
    clone(b, before(later, second), last);
    auto values = cast<tile::DotOp>(b.clone(*second, last));
    values.setAsync(true);

    now.map(first.getResult(), tile::DotWaitOp::create(b, logits.getResult(), 1).getResult());
    for (Operation *op : after(earlier, first))
      if (op != rounding())
        b.clone(*op, now);
    awaitNext(b, arith::AddIOp::create(b, iv, rotated.getStep()), handOver(now, rotated.getRegionIterArg(carried)));
    Value sum = tile::DotWaitOp::create(b, values.getResult(), 0);
    last.map(second.getResult(), sum);
    clone(b, after(later, second), last);
    if (Operation *op = rounding()) {
      Value weights = tile::DotWaitOp::create(b, now.lookupOrDefault(op->getOperand(0)), 0); // nothing is made of them earlier
      now.map(op->getOperand(0), weights);
      b.clone(*op, now);
    }
    SmallVector<Value> yields = handOver(now, sum);
    llvm::append_range(yields, passOn(now));
    scf::YieldOp::create(b, yields);
  }

  scf::ForOp loop;
  tile::DotOp first, second;
  llvm::SetVector<Operation *> earlier, later;
  SmallVector<Value> passed; ///< what the second stage takes from the first
  int64_t carried = 0;       ///< number of the accumulator among the carried values
};

struct OverlapProducts : landmark::impl::TileOverlapProductsBase<OverlapProducts> {
  void runOnOperation() override {
    SmallVector<Rotation> rotations;
    getOperation()->walk([&](scf::ForOp loop) {
      if (auto rotation = Rotation::of(loop))
        rotations.push_back(*rotation);
    });
    for (size_t i = 0; i < rotations.size(); ++i)
      if (i + 1 < rotations.size() && rotations[i].runs() && rotations[i].leadsTo(rotations[i + 1])) {
        rotations[i].applyWith(rotations[i + 1]);
        ++i;
      } else {
        rotations[i].apply();
      }
  }
};

} // namespace
