// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What programs of a cluster do together: the first receives what all send, in its shared memory.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace landmark {
namespace {

using tile::ClusterSumOp;

Value isThread(ThreadBuilder &b, int64_t number) { return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.thread(), b.i32(number)); }

/// The barrier is made, and the program says so; what is sent waits for all of them.
struct LowerClusterOpen : OpConversionPattern<tile::ClusterOpenOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::ClusterOpenOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    if (!op.getOffset())
      return op.emitOpError("belongs to no tile.cluster_sum that has its place in shared memory; run tile-allocate-shared");
    ThreadBuilder b(op.getLoc(), rewriter);
    auto branch = scf::IfOp::create(b, isThread(b, 0));
    b.setInsertionPointToStart(branch.thenBlock());
    NVVM::MBarrierInitOp::create(b, sharedMemory(b, *op.getOffset()), b.i32(1), Value());
    NVVM::FenceMbarrierInitOp::create(b);
    b.setInsertionPointAfter(branch);
    NVVM::ClusterArriveRelaxedOp::create(b, b.getUnitAttr());
    rewriter.eraseOp(op);
    return success();
  }
};

/// The sum of one cluster. A thread's registers, the exponents first, go in pieces of 16 bytes, each piece of all threads side by side.
class SumEmitter {
public:
  SumEmitter(ThreadBuilder &b, ClusterSumOp op, ValueRange exponents, ArrayRef<ValueRange> sources, int64_t threads)
      : b(b), op(op), exponents(exponents), layout(layoutOf(op.getExponent().getType())), threads(threads),
        barrier(sharedMemory(b, *op.getOffset())), inbox(b.sharedOffset(sharedMemory(b, *op.getOffset() + ClusterSumOp::barrierBytes), b.shiftLeft(b.thread(), 4))) {
    llvm::append_range(own, exponents);
    for (auto [source, registers] : llvm::zip(op.getSources(), sources)) {
      FragmentLayout of = layoutOf(cast<RankedTensorType>(source.getType()));
      for (auto [number, value] : llvm::enumerate(registers)) {
        own.push_back(value);
        rowOf.push_back(of.placeOf(number).row);
      }
    }
  }

  /// To the first program, which counts bytes; rows that are not there send none.
  void send() {
    NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
    Value rank = NVVM::ClusterId::create(b, b.getI32Type());
    Value place = address(b.sharedOffset(inbox, b.mul(rank, b.i32(programPitch()))));
    OpBuilder::InsertionGuard guard(b);
    if (hasOneRowTile())
      b.setInsertionPointToStart(scf::IfOp::create(b, b.less(b.group(), b.toI32(op.getHigh()))).thenBlock());
    for (size_t first = 0; first < own.size(); first += 4) {
      SmallVector<Value> operands = {place, address(barrier), b.i32(first / 4 * piecePitch())};
      for (size_t i = first; i < first + 4; ++i)
        operands.push_back(own[std::min(i, own.size() - 1)]);
      LLVM::InlineAsmOp::create(b, TypeRange(), operands,
                                "{\n\t.reg .b32 to, bar;\n\tmapa.shared::cluster.u32 to, $0, 0;\n\tadd.u32 to, to, $2;\n\tmapa.shared::cluster.u32 bar, $1, 0;\n\t"
                                "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [to], {$3, $4, $5, $6}, [bar];\n\t}",
                                "r,r,n,f,f,f,f,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    }
  }

  /// In the first program: the largest exponents, then the sums.
  SmallVector<Value> receive() {
    Value programs = NVVM::ClusterDim::create(b, b.getI32Type());
    Value lanes = hasOneRowTile() ? b.mul(arith::MinSIOp::create(b, b.toI32(op.getHigh()), b.i32(8)), b.i32(threads / 8)) : b.i32(threads);
    auto counts = scf::IfOp::create(b, isThread(b, 0));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(counts.thenBlock());
      Value bytes = b.mul(b.mul(programs, lanes), b.i32(op.getThreadBytes()));
      NVVM::MBarrierArriveExpectTxOp::create(b, TypeRange(), barrier, bytes, NVVM::MemScopeKind::CTA, false, Value());
    }
    NVVM::MBarrierTryWaitParityOp::create(b, barrier, b.i32(0), b.i32(10'000'000));

    // Programs that do not exist are the last one again, with weights of 0.
    SmallVector<SmallVector<Value>> held;
    Value last = b.add(programs, b.i32(-1));
    for (int64_t program = 0; program < ClusterSumOp::mostPrograms; ++program)
      held.push_back(read(b.sharedOffset(inbox, b.mul(arith::MinSIOp::create(b, b.i32(program), last), b.i32(programPitch())))));
    SmallVector<Value> results;
    SmallVector<SmallVector<Value>> weights(exponents.size());
    for (size_t row = 0; row < exponents.size(); ++row) {
      SmallVector<Value> all;
      for (ArrayRef<Value> program : held)
        all.push_back(program[row]);
      Value most = combineAll(b, tile::ReductionKind::Max, all);
      results.push_back(most);
      for (auto [program, exponent] : llvm::enumerate(all))
        weights[row].push_back(weight(exponent, most, b.less(b.i32(program), programs)));
    }
    for (auto [number, row] : llvm::enumerate(rowOf)) {
      SmallVector<Value> terms;
      for (auto [program, values] : llvm::enumerate(held))
        terms.push_back(arith::MulFOp::create(b, values[exponents.size() + number], weights[row][program]));
      results.push_back(combineAll(b, tile::ReductionKind::Sum, terms));
    }
    return results;
  }

  ArrayRef<Value> brought() const { return own; }

private:
  /// Lanes whose rows are not there can be told: all warps have the same 8 or 16 rows.
  bool hasOneRowTile() const { return layout.rowWarps() == 1 && layout.rows <= 16; }
  int64_t piecePitch() const { return ClusterSumOp::pieceBytes * threads; }
  int64_t programPitch() { return threads * op.getThreadBytes(); }
  Value address(Value shared) { return LLVM::PtrToIntOp::create(b, b.getI32Type(), shared); }

  SmallVector<Value> read(Value from) {
    SmallVector<Value> values;
    for (size_t first = 0; first < own.size(); first += 4) {
      Value piece = LLVM::LoadOp::create(b, VectorType::get({4}, b.getF32Type()), b.sharedOffset(from, b.i32(first / 4 * piecePitch())), ClusterSumOp::pieceBytes);
      for (size_t i = 0; i < std::min<size_t>(4, own.size() - first); ++i)
        values.push_back(vector::ExtractOp::create(b, piece, i));
    }
    return values;
  }

  /// 2^(exponent - most), 0 for an exponent of -inf and for a program that does not exist.
  Value weight(Value exponent, Value most, Value exists) {
    auto constant = [&](float value) -> Value { return arith::ConstantOp::create(b, b.getF32FloatAttr(value)); };
    Value none = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, constant(-INFINITY));
    Value offset = arith::SelectOp::create(b, none, constant(0), most);
    Value power = LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr("llvm.nvvm.ex2.approx.ftz.f32"), ValueRange(arith::SubFOp::create(b, exponent, offset))).getResult(0);
    return arith::SelectOp::create(b, exists, power, constant(0));
  }

  ThreadBuilder &b;
  ClusterSumOp op;
  ValueRange exponents;
  FragmentLayout layout;
  int64_t threads;
  Value barrier, inbox; ///< inbox: of this thread, from the first program
  SmallVector<Value> own;
  SmallVector<int64_t> rowOf; ///< of the sources' registers: the register of their row
};

struct LowerClusterSum : OpConversionPattern<ClusterSumOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ClusterSumOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto size = kernel ? kernel.getKnownBlockSize() : std::nullopt;
    if (!size || !op.getOffset())
      return op.emitOpError("has no place in shared memory; run tile-allocate-shared");
    ThreadBuilder b(op.getLoc(), rewriter);
    SmallVector<ValueRange> sources = llvm::to_vector(adaptor.getSources());
    SumEmitter emitter(b, op, adaptor.getExponent(), sources, size->front());
    emitter.send();
    Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, NVVM::ClusterId::create(b, b.getI32Type()), b.i32(0));
    auto branch = scf::IfOp::create(b, TypeRange(ValueRange(emitter.brought())), isFirst, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, emitter.receive());
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, emitter.brought());
    SmallVector<ValueRange> results;
    ValueRange all = branch.getResults();
    auto take = [&](size_t count) {
      results.push_back(all.take_front(count));
      all = all.drop_front(count);
    };
    take(adaptor.getExponent().size());
    for (ValueRange registers : sources)
      take(registers.size());
    rewriter.replaceOpWithMultiple(op, results);
    return success();
  }
};

} // namespace

void populateClusterPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerClusterSum, LowerClusterOpen>(converter, patterns.getContext());
}

} // namespace landmark
