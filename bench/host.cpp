// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Forward and backward on the CPU against straightforward scalar loops, compiled at -O2: float32, one batch, one head.
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

/// One row: logits, the outer sum, then every block's weights. `gates` are those of past blocks' landmarks.
void scalarWeights(const Sizes &sizes, const float *q, const float *k, int64_t row, std::vector<float> &weights, std::vector<float> &gates) {
  auto [rows, columns, blockSize] = sizes;
  float scale = 1 / std::sqrt(float(columns)), maximum = -INFINITY, total = 0;
  int64_t own = row / blockSize;
  auto isOuter = [&](int64_t j) { return j / blockSize == own ? j % blockSize != blockSize - 1 : j % blockSize == blockSize - 1; };
  for (int64_t j = 0; j <= row; ++j) {
    weights[j] = scale * dot(q + row * columns, k + j * columns, columns);
    if (isOuter(j))
      maximum = std::max(maximum, weights[j]);
  }
  for (int64_t j = 0; j <= row; ++j)
    total += isOuter(j) ? std::exp(weights[j] - maximum) : 0;
  for (int64_t block = 0; block <= own; ++block) {
    int64_t first = block * blockSize, end = std::min(first + blockSize - 1, row + 1);
    float top = *std::max_element(&weights[first], &weights[end]), sum = 0;
    for (int64_t j = first; j < end; ++j)
      sum += std::exp(weights[j] - top);
    if (block < own)
      gates[block] = std::exp(weights[first + blockSize - 1] - maximum) / total;
    float factor = block == own ? std::exp(top - maximum) / total : gates[block] / sum;
    for (int64_t j = first; j < end; ++j)
      weights[j] = factor * std::exp(weights[j] - top);
  }
}

void axpy(float factor, const float *from, float *to, int64_t columns) {
  for (int64_t d = 0; d < columns; ++d)
    to[d] += factor * from[d];
}

/// Ordinary keys of a block that a row sees.
std::pair<int64_t, int64_t> ordinaryKeys(const Sizes &sizes, int64_t row, int64_t block) {
  int64_t first = block * sizes.blockSize;
  return {first, std::min(first + sizes.blockSize - 1, row + 1)};
}

void scalarForward(const Sizes &sizes, const float *q, const float *k, const float *v, float *o) {
  std::vector<float> weights(sizes.rows), gates(sizes.rows);
  for (int64_t row = 0; row < sizes.rows; ++row) {
    scalarWeights(sizes, q, k, row, weights, gates);
    std::fill(o + row * sizes.columns, o + (row + 1) * sizes.columns, 0.0f);
    for (int64_t block = 0; block <= row / sizes.blockSize; ++block)
      for (auto [j, end] = ordinaryKeys(sizes, row, block); j < end; ++j)
        axpy(weights[j], v + j * sizes.columns, o + row * sizes.columns, sizes.columns);
  }
}

/// Gradients row by row (docs/spec.md, section 3); those of queries, keys and values one after the other in `gradients`.
void scalarBackward(const Sizes &sizes, const float *q, const float *k, const float *v, const float *dO, std::vector<float> &gradients) {
  auto [rows, columns, blockSize] = sizes;
  float scale = 1 / std::sqrt(float(columns));
  std::fill(gradients.begin(), gradients.end(), 0.0f);
  float *dq = gradients.data(), *dk = dq + rows * columns, *dv = dk + rows * columns;
  std::vector<float> weights(rows), gates(rows), products(rows), totals(rows);
  for (int64_t row = 0; row < rows; ++row) {
    scalarWeights(sizes, q, k, row, weights, gates);
    int64_t own = row / blockSize;
    float all = 0;
    for (int64_t block = 0; block <= own; ++block) {
      totals[block] = 0;
      for (auto [j, end] = ordinaryKeys(sizes, row, block); j < end; ++j) {
        products[j] = dot(dO + row * columns, v + j * columns, columns);
        totals[block] += weights[j] * products[j];
      }
      all += totals[block];
    }
    auto add = [&](int64_t j, float ds) {
      axpy(scale * ds, k + j * columns, dq + row * columns, columns);
      axpy(scale * ds, q + row * columns, dk + j * columns, columns);
    };
    for (int64_t block = 0; block <= own; ++block) {
      float center = block == own ? all : totals[block] / gates[block];
      for (auto [j, end] = ordinaryKeys(sizes, row, block); j < end; ++j) {
        add(j, weights[j] * (products[j] - center));
        axpy(weights[j], dO + row * columns, dv + j * columns, columns);
      }
      if (block < own)
        add(block * blockSize + blockSize - 1, gates[block] * (center - all));
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

double difference(const std::vector<float> &actual, const std::vector<float> &expected) {
  double sum = 0, norm = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    sum += std::pow(double(actual[i]) - expected[i], 2);
    norm += std::pow(double(expected[i]), 2);
  }
  return std::sqrt(sum / norm);
}

/// Times both, prints, and says whether they agree.
template <typename Ours, typename Scalar>
bool compare(const char *name, const Sizes &sizes, int products, Ours ours, Scalar scalar, const std::vector<float> &actual,
             const std::vector<float> &expected) {
  double fast = seconds(11, ours), slow = seconds(3, scalar), error = difference(actual, expected);
  double flops = products * 1.0 * sizes.rows * sizes.rows * sizes.columns;
  fmt::print("{}, {} rows, D={}, L={}, float32: {:.2f} ms, {:.1f} GFLOP/s; scalar loop {:.1f} ms, {:.2f} GFLOP/s; {:.1f} times; they differ by {:.1e}\n",
             name, sizes.rows, sizes.columns, sizes.blockSize, fast * 1e3, flops / fast * 1e-9, slow * 1e3, flops / slow * 1e-9, slow / fast, error);
  return error < 1e-4;
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
  std::vector<float> q(elements), k(elements), v(elements), dO(elements), o(elements, NAN), expected(elements), lse(sizes.rows), delta(sizes.rows);
  std::vector<float> gradients(3 * elements, NAN), expectedGradients(3 * elements);
  Random random(1);
  for (auto *tensor : {&q, &k, &v, &dO})
    std::generate(tensor->begin(), tensor->end(), [&] { return float(random.normal()); });

  Runtime runtime(Device::host());
  auto view = [&](float *data) { return denseView(data, DType::F32, {1, 1, sizes.rows, sizes.columns}); };
  auto rows = [&](std::vector<float> &data) { return denseRows(data.data(), {1, 1, sizes.rows}); };
  ForwardArguments forward{view(q.data()), view(k.data()), view(v.data()), view(o.data()), rows(lse), sizes.blockSize};
  float *dq = gradients.data();
  BackwardArguments backward{forward.q, forward.k, forward.v, forward.o, forward.lse, view(dO.data()), view(dq), view(dq + elements), view(dq + 2 * elements),
                             rows(delta), sizes.blockSize};
  for (const Expected<void> &done : {runtime.forward(forward), runtime.backward(backward)}) // compiles
    if (!done) {
      fmt::print(stderr, "host-bench: {}\n", done.error().message);
      return 1;
    }
  bool agree = compare("forward", sizes, 2, [&] { (void)bool(runtime.forward(forward)); },
                       [&] { scalarForward(sizes, q.data(), k.data(), v.data(), expected.data()); }, o, expected);
  agree &= compare("backward", sizes, 5, [&] { (void)bool(runtime.backward(backward)); },
                   [&] { scalarBackward(sizes, q.data(), k.data(), v.data(), dO.data(), expectedGradients); }, gradients, expectedGradients);
  return agree ? 0 : 3;
}
