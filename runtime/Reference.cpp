// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ReferenceRows.h"

#include <cmath>

namespace landmark {

using namespace reference;

namespace {

/// One query row.
class Row : Visibility {
public:
  Row(const Head &head, const ForwardSemantics &semantics, const double *q, int64_t position)
      : Visibility(semantics, head.length, position), head(head), scale(semantics.scale), q(q) {}

  /// Adds sum_j P_ij v_j to `o` and returns the log-sum-exp.
  double attend(double *o) const {
    double most = -infinity;
    std::vector<double> ownLogits = logits(own, most);
    std::vector<double> gates(static_cast<size_t>(pastBlocks), -infinity);
    for (int64_t c = 0; c < pastBlocks; ++c)
      if (!ordinary(c).empty()) // C6: a landmark without ordinary keys is not in Z
        most = std::max(most, gates[static_cast<size_t>(c)] = logit(landmark(c)));
    if (most == -infinity) // C3: nothing is visible
      return -infinity;

    double sum = 0;
    for (double s : ownLogits)
      sum += std::exp(s - most);
    for (double s : gates)
      sum += std::exp(s - most);

    for (int64_t j = own.begin; j < own.end; ++j)
      accumulate(std::exp(ownLogits[static_cast<size_t>(j - own.begin)] - most) / sum, j, o);
    for (int64_t c = 0; c < pastBlocks; ++c)
      if (!ordinary(c).empty())
        attendPast(c, std::exp(gates[static_cast<size_t>(c)] - most) / sum, o);
    return most + std::log(sum);
  }

private:
  const Head &head;
  double scale;
  const double *q;

  double logit(int64_t j) const { return scale * dot(q, &head.k[size_t(j * head.headDim)], head.headDim); }

  std::vector<double> logits(KeyRange keys, double &most) const {
    std::vector<double> result;
    for (int64_t j = keys.begin; j < keys.end; ++j) {
      result.push_back(logit(j));
      most = std::max(most, result.back());
    }
    return result;
  }

  void accumulate(double weight, int64_t j, double *o) const {
    const double *v = &head.v[size_t(j * head.headDim)];
    for (int64_t column = 0; column < head.headDim; ++column)
      o[column] += weight * v[column];
  }

  void attendPast(int64_t c, double gate, double *o) const {
    KeyRange keys = ordinary(c);
    double most = -infinity, sum = 0;
    std::vector<double> inner = logits(keys, most);
    for (double &s : inner)
      sum += s = std::exp(s - most);
    for (int64_t j = keys.begin; j < keys.end; ++j)
      accumulate(gate * inner[static_cast<size_t>(j - keys.begin)] / sum, j, o);
  }
};

/// sqrt(sum (actual - expected)^2) / sqrt(sum expected^2), element by element.
class ErrorNorm {
public:
  void add(double actual, double expected) {
    // Where the reference is not finite (a row that sees nothing has lse = -inf) only the same value will do.
    bool agrees = std::isfinite(expected) ? std::isfinite(actual) : actual == expected;
    broken |= !agrees;
    if (!agrees || !std::isfinite(expected))
      return;
    difference += (actual - expected) * (actual - expected);
    norm += expected * expected;
  }
  double relative() const {
    return broken ? infinity : norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
  }

private:
  double difference = 0, norm = 0;
  bool broken = false;
};

} // namespace

ReferenceForward referenceForward(const TensorView &q, const TensorView &k, const TensorView &v,
                                  const ForwardSemantics &semantics, const RowSelection &selection) {
  auto [batches, heads, length, headDim] = q.shape;
  ReferenceForward result;
  result.rows = selection.rows;
  if (result.rows.empty()) {
    result.rows.resize(static_cast<size_t>(length));
    std::iota(result.rows.begin(), result.rows.end(), int64_t{0});
  }
  int64_t rows = static_cast<int64_t>(result.rows.size());
  result.lse.assign(static_cast<size_t>(batches * heads * rows), -infinity);
  result.o.assign(static_cast<size_t>(batches * heads * rows * headDim), 0.0);

  int64_t kvHeads = k.shape[1];
  int64_t group = kvHeads > 0 ? heads / kvHeads : 0;
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t kvHead = 0; kvHead < kvHeads; ++kvHead) {
      Head head(k, v, batch, kvHead, semantics);
      parallelFor(group * rows, 4, [&, headDim = headDim, heads = heads](int64_t task) {
        int64_t queryHead = kvHead * group + task / rows, row = task % rows;
        int64_t query = result.rows[static_cast<size_t>(row)];
        std::vector<double> values(static_cast<size_t>(headDim));
        loadRow(q, batch, queryHead, query, values.data());
        size_t index = static_cast<size_t>((batch * heads + queryHead) * rows + row);
        Row attention(head, semantics, values.data(), query + semantics.qOffset);
        result.lse[index] = attention.attend(&result.o[index * static_cast<size_t>(headDim)]);
      });
    }
  return result;
}

double relativeError(const TensorView &actual, const std::vector<int64_t> &rows, const std::vector<double> &reference) {
  ErrorNorm norm;
  std::vector<double> values(static_cast<size_t>(actual.shape[3]));
  const double *expected = reference.data();
  for (int64_t batch = 0; batch < actual.shape[0]; ++batch)
    for (int64_t head = 0; head < actual.shape[1]; ++head)
      for (int64_t row : rows) {
        loadRow(actual, batch, head, row, values.data());
        for (double value : values)
          norm.add(value, *expected++);
      }
  return norm.relative();
}

double relativeError(const TensorView &actual, const ReferenceForward &reference) {
  return relativeError(actual, reference.rows, reference.o);
}

double relativeError(const RowsView &actual, const ReferenceForward &reference) {
  ErrorNorm norm;
  const double *expected = reference.lse.data();
  for (int64_t batch = 0; batch < actual.shape[0]; ++batch)
    for (int64_t head = 0; head < actual.shape[1]; ++head)
      for (int64_t row : reference.rows)
        norm.add(actual.data[batch * actual.strides[0] + head * actual.strides[1] + row * actual.strides[2]],
                 *expected++);
  return norm.relative();
}

} // namespace landmark
