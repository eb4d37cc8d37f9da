// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensor maps: what a GPU fetches boxes of rows by (CUDA driver API, "cuTensorMapEncodeTiled").
#ifndef LANDMARK_RUNTIME_TENSORMAPS_H
#define LANDMARK_RUNTIME_TENSORMAPS_H

#include "cuda/Driver.h"
#include "landmark/Runtime.h"

namespace landmark {

/// Whether tensor maps can describe q, k and v: there are keys, rows start on 16 bytes, and no stride is negative or 0. The error names the view.
Expected<void> checkTensorMaps(const ForwardArguments &arguments);

/// Encodes `map` for the arguments of one launch. A view without the rows that the map is of leaves it blank: nobody reads it.
Expected<void> encode(const cuda::Driver &driver, const TensorMap &map, const ForwardArguments &arguments,
                      cuda::TensorMapBytes &bytes);

/// Makes of a map that was encoded for the same shapes and strides that of other memory.
Expected<void> move(const cuda::Driver &driver, const TensorMap &map, const ForwardArguments &arguments,
                    cuda::TensorMapBytes &bytes);

} // namespace landmark
#endif
