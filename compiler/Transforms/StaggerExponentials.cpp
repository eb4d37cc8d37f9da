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

/// Of fewer columns the exponents are computed soon enough (D=256, 64 columns: 1% slower in parts).
constexpr int64_t fewestColumns = 96;

/// Whether a product is under way while these logits, another one's result, are worked on.
bool hasProductBeside(Value logits) {
  auto wait = logits.getDefiningOp<tile::DotWaitOp>();
  return wait && wait.getPending() > 0;
}

/// As many parts as divide the columns into eights, `most` or half of them again and again.
int64_t partsOf(int64_t columns, int64_t most) {
  while (most > 1 && columns % (8 * most) != 0)
    most /= 2;
  return most;
}

struct StaggerExponentialsOf : OpRewritePattern<math::Exp2Op> {
  StaggerExponentialsOf(MLIRContext *context, int64_t parts) : OpRewritePattern(context), parts(parts) {}

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
    int64_t cuts = partsOf(columns, parts);
    if (columns < fewestColumns || cuts < 2)
      return failure();
    rewriter.replaceOpWithNewOp<tile::StaggeredExp2Op>(op, type, exponents.getA(), factor.getInput(), rows.getSource(), cuts);
    return success();
  }

  int64_t parts;
};

struct StaggerExponentials : landmark::impl::TileStaggerExponentialsBase<StaggerExponentials> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<StaggerExponentialsOf>(&getContext(), parts);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
