// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the forward and the backward oracle share: rows as float64, and which keys a row sees.
#ifndef LANDMARK_RUNTIME_REFERENCEROWS_H
#define LANDMARK_RUNTIME_REFERENCEROWS_H

#include "Reference.h"
#include "Safetensors.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>
#include <thread>

namespace landmark::reference {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Runs body(0) .. body(count - 1) on all cores, `grain` at a time; causal rows differ in length, so cores take work as
/// they go.
template <typename Body> void parallelFor(int64_t count, int64_t grain, const Body &body) {
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    for (int64_t begin; (begin = next.fetch_add(grain)) < count;)
      for (int64_t index = begin; index < std::min(begin + grain, count); ++index)
        body(index);
  };
  int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
  std::vector<std::jthread> helpers;
  for (int64_t helper = 1; helper < std::min(cores, (count + grain - 1) / grain); ++helper)
    helpers.emplace_back(work);
  work();
}

/// Row `row` of a (batch, head), as float64.
inline void loadRow(const TensorView &view, int64_t batch, int64_t head, int64_t row, double *out) {
  int64_t offset = batch * view.strides[0] + head * view.strides[1] + row * view.strides[2];
  int64_t size = byteSize(view.dtype);
  const auto *element = static_cast<const std::byte *>(view.data) + offset * size;
  for (int64_t column = 0; column < view.shape[3]; ++column)
    out[column] = toDouble(element + column * view.strides[3] * size, view.dtype);
}

/// Keys and values of one head, dense. A landmark's value is never read (C2), not even here: its row stays 0.
struct Head {
  int64_t length, headDim;
  std::vector<double> k, v;

  Head(const TensorView &keys, const TensorView &values, int64_t batch, int64_t head, const ForwardSemantics &semantics)
      : length(keys.shape[2]), headDim(keys.shape[3]), k(static_cast<size_t>(length * headDim)), v(k.size()) {
    parallelFor(length, 256, [&](int64_t key) {
      loadRow(keys, batch, head, key, &k[static_cast<size_t>(key * headDim)]);
      if ((key + semantics.phase) % semantics.blockSize != semantics.blockSize - 1)
        loadRow(values, batch, head, key, &v[static_cast<size_t>(key * headDim)]);
    });
  }
};

/// Independent partial sums, so that the compiler may use vectors.
inline double dot(const double *a, const double *b, int64_t count) {
  constexpr int64_t width = 8;
  double partial[width] = {};
  int64_t index = 0;
  for (; index + width <= count; index += width)
    for (int64_t lane = 0; lane < width; ++lane)
      partial[lane] += a[index + lane] * b[index + lane];
  double sum = std::accumulate(partial, partial + width, 0.0);
  for (; index < count; ++index)
    sum += a[index] * b[index];
  return sum;
}

/// Half-open range of ordinary keys.
struct KeyRange {
  int64_t begin, end;
  bool empty() const { return begin >= end; }
};

/// What a row at `position` sees of `length` keys; the names are those of docs/spec.md.
struct Visibility {
  int64_t blockSize, phase, block;
  KeyRange own;
  int64_t pastBlocks;

  Visibility(const ForwardSemantics &semantics, int64_t length, int64_t position)
      : blockSize(semantics.blockSize), phase(semantics.phase), block((position + phase) / blockSize),
        own{firstKey(block), std::min({position + 1, length, landmark(block)})},
        // The landmarks of blocks beyond these lie at or beyond the last key: they do not exist.
        pastBlocks(std::min(block, (length + phase) / blockSize)) {}

  int64_t firstKey(int64_t c) const { return std::max<int64_t>(0, c * blockSize - phase); }
  int64_t landmark(int64_t c) const { return (c + 1) * blockSize - 1 - phase; }
  KeyRange ordinary(int64_t c) const { return {firstKey(c), landmark(c)}; }
};

} // namespace landmark::reference
#endif
