// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What producer and consumers of a ring do: barriers in shared memory, and copies by tensor maps.
#include "compiler/Conversion/TileToNVVM/Barriers.h"
#include "compiler/Conversion/TileToNVVM/GlobalRows.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace landmark {
namespace {

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
    tile::BarriersType type = op.getBarriers().getType();
    for (int64_t stage = 0; stage < type.getStages(); ++stage)
      for (auto [which, arrivals] : {std::pair(Barrier::Full, op.getProducers()), std::pair(Barrier::Empty, type.getLanes() * op.getConsumers())})
        NVVM::MBarrierInitOp::create(b, TurnBarriers::at(b, adaptor.getBarriers(), b.i32(stage), which), b.i32(arrivals), Value());
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

/// The barriers that an operation names.
template <typename Op> TurnBarriers barriersOf(ThreadBuilder &b, Op op, typename Op::Adaptor adaptor) {
  return TurnBarriers(b, adaptor.getBarriers(), adaptor.getTurn(), op.getBarriers().getType().getStages());
}

struct LowerAcquire : Lowering<tile::AcquireOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::AcquireOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    barriersOf(b, op, adaptor).wait(b, Barrier::Empty);
    return success();
  }
};

struct LowerAwait : Lowering<tile::AwaitOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::AwaitOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    barriersOf(b, op, adaptor).wait(b, Barrier::Full);
    return success();
  }
};

struct LowerPoll : OpConversionPattern<tile::PollOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::PollOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, barriersOf(b, op, adaptor).isFull(b));
    return success();
  }
};

struct LowerRelease : Lowering<tile::ReleaseOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::ReleaseOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    TurnBarriers barriers = barriersOf(b, op, adaptor);
    if (op.getBarriers().getType().getLanes() == 1)
      barriers.arrive(b, Barrier::Empty);
    else
      barriers.arriveEach(b, Barrier::Empty);
    return success();
  }
};

/// When all lanes are past their fence the first one speaks for the warp.
struct LowerPublish : Lowering<tile::PublishOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::PublishOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    NVVM::SyncWarpOp::create(b, b.i32(-1));
    barriersOf(b, op, adaptor).arrive(b, Barrier::Full);
    return success();
  }
};

struct LowerFetch : Lowering<tile::FetchOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::FetchOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    tile::BufferType tile = op.getSlot().getType().getBuffer();
    Value full = barriersOf(b, op, adaptor).at(b, Barrier::Full);
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

/// What comes is added to what the stage waits for, before the fetch of its tile arrives there.
struct LowerFetchRows : Lowering<tile::FetchRowsOp> {
  using Lowering::Lowering;
  LogicalResult emit(tile::FetchRowsOp op, Adaptor adaptor, ThreadBuilder &b) const override {
    GlobalRows rows(b, op.getView(), op.getBatch(), op.getHead());
    Value full = barriersOf(b, op, adaptor).at(b, Barrier::Full), row = b.toI32(op.getRow());
    Value bytes = b.i32(op.getSlot().getType().getBuffer().getRowBytes());
    auto address = [&](Value pointer) { return LLVM::PtrToIntOp::create(b, b.getI32Type(), pointer); };
    LLVM::InlineAsmOp::create(b, TypeRange(), {address(full), address(adaptor.getSlot()), rows.pointer(b, row, b.i32(0)), bytes},
                              "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [$0], $3; "
                              "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$1], [$2], $3, [$0];",
                              "r,r,l,r,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                              LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    return success();
  }
};

/// By the first thread of each group, without a branch (see TurnBarriers::arrive).
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
  patterns.add<LowerInitBarriers, LowerClear, LowerAcquire, LowerAwait, LowerPoll, LowerRelease, LowerPublish, LowerFetch, LowerFetchRows, LowerBulkStore, LowerBulkWait, LowerBarrier,
               LowerFirstTurn, LowerBeginTurn, LowerEndTurn>(converter, patterns.getContext());
}

} // namespace landmark
