// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shorthands for arithmetic on numbers and tiles: one name each for what arith and math spell per type.
#ifndef LANDMARK_COMPILER_TRANSFORMS_TILEBUILDER_H
#define LANDMARK_COMPILER_TRANSFORMS_TILEBUILDER_H

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {

struct TileBuilder : mlir::ImplicitLocOpBuilder {
  using Value = mlir::Value;
  using TileType = mlir::RankedTensorType;
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  static TileType typeOf(Value tile) { return mlir::cast<TileType>(tile.getType()); }

  // Numbers and tiles of integers. Divisions are of non-negative numbers.
  Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(*this, value); }
  Value i32(int64_t value) { return mlir::arith::ConstantIntOp::create(*this, value, 32); }
  Value toI32(Value number) { return mlir::arith::IndexCastOp::create(*this, getI32Type(), number); }
  Value toIndex(Value number) { return mlir::arith::IndexCastOp::create(*this, getIndexType(), number); }
  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulIOp::create(*this, a, b); }
  Value divide(Value a, Value b) { return mlir::arith::DivUIOp::create(*this, a, b); }
  Value remainder(Value a, Value b) { return mlir::arith::RemUIOp::create(*this, a, b); }
  Value min(Value a, Value b) { return mlir::arith::MinSIOp::create(*this, a, b); }
  Value max(Value a, Value b) { return mlir::arith::MaxSIOp::create(*this, a, b); }
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) {
    return mlir::arith::CmpIOp::create(*this, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) { return mlir::arith::SelectOp::create(*this, condition, a, b); }

  // Tiles of floats. exp2, log2 and reciprocal may be the target's approximations.
  Value mulf(Value a, Value b) { return mlir::arith::MulFOp::create(*this, a, b); }
  Value addf(Value a, Value b) { return mlir::arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return mlir::arith::SubFOp::create(*this, a, b); }
  Value maxf(Value a, Value b) { return mlir::arith::MaxNumFOp::create(*this, a, b); }
  Value equals(Value a, Value b) { return mlir::arith::CmpFOp::create(*this, mlir::arith::CmpFPredicate::OEQ, a, b); }
  Value exp2(Value a) { return mlir::math::Exp2Op::create(*this, a, mlir::arith::FastMathFlags::afn); }
  /// 1 / a; infinite for 0.
  Value reciprocal(Value a) { return mlir::arith::DivFOp::create(*this, floatSplatLike(1.0f, a), a, mlir::arith::FastMathFlags::afn); }
  Value log2(Value a) { return mlir::math::Log2Op::create(*this, a, mlir::arith::FastMathFlags::afn); }

  // Shapes.
  Value splat(Value number, TileType type) { return mlir::tensor::SplatOp::create(*this, type.clone(number.getType()), number); }
  Value splatLike(Value number, Value tile) { return splat(number, typeOf(tile)); }
  Value floatSplatLike(float value, Value tile) {
    return mlir::arith::ConstantOp::create(*this, mlir::DenseElementsAttr::get(typeOf(tile), value));
  }
  Value iota(int64_t size) { return tile::IotaOp::create(*this, TileType::get({size}, getI32Type())); }
  Value broadcast(Value tile, TileType type, llvm::ArrayRef<int64_t> dims) {
    return tile::BroadcastOp::create(*this, mlir::cast<TileType>(type.clone(typeOf(tile).getElementType())), tile, dims);
  }
  /// Repeats `tile` along the trailing dimensions that `like` has beyond it.
  Value broadcastLeading(Value tile, Value like) {
    return broadcast(tile, typeOf(like), llvm::to_vector(llvm::seq<int64_t>(0, typeOf(tile).getRank())));
  }
  Value reduce(tile::ReductionKind kind, Value tile, llvm::ArrayRef<int64_t> dims) {
    llvm::SmallVector<int64_t> shape;
    for (int64_t dim = 0; dim < typeOf(tile).getRank(); ++dim)
      if (!llvm::is_contained(dims, dim))
        shape.push_back(typeOf(tile).getDimSize(dim));
    return tile::ReduceOp::create(*this, TileType::get(shape, typeOf(tile).getElementType()), kind, tile, dims);
  }
  Value column(Value tile, int64_t column) {
    auto type = TileType::get(typeOf(tile).getShape().drop_back(), typeOf(tile).getElementType());
    return tile::ColumnOp::create(*this, type, tile, column);
  }
};

} // namespace landmark
#endif
