// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensor maps: what a GPU fetches boxes of rows by (CUDA driver API, "cuTensorMapEncodeTiled").
#ifndef LANDMARK_RUNTIME_TENSORMAPS_H
#define LANDMARK_RUNTIME_TENSORMAPS_H

#include "cuda/Driver.h"
#include "landmark/Runtime.h"

namespace landmark {

/// Whether tensor maps can describe q, k and v (and o, or dO of a backward): there are keys, rows start on 16 bytes, and no stride is negative or 0. The error names the view.
Expected<void> checkTensorMaps(const ForwardArguments &arguments);
Expected<void> checkTensorMaps(const BackwardArguments &arguments);

/// What a tensor map is made for: a view of a launch and the phase of its blocks.
struct MappedView {
  const TensorView &view;
  int64_t phase;
  const char *name;
};

/// What a kernel's map number `argument` is of.
MappedView mappedView(const ForwardArguments &arguments, int64_t argument);
MappedView mappedView(const BackwardArguments &arguments, int64_t argument);

/// Encodes `map` for one launch. A view without the rows that the map is of gives a valid one all the same, which nobody reads; one without elements leaves it blank.
Expected<void> encode(const cuda::Driver &driver, const TensorMap &map, const MappedView &mapped, cuda::TensorMapBytes &bytes);

/// Makes of a map that was encoded for the same shapes and strides that of other memory.
Expected<void> move(const cuda::Driver &driver, const TensorMap &map, const MappedView &mapped, cuda::TensorMapBytes &bytes);

/// Most maps of a kernel.
constexpr std::size_t mostTensorMaps = 8;

} // namespace landmark
#endif
