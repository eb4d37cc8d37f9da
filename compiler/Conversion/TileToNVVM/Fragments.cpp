// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Views of fragments: what kernels keep for themselves lies in global memory as their registers hold it, so that a warp moves 512 bytes in one piece and nothing is
// exchanged between lanes.
#include "compiler/Conversion/TileToNVVM/Barriers.h"
#include "compiler/Conversion/TileToNVVM/GlobalRows.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace landmark {
namespace {

constexpr int64_t pieceFloats = 128, pieceBytes = 4 * pieceFloats;

/// The registers of a piece in the order of its four numbers.
SmallVector<int64_t> registersOf(const FragmentLayout &layout, int64_t rowTile, int64_t piece) {
  SmallVector<int64_t> numbers;
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t e = 0; e < 2; ++e)
      numbers.push_back(layout.registerOf({2 * rowTile + h, 0, 2 * piece + e}));
  return numbers;
}

/// A piece's numbers as they are stored.
Value pieceOf(ThreadBuilder &b, const FragmentLayout &layout, ValueRange registers, int64_t rowTile, int64_t piece) {
  SmallVector<Value> numbers;
  for (int64_t number : registersOf(layout, rowTile, piece))
    numbers.push_back(registers[number]);
  return vector::FromElementsOp::create(b, VectorType::get({4}, b.getF32Type()), numbers);
}

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
    int64_t bytes = (rowTile * perRow + piece) * pieceBytes;
    return LLVM::GEPOp::create(b, first.getType(), b.getI8Type(), first, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
  }
  int64_t pieces() const { return layout.columnRegisters() / 2; }
private:
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
        if (op.getAdd())
          add(b, pieces.pointer(b, i, piece), llvm::map_to_vector(registersOf(layout, i, piece), [&](int64_t number) { return adaptor.getValue()[number]; }));
        else
          LLVM::StoreOp::create(b, pieceOf(b, layout, adaptor.getValue(), i, piece), pieces.pointer(b, i, piece), 16);
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
        for (auto [place, number] : llvm::enumerate(registersOf(layout, i, piece)))
          values[number] = branch.getResult(4 * piece + place);
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
    return success();
  }
};

/// When all lanes have written, the first one speaks for the warp.
struct LowerHandOver : OpConversionPattern<tile::HandOverOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::HandOverOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    FragmentLayout layout = layoutOf(op.getValue().getType());
    TurnBarriers barriers(b, adaptor.getBarriers().front(), adaptor.getTurn().front(), op.getBarriers().getType().getStages());
    barriers.wait(b, Barrier::Empty);
    int64_t pieces = layout.columnRegisters() / 2, rowBytes = op.getSlot().getType().getBuffer().getRowBytes();
    Value first = b.warpRows(adaptor.getSlot().front(), layout, rowBytes), lane = b.shiftLeft(b.lane(), 4);
    Value part = b.sharedOffset(first, layout.isSliced ? b.add(b.mul(b.slice(layout), b.i32(pieces * pieceBytes)), lane) : lane);
    for (int64_t i = 0; i < layout.rowTiles(); ++i)
      for (int64_t piece = 0; piece < pieces; ++piece)
        LLVM::StoreOp::create(b, pieceOf(b, layout, adaptor.getValue(), i, piece), b.sharedOffset(part, b.i32(16 * i * rowBytes + piece * pieceBytes)), 16);
    NVVM::SyncWarpOp::create(b, b.i32(-1));
    barriers.arrive(b, Barrier::Full);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Tiles of rows lie in one piece, in the slot as in the view.
struct LowerAddFragments : OpConversionPattern<tile::AddFragmentsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::AddFragmentsOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    tile::BufferType tile = op.getSlot().getType().getBuffer();
    GlobalRows rows(b, op.getView(), op.getBatch(), op.getHead());
    Value row = b.toI32(op.getRow()), high = b.toI32(memref::DimOp::create(b, op.getView(), int64_t(2)));
    auto branch = scf::IfOp::create(b, b.less(row, high));
    ThreadBuilder inner(op.getLoc(), branch.getThenBodyBuilder());
    Value left = arith::SubIOp::create(inner, high, row), there = inner.bitAnd(inner.add(left, inner.i32(15)), inner.i32(-16)); // pieces are whole
    Value bytes = inner.mul(arith::MinSIOp::create(inner, there, inner.i32(tile.getRows())), inner.i32(tile.getRowBytes()));
    Value from = LLVM::PtrToIntOp::create(inner, inner.getI32Type(), adaptor.getSlot());
    LLVM::InlineAsmOp::create(inner, TypeRange(), {rows.pointer(inner, row, inner.i32(0)), from, bytes},
                              "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [$0], [$1], $2;", "l,r,r,~{memory}", /*has_side_effects=*/true,
                              /*is_align_stack=*/false, LLVM::TailCallKind::None, LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    NVVM::CpAsyncBulkCommitGroupOp::create(inner);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void populateFragmentPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter, bool vectorAdds) {
  patterns.add<LowerWriteFragments>(converter, patterns.getContext(), vectorAdds);
  patterns.add<LowerReadFragments, LowerHandOver, LowerAddFragments>(converter, patterns.getContext());
}

} // namespace landmark
