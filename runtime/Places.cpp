// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Places.h"

#include "DeviceState.h"

#include <fmt/format.h>

namespace landmark {

Expected<void> checkPlace(const char *name, const Footprint &covered, const Device &device) {
  const cuda::Driver *driver = device.isHost() ? cuda::Driver::resident() : device.state()->driver;
  if (!driver || covered.empty)
    return {};
  unsigned type = 0, managed = 0;
  auto address = reinterpret_cast<cuda::Address>(covered.data);
  bool known = driver->pointerGetAttribute(&type, cuda::PointerMemoryType, address) == cuda::success;
  if (!known && device.isHost())
    return {};
  if (!known)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{}: got ordinary host memory at {}; {} needs device, managed or registered host memory",
                             name, static_cast<const void *>(covered.data), device.label())};
  driver->pointerGetAttribute(&managed, cuda::PointerIsManaged, address);
  if (type != cuda::DeviceMemory || managed)
    return {};
  int ordinal = device.ordinal();
  driver->pointerGetAttribute(&ordinal, cuda::PointerDeviceOrdinal, address);
  if (device.isHost() || ordinal != device.ordinal())
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{}: got memory of cuda:{}; the kernel runs on {}", name, ordinal, device.label())};
  return {};
}

} // namespace landmark
