// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values of tiles at one vector or one element.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace landmark;

/// 16-bit floats are computed with as float32, rounded by tile.cast and where they are stored to a view.
Type TileEmitter::hostElement(Type element) {
  return isa<BFloat16Type, Float16Type>(element) ? Type(b.getF32Type()) : element;
}

Type TileEmitter::typeAt(Type element, const Point &point) {
  element = hostElement(element);
  return point.vectorDim < 0 ? element : Type(VectorType::get({point.width}, element));
}

Value TileEmitter::offsetOf(const TileLayout &layout, ArrayRef<Value> indices) {
  Value offset = index(0);
  for (auto [i, stride] : llvm::zip_equal(indices, layout.strides))
    offset = add(offset, scale(i, stride));
  return offset;
}

/// Repeats a number as the vector of a point.
Value TileEmitter::repeat(Value scalar, const Point &point) {
  return point.vectorDim < 0 ? scalar : Value(vector::BroadcastOp::create(b, typeAt(scalar.getType(), point), scalar));
}

Value TileEmitter::loadAt(Value buffer, Value tile, const Point &point) {
  TileLayout layout = layoutOf(tile);
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  Value value;
  if (point.vectorDim < 0) {
    value = memref::LoadOp::create(b, buffer, offsetOf(layout, point.index));
  } else if (point.vectorDim == layout.vectorDim) {
    value = vector::LoadOp::create(b, cast<VectorType>(typeAt(element, point)), buffer, offsetOf(layout, point.index));
  } else {
    // Across the layout: rare (a tile of few columns seen along them), so element by element.
    SmallVector<Value> elements;
    Value last = index(layout.shape[point.vectorDim] - 1);
    for (int64_t lane = 0; lane < point.width; ++lane) {
      SmallVector<Value> indices = point.index;
      indices[point.vectorDim] = arith::MinUIOp::create(b, add(indices[point.vectorDim], index(lane)), last);
      elements.push_back(memref::LoadOp::create(b, buffer, offsetOf(layout, indices)));
    }
    value = vector::FromElementsOp::create(b, cast<VectorType>(typeAt(element, point)), elements);
  }
  if (!cast<TileType>(tile.getType()).getElementType().isInteger(1))
    return value;
  Type predicate = typeAt(b.getI1Type(), point);
  return arith::TruncIOp::create(b, predicate, value);
}

void TileEmitter::storeAt(Value value, Value buffer, const TileLayout &layout, const Point &point) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  if (element.isInteger(8))
    value = arith::ExtUIOp::create(b, typeAt(element, point), value);
  if (point.vectorDim < 0) {
    memref::StoreOp::create(b, value, buffer, offsetOf(layout, point.index));
  } else if (point.vectorDim == layout.vectorDim) {
    vector::StoreOp::create(b, value, buffer, offsetOf(layout, point.index));
  } else {
    // Across the layout; lanes of padding are dropped.
    SmallVector<Value> indices = point.index;
    Value first = indices[point.vectorDim];
    int64_t size = layout.shape[point.vectorDim];
    forLoop(0, point.width, 1, [&](Value lane) {
      indices[point.vectorDim] = add(first, lane);
      Value there = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, indices[point.vectorDim], index(size));
      auto branch = scf::IfOp::create(b, there);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      memref::StoreOp::create(b, vector::ExtractOp::create(b, value, lane), buffer, offsetOf(layout, indices));
    });
  }
}

/// The value of `tile` at `point`, evaluated once per loop body however often it is used.
Value TileEmitter::evaluate(Value tile, const Point &point) {
  for (auto &[key, value] : evaluated)
    if (key.first == tile && key.second == point)
      return value;
  Value value = evaluateUncached(tile, point);
  evaluated.push_back({{tile, point}, value});
  return value;
}

Value TileEmitter::evaluateUncached(Value tile, const Point &point) {
  if (Value buffer = buffers.lookup(tile))
    return loadAt(buffer, tile, point);
  Operation *op = tile.getDefiningOp();
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](arith::ConstantOp constant) -> Value {
        auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
        if (!splat) {
          constant.emitOpError("of a tile must be a splat to be lowered for the host");
          unsupported = true;
          return arith::ConstantOp::create(
              b, b.getZeroAttr(typeAt(cast<TileType>(tile.getType()).getElementType(), point)));
        }
        auto number = splat.getSplatValue<TypedAttr>();
        if (auto real = dyn_cast<FloatAttr>(number))
          number = b.getF32FloatAttr(real.getValueAsDouble());
        Type type = typeAt(number.getType(), point);
        return arith::ConstantOp::create(
            b, isa<VectorType>(type) ? TypedAttr(DenseElementsAttr::get(cast<VectorType>(type), Attribute(number)))
                                     : number);
      })
      .Case([&](tensor::SplatOp splat) { return repeat(values.lookup(splat.getInput()), point); })
      .Case([&](tile::IotaOp) { return evaluateIota(point); })
      .Case([&](tile::BroadcastOp broadcast) { return evaluateBroadcast(broadcast, point); })
      .Case([&](tile::CastOp cast) {
        Value value = evaluate(cast.getSource(), point);
        // Products take float32 operands: weights need not be rounded for them.
        bool onlyMultiplied = llvm::all_of(cast->getUsers(), llvm::IsaPred<tile::DotOp>);
        return onlyMultiplied ? value : round(value, cast.getType().getElementType());
      })
      .Default([&](Operation *elementwise) { return evaluateElementwise(*elementwise, point); });
}

Value TileEmitter::evaluateIota(const Point &point) {
  Value first = arith::IndexCastOp::create(b, b.getI32Type(), point.index[0]);
  if (point.vectorDim < 0)
    return first;
  SmallVector<int32_t> lane = llvm::to_vector(llvm::seq<int32_t>(0, point.width));
  auto type = VectorType::get({point.width}, b.getI32Type());
  Value lanes = arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<int32_t>(lane)));
  return arith::AddIOp::create(b, repeat(first, point), lanes);
}

Value TileEmitter::evaluateBroadcast(tile::BroadcastOp op, const Point &point) {
  Point source;
  for (auto [dim, resultDim] : llvm::enumerate(op.getDims())) {
    source.index.push_back(point.index[resultDim]);
    if (resultDim == point.vectorDim) {
      source.vectorDim = dim;
      source.width = point.width;
    }
  }
  Value value = evaluate(op.getSource(), source);
  return source.vectorDim < 0 ? repeat(value, point) : value;
}

Value TileEmitter::evaluateElementwise(Operation &op, const Point &point) {
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(isa<TileType>(operand.getType()) ? evaluate(operand, point) : values.lookup(operand));
  // Comparing and choosing is one instruction; the maximum of IEEE 754, which minds the signs of zeros and NaNs, is
  // several.
  if (isa<arith::MaximumFOp, arith::MaxNumFOp>(op))
    return maximum(operands[0], operands[1]);
  if (isa<math::Exp2Op>(op))
    return emitExp2(b, operands[0]);
  Operation *clone = b.clone(op);
  clone->setOperands(operands);
  clone->getResult(0).setType(typeAt(cast<TileType>(op.getResult(0).getType()).getElementType(), point));
  return clone->getResult(0);
}

/// Rounds to a narrower float type, and back.
Value TileEmitter::round(Value value, Type element) {
  if (!isa<BFloat16Type, Float16Type>(element))
    return value;
  Type narrow = isa<VectorType>(value.getType()) ? Type(cast<VectorType>(value.getType()).clone(element)) : element;
  Value rounded = arith::TruncFOp::create(b, narrow, value);
  return arith::ExtFOp::create(b, value.getType(), rounded);
}

Value TileEmitter::maximum(Value x, Value y) {
  return arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y), x, y);
}

Value TileEmitter::combine(tile::ReductionKind kind, Value x, Value y) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(x.getType()));
  switch (kind) {
  case tile::ReductionKind::Max:
    return isFloat ? maximum(x, y) : Value(arith::MaxSIOp::create(b, x, y));
  case tile::ReductionKind::Min:
    return isFloat ? Value(arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y), x, y))
                   : Value(arith::MinSIOp::create(b, x, y));
  case tile::ReductionKind::Sum:
    break;
  }
  return isFloat ? Value(arith::AddFOp::create(b, x, y)) : Value(arith::AddIOp::create(b, x, y));
}

/// What changes nothing when it is combined.
TypedAttr TileEmitter::neutral(tile::ReductionKind kind, Type element) {
  if (!isa<FloatType>(element))
    return b.getI32IntegerAttr(kind == tile::ReductionKind::Sum ? 0 : kind == tile::ReductionKind::Max ? INT32_MIN : INT32_MAX);
  return b.getF32FloatAttr(kind == tile::ReductionKind::Sum ? 0.0f : kind == tile::ReductionKind::Max ? -INFINITY : INFINITY);
}

/// Combines the elements of a vector, one half with the other until one is left.
Value TileEmitter::combineElements(tile::ReductionKind kind, Value vector) {
  for (int64_t half = cast<VectorType>(vector.getType()).getNumElements() / 2; half >= 1; half /= 2) {
    Value low = vector::ExtractStridedSliceOp::create(b, vector, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{half},
                                                      ArrayRef<int64_t>{1});
    Value high = vector::ExtractStridedSliceOp::create(b, vector, ArrayRef<int64_t>{half}, ArrayRef<int64_t>{half},
                                                       ArrayRef<int64_t>{1});
    vector = combine(kind, low, high);
  }
  return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{0});
}
