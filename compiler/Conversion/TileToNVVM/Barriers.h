// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_CONVERSION_TILETONVVM_BARRIERS_H
#define LANDMARK_COMPILER_CONVERSION_TILETONVVM_BARRIERS_H

#include "compiler/Conversion/TileToNVVM/Lowering.h"

namespace landmark {

enum class Barrier { Full, Empty };

/// The barriers of a ring at a turn: those of its stage, in an even or an odd phase of it.
class TurnBarriers {
public:
  TurnBarriers(ThreadBuilder &b, mlir::Value barriers, mlir::Value turn, int64_t stages)
      : barriers(barriers), stage(b.remainder(turn, stages)), parity(b.bitAnd(b.divide(turn, stages), b.i32(1))) {}

  static mlir::Value at(ThreadBuilder &b, mlir::Value barriers, mlir::Value stage, Barrier which) {
    mlir::Value bytes = b.shiftLeft(stage, 4);
    return b.sharedOffset(barriers, which == Barrier::Full ? bytes : b.add(bytes, b.i32(8)));
  }
  mlir::Value at(ThreadBuilder &b, Barrier which) { return at(b, barriers, stage, which); }

  /// Threads sleep meanwhile, for so many nanoseconds before they look again.
  void wait(ThreadBuilder &b, Barrier which) {
    // Empty to begin with: the phase before the first counts as over.
    mlir::Value phase = which == Barrier::Full ? parity : b.bitXor(parity, b.i32(1));
    mlir::NVVM::MBarrierTryWaitParityOp::create(b, at(b, which), phase, b.i32(10'000'000));
  }

  /// Whether the stage is full, without a wait.
  mlir::Value isFull(ThreadBuilder &b) {
    return mlir::NVVM::MBarrierTestWaitOp::create(b, b.getI1Type(), at(b, Barrier::Full), parity, mlir::NVVM::MemScopeKind::CTA, false);
  }

  /// Of this warp. Without a branch: behind one that lanes take differently the assembler keeps nothing in uniform registers, and a loop over programs computes every
  /// descriptor in those of the threads.
  void arrive(ThreadBuilder &b, Barrier which) {
    arrive(b, which, "{ .reg .pred first; setp.eq.u32 first, $0, 0; @first mbarrier.arrive.shared::cta.b64 _, [$1]; }", {b.lane()});
  }
  /// Of each of its lanes.
  void arriveEach(ThreadBuilder &b, Barrier which) { arrive(b, which, "mbarrier.arrive.shared::cta.b64 _, [$0];", {}); }

private:
  void arrive(ThreadBuilder &b, Barrier which, llvm::StringRef text, mlir::ValueRange others) {
    llvm::SmallVector<mlir::Value> operands(others);
    operands.push_back(mlir::LLVM::PtrToIntOp::create(b, b.getI32Type(), at(b, which)));
    mlir::LLVM::InlineAsmOp::create(b, mlir::TypeRange(), operands, text, others.empty() ? "r,~{memory}" : "r,r,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
                                    mlir::LLVM::TailCallKind::None, mlir::LLVM::AsmDialectAttr::get(b.getContext(), mlir::LLVM::AsmDialect::AD_ATT), mlir::ArrayAttr());
  }

  mlir::Value barriers, stage, parity;
};

} // namespace landmark
#endif
