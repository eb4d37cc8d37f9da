// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors that subjects are measured and checked with.
#ifndef LANDMARK_RUNTIME_TUNE_TENSORS_H
#define LANDMARK_RUNTIME_TUNE_TENSORS_H

#include "Safetensors.h"
#include "landmark/Device.h"
#include "landmark/Tensor.h"
#include "tune/Candidates.h"

#include <initializer_list>
#include <vector>

namespace landmark::tune {

/// A dense tensor in a device's memory.
struct Placed {
  DeviceBuffer buffer;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;

  TensorView tensor() const; ///< of rank 4
  RowsView rows() const;     ///< of rank 3, float32

  /// Normal numbers, the same megabyte again and again: speed does not depend on more.
  Expected<void> draw(uint64_t seed);
  /// NaN everywhere, whatever the type.
  Expected<void> poison();
  Expected<HostTensor> download() const;
  Expected<void> upload(const HostTensor &tensor);
};

struct Wanted {
  Placed *tensor;
  DType dtype;
  std::vector<int64_t> shape;
};

Expected<void> place(const Device &device, std::initializer_list<Wanted> tensors);

TensorView viewOf(HostTensor &tensor);
RowsView rowsOf(HostTensor &tensor);

/// Numbers of the oracle as a tensor.
HostTensor rounded(const std::vector<double> &values, DType dtype, std::vector<int64_t> shape);

/// Sizes to check with: grouped heads, a history, a first block that is cut, a last block that is not full, rows that
/// fill no tile.
Workload smallSizes(const Problem &problem);

} // namespace landmark::tune
#endif
