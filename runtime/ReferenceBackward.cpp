// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients by the formulas of docs/spec.md, section 3: once over rows for dq, once over blocks of keys for dk and dv.
#include "ReferenceRows.h"

#include <cmath>

namespace landmark {

using namespace reference;

namespace {

/// What the backward keeps of a row: log-sum-exp and D_i, less what is differentiated of the log-sum-exp.
struct RowState {
  double lse = -infinity, delta = 0;
};

/// Dense rows of one (batch, head).
std::vector<double> loadHead(const TensorView &view, int64_t batch, int64_t head) {
  int64_t rows = view.shape[2], columns = view.shape[3];
  std::vector<double> values(static_cast<size_t>(rows * columns));
  parallelFor(rows, 256, [&](int64_t row) { loadRow(view, batch, head, row, &values[size_t(row * columns)]); });
  return values;
}

/// One (batch, query head) with the keys and values that it reads.
class QueryHead {
public:
  QueryHead(const BackwardInputs &inputs, const ForwardSemantics &semantics, const Head &keys, int64_t batch, int64_t head)
      : rows(inputs.q.shape[2]), columns(inputs.q.shape[3]), semantics(semantics), keys(keys), q(loadHead(inputs.q, batch, head)),
        dO(loadHead(inputs.dO, batch, head)), states(static_cast<size_t>(rows)) {
    std::vector<double> o = inputs.o ? loadHead(*inputs.o, batch, head) : std::vector<double>();
    auto at = [&](const RowsView &view, int64_t row) {
      return double(view.data[batch * view.strides[0] + head * view.strides[1] + row * view.strides[2]]);
    };
    parallelFor(rows, 4, [&](int64_t row) {
      RowState &state = states[size_t(row)];
      std::vector<double> own;
      state.lse = inputs.lse ? at(*inputs.lse, row) : logSumExp(row);
      if (!inputs.o)
        own = output(row, state.lse);
      state.delta = dot(&dO[size_t(row * columns)], inputs.o ? &o[size_t(row * columns)] : own.data(), columns);
      if (inputs.dlse)
        state.delta -= at(*inputs.dlse, row);
    });
  }

  Visibility visibility(int64_t row) const { return {semantics, keys.length, row + semantics.qOffset}; }

  /// Adds to dq of a row.
  void addToQuery(int64_t row, double *dq) const {
    Visibility seen = visibility(row);
    for (int64_t c = 0; c <= seen.block; ++c)
      forEachKey(row, c, [&](int64_t j, double, double ds) { axpy(semantics.scale * ds, &keys.k[size_t(j * columns)], dq); });
  }

  /// Adds to dk and dv of block `c`, whose first key lies at their beginning.
  void addToKeys(int64_t c, double *dk, double *dv) const {
    int64_t first = std::max<int64_t>(0, c * semantics.blockSize - semantics.phase);
    for (int64_t row = std::max<int64_t>(0, first - semantics.qOffset); row < rows; ++row)
      forEachKey(row, c, [&](int64_t j, double p, double ds) {
        axpy(semantics.scale * ds, &q[size_t(row * columns)], dk + (j - first) * columns);
        axpy(p, &dO[size_t(row * columns)], dv + (j - first) * columns);
      });
  }

private:
  double logit(int64_t row, int64_t j) const {
    return semantics.scale * dot(&q[size_t(row * columns)], &keys.k[size_t(j * columns)], columns);
  }

  void axpy(double factor, const double *from, double *to) const {
    for (int64_t column = 0; column < columns; ++column)
      to[column] += factor * from[column];
  }

  double logSumExp(int64_t row) const {
    Visibility seen = visibility(row);
    std::vector<double> outer;
    for (int64_t j = seen.own.begin; j < seen.own.end; ++j)
      outer.push_back(logit(row, j));
    for (int64_t c = 0; c < seen.pastBlocks; ++c)
      if (!seen.ordinary(c).empty())
        outer.push_back(logit(row, seen.landmark(c)));
    return logSumExp(outer);
  }

  static double logSumExp(const std::vector<double> &values) {
    if (values.empty())
      return -infinity;
    double most = *std::max_element(values.begin(), values.end()), sum = 0;
    for (double value : values)
      sum += std::exp(value - most);
    return most + std::log(sum);
  }

  std::vector<double> output(int64_t row, double lse) const {
    std::vector<double> o(static_cast<size_t>(columns));
    Visibility seen = visibility(row);
    auto add = [&](int64_t j, double p) { axpy(p, &keys.v[size_t(j * columns)], o.data()); };
    for (int64_t c = 0; c <= seen.block; ++c)
      forEachWeight(row, c, lse, add);
    return o;
  }

  /// The keys of block `c` that a row gives weight, and the weights: body(key, P_ij). Returns the gate, 0 where there is none.
  template <typename Body> double forEachWeight(int64_t row, int64_t c, double lse, const Body &body) const {
    Visibility seen = visibility(row);
    bool isOwn = c == seen.block;
    KeyRange range = isOwn ? seen.own : c < seen.pastBlocks ? seen.ordinary(c) : KeyRange{0, 0};
    if (range.empty())
      return 0;
    std::vector<double> logits;
    for (int64_t j = range.begin; j < range.end; ++j)
      logits.push_back(logit(row, j));
    double gate = isOwn ? 1 : std::exp(logit(row, seen.landmark(c)) - lse);
    double normaliser = isOwn ? lse : logSumExp(logits);
    for (int64_t j = range.begin; j < range.end; ++j)
      body(j, gate * std::exp(logits[size_t(j - range.begin)] - normaliser));
    return isOwn ? 0 : gate;
  }

  /// Every key of block `c` that has a part in a row's result, the landmark included: body(key, P_ij, ds_ij).
  template <typename Body> void forEachKey(int64_t row, int64_t c, const Body &body) const {
    const RowState &state = states[size_t(row)];
    std::vector<std::pair<int64_t, double>> weights; // key, P_ij
    double gate = forEachWeight(row, c, state.lse, [&](int64_t j, double p) { weights.emplace_back(j, p); });
    std::vector<double> t;
    double gateGradient = 0;
    for (auto [j, p] : weights) {
      t.push_back(p * (dot(&dO[size_t(row * columns)], &keys.v[size_t(j * columns)], columns) - state.delta));
      gateGradient += t.back();
    }
    for (size_t n = 0; n < weights.size(); ++n) {
      auto [j, p] = weights[n];
      double inner = gate > 0 ? p / gate : 0; // a gate that underflows has no part in anything
      body(j, p, c == visibility(row).block ? t[n] : t[n] - inner * gateGradient);
    }
    if (gate > 0)
      body(visibility(row).landmark(c), 0.0, gateGradient);
  }

  int64_t rows, columns;
  const ForwardSemantics &semantics;
  const Head &keys;
  std::vector<double> q, dO;
  std::vector<RowState> states;
};

std::vector<int64_t> allUpTo(int64_t count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), int64_t{0});
  return numbers;
}

} // namespace

ReferenceBackward referenceBackward(const BackwardInputs &inputs, const ForwardSemantics &semantics, const BackwardSelection &selection) {
  auto [batches, heads, length, columns] = inputs.q.shape;
  int64_t kvHeads = inputs.k.shape[1], keys = inputs.k.shape[2], blockSize = semantics.blockSize;
  ReferenceBackward result;
  result.rows = selection.rows.empty() ? allUpTo(length) : selection.rows;
  std::vector<int64_t> blocks =
      selection.blocks.empty() ? allUpTo((keys + semantics.phase + blockSize - 1) / blockSize) : selection.blocks;
  std::vector<int64_t> firstOf; // of each block: place of its first key in result.keys
  for (int64_t c : blocks) {
    firstOf.push_back(int64_t(result.keys.size()));
    for (int64_t j = std::max<int64_t>(0, c * blockSize - semantics.phase); j < std::min(keys, (c + 1) * blockSize - semantics.phase); ++j)
      result.keys.push_back(j);
  }
  int64_t rows = int64_t(result.rows.size()), chosenKeys = int64_t(result.keys.size()), group = kvHeads > 0 ? heads / kvHeads : 0;
  result.dq.assign(size_t(batches * heads * rows * columns), 0.0);
  result.dk.assign(size_t(batches * kvHeads * chosenKeys * columns), 0.0);
  result.dv = result.dk;
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t kvHead = 0; kvHead < kvHeads; ++kvHead) {
      Head head(inputs.k, inputs.v, batch, kvHead, semantics);
      size_t keyStart = size_t((batch * kvHeads + kvHead) * chosenKeys * columns);
      for (int64_t h = kvHead * group; h < (kvHead + 1) * group; ++h) {
        QueryHead query(inputs, semantics, head, batch, h);
        double *dq = result.dq.data() + (batch * heads + h) * rows * columns;
        parallelFor(rows, 4, [&, columns = columns](int64_t row) { query.addToQuery(result.rows[size_t(row)], dq + row * columns); });
        parallelFor(int64_t(blocks.size()), 1, [&, columns = columns](int64_t n) {
          size_t start = keyStart + size_t(firstOf[size_t(n)] * columns);
          query.addToKeys(blocks[size_t(n)], &result.dk[start], &result.dv[start]);
        });
      }
    }
  return result;
}

} // namespace landmark
