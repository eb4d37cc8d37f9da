// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RetrievalReference.h"

#include "Safetensors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace landmark {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using Vector = std::vector<double>;

Vector rowOf(const TensorView &view, int64_t head, int64_t row) {
  const auto *element = static_cast<const std::byte *>(view.data) +
                        (head * view.strides[1] + row * view.strides[2]) * byteSize(view.dtype);
  Vector values(static_cast<size_t>(view.shape[3]));
  for (double &value : values) {
    value = toDouble(element, view.dtype);
    element += byteSize(view.dtype);
  }
  return values;
}

/// Turns the pairs of a row by its position.
void rotate(Vector &row, double position, const Rotary &rotary) {
  size_t pairs = row.size() / 2;
  for (size_t pair = 0; pair < pairs && rotary.layout != RotaryLayout::None; ++pair) {
    double angle = position / rotary.scaling * std::pow(rotary.base, -double(pair) / double(pairs));
    bool isHalf = rotary.layout == RotaryLayout::Half;
    double &x = row[isHalf ? pair : 2 * pair], &y = row[isHalf ? pair + pairs : 2 * pair + 1];
    double turned = x * std::cos(angle) - y * std::sin(angle);
    y = x * std::sin(angle) + y * std::cos(angle);
    x = turned;
  }
}

/// Rounds to a type and back.
void round(Vector &row, DType dtype) {
  for (double &value : row) {
    std::byte element[sizeof(float)];
    fromDouble(value, element, dtype);
    value = toDouble(element, dtype);
  }
}

double logSumExp(const Vector &values) {
  double most = -infinity, sum = 0;
  for (double value : values)
    most = std::max(most, value);
  if (most == -infinity)
    return -infinity;
  for (double value : values)
    sum += std::exp(value - most);
  return most + std::log(sum);
}

/// One sequence; the names are those of docs/spec.md.
class Sequence {
public:
  Sequence(const TensorView &q, const TensorView &k, const TensorView &v, const RetrievalSemantics &semantics)
      : q(q), k(k), v(v), semantics(semantics), L(semantics.blockSize), heads(q.shape[1]), rows(q.shape[2]),
        group(q.shape[1] / k.shape[1]), length(k.shape[2]) {}

  ReferenceRetrieval run(const std::vector<std::vector<int64_t>> &selections) {
    ReferenceRetrieval result;
    result.rows.resize(size_t(heads * rows));
    result.o.assign(size_t(heads * rows * q.shape[3]), 0.0);
    result.lse.assign(size_t(heads * rows), -infinity);
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t row = 0; row < rows; ++row)
        at(result, head, row) = {candidates(row), logits(head, row), {}};
    share(result);
    for (RowRetrieval &row : result.rows)
      row.selection = highest(row.scores);
    if (!selections.empty())
      for (size_t i = 0; i < result.rows.size(); ++i)
        result.rows[i].selection = selections[i];
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t row = 0; row < rows; ++row)
        attend(result, head, row);
    return result;
  }

private:
  const TensorView &q, &k, &v;
  const RetrievalSemantics &semantics;
  int64_t L, heads, rows, group, length;

  RowRetrieval &at(ReferenceRetrieval &result, int64_t head, int64_t row) const {
    return result.rows[size_t(head * rows + row)];
  }
  int64_t token(int64_t row) const { return length - rows + row; }

  /// n: the blocks before the window of the row, or of the chunk's first row where a chunk shares.
  int64_t candidates(int64_t row) const {
    int64_t first = semantics.granularity == Granularity::HeadChunk ? 0 : row;
    return std::max<int64_t>(0, token(first) / L - semantics.window);
  }
  int64_t retrieved(int64_t n) const { return std::min(semantics.topK, n); }

  /// Position of a token behind the candidates (C13: the prefix holds k' + 1 slots).
  double localPosition(int64_t j, int64_t n) const {
    if (semantics.rotary.positions == Positions::True)
      return double(j);
    int64_t slots = retrieved(n) ? retrieved(n) + 1 : 0;
    return double(slots * L + j - n * L);
  }
  /// Position of the landmark of candidate `c` when it is scored.
  double scoredPosition(int64_t c, int64_t n) const {
    if (semantics.rotary.positions == Positions::True)
      return double(c * L + L - 1);
    int64_t far = n - retrieved(n);
    return double((c < far ? 0 : c - far + 1) * L + L - 1);
  }
  /// Position of token `t` of a retrieved block, the `rank`-th in time order.
  double retrievedPosition(int64_t c, int64_t t, int64_t rank, int64_t n) const {
    if (semantics.rotary.positions == Positions::True)
      return double(c * L + t);
    return double((c < n - retrieved(n) ? rank : rank + 1) * L + t);
  }

  void turn(Vector &values, double position) const {
    rotate(values, position, semantics.rotary);
    if (semantics.rotary.layout != RotaryLayout::None && semantics.roundsRotated)
      round(values, q.dtype);
  }
  Vector query(int64_t head, int64_t row) const {
    Vector values = rowOf(q, head, row);
    turn(values, localPosition(token(row), candidates(row)));
    return values;
  }
  double logit(const Vector &query, int64_t head, int64_t j, double position) const {
    Vector key = rowOf(k, head / group, j);
    turn(key, position);
    return semantics.scale * std::inner_product(query.begin(), query.end(), key.begin(), 0.0);
  }

  Vector logits(int64_t head, int64_t row) const {
    Vector values, query = this->query(head, row);
    int64_t n = candidates(row);
    for (int64_t c = 0; c < n; ++c)
      values.push_back(logit(query, head, c * L + L - 1, scoredPosition(c, n)));
    return values;
  }

  /// Replaces logits by the maximum, over the rows that share a selection, of their softmax; as logarithms, which
  /// changes no order.
  void share(ReferenceRetrieval &result) const {
    if (semantics.granularity == Granularity::QueryHead)
      return;
    std::vector<Vector> shares;
    for (const RowRetrieval &row : result.rows) {
      Vector values = row.scores;
      double lse = logSumExp(values);
      for (double &value : values)
        value = value == -infinity ? -infinity : value - lse;
      shares.push_back(values);
    }
    auto isSharing = [&](int64_t head, int64_t row, int64_t otherHead, int64_t otherRow) {
      switch (semantics.granularity) {
      case Granularity::KvHead:
        return row == otherRow && head / group == otherHead / group;
      case Granularity::HeadChunk:
        return head == otherHead;
      case Granularity::Query:
        return row == otherRow;
      case Granularity::QueryHead:
        break;
      }
      return false;
    };
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t row = 0; row < rows; ++row) {
        Vector &most = at(result, head, row).scores;
        std::fill(most.begin(), most.end(), -infinity);
        for (int64_t otherHead = 0; otherHead < heads; ++otherHead)
          for (int64_t otherRow = 0; otherRow < rows; ++otherRow)
            if (isSharing(head, row, otherHead, otherRow))
              for (size_t c = 0; c < most.size(); ++c)
                most[c] = std::max(most[c], shares[size_t(otherHead * rows + otherRow)][c]);
      }
  }

  /// The k highest, ties to the lower id, in ascending order.
  std::vector<int64_t> highest(const Vector &scores) const {
    std::vector<int64_t> order(scores.size());
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return scores[size_t(a)] > scores[size_t(b)]; });
    order.resize(size_t(std::min<int64_t>(semantics.topK, int64_t(order.size()))));
    std::sort(order.begin(), order.end());
    return order;
  }

  /// Keys with their logits.
  struct Keys {
    std::vector<int64_t> tokens;
    Vector logits;
  };

  void attend(ReferenceRetrieval &result, int64_t head, int64_t row) const {
    Vector query = this->query(head, row), gates;
    int64_t n = candidates(row), own = token(row) / L;
    std::vector<Keys> past;
    auto addPast = [&](int64_t c, auto position) {
      Keys keys;
      for (int64_t t = 0; t < L - 1; ++t) {
        keys.tokens.push_back(c * L + t);
        keys.logits.push_back(logit(query, head, c * L + t, position(t)));
      }
      gates.push_back(logit(query, head, c * L + L - 1, position(L - 1)));
      past.push_back(std::move(keys));
    };
    const std::vector<int64_t> &selection = at(result, head, row).selection;
    for (size_t rank = 0; rank < selection.size(); ++rank)
      addPast(selection[rank], [&](int64_t t) { return retrievedPosition(selection[rank], t, int64_t(rank), n); });
    for (int64_t c = n; c < own; ++c)
      addPast(c, [&](int64_t t) { return localPosition(c * L + t, n); });
    Keys mine;
    for (int64_t j = own * L; j <= token(row); ++j)
      if (j % L != L - 1) {
        mine.tokens.push_back(j);
        mine.logits.push_back(logit(query, head, j, localPosition(j, n)));
      }

    Vector terms = mine.logits;
    terms.insert(terms.end(), gates.begin(), gates.end());
    double lse = logSumExp(terms);
    result.lse[size_t(head * rows + row)] = lse;
    if (lse == -infinity)
      return;
    double *o = &result.o[size_t((head * rows + row) * q.shape[3])];
    auto add = [&](const Keys &keys, double offset) {
      for (size_t i = 0; i < keys.tokens.size(); ++i) {
        Vector value = rowOf(v, head / group, keys.tokens[i]);
        for (size_t column = 0; column < value.size(); ++column)
          o[column] += std::exp(keys.logits[i] + offset) * value[column];
      }
    };
    add(mine, -lse);
    for (size_t i = 0; i < past.size(); ++i)
      add(past[i], gates[i] - lse - logSumExp(past[i].logits));
  }
};

} // namespace

ReferenceRetrieval referenceRetrieval(const TensorView &q, const TensorView &k, const TensorView &v,
                                      const RetrievalSemantics &semantics,
                                      const std::vector<std::vector<int64_t>> &selections) {
  return Sequence(q, k, v, semantics).run(selections);
}

double selectionError(const RowRetrieval &row, const std::vector<int64_t> &selection, int64_t topK) {
  if (int64_t(selection.size()) != std::min(topK, row.candidates))
    return infinity;
  std::vector<bool> chosen(size_t(row.candidates), false);
  double least = infinity, error = 0;
  int64_t before = -1;
  for (int64_t id : selection) {
    if (id <= before || id >= row.candidates)
      return infinity;
    chosen[size_t(id)] = true;
    least = std::min(least, row.scores[size_t(id)]);
    before = id;
  }
  for (int64_t c = 0; c < row.candidates; ++c)
    if (!chosen[size_t(c)])
      error = std::max(error, row.scores[size_t(c)] - least);
  return error;
}

} // namespace landmark
