// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/Reproducer.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <mutex>

namespace landmark {
namespace {

thread_local const GenerationGuard *guard = nullptr; ///< of the generator that this thread runs

void sayLastWords(void *, const char *reason, bool) {
  llvm::errs() << "LLVM ERROR: " << reason << "\n";
  if (guard)
    llvm::errs() << guard->reproduce() << "\n";
}

std::string describeOptions(const Problem &problem, const Target &target, const Config &config) {
  return fmt::format("{} --head-dim {} --block-size {} --dtype {}{}{}{} --target {} --config {}", name(problem.operation), problem.headDim,
                     problem.blockSize, name(problem.dtype), problem.floatGradients ? " --gradient-dtype f32" : "",
                     problem.deterministic ? " --deterministic" : "", problem.topK > 0 ? fmt::format(" --top-k {}", problem.topK) : "", target.chip, describe(config));
}

} // namespace

GenerationGuard::GenerationGuard(mlir::ModuleOp module, Stage stage, const Problem &problem, const Target &target, const Config &config,
                                 const CompileOptions &options)
    : module(module), stage(stage), problem(problem), target(target), config(config), options(options) {
  static std::once_flag installed;
  std::call_once(installed, [] { llvm::install_fatal_error_handler(sayLastWords); });
  guard = this;
}

GenerationGuard::~GenerationGuard() { guard = nullptr; }

std::string GenerationGuard::reproduce() const {
  if (options.reproducerDir.empty() || llvm::sys::fs::create_directories(options.reproducerDir, /*IgnoreExisting=*/true, llvm::sys::fs::owner_all))
    return "";
  std::string path = fmt::format("{}/landmark_{}.{}.reproducer.mlir", options.reproducerDir, name(problem.operation), name(stage));
  std::error_code failed;
  llvm::raw_fd_ostream file(path, failed);
  if (failed)
    return "";
  module.print(file);
  file << "\n";
  file.close();
  if (file.has_error()) {
    file.clear_error();
    return "";
  }
  return fmt::format("to replay it: landmark compile {} --resume nvvm='{}' --emit {}", describeOptions(problem, target, config), path, name(stage));
}

} // namespace landmark
