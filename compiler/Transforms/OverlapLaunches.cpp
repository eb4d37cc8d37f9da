// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

namespace landmark {
#define GEN_PASS_DEF_TILEOVERLAPLAUNCHES
#include "compiler/Transforms/Passes.h.inc"

namespace {

struct OverlapLaunches : impl::TileOverlapLaunchesBase<OverlapLaunches> {
  using Base::Base;

  void runOnOperation() override {
    if (available)
      return;
    getOperation()->walk([](tile::GridWaitOp wait) { wait.erase(); });
  }
};

} // namespace
} // namespace landmark
