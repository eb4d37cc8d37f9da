// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over the vectors of a tile.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

using namespace mlir;
using namespace landmark;

static constexpr auto noWrap = arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw;

/// Sum of two offsets, which cannot wrap.
Value TileEmitter::add(Value x, Value y) {
  if (matchPattern(x, m_Zero()))
    return y;
  if (matchPattern(y, m_Zero()))
    return x;
  return arith::AddIOp::create(b, x, y, noWrap);
}

Value TileEmitter::scale(Value x, int64_t factor) {
  if (factor == 1 || matchPattern(x, m_Zero()))
    return x;
  return arith::MulIOp::create(b, x, index(factor), noWrap);
}

/// A loop whose body maps the carried values; no loop at all where it runs once.
SmallVector<Value> TileEmitter::forLoop(int64_t begin, int64_t end, int64_t step, ValueRange inits, LoopBody body) {
  if (begin >= end)
    return inits;
  if (begin + step >= end)
    return body(index(begin), inits);
  auto loop = scf::ForOp::create(b, index(begin), index(end), index(step), inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty()) // otherwise the loop was made with its terminator
    scf::YieldOp::create(b, results);
  return loop.getResults();
}

void TileEmitter::forLoop(int64_t begin, int64_t end, int64_t step, function_ref<void(Value)> body) {
  forLoop(begin, end, step, ValueRange(), [&](Value i, ValueRange) -> SmallVector<Value> {
    body(i);
    return {};
  });
}

/// Loops over `dims` of a tile, the first outermost; sets `point` and carries values through.
SmallVector<Value> TileEmitter::nest(ArrayRef<int64_t> dims, const TileLayout &layout, Point &point, ValueRange inits,
                                     NestBody body) {
  if (dims.empty())
    return body(inits);
  int64_t dim = dims.front();
  return forLoop(0, layout.shape[dim], dim == point.vectorDim ? point.width : 1, inits,
                 [&](Value i, ValueRange carried) {
                   point.index[dim] = i;
                   return nest(dims.drop_front(), layout, point, carried, body);
                 });
}

/// Evaluates `tile` everywhere: into `buffer` if there is one, and into the buffer of `reduction` if there is one.
void TileEmitter::fill(Value tile, Value buffer, tile::ReduceOp reduction) {
  TileLayout layout = layoutOf(tile);
  int64_t rank = layout.shape.size(), vectorDim = layout.vectorDim;
  if (rank == 0) {
    evaluated.clear();
    storeAt(evaluate(tile, Point()), buffer, layout, Point());
    return;
  }
  auto isReduced = [&](int64_t dim) { return reduction && llvm::is_contained(reduction.getDims(), dim); };
  SmallVector<int64_t> kept, reduced;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != vectorDim)
      (isReduced(dim) ? reduced : kept).push_back(dim);
  (isReduced(vectorDim) ? reduced : kept).push_back(vectorDim); // vectors are innermost

  Point point{SmallVector<Value>(rank), vectorDim, layout.width};
  Type element = cast<TileType>(tile.getType()).getElementType();
  auto evaluateHere = [&]() {
    evaluated.clear();
    Value value = evaluate(tile, point);
    if (buffer)
      storeAt(value, buffer, layout, point);
    return value;
  };
  if (!reduction) {
    nest(kept, layout, point, ValueRange(), [&](ValueRange) -> SmallVector<Value> {
      evaluateHere();
      return {};
    });
    return;
  }

  tile::ReductionKind kind = reduction.getKind();
  Value result = buffers[reduction.getResult()] = allocateFor(reduction.getResult());
  TileLayout resultLayout = layoutOf(reduction.getResult());
  auto vectorType = cast<VectorType>(typeAt(element, point));
  bool isPadded = isReduced(vectorDim) && layout.shape[vectorDim] % layout.width != 0;
  nest(kept, layout, point, ValueRange(), [&](ValueRange) -> SmallVector<Value> {
    Attribute number = this->neutral(kind, vectorType.getElementType());
    Value neutral = arith::ConstantOp::create(b, DenseElementsAttr::get(vectorType, number));
    Value total = nest(reduced, layout, point, neutral, [&](ValueRange carried) -> SmallVector<Value> {
                    Value value = evaluateHere();
                    if (isPadded) {
                      Value left = arith::SubIOp::create(b, index(layout.shape[vectorDim]), point.index[vectorDim]);
                      Value there = vector::CreateMaskOp::create(b, vectorType.clone(b.getI1Type()), left);
                      value = arith::SelectOp::create(b, there, value, neutral);
                    }
                    return {combine(kind, value, carried[0])};
                  }).front();

    Point place;
    for (int64_t dim = 0; dim < rank; ++dim) {
      if (isReduced(dim))
        continue;
      if (dim == vectorDim) {
        place.vectorDim = place.index.size();
        place.width = point.width;
      }
      place.index.push_back(point.index[dim]);
    }
    storeAt(isReduced(vectorDim) ? combineElements(kind, total) : total, result, resultLayout, place);
    return {};
  });
}

/// A column is a strided walk through its source: element by element, once.
void TileEmitter::storeColumn(tile::ColumnOp op) {
  TileLayout layout = layoutOf(op.getResult());
  Value buffer = buffers[op.getResult()] = allocateFor(op.getResult());
  Point point{SmallVector<Value>(layout.shape.size())};
  nest(llvm::to_vector(llvm::seq<int64_t>(0, layout.shape.size())), layout, point, ValueRange(),
       [&](ValueRange) -> SmallVector<Value> {
         evaluated.clear();
         Point source = point;
         source.index.push_back(index(op.getColumn()));
         storeAt(evaluate(op.getSource(), source), buffer, layout, point);
         return {};
       });
}
