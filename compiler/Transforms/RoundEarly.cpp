// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is scaled by one number a row and block, then rounded to 16 bits, is rounded first:
//
//     round(e * f)    becomes    round(e) * round(f)
//
// A register holds two numbers of 16 bits, which one instruction multiplies, so that half of the multiplications are left; and what a thread keeps until the product that
// reads the registers before is done takes half of them. It is rounded three times in place of once, which leaves an error within what SPEC C7 allows (docs/rationale.md).
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
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

struct RoundBeforeScaling : OpRewritePattern<tile::CastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tile::CastOp cast, PatternRewriter &rewriter) const override {
    auto scaled = cast.getSource().getDefiningOp<arith::MulFOp>();
    bool narrows = cast.getResult().getType().getElementTypeBitWidth() == 16 && cast.getSource().getType().getElementType().isF32();
    if (!scaled || !narrows || !scaled->hasOneUse() || !isOneNumberARow(scaled.getRhs()))
      return failure();
    auto round = [&](Value tile) -> Value { return tile::CastOp::create(rewriter, cast.getLoc(), cast.getResult().getType(), tile); };
    rewriter.replaceOpWithNewOp<arith::MulFOp>(cast, round(scaled.getLhs()), round(scaled.getRhs()));
    return success();
  }
};

struct RoundEarly : landmark::impl::TileRoundEarlyBase<RoundEarly> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RoundBeforeScaling>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
