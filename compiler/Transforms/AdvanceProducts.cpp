// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop's first product, of a tile that comes through a ring and of one that stays, is begun an iteration early, among the products of the iteration before:
//
//     S = first(0)
//     for i:   work(S, second(i));   third(i);   S = first(i + 1);   fourth(i);   fifth(i)
//
// so that the next iteration finds it done, while the matrix units still have those behind it to do. Loops that follow one another hand it on. The one begun last
// multiplies whatever is in the ring, and nobody looks at it.
//
// Where registers allow it the product is begun earlier still, as soon as the iteration's own has been worked on, and what the third product adds to memory is added
// an iteration later, so that nothing is waited for behind the barrier:
//
//     for i:   work(S);   S = first(i + 1);   add third(i - 1);   work(second(i));   third(i);   fourth(i);   fifth(i)
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
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

/// A loop with what its first product needs.
struct Candidate {
  scf::ForOp loop;
  tile::DotOp first, second, third;
  tile::AwaitOp await;
  llvm::SetVector<Operation *> slots; ///< what finds the left operand from the ring's turn
  unsigned turn = 0;                  ///< number of that among the carried values

  static std::optional<Candidate> of(scf::ForOp loop) {
    SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
    if (dots.size() < 5 || !llvm::all_of(dots, [](tile::DotOp dot) { return dot.getUnit() == tile::MatrixUnit::Wgmma && !dot.getAsync(); }))
      return std::nullopt;
    if (isa<RankedTensorType>(dots[2].getA().getType()))
      return std::nullopt; // registers are read while it runs
    Candidate candidate{loop, dots[0], dots[1], dots[2], {}, {}};
    return candidate.findOperands() && candidate.accumulators() <= 256 ? std::optional<Candidate>(candidate) : std::nullopt;
  }

  Value exists(ImplicitLocOpBuilder &b, Value iv) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, loop.getUpperBound()); }

  /// The product of the tile that comes at `at`, which is waited for if it comes at all.
  Value begin(ImplicitLocOpBuilder &b, Value at, Value comes) {
    auto branch = scf::IfOp::create(b, comes);
    OpBuilder body = OpBuilder::atBlockBegin(branch.thenBlock());
    tile::AwaitOp::create(body, loop.getLoc(), await.getBarriers(), at);
    IRMapping mapping;
    mapping.map(loop.getRegionIterArg(turn), at);
    for (Operation *op : slots)
      b.clone(*op, mapping);
    return b.clone(*first, mapping)->getResult(0);
  }

  /// Has the loop carry its first product; `comesLater` says whether a tile comes after the loop.
  Value advance(Value product, Value comesLater, int64_t earlyRegisters) {
    tile::WriteFragmentsOp add = addition();
    Operation *early = add ? earlyPlace(earlyRegisters) : nullptr, *place = early ? early : third->getNextNode();
    Operation *ahead = nullptr; // where the next product's operations begin
    IRRewriter rewriter(loop.getContext());
    rewriter.setInsertionPoint(loop);
    auto next = [&](OpBuilder &, Location loc, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
      ImplicitLocOpBuilder b(loc, place);
      Value iv = arith::AddIOp::create(b, loop.getInductionVar(), loop.getStep());
      Value comes = arith::OrIOp::create(b, exists(b, iv), comesLater);
      Value begun = begin(b, loop.getYieldedValues()[turn], comes);
      first.getResult().replaceAllUsesWith(carried.front());
      ahead = iv.getDefiningOp();
      return {begun};
    };
    auto replaced = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, product, /*replaceInitOperandUsesInLoop=*/false, next));
    first.erase();
    await.erase();
    unsigned handedOn = replaced.getNumResults() - 1;
    if (early)
      replaced = postpone(add, replaced, ahead);
    return replaced.getResult(handedOn);
  }

private:
  /// Registers of a thread for a tile that is spread over all threads.
  static int64_t registersOf(Value tile) {
    auto type = cast<RankedTensorType>(tile.getType());
    return type.getNumElements() / (32 * cast<tile::FragmentAttr>(type.getEncoding()).getWarps());
  }

  /// What adds the third product to memory, in this iteration.
  tile::WriteFragmentsOp addition() {
    auto add = third->hasOneUse() ? dyn_cast<tile::WriteFragmentsOp>(*third->user_begin()) : tile::WriteFragmentsOp();
    return add && add.getAdd() && add->getBlock() == loop.getBody() ? add : tile::WriteFragmentsOp();
  }

  /// Accumulators of a thread, if the first product is begun before the third is done: the product, weights, the second product, the third, and sums.
  int64_t accumulators() {
    int64_t registers = 3 * registersOf(first.getResult()) + registersOf(third.getResult());
    for (Value carried : loop.getRegionIterArgs())
      if (isa<RankedTensorType>(carried.getType()))
        registers += registersOf(carried);
    return registers;
  }

  /// Where the iteration's own product is no longer needed, behind the first use of the second: null if registers or the ring do not hold what is under way then.
  Operation *earlyPlace(int64_t earlyRegisters) {
    if (accumulators() > earlyRegisters || await.getBarriers().getType().getStages() < 3)
      return nullptr;
    Operation *place = loop.getBody()->getTerminator();
    for (Operation *user : second->getUsers())
      if (Operation *here = loop.getBody()->findAncestorOpInBlock(*user); here->isBeforeInBlock(place))
        place = here;
    if (place == loop.getBody()->getTerminator())
      return nullptr;
    place = place->getNextNode(); // all that was under way is done
    while (isa<tile::ReduceOp>(place) || llvm::is_contained(first->getUsers(), place)) // a sum of products is one operation with them
      place = place->getNextNode();
    for (Operation *user : first->getUsers())
      if (user->getBlock() != loop.getBody() || (place->isBeforeInBlock(user) && (!isMemoryEffectFree(user) || user->getNumOperands() != 1)))
        return nullptr;
    for (Operation *user : first->getUsers())
      if (!user->isBeforeInBlock(place))
        user->moveBefore(place);
    return place;
  }

  /// Adds the third product in the next iteration, and the last one's behind the loop.
  scf::ForOp postpone(tile::WriteFragmentsOp add, scf::ForOp inside, Operation *place) {
    ImplicitLocOpBuilder b(add.getLoc(), inside);
    Value index = arith::ConstantIndexOp::create(b, 0);
    SmallVector<Value> none = {third.getAcc(), index, index, index}, next(add->getOperands().begin(), add->getOperands().end());
    next.erase(next.begin() + 1); // the view is the kernel's
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

  bool findOperands() {
    auto left = first.getA().getDefiningOp<tile::SlotOp>();
    Operation *before = first;
    while (before && !isa<tile::AwaitOp>(before))
      before = before->getPrevNode();
    await = dyn_cast_or_null<tile::AwaitOp>(before);
    auto carried = await ? dyn_cast<BlockArgument>(await.getTurn()) : BlockArgument();
    if (!first.getTranspose() || !left || left->getBlock() != loop.getBody() || !carried || carried.getOwner() != loop.getBody() || carried.getArgNumber() == 0)
      return false;
    turn = carried.getArgNumber() - loop.getNumInductionVars();
    BackwardSliceOptions options;
    options.inclusive = true;
    options.filter = [&](Operation *op) { return op->getBlock() == loop.getBody(); };
    if (failed(getBackwardSlice(left.getOperation(), &slots, options)))
      return false;
    // Of the iteration nothing but the turn, and the ring holds two tiles at a time.
    bool needsTurnAlone = llvm::all_of(slots, [&](Operation *op) {
      return isMemoryEffectFree(op) && llvm::all_of(op->getOperands(), [&](Value operand) {
               auto argument = dyn_cast<BlockArgument>(operand);
               return !argument || argument.getOwner() != loop.getBody() || argument == carried;
             });
    });
    auto isOutside = [&](Value value) { return value.getParentBlock() != loop.getBody(); };
    return needsTurnAlone && isOutside(first.getB()) && isOutside(first.getAcc()) && await.getBarriers().getType().getStages() > 1;
  }
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

  /// Whether `next` goes on with the ring where `candidate` leaves it.
  static bool leadsTo(Candidate &candidate, Candidate &next) {
    return candidate.loop->getBlock() == next.loop->getBlock() && candidate.first.getB() == next.first.getB() &&
           next.loop.getInitArgs()[next.turn] == candidate.loop.getResult(candidate.turn);
  }

  /// Loops that follow one another, whose bounds are known before the first.
  void advance(MutableArrayRef<Candidate> chain) {
    scf::ForOp first = chain.front().loop;
    ImplicitLocOpBuilder b(first.getLoc(), first);
    SmallVector<Value> comes; // whether a tile comes in a loop or behind it
    Value none = arith::ConstantIntOp::create(b, 0, 1);
    comes.push_back(none);
    for (Candidate &candidate : llvm::reverse(chain))
      comes.push_back(arith::OrIOp::create(b, candidate.exists(b, candidate.loop.getLowerBound()), comes.back()));
    Value product = chain.front().begin(b, first.getInitArgs()[chain.front().turn], comes.back());
    for (auto [number, candidate] : llvm::enumerate(chain))
      product = candidate.advance(product, comes[chain.size() - 1 - number], earlyRegisters);
  }

  void runOnOperation() override {
    SmallVector<Candidate, 0> candidates;
    getOperation()->walk([&](scf::ForOp loop) {
      if (auto candidate = Candidate::of(loop))
        candidates.push_back(*candidate);
    });
    for (size_t first = 0, next; first < candidates.size(); first = next) {
      for (next = first + 1; next < candidates.size(); ++next)
        if (!leadsTo(candidates[next - 1], candidates[next]) || !isKnownBefore(candidates[next].loop, candidates[first].loop))
          break;
      advance(MutableArrayRef(candidates).slice(first, next - first));
    }
  }
};

} // namespace
