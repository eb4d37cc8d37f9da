// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "GradientWorkspace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark::tool {

namespace {

Expected<void> checkShape(const char *name, const HostTensor &tensor, const std::vector<int64_t> &expected) {
  if (tensor.shape == expected)
    return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("{}: got shape [{}]; q needs [{}]", name, fmt::join(tensor.shape, ", "), fmt::join(expected, ", "))};
}

/// The tensor in another element type.
HostTensor convert(const HostTensor &tensor, DType dtype) {
  if (tensor.dtype == dtype)
    return tensor;
  HostTensor result = HostTensor::zeros(dtype, tensor.shape);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    fromDouble(toDouble(tensor.bytes.data() + i * byteSize(tensor.dtype), tensor.dtype), result.bytes.data() + i * byteSize(dtype), dtype);
  return result;
}

Expected<void> place(const Device &device, const HostTensor &tensor, DeviceBuffer &buffer) {
  auto made = DeviceBuffer::allocate(device, tensor.bytes.size());
  if (!made)
    return made.error();
  buffer = std::move(*made);
  return buffer.upload(tensor.bytes.data(), tensor.bytes.size());
}

Expected<void> makeRoom(const Device &device, std::size_t bytes, DeviceBuffer &buffer) {
  auto made = DeviceBuffer::allocate(device, bytes);
  if (!made)
    return made.error();
  buffer = std::move(*made);
  return {};
}

} // namespace

Expected<GradientWorkspace> GradientWorkspace::create(Runtime &runtime, const GradientInputs &inputs, DType gradient, bool deterministic) {
  const Device &device = runtime.device();
  auto made = Workspace::create(device, inputs.forward);
  if (!made)
    return made.error();
  GradientWorkspace space(std::move(*made));
  ForwardArguments told = space.forward.arguments();
  told.gateThreshold = 0; // it is the backward's: o and lse are exact
  const std::vector<int64_t> &shape = inputs.forward.q.shape;
  std::vector<int64_t> rows(shape.begin(), shape.end() - 1);
  if (auto fits = checkShape("do", inputs.dO, shape); !fits)
    return fits.error();
  if (inputs.dlse)
    if (auto fits = checkShape("dlse", *inputs.dlse, rows); !fits)
      return fits.error();
  if (inputs.outputs) {
    for (auto fits : {checkShape("o", inputs.outputs->o, shape), checkShape("lse", inputs.outputs->lse, rows)})
      if (!fits)
        return fits.error();
    if (auto done = space.forward.replaceOutputs({convert(inputs.outputs->o, told.q.dtype), convert(inputs.outputs->lse, DType::F32)}); !done)
      return done.error();
  } else {
    if (auto done = runtime.forward(told); !done)
      return done.error();
  }

  std::size_t rowBytes = std::size_t(rows[0] * rows[1] * rows[2]) * sizeof(float);
  std::size_t queryBytes = std::size_t(inputs.forward.q.elements() * byteSize(gradient)), keyBytes = std::size_t(inputs.forward.k.elements() * byteSize(gradient));
  if (auto done = place(device, inputs.dO, space.dO); !done)
    return done.error();
  if (inputs.dlse)
    if (auto done = place(device, convert(*inputs.dlse, DType::F32), space.dlse); !done)
      return done.error();
  for (auto [bytes, buffer] : {std::pair{rowBytes, &space.delta}, std::pair{queryBytes, &space.dq}, std::pair{keyBytes, &space.dk},
                               std::pair{keyBytes, &space.dv}})
    if (auto done = makeRoom(device, bytes, *buffer); !done)
      return done.error();

  auto rowsAt = [&](DeviceBuffer &buffer) { return denseRows(static_cast<float *>(buffer.data()), told.lse.shape); };
  space.call = {told.q,
                told.k,
                told.v,
                told.o,
                told.lse,
                denseView(space.dO.data(), inputs.dO.dtype, told.q.shape),
                denseView(space.dq.data(), gradient, told.q.shape),
                denseView(space.dk.data(), gradient, told.k.shape),
                denseView(space.dv.data(), gradient, told.k.shape),
                rowsAt(space.delta),
                told.blockSize,
                told.phase,
                told.scale,
                told.qOffset};
  if (inputs.dlse)
    space.call.dlse = rowsAt(space.dlse);
  space.call.deterministic = deterministic;
  space.call.gateThreshold = inputs.forward.gateThreshold;
  if (auto legal = validate(space.call, device); !legal)
    return legal.error();
  return space;
}

Expected<void> GradientWorkspace::makeScratch(const BackwardKernel &kernel) {
  auto bytes = kernel.scratchBytes(call);
  if (!bytes)
    return bytes.error();
  if (auto made = makeRoom(kernel.device(), std::size_t(*bytes), scratch); !made)
    return made;
  call.scratch = scratch.data();
  call.scratchBytes = *bytes;
  return scratch.fill(0xff);
}

Expected<void> GradientWorkspace::poison() {
  for (DeviceBuffer *buffer : {&delta, &dq, &dk, &dv, &scratch})
    if (auto done = buffer->fill(0xff); !done)
      return done;
  return {};
}

Expected<Gradients> GradientWorkspace::download() const {
  auto fetch = [](const DeviceBuffer &buffer, const TensorView &view, HostTensor &to) {
    to = HostTensor::zeros(view.dtype, {view.shape.begin(), view.shape.end()});
    return buffer.download(to.bytes.data(), to.bytes.size());
  };
  Gradients gradients;
  if (auto done = fetch(dq, call.dq, gradients.dq); !done)
    return done.error();
  if (auto done = fetch(dk, call.dk, gradients.dk); !done)
    return done.error();
  if (auto done = fetch(dv, call.dv, gradients.dv); !done)
    return done.error();
  return gradients;
}

} // namespace landmark::tool
