// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What producer and consumers of a ring do: barriers in shared memory, and copies by tensor maps.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace landmark {
namespace {

enum class Barrier { Full, Empty };

Value barrierOf(ThreadBuilder &b, Value barriers, Value stage, Barrier which) {
  Value bytes = b.shiftLeft(stage, 4);
  return b.sharedOffset(barriers, which == Barrier::Full ? bytes : b.add(bytes, b.i32(8)));
}

/// Where a turn is: its stage, and whether it is an even or an odd phase of that stage.
struct Turn {
  Value stage, parity;
  Turn(ThreadBuilder &b, Value number, int64_t stages)
      : stage(b.remainder(number, stages)), parity(b.bitAnd(b.divide(number, stages), b.i32(1))) {}
};

/// Waits until the phase of that parity is over. Threads sleep meanwhile, for so many nanoseconds before they look again.
void waitFor(ThreadBuilder &b, Value barrier, Value parity) { NVVM::MBarrierTryWaitParityOp::create(b, barrier, parity, b.i32(10'000'000)); }

/// An operation without results: what replaces it goes where it stood.
template <typename Op> struct Lowering : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;
  using Adaptor = typename Op::Adaptor;

  virtual LogicalResult emit(Op op, Adaptor adaptor, ThreadBuilder &b) const = 0;

  LogicalResult matchAndRewrite(Op op, Adaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    if (failed(emit(op, adaptor, b)))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerInitBarriers : Lowering<tile::InitBarriersOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::InitBarriersOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    for (int64_t stage = 0; stage < op.getBarriers().getType().getStages(); ++stage) {
      NVVM::MBarrierInitOp::create(b, barrierOf(b, adaptor.getBarriers(), b.i32(stage), Barrier::Full), b.i32(1), Value());
      NVVM::MBarrierInitOp::create(b, barrierOf(b, adaptor.getBarriers(), b.i32(stage), Barrier::Empty), b.i32(op.getConsumers()), Value());
    }
    return success();
  }
};

struct LowerClear : Lowering<tile::ClearOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::ClearOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto size = kernel ? kernel.getKnownBlockSize() : std::nullopt;
    if (!size)
      return op.emitOpError("stands in a kernel of unknown block size");
    tile::BufferType type = op.getBuffer().getType();
    int64_t every = op.getEvery(), left = every - op.getFrom();
    // Rows are the same in all panels; a tile without panels is one of them.
    int64_t panel = type.getSwizzle().getPanel() ? type.getSwizzle().getPanel() : type.getRowBytes() / 16;
    int64_t panels = type.getStages() * type.getRowBytes() / 16 / panel, runs = panels * type.getRows() / every;
    auto loop = scf::ForOp::create(b, b.thread(), b.i32(runs * left * panel), b.i32(size->front()));
    b.setInsertionPointToStart(loop.getBody());
    Value piece = loop.getInductionVar(), chunk = b.remainder(piece, panel), line = b.divide(piece, panel);
    Value row = b.add(b.mul(b.divide(line, left), b.i32(every)), b.add(b.remainder(line, left), b.i32(op.getFrom())));
    Value bytes = b.shiftLeft(b.add(b.mul(row, b.i32(panel)), chunk), 4);
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(VectorType::get({4}, b.getI32Type())));
    LLVM::StoreOp::create(b, zeros, b.sharedOffset(adaptor.getBuffer(), bytes), 16);
    return success();
  }
};

struct LowerAcquire : Lowering<tile::AcquireOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::AcquireOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    Turn turn(b, adaptor.getTurn(), op.getBarriers().getType().getStages());
    // Empty to begin with: the phase before the first counts as over.
    waitFor(b, barrierOf(b, adaptor.getBarriers(), turn.stage, Barrier::Empty), b.bitXor(turn.parity, b.i32(1)));
    return success();
  }
};

struct LowerAwait : Lowering<tile::AwaitOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::AwaitOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    Turn turn(b, adaptor.getTurn(), op.getBarriers().getType().getStages());
    waitFor(b, barrierOf(b, adaptor.getBarriers(), turn.stage, Barrier::Full), turn.parity);
    return success();
  }
};

/// Without a branch: behind one that lanes take differently the assembler keeps nothing in uniform registers, and a loop over programs computes every descriptor in those
/// of the threads.
struct LowerRelease : Lowering<tile::ReleaseOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::ReleaseOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    Turn turn(b, adaptor.getTurn(), op.getBarriers().getType().getStages());
    Value barrier = barrierOf(b, adaptor.getBarriers(), turn.stage, Barrier::Empty);
    LLVM::InlineAsmOp::create(b, TypeRange(), {b.lane(), LLVM::PtrToIntOp::create(b, b.getI32Type(), barrier)},
                              "{ .reg .pred first; setp.eq.u32 first, $0, 0; @first mbarrier.arrive.shared::cta.b64 _, [$1]; }", "r,r,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                              LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    return success();
  }
};

struct LowerFetch : Lowering<tile::FetchOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::FetchOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    tile::BufferType tile = op.getSlot().getType().getBuffer();
    Turn turn(b, adaptor.getTurn(), op.getBarriers().getType().getStages());
    Value full = barrierOf(b, adaptor.getBarriers(), turn.stage, Barrier::Full);
    int64_t boxes = op.getBoxes(), part = tile.getRows() / boxes, panelBytes = 16 * tile.getSwizzle().getPanel();
    int64_t panelColumns = panelBytes * 8 / tile.getElementType().getIntOrFloatBitWidth();
    // What is outside of the view is counted as if it were copied.
    NVVM::MBarrierArriveExpectTxOp::create(b, TypeRange(), full, b.i32(boxes * op.getBoxRows() * tile.getRowBytes()), NVVM::MemScopeKind::CTA, false, Value());
    Value batch = b.toI32(op.getBatch()), head = b.toI32(op.getHead()), row = b.toI32(op.getRow());
    Type cluster = LLVM::LLVMPointerType::get(op.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::SharedCluster));
    for (int64_t column = 0; column < tile.getColumns(); column += panelColumns)
      for (int64_t box = 0; box < boxes; ++box) {
        int64_t bytes = (column / panelColumns * tile.getRows() + box * part) * panelBytes;
        Value place = LLVM::AddrSpaceCastOp::create(b, cluster, b.sharedOffset(adaptor.getSlot(), b.i32(bytes)));
        Value from = b.add(row, b.i32(box * static_cast<int64_t>(op.getApart())));
        NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(b, place, adaptor.getMap(), ValueRange{b.i32(column), from, head, batch}, full, ValueRange(),
                                                               Value(), Value(), NVVM::TMALoadMode::TILE, false, NVVM::CTAGroupKindAttr(), Value());
      }
    return success();
  }
};

/// By the first thread of each group, without a branch (see LowerRelease).
struct LowerBulkStore : Lowering<tile::BulkStoreOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::BulkStoreOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    tile::BufferType tile = op.getSlot().getType().getBuffer();
    constexpr int64_t rows = tile::BulkStoreOp::groupRows;
    int64_t panelBytes = 16 * tile.getSwizzle().getPanel(), panelColumns = panelBytes * 8 / tile.getElementType().getIntOrFloatBitWidth();
    Value group = b.divide(b.warp(), 4), thread = b.bitAnd(b.thread(), b.i32(127));
    Value further = b.mul(group, b.i32(rows)), row = b.add(b.toI32(op.getRow()), further);
    Value start = b.sharedOffset(adaptor.getSlot(), b.mul(group, b.i32(rows * panelBytes)));
    for (int64_t column = 0; column < tile.getColumns(); column += panelColumns) {
      Value place = b.sharedOffset(start, b.i32(column / panelColumns * tile.getRows() * panelBytes));
      LLVM::InlineAsmOp::create(b, TypeRange(),
                                {thread, adaptor.getMap(), b.i32(column), row, b.toI32(op.getHead()), b.toI32(op.getBatch()),
                                 LLVM::PtrToIntOp::create(b, b.getI32Type(), place)},
                                "{ .reg .pred first; setp.eq.u32 first, $0, 0; @first cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [$1, {$2, $3, $4, $5}], [$6]; }",
                                "r,l,r,r,r,r,r,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    }
    NVVM::CpAsyncBulkCommitGroupOp::create(b);
    return success();
  }
};

/// Of threads that stored nothing there is nothing to wait for.
struct LowerBulkWait : Lowering<tile::BulkWaitOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::BulkWaitOp, Adaptor, ThreadBuilder &b) const override {
    NVVM::CpAsyncBulkWaitGroupOp::create(b, b.getI32IntegerAttr(0), b.getUnitAttr());
    return success();
  }
};

struct LowerBarrier : Lowering<tile::BarrierOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::BarrierOp op, Adaptor, ThreadBuilder &b) const override {
    Value group = b.divide(b.warp(), op.getWarps());
    NVVM::BarrierOp::create(b, TypeRange(), b.add(group, b.i32(op.getWarps() <= 4 ? 8 : 12)), b.i32(32 * static_cast<int64_t>(op.getWarps())), NVVM::BarrierReductionAttr(), Value());
    return success();
  }
};

//===-- Turns of groups ---------------------------------------------------------------------------------------------===//

Value groupOf(ThreadBuilder &b) { return b.shiftRight(b.warp(), 2); }
Value bothGroups(ThreadBuilder &b) { return b.i32(256); } // threads of the one that waits and of the one before it

struct LowerFirstTurn : Lowering<tile::FirstTurnOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::FirstTurnOp op, Adaptor, ThreadBuilder &b) const override {
    // The last group passes the turn on as if it had had one.
    Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, groupOf(b), b.i32(op.getGroups() - 1));
    auto branch = scf::IfOp::create(b, isLast);
    b.setInsertionPointToStart(branch.thenBlock());
    NVVM::BarrierArriveOp::create(b, b.i32(1), bothGroups(b));
    return success();
  }
};

struct LowerBeginTurn : Lowering<tile::BeginTurnOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::BeginTurnOp op, Adaptor, ThreadBuilder &b) const override {
    NVVM::BarrierOp::create(b, TypeRange(), b.add(groupOf(b), b.i32(1)), bothGroups(b), NVVM::BarrierReductionAttr(), Value());
    return success();
  }
};

struct LowerEndTurn : Lowering<tile::EndTurnOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::EndTurnOp op, Adaptor, ThreadBuilder &b) const override {
    Value next = b.remainder(b.add(groupOf(b), b.i32(1)), op.getGroups());
    NVVM::BarrierArriveOp::create(b, b.add(next, b.i32(1)), bothGroups(b));
    return success();
  }
};

} // namespace

void populateRingPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerInitBarriers, LowerClear, LowerAcquire, LowerAwait, LowerRelease, LowerFetch, LowerBulkStore, LowerBulkWait, LowerBarrier, LowerFirstTurn,
               LowerBeginTurn, LowerEndTurn>(converter, patterns.getContext());
}

} // namespace landmark
