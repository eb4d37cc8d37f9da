// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products by mma.sync, operands by ldmatrix (PTX ISA, "Matrix multiply-accumulate operation using mma instruction").
//
// An instruction multiplies 16 rows by 8 columns over a depth of 16 (16-bit) or 8 (tf32) elements: two chunks of 16 bytes either way, so that operands
// that ldmatrix reads have the same addresses for all types. A depth of one chunk that is left over takes the instruction of half the depth.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <map>
#include <tuple>

using namespace mlir;

namespace landmark {
namespace {

/// Pointer to a chunk that only lane and warp know, `row` a multiple of 8.
Value anyChunkPointer(ThreadBuilder &b, Value slot, tile::BufferType type, int64_t row, Value laneRow, Value chunk) {
  tile::SwizzleAttr swizzle = type.getSwizzle();
  Value order = b.bitAnd(b.shiftRight(laneRow, swizzle.getShift()), b.i32((int64_t(1) << swizzle.getBits()) - 1));
  Value inRow = b.shiftLeft(b.bitXor(chunk, order), 4);
  Value start = b.sharedOffset(slot, b.add(b.mul(laneRow, b.i32(type.getRowBytes())), inRow));
  return b.sharedOffset(start, b.i32(row * type.getRowBytes()));
}

/// One product of a warp: operand fragments in, accumulators in place.
class DotEmitter {
public:
  DotEmitter(ThreadBuilder &b, tile::DotOp op, ValueRange a, ValueRange right, ValueRange acc)
      : b(b), element(operandElement(op)), a(a), right(right.front()), rightType(cast<tile::SlotType>(op.getB().getType()).getBuffer()),
        accumulators(acc.begin(), acc.end()), accLayout(layoutOf(op.getType())) {
    if (auto slot = dyn_cast<tile::SlotType>(op.getA().getType()))
      leftType = slot.getBuffer();
  }

  /// Rows of the right operand are columns of the result: keys as the transposed operand.
  SmallVector<Value> emitTransposed() {
    int64_t chunks = rightType.getRowBytes() / 16, tiles = rightType.getRows() / 8;
    if (accLayout.isSliced) { // this warp's keys
      tiles /= accLayout.warps;
      right = b.sharedOffset(right, b.mul(b.warp(), b.i32(8 * tiles * rightType.getRowBytes())));
    }
    if (accLayout.split > 1) { // this group's
      tiles /= accLayout.split;
      right = b.sharedOffset(right, b.mul(b.splitGroup(accLayout), b.i32(8 * tiles * rowPitch(rightType))));
    }
    for (int64_t chunk = 0; chunk < chunks; chunk += 2) {
      int64_t depth = std::min<int64_t>(2, chunks - chunk);
      loadLeft(chunk, depth);
      for (int64_t tile = 0; tile < tiles; tile += 2) {
        int64_t width = std::min<int64_t>(2, tiles - tile);
        SmallVector<Value> fragments = loadKeys(8 * tile, width, chunk, depth);
        for (int64_t i = 0; i < width; ++i)
          multiply(tile + i, ArrayRef(fragments).slice(i * depth, depth));
      }
    }
    return std::move(accumulators);
  }

  /// Columns of the right operand are columns of the result: weights times values. With `transposed` the left operand's rows are contracted too.
  SmallVector<Value> emitPlain(bool transposed) {
    int64_t tiles = rightType.getColumns() / (accLayout.isSliced ? 8 * accLayout.warps : 8), rows = rightType.getRows(), step = isTf32() ? 8 : 16;
    for (int64_t row = 0; row < rows; row += step) {
      int64_t depth = isTf32() ? 2 : std::min<int64_t>(2, (rows - row) / 8);
      if (transposed)
        loadLeftTransposed(row);
      else
        takeLeft(row / 8, depth);
      for (int64_t tile = 0; tile < tiles; tile += 2) {
        int64_t width = std::min<int64_t>(2, tiles - tile);
        SmallVector<Value> fragments = isTf32() ? gatherValues(row, tile, width) : loadValues(row, depth, tile, width);
        for (int64_t i = 0; i < width; ++i)
          multiply(tile + i, ArrayRef(fragments).slice(i * depth, depth));
      }
    }
    return std::move(accumulators);
  }

private:
  static Type operandElement(tile::DotOp op) { return cast<tile::SlotType>(op.getB().getType()).getBuffer().getElementType(); }
  bool isTf32() const { return element.isF32(); }
  int64_t rowTiles() const { return accLayout.rowTiles(); }
  /// Whether rows 8-15 of the only row tile are not there; the instruction multiplies zeros in their place.
  bool isHalf() const { return accLayout.rowRegisters() == 1; }

  /// Turns a word that ldmatrix read into an operand of mma.
  Value asOperand(Value word) {
    if (element.isF16())
      return LLVM::BitcastOp::create(b, VectorType::get({2}, element), word);
    if (!isTf32())
      return word;
    return roundToTf32(LLVM::BitcastOp::create(b, b.getF32Type(), word));
  }
  /// The tensor cores ignore the low bits of a tf32 operand; rounding to nearest first halves the error and takes its bias away.
  Value roundToTf32(Value value) {
    return NVVM::ConvertFloatToTF32Op::create(b, b.getI32Type(), value, NVVM::FPRoundingMode::RNA, NVVM::SaturationMode::NONE, false);
  }

  SmallVector<Value> loadMatrices(Value pointer, int64_t count, bool transposed) {
    auto layout = transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row;
    Type word = b.getI32Type();
    Type result = count == 1 ? word : LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, word));
    Value loaded = NVVM::LdMatrixOp::create(b, result, pointer, count, layout, NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
                                            NVVM::LdStMatrixEltType::B16);
    if (count == 1)
      return {asOperand(loaded)};
    SmallVector<Value> words;
    for (int64_t i = 0; i < count; ++i)
      words.push_back(asOperand(b.extract(loaded, i)));
    return words;
  }

  /// Which lane names which row and chunk to ldmatrix, eight lanes a matrix.
  enum class Lanes {
    Rows8,         ///< rows 0-7
    Rows16,        ///< rows 0-15
    Rows8Chunks2,  ///< rows 0-7 of two chunks
    Rows16Chunks2, ///< rows 0-15, then those of the next chunk
    Chunks2Rows16, ///< rows 0-7 of two chunks, then rows 8-15 of both
  };

  /// Row and chunk that the lane names.
  ChunkAddress laneAddress(int64_t row, int64_t chunk, Lanes lanes) {
    auto bit = [&](int64_t number) { return b.bitAnd(b.shiftRight(b.lane(), number), b.i32(1)); };
    bool isWide = lanes == Lanes::Rows16 || lanes == Lanes::Rows16Chunks2;
    ChunkAddress address{row, chunk, b.bitAnd(b.lane(), b.i32(isWide ? 15 : 7)), Value()};
    if (lanes == Lanes::Chunks2Rows16)
      address.laneRow = b.bitOr(address.laneRow, b.shiftLeft(bit(4), 3));
    if (lanes == Lanes::Rows8Chunks2 || lanes == Lanes::Chunks2Rows16)
      address.laneChunk = bit(3);
    if (lanes == Lanes::Rows16Chunks2)
      address.laneChunk = bit(4);
    return address;
  }

  /// Pointer for one ldmatrix. Where the swizzle takes in all three bits of a chunk's number, the chunks of a row differ from chunk 0 by an exclusive or on the
  /// address, so that one register serves them all; elsewhere there is a base for each.
  Value pointer(Value slot, tile::BufferType type, int64_t row, int64_t chunk, Lanes lanes) {
    bool isFullSwizzle = type.getSwizzle().getBits() == 3;
    int64_t moved = chunk & 7;
    Value &base = lanePointers[{slot.getAsOpaquePointer(), isFullSwizzle ? 0 : moved, lanes}];
    if (!base)
      base = chunkLanePointer(b, slot, type, laneAddress(row, isFullSwizzle ? 0 : moved, lanes));
    Value start = base;
    if (isFullSwizzle && moved != 0) {
      Value address = LLVM::PtrToIntOp::create(b, b.getI32Type(), base);
      start = LLVM::IntToPtrOp::create(b, base.getType(), b.bitXor(address, b.i32(moved * 16)));
    }
    return b.sharedOffset(start, b.i32(chunkConstant(type, {row, chunk, Value(), Value()})));
  }

  /// Left operand in shared memory: for each row tile, matrices (rows 0-7, 8-15) x (chunk, chunk + 1).
  void loadLeft(int64_t chunk, int64_t depth) {
    left.clear();
    if (!leftType)
      return takeLeft(chunk, depth);
    if (!leftSlot)
      leftSlot = b.warpRows(a.front(), accLayout, rowPitch(leftType));
    if (isHalf()) {
      Lanes lanes = depth == 2 ? Lanes::Rows8Chunks2 : Lanes::Rows8;
      SmallVector<Value> fragment;
      for (Value half : loadMatrices(pointer(leftSlot, leftType, 0, chunk, lanes), depth, false))
        fragment.append({half, zeroLike(half)});
      left.push_back(fragment);
      return;
    }
    Lanes lanes = depth == 2 ? Lanes::Rows16Chunks2 : Lanes::Rows16;
    for (int64_t i = 0; i < rowTiles(); ++i)
      left.push_back(loadMatrices(pointer(leftSlot, leftType, 16 * i, chunk, lanes), 2 * depth, false));
  }

  /// Left operand in shared memory, a contracted row in each of its rows: 16 of them from `row` on (8 of tf32), whose columns are rows of the result, 16 for
  /// each row tile of each warp.
  void loadLeftTransposed(int64_t row) {
    left.clear();
    int64_t perTile = isTf32() ? 4 : 2; // chunks of 16 columns
    Value firstChunk = b.mul(b.warp(), b.i32(perTile * rowTiles()));
    for (int64_t i = 0; i < rowTiles(); ++i) {
      Value chunk = b.add(firstChunk, b.i32(perTile * i));
      if (isTf32()) {
        left.push_back(gatherColumns(row, chunk));
        continue;
      }
      // Matrices (rows 0-7, rows 8-15) x (chunk, chunk + 1), transposed on the way.
      ChunkAddress lanes = laneAddress(row, 0, Lanes::Chunks2Rows16);
      left.push_back(loadMatrices(columnPointer(row, lanes.laneRow, b.bitOr(chunk, lanes.laneChunk)), 4, true));
    }
  }

  /// Pointer to a chunk of the left operand that only the warp knows.
  Value columnPointer(int64_t row, Value laneRow, Value chunk) { return anyChunkPointer(b, a.front(), leftType, row, laneRow, chunk); }

  /// 32-bit elements cannot be transposed by ldmatrix: each lane reads rows 2t and 2t + 1 of columns g and g + 8, to which gatherValues agrees.
  SmallVector<Value> gatherColumns(int64_t row, Value chunk) {
    SmallVector<Value> fragment;
    Value evenRow = b.shiftLeft(b.inQuad(), 1), inChunk = b.shiftLeft(b.bitAnd(b.group(), b.i32(3)), 2);
    for (int64_t odd = 0; odd < 2; ++odd)
      for (int64_t h = 0; h < 2; ++h) {
        Value laneChunk = b.add(b.add(chunk, b.i32(2 * h)), b.shiftRight(b.group(), 2));
        Value pointer = columnPointer(row, odd ? b.bitOr(evenRow, b.i32(1)) : evenRow, laneChunk);
        fragment.push_back(roundToTf32(LLVM::LoadOp::create(b, b.getF32Type(), b.sharedOffset(pointer, inChunk))));
      }
    return fragment;
  }

  /// Left operand in registers, as accumulators leave it. A pair is a word; tf32 takes the two columns of a lane as depths t and t + 4, to which
  /// gatherValues agrees.
  void takeLeft(int64_t tile, int64_t depth) {
    left.clear();
    int64_t columns = a.size() / accLayout.rowRegisters(); // registers of one row
    for (int64_t i = 0; i < rowTiles(); ++i) {
      SmallVector<Value> fragment;
      for (int64_t d = 0; d < depth; ++d)
        for (int64_t h = 0; h < 2; ++h) {
          if (h == 1 && isHalf())
            fragment.push_back(zeroLike(fragment.back()));
          else if (isTf32())
            fragment.push_back(roundToTf32(a[(2 * i + h) * columns + 2 * tile + d]));
          else
            fragment.push_back(pairOperand(a[(2 * i + h) * columns + tile + d]));
        }
      left.push_back(fragment);
    }
  }
  Value zeroLike(Value operand) { return arith::ConstantOp::create(b, b.getZeroAttr(operand.getType())); }
  Value pairOperand(Value pair) { return element.isF16() ? pair : Value(LLVM::BitcastOp::create(b, b.getI32Type(), pair)); }

  /// Fragments of `width` column tiles from keys stored as rows, for each tile its chunks.
  SmallVector<Value> loadKeys(int64_t row, int64_t width, int64_t chunk, int64_t depth) {
    Lanes lanes = depth == 1 ? (width == 1 ? Lanes::Rows8 : Lanes::Rows16) : width == 1 ? Lanes::Rows8Chunks2 : Lanes::Chunks2Rows16;
    return loadMatrices(pointer(right, rightType, row, chunk, lanes), width * depth, false);
  }

  /// Fragments of `width` column tiles from values stored as rows, transposed on the way.
  SmallVector<Value> loadValues(int64_t row, int64_t depth, int64_t chunk, int64_t width) {
    Lanes lanes = depth == 1 ? (width == 1 ? Lanes::Rows8 : Lanes::Rows8Chunks2) : width == 1 ? Lanes::Rows16 : Lanes::Rows16Chunks2;
    if (!accLayout.isSliced)
      return loadMatrices(pointer(right, rightType, row, chunk, lanes), width * depth, true);
    ChunkAddress address = laneAddress(row, 0, lanes);
    Value sliced = sliceChunk(chunk, accLayout.sliceColumns() / 8);
    if (address.laneChunk)
      sliced = b.add(sliced, address.laneChunk);
    return loadMatrices(anyChunkPointer(b, right, rightType, row, address.laneRow, sliced), width * depth, true);
  }
  /// Chunk `chunk` of this warp's slice, which has `chunks`.
  Value sliceChunk(int64_t chunk, int64_t chunks) { return b.add(b.mul(b.warp(), b.i32(chunks)), b.i32(chunk)); }

  /// 32-bit elements cannot be transposed by ldmatrix: each lane reads its two, rows 2t and 2t + 1.
  SmallVector<Value> gatherValues(int64_t row, int64_t tile, int64_t width) {
    SmallVector<Value> fragments;
    Value evenRow = b.shiftLeft(b.inQuad(), 1), laneChunk = b.shiftRight(b.group(), 2);
    Value inChunk = b.shiftLeft(b.bitAnd(b.group(), b.i32(3)), 2);
    for (int64_t i = 0; i < width; ++i)
      for (int64_t odd = 0; odd < 2; ++odd) {
        Value laneRow = odd ? b.bitOr(evenRow, b.i32(1)) : evenRow;
        Value chunk = accLayout.isSliced ? sliceChunk(2 * (tile + i), accLayout.sliceColumns() / 4) : b.i32(2 * (tile + i));
        Value pointer = anyChunkPointer(b, right, rightType, row, laneRow, b.add(chunk, laneChunk));
        fragments.push_back(roundToTf32(LLVM::LoadOp::create(b, b.getF32Type(), b.sharedOffset(pointer, inChunk))));
      }
    return fragments;
  }

  /// Adds left x fragment to column tile `tile` of every row tile.
  void multiply(int64_t tile, ArrayRef<Value> fragment) {
    auto type = isTf32() ? NVVM::MMATypes::tf32 : element.isF16() ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
    int64_t depth = isTf32() ? 8 : 8 * fragment.size();
    Type f32 = b.getF32Type();
    Type result = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
    int64_t columns = accLayout.blockRegisters() * accLayout.columnRegisters();
    for (int64_t i = 0; i < rowTiles(); ++i) {
      int64_t upper = 2 * i * columns + 2 * tile, lower = upper + columns;
      SmallVector<int64_t> places = {upper, upper + 1};
      if (!isHalf())
        places.append({lower, lower + 1});
      SmallVector<Value> acc(4, arith::ConstantOp::create(b, b.getF32FloatAttr(0.0f)));
      for (auto [number, place] : llvm::enumerate(places))
        acc[number] = accumulators[place];
      Value product = NVVM::MmaOp::create(b, result, left[i], fragment, acc, ArrayRef<int64_t>{16, 8, depth}, std::nullopt, std::nullopt,
                                          std::array<NVVM::MMATypes, 2>{type, type},
                                          std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
      for (auto [number, place] : llvm::enumerate(places))
        accumulators[place] = b.extract(product, number);
    }
  }

  ThreadBuilder &b;
  Type element;
  ValueRange a;
  Value right;
  tile::BufferType leftType, rightType;
  SmallVector<Value> accumulators;
  FragmentLayout accLayout;
  Value leftSlot; // this warp's rows of the left operand
  std::map<std::tuple<const void *, int64_t, Lanes>, Value> lanePointers;
  SmallVector<SmallVector<Value>> left; // fragments of the current depth, by row tile
};

struct LowerDot : OpConversionPattern<tile::DotOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::DotOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    if (op.getUnit() != tile::MatrixUnit::Mma)
      return failure();
    if (!isa<tile::SlotType>(op.getB().getType()))
      return op.emitOpError("reads its right operand from shared memory");
    bool fromRegisters = isa<RankedTensorType>(op.getA().getType());
    Type element = cast<tile::SlotType>(op.getB().getType()).getBuffer().getElementType();
    if (op.getTranspose() && fromRegisters && element.isF32())
      return op.emitOpError("reads f32 queries from shared memory");
    if (!op.getTranspose() && op.getTransposed() == fromRegisters)
      return op.emitOpError("takes weights from registers, transposed ones from shared memory");
    if (op.getTransposed() && cast<tile::SlotType>(op.getB().getType()).getBuffer().getRows() % 16 != 0)
      return op.emitOpError("contracts rows in steps of 16 where its left operand is transposed");
    if (element.isF32() && cast<tile::SlotType>(op.getB().getType()).getBuffer().getColumns() % 8 != 0)
      return op.emitOpError("multiplies f32 rows of a multiple of 8 columns");
    ThreadBuilder b(op.getLoc(), rewriter);
    DotEmitter emitter(b, op, adaptor.getA(), adaptor.getB(), adaptor.getAcc());
    SmallVector<Value> result = op.getTranspose() ? emitter.emitTransposed() : emitter.emitPlain(op.getTransposed());
    rewriter.replaceOpWithMultiple(op, {ValueRange(result)});
    return success();
  }
};

/// Where a thread's register number `number` of a tile, and the one after it, stand in a slot of the tile's rows.
Value pairPointer(ThreadBuilder &b, Value slot, tile::BufferType buffer, const FragmentLayout &layout, int64_t number) {
  bool isWide = buffer.getElementType().isF32();
  // A column tile is one chunk of 16-bit elements, two of 32-bit ones.
  Value laneChunk = isWide ? b.shiftRight(b.inQuad(), 1) : b.i32(0);
  Value inChunk = isWide ? b.shiftLeft(b.bitAnd(b.inQuad(), b.i32(1)), 3) : b.shiftLeft(b.inQuad(), 2);
  auto place = layout.placeOf(number);
  int64_t column = place.block * layout.columns + FragmentLayout::columnConstant(place.column), perTile = isWide ? 2 : 1;
  Value chunk = b.add(laneChunk, b.i32(column / 8 * perTile));
  if (layout.isSliced)
    chunk = b.add(chunk, b.mul(b.warp(), b.i32(layout.sliceColumns() / 8 * perTile)));
  return b.sharedOffset(anyChunkPointer(b, slot, buffer, FragmentLayout::rowConstant(place.row), b.group(), chunk), inChunk);
}

/// A tile of 16-bit elements into registers, as the left operand of dots, or one of float32 that every warp needs whole.
struct LowerRead : OpConversionPattern<tile::ReadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::ReadOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    auto type = op.getResult().getType();
    tile::BufferType buffer = op.getSlot().getType().getBuffer();
    FragmentLayout layout = layoutOf(type);
    auto pair = VectorType::get({2}, type.getElementType());
    if (type.getRank() == 1) {
      SmallVector<Value> values;
      Value first = b.sharedOffset(adaptor.getSlot(), b.shiftLeft(b.firstRow(layout), 2));
      for (int64_t i = 0; i < layout.rowRegisters(); ++i)
        values.push_back(LLVM::LoadOp::create(b, b.getF32Type(), b.sharedOffset(first, b.i32(4 * FragmentLayout::rowConstant(i)))));
      rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
      return success();
    }
    if (type.getElementType().isF32()) {
      SmallVector<Value> values;
      Value slot = b.warpRows(adaptor.getSlot(), layout, buffer.getRowBytes());
      for (int64_t number = 0; number < layout.registers(); number += 2) {
        Value loaded = LLVM::LoadOp::create(b, pair, pairPointer(b, slot, buffer, layout, number), 8);
        for (int64_t e = 0; e < 2; ++e)
          values.push_back(vector::ExtractOp::create(b, loaded, e));
      }
      rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
      return success();
    }
    Value row16 = b.bitAnd(b.lane(), b.i32(15));
    Value slot = b.warpRows(adaptor.getSlot(), layout, rowPitch(buffer));
    int64_t chunks = type.getNumElements() / type.getDimSize(0) / 8;
    SmallVector<Value> values(layout.registers() / 2);
    for (int64_t i = 0; i < layout.rowTiles(); ++i)
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        Value pointer = chunkPointer(b, slot, buffer, {16 * i, chunk, row16, Value()});
        Type word = b.getI32Type();
        bool isHalf = layout.rowRegisters() == 1;
        Type result = isHalf ? word : LLVM::LLVMStructType::getLiteral(b.getContext(), {word, word});
        Value loaded = NVVM::LdMatrixOp::create(b, result, pointer, isHalf ? 1 : 2, NVVM::MMALayout::row,
                                                NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8), NVVM::LdStMatrixEltType::B16);
        for (int64_t h = 0; h < (isHalf ? 1 : 2); ++h)
          values[(2 * i + h) * chunks + chunk] = LLVM::BitcastOp::create(b, pair, isHalf ? loaded : b.extract(loaded, h));
      }
    rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
    return success();
  }
};

/// A tile from registers to shared memory, two neighbouring columns at a time.
struct LowerWrite : OpConversionPattern<tile::WriteOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::WriteOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    auto type = op.getValue().getType();
    tile::BufferType buffer = op.getSlot().getType().getBuffer();
    FragmentLayout layout = layoutOf(type);
    bool isWide = type.getElementType().isF32();
    int64_t share = layout.blockRegisters() * layout.columns * type.getElementTypeBitWidth() / 128; // chunks of a group's blocks
    Value slot = b.warpRows(adaptor.getSlot().front(), layout, rowPitch(buffer));
    if (layout.split > 1 && share % 8 != 0)
      return op.emitOpError("lets groups write whole panels of 8 chunks, not ") << share << " chunks each";
    if (layout.split > 1)
      slot = b.sharedOffset(slot, b.mul(b.splitGroup(layout), b.i32(chunkConstant(buffer, {0, share, Value(), Value()}))));
    if (buffer.getSwizzle().getPanel() && !isWide)
      storeMatrices(b, adaptor.getValue(), layout, slot, buffer);
    else
      storePairs(b, adaptor.getValue(), layout, slot, buffer, isWide);
    rewriter.eraseOp(op);
    return success();
  }

  /// A lane's two neighbouring columns at a time.
  static void storePairs(ThreadBuilder &b, ValueRange values, const FragmentLayout &layout, Value slot, tile::BufferType buffer, bool isWide) {
    for (int64_t number = 0; number < layout.registers(); number += 2) {
      Value pointer = pairPointer(b, slot, buffer, layout, number);
      Value pair = isWide ? Value(vector::FromElementsOp::create(b, VectorType::get({2}, b.getF32Type()), values.slice(number, 2))) : values[number / 2];
      LLVM::StoreOp::create(b, pair, pointer, isWide ? 8 : 4);
    }
  }

  /// Where wgmma reads, the warp stores 16 rows of two chunks in one piece (PTX ISA, "stmatrix").
  static void storeMatrices(ThreadBuilder &b, ValueRange values, const FragmentLayout &layout, Value slot, tile::BufferType buffer) {
    int64_t inBlock = layout.columns / 8, chunks = layout.blockRegisters() * inBlock;
    Value row16 = b.bitAnd(b.lane(), b.i32(15)), nextChunk = b.shiftRight(b.lane(), 4);
    for (int64_t i = 0; i < layout.rowTiles(); ++i)
      for (int64_t chunk = 0; chunk < chunks; chunk += 2) {
        SmallVector<Value> words;
        for (int64_t c = chunk; c < std::min(chunk + 2, chunks); ++c)
          for (int64_t h = 0; h < 2; ++h) {
            Value pair = values[layout.registerOf({2 * i + h, c / inBlock, c % inBlock * 2}) / 2];
            words.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair));
          }
        Value pointer = chunkPointer(b, slot, buffer, {16 * i, chunk, row16, nextChunk});
        NVVM::StMatrixOp::create(b, pointer, words, NVVM::MMALayout::row, NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8), NVVM::LdStMatrixEltType::B16);
      }
  }
};

} // namespace

void populateDotPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerDot, LowerRead, LowerWrite>(converter, patterns.getContext());
}

} // namespace landmark
