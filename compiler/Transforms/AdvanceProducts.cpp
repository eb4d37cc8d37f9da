// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop of five products, the last two of which are sums that only the next iteration goes on with,
//
//     for i:   S = first(i);   work(S, second(i));   barrier;   add third(i);   a += fourth(i);   b += fifth(i)
//
// has its first product, of a tile that comes through a ring and of one that stays, begun an iteration early, among the others:
//
//     S = first(0)
//     for i:   work(S, second(i));   barrier;   begin third(i);   begin S = first(i + 1);   begin a += fourth(i);   begin b += fifth(i);   add third(i)
//
// so that the next iteration finds it done, while the matrix units still have the sums to do. Where registers allow it products are moved where other units have work within an
// iteration, as the assembler mixes the two there and never across its end: the first one is begun as soon as the iteration's own has been worked on, the sums are begun an iteration
// late, and what the third one adds to memory is added an iteration late, so that nothing is waited for behind the barrier:
//
//     S = first(0)
//     for i:   work(S, second(i));   add third(i - 1);   S = first(i + 1);   a += fourth(i - 1);   b += fifth(i - 1);   more work;   barrier;   third(i)
//     a += fourth(last);   b += fifth(last)
//
// Loops that follow one another hand all that on. The first product begun last multiplies whatever is in the ring, and nobody looks at it; the sums of the first iteration are of
// zeros that stand where its operands will.
//
// In the first form what the work needs beside products, numbers of the tile's rows in registers, is loaded an iteration early as well, behind the barrier. In the second one that takes
// the registers of addresses.
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

  /// The product whose operand this is, of the tile of turn `at`.
  Value multiply(OpBuilder &b, tile::DotOp dot, scf::ForOp loop, Value at, Value acc) const {
    IRMapping mapping;
    mapping.map(dot.getAcc(), acc);
    mapping.map(loop.getRegionIterArg(turn), at);
    for (Operation *op : slots)
      b.clone(*op, mapping);
    // A sum's left operand stands in one place.
    if (auto left = dot.getA().getDefiningOp<tile::SlotOp>(); left && !mapping.contains(left.getResult())) {
      Value zero = arith::ConstantIndexOp::create(b, dot.getLoc(), 0);
      mapping.map(left.getResult(), tile::SlotOp::create(b, dot.getLoc(), left.getType(), left.getBuffer(), zero).getResult());
    }
    return b.clone(*dot, mapping)->getResult(0);
  }
};

/// What loops that follow one another hand on beside what they carry.
struct HandedOn {
  Value product;         ///< the first one of the next tile
  Value hasLast;         ///< where sums are postponed: whether there was a tile, whose sums are to be made
  Value queries, values; ///< the same: its turns in the rings of the sums' right operands
};

/// A loop with what its products need.
class Candidate {
public:
  static std::optional<Candidate> of(scf::ForOp loop) {
    SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
    if (dots.size() != 5 || !llvm::all_of(dots, [](tile::DotOp dot) { return dot.getUnit() == tile::MatrixUnit::Wgmma && !dot.getAsync(); }))
      return std::nullopt;
    Candidate candidate;
    candidate.loop = loop;
    candidate.dots = dots;
    return candidate.findOperands() ? std::optional<Candidate>(candidate) : std::nullopt;
  }

  scf::ForOp getLoop() { return loop; }

  /// Whether sums can be postponed: registers and the ring hold what is under way then, and the iteration's first product is no longer needed there.
  bool canPostpone(int64_t earlyRegisters) {
    Operation *place = behindSecond();
    auto isDone = [&](Operation *user) {
      return user->getBlock() == loop.getBody() && (user->isBeforeInBlock(place) || (isMemoryEffectFree(user) && user->getNumOperands() == 1));
    };
    return addition() && accumulators() <= earlyRegisters && await.getBarriers().getType().getStages() >= 3 && llvm::all_of(dots[0]->getUsers(), isDone);
  }

  Value exists(ImplicitLocOpBuilder &b, Value iv) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, loop.getUpperBound()); }

  /// Whether `next` goes on with the rings where this loop leaves them.
  bool leadsTo(Candidate &next) {
    auto goesOn = [&](const RingOperand &here, const RingOperand &there) { return next.loop.getInitArgs()[there.turn] == loop.getResult(here.turn); };
    return loop->getBlock() == next.loop->getBlock() && dots[0].getB() == next.dots[0].getB() && goesOn(left, next.left) && goesOn(values, next.values);
  }

  /// What the first loop begins with; `comes` says whether there is a tile at all. Where sums are postponed zeros stand for the operands of those that never were.
  HandedOn begin(ImplicitLocOpBuilder &b, Value comes, bool postpones) {
    Value queriesTurn = loop.getInitArgs()[left.turn];
    HandedOn given{multiplyFirst(b, queriesTurn, comes), Value(), Value(), Value()};
    if (!postpones)
      return given;
    clearSumOperands();
    return {given.product, arith::ConstantIntOp::create(b, 0, 1), queriesTurn, loop.getInitArgs()[values.turn]};
  }

  /// Has the loop take its first product and hand on the next one; `comesLater` says whether a tile comes after it.
  HandedOn advance(const HandedOn &given, Value comesLater) {
    auto body = [&](OpBuilder &, Location, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
      return {beginNext(dots[2]->getNextNode(), carried[0], comesLater)};
    };
    replaceLoop({given.product}, body);
    return {loop.getResults().back(), Value(), Value(), Value()};
  }

  /// The same, and the sums and the addition as well, all of it behind the first use of the second product.
  HandedOn rotate(const HandedOn &given, Value comesLater) {
    Operation *place = behindSecond(), *before = place->getPrevNode();
    for (Operation *user : dots[0]->getUsers())
      if (!user->isBeforeInBlock(place))
        user->moveBefore(place);
    tile::WriteFragmentsOp add = addition();
    auto body = [&](OpBuilder &, Location, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
      before = place->getPrevNode();
      Value next = beginNext(place, carried[0], comesLater);
      postponeSums(carried, place);
      return {next, constantTrue(place), turnOf(left), turnOf(values)};
    };
    replaceLoop({given.product, given.hasLast, given.queries, given.values}, body);
    unsigned first = loop.getNumResults() - 4;
    loop = postponeAddition(add, loop, before->getNextNode());
    return {loop.getResult(first), loop.getResult(first + 1), loop.getResult(first + 2), loop.getResult(first + 3)};
  }

  /// The sums of the last tile, if there was one.
  void finish(const HandedOn &last) {
    ImplicitLocOpBuilder b(loop.getLoc(), loop->getNextNode());
    SmallVector<Value> sums = {loop.getResult(sumNumbers[0]), loop.getResult(sumNumbers[1])};
    auto branch = scf::IfOp::create(b, TypeRange(ValueRange(sums)), last.hasLast, /*withElseRegion=*/true);
    for (auto [sum, result] : llvm::zip(sums, branch.getResults()))
      sum.replaceAllUsesWith(result);
    ImplicitLocOpBuilder inside = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), branch.thenBlock());
    SmallVector<Value> made = multiplySums(inside, last.queries, last.values, sums);
    releaseLast(inside, last.queries, last.values);
    scf::YieldOp::create(inside, made);
    inside.setInsertionPointToEnd(branch.elseBlock());
    scf::YieldOp::create(inside, sums);
    eraseSums();
  }

  /// What postponed sums stand for.
  void eraseSums() {
    for (tile::DotOp sum : {dots[3], dots[4]})
      sum.erase();
    for (tile::ReleaseOp release : releases)
      release.erase();
  }

  /// Has what is loaded into registers for a tile asked for behind the barrier of the iteration before: memory is further away than the work in between is long.
  void loadAhead() {
    SmallVector<tile::LoadOp> loads(loop.getBody()->getOps<tile::LoadOp>());
    if (loads.empty() || !llvm::all_of(loads, [&](tile::LoadOp load) { return canLoadAhead(load); }))
      return;
    ImplicitLocOpBuilder before(loop.getLoc(), loop);
    SmallVector<Value> inits, first;
    for (Value init : loop.getInitArgs())
      inits.push_back(init);
    for (tile::LoadOp load : loads)
      first.push_back(loadAt(before, load, loop.getLowerBound(), inits));
    Operation *place = dots[2];
    auto body = [&](OpBuilder &, Location, ArrayRef<BlockArgument> carried) {
      ImplicitLocOpBuilder b(loop.getLoc(), place);
      SmallVector<Value> yielded, next;
      for (Value value : loop.getYieldedValues())
        yielded.push_back(isa<RankedTensorType>(value.getType()) ? value : cloneHere(b, value));
      Value iv = arith::AddIOp::create(b, loop.getInductionVar(), loop.getStep());
      for (auto [load, argument] : llvm::zip(loads, carried)) {
        next.push_back(loadAt(b, load, iv, yielded));
        load.getResult().replaceAllUsesWith(argument);
      }
      return next;
    };
    IRRewriter rewriter(loop.getContext());
    rewriter.setInsertionPoint(loop);
    loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, first, /*replaceInitOperandUsesInLoop=*/false, body));
    for (tile::LoadOp load : loads)
      load.erase();
  }

private:
  /// What the loop's body computes `value` from, in order.
  llvm::SetVector<Operation *> sliceOf(Value value) {
    llvm::SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.inclusive = true;
    options.filter = [&](Operation *op) { return op->getBlock() == loop.getBody(); };
    if (Operation *definition = value.getDefiningOp(); definition && definition->getBlock() == loop.getBody())
      (void)getBackwardSlice(definition, &slice, options);
    return slice;
  }

  Value cloneHere(ImplicitLocOpBuilder &b, Value value) {
    IRMapping mapping;
    for (Operation *op : sliceOf(value))
      b.clone(*op, mapping);
    return mapping.lookupOrDefault(value);
  }

  bool canLoadAhead(tile::LoadOp load) {
    auto isFree = [&](Value value) { return llvm::all_of(sliceOf(value), [](Operation *op) { return isMemoryEffectFree(op) && op->getNumRegions() == 0; }); };
    return llvm::all_of(load->getOperands(), isFree) &&
           llvm::all_of(loop.getYieldedValues(), [&](Value value) { return isa<RankedTensorType>(value.getType()) || isFree(value); });
  }

  /// The load of iteration `iv`, of zeros if there is none.
  Value loadAt(ImplicitLocOpBuilder &b, tile::LoadOp load, Value iv, ValueRange carried) {
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), iv);
    mapping.map(loop.getRegionIterArgs(), carried);
    llvm::SetVector<Operation *> slice = sliceOf(load.getResult());
    slice.remove(load);
    for (Operation *op : slice)
      b.clone(*op, mapping);
    Value none = arith::ConstantIndexOp::create(b, 0);
    Value high = arith::SelectOp::create(b, exists(b, iv), mapping.lookupOrDefault(load.getHigh()), none);
    auto clone = cast<tile::LoadOp>(b.clone(*load, mapping));
    clone.getHighMutable().assign(high);
    return clone.getResult();
  }

  /// The next first product, begun at `place`; the loop's own is what it carries.
  Value beginNext(Operation *place, Value carried, Value comesLater) {
    ImplicitLocOpBuilder b(loop.getLoc(), place);
    Value iv = arith::AddIOp::create(b, loop.getInductionVar(), loop.getStep());
    Value next = multiplyFirst(b, loop.getYieldedValues()[left.turn], arith::OrIOp::create(b, exists(b, iv), comesLater));
    dots[0].getResult().replaceAllUsesWith(carried);
    return next;
  }

  void replaceLoop(ValueRange inits, NewYieldValuesFn body) {
    IRRewriter rewriter(loop.getContext());
    rewriter.setInsertionPoint(loop);
    loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, inits, /*replaceInitOperandUsesInLoop=*/false, body));
    dots[0].erase();
    await.erase();
  }

  Value constantTrue(Operation *place) {
    ImplicitLocOpBuilder b(loop.getLoc(), place);
    return arith::ConstantIntOp::create(b, 1, 1);
  }

  Value turnOf(const RingOperand &operand) { return loop.getRegionIterArg(operand.turn); }

  bool findOperands() {
    Operation *before = dots[0];
    while (before && !isa<tile::AwaitOp>(before))
      before = before->getPrevNode();
    await = dyn_cast_or_null<tile::AwaitOp>(before);
    auto isOutside = [&](Value value) { return value.getParentBlock() != loop.getBody(); };
    std::optional<RingOperand> leftFound = RingOperand::of(loop, dots[0].getA()), valuesFound = RingOperand::of(loop, dots[3].getB()),
                               queriesFound = RingOperand::of(loop, dots[4].getB());
    // The third product's weights stand in shared memory, as the sums' do: registers are read while it runs.
    if (!await || !leftFound || !valuesFound || !queriesFound || await.getTurn() != turnOf(*leftFound) || queriesFound->turn != leftFound->turn ||
        !dots[0].getTranspose() || !isOutside(dots[0].getB()) || !isOutside(dots[0].getAcc()) || await.getBarriers().getType().getStages() < 2 ||
        isa<RankedTensorType>(dots[2].getA().getType()) || accumulators() > 256 || !behindSecond())
      return false;
    left = *leftFound;
    values = *valuesFound;
    queries = *queriesFound;
    for (tile::DotOp sum : {dots[3], dots[4]}) {
      auto carried = dyn_cast<BlockArgument>(sum.getAcc());
      if (!sum.getTransposed() || !carried || carried.getOwner() != loop.getBody() || !sum->hasOneUse() || loop.getYieldedValues()[carried.getArgNumber() - 1] != sum.getResult() ||
          !sum.getA().getDefiningOp<tile::SlotOp>() || sum.getA().getDefiningOp<tile::SlotOp>().getBuffer().getType().getStages() != 1)
        return false;
      sumNumbers.push_back(carried.getArgNumber() - 1);
    }
    for (auto release : loop.getBody()->getOps<tile::ReleaseOp>())
      if (release.getTurn() == turnOf(left) || release.getTurn() == turnOf(values))
        releases.push_back(release);
    return releases.size() == 2 && llvm::all_of(releases, [](tile::ReleaseOp release) { return release.getBarriers().getType().getStages() > 1; });
  }

  /// Zeros where the operands of sums will stand, before anybody is past the kernel's first barrier.
  void clearSumOperands() {
    auto kernel = loop->getParentOfType<gpu::GPUFuncOp>();
    Operation *barrier = *kernel.getBody().front().getOps<gpu::BarrierOp>().begin();
    OpBuilder b(isa<tile::FenceOp>(barrier->getPrevNode()) ? barrier->getPrevNode() : barrier);
    llvm::SmallDenseSet<Value> cleared;
    for (tile::DotOp sum : {dots[3], dots[4]}) {
      auto buffer = sum.getA().getDefiningOp<tile::SlotOp>().getBuffer().getDefiningOp<tile::AllocOp>();
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
    return left.multiply(b, dots[0], loop, turn, dots[0].getAcc());
  }

  SmallVector<Value> multiplySums(ImplicitLocOpBuilder &b, Value queriesTurn, Value valuesTurn, ArrayRef<Value> sums) {
    return {values.multiply(b, dots[3], loop, valuesTurn, sums[0]), queries.multiply(b, dots[4], loop, queriesTurn, sums[1])};
  }

  void releaseLast(OpBuilder &b, Value queriesTurn, Value valuesTurn) {
    for (tile::ReleaseOp release : releases)
      tile::ReleaseOp::create(b, release.getLoc(), release.getBarriers(), release.getTurn() == turnOf(values) ? valuesTurn : queriesTurn);
  }

  /// Begins the sums of the last iteration at `place`, and gives their operands back behind the first barrier.
  void postponeSums(ArrayRef<BlockArgument> carried, Operation *place) {
    ImplicitLocOpBuilder b(loop.getLoc(), place);
    Value hasLast = carried[1];
    Value queriesTurn = arith::SelectOp::create(b, hasLast, carried[2], turnOf(left)), valuesTurn = arith::SelectOp::create(b, hasLast, carried[3], turnOf(values));
    SmallVector<Value> made = multiplySums(b, queriesTurn, valuesTurn, {dots[3].getAcc(), dots[4].getAcc()});
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    yield.setOperand(sumNumbers[0], made[0]);
    yield.setOperand(sumNumbers[1], made[1]);
    Operation *barrier = *loop.getBody()->getOps<tile::BarrierOp>().begin();
    b.setInsertionPointAfter(barrier);
    auto branch = scf::IfOp::create(b, hasLast);
    OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
    releaseLast(body, carried[2], carried[3]);
  }

  /// Registers of a thread for a tile that is spread over all threads.
  static int64_t registersOf(Value tile) {
    auto type = cast<RankedTensorType>(tile.getType());
    return type.getNumElements() / (32 * cast<tile::FragmentAttr>(type.getEncoding()).getWarps());
  }

  /// Accumulators of a thread, if the first product is begun before the third is done: the product, weights, the second product, the third, and sums.
  int64_t accumulators() {
    int64_t registers = 3 * registersOf(dots[0].getResult()) + registersOf(dots[2].getResult());
    for (Value carried : loop.getRegionIterArgs())
      if (isa<RankedTensorType>(carried.getType()))
        registers += registersOf(carried);
    return registers;
  }

  /// What adds the third product to memory, in this iteration.
  tile::WriteFragmentsOp addition() {
    auto add = dots[2]->hasOneUse() ? dyn_cast<tile::WriteFragmentsOp>(*dots[2]->user_begin()) : tile::WriteFragmentsOp();
    return add && add.getAdd() && add->getBlock() == loop.getBody() ? add : tile::WriteFragmentsOp();
  }

  /// Behind the first use of the second product, where nothing is under way: the sum of products with it, and what else needs the first one. Null if there is none.
  Operation *behindSecond() {
    Operation *place = loop.getBody()->getTerminator();
    for (Operation *user : dots[1]->getUsers())
      if (Operation *here = loop.getBody()->findAncestorOpInBlock(*user); here->isBeforeInBlock(place))
        place = here;
    if (place == loop.getBody()->getTerminator())
      return nullptr;
    do
      place = place->getNextNode();
    while (isa<tile::ReduceOp>(place) || llvm::is_contained(dots[0]->getUsers(), place));
    return place->isBeforeInBlock(dots[2]) ? place : nullptr;
  }

  /// Adds the third product in the next iteration, and the last one's behind the loop.
  scf::ForOp postponeAddition(tile::WriteFragmentsOp add, scf::ForOp inside, Operation *place) {
    ImplicitLocOpBuilder b(add.getLoc(), inside);
    Value index = arith::ConstantIndexOp::create(b, 0);
    SmallVector<Value> none = {dots[2].getAcc(), index, index, index}, next = {add.getValue(), add.getBatch(), add.getHead(), add.getRow()};
    IRRewriter rewriter(inside.getContext());
    rewriter.setInsertionPoint(inside);
    auto yield = [&](OpBuilder &, Location, ArrayRef<BlockArgument>) { return next; };
    inside = cast<scf::ForOp>(*inside.replaceWithAdditionalYields(rewriter, none, /*replaceInitOperandUsesInLoop=*/false, yield));
    auto addIf = [&](ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value left, Value right, ValueRange last) {
      auto branch = scf::IfOp::create(b, arith::CmpIOp::create(b, predicate, left, right));
      OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
      tile::WriteFragmentsOp::create(body, add.getLoc(), last[0], add.getView(), last[1], last[2], last[3], true);
    };
    b.setInsertionPoint(place);
    addIf(b, arith::CmpIPredicate::ne, inside.getInductionVar(), inside.getLowerBound(), inside.getRegionIterArgs().take_back(4));
    b.setInsertionPointAfter(inside);
    addIf(b, arith::CmpIPredicate::slt, inside.getLowerBound(), inside.getUpperBound(), inside.getResults().take_back(4));
    add.erase();
    return inside;
  }

  scf::ForOp loop;
  SmallVector<tile::DotOp> dots;
  tile::AwaitOp await;               ///< for the first product's left operand
  RingOperand left, queries, values; ///< that operand, and the right ones of the sums, the second of which is the same tile
  SmallVector<unsigned> sumNumbers;  ///< among the carried values
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
  void rotate(MutableArrayRef<Candidate> chain) {
    scf::ForOp first = chain.front().getLoop();
    ImplicitLocOpBuilder b(first.getLoc(), first);
    SmallVector<Value> comes = {arith::ConstantIntOp::create(b, 0, 1)}; // whether a tile comes in a loop or behind it
    for (Candidate &candidate : llvm::reverse(chain))
      comes.push_back(arith::OrIOp::create(b, candidate.exists(b, candidate.getLoop().getLowerBound()), comes.back()));
    bool postpones = llvm::all_of(chain, [&](Candidate &candidate) { return candidate.canPostpone(earlyRegisters); });
    HandedOn handed = chain.front().begin(b, comes.back(), postpones);
    for (auto [number, candidate] : llvm::enumerate(chain)) {
      Value comesLater = comes[chain.size() - 1 - number];
      handed = postpones ? candidate.rotate(handed, comesLater) : candidate.advance(handed, comesLater);
    }
    if (postpones) {
      chain.back().finish(handed);
      for (Candidate &candidate : chain.drop_back())
        candidate.eraseSums();
    } else if (earlyRegisters > 0) {
      for (Candidate &candidate : chain)
        candidate.loadAhead();
    }
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
      rotate(MutableArrayRef(candidates).slice(first, next - first));
    }
  }
};

} // namespace
