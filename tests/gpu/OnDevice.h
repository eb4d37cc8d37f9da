// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TESTS_GPU_ONDEVICE_H
#define LANDMARK_TESTS_GPU_ONDEVICE_H

#include "RandomProblem.h"
#include "landmark/Runtime.h"

namespace landmark::test {

/// A random problem's buffers, guards included, in the memory of a device.
class OnDevice {
public:
  /// Copies everything there; the outputs arrive as the NaNs that they are.
  OnDevice(const Device &device, const RandomForward &random);

  const ForwardArguments &arguments() const { return call; }
  /// Copies the outputs back into the problem's own buffers.
  void download(RandomForward &random) const;

private:
  DeviceBuffer q, k, v, o, lse;
  ForwardArguments call;
};

/// The same for a backward, o and lse included.
class GradientsOnDevice {
public:
  GradientsOnDevice(const Device &device, const RandomBackward &random);

  const ForwardArguments &forwardArguments() const { return forward.arguments(); }
  const BackwardArguments &arguments() const { return call; }
  void download(RandomBackward &random) const;

private:
  OnDevice forward;
  DeviceBuffer dO, dq, dk, dv, delta, dlse, scratch;
  BackwardArguments call;
};

/// Compares the problem's outputs with the oracle and looks at the guards.
void checkResult(const RandomForward &random);
void checkResult(const RandomBackward &random);

} // namespace landmark::test
#endif
