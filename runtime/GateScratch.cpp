// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "GateScratch.h"

#include "DeviceState.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace landmark {

namespace {

int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Marks of a problem whose key tiles have so many blocks.
GateScratch marksOf(int64_t batch, int64_t queryHeads, int64_t queries, int64_t blocks, int64_t tileBlocks) {
  GateScratch gates{};
  gates.batch = batch;
  gates.queryHeads = queryHeads;
  gates.groups = ceiling(queries, markedRows);
  gates.words = ceiling(blocks, markedBlocks / tileBlocks * tileBlocks);
  gates.blocks = tileBlocks;
  gates.begin = gates.marks();
  return gates;
}

/// Dense numbers, as a descriptor takes them.
template <std::size_t Rank> struct Numbers {
  Numbers(int32_t *data, const std::array<int64_t, Rank> &shape) : data(data), shape(shape) {
    int64_t stride = 1;
    for (std::size_t dim = Rank; dim-- > 0; stride *= shape[dim])
      strides[dim] = stride;
  }
  int32_t *data;
  std::array<int64_t, Rank> shape, strides;
};

int32_t *numbersAt(void *scratch, int64_t offset) { return scratch ? static_cast<int32_t *>(scratch) + offset : nullptr; }

/// Copies from the device's memory, once all that was asked of it is done.
Expected<void> download(const Device &device, void *to, const void *from, std::size_t bytes) {
  if (auto done = device.synchronize(); !done || bytes == 0)
    return done;
  if (device.isHost()) {
    std::memcpy(to, from, bytes);
    return {};
  }
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context);
  return scope.status() ? on.driver->check(on.driver->memcpyDtoH(to, reinterpret_cast<cuda::Address>(from), bytes), "cuMemcpyDtoH") : scope.status();
}

} // namespace

GateScratch GateScratch::byQueries(const ForwardArguments &arguments, const Problem &problem, const Config &config) {
  auto [batch, heads, queries, columns] = arguments.q.shape;
  int64_t blocks = ceiling(arguments.k.shape[2] + arguments.phase, arguments.blockSize), ofTile = tileBlocks(problem, config);
  GateScratch gates = marksOf(batch, heads, queries, blocks, ofTile);
  gates.heads = heads;
  gates.rows = config.queryTile;
  gates.programs = ceiling(queries, gates.rows);
  gates.places = std::max<int64_t>(1, ceiling(blocks, ofTile));
  return gates;
}

GateScratch GateScratch::byKeys(const BackwardArguments &arguments, const Config &config) {
  Problem problem = problemOf(arguments);
  auto [batch, heads, queries, columns] = arguments.q.shape;
  int64_t kvHeads = arguments.k.shape[1], keys = arguments.k.shape[2];
  int64_t blocks = ceiling(keys + arguments.phase, arguments.blockSize), ofTile = tileBlocks(problem, config);
  GateScratch gates = marksOf(batch, heads, queries, blocks, ofTile);
  gates.heads = kvHeads;
  gates.rows = keyQueryTile(problem, config);
  gates.programs = keyPrograms(config, problem, 1, 1, keys, arguments.phase);
  gates.places = 2 * heads / kvHeads * ceiling(queries, gates.rows);
  return gates;
}

GateScratch GateScratch::behind(const GateScratch &other) const {
  GateScratch moved = *this;
  moved.begin = other.end();
  return moved;
}

GateViews::GateViews(void *scratch, const GateScratch &gates)
    : masks(Numbers<3>(numbersAt(scratch, 0), {gates.batch, gates.queryHeads, gates.words * gates.groups})),
      lists(Numbers<4>(numbersAt(scratch, gates.begin + gates.counts()), {gates.batch, gates.heads, gates.programs, gates.places})),
      counts(Numbers<4>(numbersAt(scratch, gates.begin), {gates.batch, gates.heads, gates.programs, 4})) {}

Expected<GatedTiles> gatedTiles(const Device &device, const void *scratch, const GateScratch &gates) {
  std::vector<int32_t> counts(std::size_t(gates.counts()));
  if (auto done = download(device, counts.data(), static_cast<const int32_t *>(scratch) + gates.begin, counts.size() * sizeof(int32_t)); !done)
    return done.error();
  GatedTiles tiles;
  for (std::size_t program = 0; program < counts.size(); program += 4) {
    tiles.all += counts[program + 3];
    tiles.skipped += counts[program + 3] - (counts[program + 2] - counts[program + 1]);
  }
  return tiles;
}

} // namespace landmark
