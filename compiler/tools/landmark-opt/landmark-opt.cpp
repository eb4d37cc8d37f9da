// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mlir-opt with the project's dialects, passes and pipelines.
#include "compiler/Pipelines/Pipelines.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  landmark::registerDialects(registry);
  landmark::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Landmark JIT optimiser\n", registry));
}
