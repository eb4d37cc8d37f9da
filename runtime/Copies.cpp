// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Copies.h"

#include <algorithm>
#include <cstring>

namespace landmark {

namespace {

/// No driver takes a longer pitch (CU_DEVICE_ATTRIBUTE_MAX_PITCH).
constexpr int64_t longestPitch = INT32_MAX;

} // namespace

Copies::Copies(const DeviceState &device, void *stream)
    : device(device), stream(static_cast<cuda::StreamHandle>(stream)) {
  if (device.isHost())
    return;
  scope.emplace(*device.driver, device.context);
  state = scope->status();
}

void Copies::copy(Rows2D to, Rows2D from, int64_t bytes, int64_t rows) {
  if (!state || bytes == 0 || rows == 0)
    return;
  if (to.pitch == bytes && from.pitch == bytes) {
    bytes *= rows;
    rows = 1;
  }
  if (!device.isHost())
    return copyOnDevice(to, from, bytes, rows);
  for (int64_t row = 0; row < rows; ++row)
    std::memcpy(to.data + row * to.pitch, from.data + row * from.pitch, std::size_t(bytes));
}

void Copies::copyOnDevice(Rows2D to, Rows2D from, int64_t bytes, int64_t rows) {
  bool fits = rows == 1 || (std::max(to.pitch, from.pitch) <= longestPitch && std::min(to.pitch, from.pitch) >= bytes);
  if (!fits) {
    for (int64_t row = 0; row < rows; ++row)
      copyOnDevice({to.data + row * to.pitch, bytes}, {from.data + row * from.pitch, bytes}, bytes, 1);
    return;
  }
  if (!state)
    return;
  if (rows == 1) {
    state = device.driver->check(device.driver->memcpyAsync(reinterpret_cast<cuda::Address>(to.data),
                                                            reinterpret_cast<cuda::Address>(from.data),
                                                            std::size_t(bytes), stream),
                                 "cuMemcpyAsync");
    return;
  }
  cuda::Memcpy2D plan = {};
  plan.source = {
      0, 0, cuda::UnifiedMemory, nullptr, reinterpret_cast<cuda::Address>(from.data), nullptr, std::size_t(from.pitch)};
  plan.target = {
      0, 0, cuda::UnifiedMemory, nullptr, reinterpret_cast<cuda::Address>(to.data), nullptr, std::size_t(to.pitch)};
  plan.bytes = std::size_t(bytes);
  plan.rows = std::size_t(rows);
  state = device.driver->check(device.driver->memcpy2DAsync(&plan, stream), "cuMemcpy2DAsync");
}

void Copies::upload(void *to, const void *from, int64_t bytes) {
  if (!state || bytes == 0)
    return;
  if (device.isHost()) {
    std::memcpy(to, from, std::size_t(bytes));
    return;
  }
  state = device.driver->check(
      device.driver->memcpyHtoDAsync(reinterpret_cast<cuda::Address>(to), from, std::size_t(bytes), stream),
      "cuMemcpyHtoDAsync");
}

} // namespace landmark
