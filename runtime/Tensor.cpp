// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Tensor.h"

namespace landmark {

TensorView denseView(void *data, DType dtype, std::array<int64_t, 4> shape) {
  int64_t head = shape[2] * shape[3];
  return {data, dtype, shape, {shape[1] * head, head, shape[3], 1}};
}

RowsView denseRows(float *data, std::array<int64_t, 3> shape) {
  return {data, shape, {shape[1] * shape[2], shape[2], 1}};
}

} // namespace landmark
