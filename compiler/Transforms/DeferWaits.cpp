// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product by wgmma is begun where it stands and waited for where its result is first used:
//
//     S = begin Q K;   A = begin dO V;   wait for S;   work on S;   wait for A;   work on both
//
// What gives an operand back stands behind the wait, too.
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace landmark {
#define GEN_PASS_DEF_TILEDEFERWAITS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

bool isBegun(Operation &op) {
  auto dot = dyn_cast<tile::DotOp>(op);
  return dot && dot.getAsync();
}

/// What needs the product, in its block: its first use, or the block's end.
Operation *firstUse(tile::DotOp dot) {
  Block *block = dot->getBlock();
  Operation *first = block->getTerminator();
  for (Operation *user : dot->getUsers())
    if (Operation *here = block->findAncestorOpInBlock(*user); here && here->isBeforeInBlock(first))
      first = here;
  return first;
}

struct DeferWaits : landmark::impl::TileDeferWaitsBase<DeferWaits> {
  static void defer(tile::DotOp dot) {
    Operation *use = firstUse(dot);
    SmallVector<Operation *> releases;
    int64_t pending = 0;
    for (Operation *op = dot->getNextNode(); op != use; op = op->getNextNode()) {
      pending += isBegun(*op);
      if (isa<tile::ReleaseOp>(op))
        releases.push_back(op);
    }
    dot.setAsync(true);
    OpBuilder builder(use);
    auto wait = tile::DotWaitOp::create(builder, dot.getLoc(), dot.getResult(), pending);
    dot.getResult().replaceAllUsesExcept(wait.getResult(), wait);
    for (Operation *release : releases)
      release->moveBefore(use);
  }

  void runOnOperation() override {
    SmallVector<tile::DotOp> dots;
    getOperation()->walk([&](tile::DotOp dot) {
      if (dot.getUnit() == tile::MatrixUnit::Wgmma && !dot.getAsync() && isa<scf::ForOp>(dot->getParentOp()))
        dots.push_back(dot);
    });
    // From the last one on: those begun behind a product are known when its wait counts them.
    for (tile::DotOp dot : llvm::reverse(dots))
      defer(dot);
  }
};

} // namespace
