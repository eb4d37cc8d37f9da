// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialects/Landmark/Landmark.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace landmark::ir;

/// A plain integer in place of `64 : i64`.
static ParseResult parseInteger(OpAsmParser &parser, IntegerAttr &attribute) {
  int64_t value;
  if (parser.parseInteger(value))
    return failure();
  attribute = parser.getBuilder().getI64IntegerAttr(value);
  return success();
}
static void printInteger(OpAsmPrinter &printer, Operation *, IntegerAttr attribute) { printer << attribute.getInt(); }

#include "dialects/Landmark/LandmarkDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Landmark/LandmarkAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Landmark/LandmarkOps.cpp.inc"

void LandmarkDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Landmark/LandmarkAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Landmark/LandmarkOps.cpp.inc"
      >();
}

LogicalResult ConfigAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t queryTile, int64_t keyTile, int64_t warps,
                                 int64_t stages) {
  if (queryTile < 1 || keyTile < 1 || warps < 1 || stages < 1)
    return emitError() << "the fields of a config are positive";
  return success();
}

LogicalResult ForwardOp::verify() {
  int64_t blockSize = getBlockSize(), headDim = getHeadDim();
  if (blockSize < 2 || blockSize > (1 << 20))
    return emitOpError("block_size must be 2 to 1048576 (C5), got ") << blockSize;
  if (headDim < 16 || headDim > 256 || headDim % 8 != 0)
    return emitOpError("head_dim must be a multiple of 8 from 16 to 256, got ") << headDim;
  if (!isa<BFloat16Type, Float16Type, Float32Type>(getType()))
    return emitOpError("type must be bf16, f16 or f32, got ") << getType();
  return success();
}

/// Whether `type` is a tile of `elementType` whose leading dimensions are those of `prefix`.
static bool extends(RankedTensorType type, RankedTensorType prefix, int64_t rank) {
  return type.getRank() == rank && type.getShape().take_front(prefix.getRank()) == prefix.getShape();
}

LogicalResult LocateOp::verify() {
  auto type = getBlocks().getType();
  if (type != getTokens().getType() || type.getRank() != 1 || !type.getElementType().isInteger(32))
    return emitOpError("yields two tiles of rank 1 of i32, of one type");
  return success();
}

LogicalResult OwnOp::verify() {
  if (!extends(getResult().getType(), getBlocks().getType(), 2) || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row and block");
  return success();
}

LogicalResult TokensOp::verify() {
  if (getRowBlocks().getType() != getRowTokens().getType())
    return emitOpError("takes blocks and tokens of the same rows");
  if (!extends(getResult().getType(), getRowBlocks().getType(), 3) || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row, block and token");
  return success();
}

LogicalResult OrdinaryOp::verify() {
  if (getResult().getType().getRank() != 3 || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row, block and token");
  return success();
}

LogicalResult GatesOp::verify() {
  if (!extends(getResult().getType(), getRowBlocks().getType(), 3) || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row, block and token");
  return success();
}

LogicalResult PastGatesOp::verify() {
  if (getResult().getType().getRank() != 2 || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row and landmark");
  return success();
}

LogicalResult StatsOp::verify() {
  auto logits = getLogits().getType();
  if (!extends(logits, getMax().getType(), logits.getRank()) || getMax().getType().getRank() != 1 || logits.getRank() < 2)
    return emitOpError("keeps one value a row of the logits");
  if (logits.getShape() != getSeen().getType().getShape() || !getSeen().getType().getElementType().isInteger(1))
    return emitOpError("takes an i1 for every logit");
  return success();
}

LogicalResult WeightsOp::verify() {
  auto logits = getLogits().getType();
  if (logits.getRank() != 3)
    return emitOpError("takes logits by row, block and token");
  if (logits.getShape() != getSeen().getType().getShape() || !getSeen().getType().getElementType().isInteger(1))
    return emitOpError("takes an i1 for every logit");
  if (getOwn().getType().getShape() != logits.getShape().drop_back() || !getOwn().getType().getElementType().isInteger(1))
    return emitOpError("takes an i1 for every row and block");
  if (getLse().getType().getShape() != logits.getShape().take_front())
    return emitOpError("takes the log-sum-exp of every row");
  return success();
}

LogicalResult LogSumExpOp::verify() {
  if (getMax().getType().getRank() != 1 || !getMax().getType().getElementType().isF32())
    return emitOpError("takes one f32 a row");
  return success();
}
