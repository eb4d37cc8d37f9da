// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary embedding, several pairs at a time. As elsewhere 16-bit floats are computed with as float32 and not rounded in between.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace landmark;

/// Cosines and sines of the angles of `width` pairs: the product of a position and a fraction of a turn, modulo 2^64, loses nothing to
/// the size of the position.
std::pair<Value, Value> TileEmitter::turn(tile::RotateOp op, Value row, Value pair, int64_t width) {
  auto number = [&](Value value) { return values.lookup(value); };
  auto repeated = [&](Value value) -> Value { return vector::BroadcastOp::create(b, VectorType::get({width}, value.getType()), value); };
  Value along = arith::AddIOp::create(b, number(op.getFirst()), arith::MulIOp::create(b, row, number(op.getStep())));
  Value position = arith::MaxSIOp::create(b, along, number(op.getLow()));
  Value wide = repeated(arith::IndexCastOp::create(b, b.getI64Type(), position));
  Value frequencies = vector::LoadOp::create(b, VectorType::get({width}, b.getI64Type()), number(op.getFrequencies()), pair);
  Value places = repeated(arith::ConstantOp::create(b, b.getI64IntegerAttr(32)));
  Value turns = arith::ShRUIOp::create(b, arith::MulIOp::create(b, wide, frequencies), places);
  Value upper = arith::TruncIOp::create(b, VectorType::get({width}, b.getI32Type()), turns);
  Value high = arith::SIToFPOp::create(b, VectorType::get({width}, b.getF32Type()), upper);
  Value toRadians = repeated(arith::ConstantOp::create(b, b.getF32FloatAttr(float(2 * std::numbers::pi / 4294967296.0))));
  Value angle = arith::MulFOp::create(b, high, toRadians);
  return {math::CosOp::create(b, angle), math::SinOp::create(b, angle)};
}

void TileEmitter::rotate(tile::RotateOp op) {
  TileLayout layout = layoutOf(op.getResult());
  Value source = stored(op.getSource()), target = buffers[op.getResult()] = allocateFor(op.getResult());
  int64_t rank = layout.shape.size(), pairs = layout.shape.back() / 2, width = std::min(lanes, pairs & -pairs);
  auto vectorOf = [&](int64_t size) { return VectorType::get({size}, b.getF32Type()); };
  // Of two vectors side by side the even elements and the odd ones, and back.
  SmallVector<int64_t> even, odd, inTurns;
  for (int64_t i = 0; i < width; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
    inTurns.append({i, width + i});
  }
  forLoop(0, layout.shape[rank - 2], 1, [&](Value row) {
    forLoop(0, pairs, width, [&](Value pair) {
      auto [cosines, sines] = turn(op, row, pair, width);
      auto at = [&](Value column) {
        SmallVector<Value> place(rank, index(0));
        place[rank - 2] = row;
        place[rank - 1] = column;
        return offsetOf(layout, place);
      };
      auto turned = [&, cosines = cosines, sines = sines](Value x, Value y) -> std::pair<Value, Value> {
        auto product = [&](Value left, Value right) -> Value { return arith::MulFOp::create(b, left, right); };
        return {arith::SubFOp::create(b, product(x, cosines), product(y, sines)), arith::AddFOp::create(b, product(x, sines), product(y, cosines))};
      };
      auto branch = scf::IfOp::create(b, values.lookup(op.getHalf()), /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      Value first = at(pair), second = at(add(pair, index(pairs)));
      Value x = vector::LoadOp::create(b, vectorOf(width), source, first), y = vector::LoadOp::create(b, vectorOf(width), source, second);
      auto [xTurned, yTurned] = turned(x, y);
      vector::StoreOp::create(b, xTurned, target, first);
      vector::StoreOp::create(b, yTurned, target, second);

      b.setInsertionPointToStart(branch.elseBlock());
      Value both = at(scale(pair, 2)), held = vector::LoadOp::create(b, vectorOf(2 * width), source, both);
      Value u = vector::ShuffleOp::create(b, held, held, even), v = vector::ShuffleOp::create(b, held, held, odd);
      auto [uTurned, vTurned] = turned(u, v);
      vector::StoreOp::create(b, Value(vector::ShuffleOp::create(b, uTurned, vTurned, inTurns)), target, both);
    });
  });
}
