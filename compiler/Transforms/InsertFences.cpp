// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace landmark {
#define GEN_PASS_DEF_TILEINSERTFENCES
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Whether no other write comes before the barrier that hands this one on.
bool isLastWrite(Operation *write) {
  for (Operation *next = write->getNextNode(); next && !isa<tile::BarrierOp, gpu::BarrierOp>(next); next = next->getNextNode())
    if (isa<tile::WriteOp>(next))
      return false;
  return true;
}

struct InsertFences : landmark::impl::TileInsertFencesBase<InsertFences> {
  void runOnOperation() override {
    getOperation()->walk([](gpu::GPUFuncOp kernel) {
      WalkResult search = kernel.walk(
          [](tile::DotOp dot) { return dot.getUnit() == tile::MatrixUnit::Wgmma ? WalkResult::interrupt() : WalkResult::advance(); });
      if (!search.wasInterrupted())
        return;
      kernel.walk([](Operation *op) {
        if (!isa<tile::WaitOp>(op) && !(isa<tile::WriteOp>(op) && isLastWrite(op)))
          return;
        OpBuilder builder(op);
        builder.setInsertionPointAfter(op);
        tile::FenceOp::create(builder, op->getLoc());
      });
    });
  }
};

} // namespace
