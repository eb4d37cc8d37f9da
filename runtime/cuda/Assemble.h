// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_CUDA_ASSEMBLE_H
#define LANDMARK_RUNTIME_CUDA_ASSEMBLE_H

#include "cuda/Driver.h"

#include <string>

namespace landmark::cuda {

/// Has the driver assemble PTX for the current context's device; its log is in the error's notes.
Expected<std::string> assemble(const Driver &driver, const std::string &ptx);

/// Loads machine code or PTX into the current context.
Expected<Module> load(const Driver &driver, const std::string &image);

/// "CUDA driver 13.0"
std::string describeDriver(const Driver &driver);

} // namespace landmark::cuda
#endif
