// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the templates of retrieval are bound with; Templates.cpp and BindTemplate.cpp ask here.
#ifndef LANDMARK_COMPILER_TRANSFORMS_RETRIEVALTEMPLATES_H
#define LANDMARK_COMPILER_TRANSFORMS_RETRIEVALTEMPLATES_H

#include "landmark/Config.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace landmark {

/// The type aliases of a step's template, on one line.
std::string retrievalAliases(const Problem &problem, const Config &config);

/// Whether the kernel takes what the runtime passes to the step; the error says what that is.
mlir::LogicalResult verifyRetrievalSignature(mlir::gpu::GPUFuncOp kernel, const Problem &problem, const Config &config);

} // namespace landmark
#endif
