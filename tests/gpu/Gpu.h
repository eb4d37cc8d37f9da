// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For tests that look behind the public API: the first GPU, its driver and streams.
#ifndef LANDMARK_TESTS_GPU_GPU_H
#define LANDMARK_TESTS_GPU_GPU_H

#include "DeviceState.h"

#include <catch2/catch.hpp>

namespace landmark::test {

inline const cuda::Driver &driver() { return **cuda::Driver::get(); }

inline Device gpu() {
  auto device = Device::cuda(0);
  REQUIRE(device);
  return *device;
}

/// A stream of the device's context, which is current meanwhile.
struct Stream {
  explicit Stream(const Device &device) : scope(driver(), device.state()->context) {
    REQUIRE(scope.status());
    REQUIRE(driver().streamCreate(&handle, cuda::NonBlocking) == cuda::success);
  }
  ~Stream() { driver().streamDestroy(handle); }

  cuda::ContextScope scope;
  cuda::StreamHandle handle = nullptr;
};

} // namespace landmark::test
#endif
