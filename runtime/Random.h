// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random numbers that are the same on every machine: the standard fixes the generator, but not its distributions, and
// leaves the last bits of log and cos to the library.
#ifndef LANDMARK_RUNTIME_RANDOM_H
#define LANDMARK_RUNTIME_RANDOM_H

#include <cstdint>
#include <random>

namespace landmark {

class Random {
public:
  explicit Random(uint64_t seed) : generator(seed) {}

  /// One of low .. high, both included; the modulo's bias is far below what a draw of a few hundred values can show.
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(generator() % static_cast<uint64_t>(high - low + 1));
  }

  /// True once in `n` draws.
  bool oneIn(int64_t n) { return integer(1, n) == 1; }

  /// Near enough normal, mean 0 and variance 1: a sum of eight 16-bit uniforms, in exact arithmetic. At most 4.9, never
  /// 0.
  double normal() {
    int64_t sum = 0;
    for (int draw = 0; draw < 2; ++draw)
      for (uint64_t bits = generator(), part = 0; part < 4; ++part, bits >>= 16)
        sum += static_cast<int64_t>(bits & 0xffff);
    constexpr int64_t mean = 4 * 0xffff;
    constexpr double deviation = 53509.3; // sqrt(8 * 2^32 / 12)
    return (static_cast<double>(sum - mean) + 0.5) / deviation;
  }

private:
  std::mt19937_64 generator;
};

} // namespace landmark
#endif
