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

  /// Block `b` of `blocks` takes program `round * blocks + b` in even rounds, and counts from the other end in odd ones: programs are numbered from the longest on, and so
  /// no block has the longest of every round.
  struct Rounds {
    Value blocks, block, mirrored;

    explicit Rounds(ImplicitLocOpBuilder &b)
        : blocks(gpu::GridDimOp::create(b, gpu::Dimension::x)), block(gpu::BlockIdOp::create(b, gpu::Dimension::x)),
          mirrored(arith::SubIOp::create(b, arith::SubIOp::create(b, blocks, constant(b, 1)), block)) {}

    static Value constant(ImplicitLocOpBuilder &b, int64_t value) { return arith::ConstantIndexOp::create(b, value); }

    Value place(ImplicitLocOpBuilder &b, Value round) const {
      Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, arith::RemUIOp::create(b, round, constant(b, 2)), constant(b, 0));
      return arith::SelectOp::create(b, isOdd, mirrored, block);
    }
    /// How many of `count` programs are this block's: the last round may not reach it.
    Value count(ImplicitLocOpBuilder &b, Value count) const {
      Value full = arith::DivUIOp::create(b, count, blocks), rest = arith::RemUIOp::create(b, count, blocks);
      Value isReached = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, place(b, full), rest);
      return arith::AddIOp::create(b, full, arith::SelectOp::create(b, isReached, constant(b, 1), constant(b, 0)));
    }
    Value program(ImplicitLocOpBuilder &b, Value round) const { return arith::AddIOp::create(b, arith::MulIOp::create(b, round, blocks), place(b, round)); }
  };

  /// Everything behind `program` becomes the body of a loop over the programs of this thread block.
  static void wrap(tile::ProgramOp program) {
    Block *body = program->getBlock();
    ImplicitLocOpBuilder b(program.getLoc(), program);
    Rounds rounds(b);
    auto loop = scf::ForOp::create(b, Rounds::constant(b, 0), rounds.count(b, program.getCount()), Rounds::constant(b, 1));
    loop.getBody()->getOperations().splice(loop.getBody()->begin(), body->getOperations(), std::next(program->getIterator()),
                                           body->getTerminator()->getIterator());
    b.setInsertionPointToStart(loop.getBody());
    program.replaceAllUsesWith(rounds.program(b, loop.getInductionVar()));
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
