// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/BegunProducts.h"
#include "compiler/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILEKEEPLEADS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

struct KeepLeads : landmark::impl::TileKeepLeadsBase<KeepLeads> {
  using Base::Base;

  /// Whether a product of the loop finds the same left operand in shared memory in every iteration, of more columns than are kept.
  bool keepsFor(tile::DotOp dot, scf::ForOp loop) {
    auto slot = dyn_cast<tile::SlotType>(dot.getA().getType());
    auto layout = dyn_cast_if_present<tile::FragmentAttr>(dot.getResult().getType().getEncoding());
    bool isWhole = layout && layout.getSplit() == 1 && !layout.isSliced();
    return slot && isWhole && dot.getTranspose() && !dot.getLead() && slot.getBuffer().getColumns() > columns && loop.isDefinedOutsideOfLoop(dot.getA());
  }

  void keepFor(tile::DotOp dot, scf::ForOp loop) {
    ImplicitLocOpBuilder b(dot.getLoc(), loop);
    tile::BufferType buffer = cast<tile::SlotType>(dot.getA().getType()).getBuffer();
    auto layout = cast<tile::FragmentAttr>(dot.getResult().getType().getEncoding());
    auto encoding = tile::FragmentAttr::get(&getContext(), ArrayRef<tile::Role>{tile::Role::Row, tile::Role::Column}, layout.getWarps(), /*split=*/1, /*dealt=*/false, /*first=*/0);
    auto type = RankedTensorType::get({buffer.getRows(), columns}, buffer.getElementType(), encoding);
    dot.getLeadMutable().assign(tile::ReadOp::create(b, type, dot.getA()));
  }

  void runOnOperation() override {
    getOperation()->walk([&](scf::ForOp loop) {
      for (Operation &op : *loop.getBody())
        if (auto dot = dyn_cast<tile::DotOp>(op); dot && isBegun(op) && keepsFor(dot, loop))
          keepFor(dot, loop);
    });
  }
};

} // namespace
