// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TARGET_H
#define LANDMARK_TARGET_H

#include "landmark/Export.h"
#include "landmark/Expected.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace landmark {

/// Where a kernel runs. A CUDA target is named as the assembler names it ("sm_80", "sm_90a"); "host" is this machine's CPU.
struct LANDMARK_API Target {
  enum class Kind { Host, NVPTX };

  Kind kind = Kind::Host;
  std::string chip = "host";

  bool isHost() const { return kind == Kind::Host; }
  /// 80 for "sm_80", 120 for "sm_120a"; 0 for the host.
  int computeCapability() const;
  /// The most dynamic shared memory that one thread block may use, in bytes.
  int64_t maxSharedBytes() const;
  /// Shared memory of one multiprocessor, in bytes (each resident block takes 1 KiB more than it asks for).
  int64_t sharedBytesPerMultiprocessor() const;

  bool operator==(const Target &) const = default;
};

/// "host" or "sm_NN[a|f]" with NN >= 80.
LANDMARK_API Expected<Target> parseTarget(std::string_view text);

/// The target for a GPU of compute capability `major.minor`.
LANDMARK_API Expected<Target> targetForCapability(int major, int minor);

} // namespace landmark
#endif
