// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Landmark attention in bf16, on a GPU if there is one and on the CPU otherwise. Every value is 1, so every output must
// be 1 up to rounding: the weights of a row sum to 1.
#include <landmark/Runtime.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <vector>

using namespace landmark;

int main() {
  constexpr int64_t batch = 1, heads = 8, kvHeads = 2, rows = 1000, columns = 64;
  std::vector<uint16_t> values(batch * heads * rows * columns, 0x3f80); // 1 in bf16
  Runtime runtime;                                                      // on Device::best()
  auto tensor = [&](int64_t count, DeviceBuffer &buffer) {
    if (auto made = DeviceBuffer::allocate(runtime.device(), batch * count * rows * columns * sizeof(uint16_t)))
      buffer = std::move(*made);
    return denseView(buffer.data(), DType::BF16, {batch, count, rows, columns});
  };
  DeviceBuffer q, k, v, o, lse; // the log-sum-exp takes one float32 a row
  ForwardArguments arguments{tensor(heads, q),
                             tensor(kvHeads, k),
                             tensor(kvHeads, v),
                             tensor(heads, o),
                             denseRows(static_cast<float *>(tensor(heads, lse).data), {batch, heads, rows}),
                             64};
  for (DeviceBuffer *input : {&q, &k, &v})
    if (auto done = input->upload(values.data(), input->size()); !done)
      return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  if (auto done = runtime.forward(arguments); !done)
    return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  if (auto done = o.download(values.data(), o.size()); !done)
    return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  int64_t wrong = 0;
  for (uint16_t value : values)
    wrong += !(std::fabs(std::bit_cast<float>(uint32_t(value) << 16) - 1) < 0.02f);
  std::printf("%s: %lld of %zu outputs are wrong\n", runtime.device().name().c_str(), (long long)wrong, values.size());
  return wrong != 0;
}
