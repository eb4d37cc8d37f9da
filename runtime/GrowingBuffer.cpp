// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "GrowingBuffer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/mman.h>
#include <utility>

namespace landmark {

namespace {

constexpr int64_t hostPage = 4096;

int64_t roundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

cuda::AllocationProperties propertiesOf(const DeviceState &state) {
  cuda::AllocationProperties properties = {};
  properties.type = cuda::PinnedAllocation;
  properties.location = {cuda::DeviceLocation, state.ordinal};
  return properties;
}

} // namespace

Expected<GrowingBuffer> GrowingBuffer::reserve(const Device &device, int64_t mostBytes, const char *what,
                                               Memory memory) {
  GrowingBuffer buffer;
  buffer.owner = device.state();
  buffer.what = what;
  buffer.memory = memory;
  if (buffer.liesOnHost()) {
    buffer.granularity = hostPage;
    buffer.reserved = std::max(roundUp(mostBytes, hostPage), hostPage);
    void *got =
        mmap(nullptr, std::size_t(buffer.reserved), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
      return Error{ErrorCode::DeviceError, fmt::format("{}: the host has no addresses for {} bytes ({})", what,
                                                       mostBytes, std::strerror(errno))};
    buffer.base = static_cast<std::byte *>(got);
    return buffer;
  }
  const DeviceState &on = *buffer.owner;
  cuda::ContextScope scope(*on.driver, on.context);
  if (!scope.status())
    return scope.status().error();
  std::size_t step = 0;
  cuda::AllocationProperties properties = propertiesOf(on);
  if (auto known = on.driver->check(on.driver->memGetAllocationGranularity(&step, &properties, 0),
                                    "cuMemGetAllocationGranularity");
      !known)
    return known.error();
  buffer.granularity = int64_t(step);
  int64_t wanted = std::max(roundUp(mostBytes, buffer.granularity), buffer.granularity);
  cuda::Address address = 0;
  auto done = on.driver->check(on.driver->memAddressReserve(&address, std::size_t(wanted), 0, 0, 0),
                               fmt::format("{}: cuMemAddressReserve of {} bytes", what, wanted));
  if (!done)
    return done.error();
  buffer.base = reinterpret_cast<std::byte *>(address);
  buffer.reserved = wanted;
  return buffer;
}

GrowingBuffer::GrowingBuffer(GrowingBuffer &&other) noexcept { *this = std::move(other); }

GrowingBuffer &GrowingBuffer::operator=(GrowingBuffer &&other) noexcept {
  std::swap(owner, other.owner);
  std::swap(memory, other.memory);
  std::swap(what, other.what);
  std::swap(base, other.base);
  std::swap(reserved, other.reserved);
  std::swap(bytes, other.bytes);
  std::swap(granularity, other.granularity);
  std::swap(pieces, other.pieces);
  std::swap(borders, other.borders);
  return *this;
}

GrowingBuffer::~GrowingBuffer() {
  if (!base)
    return;
  if (owner->isHost()) {
    munmap(base, std::size_t(reserved));
    return;
  }
  const cuda::Driver &driver = *owner->driver;
  cuda::ContextScope scope(driver, owner->context);
  if (!scope.status())
    return;
  driver.ctxSynchronize(); // nothing reads what is unmapped
  if (liesOnHost()) {
    for (const Piece &piece : pieces)
      driver.memHostUnregister(base + piece.offset);
    munmap(base, std::size_t(reserved));
    return;
  }
  for (const Piece &piece : pieces) {
    driver.memUnmap(reinterpret_cast<cuda::Address>(base + piece.offset), std::size_t(piece.size));
    driver.memRelease(piece.handle);
  }
  driver.memAddressFree(reinterpret_cast<cuda::Address>(base), std::size_t(reserved));
}

Expected<void> GrowingBuffer::grow(int64_t wanted) {
  wanted = roundUp(wanted, granularity);
  if (wanted <= bytes)
    return {};
  if (wanted > reserved)
    return Error{ErrorCode::DeviceError,
                 fmt::format("{}: asked for {} bytes; {} are reserved", what, wanted, reserved)};
  return liesOnHost() ? growHost(wanted) : growDevice(wanted);
}

Expected<void> GrowingBuffer::growHost(int64_t wanted) {
  if (mprotect(base, std::size_t(wanted), PROT_READ | PROT_WRITE) != 0)
    return Error{ErrorCode::DeviceError,
                 fmt::format("{}: the host has no {} bytes to give ({})", what, wanted, std::strerror(errno))};
  if (!owner->isHost()) {
    const cuda::Driver &driver = *owner->driver;
    cuda::ContextScope scope(driver, owner->context);
    if (!scope.status())
      return scope.status();
    Piece piece{0, bytes, wanted - bytes};
    auto pinned = driver.check(driver.memHostRegister(base + piece.offset, std::size_t(piece.size),
                                                      cuda::RegisterPortable | cuda::RegisterMapped),
                               fmt::format("{}: cuMemHostRegister of {} bytes", what, piece.size));
    if (!pinned)
      return pinned;
    pieces.push_back(piece);
    if (bytes > 0)
      borders.push_back(base + bytes);
  }
  bytes = wanted;
  return {};
}

Expected<void> GrowingBuffer::growDevice(int64_t wanted) {
  const cuda::Driver &driver = *owner->driver;
  cuda::ContextScope scope(driver, owner->context);
  if (!scope.status())
    return scope.status();
  Piece piece{0, bytes, wanted - bytes};
  cuda::AllocationProperties properties = propertiesOf(*owner);
  auto made = driver.check(driver.memCreate(&piece.handle, std::size_t(piece.size), &properties, 0),
                           fmt::format("{}: cuMemCreate of {} bytes", what, piece.size));
  if (!made)
    return made;
  auto address = reinterpret_cast<cuda::Address>(base + piece.offset);
  if (auto mapped = driver.check(driver.memMap(address, std::size_t(piece.size), 0, piece.handle, 0), "cuMemMap");
      !mapped) {
    driver.memRelease(piece.handle);
    return mapped;
  }
  cuda::AccessDescription access{properties.location, cuda::ReadWriteAccess};
  if (auto open = driver.check(driver.memSetAccess(address, std::size_t(piece.size), &access, 1), "cuMemSetAccess");
      !open) {
    driver.memUnmap(address, std::size_t(piece.size));
    driver.memRelease(piece.handle);
    return open;
  }
  pieces.push_back(piece);
  bytes = wanted;
  return {};
}

} // namespace landmark
