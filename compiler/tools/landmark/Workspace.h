// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_WORKSPACE_H
#define LANDMARK_TOOLS_WORKSPACE_H

#include "Reference.h"
#include "Safetensors.h"
#include "landmark/Runtime.h"

namespace landmark::tool {

/// q, k and v of a forward call, on the host.
struct Inputs {
  HostTensor q, k, v;
  int64_t blockSize = 0;
  int64_t phase = 0;
  std::optional<float> scale = std::nullopt;
  std::optional<int64_t> qOffset = std::nullopt;
  float gateThreshold = 0;
};

struct Outputs {
  HostTensor o;
  HostTensor lse;
};

/// View of a host tensor; the caller keeps it alive. The tensor must have the rank of the view (and rows be float32).
TensorView viewOf(const HostTensor &tensor);
RowsView rowsOf(const HostTensor &tensor);

Expected<DeviceBuffer> upload(const Device &device, const HostTensor &tensor);

/// What the oracle needs to know of the inputs.
ForwardSemantics semanticsOf(const Inputs &inputs);

/// A forward call's tensors in the memory of a device.
class Workspace {
public:
  /// Uploads the inputs and makes room for the outputs; refuses inputs that no launch would accept.
  static Expected<Workspace> create(const Device &device, const Inputs &inputs);

  /// Makes room for what a gate threshold takes.
  Expected<void> addScratch(const ForwardKernel &kernel);
  /// Fills the outputs with 0xff bytes, which are NaN in every type.
  Expected<void> poison();
  const ForwardArguments &arguments() const { return call; }
  Expected<Outputs> download() const;
  /// Puts outputs of an earlier forward in place of this one's.
  Expected<void> replaceOutputs(const Outputs &outputs);

private:
  DeviceBuffer q, k, v, o, lse, scratch;
  ForwardArguments call;
};

} // namespace landmark::tool
#endif
