// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a Device handle shares.
#ifndef LANDMARK_RUNTIME_DEVICESTATE_H
#define LANDMARK_RUNTIME_DEVICESTATE_H

#include "cuda/Driver.h"
#include "landmark/Device.h"

namespace landmark {

struct DeviceState {
  DeviceState() = default;
  ~DeviceState();
  DeviceState(const DeviceState &) = delete;

  Target target;
  std::string name;
  int64_t multiprocessors = 0;
  int64_t l2Bytes = 0;
  int64_t memoryBytes = 0;

  /// GPUs only.
  const cuda::Driver *driver = nullptr;
  int ordinal = -1;
  cuda::Context context = nullptr;
  bool ownsPrimary = false; ///< holds a reference to the primary context

  bool isHost() const { return !driver; }
};

} // namespace landmark
#endif
