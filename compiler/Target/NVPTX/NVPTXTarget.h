// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TARGET_NVPTX_H
#define LANDMARK_COMPILER_TARGET_NVPTX_H

#include "landmark/Compiler.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace landmark {

/// Optimised LLVM IR of a module in the nvvm and llvm dialects, for `chip` ("sm_80"), as text.
llvm::Expected<std::string> nvptxLLVMIR(mlir::gpu::GPUModuleOp module, llvm::StringRef chip);

/// The same, as PTX.
llvm::Expected<std::string> nvptxAssembly(mlir::gpu::GPUModuleOp module, llvm::StringRef chip, Tier tier);

} // namespace landmark
#endif
