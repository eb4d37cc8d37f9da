// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "DecodeSteps.h"

#include "Copies.h"
#include "GrowingBuffer.h"
#include "Random.h"
#include "Timing.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

namespace landmark::tool {

namespace {

/// GB/s from pinned memory to the device.
Expected<double> measureBus(const Device &device) {
  constexpr int64_t bytes = int64_t(256) << 20;
  auto pinned = GrowingBuffer::reserve(device, bytes, "bus", Memory::PinnedHost);
  if (!pinned)
    return pinned.error();
  if (auto grown = pinned->grow(bytes); !grown)
    return grown.error();
  auto there = DeviceBuffer::allocate(device, size_t(bytes));
  if (!there)
    return there.error();
  auto times = timeCalls(device, 5, [&]() -> Expected<void> {
    Copies copies(*device.state(), nullptr);
    copies.copy(there->data(), pinned->data(), bytes);
    return copies.status();
  });
  if (!times)
    return times.error();
  return double(bytes) * 1e-6 / median(*times);
}

/// Numbers of the blocks of key/value heads that the last call attended to, the local ones included.
Expected<std::set<int64_t>> blocksOf(const StepwiseCall &call) {
  auto table = call.retrieval.downloadSelection();
  if (!table)
    return table.error();
  auto [batch, heads, queries, places] = call.retrieval.selection().shape;
  int64_t kvHeads = call.cache.options().kvHeads;
  std::set<int64_t> blocks;
  for (int64_t i = 0; i < int64_t(table->size()); ++i) {
    int64_t row = i / places / queries, sequence = row / heads, head = row % heads, block = (*table)[size_t(i)];
    int64_t first = head * kvHeads / heads, end = std::max(first + 1, (head + 1) * kvHeads / heads);
    for (int64_t kv = first; kv < end && block >= 0; ++kv)
      blocks.insert((block * batch + sequence) * kvHeads + kv);
  }
  for (int64_t local = 1; local <= batch * kvHeads; ++local)
    blocks.insert(-local);
  return blocks;
}

/// New queries for the heads whose turn it is.
void renew(HostTensor &q, int step, int period, Random &random) {
  int64_t heads = q.shape[0] * q.shape[1], each = q.elements() / heads, size = byteSize(q.dtype);
  for (int64_t head = step % period; head < heads; head += period)
    for (int64_t i = head * each; i < (head + 1) * each; ++i)
      fromDouble(random.normal(), q.bytes.data() + i * size, q.dtype);
}

} // namespace

Expected<Stepwise> timeSteps(const Device &device, StepwiseCall &call, int steps, double hitRate) {
  const CacheOptions &cache = call.cache.options();
  int period = std::max(1, int(std::lround(1 / (1 - hitRate)))), warming = 2 * period;
  HostTensor q = call.first;
  Random random(99);
  std::vector<double> times;
  std::set<int64_t> before;
  int64_t blocks = 0, repeated = 0;
  CacheUsage start;
  for (int step = 0; step < warming + steps; ++step) {
    renew(q, step, period, random);
    if (auto done = call.q.upload(q.bytes.data(), q.bytes.size()); !done)
      return done.error();
    if (step == warming)
      start = call.cache.usage();
    Stopwatch watch;
    if (auto done = call.attend(nullptr); !done)
      return done.error();
    if (auto done = device.synchronize(); !done)
      return done.error();
    double time = watch.milliseconds();
    auto now = blocksOf(call);
    if (!now)
      return now.error();
    if (step >= warming) {
      times.push_back(time * 1000);
      blocks += int64_t(now->size());
      repeated += std::count_if(now->begin(), now->end(), [&](int64_t block) { return before.contains(block); });
    }
    before = std::move(*now);
  }
  Stepwise result;
  result.medianUs = median(times);
  result.blocks = double(blocks) / steps;
  result.repeatedRate = double(repeated) / double(blocks);
  if (cache.placement == Placement::Device)
    return result;
  CacheUsage end = call.cache.usage();
  double hits = double(end.hotHits - start.hotHits), misses = double(end.hotMisses - start.hotMisses);
  result.hitRate = hits > 0 ? hits / (hits + misses) : 0;
  int64_t blockBytes = 2 * cache.blockSize * cache.headDim * byteSize(cache.dtype);
  result.busBytes = result.blocks * (1 - result.hitRate) * double(blockBytes);
  auto rate = measureBus(device);
  if (!rate)
    return rate.error();
  result.busRate = *rate;
  return result;
}

void print(const Stepwise &measured, int steps) {
  fmt::print("one by one, waiting for each: median {:.2f} us of {}; {:.1f} blocks of heads a step, {:.1f}% of them as the "
             "step before\n",
             measured.medianUs, steps, measured.blocks, 100 * measured.repeatedRate);
  if (measured.busRate > 0)
    fmt::print("{:.1f}% in the pool of hot pages; {:.2f} MB a step from the host's memory: {:.1f} us at {:.1f} GB/s\n",
               100 * measured.hitRate, measured.busBytes * 1e-6, measured.busBoundUs(), measured.busRate);
}

} // namespace landmark::tool
