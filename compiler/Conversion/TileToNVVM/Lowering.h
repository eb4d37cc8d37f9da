// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of the conversion share: tiles as lists of scalars, and a builder for per-thread code.
#ifndef LANDMARK_COMPILER_CONVERSION_TILETONVVM_LOWERING_H
#define LANDMARK_COMPILER_CONVERSION_TILETONVVM_LOWERING_H

#include "compiler/Conversion/TileToNVVM/FragmentLayout.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/DialectConversion.h"

#include <map>

namespace landmark {

/// The layout of a tile that carries a fragment encoding.
FragmentLayout layoutOf(mlir::RankedTensorType type);

/// Whether a thread keeps the tile's elements in pairs of neighbouring columns: 16-bit floats with a column dimension.
bool isPaired(mlir::RankedTensorType type);

/// A tile becomes the scalars (or pairs) that its layout gives a thread, a ring or a slot a pointer into shared memory.
struct FragmentTypeConverter : mlir::TypeConverter {
  FragmentTypeConverter();
};

/// Builds per-thread arithmetic on 32-bit integers and pointers. Constants and the numbers of thread and lane are made once a block of code: a product
/// asks for them thousands of times.
struct ThreadBuilder : mlir::ImplicitLocOpBuilder {
  using Value = mlir::Value;
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  Value i32(int64_t value) {
    return once({Known::Constant, value}, [&] { return mlir::arith::ConstantIntOp::create(*this, value, 32); });
  }
  Value i64(int64_t value) { return mlir::arith::ConstantIntOp::create(*this, value, 64); }
  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulIOp::create(*this, a, b); }
  Value bitAnd(Value a, Value b) { return mlir::arith::AndIOp::create(*this, a, b); }
  Value bitXor(Value a, Value b) { return mlir::arith::XOrIOp::create(*this, a, b); }
  Value bitOr(Value a, Value b) { return mlir::arith::OrIOp::create(*this, a, b); }
  Value shiftLeft(Value a, int64_t bits) { return mlir::arith::ShLIOp::create(*this, a, i32(bits)); }
  Value shiftRight(Value a, int64_t bits) { return mlir::arith::ShRUIOp::create(*this, a, i32(bits)); }
  Value less(Value a, Value b) { return mlir::arith::CmpIOp::create(*this, mlir::arith::CmpIPredicate::slt, a, b); }
  Value divide(Value a, int64_t b) { return mlir::arith::DivUIOp::create(*this, a, i32(b)); }
  Value remainder(Value a, int64_t b) { return mlir::arith::RemUIOp::create(*this, a, i32(b)); }
  Value toI64(Value index) { return mlir::arith::IndexCastOp::create(*this, getI64Type(), index); }
  Value toI32(Value index) { return mlir::arith::IndexCastOp::create(*this, getI32Type(), index); }

  Value thread(); ///< number of the thread in its block
  Value lane() {
    return once({Known::Lane, 0}, [&] { return bitAnd(thread(), i32(31)); });
  }
  Value warp() { return shiftRight(thread(), 5); }
  Value group() { return shiftRight(lane(), 2); }   ///< g
  Value inQuad() { return bitAnd(lane(), i32(3)); } ///< t
  Value firstRow(const FragmentLayout &layout) {        ///< what lane and warp give a row
    return layout.rowWarps() == 1 ? group() : add(mul(rowWarp(layout), i32(16 * layout.rowTiles())), group());
  }
  Value firstColumn(const FragmentLayout &layout) { ///< what lane and warp give a column
    Value inQuadPart = shiftLeft(inQuad(), 1);
    return layout.isSliced ? add(mul(slice(layout), i32(layout.sliceColumns())), inQuadPart) : inQuadPart;
  }
  /// Where a warp's rows of a slot begin, for tiles of this layout.
  Value warpRows(Value slot, const FragmentLayout &layout, int64_t rowBytes) {
    return layout.rowWarps() == 1 ? slot : sharedOffset(slot, mul(rowWarp(layout), i32(16 * layout.rowTiles() * rowBytes)));
  }
  /// Number of the warp among those that share the rows, and of its group among those that share the blocks.
  Value rowWarp(const FragmentLayout &layout) {
    if (layout.first > 0)
      return sub(warp(), i32(layout.first));
    return layout.split == 1 ? warp() : remainder(warp(), layout.rowWarps());
  }
  Value splitGroup(const FragmentLayout &layout) { return divide(warp(), layout.rowWarps()); }
  /// Number of the warp's slice of the columns.
  Value slice(const FragmentLayout &layout) { return layout.rowWarps() == 1 ? warp() : splitGroup(layout); }

  Value sharedOffset(Value pointer, Value bytes); ///< pointer + bytes in shared memory
  Value extract(Value aggregate, int64_t index) { return mlir::LLVM::ExtractValueOp::create(*this, aggregate, index); }

private:
  enum class Known { Constant, Thread, Lane };

  /// The value made before in this block, or a new one. Valid while the builder only moves forward in a block.
  template <typename Make> Value once(std::pair<Known, int64_t> key, Make make) {
    if (getInsertionBlock() != block) {
      block = getInsertionBlock();
      made.clear();
    }
    auto found = made.find(key);
    if (found != made.end())
      return found->second;
    Value value = make();
    made[key] = value;
    return value;
  }

  mlir::Block *block = nullptr;
  std::map<std::pair<Known, int64_t>, Value> made;
};

/// Bytes from the start of a slot to a chunk of 16 bytes, row and chunk given as constant + what the lane gives. `row` must be a multiple of 8;
/// `laneRow` may be anything below 16, `laneChunk` 0 or 1 with `chunk` even (or null).
struct ChunkAddress {
  int64_t row, chunk;
  mlir::Value laneRow, laneChunk;
};
mlir::Value chunkPointer(ThreadBuilder &b, mlir::Value slot, tile::BufferType type, ChunkAddress address);

/// The part of it that differs between lanes, and the constant that is left.
mlir::Value chunkLanePointer(ThreadBuilder &b, mlir::Value slot, tile::BufferType type, ChunkAddress address);
int64_t chunkConstant(tile::BufferType type, const ChunkAddress &address);

/// A pointer into the block's dynamic shared memory.
mlir::Value sharedMemory(ThreadBuilder &b, int64_t offset);

/// All values, one at least, combined into one, by chains side by side: four are enough to keep the pipes busy.
constexpr size_t chainsSideBySide = 4;
mlir::Value combineAll(ThreadBuilder &b, tile::ReductionKind kind, mlir::SmallVector<mlir::Value> values, size_t chains = chainsSideBySide);

// Numbers of rows and blocks, dealt out to the lanes of a quad (FragmentLayout::isDealt). Every lane has `numbers`; the results are a lane's.
/// All of them again, in all lanes.
mlir::SmallVector<mlir::Value> collectDealt(ThreadBuilder &b, mlir::ValueRange dealt);
/// A lane's of those that all lanes have.
mlir::SmallVector<mlir::Value> dealCopies(ThreadBuilder &b, mlir::ValueRange numbers);
/// A lane's of those that lane `holder` has.
mlir::SmallVector<mlir::Value> dealHeld(ThreadBuilder &b, mlir::ValueRange numbers, int64_t holder);
/// A lane's of what the four lanes' numbers combine to.
mlir::SmallVector<mlir::Value> dealCombined(ThreadBuilder &b, tile::ReductionKind kind, mlir::ValueRange numbers);

/// Clamp and mask of shuffles in segments of four lanes (PTX ISA, "shfl.sync").
constexpr int64_t quads = 0x1c03;
/// Two values combined.
mlir::Value combine(ThreadBuilder &b, tile::ReductionKind kind, mlir::Value left, mlir::Value right);
mlir::Value shuffle(ThreadBuilder &b, mlir::NVVM::ShflKind kind, mlir::Value value, int64_t operand, int64_t maskAndClamp);

/// Bytes from a row to the next: of a panel, where the tile has panels.
int64_t rowPitch(tile::BufferType type);

void populateDotPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
void populateWgmmaPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
void populateMemoryPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
/// `vectorAdds`: four floats are added to memory at once.
void populateFragmentPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter, bool vectorAdds);
void populateRotatePatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
void populateRingPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
void populateClusterPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
void populateTopKPatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);
void populateElementwisePatterns(mlir::RewritePatternSet &patterns, const FragmentTypeConverter &converter);

} // namespace landmark
#endif
