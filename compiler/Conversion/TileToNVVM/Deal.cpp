// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers of rows and blocks, of which the lanes of a quad hold a quarter each in place of copies: what finds the weights of blocks is computed once.
// Of each four numbers, lane t = 2*j + i has that of place t.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

using namespace mlir;

namespace landmark {

/// Whether a bit of the lane's place in its quad is set.
static Value hasBit(ThreadBuilder &b, int64_t bit) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, b.bitAnd(b.lane(), b.i32(bit)), b.i32(0));
}

static Value choose(ThreadBuilder &b, Value condition, Value yes, Value no) {
  return yes == no ? yes : Value(arith::SelectOp::create(b, condition, yes, no));
}

static Value fromNeighbour(ThreadBuilder &b, Value value, int64_t distance) { return shuffle(b, NVVM::ShflKind::bfly, value, distance, 31); }

SmallVector<Value> collectDealt(ThreadBuilder &b, ValueRange dealt) {
  SmallVector<Value> numbers;
  for (Value value : dealt)
    for (int64_t lane = 0; lane < 4; ++lane)
      numbers.push_back(shuffle(b, NVVM::ShflKind::idx, value, lane, quads));
  return numbers;
}

SmallVector<Value> dealCopies(ThreadBuilder &b, ValueRange numbers) {
  Value isOdd = hasBit(b, 1), isUpper = hasBit(b, 2);
  SmallVector<Value> dealt;
  for (size_t i = 0; i < numbers.size(); i += 4)
    dealt.push_back(choose(b, isUpper, choose(b, isOdd, numbers[i + 3], numbers[i + 2]), choose(b, isOdd, numbers[i + 1], numbers[i])));
  return dealt;
}

// The holder hands the pair of the other half to the lane across, and both hand the number of the other place to their neighbours.
SmallVector<Value> dealHeld(ThreadBuilder &b, ValueRange numbers, int64_t holder) {
  Value isOdd = hasBit(b, 1), isUpper = hasBit(b, 2);
  auto pick = [&](Value set, bool isHeldBySet, Value held, Value given) { return isHeldBySet ? choose(b, set, held, given) : choose(b, set, given, held); };
  SmallVector<Value> dealt;
  for (size_t i = 0; i < numbers.size(); i += 4) {
    SmallVector<Value, 2> pair;
    for (int64_t place : {0, 1}) {
      Value held = numbers[i + (holder & 2) + place], given = numbers[i + (~holder & 2) + place];
      pair.push_back(pick(isUpper, holder & 2, held, fromNeighbour(b, given, 2)));
    }
    dealt.push_back(pick(isOdd, holder & 1, pair[holder & 1], fromNeighbour(b, pair[~holder & 1], 1)));
  }
  return dealt;
}

// Each lane keeps two of four numbers and gives two to its neighbour, then keeps one of two: three exchanges in place of eight.
SmallVector<Value> dealCombined(ThreadBuilder &b, tile::ReductionKind kind, ValueRange numbers) {
  auto halve = [&](Value set, int64_t distance, Value low, Value high) {
    return combine(b, kind, choose(b, set, high, low), fromNeighbour(b, choose(b, set, low, high), distance));
  };
  Value isOdd = hasBit(b, 1), isUpper = hasBit(b, 2);
  SmallVector<Value> dealt;
  for (size_t i = 0; i < numbers.size(); i += 4)
    dealt.push_back(halve(isUpper, 2, halve(isOdd, 1, numbers[i], numbers[i + 1]), halve(isOdd, 1, numbers[i + 2], numbers[i + 3])));
  return dealt;
}

} // namespace landmark
