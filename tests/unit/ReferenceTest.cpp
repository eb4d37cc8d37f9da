// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle against cases worked out on paper, and against properties of the definition.
#include "Reference.h"
#include "RandomProblem.h"
#include "Safetensors.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <numeric>

using namespace landmark;

namespace {

constexpr float NaN = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// One head with D = 1 and q = 1: the weight e^s of a key is simply given. A landmark's value is NaN, for it must not
/// matter.
struct Paper {
  std::vector<float> q, k, v;
  ForwardSemantics semantics;

  Paper(int64_t blockSize, int64_t phase, std::vector<double> weights, std::vector<float> values)
      : v(std::move(values)), semantics{blockSize, phase, 0, 1.0} {
    for (double weight : weights)
      k.push_back(static_cast<float>(std::log(weight)));
  }

  /// The row at `position`, asked for as a launch of one query.
  std::pair<double, double> row(int64_t position) {
    q = {1.0f};
    semantics.qOffset = position;
    ReferenceForward result = run();
    return {result.o[0], result.lse[0]};
  }

  /// All rows in one launch.
  ReferenceForward all() {
    q.assign(k.size(), 1.0f);
    semantics.qOffset = 0;
    return run();
  }

private:
  ReferenceForward run() {
    auto view = [](std::vector<float> &data) {
      return denseView(data.data(), DType::F32, {1, 1, static_cast<int64_t>(data.size()), 1});
    };
    return referenceForward(view(q), view(k), view(v), semantics);
  }
};

void checkRow(std::pair<double, double> actual, double o, double z) {
  CHECK(actual.first == Approx(o).epsilon(1e-6));
  CHECK(actual.second == Approx(std::log(z)).epsilon(1e-6).margin(1e-6));
}

double element(const TensorView &t, int64_t batch, int64_t head, int64_t row, int64_t column) {
  int64_t offset = batch * t.strides[0] + head * t.strides[1] + row * t.strides[2] + column;
  return toDouble(static_cast<const std::byte *>(t.data) + offset * byteSize(t.dtype), t.dtype);
}

/// docs/spec.md's equivalent form: one softmax over all ordinary keys, s'_ij = s_ij + (s_i,lm(c) - lse_ic).
std::vector<double> biasedSoftmaxRow(const RandomForward &p, int64_t batch, int64_t head, int64_t row, double &lse) {
  int64_t length = p.k.shape[2], headDim = p.k.shape[3], kvHead = head / (p.q.shape[1] / p.k.shape[1]);
  int64_t blockSize = p.semantics.blockSize, phase = p.semantics.phase, position = row + p.semantics.qOffset;
  std::vector<double> logits(static_cast<size_t>(length));
  for (int64_t j = 0; j < length; ++j) {
    for (int64_t d = 0; d < headDim; ++d)
      logits[j] += element(p.q, batch, head, row, d) * element(p.k, batch, kvHead, j, d);
    logits[j] *= p.semantics.scale;
  }
  auto block = [&](int64_t j) { return (j + phase) / blockSize; };
  auto isLandmark = [&](int64_t j) { return (j + phase) % blockSize == blockSize - 1; };
  double total = 0;
  std::vector<double> weights(logits.size());
  for (int64_t j = 0; j < std::min(length, position + 1); ++j) {
    if (isLandmark(j))
      continue;
    double biased = logits[j];
    if (block(j) < block(position)) {
      double sum = 0;
      int64_t landmark = -1;
      for (int64_t other = 0; other < length; ++other)
        if (block(other) == block(j)) {
          landmark = isLandmark(other) ? other : landmark;
          sum += isLandmark(other) ? 0 : std::exp(logits[other]);
        }
      biased = landmark < 0 ? -infinity : biased + logits[landmark] - std::log(sum);
    }
    total += weights[j] = std::exp(biased);
  }
  lse = std::log(total);
  std::vector<double> o(static_cast<size_t>(headDim));
  for (int64_t j = 0; j < length && total > 0; ++j)
    for (int64_t d = 0; d < headDim && weights[j] > 0; ++d)
      o[d] += weights[j] / total * element(p.v, batch, kvHead, j, d);
  return o;
}

} // namespace

TEST_CASE("blocks of two tokens: every past block is one term") {
  Paper paper(2, 0, {1, 1, 1, 1, 1}, {10, NaN, 20, NaN, 30});
  checkRow(paper.row(0), 10, 1);
  checkRow(paper.row(1), 10, 1); // a landmark query sees its block, but not itself
  checkRow(paper.row(2), 15, 2);
  checkRow(paper.row(3), 15, 2);
  checkRow(paper.row(4), 20, 3);
}

TEST_CASE("blocks of three tokens: the gate splits over the block") {
  Paper paper(3, 0, {1, 2, 3, 4, 5, 2, 6}, {1, 2, NaN, 3, 4, NaN, 5});
  checkRow(paper.row(0), 1, 1);
  checkRow(paper.row(1), 5.0 / 3, 3);
  checkRow(paper.row(2), 5.0 / 3, 3);
  checkRow(paper.row(3), 17.0 / 7, 7);   // (4*3 + 3*5/3) / 7
  checkRow(paper.row(4), 37.0 / 12, 12); // (4*3 + 5*4 + 3*5/3) / 12
  checkRow(paper.row(5), 37.0 / 12, 12);
  checkRow(paper.row(6), 379.0 / 99, 11); // (6*5 + 3*5/3 + 2*32/9) / 11
}

TEST_CASE("a first block that is cut is a block like any other (C6)") {
  Paper paper(3, 1, {1, 2, 3, 4, 5, 6}, {1, NaN, 2, 3, NaN, 4});
  checkRow(paper.row(0), 1, 1);
  checkRow(paper.row(1), 1, 1);
  checkRow(paper.row(2), 8.0 / 5, 5);     // (3*2 + 2*1) / 5
  checkRow(paper.row(5), 272.0 / 91, 13); // (6*4 + 2*1 + 5*18/7) / 13
}

TEST_CASE("a first block that is its landmark alone counts for nothing (C3, C6)") {
  Paper paper(3, 2, {9, 1, 2, 3, 4}, {NaN, 1, 2, NaN, 5});
  CHECK(paper.row(0) == std::pair(0.0, -infinity));
  checkRow(paper.row(1), 1, 1);
  checkRow(paper.row(2), 5.0 / 3, 3);
  checkRow(paper.row(3), 5.0 / 3, 3);
  checkRow(paper.row(4), 25.0 / 7, 7); // (4*5 + 3*5/3) / 7
}

TEST_CASE("rows beyond the last key see what exists") {
  Paper paper(2, 0, {1, 1, 1, 1, 1}, {10, NaN, 20, NaN, 30});
  checkRow(paper.row(5), 20, 3); // still in the last block, whose landmark does not exist
  checkRow(paper.row(6), 15, 2); // that block is past now, and has no landmark to be seen by
  checkRow(paper.row(1000), 15, 2);
  Paper single(2, 0, {1}, {10});
  checkRow(single.row(1), 10, 1);
  CHECK(single.row(2) == std::pair(0.0, -infinity));
}

TEST_CASE("one launch gives what single rows give") {
  Paper paper(3, 1, {1, 2, 3, 4, 5, 6}, {1, NaN, 2, 3, NaN, 4});
  ReferenceForward all = paper.all();
  std::vector<int64_t> expectedRows(6);
  std::iota(expectedRows.begin(), expectedRows.end(), int64_t{0});
  CHECK(all.rows == expectedRows);
  for (size_t row = 0; row < 6; ++row)
    CHECK(std::pair(all.o[row], all.lse[row]) == paper.row(static_cast<int64_t>(row)));
}

TEST_CASE("logits far outside the range of exp are safe") {
  Paper paper(3, 0, {1, 1, 1, 1}, {1, 3, NaN, 7});
  paper.k = {5000, 5000, 9000, 9000};
  auto [o, lse] = paper.row(3);
  CHECK(o == Approx((7 + 2) / 2.0));
  CHECK(lse == Approx(9000 + std::log(2.0)));
  paper.k = {-5000, -5000, -9000, -9000};
  std::tie(o, lse) = paper.row(3);
  CHECK(o == Approx((7 + 2) / 2.0));
  CHECK(lse == Approx(-9000 + std::log(2.0)));
}

TEST_CASE("the oracle agrees with one softmax under a bias per block") {
  RandomLimits limits{.maxKvHeads = 2, .maxGroup = 2, .maxKeys = 60, .maxBlockSize = 24, .maxHeadDim = 32};
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    RandomForward p = randomForward(seed, limits);
    INFO(p.description);
    ReferenceForward reference = referenceForward(p.q, p.k, p.v, p.semantics);
    size_t index = 0;
    double difference = 0, lseDifference = 0;
    for (int64_t batch = 0; batch < p.q.shape[0]; ++batch)
      for (int64_t head = 0; head < p.q.shape[1]; ++head)
        for (int64_t row = 0; row < p.q.shape[2]; ++row, ++index) {
          double lse = 0;
          std::vector<double> o = biasedSoftmaxRow(p, batch, head, row, lse);
          for (size_t d = 0; d < o.size(); ++d)
            difference = std::max(difference, std::fabs(o[d] - reference.o[index * o.size() + d]));
          if (lse != reference.lse[index]) // both -inf where a row sees nothing
            lseDifference = std::max(lseDifference, std::fabs(lse - reference.lse[index]));
        }
    CHECK(difference < 1e-11);
    CHECK(lseDifference < 1e-11);
  }
}

TEST_CASE("rows of P sum to 1, and landmarks' values are never read (C2)") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    RandomForward p = randomForward(seed, {.maxKeys = 150, .maxBlockSize = 40, .maxHeadDim = 64});
    INFO(p.description);
    for (int64_t batch = 0; batch < p.v.shape[0]; ++batch)
      for (int64_t head = 0; head < p.v.shape[1]; ++head)
        for (int64_t key = 0; key < p.v.shape[2]; ++key)
          for (int64_t column = 0; column < p.v.shape[3]; ++column) {
            bool landmark = (key + p.semantics.phase) % p.semantics.blockSize == p.semantics.blockSize - 1;
            int64_t offset = batch * p.v.strides[0] + head * p.v.strides[1] + key * p.v.strides[2] + column;
            fromDouble(landmark ? NaN : 1.0, static_cast<std::byte *>(p.v.data) + offset * byteSize(p.v.dtype),
                       p.v.dtype);
          }
    ReferenceForward reference = referenceForward(p.q, p.k, p.v, p.semantics);
    double worst = 0;
    for (size_t index = 0; index < reference.o.size(); ++index) {
      bool seesNothing = reference.lse[index / static_cast<size_t>(p.v.shape[3])] == -infinity;
      double error = std::fabs(reference.o[index] - (seesNothing ? 0.0 : 1.0));
      worst = error <= worst ? worst : error; // keeps a NaN
    }
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("a selection of rows gives those rows") {
  RandomForward p = randomForward(4);
  int64_t rows = p.q.shape[2], headDim = p.q.shape[3];
  REQUIRE(rows > 2);
  ReferenceForward all = referenceForward(p.q, p.k, p.v, p.semantics);
  ReferenceForward some = referenceForward(p.q, p.k, p.v, p.semantics, {{rows - 1, 0, rows / 2}});
  for (int64_t head = 0; head < p.q.shape[0] * p.q.shape[1]; ++head)
    for (size_t index = 0; index < 3; ++index) {
      auto from = static_cast<size_t>(head * rows + some.rows[index]), to = static_cast<size_t>(head) * 3 + index;
      CHECK(some.lse[to] == all.lse[from]);
      CHECK(std::equal(&some.o[to * headDim], &some.o[to * headDim] + headDim, &all.o[from * headDim]));
    }
}

TEST_CASE("relative errors are norms, and infinite where a value has gone") {
  ReferenceForward reference{{0, 2}, {3, 4, 0, 0}, {1, -infinity}};
  std::vector<float> o = {3, 4.5, NaN, NaN, 0, 0}, lse = {1.5, NaN, -std::numeric_limits<float>::infinity()};
  TensorView oView = denseView(o.data(), DType::F32, {1, 1, 3, 2});
  RowsView lseView = denseRows(lse.data(), {1, 1, 3});
  CHECK(relativeError(oView, reference) == Approx(0.1)); // row 1 was not asked for
  CHECK(relativeError(lseView, reference) == Approx(0.5));

  o[4] = NaN;
  CHECK(relativeError(oView, reference) == infinity);
  o[4] = std::numeric_limits<float>::infinity();
  CHECK(relativeError(oView, reference) == infinity);
  for (float wrong : {0.0f, NaN, std::numeric_limits<float>::infinity()}) {
    lse[2] = wrong;
    CHECK(relativeError(lseView, reference) == infinity);
  }
  ReferenceForward zero{{0}, {0, 0}, {0}};
  CHECK(relativeError(oView, zero) == Approx(std::sqrt(9 + 4.5 * 4.5)));
}
