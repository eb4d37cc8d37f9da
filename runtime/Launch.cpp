// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"

#include "TensorMaps.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace landmark {

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

int64_t sectionOf(const ForwardArguments &arguments, const Device &device) {
  if (device.isHost())
    return 1;
  const auto &q = arguments.q.shape;
  const auto &k = arguments.k.shape;
  int64_t headBytes = std::max<int64_t>(1, 2 * k[2] * k[3] * byteSize(arguments.k.dtype));
  int64_t resident = std::max<int64_t>(1, device.l2Bytes() / 2 / headBytes);
  // The query heads of a group stand side by side and share their keys.
  int64_t group = q[1] / k[1];
  int64_t heads = std::max<int64_t>(1, q[0] * q[1]), most = std::min(heads, resident * group);
  // Sections of equal size, if there are any near: then the first programs are as much longer than others as the last ones are shorter.
  int64_t sections = (heads + most - 1) / most;
  while (sections > 1 && sections > (heads + 2 * most - 1) / (2 * most) && heads % sections != 0)
    --sections;
  return heads % sections == 0 ? heads / sections : most;
}

PackedArguments::PackedArguments(const ForwardArguments &arguments, int64_t section)
    : phase(arguments.phase), qOffset(qOffsetOf(arguments)), scale(scaleOf(arguments)), section(section) {
  void **next = table.data();
  auto describe = [&](auto &descriptor, const auto &view) {
    descriptor = {view.data, view.data, 0, view.shape, view.strides};
    for (void *field : {static_cast<void *>(&descriptor.base), static_cast<void *>(&descriptor.aligned),
                        static_cast<void *>(&descriptor.offset)})
      *next++ = field;
    for (int64_t &size : descriptor.sizes)
      *next++ = &size;
    for (int64_t &stride : descriptor.strides)
      *next++ = &stride;
  };
  describe(q, arguments.q);
  describe(k, arguments.k);
  describe(v, arguments.v);
  describe(o, arguments.o);
  describe(lse, arguments.lse);
  for (void *scalar : {static_cast<void *>(&phase), static_cast<void *>(&qOffset), static_cast<void *>(&this->scale),
                       static_cast<void *>(&this->section)})
    *next++ = scalar;
}

Expected<void> PackedArguments::encodeMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted,
                                           const ForwardArguments &arguments) {
  if (wanted.size() > mostMaps)
    return Error{ErrorCode::Unsupported, fmt::format("kernel: takes {} tensor maps, at most {} can be passed",
                                                     wanted.size(), mostMaps)};
  for (std::size_t number = 0; number < wanted.size(); ++number) {
    if (auto encoded = encode(driver, wanted[number], arguments, maps[number]); !encoded)
      return encoded;
    table[count + number] = &maps[number];
  }
  return {};
}

Expected<void> PackedArguments::moveMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted,
                                         const ForwardArguments &arguments, const PackedArguments &encoded) {
  for (std::size_t number = 0; number < wanted.size(); ++number) {
    maps[number] = encoded.maps[number];
    if (auto moved = move(driver, wanted[number], arguments, maps[number]); !moved)
      return moved;
    table[count + number] = &maps[number];
  }
  return {};
}

} // namespace landmark
