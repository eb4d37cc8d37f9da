// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a rotated loop (tile-overlap-products) ends with the multiplication that makes the next iteration's weights,
//
//     for i, p:         begin first(i);   begin second(p);   wait for first(i);   ...   p' = e * f
//
// that stands behind the begin of the next first product instead, which runs meanwhile:
//
//     for i, e', f':    begin first(i);   p = e' * f';   begin second(p);   wait for first(i);   ...   e, f
//     p = e * f
//
// The first iteration multiplies the weights that it is given by 1.
#include "compiler/Transforms/BegunProducts.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace landmark {
#define GEN_PASS_DEF_TILESCALELATE
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// A carried value that the loop multiplies two tiles for, and that nothing reads but a begun product.
struct LateProduct {
  unsigned number; ///< among the carried values
  arith::MulFOp scaling;
  tile::DotOp reader;
  int64_t begun; ///< products in front of it in an iteration

  static std::optional<LateProduct> of(scf::ForOp loop) {
    for (auto [number, yielded] : llvm::enumerate(loop.getYieldedValues())) {
      auto scaling = yielded.getDefiningOp<arith::MulFOp>();
      BlockArgument argument = loop.getRegionIterArg(number);
      if (!scaling || !scaling->hasOneUse() || scaling->getBlock() != loop.getBody() || !isa<RankedTensorType>(scaling.getType()) || !argument.hasOneUse())
        continue;
      auto reader = dyn_cast<tile::DotOp>(*argument.user_begin());
      if (!reader || !isBegun(*reader) || reader->getBlock() != loop.getBody() || reader.getA() != argument)
        continue;
      // In front of the iteration's first product nothing would run meanwhile.
      if (int64_t begun = llvm::count_if(llvm::make_range(loop.getBody()->begin(), reader->getIterator()), isBegun))
        return LateProduct{static_cast<unsigned>(number), scaling, reader, begun};
    }
    return std::nullopt;
  }

  void move(scf::ForOp loop) {
    IRRewriter rewriter(loop.getContext());
    ImplicitLocOpBuilder b(scaling.getLoc(), loop);
    auto type = cast<RankedTensorType>(scaling.getType());
    Value one = arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getFloatAttr(type.getElementType(), 1.0)));
    Value factor = scaling.getRhs();
    rewriter.setInsertionPoint(loop);
    auto yieldFactor = [&](OpBuilder &, Location, ArrayRef<BlockArgument>) { return SmallVector<Value>{factor}; };
    loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, one, /*replaceInitOperandUsesInLoop=*/false, yieldFactor));

    auto pin = scaling.getLhs().getDefiningOp<tile::DotWaitOp>(); // nothing is made of the weights before it
    loop.getBody()->getTerminator()->setOperand(number, pin ? pin.getProduct() : scaling.getLhs());
    scaling.erase();
    if (pin)
      pin.erase();
    // It is pinned where it stands now, or LLVM would multiply once for the loop and what follows it, in front of the first product.
    auto scale = [&](Value weights, Value factors, int64_t pending) {
      auto pinned = tile::DotWaitOp::create(b, weights, pending);
      return std::pair(pinned, arith::MulFOp::create(b, pinned, factors).getResult());
    };
    b.setInsertionPoint(reader);
    reader.getAMutable().assign(scale(loop.getRegionIterArg(number), loop.getRegionIterArgs().back(), /*pending=*/begun).second);
    b.setInsertionPointAfter(loop);
    Value left = loop.getResult(number);
    auto [pinned, last] = scale(left, loop.getResults().back(), /*pending=*/0);
    left.replaceAllUsesExcept(last, pinned);
  }
};

struct ScaleLate : landmark::impl::TileScaleLateBase<ScaleLate> {
  void runOnOperation() override {
    getOperation()->walk([](scf::ForOp loop) {
      if (auto late = LateProduct::of(loop))
        late->move(loop);
    });
  }
};

} // namespace
