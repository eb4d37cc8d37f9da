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

  /// Programs `begin` to `end` - 1 of this thread block. 32 bits count them: the assembler keeps no counter of a loop in uniform registers whose bounds it divided in 64.
  struct Share {
    Value begin, end, one;

    Share(ImplicitLocOpBuilder &b, Value all, int64_t programs) : one(constant(b, 1)) {
      Value count = narrow(b, all), several = constant(b, programs);
      Value blocks = narrow(b, gpu::GridDimOp::create(b, gpu::Dimension::x)), block = narrow(b, gpu::BlockIdOp::create(b, gpu::Dimension::x));
      // Of the blocks, so many run several: each brings programs - 1 more than there are blocks.
      Value full = arith::CeilDivSIOp::create(b, arith::SubIOp::create(b, count, blocks), constant(b, programs - 1));
      Value isFull = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, block, full);
      Value before = arith::MulIOp::create(b, arith::MinSIOp::create(b, block, full), several);
      Value singles = arith::MaxSIOp::create(b, arith::SubIOp::create(b, block, full), constant(b, 0));
      begin = arith::AddIOp::create(b, before, singles);
      end = arith::MinSIOp::create(b, arith::AddIOp::create(b, begin, arith::SelectOp::create(b, isFull, several, one)), count);
    }

    static Value constant(ImplicitLocOpBuilder &b, int64_t value) { return arith::ConstantIntOp::create(b, value, 32); }
    static Value narrow(ImplicitLocOpBuilder &b, Value number) { return arith::IndexCastOp::create(b, b.getI32Type(), number); }
  };

  /// Everything behind `program` becomes the body of a loop over the programs of this thread block.
  void wrap(tile::ProgramOp program) {
    Block *body = program->getBlock();
    ImplicitLocOpBuilder b(program.getLoc(), program);
    Share share(b, program.getCount(), programs);
    auto loop = scf::ForOp::create(b, share.begin, share.end, share.one);
    loop.getBody()->getOperations().splice(loop.getBody()->begin(), body->getOperations(), std::next(program->getIterator()),
                                           body->getTerminator()->getIterator());
    b.setInsertionPointToStart(loop.getBody());
    program.replaceAllUsesWith(arith::IndexCastOp::create(b, b.getIndexType(), loop.getInductionVar()).getResult());
    program.erase();
  }

  void runOnOperation() override {
    if (programs < 1) {
      getOperation()->emitError("tile-loop-programs takes 1 program of a thread block or more");
      return signalPassFailure();
    }
    WalkResult result = getOperation()->walk([&](gpu::GPUFuncOp kernel) -> WalkResult {
      SmallVector<tile::ProgramOp> questions;
      kernel.walk([&](tile::ProgramOp op) { questions.push_back(op); });
      for (tile::ProgramOp op : questions) {
        if (programs == 1) {
          OpBuilder builder(op);
          op.replaceAllUsesWith(gpu::BlockIdOp::create(builder, op.getLoc(), gpu::Dimension::x).getResult());
          op.erase();
        } else if (questions.size() > 1 || op->getParentOp() != kernel) {
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
