// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of retrieval in terms of tile, arith and math. The formulas stand with the operations
// (RetrievalOps.td).
#include "compiler/Transforms/ExpandOps.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace landmark;
using arith::CmpIPredicate;
using tile::ReductionKind;

namespace {

/// The id of no block: larger than any, so that it loses every tie.
constexpr int32_t noBlock = INT32_MAX;

Value intSplatLike(TileBuilder &b, int32_t value, Value tile) {
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(cast<RankedTensorType>(TileBuilder::typeOf(tile).clone(b.getI32Type())), value));
}

/// A value for every row, or one number for all, repeated along `like`'s columns.
Value byRow(TileBuilder &b, Value row, Value like) { return b.broadcastLeading(row, like); }

//===-- Geometry
//----------------------------------------------------------------------------------------------------===//

SmallVector<Value> expandTask(ir::TaskOp op, TileBuilder &b) {
  // 32-bit numbers: a GPU divides them several times faster, and there are fewer than 2^31 programs.
  auto size = [&](int64_t dim) { return b.toI32(memref::DimOp::create(b, op.getView(), b.index(dim))); };
  Value span = b.toI32(op.getSpan()), tile = b.toI32(op.getTile()), splits = b.toI32(op.getSplits());
  Value outers = size(1), spans = b.divide(size(2), span);
  Value tiles = b.divide(b.add(span, b.sub(tile, b.i32(1))), tile);
  Value program = b.toI32(gpu::BlockIdOp::create(b, gpu::Dimension::x));
  auto next = [&](Value count) {
    Value taken = b.remainder(program, count);
    program = b.divide(program, count);
    return taken;
  };
  Value split = next(splits), tileIndex = next(tiles), spanIndex = next(spans), outer = next(outers);
  Value first = b.mul(spanIndex, span), inSpan = b.mul(tileIndex, tile);
  Value row = b.add(first, inSpan), rowEnd = b.add(first, b.min(b.add(inSpan, tile), span));
  return {b.toIndex(program), b.toIndex(outer),  b.toIndex(spanIndex),
          b.toIndex(row),     b.toIndex(rowEnd), b.toIndex(split)};
}

SmallVector<Value> expandPart(ir::PartOp op, TileBuilder &b) {
  Value split = b.toI32(op.getSplit()), splits = b.toI32(op.getSplits()), end = b.toI32(op.getEnd()),
        step = b.toI32(op.getStep());
  Value steps = b.divide(b.add(end, b.sub(step, b.i32(1))), step);
  // The first `rest` parts have a step more.
  Value each = b.divide(steps, splits), rest = b.remainder(steps, splits);
  auto border = [&](Value part) {
    Value whole = b.mul(part, each);
    return b.mul(b.add(whole, b.min(part, rest)), step);
  };
  return {b.toIndex(border(split)), b.toIndex(b.min(end, border(b.add(split, b.i32(1)))))};
}

SmallVector<Value> expandPositions(ir::PositionsOp op, TileBuilder &b) {
  constexpr int64_t belowAll = -(int64_t(1) << 62);
  Value zero = b.index(0), one = b.index(1), L = op.getBlockSize();
  Value retrieved = b.min(op.getKeep(), op.getBlocks()), far = b.sub(op.getBlocks(), retrieved);
  Value slots = b.select(b.compare(CmpIPredicate::sgt, retrieved, zero), b.add(retrieved, one), zero);
  Value isCompact = b.compare(CmpIPredicate::ne, op.getCompact(), zero);
  auto where = [&](Value compact, Value otherwise) { return b.select(isCompact, compact, otherwise); };
  return {where(b.mul(b.sub(slots, op.getBlocks()), L), zero), where(b.mul(b.sub(one, far), L), zero),
          where(b.sub(L, one), b.index(belowAll)), far};
}

//===-- Selection
//---------------------------------------------------------------------------------------------------===//

/// Numbers of a tile's columns, counted from `first`, [columns].
Value columnNumbers(TileBuilder &b, Value first, int64_t columns) {
  Value numbers = b.iota(columns);
  return b.add(b.splatLike(b.toI32(first), numbers), numbers);
}

SmallVector<Value> expandCandidates(ir::CandidatesOp op, TileBuilder &b) {
  auto type = cast<RankedTensorType>(op.getResult().getType().clone(b.getI32Type()));
  Value numbers = b.broadcast(columnNumbers(b, op.getBlock(), type.getDimSize(1)), type, {1});
  return {b.compare(CmpIPredicate::slt, numbers, b.broadcast(op.getLimit(), type, {0}))};
}

SmallVector<Value> expandNumbers(ir::NumbersOp op, TileBuilder &b) {
  auto type = op.getResult().getType();
  Value numbers = b.broadcast(columnNumbers(b, op.getBlock(), type.getDimSize(1)), type, {1});
  return {b.select(op.getSeen(), numbers, intSplatLike(b, noBlock, numbers))};
}

/// A row's candidates; those taken become absent.
struct Candidates {
  Value values, ids;
  bool across; ///< all rows are one

  Value most(TileBuilder &b) const { return combine(b, ReductionKind::Max, values); }
  /// The lowest id among those of value `wanted`.
  Value lowestId(TileBuilder &b, Value wanted) const {
    Value held = b.select(b.equals(values, byRow(b, wanted, values)), ids, intSplatLike(b, noBlock, ids));
    return combine(b, ReductionKind::Min, held);
  }
  /// For every row, or one number where all rows are one.
  Value combine(TileBuilder &b, ReductionKind kind, Value tile) const {
    return across ? b.reduce(kind, tile, {0, 1}) : b.reduce(kind, tile, {1});
  }
  void take(TileBuilder &b, Value id) {
    Value taken = b.compare(CmpIPredicate::eq, ids, byRow(b, id, ids));
    values = b.select(taken, b.floatSplatLike(-INFINITY, values), values);
    ids = b.select(taken, intSplatLike(b, noBlock, ids), ids);
  }
};

/// Runs `body(builder, j, carried)` for j in [0, count).
SmallVector<Value> repeat(TileBuilder &b, Value count, ValueRange inits,
                          llvm::function_ref<SmallVector<Value>(TileBuilder &, Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, b.index(0), count, b.index(1), inits,
                                 [&](OpBuilder &builder, Location loc, Value j, ValueRange carried) {
                                   TileBuilder inner(loc, builder);
                                   scf::YieldOp::create(inner, body(inner, j, carried));
                                 });
  return SmallVector<Value>(loop.getResults());
}

/// Whether a place of a list is number `j`, for every row.
Value isPlace(TileBuilder &b, Value j, Value list) {
  auto type = cast<RankedTensorType>(TileBuilder::typeOf(list).clone(b.getI32Type()));
  Value places = b.broadcast(b.iota(type.getDimSize(1)), type, {1});
  return b.compare(CmpIPredicate::eq, places, b.splat(b.toI32(j), type));
}

/// How many places of a list a thread keeps in registers: for more, every place takes a round of reductions.
constexpr int64_t mostInserted = 8;

bool isInserted(Value keep) {
  std::optional<int64_t> number = getConstantIntValue(keep);
  return number && *number <= mostInserted;
}

/// The `keep` best of a list and of candidates, the best first, or in ascending order of ids, which rounds leave to the caller.
SmallVector<Value> best(TileBuilder &b, Value values, Value ids, Value candidates, Value candidateIds, Value keep, bool across, bool byId = false) {
  if (isInserted(keep)) {
    auto topK = tile::TopKOp::create(b, values.getType(), ids.getType(), values, ids, candidates, candidateIds, *getConstantIntValue(keep), across, byId);
    return {topK.getNewValues(), topK.getNewIds()};
  }
  Value none = b.floatSplatLike(-INFINITY, values), noIds = intSplatLike(b, noBlock, ids);
  SmallVector<Value> inits = {values, ids, candidates, candidateIds, none, noIds};
  SmallVector<Value> results =
      repeat(b, keep, inits, [across](TileBuilder &b, Value j, ValueRange carried) -> SmallVector<Value> {
        Candidates list{carried[0], carried[1], across}, added{carried[2], carried[3], across};
        Value listMost = list.most(b), addedMost = added.most(b), most = b.maxf(listMost, addedMost);
        Value listId = list.lowestId(b, most), addedId = added.lowestId(b, most), id = b.min(listId, addedId);
        Value place = isPlace(b, j, carried[4]);
        Value values = b.select(place, byRow(b, most, carried[4]), carried[4]),
              ids = b.select(place, byRow(b, id, carried[5]), carried[5]);
        list.take(b, id);
        added.take(b, id);
        return {list.values, list.ids, added.values, added.ids, values, ids};
      });
  if (!across)
    return {results[4], results[5]};
  Value rows = b.iota(TileBuilder::typeOf(values).getDimSize(0));
  Value isFirst = b.compare(CmpIPredicate::eq, rows, b.splatLike(b.i32(0), rows));
  return {b.select(byRow(b, isFirst, none), results[4], none), b.select(byRow(b, isFirst, noIds), results[5], noIds)};
}

SmallVector<Value> expandTopK(ir::TopKOp op, TileBuilder &b) {
  return best(b, op.getValues(), op.getIds(), op.getCandidates(), op.getCandidateIds(), op.getKeep(), op.getAcross());
}

/// The lowest `count` ids of every row in ascending order, then -1.
Value sorted(TileBuilder &b, Value ids, Value count) {
  return repeat(b, count, {ids, intSplatLike(b, -1, ids)}, [](TileBuilder &b, Value j, ValueRange carried) -> SmallVector<Value> {
        Value lowest = b.reduce(ReductionKind::Min, carried[0], {1});
        Value here = byRow(b, lowest, carried[0]), noIds = intSplatLike(b, noBlock, carried[0]);
        Value isThere = b.compare(CmpIPredicate::ne, here, noIds);
        Value sorted = b.select(arith::AndIOp::create(b, isPlace(b, j, carried[1]), isThere), here, carried[1]);
        return {b.select(b.compare(CmpIPredicate::eq, carried[0], here), noIds, carried[0]), sorted};
      })[1];
}

SmallVector<Value> expandChoose(ir::ChooseOp op, TileBuilder &b) {
  RankedTensorType listType = op.getType();
  int64_t pieces = listType.getDimSize(0), columns = op.getValues().getType().getDimSize(3);
  auto tileType = [&](Type element) { return RankedTensorType::get({pieces, columns}, element); };
  Value none = arith::ConstantOp::create(b, b.getF32FloatAttr(-INFINITY)), noId = b.i32(noBlock);
  Value values = b.splat(none, listType), ids = b.splat(noId, listType), keep = op.getKeep();
  Value candidates = b.toI32(op.getCandidates());
  Value end = b.toIndex(b.divide(b.add(candidates, b.i32(columns - 1)), b.i32(columns)));
  auto loop = scf::ForOp::create(b, b.index(0), end, b.index(pieces), ValueRange{values, ids}, [&](OpBuilder &builder, Location loc, Value piece, ValueRange list) {
    TileBuilder b(loc, builder);
    auto read = [&](Value view, Value fill) -> Value {
      return tile::ReadRowsOp::create(b, tileType(fill.getType()), view, op.getBatch(), op.getRow(), piece, end, fill);
    };
    Value added = read(op.getValues(), none), addedIds = read(op.getIds(), noId);
    // How many candidates are left for each piece; what lies beyond is in memory, but not one.
    Value pieceNumbers = b.iota(pieces), before = b.mul(pieceNumbers, b.splatLike(b.i32(columns), pieceNumbers));
    Value left = b.sub(b.splatLike(b.sub(candidates, b.mul(b.toI32(piece), b.i32(columns))), before), before);
    auto idType = tileType(b.getI32Type());
    Value isThere = b.compare(CmpIPredicate::slt, b.broadcast(columnNumbers(b, b.index(0), columns), idType, {1}), b.broadcast(left, idType, {0}));
    added = b.select(isThere, added, b.floatSplatLike(-INFINITY, added));
    addedIds = b.select(isThere, addedIds, intSplatLike(b, noBlock, addedIds));
    scf::YieldOp::create(b, best(b, list[0], list[1], added, addedIds, keep, /*across=*/true, /*byId=*/true));
  });
  Value chosen = loop.getResult(1), noIds = intSplatLike(b, noBlock, chosen);
  if (isInserted(keep))
    return {b.select(b.compare(CmpIPredicate::eq, chosen, noIds), intSplatLike(b, -1, chosen), chosen)};
  return {sorted(b, chosen, keep)};
}

SmallVector<Value> expandEntry(ir::EntryOp op, TileBuilder &b) {
  return {b.toIndex(tensor::ExtractOp::create(b, op.getIds(), ValueRange{b.index(0), op.getPlace()}))};
}

//===-- Softmax
//-----------------------------------------------------------------------------------------------------===//

/// exp2(value - offset); 0 for a value of -inf, whatever the offset.
Value shareOf(TileBuilder &b, Value value, Value offset) { return b.exp2(b.subf(value, finite(b, offset))); }

SmallVector<Value> expandOnline(ir::OnlineOp op, TileBuilder &b) {
  int64_t landmark = *getConstantIntValue(op.getBlockSize()) - 1;
  Value logits = seenLogits(b, op.getSeen(), op.getLogits());
  Value maximum = b.reduce(ReductionKind::Max, logits, {2});
  Value none = b.floatSplatLike(-INFINITY, maximum), factor = b.splatLike(op.getFactor(), maximum);
  Value shift = b.mulf(finite(b, maximum), factor);
  Value inner = exactExponentials(b, logits, maximum, op.getFactor());
  Value logSum = b.log2(b.reduce(ReductionKind::Sum, inner, {2}));
  Value gate = b.mulf(b.column(op.getLogits(), landmark), factor);
  Value term = b.select(b.equals(maximum, none), none, b.select(op.getOwn(), b.addf(shift, logSum), gate));

  Value most = b.maxf(op.getMax(), b.reduce(ReductionKind::Max, term, {1}));
  Value offset = byRow(b, finite(b, most), term);
  Value kept = shareOf(b, op.getMax(), most);
  Value added = b.reduce(ReductionKind::Sum, b.exp2(b.subf(term, offset)), {1});
  // A term's share, divided by the sum of its exponentials: the division as a difference of logarithms.
  Value weight =
      b.exp2(b.subf(b.subf(term, offset), b.select(b.equals(maximum, none), b.floatSplatLike(0.0f, logSum), logSum)));
  return {b.mulf(inner, b.broadcastLeading(weight, inner)), most, b.addf(b.mulf(op.getSum(), kept), added), kept};
}

SmallVector<Value> expandFinish(ir::FinishOp op, TileBuilder &b) {
  Value zero = b.floatSplatLike(0.0f, op.getSum());
  return {b.select(b.equals(op.getSum(), zero), zero, b.reciprocal(op.getSum())), b.addf(op.getMax(), b.log2(op.getSum()))};
}

SmallVector<Value> expandJoin(ir::JoinOp op, TileBuilder &b) {
  Value most = b.maxf(op.getA(), op.getB());
  return {b.addf(finite(b, most), b.log2(b.addf(shareOf(b, op.getA(), most), shareOf(b, op.getB(), most))))};
}

SmallVector<Value> expandShare(ir::ShareOp op, TileBuilder &b) { return {shareOf(b, op.getPart(), op.getWhole())}; }

} // namespace

void landmark::populateRetrievalExpansions(RewritePatternSet &patterns) {
  patterns.add<Expansion<ir::TaskOp, expandTask>, Expansion<ir::PartOp, expandPart>,
               Expansion<ir::CandidatesOp, expandCandidates>, Expansion<ir::NumbersOp, expandNumbers>,
               Expansion<ir::TopKOp, expandTopK>, Expansion<ir::PositionsOp, expandPositions>, Expansion<ir::ChooseOp, expandChoose>, Expansion<ir::EntryOp, expandEntry>,
               Expansion<ir::OnlineOp, expandOnline>, Expansion<ir::FinishOp, expandFinish>,
               Expansion<ir::JoinOp, expandJoin>, Expansion<ir::ShareOp, expandShare>>(patterns.getContext());
}
