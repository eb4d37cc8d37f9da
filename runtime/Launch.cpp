// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace landmark {

ForwardArguments forwardOf(const BackwardArguments &arguments) {
  return {arguments.q, arguments.k, arguments.v, arguments.o, arguments.lse, arguments.blockSize, arguments.phase, arguments.scale, arguments.qOffset};
}

float scaleOf(const ForwardArguments &arguments) {
  return arguments.scale.value_or(float(1.0 / std::sqrt(double(arguments.q.shape[3]))));
}

int64_t qOffsetOf(const ForwardArguments &arguments) {
  return arguments.qOffset.value_or(arguments.k.shape[2] - arguments.q.shape[2]);
}

Expected<int64_t> launchPrograms(const ForwardArguments &arguments, const Config &config) {
  auto [batch, heads, rows, columns] = arguments.q.shape;
  int64_t tiles = rows / config.queryTile + (rows % config.queryTile != 0);
  int64_t perBatch, all;
  if (__builtin_mul_overflow(tiles, heads, &perBatch) || __builtin_mul_overflow(perBatch, batch, &all) ||
      all > INT32_MAX)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("q: got {} x {} heads of {} rows, in tiles of {} rows; one launch holds at most {} tiles",
                             batch, heads, rows, config.queryTile, INT32_MAX)};
  return programs(config, batch, heads, rows);
}

Expected<BackwardPrograms> launchPrograms(const BackwardArguments &arguments, const Config &config, const Target &target) {
  auto queries = launchPrograms(forwardOf(arguments), config);
  if (!queries)
    return queries.error();
  auto [batch, heads, keys, columns] = arguments.k.shape;
  Problem problem = problemOf(arguments);
  int64_t perHead = keyPrograms(config, problem, 1, 1, keys, arguments.phase), perBatch, all;
  if (__builtin_mul_overflow(perHead, heads, &perBatch) || __builtin_mul_overflow(perBatch, batch, &all) || all > INT32_MAX)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("k: got {} x {} heads of {} keys, in {} tiles each; one launch holds at most {} tiles", batch, heads, keys, perHead, INT32_MAX)};
  if (addsQueryGradients(problem, config, target))
    return BackwardPrograms{{*queries, all, *queries}, 3};
  return BackwardPrograms{{*queries, all}, 2};
}

/// Rows of a head in the scratch: those of sums, whole fragments of 16, and those of the two numbers of a row. A tile of at most 128 rows begins at a multiple of 16, and finds
/// numbers for all its rows.
static int64_t sumRows(const BackwardArguments &arguments) { return (arguments.q.shape[2] + 15) / 16 * 16; }
static int64_t numberRows(const BackwardArguments &arguments) { return sumRows(arguments) + 128 - 16; }

BackwardScratch::BackwardScratch(const BackwardArguments &arguments) {
  auto [batch, heads, queries, columns] = arguments.q.shape;
  int64_t rows = sumRows(arguments), numbers = numberRows(arguments), all = batch * heads * rows;
  auto at = [&](int64_t offset) { return arguments.scratch ? static_cast<float *>(arguments.scratch) + offset : nullptr; };
  sum = denseView(at(0), DType::F32, {batch, heads, rows, columns});
  lse = denseRows(at(all * columns), {batch, heads, numbers});
  delta = denseRows(at(all * columns + batch * heads * numbers), {batch, heads, numbers});
}

/// Of it, what the sums of dq take, with the log-sum-exps and D of their rows.
static Expected<int64_t> sumBytesOf(const BackwardArguments &arguments) {
  auto [batch, heads, rows, columns] = arguments.q.shape;
  int64_t bytes = int64_t(sizeof(float)); // first of one head
  bool isTooMuch = __builtin_mul_overflow(bytes * columns, sumRows(arguments), &bytes) || __builtin_add_overflow(bytes, int64_t(2 * sizeof(float)) * numberRows(arguments), &bytes);
  for (int64_t factor : {batch, heads})
    isTooMuch = isTooMuch || __builtin_mul_overflow(bytes, factor, &bytes);
  if (isTooMuch)
    return Error{ErrorCode::InvalidArgument, fmt::format("q: got {} x {} heads of {} rows; the sums of dq would take more than 2^63 bytes", batch, heads, rows)};
  return bytes;
}

GradientGates::GradientGates(const BackwardArguments &arguments, const Config &config, bool adds) : keys(GateScratch::byKeys(arguments, config)) {
  if (!adds)
    queries = GateScratch::byQueries(forwardOf(arguments), problemOf(arguments), config).behind(keys);
}

ForwardArguments markingOf(const BackwardArguments &arguments, bool adds) {
  ForwardArguments forward = forwardOf(arguments);
  forward.gateThreshold = arguments.gateThreshold;
  int64_t offset = adds ? *sumBytesOf(arguments) : 0; // judged with the size of the scratch
  if (arguments.scratch)
    forward.gateScratch = static_cast<std::byte *>(arguments.scratch) + offset;
  return forward;
}

Expected<int64_t> scratchBytesOf(const BackwardArguments &arguments, const Config &config, const Target &target) {
  bool adds = addsQueryGradients(problemOf(arguments), config, target);
  Expected<int64_t> sums = adds ? sumBytesOf(arguments) : Expected<int64_t>(0);
  if (!sums || !(arguments.gateThreshold > 0))
    return sums;
  return *sums + GradientGates(arguments, config, adds).bytes();
}

/// Sections of equal size, if there are any near: then the first programs are as much longer than others as the last ones are shorter.
static int64_t equalSections(int64_t heads, int64_t most) {
  most = std::min(heads, most);
  int64_t sections = (heads + most - 1) / most;
  while (sections > 1 && sections > (heads + 2 * most - 1) / (2 * most) && heads % sections != 0)
    --sections;
  return heads % sections == 0 ? heads / sections : most;
}

int64_t sectionOf(const ForwardArguments &arguments, const Device &device) {
  if (device.isHost())
    return 1;
  const auto &q = arguments.q.shape;
  const auto &k = arguments.k.shape;
  int64_t headBytes = std::max<int64_t>(1, 2 * k[2] * k[3] * byteSize(arguments.k.dtype));
  int64_t resident = std::max<int64_t>(1, (device.l2Bytes() / 4 + headBytes / 2) / headBytes);
  // The query heads of a group stand side by side and share their keys.
  int64_t group = q[1] / k[1];
  return equalSections(std::max<int64_t>(1, q[0] * q[1]), resident * group);
}

int64_t sumSection(const BackwardArguments &arguments, int64_t programsOfHead, int64_t cacheBytes, int64_t multiprocessors) {
  const auto &q = arguments.q.shape;
  const auto &k = arguments.k.shape;
  constexpr int64_t sumBytes = sizeof(float);
  int64_t rows = q[2] * q[1] / k[1], headBytes = std::max<int64_t>(1, rows * q[3] * (2 * byteSize(arguments.q.dtype) + sumBytes));
  int64_t wave = (multiprocessors + programsOfHead / 2) / programsOfHead;
  return equalSections(std::max<int64_t>(1, k[0] * k[1]), std::max({int64_t(2), cacheBytes / 3 / headBytes, wave}));
}

int64_t sectionOf(const BackwardArguments &arguments, const Kernel &kernel, const Device &device) {
  if (!addsQueryGradients(kernel.problem, kernel.config, kernel.target) || arguments.k.shape[2] == 0)
    return sectionOf(forwardOf(arguments), device);
  int64_t programs = keyPrograms(kernel.config, kernel.problem, 1, 1, arguments.k.shape[2], arguments.phase);
  return sumSection(arguments, programs, device.l2Bytes(), device.multiprocessors());
}

namespace {

template <typename View, typename Data>
Expected<void> moveView(const char *name, View &view, Data data, int64_t elementBytes) {
  bool empty = std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end();
  if (!data && !empty)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{}: got a null pointer; only an empty tensor may have none", name)};
  if (reinterpret_cast<std::uintptr_t>(data) % std::uintptr_t(elementBytes) != 0)
    return Error{ErrorCode::InvalidArgument, fmt::format("{}: got data at {}; it must be aligned to the element's {} bytes",
                                                         name, static_cast<void *>(data), elementBytes)};
  view.data = data;
  return {};
}

} // namespace

Expected<void> moveTo(const char *name, TensorView &view, void *data) {
  return moveView(name, view, data, byteSize(view.dtype));
}
Expected<void> moveTo(const char *name, RowsView &view, float *data) { return moveView(name, view, data, sizeof(float)); }

PackedArguments::PackedArguments(const ForwardArguments &arguments, int64_t section, const std::optional<GateScratch> &gates)
    : q(arguments.q), k(arguments.k), v(arguments.v), o(arguments.o), lse(arguments.lse), phase(arguments.phase), qOffset(qOffsetOf(arguments)),
      scale(scaleOf(arguments)), section(section), floor(std::log2(arguments.gateThreshold)), listTile(gates ? gates->rows : 0), listStep(gates ? gates->blocks : 0) {
  for (auto *view : {&q, &k, &v, &o})
    table.add(*view);
  table.add(lse);
  if (gates) {
    views.emplace(arguments.gateScratch, *gates);
    table.add(views->masks);
    table.add(views->lists);
    table.add(views->counts);
  }
  table.add(phase);
  table.add(qOffset);
  table.add(scale);
  table.add(this->section);
  if (gates) {
    table.add(floor);
    table.add(listTile);
    table.add(listStep);
  }
}

PackedBackwardArguments::PackedBackwardArguments(const BackwardArguments &arguments, int64_t section, bool adds, const std::optional<GradientGates> &gates)
    : q(arguments.q), k(arguments.k), v(arguments.v), o(arguments.o), lse(arguments.lse), dO(arguments.dO), dlse(arguments.dlse.value_or(RowsView{})),
      delta(arguments.delta), dq(arguments.dq), dk(arguments.dk), dv(arguments.dv),
      sum(BackwardScratch(arguments).sum), rowLse(BackwardScratch(arguments).lse), rowDelta(BackwardScratch(arguments).delta), phase(arguments.phase),
      qOffset(qOffsetOf(forwardOf(arguments))),
      scale(scaleOf(forwardOf(arguments))), section(section) {
  for (auto *view : {&q, &k, &v, &o})
    table.add(*view);
  table.add(lse);
  table.add(dO);
  table.add(dlse);
  table.add(delta);
  for (auto *view : {&dq, &dk, &dv})
    table.add(*view);
  if (adds) {
    table.add(sum);
    table.add(rowLse);
    table.add(rowDelta);
  }
  if (gates) {
    void *scratch = markingOf(arguments, adds).gateScratch;
    if (gates->queries)
      queryLists.emplace(scratch, *gates->queries);
    keyLists.emplace(scratch, gates->keys);
    for (auto *views : {&queryLists, &keyLists})
      if (*views) {
        table.add((*views)->lists);
        table.add((*views)->counts);
      }
  }
  table.add(phase);
  table.add(qOffset);
  table.add(scale);
  table.add(this->section);
}

namespace {

/// Encodes the tensor maps that a kernel wants, and adds them behind its other arguments.
template <typename Arguments, typename Table>
Expected<void> addMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted, const Arguments &arguments,
                       std::array<cuda::TensorMapBytes, mostTensorMaps> &maps, Table &table) {
  if (wanted.size() > mostTensorMaps)
    return Error{ErrorCode::Unsupported, fmt::format("kernel: takes {} tensor maps, at most {} can be passed",
                                                     wanted.size(), mostTensorMaps)};
  for (std::size_t number = 0; number < wanted.size(); ++number) {
    if (auto encoded = encode(driver, wanted[number], mappedView(arguments, wanted[number].argument), maps[number]); !encoded)
      return encoded;
    table.add(maps[number]);
  }
  return {};
}

} // namespace

Expected<void> PackedArguments::encodeMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted,
                                           const ForwardArguments &arguments) {
  return addMaps(driver, wanted, arguments, maps, table);
}

Expected<void> PackedBackwardArguments::encodeMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted, const BackwardArguments &arguments) {
  return addMaps(driver, wanted, arguments, maps, table);
}

Expected<void> PackedArguments::moveMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted,
                                         const ForwardArguments &arguments, const PackedArguments &encoded) {
  for (std::size_t number = 0; number < wanted.size(); ++number) {
    maps[number] = encoded.maps[number];
    if (auto moved = move(driver, wanted[number], mappedView(arguments, wanted[number].argument), maps[number]); !moved)
      return moved;
    table.add(maps[number]);
  }
  return {};
}

} // namespace landmark
