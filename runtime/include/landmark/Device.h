// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where kernels run, and memory there.
#ifndef LANDMARK_DEVICE_H
#define LANDMARK_DEVICE_H

#include "landmark/Expected.h"
#include "landmark/Export.h"
#include "landmark/Target.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace landmark {

struct DeviceState;

/// The host's CPU or one GPU. A cheap handle: copies name the same device. Safe to use from many threads.
///
/// A GPU is used through one context: the one that is current in the thread that makes the Device, if it belongs to
/// that GPU (so a process that already works there, through PyTorch say, shares memory and streams with it), else the
/// GPU's primary context. Calls make it current for their own duration and leave the thread's current context as it
/// was. A context that the caller made must outlive the Device and all that was made from it.
class LANDMARK_API Device {
public:
  /// This machine's CPU.
  static Device host();
  /// GPU number `ordinal` (from 0, in the driver's order). NotFound without a driver or such a GPU, Unsupported where
  /// it is older than sm_80.
  static Expected<Device> cuda(int ordinal);
  /// The first GPU that can be used, else the host.
  static Device best();
  /// "auto" (best()), "host", "cuda" or "cuda:N".
  static Expected<Device> parse(std::string_view text);
  /// GPUs in this machine; 0 without a driver.
  static int cudaCount();

  bool isHost() const;
  int ordinal() const;             ///< of a GPU; -1 for the host
  const Target &target() const;    ///< what to compile for
  const std::string &name() const; ///< as the maker calls it: "NVIDIA H200"; "host CPU"
  std::string label() const;       ///< as parse() takes it: "host", "cuda:0"
  int64_t multiprocessors() const; ///< of a GPU; hardware threads of the host
  int64_t l2Bytes() const;         ///< L2 cache of a GPU; 0 for the host
  int64_t memoryBytes() const;     ///< of the whole device
  /// Waits until everything asked of the device's context is done, and reports errors of kernels that ran there.
  Expected<void> synchronize() const;

  const std::shared_ptr<const DeviceState> &state() const { return shared; } ///< for the runtime's own use

private:
  explicit Device(std::shared_ptr<const DeviceState> state) : shared(std::move(state)) {}
  std::shared_ptr<const DeviceState> shared;
};

/// Memory of a device, freed at the end of its life. Copies and fills are synchronous: they first wait for all work of
/// the device and are done on return. Moved from, it is empty.
class LANDMARK_API DeviceBuffer {
public:
  static Expected<DeviceBuffer> allocate(const Device &device, std::size_t bytes);
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer &&other) noexcept;
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  void *data() const { return memory; } ///< aligned to at least 256 bytes; null where size() is 0
  std::size_t size() const { return bytes; }

  /// `offset + count` must not exceed size().
  Expected<void> upload(const void *from, std::size_t count, std::size_t offset = 0);
  Expected<void> download(void *to, std::size_t count, std::size_t offset = 0) const;
  Expected<void> fill(unsigned char value);

private:
  std::shared_ptr<const DeviceState> owner;
  void *memory = nullptr;
  std::size_t bytes = 0;
};

} // namespace landmark
#endif
