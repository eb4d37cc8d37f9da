// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_BACKWARDKERNEL_H
#define LANDMARK_RUNTIME_BACKWARDKERNEL_H

#include "LoadedKernel.h"

namespace landmark {

struct BackwardKernel::State : LoadedKernel {
  using LoadedKernel::LoadedKernel;
};

} // namespace landmark
#endif
