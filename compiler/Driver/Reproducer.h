// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is left behind when the code generators, after the last pass, fail: their module, and the command that has them
// fail again. They may end the process.
#ifndef LANDMARK_COMPILER_DRIVER_REPRODUCER_H
#define LANDMARK_COMPILER_DRIVER_REPRODUCER_H

#include "landmark/Compiler.h"

#include "mlir/IR/BuiltinOps.h"

namespace landmark {

/// Guards one run of a code generator over a module of the stage nvvm. While it lives, an error by which LLVM ends the
/// process writes the module first and says on stderr how to replay it.
class GenerationGuard {
public:
  GenerationGuard(mlir::ModuleOp module, Stage stage, const Problem &problem, const Target &target, const Config &config,
                  const CompileOptions &options);
  ~GenerationGuard();
  GenerationGuard(const GenerationGuard &) = delete;

  /// Writes the module. "to replay it: landmark compile ...", or nothing where no folder is named or it cannot be
  /// written.
  std::string reproduce() const;

private:
  mutable mlir::ModuleOp module; ///< printing it is not const
  const Stage stage;
  const Problem &problem;
  const Target &target;
  const Config &config;
  const CompileOptions &options;
};

} // namespace landmark
#endif
