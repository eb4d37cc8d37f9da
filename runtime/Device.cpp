// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Device.h"

#include "DeviceState.h"

#include <charconv>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>

namespace landmark {

namespace {

std::shared_ptr<const DeviceState> hostState() {
  auto state = std::make_shared<DeviceState>();
  state->name = "host CPU";
  state->multiprocessors = std::max(1u, std::thread::hardware_concurrency());
  state->memoryBytes = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return state;
}

Expected<void> readProperties(const cuda::Driver &driver, cuda::Ordinal device, DeviceState &state) {
  auto attribute = [&](int which) {
    int value = 0;
    driver.deviceGetAttribute(&value, which, device);
    return value;
  };
  auto target = targetForCapability(attribute(cuda::ComputeCapabilityMajor), attribute(cuda::ComputeCapabilityMinor));
  if (!target)
    return target.error();
  state.target = *target;
  state.multiprocessors = attribute(cuda::MultiprocessorCount);
  state.l2Bytes = attribute(cuda::L2CacheSize);
  char name[256] = {};
  std::size_t memory = 0;
  if (auto known = driver.check(driver.deviceGetName(name, sizeof(name) - 1, device), "cuDeviceGetName"); !known)
    return known;
  if (auto known = driver.check(driver.deviceTotalMem(&memory, device), "cuDeviceTotalMem"); !known)
    return known;
  state.name = name;
  state.memoryBytes = int64_t(memory);
  return {};
}

/// The context current in this thread if it belongs to `device`, else the primary one, retained.
Expected<void> chooseContext(const cuda::Driver &driver, cuda::Ordinal device, DeviceState &state) {
  cuda::Context current = nullptr;
  cuda::Ordinal owner = -1;
  if (driver.ctxGetCurrent(&current) == cuda::success && current && driver.ctxGetDevice(&owner) == cuda::success &&
      owner == device) {
    state.context = current;
    return {};
  }
  auto retained = driver.check(driver.devicePrimaryCtxRetain(&state.context, device), "cuDevicePrimaryCtxRetain");
  state.ownsPrimary = bool(retained);
  return retained;
}

} // namespace

DeviceState::~DeviceState() {
  if (ownsPrimary)
    driver->devicePrimaryCtxRelease(ordinal);
}

Device Device::host() {
  static const std::shared_ptr<const DeviceState> state = hostState();
  return Device(state);
}

int Device::cudaCount() {
  auto driver = cuda::Driver::get();
  int count = 0;
  return driver && (*driver)->deviceGetCount(&count) == cuda::success ? count : 0;
}

Expected<Device> Device::cuda(int ordinal) {
  auto found = cuda::Driver::get();
  if (!found)
    return found.error();
  const cuda::Driver &driver = **found;
  int count = cudaCount();
  if (ordinal < 0 || ordinal >= count)
    return Error{ErrorCode::NotFound, fmt::format("device: got cuda:{}; this machine has {} GPU{}{}", ordinal, count,
                                                  count == 1 ? "" : "s", count ? ", numbered from 0" : "")};
  auto state = std::make_shared<DeviceState>();
  cuda::Ordinal device = 0;
  if (auto got = driver.check(driver.deviceGet(&device, ordinal), "cuDeviceGet"); !got)
    return got.error();
  if (auto read = readProperties(driver, device, *state); !read)
    return read.error();
  state->driver = &driver;
  state->ordinal = device;
  if (auto chosen = chooseContext(driver, device, *state); !chosen)
    return chosen.error();
  return Device(std::move(state));
}

Device Device::best() {
  for (int ordinal = 0, count = cudaCount(); ordinal < count; ++ordinal)
    if (auto device = cuda(ordinal))
      return *device;
  return host();
}

Expected<Device> Device::parse(std::string_view text) {
  if (text == "auto")
    return best();
  if (text == "host")
    return host();
  if (text == "cuda")
    return cuda(0);
  constexpr std::string_view prefix = "cuda:";
  if (text.starts_with(prefix)) {
    std::string_view number = text.substr(prefix.size());
    int ordinal = -1;
    auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), ordinal);
    if (failure == std::errc() && end == number.data() + number.size() && ordinal >= 0)
      return cuda(ordinal);
  }
  return Error{ErrorCode::InvalidArgument,
               fmt::format("device: got '{}'; allowed are auto, host, cuda and cuda:N (N from 0)", text)};
}

bool Device::isHost() const { return shared->isHost(); }
int Device::ordinal() const { return shared->ordinal; }
const Target &Device::target() const { return shared->target; }
const std::string &Device::name() const { return shared->name; }
std::string Device::label() const { return isHost() ? "host" : fmt::format("cuda:{}", ordinal()); }
int64_t Device::multiprocessors() const { return shared->multiprocessors; }
int64_t Device::l2Bytes() const { return shared->l2Bytes; }
int64_t Device::memoryBytes() const { return shared->memoryBytes; }

Expected<void> Device::synchronize() const {
  if (isHost())
    return {};
  cuda::ContextScope scope(*shared->driver, shared->context);
  if (!scope.status())
    return scope.status();
  return shared->driver->check(shared->driver->ctxSynchronize(), "cuCtxSynchronize");
}

} // namespace landmark
