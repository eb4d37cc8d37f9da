// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_SIDESTREAM_H
#define LANDMARK_RUNTIME_SIDESTREAM_H

#include "DeviceState.h"

namespace landmark {

/// A point in a stream's work. On the host, where nothing is queued, it has always passed.
class Event {
public:
  static Expected<Event> create(const Device &device);
  Event() = default;
  Event(Event &&other) noexcept;
  Event &operator=(Event &&other) noexcept;
  ~Event();

  Expected<void> record(void *stream);
  /// What `stream` is given from now on comes after it.
  Expected<void> wait(void *stream) const;
  Expected<bool> hasPassed() const;
  Expected<void> synchronize() const;

private:
  std::shared_ptr<const DeviceState> owner;
  cuda::EventHandle event = nullptr;
};

/// A stream beside that of the caller, for what need not wait for all of it.
class SideStream {
public:
  static Expected<SideStream> create(const Device &device);
  SideStream() = default;
  SideStream(SideStream &&other) noexcept;
  SideStream &operator=(SideStream &&other) noexcept;
  ~SideStream();

  void *handle() const { return stream; }
  /// This stream goes on after what `other` was given so far.
  Expected<void> fork(void *other);
  /// Whether all that was joined so far is done.
  Expected<bool> isIdle() const { return joined.hasPassed(); }
  /// `other` goes on after what this stream was given so far.
  Expected<void> join(void *other);

private:
  std::shared_ptr<const DeviceState> owner;
  cuda::StreamHandle stream = nullptr;
  Event forked, joined;
};

/// Whether work given to the stream is captured in a graph, not done.
Expected<bool> isCapturing(const DeviceState &device, void *stream);

} // namespace landmark
#endif
