// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Tensors.h"

#include "Random.h"

#include <algorithm>

namespace landmark::tune {

namespace {

std::size_t bytesOf(DType dtype, const std::vector<int64_t> &shape) {
  std::size_t bytes = std::size_t(byteSize(dtype));
  for (int64_t size : shape)
    bytes *= std::size_t(size);
  return bytes;
}

} // namespace

TensorView Placed::tensor() const { return denseView(buffer.data(), dtype, {shape[0], shape[1], shape[2], shape[3]}); }

RowsView Placed::rows() const { return denseRows(static_cast<float *>(buffer.data()), {shape[0], shape[1], shape[2]}); }

Expected<void> Placed::draw(uint64_t seed) {
  std::size_t element = std::size_t(byteSize(dtype)), piece = std::min<std::size_t>(buffer.size(), 1 << 20);
  std::vector<std::byte> numbers(piece);
  Random random(seed);
  for (std::size_t at = 0; at < piece; at += element)
    fromDouble(random.normal(), numbers.data() + at, dtype);
  for (std::size_t at = 0; at < buffer.size(); at += piece)
    if (auto done = buffer.upload(numbers.data(), std::min(piece, buffer.size() - at), at); !done)
      return done;
  return {};
}

Expected<void> Placed::poison() {
  constexpr unsigned char nan = 0xff;
  return buffer.fill(nan);
}

Expected<HostTensor> Placed::download() const {
  HostTensor tensor = HostTensor::zeros(dtype, shape);
  if (auto done = buffer.download(tensor.bytes.data(), tensor.bytes.size()); !done)
    return done.error();
  return tensor;
}

Expected<void> Placed::upload(const HostTensor &tensor) {
  return buffer.upload(tensor.bytes.data(), tensor.bytes.size());
}

Expected<void> place(const Device &device, std::initializer_list<Wanted> tensors) {
  for (const Wanted &wanted : tensors) {
    auto buffer = DeviceBuffer::allocate(device, bytesOf(wanted.dtype, wanted.shape));
    if (!buffer)
      return buffer.error();
    *wanted.tensor = {std::move(*buffer), wanted.dtype, wanted.shape};
  }
  return {};
}

TensorView viewOf(HostTensor &tensor) {
  return denseView(tensor.bytes.data(), tensor.dtype,
                   {tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]});
}

RowsView rowsOf(HostTensor &tensor) {
  return denseRows(reinterpret_cast<float *>(tensor.bytes.data()), {tensor.shape[0], tensor.shape[1], tensor.shape[2]});
}

HostTensor rounded(const std::vector<double> &values, DType dtype, std::vector<int64_t> shape) {
  HostTensor tensor = HostTensor::zeros(dtype, std::move(shape));
  std::size_t element = std::size_t(byteSize(dtype));
  for (std::size_t i = 0; i < values.size(); ++i)
    fromDouble(values[i], tensor.bytes.data() + i * element, dtype);
  return tensor;
}

Workload smallSizes(const Problem &problem) {
  int64_t keys = std::clamp<int64_t>(5 * problem.blockSize + problem.blockSize / 2 + 1, 150, 500);
  return {.batch = 1, .heads = 4, .kvHeads = 2, .queryLength = keys - keys / 5, .keyLength = keys};
}

} // namespace landmark::tune
