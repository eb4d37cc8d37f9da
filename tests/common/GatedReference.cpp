// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "GatedReference.h"

#include "Safetensors.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace landmark::test {

namespace {

std::vector<double> doublesOf(const TensorView &view, int64_t batch, int64_t head) {
  std::vector<double> values;
  for (int64_t row = 0; row < view.shape[2]; ++row)
    for (int64_t column = 0; column < view.shape[3]; ++column) {
      int64_t offset = batch * view.strides[0] + head * view.strides[1] + row * view.strides[2] + column;
      values.push_back(toDouble(static_cast<const std::byte *>(view.data) + offset * byteSize(view.dtype), view.dtype));
    }
  return values;
}

/// One head of a problem: every row's gates, and what each block adds to its output.
class Head {
public:
  Head(const RandomForward &random, int64_t batch, int64_t head, int64_t kvHead)
      : semantics(random.semantics), L(random.semantics.blockSize), D(random.q.shape[3]), keys(random.k.shape[2]), q(doublesOf(random.q, batch, head)),
        k(doublesOf(random.k, batch, kvHead)), v(doublesOf(random.v, batch, kvHead)) {}

  int64_t blockOf(int64_t row) const { return (row + semantics.qOffset + semantics.phase) / L; }
  int64_t complete() const { return (keys + semantics.phase) / L; }

  /// exp of the landmark's logit less the log-sum-exp; 0 where the block is not past or has no ordinary key.
  double gate(int64_t row, int64_t block, double lse) const {
    bool isPast = block < std::min(blockOf(row), complete()) && firstKey(block) < landmark(block);
    return isPast ? std::exp(logit(row, landmark(block)) - lse) : 0;
  }

  /// Adds `gate` times the softmax of the block's ordinary keys, over their values.
  void add(int64_t row, int64_t block, double gate, double *o) const {
    std::vector<double> logits;
    double most = -INFINITY, sum = 0;
    for (int64_t key = firstKey(block); key < landmark(block); ++key)
      most = std::max(most, logits.emplace_back(logit(row, key)));
    for (double &value : logits)
      sum += value = std::exp(value - most);
    for (int64_t key = firstKey(block); key < landmark(block); ++key)
      for (int64_t column = 0; column < D; ++column)
        o[column] += gate * logits[size_t(key - firstKey(block))] / sum * v[size_t(key * D + column)];
  }

private:
  int64_t landmark(int64_t block) const { return (block + 1) * L - 1 - semantics.phase; }
  int64_t firstKey(int64_t block) const { return std::max<int64_t>(0, block * L - semantics.phase); }
  double logit(int64_t row, int64_t key) const {
    double sum = 0;
    for (int64_t column = 0; column < D; ++column)
      sum += q[size_t(row * D + column)] * k[size_t(key * D + column)];
    return semantics.scale * sum;
  }

  const ForwardSemantics semantics;
  const int64_t L, D, keys;
  const std::vector<double> q, k, v;
};

} // namespace

GatedReference gatedReference(const RandomForward &random, double threshold, const Config &config) {
  GatedReference result{referenceForward(random.q, random.k, random.v, random.semantics), {}, false};
  auto [batches, heads, rows, columns] = random.q.shape;
  int64_t step = config.keyTile / tileTokens(random.problem, config);
  for (int64_t index = 0; index < batches * heads; ++index) {
    Head head(random, index / heads, index % heads, index % heads / (heads / random.k.shape[1]));
    for (int64_t first = 0; first < rows; first += config.queryTile) {
      int64_t end = std::min(first + config.queryTile, rows), past = std::min(head.blockOf(first), head.complete()) / step * step;
      // A tile that ends at the last block of all is an edge, whatever its rows see; so is that of a shortened first block.
      int64_t seen = std::min(head.blockOf(end - 1) + 1, (random.k.shape[2] + random.semantics.phase + random.semantics.blockSize - 1) / random.semantics.blockSize);
      past = std::min(past, (std::max<int64_t>(seen, 1) - 1) / step * step);
      for (int64_t tile = random.semantics.phase ? step : 0; tile < past; tile += step) {
        auto gate = [&](int64_t row, int64_t block) { return head.gate(row, block, result.forward.lse[size_t(index * rows + row)]); };
        double most = 0;
        for (int64_t row = first; row < end; ++row)
          for (int64_t block = tile; block < tile + step; ++block)
            most = std::max(most, gate(row, block));
        ++result.tiles.all;
        result.isClose |= std::abs(most - threshold) <= 0.02 * threshold;
        if (most >= threshold)
          continue;
        ++result.tiles.skipped;
        for (int64_t row = first; row < end; ++row)
          for (int64_t block = tile; block < tile + step; ++block)
            head.add(row, block, -gate(row, block), &result.forward.o[size_t((index * rows + row) * columns)]);
      }
    }
  }
  return result;
}

RandomForward randomGated(uint64_t seed) {
  RandomLimits limits;
  limits.maxBatch = 1;
  limits.maxKvHeads = limits.maxGroup = 2;
  limits.maxKeys = 500;
  limits.maxBlockSize = seed % 3 == 0 ? 128 : seed % 3 == 1 ? 51 : 12;
  limits.maxHeadDim = 80;
  return randomForward(seed, limits);
}

} // namespace landmark::test
