// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exponentials on vectors. A call into the C library per element would take most of a kernel's time.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

using namespace mlir;

namespace {

/// Arithmetic on values of the type of one sample, numbers or vectors.
struct LikeBuilder {
  ImplicitLocOpBuilder &b;
  Type type;

  Value constant(float value) {
    auto attr = b.getF32FloatAttr(value);
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, value));
    return arith::ConstantOp::create(b, attr);
  }
  Value select(arith::CmpFPredicate predicate, Value x, Value y, Value yes, Value no) {
    return arith::SelectOp::create(b, arith::CmpFOp::create(b, predicate, x, y), yes, no);
  }
};

} // namespace

Value landmark::emitExp2(ImplicitLocOpBuilder &b, Value x) {
  // 2^x = 2^n * 2^f, n the integer next to x. Minimax coefficients of 2^f on [-1/2, 1/2]: relative error 2.6e-9.
  static const float coefficients[] = {
      1.54614447e-4f, 1.34004282e-3f, 9.61805668e-3f, 5.55032723e-2f, 2.40226509e-1f, 6.93147207e-1f, 1.0f};
  // Added to x, this leaves n + 127, the exponent field of 2^n, in the low bits of the sum.
  const float shifter = 12582912.0f + 127.0f;
  LikeBuilder like{b, x.getType()};

  // Written so that a NaN passes. At -127 the exponent field is 0, and so is the result.
  Value low = like.constant(-127.0f), high = like.constant(128.0f);
  x = like.select(arith::CmpFPredicate::OLT, x, low, low, x);
  x = like.select(arith::CmpFPredicate::OGT, x, high, high, x);
  Value shifted = arith::AddFOp::create(b, x, like.constant(shifter));
  Value f = arith::SubFOp::create(b, x, arith::SubFOp::create(b, shifted, like.constant(shifter)));
  Value power = like.constant(coefficients[0]);
  for (float coefficient : llvm::drop_begin(coefficients)) {
    Value next = like.constant(coefficient);
    power = isa<VectorType>(x.getType()) ? Value(vector::FMAOp::create(b, power, f, next))
                                         : Value(arith::AddFOp::create(b, arith::MulFOp::create(b, power, f), next));
  }

  Type bits = b.getI32Type();
  TypedAttr mantissaBits = b.getI32IntegerAttr(23);
  if (auto vector = dyn_cast<VectorType>(x.getType())) {
    bits = vector.clone(bits);
    mantissaBits = DenseElementsAttr::get(cast<VectorType>(bits), int32_t(23));
  }
  Value exponent =
      arith::ShLIOp::create(b, arith::BitcastOp::create(b, bits, shifted), arith::ConstantOp::create(b, mantissaBits));
  return arith::MulFOp::create(b, power, arith::BitcastOp::create(b, x.getType(), exponent));
}
