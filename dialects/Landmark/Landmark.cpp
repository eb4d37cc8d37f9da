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

/// What all requests are specialised on.
template <typename Request> static LogicalResult verifyRequest(Request request) {
  int64_t blockSize = request.getBlockSize(), headDim = request.getHeadDim();
  if (blockSize < 2 || blockSize > (1 << 20))
    return request.emitOpError("block_size must be 2 to 1048576 (C5), got ") << blockSize;
  if (headDim < 16 || headDim > 256 || headDim % 8 != 0)
    return request.emitOpError("head_dim must be a multiple of 8 from 16 to 256, got ") << headDim;
  if (!isa<BFloat16Type, Float16Type, Float32Type>(request.getType()))
    return request.emitOpError("type must be bf16, f16 or f32, got ") << request.getType();
  return success();
}

/// The steps with a gate threshold.
template <typename Request> static LogicalResult verifyStep(Request request) {
  std::optional<StringRef> step = request.getStep();
  int64_t blockSize = request.getBlockSize();
  if (!step)
    return success();
  if (*step != "gates" && *step != "listed")
    return request.emitOpError("step must be gates or listed, got ") << *step;
  return blockSize <= 128 ? success() : request.emitOpError("block_size of a step must be 2 to 128, got ") << blockSize;
}

LogicalResult ForwardOp::verify() { return success(succeeded(verifyRequest(*this)) && succeeded(verifyStep(*this))); }

LogicalResult BackwardOp::verify() {
  if (failed(verifyRequest(*this)) || failed(verifyStep(*this)))
    return failure();
  if (getGradient() != getType() && !getGradient().isF32())
    return emitOpError("gradient must be the type or f32, got ") << getGradient();
  if (getPasses() < 1 || getPasses() > 2)
    return emitOpError("passes must be 1 or 2, got ") << static_cast<int64_t>(getPasses());
  if (std::optional<int64_t> rows = getRowTile(); rows && (*rows < 1 || *rows > getConfig().getQueryTile()))
    return emitOpError("row_tile must be 1 to query_tile, got ") << *rows;
  if (getStep() == "gates" && (getAdds() || getRowTile()))
    return emitOpError("a gates step neither adds nor has a row_tile");
  return success();
}

static bool isF32Row(RankedTensorType type) { return type.getRank() == 1 && type.getElementType().isF32(); }
static bool isI32Row(RankedTensorType type) { return type.getRank() == 1 && type.getElementType().isInteger(32); }

/// Whether `type` has `rank` dimensions, the first of them that of `rows`, a tile of rank 1.
static bool extends(RankedTensorType type, RankedTensorType rows, int64_t rank) {
  return type.getRank() == rank && type.getShape().take_front() == rows.getShape();
}

/// Whether `type` is an i1 for every element of a tile of `shape`.
static bool isMask(RankedTensorType type, ArrayRef<int64_t> shape) { return type.getShape() == shape && type.getElementType().isInteger(1); }

LogicalResult LocateOp::verify() {
  auto type = getBlocks().getType();
  if (type != getTokens().getType() || !isI32Row(type))
    return emitOpError("yields two tiles of rank 1 of i32, of one type");
  return success();
}

LogicalResult OwnOp::verify() {
  auto type = getResult().getType();
  if (!isI32Row(getBlocks().getType()))
    return emitOpError("takes the block of every row, an i32");
  if (type.getRank() > 2 || !extends(type, getBlocks().getType(), type.getRank()) || !type.getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row, or every row and block");
  return success();
}

LogicalResult TokensOp::verify() {
  if (getRowBlocks().getType() != getRowTokens().getType())
    return emitOpError("takes blocks and tokens of the same rows");
  if (!isI32Row(getRowBlocks().getType()))
    return emitOpError("takes the block of every row, an i32");
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
  auto type = getResult().getType();
  if (!isI32Row(getRowBlocks().getType()))
    return emitOpError("takes the block of every row, an i32");
  if (type.getRank() < 2 || type.getRank() > 3 || !extends(type, getRowBlocks().getType(), type.getRank()) || !type.getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row, block and token, or every row and landmark");
  if (type.getRank() == 2 && getFirstToken())
    return emitOpError("has no first token where columns are landmarks");
  return success();
}

LogicalResult PastGatesOp::verify() {
  if (getResult().getType().getRank() != 2 || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row and landmark");
  return success();
}

/// Statistics of the rows of logits that are seen.
template <typename Op> static LogicalResult verifyRowStats(Op op) {
  auto logits = op.getLogits().getType();
  if (!isF32Row(op.getMax().getType()) || logits.getRank() < 2 || !extends(logits, op.getMax().getType(), logits.getRank()))
    return op.emitOpError("keeps one f32 a row of the logits");
  if (!logits.getElementType().isF32())
    return op.emitOpError("takes logits of f32, got ") << logits.getElementType();
  if (!isMask(op.getSeen().getType(), logits.getShape()))
    return op.emitOpError("takes an i1 for every logit");
  return success();
}

/// Logits of whole blocks, and what is known of their rows.
template <typename Op> static LogicalResult verifyBlockLogits(Op op, const char *ofRows) {
  auto logits = op.getLogits().getType();
  if (logits.getRank() != 3 || !logits.getElementType().isF32())
    return op.emitOpError("takes logits by row, block and token, in f32");
  if (!isMask(op.getSeen().getType(), logits.getShape()))
    return op.emitOpError("takes an i1 for every logit");
  if (!isMask(op.getOwn().getType(), logits.getShape().drop_back()))
    return op.emitOpError("takes an i1 for every row and block");
  if (!isF32Row(op.getLse().getType()) || !extends(logits, op.getLse().getType(), 3))
    return op.emitOpError("takes ") << ofRows;
  return success();
}

LogicalResult StatsOp::verify() { return verifyRowStats(*this); }
LogicalResult PartWeightsOp::verify() { return verifyRowStats(*this); }
LogicalResult ProductStatsOp::verify() { return verifyRowStats(*this); }
LogicalResult AddOwnOp::verify() { return verifyBlockLogits(*this, "the log-sum-exp of every row"); }

/// One f32 for each row and block of the logits.
template <typename Op> static LogicalResult verifyFactors(Op op) {
  auto factors = op.getFactors().getType();
  if (!factors.getElementType().isF32() || factors.getShape() != op.getLogits().getType().getShape().drop_back())
    return op.emitOpError("yields one f32 for every row and block");
  return success();
}

LogicalResult WeightsOp::verify() {
  if (failed(verifyBlockLogits(*this, "the log-sum-exp of every row")))
    return failure();
  return verifyFactors(*this);
}

/// Logits of whole blocks that all rows see, and what is known of their rows.
template <typename Op> static LogicalResult verifyPastLogits(Op op, const char *ofRows) {
  auto logits = op.getLogits().getType();
  if (logits.getRank() != 3 || !logits.getElementType().isF32())
    return op.emitOpError("takes logits by row, block and token, in f32");
  if (!isF32Row(op.getLse().getType()) || !extends(logits, op.getLse().getType(), 3))
    return op.emitOpError("takes ") << ofRows;
  return success();
}

LogicalResult PastWeightsOp::verify() {
  if (getExact() && getHalf())
    return emitOpError("that is exact holds in every type, in float16 too");
  return failure(failed(verifyPastLogits(*this, "the log-sum-exp of every row")) || failed(verifyFactors(*this)));
}

LogicalResult PastGradientsOp::verify() { return verifyPastLogits(*this, "a log-sum-exp and a delta for every row"); }

LogicalResult GradientsOp::verify() { return verifyBlockLogits(*this, "a log-sum-exp and a delta for every row"); }

LogicalResult PartGradientsOp::verify() {
  auto logits = getLogits().getType();
  if (logits.getRank() != 3 || logits.getDimSize(1) != 1 || !logits.getElementType().isF32())
    return emitOpError("takes logits by row, one block and token, in f32");
  if (!isMask(getSeen().getType(), logits.getShape()))
    return emitOpError("takes an i1 for every logit");
  if (!isF32Row(getMax().getType()) || !extends(logits, getMax().getType(), 3))
    return emitOpError("takes statistics, a log-sum-exp and a delta for every row");
  if (!isMask(getOwn().getType(), getMax().getType().getShape()))
    return emitOpError("takes an i1 for every row");
  return success();
}

LogicalResult LogSumExpOp::verify() {
  if (!isF32Row(getMax().getType()))
    return emitOpError("takes one f32 a row");
  return success();
}

LogicalResult GateLogitOp::verify() {
  auto logits = getLogits().getType(), result = getResult().getType();
  if (logits.getRank() != 3 || logits.getDimSize(1) != 1 || !logits.getElementType().isF32())
    return emitOpError("takes logits by row, one block and token, in f32");
  if (!isF32Row(result) || !extends(logits, result, 3))
    return emitOpError("yields one logit a row");
  return success();
}

LogicalResult BlockFactorOp::verify() {
  if (!isF32Row(getMax().getType()))
    return emitOpError("takes one f32 a row");
  if (!isMask(getOwn().getType(), getMax().getType().getShape()))
    return emitOpError("takes an i1 for every row");
  return success();
}

LogicalResult SpreadOp::verify() {
  auto logits = getLogits().getType();
  if (logits.getRank() < 2 || !logits.getElementType().isF32())
    return emitOpError("takes logits by row, in f32");
  if (!isMask(getSeen().getType(), logits.getShape()))
    return emitOpError("takes an i1 for every logit");
  if (!isF32Row(getMax().getType()) || !extends(logits, getMax().getType(), logits.getRank()))
    return emitOpError("takes a maximum and a weight for every row");
  return success();
}
