// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is scaled by one number a row and block, then rounded to 16 bits, is rounded first:
//
//     round(e * f)    becomes    round(e) * round(f)
//
// where a branch hands `e` on, as it does in the interior, which rounds it where it computes it.
//
// A register holds two numbers of 16 bits, which one instruction multiplies, so that half of the multiplications are left; and what a thread keeps until the product that
// reads the registers before is done takes half of them. It is rounded three times in place of once, which leaves an error within what SPEC C7 allows (docs/rationale.md).
// Edges are left alone: a row whose own block weighs most would have that weight's error in all of its terms, and a single such row twice the error that C7 allows.
#include "compiler/Transforms/FewBlocks.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/ControlFlowSinkUtils.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace landmark {
#define GEN_PASS_DEF_TILEROUNDEARLY
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Whether all columns of a row and block have one number.
bool isOneNumberARow(Value factor) {
  auto broadcast = factor.getDefiningOp<tile::BroadcastOp>();
  return broadcast && !llvm::is_contained(broadcast.getDims(), broadcast.getResult().getType().getRank() - 1);
}

bool narrows(tile::CastOp op) {
  return op.getResult().getType().getElementTypeBitWidth() == 16 && op.getSource().getType().getElementType().isF32();
}

/// The product that is narrowed, of what a branch hands on and one number a row and block; null if it is none, or needed in 32 bits besides.
arith::MulFOp scaledByRow(tile::CastOp op) {
  auto scaled = op.getSource().getDefiningOp<arith::MulFOp>();
  bool fits = scaled && narrows(op) && scaled->hasOneUse() && isOneNumberARow(scaled.getRhs()) && scaled.getLhs().getDefiningOp<scf::IfOp>();
  return fits ? scaled : arith::MulFOp();
}

/// Lets both branches hand on another value of another type as one of their results: what `make` makes of the one that they hand on.
void changeResult(PatternRewriter &rewriter, OpResult result, Type type, llvm::function_ref<Value(scf::YieldOp, Value)> make) {
  auto branch = cast<scf::IfOp>(result.getOwner());
  for (scf::YieldOp yield : {branch.thenYield(), branch.elseYield()}) {
    Value made = make(yield, yield.getOperand(result.getResultNumber()));
    rewriter.modifyOpInPlace(yield, [&] { yield.setOperand(result.getResultNumber(), made); });
  }
  rewriter.modifyOpInPlace(branch, [&] { result.setType(type); });
}

struct RoundBeforeScaling : OpRewritePattern<tile::CastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tile::CastOp op, PatternRewriter &rewriter) const override {
    arith::MulFOp scaled = scaledByRow(op);
    if (!scaled)
      return failure();
    auto round = [&](Value tile) -> Value { return tile::CastOp::create(rewriter, op.getLoc(), op.getResult().getType(), tile); };
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, round(scaled.getLhs()), round(scaled.getRhs()));
    rewriter.eraseOp(scaled);
    return success();
  }
};

/// What a branch's other side may multiply in 32 bits is rounded on the side that hands it on, for not both to be kept.
struct RoundInBranches : OpRewritePattern<tile::CastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tile::CastOp op, PatternRewriter &rewriter) const override {
    auto branch = op.getSource().getDefiningOp<scf::IfOp>();
    if (!branch || !narrows(op) || !op.getSource().hasOneUse())
      return failure();
    auto result = cast<OpResult>(op.getSource());
    changeResult(rewriter, result, op.getResult().getType(), [&](scf::YieldOp yield, Value value) -> Value {
      bool isKept = !branch->isAncestor(value.getParentBlock()->getParentOp()) && llvm::any_of(value.getUsers(), [&](Operation *user) {
        return user != yield && branch->isProperAncestor(user);
      });
      if (isKept)
        rewriter.setInsertionPoint(yield);
      else
        rewriter.setInsertionPointAfterValue(value);
      return tile::CastOp::create(rewriter, op.getLoc(), op.getResult().getType(), value);
    });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// A row's number that a branch hands on is spread over columns where it is known: the lanes of a quad exchange it beside what the branch is decided by. Of many blocks there are too many
/// numbers to keep meanwhile.
struct SpreadInBranches : OpRewritePattern<tile::CastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tile::CastOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getSource().getDefiningOp<tile::BroadcastOp>();
    auto branch = broadcast ? broadcast.getSource().getDefiningOp<scf::IfOp>() : scf::IfOp();
    bool isFew = branch && broadcast.getSource().getType().getShape().back() <= fewBlocks;
    if (!isFew || !narrows(op) || !broadcast->hasOneUse() || !broadcast.getSource().hasOneUse())
      return failure();
    auto result = cast<OpResult>(broadcast.getSource());
    changeResult(rewriter, result, op.getResult().getType(), [&](scf::YieldOp, Value value) -> Value {
      rewriter.setInsertionPointAfterValue(value);
      Value spread = tile::BroadcastOp::create(rewriter, op.getLoc(), broadcast.getType(), value, broadcast.getDims());
      return tile::CastOp::create(rewriter, op.getLoc(), op.getResult().getType(), spread);
    });
    rewriter.replaceOp(op, result);
    rewriter.eraseOp(broadcast);
    return success();
  }
};

struct RoundEarly : landmark::impl::TileRoundEarlyBase<RoundEarly> {
  using Base::Base;

  void runOnOperation() override {
    apply<RoundBeforeScaling>();
    apply<RoundInBranches>(); // what the first ones left to round
    apply<SpreadInBranches>();
    getOperation()->walk(sinkQuestions);
  }

  /// What only one of the branches asks, once float16 does not hold what the other one takes, is not asked in front of both.
  static void sinkQuestions(scf::IfOp branch) {
    DominanceInfo dominance(branch->getParentOp());
    controlFlowSink(branch->getRegions(), dominance,
                    [](Operation *op, Region *) { return isa<tile::AllOp, arith::CmpFOp, arith::MaxNumFOp>(op); },
                    [](Operation *op, Region *region) { op->moveBefore(&region->front(), region->front().begin()); });
  }

  template <typename Pattern> void apply() {
    RewritePatternSet patterns(&getContext());
    patterns.add<Pattern>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
