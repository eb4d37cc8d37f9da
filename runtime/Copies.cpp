// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Copies.h"

#include <algorithm>
#include <cstring>

namespace landmark {

namespace {

/// No driver takes a longer pitch (CU_DEVICE_ATTRIBUTE_MAX_PITCH).
constexpr int64_t longestPitch = INT32_MAX;

} // namespace

Copies::Copies(const DeviceState &device, void *stream, std::span<const std::byte *const> seams)
    : device(device), stream(static_cast<cuda::StreamHandle>(stream)), seams(seams) {
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

/// Copies in two parts what a seam lies in; whether one does.
bool Copies::copyAtSeam(Rows2D to, Rows2D from, int64_t bytes, int64_t rows) {
  for (Rows2D side : {to, from}) {
    auto seam = std::upper_bound(seams.begin(), seams.end(), static_cast<const std::byte *>(side.data));
    int64_t offset = seam == seams.end() ? INT64_MAX : *seam - side.data;
    if (offset >= (rows - 1) * side.pitch + bytes)
      continue;
    int64_t whole = rows == 1 ? 0 : offset / side.pitch, inRow = offset - whole * side.pitch;
    if (rows > 1 && inRow >= bytes)
      ++whole, inRow = 0;
    auto behind = [](Rows2D rows, int64_t offset) { return Rows2D{rows.data + offset, rows.pitch}; };
    copyOnDevice(to, from, bytes, whole);
    Rows2D restTo = behind(to, whole * to.pitch), restFrom = behind(from, whole * from.pitch);
    if (inRow == 0) {
      copyOnDevice(restTo, restFrom, bytes, rows - whole);
      return true;
    }
    copyOnDevice(restTo, restFrom, inRow, 1);
    copyOnDevice(behind(restTo, inRow), behind(restFrom, inRow), bytes - inRow, 1);
    copyOnDevice(behind(restTo, to.pitch), behind(restFrom, from.pitch), bytes, rows - whole - 1);
    return true;
  }
  return false;
}

void Copies::copyOnDevice(Rows2D to, Rows2D from, int64_t bytes, int64_t rows) {
  bool fits = rows <= 1 || (std::max(to.pitch, from.pitch) <= longestPitch && std::min(to.pitch, from.pitch) >= bytes);
  if (!fits) {
    for (int64_t row = 0; row < rows; ++row)
      copyOnDevice({to.data + row * to.pitch, bytes}, {from.data + row * from.pitch, bytes}, bytes, 1);
    return;
  }
  if (!state || rows == 0 || copyAtSeam(to, from, bytes, rows))
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

bool Copies::hasSeam(const std::byte *data, int64_t bytes) const {
  auto seam = std::upper_bound(seams.begin(), seams.end(), data);
  return seam != seams.end() && *seam - data < bytes;
}

void Copies::scatter(const std::vector<Piece> &pieces) {
  bool batches = !device.isHost() && device.driver->memcpyBatchAsync;
  std::vector<cuda::Address> from, to;
  std::vector<std::size_t> sizes;
  for (const Piece &piece : pieces) {
    if (!batches || hasSeam(piece.from, piece.bytes) || hasSeam(piece.to, piece.bytes)) {
      copy(piece.to, piece.from, piece.bytes);
      continue;
    }
    from.push_back(reinterpret_cast<cuda::Address>(piece.from));
    to.push_back(reinterpret_cast<cuda::Address>(piece.to));
    sizes.push_back(std::size_t(piece.bytes));
  }
  if (from.empty() || !state)
    return;
  cuda::CopyAttributes attributes;
  std::size_t first = 0, failed = 0;
  state = device.driver->check(device.driver->memcpyBatchAsync(to.data(), from.data(), sizes.data(), from.size(),
                                                               &attributes, &first, 1, &failed, stream),
                               "cuMemcpyBatchAsync");
}

} // namespace landmark
