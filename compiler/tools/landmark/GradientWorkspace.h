// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_GRADIENTWORKSPACE_H
#define LANDMARK_TOOLS_GRADIENTWORKSPACE_H

#include "Workspace.h"

namespace landmark::tool {

/// What a backward is given, on the host.
struct GradientInputs {
  Inputs forward;
  HostTensor dO;
  std::optional<HostTensor> dlse = std::nullopt;
  std::optional<Outputs> outputs = std::nullopt; ///< of the forward; computed where they are not given
};

struct Gradients {
  HostTensor dq, dk, dv;
};

/// A backward call's tensors in the memory of a device.
class GradientWorkspace {
public:
  /// Uploads the inputs, runs the forward where its outputs are not given, and makes room for gradients of type `gradient`.
  static Expected<GradientWorkspace> create(Runtime &runtime, const GradientInputs &inputs, DType gradient, bool deterministic);

  /// Makes room for what the kernel adds up in memory.
  Expected<void> makeScratch(const BackwardKernel &kernel);

  /// Fills gradients and scratch with 0xff bytes, which are NaN in every type.
  Expected<void> poison();
  const BackwardArguments &arguments() const { return call; }
  Expected<Gradients> download() const;
  /// o and lse as the backward is given them.
  Expected<Outputs> downloadForward() const { return forward.download(); }

private:
  explicit GradientWorkspace(Workspace forward) : forward(std::move(forward)) {}

  Workspace forward;
  DeviceBuffer dO, dlse, delta, dq, dk, dv, scratch;
  BackwardArguments call;
};

} // namespace landmark::tool
#endif
