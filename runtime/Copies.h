// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies within a device's memory, ordered by a stream on a GPU.
#ifndef LANDMARK_RUNTIME_COPIES_H
#define LANDMARK_RUNTIME_COPIES_H

#include "DeviceState.h"

#include <optional>
#include <span>
#include <vector>

namespace landmark {

/// `rows` rows of `bytes` bytes, `pitch` bytes from one to the next; pitches are at least `bytes` where there is more
/// than one row.
struct Rows2D {
  std::byte *data;
  int64_t pitch;
};

/// Makes the device's context current for its life. Errors are those of the first copy that fails; none is done after
/// it.
class Copies {
public:
  /// `seams`, ascending, are where pinned memory that was pinned in pieces must be cut.
  Copies(const DeviceState &state, void *stream, std::span<const std::byte *const> seams = {});

  void copy(Rows2D to, Rows2D from, int64_t bytes, int64_t rows);
  void copy(void *to, const void *from, int64_t bytes) {
    copy({static_cast<std::byte *>(to), bytes}, {static_cast<std::byte *>(const_cast<void *>(from)), bytes}, bytes, 1);
  }
  /// From ordinary host memory, which may change once the call is back.
  void upload(void *to, const void *from, int64_t bytes);
  /// Many copies at once, in no order among them. Not on the default stream.
  struct Piece {
    std::byte *to, *from;
    int64_t bytes;
  };
  void scatter(const std::vector<Piece> &pieces);

  const Expected<void> &status() const { return state; }

private:
  void copyOnDevice(Rows2D to, Rows2D from, int64_t bytes, int64_t rows);
  bool copyAtSeam(Rows2D to, Rows2D from, int64_t bytes, int64_t rows);
  bool hasSeam(const std::byte *data, int64_t bytes) const;

  const DeviceState &device;
  cuda::StreamHandle stream;
  std::span<const std::byte *const> seams;
  std::optional<cuda::ContextScope> scope;
  Expected<void> state;
};

} // namespace landmark
#endif
