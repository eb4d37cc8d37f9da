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

  /// Everything behind `program` becomes the body of a loop over the programs of this thread block. 32 bits count them: the assembler keeps no counter of a loop in uniform
  /// registers whose bounds it divided in 64.
  void wrap(tile::ProgramOp program) {
    Block *body = program->getBlock();
    ImplicitLocOpBuilder b(program.getLoc(), program);
    auto constant = [&](int64_t value) -> Value { return arith::ConstantIntOp::create(b, value, 32); };
    Value block = arith::IndexCastOp::create(b, b.getI32Type(), gpu::BlockIdOp::create(b, gpu::Dimension::x));
    Value count = arith::IndexCastOp::create(b, b.getI32Type(), program.getCount());
    Value begin = arith::MulIOp::create(b, block, constant(programs));
    Value end = arith::MinSIOp::create(b, arith::AddIOp::create(b, begin, constant(programs)), count);
    auto loop = scf::ForOp::create(b, begin, end, constant(1));
    loop.getBody()->getOperations().splice(loop.getBody()->begin(), body->getOperations(), std::next(program->getIterator()),
                                           body->getTerminator()->getIterator());
    b.setInsertionPointToStart(loop.getBody());
    program.replaceAllUsesWith(arith::IndexCastOp::create(b, b.getIndexType(), loop.getInductionVar()).getResult());
    program.erase();
  }

  void runOnOperation() override {
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
