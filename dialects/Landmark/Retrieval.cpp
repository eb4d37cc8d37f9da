// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the operations of retrieval.
#include "dialects/Landmark/Landmark.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace landmark::ir;

static bool isF32Row(RankedTensorType type) { return type.getRank() == 1 && type.getElementType().isF32(); }
static bool isI32Row(RankedTensorType type) { return type.getRank() == 1 && type.getElementType().isInteger(32); }

/// Whether `type` is a tile [rows, columns] of these rows.
static bool isMatrixOf(RankedTensorType type, RankedTensorType rows) {
  return type.getRank() == 2 && type.getDimSize(0) == rows.getDimSize(0);
}

static bool hasShape(RankedTensorType type, RankedTensorType like, bool isElement) {
  return type.getShape() == like.getShape() && isElement;
}

LogicalResult RetrieveOp::verify() {
  int64_t blockSize = getBlockSize(), headDim = getHeadDim(), topK = getTopK();
  bool isKnown = llvm::StringSwitch<bool>(getStep())
                     .Cases({"score_top", "score", "pool", "pool_top", "select", "attend", "attend_part", "attend_join", "merge", "name_pages"}, true)
                     .Default(false);
  if (!isKnown)
    return emitOpError("step must be score_top, score, pool, pool_top, select, attend, attend_part, attend_join, merge or name_pages, got '")
           << getStep() << "'";
  if (blockSize < 2 || blockSize > 256)
    return emitOpError("block_size must be 2 to 256, got ") << blockSize;
  if (headDim < 16 || headDim > 256 || headDim % 8 != 0)
    return emitOpError("head_dim must be a multiple of 8 from 16 to 256, got ") << headDim;
  if (topK < 1 || topK > 128)
    return emitOpError("top_k must be 1 to 128, got ") << topK;
  if (!isa<BFloat16Type, Float16Type, Float32Type>(getType()))
    return emitOpError("type must be bf16, f16 or f32, got ") << getType();
  return success();
}

LogicalResult CandidatesOp::verify() {
  if (!isI32Row(getLimit().getType()))
    return emitOpError("takes the limit of every row, an i32");
  if (!isMatrixOf(getResult().getType(), getLimit().getType()) || !getResult().getType().getElementType().isInteger(1))
    return emitOpError("yields an i1 for every row and landmark");
  return success();
}

LogicalResult NumbersOp::verify() {
  auto type = getResult().getType(), seen = getSeen().getType();
  if (seen.getRank() != 2 || !seen.getElementType().isInteger(1))
    return emitOpError("takes an i1 for every row and landmark");
  if (!hasShape(type, seen, type.getElementType().isInteger(32)))
    return emitOpError("yields an i32 for every row and landmark");
  return success();
}

LogicalResult TopKOp::verify() {
  auto values = getValues().getType(), ids = getIds().getType(), candidates = getCandidates().getType(),
       candidateIds = getCandidateIds().getType();
  if (values.getRank() != 2 || !values.getElementType().isF32() ||
      !hasShape(ids, values, ids.getElementType().isInteger(32)))
    return emitOpError("keeps an f32 and an i32 for every row and place");
  if (!isMatrixOf(candidates, values) || !candidates.getElementType().isF32() ||
      !hasShape(candidateIds, candidates, candidateIds.getElementType().isInteger(32)))
    return emitOpError("takes an f32 and an i32 for every row and candidate");
  return success();
}

static bool isIdList(RankedTensorType type) { return type.getRank() == 2 && type.getElementType().isInteger(32); }

LogicalResult ChooseOp::verify() {
  if (!isIdList(getResult().getType()))
    return emitOpError("yields an i32 for every row and place");
  int64_t columns = getValues().getType().getDimSize(3);
  if (ShapedType::isDynamic(columns) || columns % 8 != 0 || columns != getIds().getType().getDimSize(3))
    return emitOpError("reads values and ids in pieces of the same number of columns, a multiple of 8");
  return success();
}

LogicalResult EntryOp::verify() { return isIdList(getIds().getType()) ? success() : emitOpError("takes an i32 for every row and place"); }

LogicalResult OnlineOp::verify() {
  auto logits = getLogits().getType(), own = getOwn().getType(), seen = getSeen().getType();
  if (logits.getRank() != 3 || !logits.getElementType().isF32())
    return emitOpError("takes logits by row, block and token, in f32");
  if (!hasShape(seen, logits, seen.getElementType().isInteger(1)))
    return emitOpError("takes an i1 for every logit");
  if (own.getShape() != logits.getShape().drop_back() || !own.getElementType().isInteger(1))
    return emitOpError("takes an i1 for every row and block");
  if (!isF32Row(getMax().getType()) || getMax().getType().getDimSize(0) != logits.getDimSize(0))
    return emitOpError("keeps one f32 a row of the logits");
  return success();
}

LogicalResult FinishOp::verify() {
  return isF32Row(getMax().getType()) ? success() : emitOpError("takes one f32 a row");
}

LogicalResult JoinOp::verify() { return getA().getType().getElementType().isF32() ? success() : emitOpError("takes tiles of f32"); }

LogicalResult ShareOp::verify() {
  auto type = getPart().getType(); // one number for every row, or one at all
  return isF32Row(type) || (type.getRank() == 0 && type.getElementType().isF32()) ? success() : emitOpError("takes one f32 a row, or one");
}
