// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measures calls on a device: by events on a GPU, by the clock on the host.
#ifndef LANDMARK_RUNTIME_TIMING_H
#define LANDMARK_RUNTIME_TIMING_H

#include "landmark/Device.h"

#include <functional>
#include <vector>

namespace landmark {

/// Runs `call` `repeats` times after the work queued so far and returns the milliseconds of each. On a GPU the calls
/// must use the default stream and are queued without waiting between them. `before`, if given, runs before each call
/// and is not timed; on a GPU the device's context is current then.
Expected<std::vector<double>> timeCalls(const Device &device, int repeats, const std::function<Expected<void>()> &call,
                                        const std::function<Expected<void>()> &before = {});

/// The middle value; `values` must not be empty.
double median(std::vector<double> values);

} // namespace landmark
#endif
