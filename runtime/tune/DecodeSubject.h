// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding takes several kernels, each a problem of its own: they are tuned one after the other, timed as one step.
#ifndef LANDMARK_RUNTIME_TUNE_DECODESUBJECT_H
#define LANDMARK_RUNTIME_TUNE_DECODESUBJECT_H

#include "tune/Subject.h"

#include <vector>

namespace landmark::tune {

/// The steps of decoding whose schedules are chosen, in the order of their launches: `problem` gives block size, head
/// dimension, type, top-k and rotation. Which they are depends on the sizes and on the device.
Expected<std::vector<Problem>> decodeSteps(const Device &device, const Problem &problem, const Workload &workload);

} // namespace landmark::tune
#endif
