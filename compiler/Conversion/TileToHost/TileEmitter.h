// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of convert-tile-to-host share: buffers for tiles, loops over their vectors, and the evaluation of
// elementwise code at a vector.
//
// A tile is either *stored*, in a buffer of the stack frame, or *implied*: elementwise operations, broadcasts, iotas
// and constants leave no trace where they stand and are evaluated, vector by vector, in the loops of whatever stores or
// reduces their results. So chains of them never go through memory. What would be evaluated twice and is not cheap is
// stored where it stands (TileEmitter::isWorthStoring).
#ifndef LANDMARK_COMPILER_CONVERSION_TILETOHOST_TILEEMITTER_H
#define LANDMARK_COMPILER_CONVERSION_TILETOHOST_TILEEMITTER_H

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {

/// How a tile lies in its buffer. One dimension is contiguous and cut into vectors, its size padded to a multiple of
/// `width`: the last one, or the longest where the last is shorter than 8. What the padding holds is arbitrary. A tile
/// of rank 0 is one element.
struct TileLayout {
  TileLayout(mlir::RankedTensorType type, int64_t lanes);

  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<int64_t> strides; ///< elements of the buffer
  int64_t size;                       ///< elements of the buffer
  int64_t vectorDim;           ///< -1 where there is none
  int64_t width;               ///< elements of a vector
};

/// Where a tile is evaluated: one element, or `width` elements from there along `vectorDim`.
struct Point {
  llvm::SmallVector<mlir::Value> index;
  int64_t vectorDim = -1; ///< -1: one element
  int64_t width = 1;

  bool operator==(const Point &) const = default;
};

/// 2 to the power of every element, within 1.5 units in the last place; 0 below 2^-126.5, -inf included.
mlir::Value emitExp2(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

/// Transposes as many vectors as each of them has elements, a power of two.
void emitTranspose(mlir::ImplicitLocOpBuilder &b, llvm::MutableArrayRef<mlir::Value> rows);

class TileEmitter {
public:
  /// Emits at `builder`, which stands in the entry block of a function of `lanes` floats a vector.
  TileEmitter(mlir::ImplicitLocOpBuilder &builder, mlir::IRMapping &values, int64_t lanes)
      : b(builder), values(values), lanes(lanes) {}

  /// Converts all operations of a block but its terminator.
  mlir::LogicalResult convertBlock(mlir::Block &block);

private:
  using Value = mlir::Value;
  using Operation = mlir::Operation;
  using TileType = mlir::RankedTensorType;
  using LoopBody = llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)>;
  using NestBody = llvm::function_ref<llvm::SmallVector<Value>(mlir::ValueRange)>;

  // Control flow and choice of what is stored (TileToHost.cpp).
  mlir::LogicalResult convert(Operation &op);
  mlir::LogicalResult convertFor(mlir::scf::ForOp loop);
  mlir::LogicalResult convertIf(mlir::scf::IfOp branch);
  mlir::LogicalResult convertRegion(mlir::Block &block, llvm::ArrayRef<Value> tileBuffers);
  mlir::LogicalResult extract(mlir::tensor::ExtractOp op);
  void mapNumbers(mlir::ValueRange from, mlir::ValueRange to);
  void storeNow(Operation &op);
  bool isWorthStoring(Value tile);
  bool isCostly(Value tile);

  // Buffers (Buffers.cpp).
  TileLayout layoutOf(Value tile) { return TileLayout(mlir::cast<TileType>(tile.getType()), lanes); }
  Value allocate(mlir::Type element, int64_t size);
  Value allocateFor(Value tile);
  Value stored(Value tile);
  bool mayTakeOver(Value tile, Operation *user);
  void copy(Value from, Value to);

  // Loops (Loops.cpp).
  Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(b, value); }
  Value add(Value x, Value y);
  Value scale(Value x, int64_t factor);
  llvm::SmallVector<Value> forLoop(int64_t begin, int64_t end, int64_t step, mlir::ValueRange inits, LoopBody body);
  void forLoop(int64_t begin, int64_t end, int64_t step, llvm::function_ref<void(Value)> body);
  llvm::SmallVector<Value> nest(llvm::ArrayRef<int64_t> dims, const TileLayout &layout, Point &point,
                                mlir::ValueRange inits, NestBody body);
  void fill(Value tile, Value buffer, tile::ReduceOp reduction);
  void storeColumn(tile::ColumnOp op);

  // Evaluation (Evaluate.cpp).
  mlir::Type hostElement(mlir::Type element);
  mlir::Type typeAt(mlir::Type element, const Point &point);
  Value offsetOf(const TileLayout &layout, llvm::ArrayRef<Value> indices);
  Value evaluate(Value tile, const Point &point);
  Value evaluateUncached(Value tile, const Point &point);
  Value evaluateBroadcast(tile::BroadcastOp op, const Point &point);
  Value evaluateIota(const Point &point);
  Value evaluateElementwise(Operation &op, const Point &point);
  Value round(Value value, mlir::Type element);
  Value loadAt(Value buffer, Value tile, const Point &point);
  void storeAt(Value value, Value buffer, const TileLayout &layout, const Point &point);
  Value repeat(Value scalar, const Point &point);
  Value maximum(Value x, Value y);
  Value combine(tile::ReductionKind kind, Value x, Value y);
  mlir::TypedAttr neutral(tile::ReductionKind kind, mlir::Type element);
  Value combineElements(tile::ReductionKind kind, Value vector);

  // Memory outside (Memory.cpp).
  void load(tile::LoadOp op);
  void loadRows(tile::LoadOp op);
  Value enterBlockRow(tile::StoreOp op, Value i);
  void store(tile::StoreOp op);
  void readRows(tile::ReadRowsOp op);
  void copyRow(Value view, mlir::ValueRange row, Value buffer, Value offset, int64_t columns, int64_t width);

  // Selection (TopK.cpp).
  using Entry = std::pair<Value, Value>; ///< a value and an id
  Value isBefore(Entry x, Entry y);
  Entry selectEntry(Value condition, Entry x, Entry y) {
    return {mlir::arith::SelectOp::create(b, condition, x.first, y.first), mlir::arith::SelectOp::create(b, condition, x.second, y.second)};
  }
  void topK(tile::TopKOp op);

  // Rotary embedding (Rotate.cpp).
  std::pair<Value, Value> turn(tile::RotateOp op, Value row, Value pair, int64_t width);
  void rotate(tile::RotateOp op);

  // Products (Dot.cpp).
  struct Product;
  mlir::LogicalResult dot(tile::DotOp op);
  mlir::LogicalResult dotTransposed(tile::DotOp op);
  Value packTransposed(Value keys, const TileLayout &keyLayout, const TileLayout &resultLayout);
  void multiply(const Product &product);
  void multiplyPanel(const Product &product, int64_t firstColumn, int64_t endColumn, int64_t vectors);
  void multiplyBlock(const Product &product, Value row, Value column, int64_t rows, int64_t vectors);

  mlir::ImplicitLocOpBuilder &b;
  mlir::IRMapping &values; ///< of everything that is no tile
  int64_t lanes;
  llvm::DenseMap<Value, Value> buffers;                                   ///< of the tiles that are stored
  llvm::SmallVector<std::pair<std::pair<Value, Point>, Value>> evaluated; ///< in the loop body being emitted
  llvm::SmallVector<Value> freeBuffers;
  llvm::SmallVector<llvm::SmallVector<Value>> scopes{
      1}; ///< buffers of the regions being emitted, free again behind them
  llvm::DenseMap<Value, bool> costly;
  mlir::Block *current = nullptr; ///< of the program, being converted
  bool unsupported = false;       ///< something was met that cannot be lowered; reported
};

} // namespace landmark
#endif
