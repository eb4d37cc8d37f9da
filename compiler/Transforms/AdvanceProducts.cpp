// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop of five products, the last three of which multiply the weights that its work makes, and the last two are sums that only the next iteration goes on with (or of four, where
// other warps make the third),
//
//     for i:   S = first(i);   work(S, second(i));   barrier;   hand over third(i);   a += fourth(i);   b += fifth(i)
//
// has those three begun in the next iteration, among its own first two and under its work, as the assembler mixes products and work within an iteration and never across its end:
//
//     for i:   begin third(i - 1);   begin S = first(i);   hand over third(i - 1);   begin second(i);   begin a += fourth(i - 1);   begin b += fifth(i - 1);   work(S, second(i));   barrier
//     hand over third(last);   a += fourth(last);   b += fifth(last)
//
// Where registers do not allow that only the first product moves, begun among the others behind the barrier, so that the next iteration finds it done:
//
//     S = first(0)
//     for i:   work(S, second(i));   barrier;   begin third(i);   begin S = first(i + 1);   begin a += fourth(i);   begin b += fifth(i);   hand over third(i)
//
// Loops that follow one another hand all that on. The first product begun last multiplies whatever is in the ring, and nobody looks at it; the sums of the first iteration are of
// zeros that stand where its operands will.
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace landmark {
#define GEN_PASS_DEF_TILEADVANCEPRODUCTS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// The slot again, of a buffer that has no other.
Value onlySlot(OpBuilder &b, tile::SlotOp slot) {
  return tile::SlotOp::create(b, slot.getLoc(), slot.getType(), slot.getBuffer(), arith::ConstantIndexOp::create(b, slot.getLoc(), 0));
}

/// An operand that is a tile of a ring: what finds its slot from the ring's turn, a number that the loop carries.
struct RingOperand {
  llvm::SetVector<Operation *> slots;
  unsigned turn = 0; ///< number of that among the carried values

  static std::optional<RingOperand> of(scf::ForOp loop, Value slot) {
    RingOperand operand;
    BlockArgument turn;
    auto definition = slot.getDefiningOp<tile::SlotOp>();
    BackwardSliceOptions options;
    options.inclusive = true;
    options.filter = [&](Operation *op) { return op->getBlock() == loop.getBody(); };
    if (!definition || definition->getBlock() != loop.getBody() || failed(getBackwardSlice(definition.getOperation(), &operand.slots, options)))
      return std::nullopt;
    for (Operation *op : operand.slots)
      for (Value value : op->getOperands())
        if (auto argument = dyn_cast<BlockArgument>(value); argument && argument.getOwner() == loop.getBody()) {
          if (argument.getArgNumber() == 0 || (turn && turn != argument) || !isMemoryEffectFree(op))
            return std::nullopt;
          turn = argument;
        }
    if (!turn)
      return std::nullopt;
    operand.turn = turn.getArgNumber() - 1;
    return operand;
  }

  /// The slot of the tile of turn `at`.
  Value find(OpBuilder &b, scf::ForOp loop, Value at) const {
    IRMapping mapping;
    mapping.map(loop.getRegionIterArg(turn), at);
    Operation *slot = nullptr;
    for (Operation *op : slots)
      slot = b.clone(*op, mapping);
    return slot->getResult(0);
  }
};

/// The product with other operands.
Value multiply(OpBuilder &b, tile::DotOp dot, Value left, Value right, Value acc) {
  IRMapping mapping;
  mapping.map(dot.getA(), left);
  mapping.map(dot.getB(), right);
  mapping.map(dot.getAcc(), acc);
  return b.clone(*dot, mapping)->getResult(0);
}

/// A loop's sum: `a += weights * tile`.
struct Sum {
  tile::DotOp product;
  unsigned number;                    ///< among the carried values
  std::optional<RingOperand> weights; ///< where they have several places
  RingOperand tile;
};

/// What loops that follow one another hand on beside what they carry.
struct HandedOn {
  Value product;         ///< where it is begun early: the first one of the next tile
  Value hasLast;         ///< where the others are postponed: whether there was a tile, whose products are to be made
  Value queries, values; ///< the same: its turns in the rings of the sums' right operands
};

/// A loop with what its products need.
class Candidate {
public:
  static std::optional<Candidate> of(scf::ForOp loop) {
    SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
    if ((dots.size() != 4 && dots.size() != 5) || !llvm::all_of(dots, [](tile::DotOp dot) { return dot.getUnit() == tile::MatrixUnit::Wgmma && !dot.getAsync(); }))
      return std::nullopt;
    Candidate candidate;
    candidate.loop = loop;
    candidate.first = dots[0];
    candidate.third = dots.size() == 5 ? dots[2] : tile::DotOp();
    return candidate.findOperands(ArrayRef(dots).take_back(2)) ? std::optional<Candidate>(candidate) : std::nullopt;
  }

  scf::ForOp getLoop() { return loop; }

  Value exists(ImplicitLocOpBuilder &b, Value iv) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, loop.getUpperBound()); }

  /// Whether `next` goes on with the rings where this loop leaves them.
  bool leadsTo(Candidate &next) {
    auto goesOn = [&](const RingOperand &here, const RingOperand &there) { return next.loop.getInitArgs()[there.turn] == loop.getResult(here.turn); };
    bool haveWeights = llvm::all_of(llvm::zip(sums, next.sums), [&](auto pair) {
      auto &[here, there] = pair;
      return here.weights.has_value() == there.weights.has_value() && (!here.weights || goesOn(*here.weights, *there.weights)) && goesOn(here.tile, there.tile);
    });
    return loop->getBlock() == next.loop->getBlock() && first.getB() == next.first.getB() && haveWeights && goesOn(left, next.left);
  }

  /// What the first loop begins with; `comes` says whether there is a tile at all. Where products are postponed zeros stand for the operands of those that never were.
  HandedOn begin(ImplicitLocOpBuilder &b, Value comes, bool postpones) {
    Value queriesTurn = loop.getInitArgs()[left.turn];
    if (!postpones)
      return {multiplyFirst(b, queriesTurn, comes), Value(), Value(), Value()};
    clearSumOperands();
    return {Value(), arith::ConstantIntOp::create(b, 0, 1), queriesTurn, loop.getInitArgs()[values().turn]};
  }

  /// Has the loop take its first product and hand on the next one; `comesLater` says whether a tile comes after it.
  HandedOn advance(const HandedOn &given, Value comesLater) {
    auto body = [&](OpBuilder &, Location, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
      return {beginNext(third ? third->getNextNode() : sums[0].product, carried[0], comesLater)};
    };
    replaceLoop({given.product}, body);
    first.erase();
    await.erase();
    return {loop.getResults().back(), Value(), Value(), Value()};
  }

  /// Has the loop multiply the weights of the last tile, under its own work.
  HandedOn postpone(const HandedOn &given) {
    auto body = [&](OpBuilder &, Location, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
      ImplicitLocOpBuilder b(loop.getLoc(), &loop.getBody()->front());
      if (third) {
        Value last = multiplyThird(b);
        b.setInsertionPointAfter(first);
        auto branch = scf::IfOp::create(b, carried[0]);
        ImplicitLocOpBuilder inside = ImplicitLocOpBuilder::atBlockBegin(loop.getLoc(), branch.thenBlock());
        handOverLast(inside, last, addition().getTurn());
      }
      postponeSums(carried, firstUse(first)->getNextNode());
      return {constantTrue(loop.getBody()->getTerminator()), turnOf(left), turnOf(values())};
    };
    replaceLoop({given.hasLast, given.queries, given.values}, body);
    auto handed = loop.getResults().take_back(3);
    return {Value(), handed[0], handed[1], handed[2]};
  }

  /// What is left of the last tile, if there was one.
  void finish(const HandedOn &last) {
    ImplicitLocOpBuilder b(loop.getLoc(), loop->getNextNode());
    SmallVector<Value> made = {loop.getResult(sums[0].number), loop.getResult(sums[1].number)};
    auto branch = scf::IfOp::create(b, TypeRange(ValueRange(made)), last.hasLast, /*withElseRegion=*/true);
    // Nothing is under way here. The assembler does not see it behind the branch: it would wait where threads that store rows part from others, and serialise all products for that.
    for (auto [sum, result] : llvm::zip(made, branch.getResults()))
      sum.replaceAllUsesWith(tile::DotWaitOp::create(b, result, 0));
    ImplicitLocOpBuilder inside = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), branch.thenBlock());
    if (third)
      handOverLast(inside, multiplyThird(inside), loop.getResult(cast<BlockArgument>(addition().getTurn()).getArgNumber() - 1));
    SmallVector<Value> lastSums = multiplySums(inside, last.queries, last.values, loop.getResults(), made);
    releaseLast(inside, last.queries, last.values);
    scf::YieldOp::create(inside, lastSums);
    inside.setInsertionPointToEnd(branch.elseBlock());
    scf::YieldOp::create(inside, made);
  }

  /// What postponed products stand for.
  void erase() {
    if (third) {
      addition().erase();
      third.erase();
    }
    for (Sum &sum : sums)
      sum.product.erase();
    for (tile::ReleaseOp release : releases)
      release.erase();
  }

private:
  /// The next first product, begun at `place`; the loop's own is what it carries.
  Value beginNext(Operation *place, Value carried, Value comesLater) {
    ImplicitLocOpBuilder b(loop.getLoc(), place);
    Value iv = arith::AddIOp::create(b, loop.getInductionVar(), loop.getStep());
    Value next = multiplyFirst(b, loop.getYieldedValues()[left.turn], arith::OrIOp::create(b, exists(b, iv), comesLater));
    first.getResult().replaceAllUsesWith(carried);
    return next;
  }

  void replaceLoop(ValueRange inits, NewYieldValuesFn body) {
    IRRewriter rewriter(loop.getContext());
    rewriter.setInsertionPoint(loop);
    loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, inits, /*replaceInitOperandUsesInLoop=*/false, body));
  }

  /// Hands the third product of the last tile over, in the turn before this one.
  void handOverLast(ImplicitLocOpBuilder &b, Value third, Value turn) {
    Value last = arith::SubIOp::create(b, turn, arith::ConstantIntOp::create(b, 1, 32));
    tile::HandOverOp add = addition();
    tile::HandOverOp::create(b, cast<TypedValue<RankedTensorType>>(third), add.getSlot(), add.getBarriers(), last);
  }

  /// The third product with the weights that stand in shared memory.
  Value multiplyThird(ImplicitLocOpBuilder &b) {
    IRMapping mapping;
    mapping.map(third.getA(), onlySlot(b, third.getA().getDefiningOp<tile::SlotOp>()));
    return b.clone(*third, mapping)->getResult(0);
  }

  /// What uses the product first in the iteration, or its end.
  Operation *firstUse(tile::DotOp dot) {
    Operation *use = loop.getBody()->getTerminator();
    for (Operation *user : dot->getUsers())
      if (Operation *here = loop.getBody()->findAncestorOpInBlock(*user); here->isBeforeInBlock(use))
        use = here;
    return use;
  }

  Value constantTrue(Operation *place) {
    ImplicitLocOpBuilder b(loop.getLoc(), place);
    return arith::ConstantIntOp::create(b, 1, 1);
  }

  Value turnOf(const RingOperand &operand) { return loop.getRegionIterArg(operand.turn); }

  /// Turns of the sums' tiles: those of values, and of queries again.
  const RingOperand &values() const { return sums[0].tile; }

  bool findOperands(ArrayRef<tile::DotOp> products) {
    Operation *before = first;
    while (before && !isa<tile::AwaitOp>(before))
      before = before->getPrevNode();
    await = dyn_cast_or_null<tile::AwaitOp>(before);
    auto isOutside = [&](Value value) { return value.getParentBlock() != loop.getBody(); };
    std::optional<RingOperand> leftFound = RingOperand::of(loop, first.getA());
    // The third product's weights stand in shared memory, as the sums' do: registers are read while it runs.
    if (!await || !leftFound || await.getTurn() != turnOf(*leftFound) || !first.getTranspose() || !isOutside(first.getB()) || !isOutside(first.getAcc()) ||
        await.getBarriers().getType().getStages() < 2 || accumulators() > 256 || (third && (isa<RankedTensorType>(third.getA().getType()) || !addition())))
      return false;
    left = *leftFound;
    for (tile::DotOp product : products)
      if (std::optional<Sum> sum = sumOf(product))
        sums.push_back(*sum);
    bool haveTurns = llvm::all_of(sums, [](Sum &sum) { return sum.weights.has_value(); });
    if (sums.size() != 2 || sums[1].tile.turn != left.turn || (!third && !haveTurns))
      return false;
    for (auto release : loop.getBody()->getOps<tile::ReleaseOp>())
      if (release.getTurn() == turnOf(left) || release.getTurn() == turnOf(values()))
        releases.push_back(release);
    return releases.size() == 2 && llvm::all_of(releases, [](tile::ReleaseOp release) { return release.getBarriers().getType().getStages() > 1; });
  }

  std::optional<Sum> sumOf(tile::DotOp product) {
    auto carried = dyn_cast<BlockArgument>(product.getAcc());
    auto place = product.getA().getDefiningOp<tile::SlotOp>();
    std::optional<RingOperand> tile = RingOperand::of(loop, product.getB());
    if (!product.getTransposed() || !carried || carried.getOwner() != loop.getBody() || !product->hasOneUse() ||
        loop.getYieldedValues()[carried.getArgNumber() - 1] != product.getResult() || !place || !tile)
      return std::nullopt;
    std::optional<RingOperand> weights = RingOperand::of(loop, place);
    if (place.getBuffer().getType().getStages() > 1 && !weights)
      return std::nullopt;
    return Sum{product, carried.getArgNumber() - 1, weights, *tile};
  }

  /// Zeros where the operands of sums will stand, before anybody is past the kernel's first barrier.
  void clearSumOperands() {
    auto kernel = loop->getParentOfType<gpu::GPUFuncOp>();
    Operation *barrier = *kernel.getBody().front().getOps<gpu::BarrierOp>().begin();
    OpBuilder b(isa<tile::FenceOp>(barrier->getPrevNode()) ? barrier->getPrevNode() : barrier);
    llvm::SmallDenseSet<Value> cleared;
    for (Sum &sum : sums) {
      auto buffer = sum.product.getA().getDefiningOp<tile::SlotOp>().getBuffer().getDefiningOp<tile::AllocOp>();
      if (!cleared.insert(buffer).second)
        continue;
      if (barrier->isBeforeInBlock(buffer))
        buffer->moveBefore(&kernel.getBody().front().front());
      tile::ClearOp::create(b, loop.getLoc(), buffer, 0, buffer.getResult().getType().getRows());
    }
  }

  /// The first product of the tile that comes at `turn`, which is waited for if it comes at all.
  Value multiplyFirst(ImplicitLocOpBuilder &b, Value turn, Value comes) {
    auto branch = scf::IfOp::create(b, comes);
    OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
    tile::AwaitOp::create(body, loop.getLoc(), await.getBarriers(), turn);
    return multiply(b, first, left.find(b, loop, turn), first.getB(), first.getAcc());
  }

  /// The sums of the last tile: to `accumulators`, with turns of rings before those that are `carried`.
  SmallVector<Value> multiplySums(ImplicitLocOpBuilder &b, Value queriesTurn, Value valuesTurn, ValueRange carried, ArrayRef<Value> accumulators) {
    SmallVector<Value> made;
    for (auto [sum, turn, accumulator] : llvm::zip(sums, std::array{valuesTurn, queriesTurn}, accumulators)) {
      Value weights = sum.weights ? sum.weights->find(b, loop, lastTurn(b, carried[sum.weights->turn])) : onlySlot(b, sum.product.getA().getDefiningOp<tile::SlotOp>());
      made.push_back(multiply(b, sum.product, weights, sum.tile.find(b, loop, turn), accumulator));
    }
    return made;
  }
  static Value lastTurn(ImplicitLocOpBuilder &b, Value turn) { return arith::SubIOp::create(b, turn, arith::ConstantIntOp::create(b, 1, 32)); }

  void releaseLast(OpBuilder &b, Value queriesTurn, Value valuesTurn) {
    for (tile::ReleaseOp release : releases)
      tile::ReleaseOp::create(b, release.getLoc(), release.getBarriers(), release.getTurn() == turnOf(values()) ? valuesTurn : queriesTurn);
  }

  /// Begins the sums of the last iteration at `place`, and gives their operands back behind the first barrier.
  void postponeSums(ArrayRef<BlockArgument> carried, Operation *place) {
    ImplicitLocOpBuilder b(loop.getLoc(), place);
    Value hasLast = carried[0];
    Value queriesTurn = arith::SelectOp::create(b, hasLast, carried[1], turnOf(left)), valuesTurn = arith::SelectOp::create(b, hasLast, carried[2], turnOf(values()));
    SmallVector<Value> made = multiplySums(b, queriesTurn, valuesTurn, loop.getRegionIterArgs(), {sums[0].product.getAcc(), sums[1].product.getAcc()});
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    for (auto [sum, value] : llvm::zip(sums, made))
      yield.setOperand(sum.number, value);
    Operation *barrier = *loop.getBody()->getOps<tile::BarrierOp>().begin();
    b.setInsertionPointAfter(barrier);
    auto branch = scf::IfOp::create(b, hasLast);
    OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
    releaseLast(body, carried[1], carried[2]);
  }

  /// Registers of a thread for a tile that is spread over all threads.
  static int64_t registersOf(Value tile) {
    auto type = cast<RankedTensorType>(tile.getType());
    return type.getNumElements() / (32 * cast<tile::FragmentAttr>(type.getEncoding()).getWarps());
  }

  /// Accumulators of a thread, if all it can hold were held at once: the first product, weights, the second product, the third, and sums.
  int64_t accumulators() {
    int64_t registers = 3 * registersOf(first.getResult()) + (third ? registersOf(third.getResult()) : 0);
    for (Value carried : loop.getRegionIterArgs())
      if (isa<RankedTensorType>(carried.getType()))
        registers += registersOf(carried);
    return registers;
  }

  /// What hands the third product over to be added to memory, in this iteration.
  tile::HandOverOp addition() {
    auto add = third->hasOneUse() ? dyn_cast<tile::HandOverOp>(*third->user_begin()) : tile::HandOverOp();
    return add && add->getBlock() == loop.getBody() ? add : tile::HandOverOp();
  }

  scf::ForOp loop;
  tile::DotOp first, third; ///< the latter null where other warps make it
  tile::AwaitOp await;      ///< for the first product's left operand
  RingOperand left;         ///< that operand
  SmallVector<Sum> sums;    ///< with values, and with the first product's left operand
  SmallVector<tile::ReleaseOp> releases;
};

/// Whether the loop's bounds are known before `op`, in whose block it stands.
bool isKnownBefore(scf::ForOp loop, Operation *op) {
  return llvm::all_of(ValueRange{loop.getLowerBound(), loop.getUpperBound()}, [&](Value bound) {
    Operation *definition = bound.getDefiningOp();
    return !definition || definition->getBlock() != op->getBlock() || definition->isBeforeInBlock(op);
  });
}

struct AdvanceProducts : landmark::impl::TileAdvanceProductsBase<AdvanceProducts> {
  using Base::Base;

  /// Loops that follow one another, whose bounds are known before the first.
  void move(MutableArrayRef<Candidate> chain) {
    scf::ForOp first = chain.front().getLoop();
    ImplicitLocOpBuilder b(first.getLoc(), first);
    SmallVector<Value> comes = {arith::ConstantIntOp::create(b, 0, 1)}; // whether a tile comes in a loop or behind it
    for (Candidate &candidate : llvm::reverse(chain))
      comes.push_back(arith::OrIOp::create(b, candidate.exists(b, candidate.getLoop().getLowerBound()), comes.back()));
    HandedOn handed = chain.front().begin(b, comes.back(), postpones);
    for (auto [number, candidate] : llvm::enumerate(chain))
      handed = postpones ? candidate.postpone(handed) : candidate.advance(handed, comes[chain.size() - 1 - number]);
    if (!postpones)
      return;
    chain.back().finish(handed);
    for (Candidate &candidate : chain)
      candidate.erase();
  }

  void runOnOperation() override {
    SmallVector<Candidate, 0> candidates;
    getOperation()->walk([&](scf::ForOp loop) {
      if (auto candidate = Candidate::of(loop))
        candidates.push_back(*candidate);
    });
    for (size_t first = 0, next; first < candidates.size(); first = next) {
      for (next = first + 1; next < candidates.size(); ++next)
        if (!candidates[next - 1].leadsTo(candidates[next]) || !isKnownBefore(candidates[next].getLoop(), candidates[first].getLoop()))
          break;
      move(MutableArrayRef(candidates).slice(first, next - first));
    }
  }
};

} // namespace
