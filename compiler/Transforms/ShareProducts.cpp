// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where warps have slices of a product's columns, what is reduced along them is handed around:
//
//     s = dot ...                    this warp's columns
//     write s -> slot;  barrier      the last readers are done: the block has a barrier before
//     all = read slot                everyone's columns, in every warp
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILESHAREPRODUCTS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

struct ShareProducts : landmark::impl::TileShareProductsBase<ShareProducts> {
  static LogicalResult share(tile::DotOp dot) {
    RankedTensorType type = dot.getType();
    int64_t rows = type.getDimSize(0);
    auto rowOrder = tile::SwizzleAttr::get(dot.getContext(), 0, 0, 0); // tile-assign-layouts chooses another
    auto buffer = tile::BufferType::getChecked([&] { return dot.emitOpError("cannot have its result in shared memory: "); }, dot.getContext(), int64_t(1),
                                               ArrayRef<int64_t>{rows, type.getNumElements() / rows}, type.getElementType(), rowOrder);
    if (!buffer)
      return failure();
    ImplicitLocOpBuilder b(dot.getLoc(), dot);
    bool isSeparated = llvm::any_of(dot->getBlock()->getOps<gpu::BarrierOp>(), [&](mlir::Operation *barrier) { return barrier->isBeforeInBlock(dot); });
    if (!isSeparated)
      gpu::BarrierOp::create(b);
    b.setInsertionPointAfter(dot);
    Value place = tile::AllocOp::create(b, buffer, IntegerAttr());
    auto slot = tile::SlotOp::create(b, tile::SlotType::get(b.getContext(), buffer), place, arith::ConstantIndexOp::create(b, 0));
    auto write = tile::WriteOp::create(b, dot.getResult(), slot.getResult());
    gpu::BarrierOp::create(b);
    auto all = tile::ReadOp::create(b, type, slot.getResult());
    dot.getResult().replaceAllUsesExcept(all.getResult(), write);
    return success();
  }

  void runOnOperation() override {
    SmallVector<tile::DotOp> dots;
    getOperation()->walk([&](tile::DotOp dot) {
      if (dot.getTranspose())
        dots.push_back(dot);
    });
    for (tile::DotOp dot : dots)
      if (failed(share(dot)))
        return signalPassFailure();
  }
};

} // namespace
