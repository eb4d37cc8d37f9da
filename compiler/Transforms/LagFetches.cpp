// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A producer's loop that fetches K, then V,
//
//     for i:    fetch K(i);   fetch V(i)
//
// fetches in the order in which rotated consumers (tile-overlap-products) wait for them:
//
//     for i:    fetch K(i);   if it is not the first: fetch V(i-1)
//     for i' of the loop behind:   fetch K(i');   fetch V(i'-1), at first what the loop before has left
//     fetch the last V
#include "compiler/Transforms/BegunProducts.h"
#include "compiler/Transforms/LoopBounds.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace landmark {
#define GEN_PASS_DEF_TILELAGFETCHES
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// The barriers that a loop waits at between products that it begins: the second ones' operands.
void collectAwaitedBetween(scf::ForOp loop, llvm::SetVector<Value> &barriers) {
  SmallVector<Value> sinceBegin;
  bool hasBegun = false;
  for (Operation &op : *loop.getBody()) {
    if (auto await = dyn_cast<tile::AwaitOp>(op); await && hasBegun)
      sinceBegin.push_back(await.getBarriers());
    if (isBegun(op)) {
      if (hasBegun)
        barriers.insert_range(sinceBegin);
      hasBegun = true;
    }
  }
}

/// A producer's loop, and its fetch for second products.
class FetchLoop {
public:
  /// Nothing where the loop fetches nothing for them, or nothing else.
  static std::optional<FetchLoop> of(scf::ForOp loop, const llvm::SetVector<Value> &late) {
    SmallVector<tile::FetchOp> fetches(loop.getBody()->getOps<tile::FetchOp>());
    if (fetches.size() != 2 || !late.contains(fetches[1].getBarriers()) || late.contains(fetches[0].getBarriers()))
      return std::nullopt;
    FetchLoop found(loop, fetches[1]);
    return found.split() ? std::optional<FetchLoop>(found) : std::nullopt;
  }

  bool runs() const { return surelyRuns(loop); }
  bool leadsTo(FetchLoop &next) {
    bool sameKind = TypeRange(ValueRange(passed)) == TypeRange(ValueRange(next.passed));
    return loop->getBlock() == next.loop->getBlock() && next.loop.getInitArgs()[next.counter] == loop.getResult(counter) && sameKind;
  }

  /// Iterations fetch what the one before has left; the first one `left`, or nothing if that is empty. Yields what the last one leaves.
  SmallVector<Value> lag(ValueRange left) {
    ImplicitLocOpBuilder b(loop.getLoc(), loop);
    bool isFirst = left.empty();
    SmallVector<Value> inits(left);
    if (isFirst)
      inits.assign(passed.size(), arith::ConstantIntOp::create(b, 0, 32));
    carry(inits);
    b.setInsertionPoint(fetch);
    IRMapping before = mappingOf(b, loop.getRegionIterArgs());
    Value next = isFirst ? emitUnlessFirst(b, before) : emit(b, before);
    loop.getBody()->getTerminator()->setOperand(counter, next);
    return loop.getResults().take_back(passed.size());
  }

  /// Behind the loop, what it has left.
  void fetchLast() {
    ImplicitLocOpBuilder b(loop.getLoc(), loop->getNextNode());
    IRMapping end = mappingOf(b, loop.getResults());
    Value turns = loop.getResult(counter);
    end.map(turn(), turns);
    SmallVector<OpOperand *> uses = llvm::map_to_vector(turns.getUses(), [](OpOperand &use) { return &use; });
    Value next = emit(b, end);
    for (OpOperand *use : uses)
      use->set(next);
  }

  /// What stood for the iteration's own fetch.
  void eraseOwn() {
    for (Operation *op : llvm::reverse(lagged))
      op->erase();
  }

private:
  FetchLoop(scf::ForOp loop, tile::FetchOp fetch) : loop(loop), fetch(fetch) {}

  /// What is lagged: the fetch with what is for it alone, its turn's count among that.
  bool split() {
    auto argument = dyn_cast<BlockArgument>(fetch.getTurn());
    if (!argument || argument.getOwner() != loop.getBody() || argument == loop.getInductionVar())
      return false;
    counter = argument.getArgNumber() - 1;
    counted = loop.getYieldedValues()[counter];
    llvm::SetVector<Operation *> own;
    for (Operation &op : llvm::reverse(loop.getBody()->without_terminator())) { // users come first
      auto acquire = dyn_cast<tile::AcquireOp>(op);
      bool isAcquire = acquire && acquire.getBarriers() == fetch.getBarriers();
      bool isForOwn = isMemoryEffectFree(&op) && !op.use_empty() && llvm::all_of(op.getUsers(), [&](Operation *user) { return own.contains(user); });
      if (&op == fetch || isAcquire || isForOwn || &op == counted.getDefiningOp())
        own.insert(&op);
    }
    lagged.assign(own.rbegin(), own.rend());
    for (Operation *op : lagged)
      for (Value operand : op->getOperands())
        if (isOfIteration(operand) && operand != argument && !own.contains(operand.getDefiningOp()) && !llvm::is_contained(passed, operand))
          passed.push_back(operand);
    bool countsForOwn = own.contains(counted.getDefiningOp()) && counted.hasOneUse() &&
                        llvm::all_of(argument.getUsers(), [&](Operation *user) { return own.contains(user); });
    return countsForOwn && !passed.empty() && llvm::all_of(passed, [](Value value) { return value.getType().isIndex(); });
  }

  bool isOfIteration(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return (argument ? argument.getOwner() : value.getDefiningOp()->getBlock()) == loop.getBody();
  }
  BlockArgument turn() { return loop.getRegionIterArg(counter); }

  /// What is passed on, among what the loop carries or yields.
  IRMapping mappingOf(ImplicitLocOpBuilder &b, ValueRange carried) {
    IRMapping mapping;
    for (auto [value, low] : llvm::zip(passed, carried.take_back(passed.size())))
      mapping.map(value, arith::IndexCastOp::create(b, b.getIndexType(), low));
    return mapping;
  }

  /// Lets the loop carry what is passed on, places in a tensor map, in 32 bits: the producer has few registers.
  void carry(ValueRange inits) {
    IRRewriter rewriter(loop.getContext());
    rewriter.setInsertionPoint(loop);
    Block *old = loop.getBody();
    auto yieldPassed = [&](OpBuilder &inside, Location loc, ArrayRef<BlockArgument>) {
      return llvm::map_to_vector(passed, [&](Value value) -> Value { return arith::IndexCastOp::create(inside, loc, inside.getI32Type(), value); });
    };
    SmallVector<Value> arguments(old->getArguments().begin(), old->getArguments().end());
    SmallVector<int64_t> numbers = llvm::map_to_vector(passed, [&](Value value) { return llvm::find(arguments, value) - arguments.begin(); });
    loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, inits, /*replaceInitOperandUsesInLoop=*/false, yieldPassed));
    for (auto [value, number] : llvm::zip(passed, numbers)) // operations have moved along, arguments are others
      if (number < static_cast<int64_t>(arguments.size()))
        value = loop.getBody()->getArgument(number);
  }

  /// What is lagged, with `mapping` for what it takes from its iteration. Yields the next turn.
  Value emit(ImplicitLocOpBuilder &b, IRMapping &mapping) {
    for (Operation *op : lagged)
      b.clone(*op, mapping);
    return mapping.lookup(counted);
  }

  Value emitUnlessFirst(ImplicitLocOpBuilder &b, IRMapping &before) {
    Value isLater = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, loop.getInductionVar(), loop.getLowerBound());
    auto branch = scf::IfOp::create(b, TypeRange(turn().getType()), isLater, /*withElseRegion=*/true);
    ImplicitLocOpBuilder then = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), branch.thenBlock());
    scf::YieldOp::create(then, emit(then, before));
    ImplicitLocOpBuilder otherwise = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), branch.elseBlock());
    scf::YieldOp::create(otherwise, ValueRange(turn()));
    return branch.getResult(0);
  }

  scf::ForOp loop;
  tile::FetchOp fetch;
  SmallVector<Operation *> lagged;
  SmallVector<Value> passed; ///< what they take from their iteration
  unsigned counter = 0;      ///< number of the turn among the carried values
  Value counted;             ///< the next turn
};

struct LagFetches : landmark::impl::TileLagFetchesBase<LagFetches> {
  /// Loops that follow one another, the first of which surely runs.
  static void lag(MutableArrayRef<FetchLoop> loops) {
    SmallVector<Value> left;
    for (FetchLoop &loop : loops)
      left = loop.lag(left);
    loops.back().fetchLast();
    for (FetchLoop &loop : loops)
      loop.eraseOwn();
  }

  void runOnOperation() override {
    llvm::SetVector<Value> late;
    SmallVector<FetchLoop> loops;
    getOperation()->walk([&](scf::ForOp loop) { collectAwaitedBetween(loop, late); });
    getOperation()->walk([&](scf::ForOp loop) {
      if (auto found = FetchLoop::of(loop, late))
        loops.push_back(*found);
    });
    for (size_t i = 0, end; i < loops.size(); i = end) {
      end = i + 1;
      while (end < loops.size() && loops[end - 1].leadsTo(loops[end]))
        ++end;
      if (loops[i].runs())
        lag(MutableArrayRef(loops).slice(i, end - i));
    }
  }
};

} // namespace
