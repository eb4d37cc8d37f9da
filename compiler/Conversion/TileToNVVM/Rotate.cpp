// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary embedding of rows in shared memory: a thread takes pairs of columns in turn.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numbers>

using namespace mlir;

namespace landmark {
namespace {

/// Pointer to one element of a slot.
Value elementPointer(ThreadBuilder &b, Value slot, tile::BufferType type, Value row, Value column) {
  tile::SwizzleAttr swizzle = type.getSwizzle();
  int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8, perChunk = 16 / bytes;
  Value order = b.bitAnd(b.shiftRight(row, swizzle.getShift()), b.i32((int64_t(1) << swizzle.getBits()) - 1));
  Value chunk = b.shiftLeft(b.bitXor(b.divide(column, perChunk), order), 4);
  Value inChunk = b.mul(b.remainder(column, perChunk), b.i32(bytes));
  return b.sharedOffset(slot, b.add(b.mul(row, b.i32(type.getRowBytes())), b.add(chunk, inChunk)));
}

struct LowerRotateRows : OpConversionPattern<tile::RotateRowsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::RotateRowsOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto size = kernel ? kernel.getKnownBlockSize() : std::nullopt;
    tile::BufferType from = op.getSource().getType().getBuffer(), to = op.getTarget().getType().getBuffer();
    if (!size || from.getSwizzle().getPanel() != 0 || to.getSwizzle().getPanel() != 0)
      return op.emitOpError("stands in a kernel of known block size, and turns rows without panels");
    ThreadBuilder b(op.getLoc(), rewriter);
    int64_t pairs = from.getColumns() / 2;
    auto loop = scf::ForOp::create(b, b.thread(), b.i32(from.getRows() * pairs), b.i32(size->front()));
    b.setInsertionPointToStart(loop.getBody());
    Value row = b.divide(loop.getInductionVar(), pairs), pair = b.remainder(loop.getInductionVar(), pairs);
    auto [cosine, sine] = turn(b, op, row, pair);
    Value twice = b.shiftLeft(pair, 1);
    Value columns[] = {arith::SelectOp::create(b, op.getHalf(), pair, twice),
                       arith::SelectOp::create(b, op.getHalf(), b.add(pair, b.i32(pairs)), b.bitOr(twice, b.i32(1)))};
    Value x = load(b, elementPointer(b, adaptor.getSource(), from, row, columns[0]), from.getElementType());
    Value y = load(b, elementPointer(b, adaptor.getSource(), from, row, columns[1]), from.getElementType());
    auto product = [&](Value left, Value right) -> Value { return arith::MulFOp::create(b, left, right); };
    Value turnedX = arith::SubFOp::create(b, product(x, cosine), product(y, sine));
    Value turnedY = arith::AddFOp::create(b, product(x, sine), product(y, cosine));
    store(b, turnedX, elementPointer(b, adaptor.getTarget(), to, row, columns[0]), to.getElementType());
    store(b, turnedY, elementPointer(b, adaptor.getTarget(), to, row, columns[1]), to.getElementType());
    rewriter.eraseOp(op);
    return success();
  }

  /// Cosine and sine of a pair's angle. The product of a position and a fraction of a turn, modulo 2^64, loses nothing to the size of the position.
  static std::pair<Value, Value> turn(ThreadBuilder &b, tile::RotateRowsOp op, Value row, Value pair) {
    auto wide = [&](Value value) { return b.toI64(value); };
    Value along = b.add(wide(op.getFirst()), b.mul(arith::ExtSIOp::create(b, b.getI64Type(), row), wide(op.getStep())));
    Value position = arith::MaxSIOp::create(b, along, wide(op.getLow()));
    Value index = arith::IndexCastOp::create(b, b.getIndexType(), pair);
    Value frequency = memref::LoadOp::create(b, op.getFrequencies(), index);
    Value high = arith::TruncIOp::create(b, b.getI32Type(), arith::ShRUIOp::create(b, b.mul(position, frequency), b.i64(32)));
    Value toRadians = arith::ConstantOp::create(b, b.getF32FloatAttr(float(2 * std::numbers::pi / 4294967296.0)));
    Value angle = arith::MulFOp::create(b, arith::SIToFPOp::create(b, b.getF32Type(), high), toRadians);
    // Good to 2^-20.5 between -pi and pi, which is where the angle is (PTX ISA, "sin", "cos").
    auto call = [&](StringRef name) -> Value { return LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(name), angle).getResult(0); };
    return {call("llvm.nvvm.cos.approx.ftz.f"), call("llvm.nvvm.sin.approx.ftz.f")};
  }

  static Value load(ThreadBuilder &b, Value pointer, Type element) {
    Value value = LLVM::LoadOp::create(b, element, pointer);
    return element.isF32() ? value : Value(arith::ExtFOp::create(b, b.getF32Type(), value));
  }
  static void store(ThreadBuilder &b, Value value, Value pointer, Type element) {
    LLVM::StoreOp::create(b, element.isF32() ? value : Value(arith::TruncFOp::create(b, element, value)), pointer);
  }
};

} // namespace

void populateRotatePatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerRotateRows>(converter, patterns.getContext());
}

} // namespace landmark
