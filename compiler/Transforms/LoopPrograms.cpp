// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILELOOPPROGRAMS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

struct LoopPrograms : landmark::impl::TileLoopProgramsBase<LoopPrograms> {
  using Base::Base;

  /// Thread block `b` of `blocks` takes the programs k = b, b + blocks, .. of the first half, each followed by its mirror image count - 1 - k. Programs are numbered from the
  /// longest on, so such pairs are equally long.
  struct Pairs {
    Value count, blocks, block;

    Pairs(ImplicitLocOpBuilder &b, Value count)
        : count(count), blocks(gpu::GridDimOp::create(b, gpu::Dimension::x)), block(gpu::BlockIdOp::create(b, gpu::Dimension::x)) {}

    static Value constant(ImplicitLocOpBuilder &b, int64_t value) { return arith::ConstantIndexOp::create(b, value); }

    /// Programs of this block: two a pair, and perhaps the one in the middle of all.
    Value mine(ImplicitLocOpBuilder &b) const {
      Value two = constant(b, 2), pairs = arith::DivUIOp::create(b, count, two), isOdd = arith::RemUIOp::create(b, count, two);
      Value rounds = arith::DivUIOp::create(b, pairs, blocks), rest = arith::RemUIOp::create(b, pairs, blocks);
      Value isReached = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, block, rest);
      Value whole = arith::MulIOp::create(b, two, arith::AddIOp::create(b, rounds, arith::SelectOp::create(b, isReached, constant(b, 1), constant(b, 0))));
      Value hasMiddle = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, block, rest);
      return arith::AddIOp::create(b, whole, arith::SelectOp::create(b, hasMiddle, isOdd, constant(b, 0)));
    }
    Value program(ImplicitLocOpBuilder &b, Value number) const {
      Value two = constant(b, 2), pair = arith::DivUIOp::create(b, number, two), isMirror = arith::RemUIOp::create(b, number, two);
      Value first = arith::AddIOp::create(b, arith::MulIOp::create(b, pair, blocks), block);
      Value mirror = arith::SubIOp::create(b, arith::SubIOp::create(b, count, constant(b, 1)), first);
      return arith::SelectOp::create(b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, isMirror, constant(b, 0)), first, mirror);
    }
  };

  /// Everything behind `program` becomes the body of a loop over the programs of this thread block.
  static void wrap(tile::ProgramOp program) {
    Block *body = program->getBlock();
    ImplicitLocOpBuilder b(program.getLoc(), program);
    Pairs pairs(b, program.getCount());
    auto loop = scf::ForOp::create(b, Pairs::constant(b, 0), pairs.mine(b), Pairs::constant(b, 1));
    loop.getBody()->getOperations().splice(loop.getBody()->begin(), body->getOperations(), std::next(program->getIterator()),
                                           body->getTerminator()->getIterator());
    b.setInsertionPointToStart(loop.getBody());
    program.replaceAllUsesWith(pairs.program(b, loop.getInductionVar()));
    program.erase();
  }

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([&](gpu::GPUFuncOp kernel) -> WalkResult {
      SmallVector<tile::ProgramOp> programs;
      kernel.walk([&](tile::ProgramOp op) { programs.push_back(op); });
      for (tile::ProgramOp op : programs) {
        if (!persistent) {
          OpBuilder builder(op);
          op.replaceAllUsesWith(gpu::BlockIdOp::create(builder, op.getLoc(), gpu::Dimension::x).getResult());
          op.erase();
        } else if (programs.size() > 1 || op->getParentOp() != kernel) {
          return op.emitOpError("must stand alone in the kernel, outside of loops, to be looped over");
        } else {
          wrap(op);
        }
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
