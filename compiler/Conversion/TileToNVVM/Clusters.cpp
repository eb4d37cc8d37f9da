// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What programs of a cluster do together: they read one another's shared memory.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace landmark {
namespace {

constexpr int64_t mostPrograms = 8; ///< of a cluster, on any GPU that has them
constexpr int64_t pieceBytes = 16;

void clusterBarrier(ThreadBuilder &b) {
  NVVM::ClusterArriveOp::create(b, b.getUnitAttr());
  NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
}

struct LowerClusterBarrier : OpConversionPattern<tile::ClusterBarrierOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::ClusterBarrierOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    clusterBarrier(b);
    rewriter.eraseOp(op);
    return success();
  }
};

/// A thread's registers in pieces of 16 bytes, each piece of a warp side by side. The same thread of another program reads them, so that no layout counts.
struct LowerClusterReduce : OpConversionPattern<tile::ClusterReduceOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::ClusterReduceOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto size = kernel ? kernel.getKnownBlockSize() : std::nullopt;
    if (!size || !op.getOffset())
      return op.emitOpError("has no place in shared memory; run tile-allocate-shared");
    ThreadBuilder b(op.getLoc(), rewriter);
    SmallVector<Value> own;
    for (ValueRange registers : adaptor.getSources())
      llvm::append_range(own, registers);
    int64_t piecePitch = pieceBytes * size->front();
    gpu::BarrierOp::create(b); // what stood in this place is read no more
    Value place = b.sharedOffset(sharedMemory(b, *op.getOffset()), b.shiftLeft(b.thread(), 4));
    forPieces(b, place, piecePitch, own.size(), [&](int64_t first, int64_t count, Value pointer) {
      auto type = VectorType::get({count}, b.getF32Type());
      LLVM::StoreOp::create(b, vector::FromElementsOp::create(b, type, ArrayRef(own).slice(first, count)), pointer, pieceBytes);
    });
    clusterBarrier(b);

    // Programs that do not exist are the last one again, which counts for nothing then: no load waits for a branch.
    Value programs = NVVM::ClusterDim::create(b, b.getI32Type()), last = b.add(programs, b.i32(-1));
    Type remote = LLVM::LLVMPointerType::get(op.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::SharedCluster));
    SmallVector<SmallVector<Value>> all(own.size());
    for (int64_t program = 0; program < mostPrograms; ++program) {
      Value number = b.i32(program), isThere = b.less(number, programs);
      Value from = NVVM::MapaOp::create(b, remote, place, arith::MinSIOp::create(b, number, last));
      forPieces(b, from, piecePitch, own.size(), [&](int64_t first, int64_t count, Value pointer) {
        Value piece = LLVM::LoadOp::create(b, VectorType::get({count}, b.getF32Type()), pointer, pieceBytes);
        for (int64_t i = 0; i < count; ++i) {
          Value value = vector::ExtractOp::create(b, piece, i);
          if (op.getKind() == tile::ReductionKind::Sum)
            value = arith::SelectOp::create(b, isThere, value, arith::ConstantOp::create(b, b.getF32FloatAttr(0.0f)));
          all[first + i].push_back(value);
        }
      });
    }
    SmallVector<Value> combined;
    for (const SmallVector<Value> &values : all)
      combined.push_back(combineAll(b, op.getKind(), values));
    SmallVector<ValueRange> results;
    size_t taken = 0;
    for (ValueRange registers : adaptor.getSources()) {
      results.push_back(ArrayRef(combined).slice(taken, registers.size()));
      taken += registers.size();
    }
    rewriter.replaceOpWithMultiple(op, results);
    return success();
  }

  static void forPieces(ThreadBuilder &b, Value place, int64_t pitch, int64_t registers, llvm::function_ref<void(int64_t, int64_t, Value)> body) {
    for (int64_t first = 0; first < registers; first += 4)
      body(first, std::min<int64_t>(4, registers - first), LLVM::GEPOp::create(b, place.getType(), b.getI8Type(), place, LLVM::GEPArg(first / 4 * pitch)));
  }
};

} // namespace

void populateClusterPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerClusterReduce, LowerClusterBarrier>(converter, patterns.getContext());
}

} // namespace landmark
