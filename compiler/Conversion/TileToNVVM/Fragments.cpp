// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Views of fragments: what kernels keep for themselves lies in global memory as their registers hold it, so that a warp moves 512 bytes in one piece and nothing is
// exchanged between lanes.
#include "compiler/Conversion/TileToNVVM/GlobalRows.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace landmark {
namespace {

/// Pieces of 16 rows and 8 columns between a warp's registers and a view of fragments, 16 bytes a lane.
class FragmentPieces {
public:
  FragmentPieces(ThreadBuilder &b, Value view, Value batch, Value head, Value row, const FragmentLayout &layout)
      : b(b), layout(layout), rows(b, view, batch, head), perRow(cast<MemRefType>(view.getType()).getShape().back() / 8),
        high(b.toI32(memref::DimOp::create(b, view, int64_t(2)))), row(b.add(b.toI32(row), b.mul(b.rowWarp(layout), b.i32(16 * layout.rowTiles())))) {
    Value lane = b.shiftLeft(b.lane(), 2);
    Value piece = layout.isSliced ? b.mul(b.slice(layout), b.i32(layout.sliceColumns() / 8)) : b.i32(0);
    first = rows.pointer(b, this->row, b.add(b.mul(piece, b.i32(pieceFloats)), lane));
  }

  Value isThere(int64_t rowTile) { return b.less(b.add(row, b.i32(16 * rowTile)), high); }
  Value pointer(ThreadBuilder &b, int64_t rowTile, int64_t piece) {
    int64_t bytes = (rowTile * perRow + piece) * pieceFloats * 4;
    return LLVM::GEPOp::create(b, first.getType(), b.getI8Type(), first, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
  }
  int64_t pieces() const { return layout.columnRegisters() / 2; }
  /// The registers of a piece in the order of its four numbers.
  SmallVector<int64_t> registersOf(int64_t rowTile, int64_t piece) const {
    SmallVector<int64_t> numbers;
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t e = 0; e < 2; ++e)
        numbers.push_back(layout.registerOf({2 * rowTile + h, 0, 2 * piece + e}));
    return numbers;
  }

private:
  static constexpr int64_t pieceFloats = 128;
  ThreadBuilder &b;
  FragmentLayout layout;
  GlobalRows rows;
  int64_t perRow;
  Value high, row, first;
};

struct LowerWriteFragments : OpConversionPattern<tile::WriteFragmentsOp> {
  LowerWriteFragments(const TypeConverter &converter, MLIRContext *context, bool vectorAdds) : OpConversionPattern(converter, context), vectorAdds(vectorAdds) {}

  LogicalResult matchAndRewrite(tile::WriteFragmentsOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    FragmentLayout layout = layoutOf(op.getValue().getType());
    FragmentPieces pieces(b, op.getView(), op.getBatch(), op.getHead(), op.getRow(), layout);
    for (int64_t i = 0; i < layout.rowTiles(); ++i) {
      auto branch = scf::IfOp::create(b, pieces.isThere(i));
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      for (int64_t piece = 0; piece < pieces.pieces(); ++piece) {
        SmallVector<Value> numbers;
        for (int64_t number : pieces.registersOf(i, piece))
          numbers.push_back(adaptor.getValue()[number]);
        if (op.getAdd())
          add(b, pieces.pointer(b, i, piece), numbers);
        else
          LLVM::StoreOp::create(b, vector::FromElementsOp::create(b, VectorType::get({4}, b.getF32Type()), numbers), pieces.pointer(b, i, piece), 16);
      }
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Four numbers side by side (PTX ISA, "red"; vectors of f32 from sm_90 on).
  void add(ThreadBuilder &b, Value pointer, ArrayRef<Value> numbers) const {
    SmallVector<Value> operands = {pointer};
    llvm::append_range(operands, numbers);
    StringRef text = vectorAdds ? "red.relaxed.gpu.global.add.v4.f32 [$0], {$1, $2, $3, $4};"
                                : "red.relaxed.gpu.global.add.f32 [$0], $1; red.relaxed.gpu.global.add.f32 [$0+4], $2; "
                                  "red.relaxed.gpu.global.add.f32 [$0+8], $3; red.relaxed.gpu.global.add.f32 [$0+12], $4;";
    LLVM::InlineAsmOp::create(b, TypeRange(), operands, text, "l,f,f,f,f,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
                              LLVM::TailCallKind::None, LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
  }

  const bool vectorAdds;
};

struct LowerReadFragments : OpConversionPattern<tile::ReadFragmentsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::ReadFragmentsOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    FragmentLayout layout = layoutOf(op.getResult().getType());
    FragmentPieces pieces(b, op.getView(), op.getBatch(), op.getHead(), op.getRow(), layout);
    SmallVector<Value> values(layout.registers());
    for (int64_t i = 0; i < layout.rowTiles(); ++i) {
      auto read = [&](OpBuilder &builder, Location loc) {
        ThreadBuilder inner(loc, builder);
        SmallVector<Value> numbers;
        for (int64_t piece = 0; piece < pieces.pieces(); ++piece) {
          Value vector = LLVM::LoadOp::create(inner, VectorType::get({4}, inner.getF32Type()), pieces.pointer(inner, i, piece), 16);
          for (int64_t number = 0; number < 4; ++number)
            numbers.push_back(vector::ExtractOp::create(inner, vector, number));
        }
        scf::YieldOp::create(inner, numbers);
      };
      auto skip = [&](OpBuilder &builder, Location loc) {
        Value zero = arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0.0f));
        scf::YieldOp::create(builder, loc, SmallVector<Value>(4 * pieces.pieces(), zero));
      };
      auto branch = scf::IfOp::create(b, pieces.isThere(i), read, skip);
      for (int64_t piece = 0; piece < pieces.pieces(); ++piece)
        for (auto [place, number] : llvm::enumerate(pieces.registersOf(i, piece)))
          values[number] = branch.getResult(4 * piece + place);
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
    return success();
  }
};

} // namespace

void populateFragmentPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter, bool vectorAdds) {
  patterns.add<LowerWriteFragments>(converter, patterns.getContext(), vectorAdds);
  patterns.add<LowerReadFragments>(converter, patterns.getContext());
}

} // namespace landmark
