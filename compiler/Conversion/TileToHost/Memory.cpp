// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles from and to the views that the kernel is given. Views hold rows of the tile's columns; nothing beyond a row is
// touched.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace landmark;

/// Cuts the `rest` columns behind the last whole vector into pieces whose sizes are powers of two.
static void forPieces(int64_t rest, function_ref<void(int64_t begin, int64_t size)> body) {
  for (int64_t begin = 0; begin < rest; begin += llvm::bit_floor<uint64_t>(rest - begin))
    body(begin, llvm::bit_floor<uint64_t>(rest - begin));
}

/// Index of a column in a row of a view.
static SmallVector<Value> columnOf(ValueRange row, Value column) {
  SmallVector<Value> indices(row);
  indices.push_back(column);
  return indices;
}

/// Copies a row of `columns` elements to `offset` in the buffer, floats as float32, and zeros behind it to the end of its last
/// vector.
void TileEmitter::copyRow(Value view, ValueRange row, Value buffer, Value offset, int64_t columns, int64_t width) {
  Type element = cast<MemRefType>(view.getType()).getElementType();
  auto read = [&](Value column, int64_t size) -> Value {
    Value piece = vector::LoadOp::create(b, VectorType::get({size}, element), view, columnOf(row, column));
    return element == hostElement(element) ? piece : Value(arith::ExtFOp::create(b, VectorType::get({size}, b.getF32Type()), piece));
  };
  int64_t whole = columns / width * width;
  forLoop(0, whole, width,
          [&](Value column) { vector::StoreOp::create(b, read(column, width), buffer, add(offset, column)); });
  if (whole == columns)
    return;
  Value last = arith::ConstantOp::create(b, b.getZeroAttr(VectorType::get({width}, hostElement(element))));
  forPieces(columns - whole, [&](int64_t begin, int64_t size) {
    last = vector::InsertStridedSliceOp::create(b, read(index(whole + begin), size), last, ArrayRef<int64_t>{begin},
                                                ArrayRef<int64_t>{1});
  });
  vector::StoreOp::create(b, last, buffer, add(offset, index(whole)));
}

/// One element of every row.
void TileEmitter::loadRows(tile::LoadOp op) {
  using arith::CmpIPredicate;
  TileLayout layout = layoutOf(op.getResult());
  Value buffer = buffers[op.getResult()] = allocateFor(op.getResult());
  Value view = values.lookup(op.getView()), batch = values.lookup(op.getBatch()), head = values.lookup(op.getHead());
  Type element = cast<MemRefType>(view.getType()).getElementType();
  forLoop(0, layout.shape[0], 1, [&](Value i) {
    Value row = arith::AddIOp::create(b, values.lookup(op.getRow()), i);
    Value fromLow = arith::CmpIOp::create(b, CmpIPredicate::sge, row, values.lookup(op.getLow()));
    Value belowHigh = arith::CmpIOp::create(b, CmpIPredicate::slt, row, values.lookup(op.getHigh()));
    auto branch = scf::IfOp::create(b, b.getF32Type(), arith::AndIOp::create(b, fromLow, belowHigh), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value read = memref::LoadOp::create(b, view, ValueRange{batch, head, row});
    scf::YieldOp::create(b, element.isF32() ? read : Value(arith::ExtFOp::create(b, b.getF32Type(), read)));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, Value(arith::ConstantOp::create(b, b.getF32FloatAttr(0.0f))));
    b.setInsertionPointAfter(branch);
    memref::StoreOp::create(b, branch.getResult(0), buffer, i);
  });
}

void TileEmitter::load(tile::LoadOp op) {
  using arith::CmpIPredicate;
  if (op.getResult().getType().getRank() == 1)
    return loadRows(op);
  TileLayout layout = layoutOf(op.getResult());
  Value buffer = buffers[op.getResult()] = allocateFor(op.getResult());
  Value view = values.lookup(op.getView()), batch = values.lookup(op.getBatch()), head = values.lookup(op.getHead());
  Value first = values.lookup(op.getRow()), low = values.lookup(op.getLow()), high = values.lookup(op.getHigh());
  Value stride = op.getStride() ? values.lookup(op.getStride()) : index(1);
  Value count = op.getCount() ? values.lookup(op.getCount()) : stride;
  int64_t rank = layout.shape.size(), columns = layout.shape.back();
  auto plus = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, x, y);
  }; // rows before the first are negative

  forLoop(0, layout.shape[0], 1, [&](Value i) {
    Value start = plus(first, arith::MulIOp::create(b, i, stride));
    forLoop(0, rank == 3 ? layout.shape[1] : 1, 1, [&](Value t) {
      Value row = plus(start, t);
      Value fromLow = arith::CmpIOp::create(b, CmpIPredicate::sge, row, low);
      Value belowHigh = arith::CmpIOp::create(b, CmpIPredicate::slt, row, high);
      Value there = arith::AndIOp::create(b, fromLow, belowHigh);
      SmallVector<Value> place = {i, index(0)};
      if (rank == 3) {
        Value inBlock = arith::CmpIOp::create(b, CmpIPredicate::slt, t, count);
        there = arith::AndIOp::create(b, there, inBlock);
        place.insert(place.begin() + 1, t);
      }
      Value offset = offsetOf(layout, place);
      auto branch = scf::IfOp::create(b, there, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      copyRow(view, {batch, head, row}, buffer, offset, columns, layout.width);
      b.setInsertionPointToStart(branch.elseBlock());
      Value zero = arith::ConstantOp::create(b, b.getZeroAttr(VectorType::get({layout.width}, b.getF32Type())));
      forLoop(0, columns, layout.width,
              [&](Value column) { vector::StoreOp::create(b, zero, buffer, add(offset, column)); });
    });
  });
}

/// Row of the view that row `i` of a tile of blocks goes to; the insertion point moves to where it is known to be there.
Value TileEmitter::enterBlockRow(tile::StoreOp op, Value i) {
  using arith::CmpIPredicate;
  Value tokens = values.lookup(op.getTokens()), stride = values.lookup(op.getStride());
  Value token = arith::RemUIOp::create(b, i, tokens);
  Value start = arith::MulIOp::create(b, arith::DivUIOp::create(b, i, tokens), stride);
  Value row = arith::AddIOp::create(b, values.lookup(op.getRow()), arith::AddIOp::create(b, start, token));
  Value inBlock = arith::CmpIOp::create(b, CmpIPredicate::slt, token, stride);
  Value fromLow = arith::CmpIOp::create(b, CmpIPredicate::sge, row, index(0));
  Value belowHigh = arith::CmpIOp::create(b, CmpIPredicate::slt, row, values.lookup(op.getHigh()));
  Value inView = arith::AndIOp::create(b, fromLow, belowHigh);
  auto branch = scf::IfOp::create(b, arith::AndIOp::create(b, inBlock, inView));
  b.setInsertionPointToStart(branch.thenBlock());
  return row;
}

void TileEmitter::readRows(tile::ReadRowsOp op) {
  TileLayout layout = layoutOf(op.getResult());
  Value buffer = buffers[op.getResult()] = allocateFor(op.getResult());
  Value view = values.lookup(op.getView()), batch = values.lookup(op.getBatch()), head = values.lookup(op.getHead());
  Value first = values.lookup(op.getRow()), high = values.lookup(op.getHigh()), fill = values.lookup(op.getFill());
  bool hasColumns = layout.shape.size() == 2;
  int64_t columns = op.getView().getType().getShape().back(); // the tile's, or half of 8
  forLoop(0, layout.shape[0], 1, [&](Value i) {
    Value row = arith::AddIOp::create(b, first, i);
    SmallVector<Value> place = hasColumns ? SmallVector<Value>{i, index(0)} : SmallVector<Value>{i};
    Value offset = offsetOf(layout, place);
    auto branch = scf::IfOp::create(b, arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, high), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> source = {batch, head, row};
    if (hasColumns && columns < layout.shape[1]) {
      Value filled = vector::BroadcastOp::create(b, VectorType::get({layout.width}, fill.getType()), fill);
      vector::StoreOp::create(b, filled, buffer, offset);
      Value read = vector::LoadOp::create(b, VectorType::get({columns}, fill.getType()), view, columnOf(source, index(0)));
      vector::StoreOp::create(b, read, buffer, offset);
    } else if (hasColumns)
      copyRow(view, source, buffer, offset, layout.shape[1], layout.width);
    else
      memref::StoreOp::create(b, memref::LoadOp::create(b, view, source), buffer, offset);
    b.setInsertionPointToStart(branch.elseBlock());
    if (!hasColumns) {
      memref::StoreOp::create(b, fill, buffer, offset);
      return;
    }
    Value filled = vector::BroadcastOp::create(b, VectorType::get({layout.width}, fill.getType()), fill);
    forLoop(0, layout.shape[1], layout.width, [&](Value column) { vector::StoreOp::create(b, filled, buffer, add(offset, column)); });
  });
}

void TileEmitter::store(tile::StoreOp op) {
  TileLayout layout = layoutOf(op.getValue());
  Value view = values.lookup(op.getView()), batch = values.lookup(op.getBatch()), head = values.lookup(op.getHead());
  Value first = values.lookup(op.getRow());
  Type element = cast<MemRefType>(view.getType()).getElementType();
  auto narrow = [&](Value value, int64_t size) -> Value {
    if (element == hostElement(element))
      return value;
    return arith::TruncFOp::create(
        b, isa<VectorType>(value.getType()) ? Type(VectorType::get({size}, element)) : element, value);
  };

  Value left = arith::SubIOp::create(b, values.lookup(op.getHigh()), first);
  Value rows = op.getTokens() ? index(layout.shape[0]) : Value(arith::MinSIOp::create(b, left, index(layout.shape[0])));
  auto loop = scf::ForOp::create(b, index(0), rows, index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value i = loop.getInductionVar();
  SmallVector<Value> row = {batch, head, arith::AddIOp::create(b, first, i)};
  if (op.getTokens())
    row.back() = enterBlockRow(op, i);
  if (layout.shape.size() == 1) {
    evaluated.clear();
    memref::StoreOp::create(b, narrow(evaluate(op.getValue(), Point{{i}}), 1), view, row);
    return;
  }
  auto evaluateAt = [&](Value column) {
    evaluated.clear();
    return evaluate(op.getValue(), Point{{i, column}, 1, layout.width});
  };
  int64_t columns = op.getView().getType().getShape().back(), whole = columns / layout.width * layout.width;
  forLoop(0, whole, layout.width, [&](Value column) {
    vector::StoreOp::create(b, narrow(evaluateAt(column), layout.width), view, columnOf(row, column));
  });
  if (whole == columns)
    return;
  Value last = evaluateAt(index(whole));
  forPieces(columns - whole, [&](int64_t begin, int64_t size) {
    Value piece = vector::ExtractStridedSliceOp::create(b, last, ArrayRef<int64_t>{begin}, ArrayRef<int64_t>{size},
                                                        ArrayRef<int64_t>{1});
    vector::StoreOp::create(b, narrow(piece, size), view, columnOf(row, index(whole + begin)));
  });
}
