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

/// Behind what a fence stands: copies that are there, and the barrier that hands a write on, if no other write comes before it. In front of the barrier all would wait for the fences of
/// all, where the fence of who reads does as well (PTX ISA, "proxy-preserved base causality order": it has to lie on the way from a write to a read).
Operation *placeOfFence(Operation *op) {
  if (isa<tile::WaitOp>(op))
    return op;
  if (!isa<tile::WriteOp>(op))
    return nullptr;
  for (Operation *next = op->getNextNode(); next; next = next->getNextNode()) {
    if (isa<tile::WriteOp>(next))
      return nullptr;
    if (isa<tile::BarrierOp, gpu::BarrierOp>(next))
      return next;
  }
  return op;
}

struct InsertFences : landmark::impl::TileInsertFencesBase<InsertFences> {
  void runOnOperation() override {
    getOperation()->walk([](gpu::GPUFuncOp kernel) {
      WalkResult search = kernel.walk(
          [](tile::DotOp dot) { return dot.getUnit() == tile::MatrixUnit::Wgmma ? WalkResult::interrupt() : WalkResult::advance(); });
      if (!search.wasInterrupted())
        return;
      kernel.walk([](Operation *op) {
        Operation *place = placeOfFence(op);
        if (!place)
          return;
        OpBuilder builder(op->getContext());
        builder.setInsertionPointAfter(place);
        tile::FenceOp::create(builder, op->getLoc());
      });
    });
  }
};

} // namespace
