// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace landmark {
#define GEN_PASS_DEF_TILESTAGGEREXPONENTIALS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

constexpr int64_t parts = 2;
/// Of fewer columns the exponents are computed soon enough (D=256, 64 columns: 1% slower in parts).
constexpr int64_t fewestColumns = 96;

/// Whether a product is under way while these logits, another one's result, are worked on.
bool hasProductBeside(Value logits) {
  auto wait = logits.getDefiningOp<tile::DotWaitOp>();
  return wait && wait.getPending() > 0;
}

struct StaggerExponentialsOf : OpRewritePattern<math::Exp2Op> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::Exp2Op op, PatternRewriter &rewriter) const override {
    auto exponents = op.getOperand().getDefiningOp<math::FmaOp>();
    if (!exponents || !exponents->hasOneUse() || !hasProductBeside(exponents.getA()))
      return failure();
    auto factor = exponents.getB().getDefiningOp<tensor::SplatOp>();
    auto rows = exponents.getC().getDefiningOp<tile::BroadcastOp>();
    if (!factor || !rows || rows.getDims() != ArrayRef<int64_t>{0})
      return failure();
    auto type = cast<RankedTensorType>(op.getType());
    int64_t columns = type.getNumElements() / type.getDimSize(0);
    if (columns < fewestColumns || columns % (8 * parts) != 0)
      return failure();
    rewriter.replaceOpWithNewOp<tile::StaggeredExp2Op>(op, type, exponents.getA(), factor.getInput(), rows.getSource(), parts);
    return success();
  }
};

struct StaggerExponentials : landmark::impl::TileStaggerExponentialsBase<StaggerExponentials> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<StaggerExponentialsOf>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
