// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

namespace landmark {
#define GEN_PASS_DEF_TILEINSERTFENCES
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

struct InsertFences : landmark::impl::TileInsertFencesBase<InsertFences> {
  void runOnOperation() override {
    getOperation()->walk([](gpu::GPUFuncOp kernel) {
      WalkResult search = kernel.walk(
          [](tile::DotOp dot) { return dot.getUnit() == tile::MatrixUnit::Wgmma ? WalkResult::interrupt() : WalkResult::advance(); });
      if (!search.wasInterrupted())
        return;
      kernel.walk([](tile::WaitOp wait) {
        OpBuilder builder(wait);
        builder.setInsertionPointAfter(wait);
        tile::FenceOp::create(builder, wait.getLoc());
      });
    });
  }
};

} // namespace
