// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle's gradients against finite differences of the oracle's forward, all in float64.
#include "Random.h"
#include "Reference.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace landmark;

namespace {

/// A problem whose numbers are multiples of 2^-8, so that a step of 2^-10 is exact in float32.
struct Small {
  int64_t heads, kvHeads, queries, keys, columns = 4;
  ForwardSemantics semantics;
  std::vector<float> q, k, v, dO, dlse;

  Small(int64_t heads, int64_t kvHeads, int64_t queries, int64_t keys, ForwardSemantics semantics, uint64_t seed)
      : heads(heads), kvHeads(kvHeads), queries(queries), keys(keys), semantics(semantics), q(2 * heads * queries * columns),
        k(2 * kvHeads * keys * columns), v(k.size()), dO(q.size()), dlse(2 * heads * queries) {
    Random random(seed);
    for (auto *tensor : {&q, &k, &v, &dO, &dlse})
      for (float &value : *tensor)
        value = float(std::round(random.normal() * 256) / 256);
  }

  TensorView view(std::vector<float> &data, int64_t heads, int64_t rows) { return denseView(data.data(), DType::F32, {2, heads, rows, columns}); }
  RowsView rows(std::vector<float> &data) { return denseRows(data.data(), {2, heads, queries}); }

  /// The sum of dO * o and dlse * lse; rows that see nothing have no part in it.
  double loss() {
    ReferenceForward forward = referenceForward(view(q, heads, queries), view(k, kvHeads, keys), view(v, kvHeads, keys), semantics);
    double sum = 0;
    for (size_t i = 0; i < forward.o.size(); ++i)
      sum += dO[i] * forward.o[i];
    for (size_t i = 0; i < forward.lse.size(); ++i)
      sum += std::isfinite(forward.lse[i]) ? dlse[i] * forward.lse[i] : 0;
    return sum;
  }

  ReferenceBackward gradients(const BackwardSelection &selection = {}) {
    return referenceBackward({.q = view(q, heads, queries), .k = view(k, kvHeads, keys), .v = view(v, kvHeads, keys), .dO = view(dO, heads, queries),
                              .dlse = rows(dlse)},
                             semantics, selection);
  }

  /// Norm of the difference of `gradient` and central differences in `input`, relative to that of the latter.
  double error(std::vector<float> &input, const std::vector<double> &gradient) {
    constexpr float step = 1.0f / 1024;
    double difference = 0, norm = 0;
    REQUIRE(gradient.size() == input.size());
    for (size_t i = 0; i < input.size(); ++i) {
      float value = input[i];
      input[i] = value + step;
      double above = loss();
      input[i] = value - step;
      double slope = (above - loss()) / (2 * step);
      input[i] = value;
      difference += (slope - gradient[i]) * (slope - gradient[i]);
      norm += slope * slope;
    }
    return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
  }
};

} // namespace

TEST_CASE("the oracle's gradients are finite differences of its forward") {
  struct Case {
    int64_t heads, kvHeads, queries, keys;
    ForwardSemantics semantics;
  };
  const Case cases[] = {
      {1, 1, 13, 13, {4, 0, 0, 0.5}},  // a partial last block
      {2, 1, 9, 14, {4, 0, 5, 0.5}},   // history, a group of two heads
      {2, 2, 12, 12, {5, 2, 0, 1.0}},  // a first block cut short
      {1, 1, 10, 10, {4, 3, 0, 0.5}},  // the first block is a landmark alone: row 0 sees nothing
      {1, 1, 6, 8, {2, 0, 9, 0.5}},    // queries beyond the last key
      {2, 1, 1, 11, {3, 1, 10, 2.0}},  // one query
      {1, 1, 7, 7, {64, 0, 0, 0.5}},   // one block
  };
  uint64_t seed = 1;
  for (const Case &one : cases) {
    Small small(one.heads, one.kvHeads, one.queries, one.keys, one.semantics, seed++);
    ReferenceBackward gradients = small.gradients();
    INFO("case " << seed - 1);
    CHECK(small.error(small.q, gradients.dq) < 1e-5);
    CHECK(small.error(small.k, gradients.dk) < 1e-5);
    CHECK(small.error(small.v, gradients.dv) < 1e-5);
  }
}

TEST_CASE("the oracle computes parts of the gradients as it computes all") {
  Small small(4, 2, 20, 26, {5, 2, 6, 0.5}, 9);
  ReferenceBackward all = small.gradients(), part = small.gradients({{3, 17}, {0, 4}});
  CHECK(part.rows == std::vector<int64_t>{3, 17});
  CHECK(part.keys == std::vector<int64_t>{0, 1, 2, 18, 19, 20, 21, 22});
  for (int64_t head = 0; head < 8; ++head)
    for (int64_t row = 0; row < 2; ++row)
      for (int64_t column = 0; column < 4; ++column)
        CHECK(part.dq[(head * 2 + row) * 4 + column] == all.dq[(head * 20 + part.rows[row]) * 4 + column]);
  for (int64_t head = 0; head < 4; ++head)
    for (int64_t key = 0; key < 8; ++key)
      for (int64_t column = 0; column < 4; ++column) {
        CHECK(part.dk[(head * 8 + key) * 4 + column] == all.dk[(head * 26 + part.keys[key]) * 4 + column]);
        CHECK(part.dv[(head * 8 + key) * 4 + column] == all.dv[(head * 26 + part.keys[key]) * 4 + column]);
      }
}

TEST_CASE("landmarks' values and rows that see nothing have no gradient") {
  Small small(1, 1, 10, 10, {4, 3, 0, 0.5}, 10);
  ReferenceBackward gradients = small.gradients();
  for (int64_t column = 0; column < 4; ++column) {
    CHECK(gradients.dq[column] == 0); // row 0
    for (int64_t landmark : {0, 4, 8})
      CHECK(gradients.dv[landmark * 4 + column] == 0);
  }
}
