// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The best of a row, by insertion into a list in memory.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

using namespace mlir;
using namespace landmark;

/// Whether x comes before y: more, or as much and a lower id.
Value TileEmitter::isBefore(Entry x, Entry y) {
  Value isMore = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x.first, y.first);
  Value isEqual = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x.first, y.first);
  Value isLower = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x.second, y.second);
  return arith::OrIOp::create(b, isMore, arith::AndIOp::create(b, isEqual, isLower));
}

void TileEmitter::topK(tile::TopKOp op) {
  TileLayout list = layoutOf(op.getValues()), added = layoutOf(op.getCandidates());
  int64_t keep = op.getKeep();
  Entry buffer{allocateFor(op.getNewValues()), allocateFor(op.getNewIds())};
  Entry absent{arith::ConstantOp::create(b, b.getF32FloatAttr(-INFINITY)), arith::ConstantOp::create(b, b.getI32IntegerAttr(INT32_MAX))};
  auto at = [&](Value row, Value place) { return offsetOf(list, {row, place}); };
  auto read = [&](Value offset) -> Entry { return {memref::LoadOp::create(b, buffer.first, offset), memref::LoadOp::create(b, buffer.second, offset)}; };
  auto write = [&](Entry entry, Value offset) {
    memref::StoreOp::create(b, entry.first, buffer.first, offset);
    memref::StoreOp::create(b, entry.second, buffer.second, offset);
  };
  auto forElements = [&](const TileLayout &layout, llvm::function_ref<void(Value, Value)> body) {
    forLoop(0, layout.shape[0], 1, [&](Value row) { forLoop(0, layout.shape[1], 1, [&](Value column) { body(row, column); }); });
  };
  forElements(list, [&](Value row, Value place) { write(absent, at(row, place)); });

  // Most candidates are not better than the last place, and that is all there is to find of them.
  auto insertAll = [&](Value values, Value ids, const TileLayout &layout) {
    forElements(layout, [&](Value row, Value column) {
      evaluated.clear();
      Point point{{row, column}};
      Entry entry{evaluate(values, point), evaluate(ids, point)};
      Value target = op.getAcross() ? index(0) : row;
      auto branch = scf::IfOp::create(b, isBefore(entry, read(at(target, index(keep - 1)))));
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      forLoop(0, keep, 1, ValueRange{entry.first, entry.second}, [&](Value place, ValueRange carried) -> SmallVector<Value> {
        Entry moving{carried[0], carried[1]}, held = read(at(target, place));
        Value goesHere = isBefore(moving, held);
        write(selectEntry(goesHere, moving, held), at(target, place));
        Entry next = selectEntry(goesHere, held, moving);
        return {next.first, next.second};
      });
    });
  };
  insertAll(op.getValues(), op.getIds(), list);
  insertAll(op.getCandidates(), op.getCandidateIds(), added);

  if (op.getById())
    forLoop(1, keep, 1, [&](Value) {
      forLoop(1, keep, 1, [&](Value place) {
        Value above = arith::SubIOp::create(b, place, index(1)), zero = index(0);
        Entry first = read(at(zero, above)), second = read(at(zero, place));
        Value isRight = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, first.second, second.second);
        write(selectEntry(isRight, first, second), at(zero, above));
        write(selectEntry(isRight, second, first), at(zero, place));
      });
    });
  buffers[op.getNewValues()] = buffer.first;
  buffers[op.getNewIds()] = buffer.second;
}
