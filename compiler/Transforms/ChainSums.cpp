// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace landmark {
#define GEN_PASS_DEF_TILECHAINSUMS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Powers whose exponents are logits scaled and moved in one, some of them left out perhaps. Where a maximum was subtracted before there is more to do for each.
bool arePowersOfLogits(Value values) {
  if (auto seen = values.getDefiningOp<arith::SelectOp>())
    values = seen.getTrueValue();
  auto power = values.getDefiningOp<math::Exp2Op>();
  return power && power.getOperand().getDefiningOp<math::FmaOp>();
}

struct ChainSums : landmark::impl::TileChainSumsBase<ChainSums> {
  void runOnOperation() override {
    getOperation()->walk([](tile::ReduceOp op) {
      if (op.getKind() == tile::ReductionKind::Sum && arePowersOfLogits(op.getSource()))
        op.setInOrder(true);
    });
  }
};

} // namespace
