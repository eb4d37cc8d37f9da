// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_BACKGROUND_H
#define LANDMARK_RUNTIME_BACKGROUND_H

#include "landmark/Expected.h"

#include <functional>

namespace landmark {

/// Runs `job`, which must not throw, in a thread of its own, behind the program's in priority. The end of the process, or the library's unloading, waits for jobs that run. What a job uses that is made
/// once for a process must be made before the first one starts, as it goes after them then.
Expected<void> runInBackground(std::function<void()> job);

} // namespace landmark
#endif
