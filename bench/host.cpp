// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The forward on the CPU against a straightforward scalar loop, compiled at -O2: float32, one batch, one head.
//
//     host-bench [rows] [head dimension] [block size]
#include "Random.h"
#include "landmark/Runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <vector>

using namespace landmark;

namespace {

struct Sizes {
  int64_t rows = 2048, columns = 64, blockSize = 64;
};

float dot(const float *a, const float *b, int64_t columns) {
  float sum = 0;
  for (int64_t d = 0; d < columns; ++d)
    sum += a[d] * b[d];
  return sum;
}

/// One row: logits, the outer sum, then every block's weights.
void scalarRow(const Sizes &sizes, const float *q, const float *k, const float *v, int64_t row, std::vector<float> &logits, float *o) {
  auto [rows, columns, blockSize] = sizes;
  float scale = 1 / std::sqrt(float(columns)), maximum = -INFINITY, total = 0;
  int64_t own = row / blockSize;
  auto isOuter = [&](int64_t j) { return j / blockSize == own ? j % blockSize != blockSize - 1 : j % blockSize == blockSize - 1; };
  for (int64_t j = 0; j <= row; ++j) {
    logits[j] = scale * dot(q + row * columns, k + j * columns, columns);
    if (isOuter(j))
      maximum = std::max(maximum, logits[j]);
  }
  for (int64_t j = 0; j <= row; ++j)
    total += isOuter(j) ? std::exp(logits[j] - maximum) : 0;
  std::fill(o, o + columns, 0.0f);
  for (int64_t block = 0; block <= own; ++block) {
    int64_t first = block * blockSize, end = std::min(first + blockSize - 1, row + 1);
    float top = *std::max_element(&logits[first], &logits[end]), sum = 0;
    for (int64_t j = first; j < end; ++j)
      sum += std::exp(logits[j] - top);
    float factor = block == own ? std::exp(top - maximum) / total : std::exp(logits[first + blockSize - 1] - maximum) / total / sum;
    for (int64_t j = first; j < end; ++j) {
      float weight = factor * std::exp(logits[j] - top);
      for (int64_t d = 0; d < columns; ++d)
        o[d] += weight * v[j * columns + d];
    }
  }
}

template <typename Work> double seconds(int repeats, Work work) {
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

} // namespace

int main(int argc, char **argv) {
  Sizes sizes;
  int64_t *fields[] = {&sizes.rows, &sizes.columns, &sizes.blockSize};
  for (int i = 1; i < argc && i <= 3; ++i)
    *fields[i - 1] = std::atoll(argv[i]);
  if (sizes.rows < 1 || sizes.rows > 65536 || sizes.columns < 16 || sizes.columns > 256 || sizes.blockSize < 2) {
    fmt::print(stderr, "host-bench: 1 to 65536 rows, a head dimension of 16 to 256, blocks of 2 and more\n");
    return 2;
  }
  size_t elements = sizes.rows * sizes.columns;
  std::vector<float> q(elements), k(elements), v(elements), o(elements, NAN), expected(elements), lse(sizes.rows), logits(sizes.rows);
  Random random(1);
  for (auto *tensor : {&q, &k, &v})
    std::generate(tensor->begin(), tensor->end(), [&] { return float(random.normal()); });

  Runtime runtime(Device::host());
  auto view = [&](std::vector<float> &data) { return denseView(data.data(), DType::F32, {1, 1, sizes.rows, sizes.columns}); };
  ForwardArguments arguments{view(q), view(k), view(v), view(o), denseRows(lse.data(), {1, 1, sizes.rows}), sizes.blockSize};
  if (auto done = runtime.forward(arguments); !done) { // compiles
    fmt::print(stderr, "host-bench: {}\n", done.error().message);
    return 1;
  }
  double ours = seconds(11, [&] { (void)bool(runtime.forward(arguments)); });
  double scalar = seconds(3, [&] {
    for (int64_t row = 0; row < sizes.rows; ++row)
      scalarRow(sizes, q.data(), k.data(), v.data(), row, logits, &expected[row * sizes.columns]);
  });
  double difference = 0, norm = 0;
  for (size_t i = 0; i < elements; ++i) {
    difference += std::pow(double(o[i]) - expected[i], 2);
    norm += std::pow(double(expected[i]), 2);
  }
  double flops = 2.0 * sizes.rows * sizes.rows * sizes.columns, error = std::sqrt(difference / norm);
  fmt::print("{} rows, D={}, L={}, float32: {:.2f} ms, {:.1f} GFLOP/s; scalar loop {:.1f} ms, {:.2f} GFLOP/s; {:.1f} times; they differ by {:.1e}\n",
             sizes.rows, sizes.columns, sizes.blockSize, ours * 1e3, flops / ours * 1e-9, scalar * 1e3, flops / scalar * 1e-9, scalar / ours, error);
  return error < 1e-4 ? 0 : 3;
}
