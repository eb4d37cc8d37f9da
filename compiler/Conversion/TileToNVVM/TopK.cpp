// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The best of a row: every thread keeps the best of its columns in registers, by insertion, and then the threads that share the row merge what they kept.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace landmark {
namespace {

constexpr int32_t noBlock = INT32_MAX;

/// A candidate: its value, an f32 or what orders as one, and its id.
struct Entry {
  Value value, id;
};
using Entries = SmallVector<Entry>;

/// Entries of a thread, and how they compare.
struct Sorter {
  ThreadBuilder &b;

  Value select(Value condition, Value a, Value other) { return a == other ? a : Value(arith::SelectOp::create(b, condition, a, other)); }
  Entry select(Value condition, Entry a, Entry other) { return {select(condition, a.value, other.value), select(condition, a.id, other.id)}; }
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) { return arith::CmpIOp::create(b, predicate, x, y); }

  bool isFloat(Entry entry) { return isa<FloatType>(entry.value.getType()); }
  Value isMore(Entry x, Entry y) {
    if (!isFloat(x))
      return compare(arith::CmpIPredicate::sgt, x.value, y.value);
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x.value, y.value);
  }
  Value isEqual(Entry x, Entry y) {
    if (!isFloat(x))
      return compare(arith::CmpIPredicate::eq, x.value, y.value);
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x.value, y.value);
  }
  /// Whether x comes before y: more, or as much and a lower id.
  Value isBefore(Entry x, Entry y) {
    Value isLower = compare(arith::CmpIPredicate::slt, x.id, y.id);
    return b.bitOr(isMore(x, y), b.bitAnd(isEqual(x, y), isLower));
  }

  /// Inserts into a list of at most `keep`, in which the best come first: before what comes behind it by `goesBefore`.
  template <typename GoesBefore> void insert(Entries &list, Entry added, int64_t keep, GoesBefore goesBefore) {
    SmallVector<Value> before;
    for (Entry held : list)
      before.push_back(goesBefore(added, held));
    Entries old = list;
    if (int64_t(list.size()) < keep)
      list.push_back(added);
    for (size_t place = 0; place < list.size(); ++place) {
      // Here goes what was here; if the added one goes before that, the added one; if it goes before the place above, what was there.
      Entry here = place == 0 ? added : select(before[place - 1], old[place - 1], added);
      list[place] = place == old.size() ? here : select(before[place], here, old[place]);
    }
  }
  /// Of an entry that loses against its equals, as its id is higher.
  void append(Entries &list, Entry added, int64_t keep) {
    insert(list, added, keep, [&](Entry x, Entry y) { return isMore(x, y); });
  }

  void order(Entry &x, Entry &y, Value isRight) { std::tie(x, y) = std::pair(select(isRight, x, y), select(isRight, y, x)); }

  /// The best of two lists of the same length, a power of two: of the best of one with the worst of the other, and so on; what is left rises and falls.
  Entries merge(const Entries &x, const Entries &y) {
    Entries best;
    for (auto [ours, theirs] : llvm::zip(x, llvm::reverse(y)))
      best.push_back(select(isBefore(ours, theirs), ours, theirs));
    for (size_t half = best.size() / 2; half >= 1; half /= 2)
      for (size_t i = 0; i < best.size(); ++i)
        if (!(i & half))
          order(best[i], best[i + half], isBefore(best[i], best[i + half]));
    return best;
  }

  void orderById(Entries &list) {
    for (size_t end = list.size(); end > 1; --end)
      for (size_t i = 0; i + 1 < end; ++i)
        order(list[i], list[i + 1], compare(arith::CmpIPredicate::slt, list[i].id, list[i + 1].id));
  }

  /// A list of the thread whose lane differs in one bit.
  Entries exchange(const Entries &list, int64_t distance) {
    auto from = [&](Value value) -> Value {
      return NVVM::ShflOp::create(b, value.getType(), b.i32(-1), value, b.i32(distance), b.i32(31), NVVM::ShflKind::bfly, UnitAttr());
    };
    Entries result;
    for (Entry entry : list)
      result.push_back({from(entry.value), from(entry.id)});
    return result;
  }

  Value redux(Value value, NVVM::ReduxKind kind) { return NVVM::ReduxOp::create(b, b.getI32Type(), value, kind, b.i32(-1), false, false); }

  /// The `keep` best of all threads of a warp, whose values are integers: a round takes the best of what is first in each, and the thread that had it goes on to its next.
  Entries takeAcross(Entries list, int64_t keep, Entry absent) {
    Entries taken;
    for (int64_t place = 0; place < keep; ++place) {
      Value most = redux(list[0].value, NVVM::ReduxKind::MAX);
      Value isMost = compare(arith::CmpIPredicate::eq, list[0].value, most);
      Value id = redux(select(isMost, list[0].id, absent.id), NVVM::ReduxKind::MIN);
      taken.push_back({most, id});
      Value isTaken = b.bitAnd(isMost, compare(arith::CmpIPredicate::eq, list[0].id, id));
      for (size_t i = 0; i < list.size(); ++i)
        list[i] = select(isTaken, i + 1 < list.size() ? list[i + 1] : absent, list[i]);
    }
    return taken;
  }
};

/// Floats as integers of the same order; what is absent is less than any.
struct OrderedKeys {
  ThreadBuilder &b;

  Value flip(Value bits) { // negative numbers the other way round
    Value sign = arith::ShRSIOp::create(b, bits, b.i32(31));
    return b.bitXor(bits, b.bitAnd(sign, b.i32(INT32_MAX)));
  }
  Value isAbsent(Value id) { return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, id, b.i32(noBlock)); }
  Entry encode(Entry entry) {
    Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0.0f)); // added, it makes -0 and 0 one
    Value key = flip(LLVM::BitcastOp::create(b, b.getI32Type(), arith::AddFOp::create(b, entry.value, zero)));
    return {arith::SelectOp::create(b, isAbsent(entry.id), b.i32(INT32_MIN), key), entry.id};
  }
  Entry decode(Entry entry) {
    Value none = arith::ConstantOp::create(b, b.getF32FloatAttr(-INFINITY));
    Value value = LLVM::BitcastOp::create(b, b.getF32Type(), flip(entry.value));
    return {arith::SelectOp::create(b, isAbsent(entry.id), none, value), entry.id};
  }
};

struct LowerTopK : OpConversionPattern<tile::TopKOp> {
  using OpConversionPattern::OpConversionPattern;

  /// A thread's registers of a tile [rows, columns], row by row.
  static Entries rowOf(ValueRange values, ValueRange ids, const FragmentLayout &layout, int64_t row) {
    Entries entries;
    for (int64_t column = 0; column < layout.columnRegisters(); ++column) {
      int64_t number = layout.registerOf({row, 0, column});
      entries.push_back({values[number], ids[number]});
    }
    return entries;
  }

  /// What a thread holds of a list that all threads of the row know.
  static Entries placesOf(Sorter &sort, const Entries &list, int64_t registers, Entry absent) {
    ThreadBuilder &b = sort.b;
    Entries places;
    for (int64_t number = 0; number < registers; ++number) {
      Entry here = absent;
      for (int64_t lane = 0; lane < 4; ++lane) {
        size_t place = 2 * lane + FragmentLayout::columnConstant(number);
        if (place < list.size())
          here = sort.select(sort.compare(arith::CmpIPredicate::eq, b.inQuad(), b.i32(lane)), list[place], here);
      }
      places.push_back(here);
    }
    return places;
  }

  LogicalResult matchAndRewrite(tile::TopKOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    FragmentLayout lists = layoutOf(op.getValues().getType()), added = layoutOf(op.getCandidates().getType());
    if (op.getAcross() && lists.warps != 1)
      return op.emitOpError("takes candidates of all rows from one warp");
    Sorter sort{b};
    int64_t keep = op.getKeep();
    Entry absent{arith::ConstantOp::create(b, b.getF32FloatAttr(-INFINITY)), b.i32(noBlock)};
    SmallVector<Value> values, ids;
    auto yield = [&](const Entries &places) {
      for (Entry place : places) {
        values.push_back(place.value);
        ids.push_back(place.id);
      }
    };
    if (op.getAcross()) {
      OrderedKeys keys{b};
      Entries best;
      auto appendAll = [&](ValueRange from, ValueRange numbers, const FragmentLayout &layout) {
        for (int64_t row = 0; row < layout.rowRegisters(); ++row)
          for (Entry entry : rowOf(from, numbers, layout, row))
            sort.append(best, keys.encode(entry), keep);
      };
      appendAll(adaptor.getValues(), adaptor.getIds(), lists);
      appendAll(adaptor.getCandidates(), adaptor.getCandidateIds(), added);
      Entries taken = sort.takeAcross(best, keep, {b.i32(INT32_MIN), b.i32(noBlock)});
      if (op.getById())
        sort.orderById(taken);
      for (Entry &entry : taken)
        entry = keys.decode(entry);
      Value isFirst = sort.compare(arith::CmpIPredicate::eq, b.group(), b.i32(0));
      for (int64_t row = 0; row < lists.rowRegisters(); ++row) {
        Entries places = placesOf(sort, taken, lists.columnRegisters(), absent);
        for (Entry &place : places)
          place = row == 0 ? sort.select(isFirst, place, absent) : absent;
        yield(places);
      }
    } else {
      for (int64_t row = 0; row < lists.rowRegisters(); ++row) {
        Entries best;
        int64_t length = static_cast<int64_t>(llvm::bit_ceil(static_cast<uint64_t>(keep)));
        for (Entry entry : rowOf(adaptor.getCandidates(), adaptor.getCandidateIds(), added, row))
          sort.append(best, entry, length);
        for (Entry entry : rowOf(adaptor.getValues(), adaptor.getIds(), lists, row))
          sort.insert(best, entry, length, [&](Entry x, Entry y) { return sort.isBefore(x, y); });
        while (int64_t(best.size()) < length)
          best.push_back(absent);
        for (int64_t distance : {1, 2})
          best = sort.merge(best, sort.exchange(best, distance));
        best.truncate(keep);
        yield(placesOf(sort, best, lists.columnRegisters(), absent));
      }
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(values), ValueRange(ids)});
    return success();
  }
};

} // namespace

void populateTopKPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) { patterns.add<LowerTopK>(converter, patterns.getContext()); }

} // namespace landmark
