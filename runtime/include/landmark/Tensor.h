// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TENSOR_H
#define LANDMARK_TENSOR_H

#include "landmark/Export.h"
#include "landmark/Problem.h"

#include <array>
#include <cstdint>

namespace landmark {

/// A borrowed tensor of rank 4, [batch, head, row, column], on the host or on a device.
/// Strides count elements and may have any value, 0 and negative ones included; that of the columns must be 1.
struct TensorView {
  void *data = nullptr;
  DType dtype = DType::BF16;
  std::array<int64_t, 4> shape = {};
  std::array<int64_t, 4> strides = {};
};

/// A borrowed float32 tensor of rank 3, [batch, head, row].
struct RowsView {
  float *data = nullptr;
  std::array<int64_t, 3> shape = {};
  std::array<int64_t, 3> strides = {};
};

/// Views of dense row-major memory.
LANDMARK_API TensorView denseView(void *data, DType dtype, std::array<int64_t, 4> shape);
LANDMARK_API RowsView denseRows(float *data, std::array<int64_t, 3> shape);

} // namespace landmark
#endif
