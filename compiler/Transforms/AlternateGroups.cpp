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
    getOperation()->walk([&](gpu::GPUFuncOp kernel) {
      Operation *consumers = nullptr; // the branch of the warps that compute
      kernel.walk([&](scf::ForOp loop) {
        SmallVector<tile::DotOp> begun;
        for (tile::DotOp dot : loop.getBody()->getOps<tile::DotOp>())
          if (dot.getAsync())
            begun.push_back(dot);
        if (begun.size() < 2)
          return;
        takeTurns(begun.front(), begun.back(), groups);
        consumers = kernel.getBody().front().findAncestorOpInBlock(*loop);
      });
      if (auto branch = dyn_cast_or_null<scf::IfOp>(consumers)) {
        OpBuilder builder = OpBuilder::atBlockBegin(branch.elseBlock());
        tile::FirstTurnOp::create(builder, branch.getLoc(), groups);
      }
    });
  }
};

} // namespace
