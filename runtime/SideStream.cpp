// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "SideStream.h"

#include <utility>

namespace landmark {

namespace {

/// Calls the driver with the device's context current.
template <typename Call> Expected<void> onDevice(const DeviceState &on, const char *what, Call call) {
  cuda::ContextScope scope(*on.driver, on.context);
  if (!scope.status())
    return scope.status();
  return on.driver->check(call(*on.driver), what);
}

cuda::StreamHandle handleOf(void *stream) { return static_cast<cuda::StreamHandle>(stream); }

} // namespace

Expected<Event> Event::create(const Device &device) {
  Event made;
  if (device.isHost())
    return made;
  made.owner = device.state();
  auto done = onDevice(*made.owner, "cuEventCreate", [&](const cuda::Driver &driver) {
    return driver.eventCreate(&made.event, cuda::EventWithoutTiming);
  });
  if (!done)
    return done.error();
  return made;
}

Event::Event(Event &&other) noexcept { *this = std::move(other); }
Event &Event::operator=(Event &&other) noexcept {
  std::swap(owner, other.owner);
  std::swap(event, other.event);
  return *this;
}

Event::~Event() {
  if (!event)
    return;
  cuda::ContextScope scope(*owner->driver, owner->context);
  if (scope.status())
    owner->driver->eventDestroy(event);
}

Expected<void> Event::record(void *stream) {
  if (!event)
    return {};
  return onDevice(*owner, "cuEventRecord",
                  [&](const cuda::Driver &driver) { return driver.eventRecord(event, handleOf(stream)); });
}

Expected<void> Event::wait(void *stream) const {
  if (!event)
    return {};
  return onDevice(*owner, "cuStreamWaitEvent",
                  [&](const cuda::Driver &driver) { return driver.streamWaitEvent(handleOf(stream), event, 0); });
}

Expected<bool> Event::hasPassed() const {
  if (!event)
    return true;
  cuda::Result result = cuda::success;
  auto done = onDevice(*owner, "cuEventQuery", [&](const cuda::Driver &driver) {
    result = driver.eventQuery(event);
    return result == cuda::notReady ? cuda::success : result;
  });
  if (!done)
    return done.error();
  return result == cuda::success;
}

Expected<void> Event::synchronize() const {
  if (!event)
    return {};
  return onDevice(*owner, "cuEventSynchronize", [&](const cuda::Driver &driver) { return driver.eventSynchronize(event); });
}

Expected<SideStream> SideStream::create(const Device &device) {
  SideStream made;
  if (device.isHost())
    return made;
  made.owner = device.state();
  auto done = onDevice(*made.owner, "cuStreamCreate", [&](const cuda::Driver &driver) {
    return driver.streamCreate(&made.stream, cuda::NonBlocking);
  });
  if (!done)
    return done.error();
  for (Event *event : {&made.forked, &made.joined}) {
    auto created = Event::create(device);
    if (!created)
      return created.error();
    *event = std::move(*created);
  }
  return made;
}

SideStream::SideStream(SideStream &&other) noexcept { *this = std::move(other); }
SideStream &SideStream::operator=(SideStream &&other) noexcept {
  std::swap(owner, other.owner);
  std::swap(stream, other.stream);
  std::swap(forked, other.forked);
  std::swap(joined, other.joined);
  return *this;
}

SideStream::~SideStream() {
  if (!stream)
    return;
  cuda::ContextScope scope(*owner->driver, owner->context);
  if (scope.status())
    owner->driver->streamDestroy(stream);
}

Expected<void> SideStream::fork(void *other) {
  auto recorded = forked.record(other);
  return recorded ? forked.wait(stream) : recorded;
}

Expected<void> SideStream::join(void *other) {
  auto recorded = joined.record(stream);
  return recorded ? joined.wait(other) : recorded;
}

Expected<bool> isCapturing(const DeviceState &device, void *stream) {
  if (device.isHost() || !stream) // the default stream cannot be captured
    return false;
  int status = 0;
  auto done = onDevice(device, "cuStreamIsCapturing", [&](const cuda::Driver &driver) {
    return driver.streamIsCapturing(handleOf(stream), &status);
  });
  if (!done)
    return done.error();
  return status != 0;
}

} // namespace landmark
