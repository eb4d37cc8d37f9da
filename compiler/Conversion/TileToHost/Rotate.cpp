// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary embedding, pair by pair. As elsewhere 16-bit floats are computed with as float32 and not rounded in between.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace landmark;

/// Cosine and sine of a pair's angle: the product of a position and a fraction of a turn, modulo 2^64, loses nothing to
/// the size of the position.
std::pair<Value, Value> TileEmitter::turn(tile::RotateOp op, Value row, Value pair) {
  auto number = [&](Value value) { return values.lookup(value); };
  Value along = arith::AddIOp::create(b, number(op.getFirst()), arith::MulIOp::create(b, row, number(op.getStep())));
  Value position = arith::MaxSIOp::create(b, along, number(op.getLow()));
  Value wide = arith::IndexCastOp::create(b, b.getI64Type(), position);
  Value frequency = memref::LoadOp::create(b, number(op.getFrequencies()), pair);
  Value places = arith::ConstantOp::create(b, b.getI64IntegerAttr(32));
  Value turns = arith::ShRUIOp::create(b, arith::MulIOp::create(b, wide, frequency), places);
  Value high = arith::SIToFPOp::create(b, b.getF32Type(), arith::TruncIOp::create(b, b.getI32Type(), turns));
  Value toRadians = arith::ConstantOp::create(b, b.getF32FloatAttr(float(2 * std::numbers::pi / 4294967296.0)));
  Value angle = arith::MulFOp::create(b, high, toRadians);
  return {math::CosOp::create(b, angle), math::SinOp::create(b, angle)};
}

void TileEmitter::rotate(tile::RotateOp op) {
  TileLayout layout = layoutOf(op.getResult());
  Value source = stored(op.getSource()), target = buffers[op.getResult()] = allocateFor(op.getResult());
  int64_t rank = layout.shape.size(), pairs = layout.shape.back() / 2;
  Value half = values.lookup(op.getHalf());
  forLoop(0, layout.shape[rank - 2], 1, [&](Value row) {
    forLoop(0, pairs, 1, [&](Value pair) {
      auto [cosine, sine] = turn(op, row, pair);
      auto at = [&](Value column) {
        SmallVector<Value> place(rank, index(0));
        place[rank - 2] = row;
        place[rank - 1] = column;
        return offsetOf(layout, place);
      };
      Value twice = scale(pair, 2);
      Value first = at(arith::SelectOp::create(b, half, pair, twice)),
            second = at(arith::SelectOp::create(b, half, add(pair, index(pairs)), add(twice, index(1))));
      Value x = memref::LoadOp::create(b, source, first), y = memref::LoadOp::create(b, source, second);
      auto product = [&](Value left, Value right) -> Value { return arith::MulFOp::create(b, left, right); };
      memref::StoreOp::create(b, Value(arith::SubFOp::create(b, product(x, cosine), product(y, sine))), target, first);
      memref::StoreOp::create(b, Value(arith::AddFOp::create(b, product(x, sine), product(y, cosine))), target, second);
    });
  });
}
