// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From loops over vectors to machine code of this CPU, in this process.
#ifndef LANDMARK_COMPILER_TARGET_HOST_HOSTTARGET_H
#define LANDMARK_COMPILER_TARGET_HOST_HOSTTARGET_H

#include "landmark/Compiler.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace landmark {

/// Floats of this CPU's widest vectors: 16, 8 or 4.
int64_t hostLanes();

/// Loops over vectors, as convert-tile-to-host leaves them, to the llvm dialect.
void buildHostLoweringPipeline(mlir::OpPassManager &manager);

/// Machine code, and what keeps it alive.
struct HostCode {
  Kernel::HostEntry entry = nullptr;
  std::shared_ptr<void> owner;
};

/// Compiles the function `kernelName` of a module of the llvm dialect, whose last parameter is the number of the
/// program, to an object file. The context needs the translations of the builtin and llvm dialects.
llvm::Expected<std::string> hostObject(mlir::ModuleOp module, llvm::StringRef kernelName);

/// Links such an object file into this process.
llvm::Expected<HostCode> linkHostObject(llvm::StringRef object, llvm::StringRef kernelName);

/// The optimised LLVM IR of that code, entry point included, and its assembly.
llvm::Expected<std::string> hostLLVMIR(mlir::ModuleOp module, llvm::StringRef kernelName);
llvm::Expected<std::string> hostAssembly(mlir::ModuleOp module, llvm::StringRef kernelName);

} // namespace landmark
#endif
