// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedules of the backward's kernels, chosen and measured out; Config.cpp asks here.
#ifndef LANDMARK_COMPILER_DRIVER_BACKWARDCONFIG_H
#define LANDMARK_COMPILER_DRIVER_BACKWARDCONFIG_H

#include "landmark/Config.h"

namespace landmark {

Config defaultBackward(const Problem &problem, const Target &target, Loads most);
int64_t backwardSharedBytes(const Config &config, const Problem &problem, const Target &target);

/// Registers of one thread that hold the accumulators of the gradients of keys, `count` of them, and of logits and their products.
int64_t keyRegisters(const Config &config, const Problem &problem, int64_t count);

} // namespace landmark
#endif
