// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace landmark {
#define GEN_PASS_DEF_TILEALTERNATEGROUPS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

struct AlternateGroups : landmark::impl::TileAlternateGroupsBase<AlternateGroups> {
  using Base::Base;

  /// A turn around what begins products.
  static void takeTurns(tile::DotOp first, tile::DotOp last, int64_t groups) {
    OpBuilder builder(first);
    tile::BeginTurnOp::create(builder, first.getLoc(), groups);
    builder.setInsertionPointAfter(last);
    tile::EndTurnOp::create(builder, last.getLoc(), groups);
  }

  void runOnOperation() override {
    int64_t groups = warps / 4;
    if (groups < 2)
      return;
    WalkResult result = getOperation()->walk([&](gpu::GPUFuncOp kernel) -> WalkResult {
      scf::IfOp roles; // the producer's branch, and that of the warps that compute
      WalkResult search = kernel.walk([&](scf::ForOp loop) -> WalkResult {
        SmallVector<tile::DotOp> begun;
        for (tile::DotOp dot : loop.getBody()->getOps<tile::DotOp>())
          if (dot.getAsync())
            begun.push_back(dot);
        if (begun.size() < 2)
          return WalkResult::advance();
        roles = dyn_cast<scf::IfOp>(kernel.getBody().front().findAncestorOpInBlock(*loop));
        // Elsewhere the first turn would be given by warps that take none.
        if (!roles || !roles.getElseRegion().isAncestor(loop->getParentRegion()))
          return loop.emitOpError("is not in the consumers' branch of the kernel; run tile-specialize-warps");
        takeTurns(begun.front(), begun.back(), groups);
        return WalkResult::advance();
      });
      if (roles && !search.wasInterrupted()) {
        OpBuilder builder = OpBuilder::atBlockBegin(roles.elseBlock());
        tile::FirstTurnOp::create(builder, roles.getLoc(), groups);
      }
      return search;
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
