// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "DeviceState.h"

#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace landmark {

namespace {

constexpr std::size_t alignment = 256;

cuda::Address address(const void *pointer, std::size_t offset = 0) {
  return reinterpret_cast<cuda::Address>(pointer) + offset;
}

/// Runs `action(driver)` with the device's context current and all earlier work done.
template <typename Action> Expected<void> onDevice(const DeviceState &state, const char *what, Action action) {
  const cuda::Driver &driver = *state.driver;
  cuda::ContextScope scope(driver, state.context);
  if (!scope.status())
    return scope.status();
  if (auto idle = driver.check(driver.ctxSynchronize(), "cuCtxSynchronize"); !idle)
    return idle;
  if (auto done = driver.check(action(driver), what); !done)
    return done;
  return driver.check(driver.ctxSynchronize(), what);
}

Expected<void> checkRange(std::size_t count, std::size_t offset, std::size_t size) {
  if (offset <= size && count <= size - offset)
    return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("buffer: got {} bytes at offset {}; the buffer holds {}", count, offset, size)};
}

} // namespace

Expected<DeviceBuffer> DeviceBuffer::allocate(const Device &device, std::size_t bytes) {
  DeviceBuffer buffer;
  buffer.owner = device.state();
  buffer.bytes = bytes;
  if (bytes == 0)
    return buffer;
  if (bytes > std::size_t(PTRDIFF_MAX) - alignment)
    return Error{ErrorCode::InvalidArgument, fmt::format("buffer: got {} bytes; no device has as much", bytes)};
  if (device.isHost()) {
    buffer.memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!buffer.memory)
      return Error{ErrorCode::DeviceError, fmt::format("buffer: the host has no {} bytes to give", bytes)};
    return buffer;
  }
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  if (!scope.status())
    return scope.status().error();
  cuda::Address got = 0;
  if (auto allocated = driver.check(driver.memAlloc(&got, bytes), fmt::format("cuMemAlloc of {} bytes", bytes));
      !allocated)
    return allocated.error();
  buffer.memory = reinterpret_cast<void *>(got);
  return buffer;
}

DeviceBuffer::DeviceBuffer(DeviceBuffer &&other) noexcept
    : owner(std::move(other.owner)), memory(std::exchange(other.memory, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  DeviceBuffer taken(std::move(other));
  std::swap(owner, taken.owner);
  std::swap(memory, taken.memory);
  std::swap(bytes, taken.bytes);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (!memory)
    return;
  if (owner->isHost()) {
    std::free(memory);
    return;
  }
  cuda::ContextScope scope(*owner->driver, owner->context);
  if (scope.status())
    owner->driver->memFree(address(memory));
}

Expected<void> DeviceBuffer::upload(const void *from, std::size_t count, std::size_t offset) {
  if (auto inside = checkRange(count, offset, bytes); !inside || count == 0)
    return inside;
  if (!owner->isHost())
    return onDevice(*owner, "cuMemcpyHtoD", [&](const cuda::Driver &driver) {
      return driver.memcpyHtoD(address(memory, offset), from, count);
    });
  std::memcpy(static_cast<std::byte *>(memory) + offset, from, count);
  return {};
}

Expected<void> DeviceBuffer::download(void *to, std::size_t count, std::size_t offset) const {
  if (auto inside = checkRange(count, offset, bytes); !inside || count == 0)
    return inside;
  if (!owner->isHost())
    return onDevice(*owner, "cuMemcpyDtoH",
                    [&](const cuda::Driver &driver) { return driver.memcpyDtoH(to, address(memory, offset), count); });
  std::memcpy(to, static_cast<const std::byte *>(memory) + offset, count);
  return {};
}

Expected<void> DeviceBuffer::fill(unsigned char value) {
  if (bytes == 0)
    return {};
  if (!owner->isHost())
    return onDevice(*owner, "cuMemsetD8",
                    [&](const cuda::Driver &driver) { return driver.memsetD8(address(memory), value, bytes); });
  std::memset(memory, value, bytes);
  return {};
}

} // namespace landmark
