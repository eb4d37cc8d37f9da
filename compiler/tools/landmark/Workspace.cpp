// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Workspace.h"

#include "Launch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark::tool {

namespace {

Expected<void> checkRank(const char *name, const HostTensor &tensor) {
  if (tensor.shape.size() == 4)
    return {};
  return Error{ErrorCode::InvalidArgument, fmt::format("{}: got shape [{}]; it must be [batch, head, row, column]",
                                                       name, fmt::join(tensor.shape, ", "))};
}

ForwardArguments argumentsOf(const Inputs &inputs) {
  ForwardArguments call{viewOf(inputs.q), viewOf(inputs.k), viewOf(inputs.v), {}, {}, inputs.blockSize,
                        inputs.phase,     inputs.scale,     inputs.qOffset};
  const auto &shape = call.q.shape;
  call.o = denseView(nullptr, call.q.dtype, shape);
  call.lse = denseRows(nullptr, {shape[0], shape[1], shape[2]});
  call.gateThreshold = inputs.gateThreshold;
  return call;
}

} // namespace

Expected<DeviceBuffer> upload(const Device &device, const HostTensor &tensor) {
  auto buffer = DeviceBuffer::allocate(device, tensor.bytes.size());
  if (!buffer)
    return buffer;
  if (auto done = buffer->upload(tensor.bytes.data(), tensor.bytes.size()); !done)
    return done.error();
  return buffer;
}

TensorView viewOf(const HostTensor &tensor) {
  const auto &shape = tensor.shape;
  return denseView(const_cast<std::byte *>(tensor.bytes.data()), tensor.dtype,
                   {shape[0], shape[1], shape[2], shape[3]});
}

RowsView rowsOf(const HostTensor &tensor) {
  const auto &shape = tensor.shape;
  auto *data = reinterpret_cast<float *>(const_cast<std::byte *>(tensor.bytes.data()));
  return denseRows(data, {shape[0], shape[1], shape[2]});
}

ForwardSemantics semanticsOf(const Inputs &inputs) {
  ForwardArguments call = argumentsOf(inputs);
  return {inputs.blockSize, inputs.phase, qOffsetOf(call), scaleOf(call)};
}

Expected<Workspace> Workspace::create(const Device &device, const Inputs &inputs) {
  for (auto [name, tensor] : {std::pair{"q", &inputs.q}, std::pair{"k", &inputs.k}, std::pair{"v", &inputs.v}})
    if (auto ranked = checkRank(name, *tensor); !ranked)
      return ranked.error();
  Workspace space;
  space.call = argumentsOf(inputs);
  const auto &shape = space.call.q.shape;
  int64_t rows = shape[0] * shape[1] * shape[2];
  auto place = [](Expected<DeviceBuffer> made, DeviceBuffer &buffer, auto &view) -> Expected<void> {
    if (!made)
      return made.error();
    buffer = std::move(*made);
    view.data = static_cast<decltype(view.data)>(buffer.data());
    return {};
  };
  for (auto [tensor, buffer, view] :
       {std::tuple{&inputs.q, &space.q, &space.call.q}, std::tuple{&inputs.k, &space.k, &space.call.k},
        std::tuple{&inputs.v, &space.v, &space.call.v}})
    if (auto done = place(upload(device, *tensor), *buffer, *view); !done)
      return done.error();
  if (auto done = place(DeviceBuffer::allocate(device, inputs.q.bytes.size()), space.o, space.call.o); !done)
    return done.error();
  if (auto done = place(DeviceBuffer::allocate(device, rows * sizeof(float)), space.lse, space.call.lse); !done)
    return done.error();
  if (auto legal = validate(space.call, device); !legal)
    return legal.error();
  return space;
}

Expected<void> Workspace::addScratch(const ForwardKernel &kernel) {
  auto bytes = kernel.gateScratchBytes(call);
  if (!bytes)
    return bytes.error();
  auto made = DeviceBuffer::allocate(kernel.device(), *bytes);
  if (!made)
    return made.error();
  scratch = std::move(*made);
  call.gateScratch = scratch.data();
  call.gateScratchBytes = *bytes;
  return {};
}

Expected<void> Workspace::poison() {
  for (DeviceBuffer *buffer : {&o, &lse, &scratch})
    if (auto done = buffer->fill(0xff); !done)
      return done;
  return {};
}

Expected<void> Workspace::replaceOutputs(const Outputs &outputs) {
  if (auto done = o.upload(outputs.o.bytes.data(), outputs.o.bytes.size()); !done)
    return done;
  return lse.upload(outputs.lse.bytes.data(), outputs.lse.bytes.size());
}

Expected<Outputs> Workspace::download() const {
  const auto &shape = call.q.shape;
  Outputs outputs{HostTensor::zeros(call.q.dtype, {shape.begin(), shape.end()}),
                  HostTensor::zeros(DType::F32, {shape.begin(), shape.end() - 1})};
  if (auto done = o.download(outputs.o.bytes.data(), outputs.o.bytes.size()); !done)
    return done.error();
  if (auto done = lse.download(outputs.lse.bytes.data(), outputs.lse.bytes.size()); !done)
    return done.error();
  return outputs;
}

} // namespace landmark::tool
