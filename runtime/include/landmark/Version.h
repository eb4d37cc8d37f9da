// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_VERSION_H
#define LANDMARK_VERSION_H

#include "landmark/Export.h"

namespace landmark {

/// Version of the library that runs, as "0.1.0".
LANDMARK_API const char *version();

} // namespace landmark
#endif
