// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_GROWINGBUFFER_H
#define LANDMARK_RUNTIME_GROWINGBUFFER_H

#include "DeviceState.h"

#include <vector>

namespace landmark {

enum class Memory {
  Device,
  PinnedHost, ///< the host's, which a GPU reads at the same addresses
};

/// Memory of a device that grows in place: addresses are reserved for all it may become and stay the same, so kernels
/// and graphs that know them need not be told.
class GrowingBuffer {
public:
  /// Reserves addresses for `mostBytes`, without memory behind them. `what` names the buffer in errors.
  static Expected<GrowingBuffer> reserve(const Device &device, int64_t mostBytes, const char *what,
                                         Memory memory = Memory::Device);
  GrowingBuffer() = default;
  GrowingBuffer(GrowingBuffer &&other) noexcept;
  GrowingBuffer &operator=(GrowingBuffer &&other) noexcept;
  ~GrowingBuffer();

  std::byte *data() const { return base; }
  int64_t size() const { return bytes; }
  /// Where its pieces meet that the driver takes no copy across; ascending.
  const std::vector<const std::byte *> &seams() const { return borders; }

  /// Puts memory behind the first `wanted` bytes, rounded up to what the device gives; what is there stays. No change
  /// on failure.
  Expected<void> grow(int64_t wanted);

private:
  Expected<void> growHost(int64_t wanted);
  Expected<void> growDevice(int64_t wanted);

  bool liesOnHost() const { return owner->isHost() || memory == Memory::PinnedHost; }

  std::shared_ptr<const DeviceState> owner;
  Memory memory = Memory::Device;
  const char *what = "";
  std::byte *base = nullptr;
  int64_t reserved = 0, bytes = 0, granularity = 1;
  struct Piece {
    cuda::Allocation handle;
    int64_t offset, size;
  };
  std::vector<Piece> pieces; ///< GPU only
  std::vector<const std::byte *> borders;
};

} // namespace landmark
#endif
