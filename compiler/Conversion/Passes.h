// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_CONVERSION_PASSES_H
#define LANDMARK_COMPILER_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace landmark {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/Conversion/Passes.h.inc"

} // namespace landmark
#endif
