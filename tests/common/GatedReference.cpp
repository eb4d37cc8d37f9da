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

/// What a row and a past block give each other: weights of the block's ordinary keys, and gradients of the logits of all, the landmark last.
struct BlockGradients {
  std::vector<double> p, ds;
};

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
    std::vector<double> weights = softmax(row, block);
    for (int64_t key = firstKey(block); key < landmark(block); ++key)
      axpy(gate * weights[size_t(key - firstKey(block))], &v[size_t(key * D)], o);
  }

  /// Section 3 of docs/spec.md, for one row and one past block.
  BlockGradients gradients(int64_t row, int64_t block, double gate, const double *dO, double delta) const {
    BlockGradients result{softmax(row, block), {}};
    std::vector<double> inner = result.p;
    double total = 0;
    for (size_t j = 0; j < inner.size(); ++j) {
      double a = 0;
      for (int64_t column = 0; column < D; ++column)
        a += dO[column] * v[size_t((firstKey(block) + int64_t(j)) * D + column)];
      result.p[j] = gate * inner[j];
      total += result.ds.emplace_back(result.p[j] * (a - delta));
    }
    for (size_t j = 0; j < inner.size(); ++j)
      result.ds[j] -= inner[j] * total;
    result.ds.push_back(total);
    return result;
  }

  int64_t landmark(int64_t block) const { return (block + 1) * L - 1 - semantics.phase; }
  int64_t firstKey(int64_t block) const { return std::max<int64_t>(0, block * L - semantics.phase); }
  const double *query(int64_t row) const { return &q[size_t(row * D)]; }
  const double *key(int64_t key) const { return &k[size_t(key * D)]; }
  void axpy(double factor, const double *from, double *to) const {
    for (int64_t column = 0; column < D; ++column)
      to[column] += factor * from[column];
  }

private:
  /// Of the ordinary keys of a block.
  std::vector<double> softmax(int64_t row, int64_t block) const {
    std::vector<double> weights;
    double most = -INFINITY, sum = 0;
    for (int64_t key = firstKey(block); key < landmark(block); ++key)
      most = std::max(most, weights.emplace_back(logit(row, key)));
    for (double &value : weights)
      sum += value = std::exp(value - most);
    for (double &value : weights)
      value /= sum;
    return weights;
  }
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

/// A threshold's judgement of tiles.
struct Judge {
  double threshold;
  GatedTiles tiles = {};
  bool isClose = false;

  /// Calls skip(row, block, gate) for all of a tile whose gates, gate(row, block), are below the threshold.
  template <typename Gate, typename Skip> void judge(int64_t first, int64_t end, int64_t tile, int64_t step, const Gate &gate, const Skip &skip) {
    double most = 0;
    for (int64_t row = first; row < end; ++row)
      for (int64_t block = tile; block < tile + step; ++block)
        most = std::max(most, gate(row, block));
    ++tiles.all;
    isClose |= std::abs(most - threshold) <= 0.02 * threshold;
    if (most >= threshold)
      return;
    ++tiles.skipped;
    for (int64_t row = first; row < end; ++row)
      for (int64_t block = tile; block < tile + step; ++block)
        skip(row, block, gate(row, block));
  }

  /// The tiles of a kernel that goes by tiles of `rowTile` query rows.
  template <typename Gate, typename Skip>
  void byQueries(const Head &head, const RandomForward &random, int64_t rowTile, int64_t step, const Gate &gate, const Skip &skip) {
    int64_t rows = random.q.shape[2], L = random.semantics.blockSize;
    for (int64_t first = 0; first < rows; first += rowTile) {
      int64_t end = std::min(first + rowTile, rows), past = std::min(head.blockOf(first), head.complete()) / step * step;
      // A tile that ends at the last block of all is an edge, whatever its rows see; so is that of a shortened first block.
      int64_t seen = std::min(head.blockOf(end - 1) + 1, (random.k.shape[2] + random.semantics.phase + L - 1) / L);
      past = std::min(past, (std::max<int64_t>(seen, 1) - 1) / step * step);
      for (int64_t tile = random.semantics.phase ? step : 0; tile < past; tile += step)
        judge(first, end, tile, step, gate, skip);
    }
  }

  /// Those of a kernel that goes by tiles of keys, which cuts the rows from the first that sees them on, or up to 31 before.
  template <typename Gate, typename Skip>
  void byKeys(const Head &head, const RandomForward &random, int64_t rowTile, int64_t step, const Gate &gate, const Skip &skip) {
    int64_t rows = random.q.shape[2], L = random.semantics.blockSize;
    for (int64_t tile = random.semantics.phase ? step : 0; tile + step <= head.complete(); tile += step)
      for (int64_t first = std::clamp<int64_t>(tile * L - random.semantics.phase - random.semantics.qOffset, 0, rows) / 32 * 32; first < rows; first += rowTile)
        if (head.blockOf(first) >= tile + step)
          judge(first, std::min(first + rowTile, rows), tile, step, gate, skip);
  }
};

} // namespace

GatedReference gatedReference(const RandomForward &random, double threshold, const Config &config) {
  GatedReference result{referenceForward(random.q, random.k, random.v, random.semantics), {}, false};
  auto [batches, heads, rows, columns] = random.q.shape;
  int64_t step = config.keyTile / tileTokens(random.problem, config);
  Judge judge{threshold};
  for (int64_t index = 0; index < batches * heads; ++index) {
    Head head(random, index / heads, index % heads, index % heads / (heads / random.k.shape[1]));
    judge.byQueries(
        head, random, config.queryTile, step, [&](int64_t row, int64_t block) { return head.gate(row, block, result.forward.lse[size_t(index * rows + row)]); },
        [&](int64_t row, int64_t block, double gate) { head.add(row, block, -gate, &result.forward.o[size_t((index * rows + row) * columns)]); });
  }
  result.tiles = judge.tiles;
  result.isClose = judge.isClose;
  return result;
}

GatedGradients gatedReference(const RandomBackward &random, double threshold, const Config &config, bool adds) {
  const RandomForward &forward = random.forward;
  auto [batches, heads, rows, D] = forward.q.shape;
  int64_t kvHeads = forward.k.shape[1], keys = forward.k.shape[2], group = heads / kvHeads, step = config.keyTile / tileTokens(random.problem, config);
  ReferenceForward outputs = referenceForward(forward.q, forward.k, forward.v, forward.semantics);
  GatedGradients result{referenceBackward({.q = forward.q, .k = forward.k, .v = forward.v, .dO = random.dO, .dlse = random.dlse}, forward.semantics), {}, false};
  Judge byKeys{threshold}, byQueries{threshold};
  for (int64_t index = 0; index < batches * heads; ++index) {
    int64_t batch = index / heads, headOf = index % heads;
    Head head(forward, batch, headOf, headOf / group);
    std::vector<double> dO = doublesOf(random.dO, batch, headOf), delta;
    for (int64_t row = 0; row < rows; ++row) {
      double sum = random.dlse ? -double(random.dlse->data[batch * random.dlse->strides[0] + headOf * random.dlse->strides[1] + row * random.dlse->strides[2]]) : 0;
      for (int64_t column = 0; column < D; ++column)
        sum += dO[size_t(row * D + column)] * outputs.o[size_t((index * rows + row) * D + column)];
      delta.push_back(sum);
    }
    auto gate = [&](int64_t row, int64_t block) { return head.gate(row, block, outputs.lse[size_t(index * rows + row)]); };
    auto subtract = [&, D = D, rows = rows](int64_t row, int64_t block, double gate, bool ofQueries, bool ofKeys) {
      if (gate == 0)
        return;
      BlockGradients lost = head.gradients(row, block, gate, &dO[size_t(row * D)], delta[size_t(row)]);
      double *keyGradients[] = {result.gradients.dk.data(), result.gradients.dv.data()};
      for (int64_t key = head.firstKey(block); key <= head.landmark(block); ++key) {
        size_t j = size_t(key - head.firstKey(block)), at = size_t(((batch * kvHeads + headOf / group) * keys + key) * D);
        double ds = forward.semantics.scale * lost.ds[j];
        if (ofQueries)
          head.axpy(-ds, head.key(key), &result.gradients.dq[size_t((index * rows + row) * D)]);
        if (ofKeys)
          head.axpy(-ds, head.query(row), keyGradients[0] + at);
        if (ofKeys && key < head.landmark(block))
          head.axpy(-lost.p[j], &dO[size_t(row * D)], keyGradients[1] + at);
      }
    };
    byKeys.byKeys(head, forward, keyQueryTile(random.problem, config), step, gate, [&](int64_t row, int64_t block, double gate) { subtract(row, block, gate, adds, true); });
    if (!adds)
      byQueries.byQueries(head, forward, config.queryTile, step, gate, [&](int64_t row, int64_t block, double gate) { subtract(row, block, gate, true, false); });
  }
  result.tiles = byKeys.tiles;
  result.isClose = byKeys.isClose || byQueries.isClose;
  return result;
}

static RandomLimits gatedLimits(uint64_t seed) {
  RandomLimits limits;
  limits.maxBatch = 1;
  limits.maxKvHeads = limits.maxGroup = 2;
  limits.maxKeys = 500;
  limits.maxBlockSize = seed % 3 == 0 ? 128 : seed % 3 == 1 ? 51 : 12;
  limits.maxHeadDim = 80;
  return limits;
}

RandomForward randomGated(uint64_t seed) { return randomForward(seed, gatedLimits(seed)); }

RandomBackward randomGatedBackward(uint64_t seed) {
  RandomBackward random = randomBackward(seed, gatedLimits(seed));
  random.problem.operation = Operation::BackwardListed;
  return random;
}

} // namespace landmark::test
