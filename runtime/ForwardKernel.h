// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_FORWARDKERNEL_H
#define LANDMARK_RUNTIME_FORWARDKERNEL_H

#include "LoadedKernel.h"

namespace landmark {

struct ForwardKernel::State : LoadedKernel {
  using LoadedKernel::LoadedKernel;
};

/// Whether a kernel is the one that arguments need.
Expected<void> checkFits(const Problem &needed, const Kernel &kernel);

} // namespace landmark
#endif
