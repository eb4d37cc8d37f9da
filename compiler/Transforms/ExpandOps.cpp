// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What templates say of landmark attention, in terms of tile, arith and math. The formulas stand with the operations (LandmarkOps.td).
#include "compiler/Transforms/ExpandOps.h"
#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/Templates.h"
#include "landmark/Problem.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace landmark {
#define GEN_PASS_DEF_LANDMARKEXPANDOPS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;
using arith::CmpIPredicate;

namespace {

//===-- Geometry ----------------------------------------------------------------------------------------------------===//

SmallVector<Value> expandProgram(ir::ProgramOp op, TileBuilder &b) {
  // 32-bit numbers: a GPU divides them several times faster, and there are fewer than 2^31 programs.
  auto size = [&](Value view, int64_t dim) { return b.toI32(memref::DimOp::create(b, view, b.index(dim))); };
  Value batches = size(op.getQ(), 0), heads = size(op.getQ(), 1), kvHeads = size(op.getK(), 1);
  Value tile = b.toI32(op.getTile()), section = b.toI32(op.getSection());
  Value tiles = b.divide(b.add(size(op.getQ(), 2), b.sub(tile, b.i32(1))), tile);
  Value count = b.toIndex(b.mul(b.mul(batches, heads), tiles));
  Value program = b.toI32(tile::ProgramOp::create(b, b.getIndexType(), count));

  Value sectionPrograms = b.mul(section, tiles);
  Value firstHead = b.mul(b.divide(program, sectionPrograms), section);
  Value inSection = b.remainder(program, sectionPrograms);
  Value sectionHeads = b.min(section, b.sub(b.mul(batches, heads), firstHead)); // the last section may be smaller
  Value tileIndex = b.sub(b.sub(tiles, b.i32(1)), b.divide(inSection, sectionHeads));
  Value batchHead = b.add(firstHead, b.remainder(inSection, sectionHeads));
  Value head = b.remainder(batchHead, heads);
  Value group = b.divide(heads, kvHeads);
  return {b.toIndex(b.divide(batchHead, heads)), b.toIndex(head), b.toIndex(b.divide(head, group)), b.mul(b.toIndex(tileIndex), op.getTile())};
}

SmallVector<Value> expandKeyProgram(ir::KeyProgramOp op, TileBuilder &b) {
  auto size = [&](Value view, int64_t dim) { return b.toI32(memref::DimOp::create(b, view, b.index(dim))); };
  Value batches = size(op.getQ(), 0), kvHeads = size(op.getK(), 1), group = b.divide(size(op.getQ(), 1), kvHeads);
  Value tiles = b.toI32(op.getTiles()), section = b.toI32(op.getSection());
  Value count = b.toIndex(b.mul(b.mul(batches, kvHeads), tiles));
  Value program = b.toI32(tile::ProgramOp::create(b, b.getIndexType(), count));

  Value sectionPrograms = b.mul(section, tiles);
  Value firstHead = b.mul(b.divide(program, sectionPrograms), section);
  Value inSection = b.remainder(program, sectionPrograms);
  Value sectionHeads = b.min(section, b.sub(b.mul(batches, kvHeads), firstHead)); // the last section may be smaller
  Value batchHead = b.add(firstHead, b.remainder(inSection, sectionHeads));
  Value kvHead = b.remainder(batchHead, kvHeads);
  return {b.toIndex(b.divide(batchHead, kvHeads)), b.toIndex(kvHead), b.toIndex(b.mul(kvHead, group)), b.toIndex(group),
          b.toIndex(b.divide(inSection, sectionHeads))};
}

SmallVector<Value> expandRowRange(ir::RowRangeOp op, TileBuilder &b) {
  Value zero = b.index(0), tile = op.getTile(), queries = op.getQueries(), phase = op.getPhase();
  // Row that stands at the first place of a block, if it is one of those from `low` on.
  auto rowOf = [&](Value block, Value low) {
    Value place = b.sub(b.mul(block, op.getBlockSize()), phase);
    return b.min(b.max(b.sub(place, op.getQOffset()), low), queries);
  };
  auto tilesOf = [&](Value rows) { return b.divide(b.add(rows, b.sub(tile, b.index(1))), tile); };
  Value end = b.add(op.getBlock(), op.getStep());
  Value first = rowOf(op.getBlock(), zero);
  if (op.getAlign())
    first = b.sub(first, b.remainder(first, b.index(*op.getAlign())));
  Value tiles = tilesOf(b.sub(queries, first)), edges = b.min(tilesOf(b.sub(rowOf(end, first), first)), tiles);
  Value isUnshifted = b.compare(CmpIPredicate::eq, phase, zero), isLater = b.compare(CmpIPredicate::ne, op.getBlock(), zero);
  Value isWhole = arith::OrIOp::create(b, isUnshifted, isLater);
  Value isComplete = b.compare(CmpIPredicate::sle, b.sub(b.mul(end, op.getBlockSize()), phase), op.getKeys());
  return {first, b.select(arith::AndIOp::create(b, isWhole, isComplete), edges, tiles), tiles};
}

SmallVector<Value> expandGroupTile(ir::GroupTileOp op, TileBuilder &b) {
  Value number = b.toI32(op.getNumber()), tiles = b.toI32(b.max(op.getTiles(), b.index(1)));
  Value head = b.add(op.getFirstHead(), b.toIndex(b.divide(number, tiles)));
  return {head, b.add(op.getFirst(), b.mul(b.toIndex(b.remainder(number, tiles)), op.getTile()))};
}

SmallVector<Value> expandBlockRange(ir::BlockRangeOp op, TileBuilder &b) {
  Value blockSize = op.getBlockSize(), step = op.getStep(), phase = op.getPhase();
  Value firstBlock = b.divide(b.add(op.getFirst(), phase), blockSize), lastBlock = b.divide(b.add(op.getLast(), phase), blockSize);
  Value padded = b.add(op.getKeys(), phase);
  Value complete = b.divide(padded, blockSize);
  Value started = b.divide(b.add(padded, b.sub(blockSize, b.index(1))), blockSize);
  Value full = b.min(firstBlock, complete);
  Value past = b.sub(full, b.remainder(full, step));
  Value end = b.min(b.add(lastBlock, b.index(1)), started);
  Value shortened = b.compare(CmpIPredicate::ne, phase, b.index(0));
  Value begin = b.select(shortened, b.min(step, past), b.index(0));
  return {begin, past, end};
}

SmallVector<Value> expandLocate(ir::LocateOp op, TileBuilder &b) {
  auto type = op.getBlocks().getType();
  Value first = b.toI32(b.add(op.getFirst(), op.getPhase())), rows = b.iota(type.getDimSize(0));
  if (op.getStep())
    rows = b.mul(rows, b.splatLike(b.toI32(op.getStep()), rows));
  Value places = b.add(b.splat(first, type), rows);
  Value blockSize = b.splat(b.toI32(op.getBlockSize()), type);
  return {b.divide(places, blockSize), b.remainder(places, blockSize)};
}

//===-- Visibility --------------------------------------------------------------------------------------------------===//

/// Numbers of the blocks of a tile, [blocks].
Value blockNumbers(TileBuilder &b, Value firstBlock, int64_t blocks) {
  Value numbers = b.iota(blocks);
  Value first = firstBlock.getType().isIndex() ? b.toI32(firstBlock) : firstBlock;
  return b.add(b.splat(first, cast<RankedTensorType>(numbers.getType())), numbers);
}

/// Block numbers and row blocks side by side, [rows, blocks].
std::pair<Value, Value> blocksByRow(TileBuilder &b, Value rowBlocks, Value numbers) {
  int64_t rows = cast<RankedTensorType>(rowBlocks.getType()).getDimSize(0);
  int64_t blocks = cast<RankedTensorType>(numbers.getType()).getDimSize(0);
  auto type = RankedTensorType::get({rows, blocks}, b.getI32Type());
  return {b.broadcast(numbers, type, {1}), b.broadcast(rowBlocks, type, {0})};
}

/// Whether a block is complete and past for a row, [rows, blocks].
Value completePast(TileBuilder &b, Value number, Value rowBlock, Value keys, Value phase, Value blockSize) {
  Value complete = b.toI32(b.divide(b.add(keys, phase), blockSize));
  Value isPast = b.compare(CmpIPredicate::slt, number, rowBlock);
  Value isComplete = b.compare(CmpIPredicate::slt, number, b.splatLike(complete, number));
  return arith::AndIOp::create(b, isPast, isComplete);
}

/// The first block that has an ordinary key: 1 where block 0 has nothing but its landmark (C6).
Value firstCounted(TileBuilder &b, Value phase, Value blockSize) {
  Value bare = b.compare(CmpIPredicate::eq, phase, b.sub(blockSize, b.index(1)));
  return b.select(bare, b.i32(1), b.i32(0));
}

/// Whether a block is block 0 with nothing but its landmark (C6).
Value isBare(TileBuilder &b, Value number, Value phase, Value blockSize) {
  Value bare = b.compare(CmpIPredicate::eq, phase, b.sub(blockSize, b.index(1)));
  Value bareBlock = b.select(bare, b.i32(0), b.i32(-1)); // no block has number -1
  return b.compare(CmpIPredicate::eq, number, b.splatLike(bareBlock, number));
}

Value andNot(TileBuilder &b, Value yes, Value no) {
  auto type = cast<RankedTensorType>(no.getType());
  Value ones = arith::ConstantOp::create(b, DenseElementsAttr::get(type, true));
  return arith::AndIOp::create(b, yes, arith::XOrIOp::create(b, no, ones));
}

/// Token numbers of a tile's columns, [tokens].
Value tokenNumbers(TileBuilder &b, int64_t tokens, Value firstToken) {
  Value numbers = b.iota(tokens);
  return firstToken ? b.add(b.splatLike(b.toI32(firstToken), numbers), numbers) : numbers;
}

SmallVector<Value> expandOwn(ir::OwnOp op, TileBuilder &b) {
  if (op.getResult().getType().getRank() == 1)
    return {b.compare(CmpIPredicate::eq, op.getBlocks(), b.splatLike(b.toI32(op.getBlock()), op.getBlocks()))};
  auto [number, rowBlock] = blocksByRow(b, op.getBlocks(), blockNumbers(b, op.getBlock(), op.getResult().getType().getDimSize(1)));
  return {b.compare(CmpIPredicate::eq, number, rowBlock)};
}

SmallVector<Value> expandTokens(ir::TokensOp op, TileBuilder &b) {
  auto type = op.getResult().getType();
  auto indices = cast<RankedTensorType>(type.clone(b.getI32Type()));
  Value numbers = blockNumbers(b, op.getBlock(), type.getDimSize(1));
  auto [number, rowBlock] = blocksByRow(b, op.getRowBlocks(), numbers);
  auto byBlock = cast<RankedTensorType>(number.getType());

  // A row sees the tokens [low, high) of a block: up to itself in its own, all ordinary ones in a past one.
  Value upToRow = b.add(b.broadcast(op.getRowTokens(), byBlock, {0}), b.splat(b.i32(1), byBlock));
  Value ordinary = b.splat(b.toI32(b.sub(op.getBlockSize(), b.index(1))), byBlock);
  Value past = completePast(b, number, rowBlock, op.getKeys(), op.getPhase(), op.getBlockSize());
  Value own = b.compare(CmpIPredicate::eq, number, rowBlock);
  Value high = b.select(own, upToRow, b.select(past, ordinary, b.splat(b.i32(0), byBlock)));
  Value start = b.mul(number, b.splat(b.toI32(op.getBlockSize()), byBlock)); // place of token 0
  Value keysEnd = b.splat(b.toI32(b.add(op.getKeys(), op.getPhase())), byBlock);
  high = b.min(b.min(high, ordinary), b.sub(keysEnd, start));
  Value low = b.max(b.sub(b.splatLike(b.toI32(op.getPhase()), numbers), b.mul(numbers, b.splatLike(b.toI32(op.getBlockSize()), numbers))),
                    b.splatLike(b.i32(0), numbers)); // of a block, [blocks]

  // One comparison: tokens below the first one are huge.
  auto byToken = cast<RankedTensorType>(RankedTensorType::get(type.getShape().drop_front(), b.getI32Type()));
  Value token = b.broadcast(tokenNumbers(b, type.getDimSize(2), op.getFirstToken()), byToken, {1});
  Value place = b.broadcast(b.sub(token, b.broadcast(low, byToken, {0})), indices, {1, 2});
  Value count = b.max(b.sub(high, b.broadcast(low, byBlock, {1})), b.splat(b.i32(0), byBlock));
  return {b.compare(CmpIPredicate::ult, place, b.broadcast(count, indices, {0, 1}))};
}

/// Whether a column is one of a block's ordinary tokens, as a mask of the shape of `type`.
Value ordinaryTokens(TileBuilder &b, RankedTensorType type, Value blockSize, Value firstToken) {
  Value token = tokenNumbers(b, type.getDimSize(2), firstToken);
  Value seen = b.compare(CmpIPredicate::ult, token, b.splatLike(b.toI32(b.sub(blockSize, b.index(1))), token));
  return b.broadcast(seen, type, {2});
}

SmallVector<Value> expandOrdinary(ir::OrdinaryOp op, TileBuilder &b) {
  return {ordinaryTokens(b, op.getResult().getType(), op.getBlockSize(), op.getFirstToken())};
}

SmallVector<Value> expandGates(ir::GatesOp op, TileBuilder &b) {
  auto type = op.getResult().getType();
  Value bare = firstCounted(b, op.getPhase(), op.getBlockSize());
  Value complete = b.toI32(b.divide(b.add(op.getKeys(), op.getPhase()), op.getBlockSize()));
  Value end = b.min(op.getRowBlocks(), b.splatLike(complete, op.getRowBlocks()));
  Value count = b.max(b.sub(end, b.splatLike(bare, end)), b.splatLike(b.i32(0), end));
  auto [number, counted] = blocksByRow(b, count, blockNumbers(b, b.sub(b.toI32(op.getBlock()), bare), type.getDimSize(1)));
  Value seen = b.compare(CmpIPredicate::ult, number, counted); // numbers below the first one are huge
  if (type.getRank() == 2)
    return {seen};
  Value token = tokenNumbers(b, type.getDimSize(2), op.getFirstToken());
  Value landmark = b.compare(CmpIPredicate::eq, token, b.splatLike(b.toI32(b.sub(op.getBlockSize(), b.index(1))), token));
  return {arith::AndIOp::create(b, b.broadcast(seen, type, {0, 1}), b.broadcast(landmark, type, {2}))};
}

SmallVector<Value> expandPastGates(ir::PastGatesOp op, TileBuilder &b) {
  auto type = op.getResult().getType();
  Value number = blockNumbers(b, op.getBlock(), type.getDimSize(1));
  Value below = b.compare(CmpIPredicate::slt, number, b.splatLike(b.toI32(op.getPast()), number));
  return {b.broadcast(andNot(b, below, isBare(b, number, op.getPhase(), op.getBlockSize())), type, {1})};
}

//===-- Softmax -----------------------------------------------------------------------------------------------------===//

SmallVector<Value> expandStats(ir::StatsOp op, TileBuilder &b) {
  Value factor = b.splatLike(op.getFactor(), op.getMax());
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(1, op.getLogits().getType().getRank()));
  Value logits = seenLogits(b, op.getSeen(), op.getLogits());
  Value maximum = b.maxf(op.getMax(), b.reduce(tile::ReductionKind::Max, logits, dims));
  if (op.getExact()) {
    Value kept = b.exp2(b.mulf(b.subf(op.getMax(), finite(b, maximum)), factor));
    Value added = b.reduce(tile::ReductionKind::Sum, exactExponentials(b, logits, maximum, op.getFactor()), dims);
    return {maximum, b.addf(b.mulf(op.getSum(), kept), added)};
  }
  Value offset = b.mulf(finite(b, maximum), factor);
  Value kept = b.mulf(op.getSum(), b.exp2(b.subf(b.mulf(op.getMax(), factor), offset)));
  Value added = b.reduce(tile::ReductionKind::Sum, exponentials(b, logits, offset, op.getFactor()), dims);
  return {maximum, b.addf(kept, added)};
}

SmallVector<Value> expandLogSumExp(ir::LogSumExpOp op, TileBuilder &b) {
  // The logarithm of an empty sum is -inf, as it should be.
  return {b.addf(b.mulf(finite(b, op.getMax()), b.splatLike(op.getFactor(), op.getMax())), b.log2(op.getSum()))};
}

/// Own block: exp2(m - lse). Past block: exp2(gate - lse) / sum, where the exponential need not wait for the sum. 0 where nothing was seen.
Value blockFactor(TileBuilder &b, Value maximum, Value sum, Value own, Value gate, Value lse, Value factor) {
  Value logit = b.select(own, finite(b, maximum), gate);
  Value weight = b.exp2(b.subf(b.mulf(logit, b.splatLike(factor, logit)), lse));
  Value share = b.select(own, b.floatSplatLike(1.0f, sum), b.reciprocal(sum));
  Value unseen = b.equals(maximum, b.floatSplatLike(-INFINITY, maximum));
  return b.select(unseen, b.floatSplatLike(0.0f, maximum), b.mulf(weight, share));
}

/// Softmax of every block of a tile on its own, not yet divided by its sum.
struct BlockSoftmax {
  Value maximum, offset, inner, sum;

  BlockSoftmax(TileBuilder &b, Value seen, Value allLogits, Value factor) {
    Value logits = seenLogits(b, seen, allLogits);
    maximum = b.reduce(tile::ReductionKind::Max, logits, {2});
    Value shift = finite(b, maximum);
    offset = b.mulf(shift, b.splatLike(factor, shift));
    inner = exponentials(b, logits, offset, factor);
    sum = b.reduce(tile::ReductionKind::Sum, inner, {2});
  }
};

SmallVector<Value> expandAddOwn(ir::AddOwnOp op, TileBuilder &b) {
  BlockSoftmax block(b, op.getSeen(), op.getLogits(), op.getFactor());
  Value blockLse = b.addf(block.offset, b.log2(block.sum));
  Value own = b.reduce(tile::ReductionKind::Max, b.select(op.getOwn(), blockLse, b.floatSplatLike(-INFINITY, blockLse)), {1});
  Value shift = finite(b, b.maxf(op.getLse(), own));
  // Nothing added leaves exactly what was there: log2(1 + 0) is 0.
  Value sum = b.addf(b.exp2(b.subf(op.getLse(), shift)), b.exp2(b.subf(own, shift)));
  return {b.addf(shift, b.log2(sum))};
}

/// The logits of the landmarks of a tile's blocks.
template <typename Op> Value landmarkLogits(Op op, TileBuilder &b) { return b.column(op.getLogits(), *getConstantIntValue(op.getBlockSize()) - 1); }

template <typename Op> SmallVector<Value> weights(Op op, Value seen, Value own, TileBuilder &b) {
  BlockSoftmax block(b, seen, op.getLogits(), op.getFactor());
  return {block.inner,
          blockFactor(b, block.maximum, block.sum, own, landmarkLogits(op, b), b.broadcastLeading(op.getLse(), block.maximum), op.getFactor())};
}

SmallVector<Value> expandWeights(ir::WeightsOp op, TileBuilder &b) { return weights(op, op.getSeen(), op.getOwn(), b); }

/// What `values` makes of past blocks that all rows see whole, of which none is a row's own, and that it fits.
template <typename Op, typename Values> SmallVector<Value> exactly(Op op, TileBuilder &b, Values values) {
  auto type = cast<RankedTensorType>(op.getLogits().getType().clone(b.getI1Type()));
  Value none = arith::ConstantOp::create(b, DenseElementsAttr::get(RankedTensorType::get(type.getShape().drop_back(), b.getI1Type()), false));
  SmallVector<Value> exact = values(op, ordinaryTokens(b, type, op.getBlockSize(), Value()), none, b);
  exact.push_back(arith::ConstantIntOp::create(b, 1, 1));
  return exact;
}

/// Softmax of every past block of a tile on its own, with a row's log-sum-exp for the maximum.
struct PastSoftmax {
  Value inner, sum, gate, share;
  Value factor; ///< of the exponentials: P = inner * factor

  template <typename Op> PastSoftmax(Op op, TileBuilder &b) {
    Value seen = ordinaryTokens(b, cast<RankedTensorType>(op.getLogits().getType().clone(b.getI1Type())), op.getBlockSize(), Value());
    // As one operation, not to share its product with the other way, which would leave two here.
    Value logits = op.getLogits(), shift = arith::NegFOp::create(b, op.getLse());
    Value all = b.exp2(math::FmaOp::create(b, logits, b.splatLike(op.getFactor(), logits), b.broadcastLeading(shift, logits)));
    inner = b.select(seen, all, b.floatSplatLike(0.0f, all));
    sum = b.reduce(tile::ReductionKind::Sum, inner, {2});
    gate = b.column(all, *getConstantIntValue(op.getBlockSize()) - 1); // the landmark's exponential
    share = b.reciprocal(b.maxf(sum, b.floatSplatLike(0x1p-126f, sum)));
    factor = b.mulf(gate, share); // 0 of a gate of 0
  }

  Value fits(TileBuilder &b) const { return areAtMost(b, factor, b.floatSplatLike(0x1p60f, factor)); }

  /// Of rows of at most `keys` keys, whose weights are raised by halfWeightExponent.
  Value holdInHalf(TileBuilder &b, Value keys) const {
    constexpr double largest = 65504, rounding = 0x1p-25; // the error of numbers that are not normal
    constexpr double tolerance = 0x1p-12 * (int64_t(1) << halfWeightExponent), columns = 64;
    auto number = [&](double value) -> Value { return arith::ConstantOp::create(b, b.getF32FloatAttr(value)); };
    OpBuilder::InsertPoint here = b.saveInsertionPoint();
    b.setInsertionPointAfterValue(keys); // outside of loops
    Value length = arith::SIToFPOp::create(b, b.getF32Type(), b.toI32(keys));
    Value share = arith::DivFOp::create(b, number(columns * tolerance / rounding), length);
    Value bound = arith::MinNumFOp::create(b, number(largest), share);
    b.restoreInsertionPoint(here);
    Value raised = b.mulf(factor, b.floatSplatLike(columns, factor));
    return areAtMost(b, raised, b.splatLike(bound, factor));
  }

private:
  /// Whether numbers that go with factors, and the sums, are.
  Value areAtMost(TileBuilder &b, Value numbers, Value bound) const {
    Value most = b.maxf(numbers, sum);
    return tile::AllOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, most, bound));
  }
};

SmallVector<Value> expandPastWeights(ir::PastWeightsOp op, TileBuilder &b) {
  if (op.getExact()) {
    SmallVector<Value> results = exactly(op, b, weights<ir::PastWeightsOp>);
    results.push_back(results.back());
    return results;
  }
  PastSoftmax softmax(op, b);
  Value fits = softmax.fits(b);
  return {softmax.inner, softmax.factor, fits, op.getHalf() ? softmax.holdInHalf(b, op.getKeys()) : fits};
}

SmallVector<Value> expandGateLogit(ir::GateLogitOp op, TileBuilder &b) {
  int64_t column = (*getConstantIntValue(op.getBlockSize()) - 1) % op.getLogits().getType().getDimSize(2);
  return {b.reduce(tile::ReductionKind::Max, b.column(op.getLogits(), column), {1})};
}

SmallVector<Value> expandBlockFactor(ir::BlockFactorOp op, TileBuilder &b) {
  return {blockFactor(b, op.getMax(), op.getSum(), op.getOwn(), op.getGate(), op.getLse(), op.getFactor())};
}

SmallVector<Value> expandSpread(ir::SpreadOp op, TileBuilder &b) {
  Value shift = finite(b, op.getMax());
  Value inner = exponentials(b, seenLogits(b, op.getSeen(), op.getLogits()), b.mulf(shift, b.splatLike(op.getFactor(), shift)), op.getFactor());
  return {b.mulf(inner, b.broadcastLeading(op.getWeight(), inner))};
}

/// Softmax of a row's parts, one after the other: the exponentials of this one, and what those before are worth less the new maximum.
struct RunningSoftmax {
  SmallVector<int64_t> dims;
  Value maximum, kept, inner;

  template <typename Op> RunningSoftmax(TileBuilder &b, Op op) : dims(llvm::to_vector(llvm::seq<int64_t>(1, op.getLogits().getType().getRank()))) {
    Value factor = b.splatLike(op.getFactor(), op.getMax()), logits = seenLogits(b, op.getSeen(), op.getLogits());
    maximum = b.maxf(op.getMax(), b.reduce(tile::ReductionKind::Max, logits, dims));
    Value offset = b.mulf(finite(b, maximum), factor);
    kept = b.exp2(b.subf(b.mulf(op.getMax(), factor), offset));
    inner = exponentials(b, logits, offset, op.getFactor());
  }

  /// A sum of the parts before with that of `values` of this one.
  Value next(TileBuilder &b, Value old, Value values) const {
    Value scaled = b.mulf(old, kept);
    return b.addf(scaled, b.reduce(tile::ReductionKind::Sum, values, dims));
  }
};

SmallVector<Value> expandPartWeights(ir::PartWeightsOp op, TileBuilder &b) {
  RunningSoftmax part(b, op);
  return {part.inner, part.maximum, part.next(b, op.getSum(), part.inner), part.kept};
}

//===-- Gradients ---------------------------------------------------------------------------------------------------===//

/// What the weights of a row's keys in a block need, each one number a row and block. 0 where nothing was seen.
struct BlockWeight {
  Value unseen, share, gate;
  Value weight; ///< of the exponentials: P = inner * weight

  /// `ownWeight` is that in a row's own block.
  BlockWeight(TileBuilder &b, Value maximum, Value sum, Value own, Value ownWeight, Value gateLogit, Value lse, Value factor) {
    Value zero = b.floatSplatLike(0.0f, maximum);
    unseen = b.equals(maximum, b.floatSplatLike(-INFINITY, maximum));
    share = b.select(unseen, zero, b.reciprocal(sum));
    gate = b.exp2(b.subf(b.mulf(gateLogit, b.splatLike(factor, gateLogit)), lse));
    weight = b.select(own, ownWeight, b.select(unseen, zero, b.mulf(gate, share)));
  }

  Value weigh(TileBuilder &b, Value inner) const { return b.mulf(inner, b.broadcastLeading(weight, inner)); }
};

/// And the gradients of their logits.
struct BlockGradient {
  Value center;   ///< ds = P * (a - center)
  Value landmark; ///< ds of the landmark

  BlockGradient(Value center, Value landmark) : center(center), landmark(landmark) {}
  BlockGradient(TileBuilder &b, const BlockWeight &block, Value total, Value own, Value delta) {
    Value mean = b.mulf(total, block.share), past = b.mulf(block.gate, b.subf(mean, delta));
    center = b.select(own, delta, mean);
    landmark = b.select(arith::OrIOp::create(b, own, block.unseen), b.floatSplatLike(0.0f, total), past);
  }
};

/// Whether a thread has registers for its exponentials beside P: not for those of rows of a long block.
bool isKept(Value inner) { return cast<RankedTensorType>(inner.getType()).getDimSize(2) <= 64; }

/// ds of a tile with that of the landmark in its column: made of the exponentials, so that P is rounded before the products come, or, where both take too many registers, of P.
Value gradients(TileBuilder &b, Value inner, Value weights, Value products, Value weight, const BlockGradient &gradient, Value blockSize, Value firstToken) {
  auto type = cast<RankedTensorType>(inner.getType());
  auto everywhere = [&](Value number) { return b.broadcastLeading(number, inner); };
  Value result = isKept(inner) ? b.mulf(inner, b.subf(b.mulf(products, everywhere(weight)), everywhere(b.mulf(gradient.center, weight))))
                               : b.mulf(weights, b.subf(products, everywhere(gradient.center)));
  Value token = tokenNumbers(b, type.getDimSize(2), firstToken);
  Value isLandmark = b.compare(CmpIPredicate::eq, token, b.splatLike(b.toI32(b.sub(blockSize, b.index(1))), token));
  return b.select(b.broadcast(isLandmark, type, {2}), everywhere(gradient.landmark), result);
}

/// P of a tile, and ds. What makes P stands first, as it needs no products with dO: they run meanwhile.
template <typename Op> SmallVector<Value> gradients(Op op, Value seen, Value own, TileBuilder &b) {
  int64_t landmark = *getConstantIntValue(op.getBlockSize()) - 1;
  BlockSoftmax softmax(b, seen, op.getLogits(), op.getFactor());
  Value lse = b.broadcastLeading(finite(b, op.getLse()), softmax.maximum), delta = b.broadcastLeading(op.getDelta(), softmax.maximum);
  Value ownWeight = b.exp2(b.subf(softmax.offset, lse));
  BlockWeight block(b, softmax.maximum, softmax.sum, own, ownWeight, b.column(op.getLogits(), landmark), lse, op.getFactor());
  Value weights = isKept(softmax.inner) ? block.weigh(b, softmax.inner) : Value();
  Value total = b.reduce(tile::ReductionKind::Sum, b.mulf(softmax.inner, op.getProducts()), {2});
  if (!weights)
    weights = block.weigh(b, softmax.inner);
  BlockGradient gradient(b, block, total, own, delta);
  return {weights, gradients(b, softmax.inner, weights, op.getProducts(), block.weight, gradient, op.getBlockSize(), Value())};
}

SmallVector<Value> expandGradients(ir::GradientsOp op, TileBuilder &b) { return gradients(op, op.getSeen(), op.getOwn(), b); }

SmallVector<Value> expandPastGradients(ir::PastGradientsOp op, TileBuilder &b) {
  if (op.getExact())
    return exactly(op, b, gradients<ir::PastGradientsOp>);
  PastSoftmax softmax(op, b);
  Value weights = b.mulf(softmax.inner, b.broadcastLeading(softmax.factor, softmax.inner));
  Value total = b.reduce(tile::ReductionKind::Sum, b.mulf(softmax.inner, op.getProducts()), {2});
  Value mean = b.mulf(total, softmax.share), delta = b.broadcastLeading(op.getDelta(), mean);
  BlockGradient gradient(mean, b.mulf(softmax.gate, b.subf(mean, delta)));
  Value result = gradients(b, softmax.inner, weights, op.getProducts(), softmax.factor, gradient, op.getBlockSize(), Value());
  return {weights, result, softmax.fits(b)};
}

SmallVector<Value> expandProductStats(ir::ProductStatsOp op, TileBuilder &b) {
  RunningSoftmax part(b, op);
  return {part.maximum, part.next(b, op.getSum(), part.inner), part.next(b, op.getTotal(), b.mulf(part.inner, op.getProducts()))};
}

SmallVector<Value> expandPartGradients(ir::PartGradientsOp op, TileBuilder &b) {
  // In its own block a row's weights are exp2(logit * factor - lse), without the block's statistics.
  Value shift = finite(b, op.getMax()), lse = finite(b, op.getLse());
  Value offset = b.select(op.getOwn(), lse, b.mulf(shift, b.splatLike(op.getFactor(), shift)));
  Value inner = exponentials(b, seenLogits(b, op.getSeen(), op.getLogits()), offset, op.getFactor());
  BlockWeight block(b, op.getMax(), op.getSum(), op.getOwn(), b.floatSplatLike(1.0f, lse), op.getGate(), lse, op.getFactor());
  BlockGradient gradient(b, block, op.getTotal(), op.getOwn(), op.getDelta());
  Value weights = block.weigh(b, inner);
  return {weights, gradients(b, inner, weights, op.getProducts(), block.weight, gradient, op.getBlockSize(), op.getFirstToken())};
}

/// Columns are fixed when code is made, so the block size that names one must be a constant.
LogicalResult verifyBlockSize(mlir::Operation *op, Value blockSize, int64_t most) {
  std::optional<int64_t> value = getConstantIntValue(blockSize);
  if (value && *value >= 1 && *value <= most)
    return success();
  return op->emitOpError("needs a constant block size of 1 to ") << most;
}

struct ExpandOps : landmark::impl::LandmarkExpandOpsBase<ExpandOps> {
  void runOnOperation() override {
    WalkResult checked = getOperation()->walk([](mlir::Operation *op) -> WalkResult {
      if (auto weights = dyn_cast<ir::WeightsOp>(op))
        return verifyBlockSize(op, weights.getBlockSize(), weights.getLogits().getType().getDimSize(2));
      if (auto weights = dyn_cast<ir::PastWeightsOp>(op))
        return verifyBlockSize(op, weights.getBlockSize(), weights.getLogits().getType().getDimSize(2));
      if (auto gradients = dyn_cast<ir::GradientsOp>(op))
        return verifyBlockSize(op, gradients.getBlockSize(), gradients.getLogits().getType().getDimSize(2));
      if (auto gradients = dyn_cast<ir::PastGradientsOp>(op))
        return verifyBlockSize(op, gradients.getBlockSize(), gradients.getLogits().getType().getDimSize(2));
      if (auto online = dyn_cast<ir::OnlineOp>(op))
        return verifyBlockSize(op, online.getBlockSize(), online.getLogits().getType().getDimSize(2));
      if (auto gate = dyn_cast<ir::GateLogitOp>(op))
        return verifyBlockSize(op, gate.getBlockSize(), Problem::maxBlockSize);
      return WalkResult::advance();
    });
    if (checked.wasInterrupted())
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<Expansion<ir::ProgramOp, expandProgram>, Expansion<ir::BlockRangeOp, expandBlockRange>, Expansion<ir::LocateOp, expandLocate>,
                 Expansion<ir::OwnOp, expandOwn>, Expansion<ir::TokensOp, expandTokens>, Expansion<ir::OrdinaryOp, expandOrdinary>,
                 Expansion<ir::GatesOp, expandGates>, Expansion<ir::PastGatesOp, expandPastGates>, Expansion<ir::StatsOp, expandStats>,
                 Expansion<ir::LogSumExpOp, expandLogSumExp>, Expansion<ir::AddOwnOp, expandAddOwn>, Expansion<ir::WeightsOp, expandWeights>, Expansion<ir::PastWeightsOp, expandPastWeights>,
                 Expansion<ir::GateLogitOp, expandGateLogit>,
                 Expansion<ir::BlockFactorOp, expandBlockFactor>, Expansion<ir::SpreadOp, expandSpread>,
                 Expansion<ir::PartWeightsOp, expandPartWeights>, Expansion<ir::KeyProgramOp, expandKeyProgram>, Expansion<ir::RowRangeOp, expandRowRange>, Expansion<ir::GroupTileOp, expandGroupTile>,
                 Expansion<ir::GradientsOp, expandGradients>, Expansion<ir::PastGradientsOp, expandPastGradients>, Expansion<ir::ProductStatsOp, expandProductStats>,
                 Expansion<ir::PartGradientsOp, expandPartGradients>>(&getContext());
    populateRetrievalExpansions(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
