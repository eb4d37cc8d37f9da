// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle of retrieval against cases computed by hand, and against the oracle of the forward pass.
#include "RetrievalReference.h"
#include "Random.h"
#include "Reference.h"
#include "Safetensors.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;

namespace {

constexpr int64_t dim = 16;

HostTensor zeros(int64_t heads, int64_t rows) { return HostTensor::zeros(DType::F32, {1, heads, rows, dim}); }

float &at(HostTensor &tensor, int64_t head, int64_t row, int64_t column) {
  return reinterpret_cast<float *>(tensor.bytes.data())[(head * tensor.shape[2] + row) * dim + column];
}

TensorView viewOf(HostTensor &tensor) {
  return denseView(tensor.bytes.data(), tensor.dtype, {1, tensor.shape[1], tensor.shape[2], dim});
}

HostTensor random(Random &random, int64_t heads, int64_t rows) {
  HostTensor tensor = zeros(heads, rows);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    reinterpret_cast<float *>(tensor.bytes.data())[i] = float(random.normal());
  return tensor;
}

using Lists = std::vector<std::vector<int64_t>>;

Lists selectionsOf(const ReferenceRetrieval &result) {
  Lists lists;
  for (const RowRetrieval &row : result.rows)
    lists.push_back(row.selection);
  return lists;
}

/// Two query heads over one key/value head, blocks of 2 tokens whose landmarks' logits are given by (head, block), one
/// query in block `logits[0].size()`.
struct Logits {
  HostTensor q, k, v;

  explicit Logits(const std::vector<std::vector<float>> &logits, int64_t queries = 1)
      : q(zeros(int64_t(logits.size()), queries)), k(zeros(1, 2 * int64_t(logits[0].size()) + queries)), v(k) {
    for (size_t head = 0; head < logits.size(); ++head) {
      for (int64_t row = 0; row < queries; ++row)
        at(q, int64_t(head), row, int64_t(head)) = 1; // every head reads a column of its own
      for (size_t block = 0; block < logits[head].size(); ++block)
        at(k, 0, 2 * int64_t(block) + 1, int64_t(head)) = logits[head][block];
    }
  }

  Lists select(Granularity granularity, int64_t topK, int64_t window = 0) {
    RetrievalSemantics semantics{2, topK, window, granularity, 1.0, {}};
    return selectionsOf(referenceRetrieval(viewOf(q), viewOf(k), viewOf(v), semantics));
  }
};

} // namespace

TEST_CASE("the retrieval oracle selects by hand") {
  Logits logits({{1, 5, 2, 5, 0}, {3, 0, 0, 1, 9}});
  CHECK(logits.select(Granularity::QueryHead, 1) == Lists{{1}, {4}}); // of the two 5s the lower block
  CHECK(logits.select(Granularity::QueryHead, 2) == Lists{{1, 3}, {0, 4}});
  CHECK(logits.select(Granularity::QueryHead, 9) == Lists{{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}});
  CHECK(logits.select(Granularity::QueryHead, 2, 1) == Lists{{1, 3}, {0, 3}}); // block 4 is in the window
  CHECK(logits.select(Granularity::QueryHead, 2, 5) == Lists{{}, {}});
  // Of softmaxes: head 1 gives block 4 nearly all, head 0 blocks 1 and 3 half each.
  CHECK(logits.select(Granularity::KvHead, 1) == Lists{{4}, {4}});
  CHECK(logits.select(Granularity::Query, 2) == Lists{{1, 4}, {1, 4}});
  CHECK(logits.select(Granularity::HeadChunk, 1) == Lists{{1}, {4}});
  // A maximum of logits would take the head with the larger numbers; of softmaxes it is the head that is surer.
  Logits scaled({{100, 100, 0}, {0, 0, 9}});
  CHECK(scaled.select(Granularity::KvHead, 1) == Lists{{2}, {2}});
}

TEST_CASE("the retrieval oracle shares a chunk's selection as of its first query") {
  // Queries at tokens 6 to 8 after three blocks: the first is in block 3, the last in block 4.
  Logits logits({{0, 2, 1}}, 3);
  RetrievalSemantics semantics{2, 1, 0, Granularity::HeadChunk, 1.0, {}};
  auto result = referenceRetrieval(viewOf(logits.q), viewOf(logits.k), viewOf(logits.v), semantics);
  for (const RowRetrieval &row : result.rows) {
    CHECK(row.candidates == 3);
    CHECK(row.selection == std::vector<int64_t>{1});
  }
  semantics.granularity = Granularity::QueryHead;
  result = referenceRetrieval(viewOf(logits.q), viewOf(logits.k), viewOf(logits.v), semantics);
  CHECK(result.rows[0].candidates == 3);
  CHECK(result.rows[2].candidates == 4);
}

TEST_CASE("the retrieval oracle is the forward oracle where k covers all blocks") {
  Random numbers(5);
  constexpr int64_t length = 43, queries = 9, L = 5;
  HostTensor q = random(numbers, 4, queries), k = random(numbers, 2, length), v = random(numbers, 2, length);
  auto forward = referenceForward(viewOf(q), viewOf(k), viewOf(v), {L, 0, length - queries, 0.3});
  for (Granularity granularity :
       {Granularity::QueryHead, Granularity::KvHead, Granularity::HeadChunk, Granularity::Query})
    for (int64_t window : {0, 2}) {
      auto result = referenceRetrieval(viewOf(q), viewOf(k), viewOf(v), {L, 20, window, granularity, 0.3, {}});
      for (size_t i = 0; i < forward.o.size(); ++i)
        REQUIRE(std::abs(result.o[i] - forward.o[i]) < 1e-12);
      for (size_t i = 0; i < forward.lse.size(); ++i)
        REQUIRE(std::abs(result.lse[i] - forward.lse[i]) < 1e-12);
    }
}

TEST_CASE("the retrieval oracle gives stingy positions by hand") {
  // Only pair 0, which turns by 1 a position: a logit is the cosine of the distance. Blocks of 3; the query is token
  // 13, the second of block 4.
  constexpr int64_t L = 3, length = 14;
  HostTensor q = zeros(1, 1), k = zeros(1, length), v = zeros(1, length);
  at(q, 0, 0, 0) = 1;
  for (int64_t token = 0; token < length; ++token)
    at(k, 0, token, 0) = 1;
  RetrievalSemantics semantics{L, 2, 0, Granularity::QueryHead, 1.0, {RotaryLayout::Half, Positions::Stingy, 10000, 1}};
  auto result = referenceRetrieval(viewOf(q), viewOf(k), viewOf(v), semantics, {{0, 3}});
  // n = 4, k' = 2: three slots before the local tokens, which begin at 9; the query stands at 10. Landmarks 0 and 1 are
  // scored in slot 0, 2 in slot 1, 3 in slot 2.
  double expected[] = {std::cos(10.0 - 2), std::cos(10.0 - 2), std::cos(10.0 - 5), std::cos(10.0 - 8)};
  for (int c = 0; c < 4; ++c)
    CHECK(std::abs(result.rows[0].scores[size_t(c)] - expected[c]) < 1e-12);
  // Retrieved: block 0, of rank 0 and far, in slot 0; block 3, of rank 1 and near, in slot 2. Local: tokens 12 and 13
  // at 9 and 10.
  double z = std::exp(std::cos(8.0)) + std::exp(std::cos(2.0)) + std::exp(std::cos(1.0)) + std::exp(1.0);
  CHECK(std::abs(result.lse[0] - std::log(z)) < 1e-12);
  // Without candidates there is no prefix.
  semantics.window = 9;
  result = referenceRetrieval(viewOf(q), viewOf(k), viewOf(v), semantics);
  CHECK(result.rows[0].candidates == 0);
}

TEST_CASE("the retrieval oracle's rotary embedding is a rotation of pairs") {
  Random numbers(6);
  HostTensor q = random(numbers, 1, 2), k = random(numbers, 1, 20), v = random(numbers, 1, 20);
  RetrievalSemantics semantics{4, 2, 0, Granularity::QueryHead, 0.5, {RotaryLayout::Half, Positions::True, 100, 2}};
  auto half = referenceRetrieval(viewOf(q), viewOf(k), viewOf(v), semantics);
  // The same numbers with the columns of a pair side by side.
  HostTensor q2 = q, k2 = k;
  for (auto [from, to] : {std::pair{&q, &q2}, std::pair{&k, &k2}})
    for (int64_t row = 0; row < from->shape[2]; ++row)
      for (int64_t pair = 0; pair < dim / 2; ++pair) {
        at(*to, 0, row, 2 * pair) = at(*from, 0, row, pair);
        at(*to, 0, row, 2 * pair + 1) = at(*from, 0, row, pair + dim / 2);
      }
  semantics.rotary.layout = RotaryLayout::Interleaved;
  auto interleaved = referenceRetrieval(viewOf(q2), viewOf(k2), viewOf(v), semantics);
  for (size_t i = 0; i < half.o.size(); ++i)
    CHECK(std::abs(half.o[i] - interleaved.o[i]) < 1e-12);
}

TEST_CASE("a selection's error is the most that it leaves behind") {
  RowRetrieval row{4, {1, 5, 2, 5}, {}};
  CHECK(selectionError(row, {1, 3}, 2) == 0);
  CHECK(selectionError(row, {1, 2}, 2) == 3);
  CHECK(std::isinf(selectionError(row, {1}, 2)));
  CHECK(std::isinf(selectionError(row, {3, 1}, 2)));
  CHECK(std::isinf(selectionError(row, {1, 4}, 2)));
  CHECK(selectionError(row, {0, 1, 2, 3}, 9) == 0);
}
