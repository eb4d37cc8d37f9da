// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Conversion/Passes.h"
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace landmark {
#define GEN_PASS_DEF_CONVERTTILETONVVM
#include "compiler/Conversion/Passes.h.inc"

using namespace mlir;
using tile::Role;

FragmentLayout layoutOf(RankedTensorType type) {
  auto fragment = cast<tile::FragmentAttr>(type.getEncoding());
  FragmentLayout layout;
  layout.warps = fragment.getWarps();
  layout.split = fragment.getSplit();
  layout.isSliced = fragment.isSliced();
  layout.isDealt = fragment.getDealt();
  layout.first = fragment.getFirst();
  for (auto [size, role] : llvm::zip(type.getShape(), fragment.getRoles()))
    (role == Role::Row ? layout.rows : role == Role::Block ? layout.blocks : layout.columns) = size;
  return layout;
}

bool isPaired(RankedTensorType type) {
  return isa<FloatType>(type.getElementType()) && type.getElementTypeBitWidth() == 16 && layoutOf(type).columns != 0;
}

FragmentTypeConverter::FragmentTypeConverter() {
  addConversion([](Type type) { return type; });
  auto shared = [](Type type) -> Type { return LLVM::LLVMPointerType::get(type.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared)); };
  addConversion([=](tile::BufferType type) { return shared(type); });
  addConversion([=](tile::SlotType type) { return shared(type); });
  addConversion([=](tile::BarriersType type) { return shared(type); });
  addConversion([](RankedTensorType type, SmallVectorImpl<Type> &results) -> std::optional<LogicalResult> {
    if (!isa_and_nonnull<tile::FragmentAttr>(type.getEncoding()))
      return failure();
    FragmentLayout layout = layoutOf(type);
    if (isPaired(type))
      results.append(layout.registers() / 2, VectorType::get({2}, type.getElementType()));
    else
      results.append(layout.registers(), type.getElementType());
    return success();
  });
}

Value ThreadBuilder::thread() {
  return once({Known::Thread, 0}, [&] { return toI32(gpu::ThreadIdOp::create(*this, gpu::Dimension::x)); });
}

Value ThreadBuilder::sharedOffset(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(*this, pointer.getType(), getI8Type(), pointer, LLVM::GEPArg(bytes));
}

/// Chunks among which the swizzle moves one: those of a panel, or more.
static int64_t swizzledChunks(tile::BufferType type) { return type.getSwizzle().getPanel() ? type.getSwizzle().getPanel() : 8; }

// Rows 8 apart are swizzled alike, so only the lane's row counts; the constant part of the chunk splits into one that the swizzle moves and one it does not.
Value chunkLanePointer(ThreadBuilder &b, Value slot, tile::BufferType type, ChunkAddress address) {
  int64_t bits = type.getSwizzle().getBits(), shift = type.getSwizzle().getShift(), mask = (int64_t(1) << bits) - 1;
  Value order = b.bitAnd(b.shiftRight(address.laneRow, shift), b.i32(mask));
  if (address.laneChunk)
    order = b.bitXor(order, address.laneChunk);
  Value moved = b.shiftLeft(b.bitXor(order, b.i32(address.chunk & (swizzledChunks(type) - 1))), 4);
  return b.sharedOffset(slot, b.add(b.mul(address.laneRow, b.i32(rowPitch(type))), moved));
}

int64_t chunkConstant(tile::BufferType type, const ChunkAddress &address) {
  int64_t whole = address.chunk & ~(swizzledChunks(type) - 1), panel = type.getSwizzle().getPanel();
  return address.row * rowPitch(type) + 16 * whole * (panel ? type.getRows() : 1);
}

int64_t rowPitch(tile::BufferType type) { return type.getSwizzle().getPanel() ? 16 * type.getSwizzle().getPanel() : type.getRowBytes(); }

Value chunkPointer(ThreadBuilder &b, Value slot, tile::BufferType type, ChunkAddress address) {
  return b.sharedOffset(chunkLanePointer(b, slot, type, address), b.i32(chunkConstant(type, address)));
}

static constexpr StringRef sharedMemoryName = "tile_shared_memory";

Value sharedMemory(ThreadBuilder &b, int64_t offset) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared));
  return b.sharedOffset(LLVM::AddressOfOp::create(b, pointer, sharedMemoryName), b.i32(offset));
}

namespace {

/// The block's dynamic shared memory, an array of no declared size.
void declareSharedMemory(gpu::GPUModuleOp module) {
  if (module.lookupSymbol(sharedMemoryName))
    return;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  LLVM::GlobalOp::create(builder, module.getLoc(), type, /*isConstant=*/false, LLVM::Linkage::External, sharedMemoryName, Attribute(),
                         /*alignment=*/1024, static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared));
}

/// Rings and their barriers.
template <typename Op> struct LowerAlloc : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;
  LogicalResult matchAndRewrite(Op op, typename Op::Adaptor, ConversionPatternRewriter &rewriter) const override {
    if (!op.getOffset())
      return op.emitOpError("has no place in shared memory; run tile-allocate-shared");
    ThreadBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, sharedMemory(b, *op.getOffset()));
    return success();
  }
};

struct LowerSlot : OpConversionPattern<tile::SlotOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::SlotOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    Value bytes = b.mul(b.toI32(adaptor.getStage()), b.i32(op.getBuffer().getType().getStageBytes()));
    rewriter.replaceOp(op, b.sharedOffset(adaptor.getBuffer(), bytes));
    return success();
  }
};

/// Loops count blocks, tiles and stages: 32 bits hold them, and a 64-bit number takes two registers across the whole body.
void narrow(scf::ForOp loop) {
  if (!loop.getInductionVar().getType().isIndex())
    return;
  ThreadBuilder b(loop.getLoc(), loop);
  loop.setLowerBound(b.toI32(loop.getLowerBound()));
  loop.setUpperBound(b.toI32(loop.getUpperBound()));
  loop.setStep(b.toI32(loop.getStep()));
  Value iv = loop.getInductionVar();
  iv.setType(b.getI32Type());
  b.setInsertionPointToStart(loop.getBody());
  auto wide = arith::IndexCastOp::create(b, b.getIndexType(), iv);
  iv.replaceAllUsesExcept(wide, wide);
}

struct ConvertTileToNVVM : impl::ConvertTileToNVVMBase<ConvertTileToNVVM> {
  using Base::Base;

  /// What the patterns take for granted of the scheduled form.
  static WalkResult verifyScheduled(mlir::Operation *op) {
    auto isUnlaid = [](Type type) {
      auto tensor = dyn_cast<TensorType>(type);
      return tensor && !(isa<RankedTensorType>(tensor) && isa_and_nonnull<tile::FragmentAttr>(cast<RankedTensorType>(tensor).getEncoding()));
    };
    if (llvm::any_of(op->getOperandTypes(), isUnlaid) || llvm::any_of(op->getResultTypes(), isUnlaid))
      return op->emitOpError("has a tile without a layout; run tile-assign-layouts");
    return WalkResult::advance();
  }

  void runOnOperation() override {
    if (getOperation()->walk(verifyScheduled).wasInterrupted())
      return signalPassFailure();
    MLIRContext *context = &getContext();
    declareSharedMemory(getOperation());
    getOperation().walk([](scf::ForOp loop) { narrow(loop); });
    FragmentTypeConverter converter;
    RewritePatternSet patterns(context);
    ConversionTarget target(*context);
    patterns.add<LowerAlloc<tile::AllocOp>, LowerAlloc<tile::AllocBarriersOp>, LowerSlot>(converter, context);
    populateDotPatterns(patterns, converter);
    populateWgmmaPatterns(patterns, converter);
    populateMemoryPatterns(patterns, converter);
    populateFragmentPatterns(patterns, converter, vectorAdds);
    populateRingPatterns(patterns, converter);
    populateRotatePatterns(patterns, converter);
    populateClusterPatterns(patterns, converter);
    populateTopKPatterns(patterns, converter);
    populateElementwisePatterns(patterns, converter);
    scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns, target);
    target.addIllegalDialect<tile::TileDialect, tensor::TensorDialect>();
    target.markUnknownOpDynamicallyLegal([&](mlir::Operation *op) { return converter.isLegal(op); });
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace landmark
