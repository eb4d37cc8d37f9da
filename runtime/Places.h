// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_PLACES_H
#define LANDMARK_RUNTIME_PLACES_H

#include "Views.h"
#include "landmark/Device.h"

namespace landmark {

/// Whether `device` can use the memory of argument `name`: host memory that the driver does not know cannot be given to
/// a GPU, nor a GPU's memory to the host or to another GPU.
Expected<void> checkPlace(const char *name, const Footprint &covered, const Device &device);

} // namespace landmark
#endif
