// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels from wherever they are fastest to be had: a bundle, the cache on disk, the compiler.
#ifndef LANDMARK_RUNTIME_KERNELSTORE_H
#define LANDMARK_RUNTIME_KERNELSTORE_H

#include "Knobs.h"
#include "cache/DiskCache.h"

#include <functional>
#include <map>
#include <optional>

namespace landmark {

/// Machine code for a GPU and what made it; no code where that is left to the loading.
struct Cubin {
  std::string code, assembler;
};

struct KernelRequest {
  Problem problem;
  Config config;
  Target target;
  CompileOptions options;
  /// Makes machine code of a CUDA kernel's PTX. Empty where the PTX is enough.
  std::function<Expected<Cubin>(const Kernel &)> assemble;
};

/// How a kernel was come by.
struct KernelAccount {
  enum class Source { Bundle, Disk, Compiler };

  Source source = Source::Compiler;
  std::string digest;                           ///< of the key
  std::string miss;                             ///< why the disk had nothing; empty if it was not asked
  std::string notStored;                        ///< why the disk did not take the kernel; empty if it did
  std::vector<std::pair<Stage, double>> stages; ///< milliseconds of each stage that was compiled
  std::string assembler;                        ///< who assembled the PTX, if that was done now
  double assembly = 0;                          ///< milliseconds of that
  double milliseconds = 0;                      ///< all in all
};

std::string_view name(KernelAccount::Source source); ///< "bundle", "disk", "compiler"

/// Stateless but for the knobs: the folders are opened for every request, and there is no lock within the process.
/// What goes wrong with the disk costs the cache and nothing else; it is logged and stands in the account.
class KernelStore {
public:
  explicit KernelStore(Knobs knobs) : knobs(std::move(knobs)) {}

  /// Of processes that ask for the same kernel at the same time one compiles and the others wait. A host kernel comes
  /// linked. `account` may be null.
  Expected<Kernel> get(const KernelRequest &request, KernelAccount *account = nullptr) const;

  /// What the bundle or the cache has; nothing where something is left to do.
  std::optional<Kernel> find(const KernelRequest &request) const;

private:
  class Retrieval;
  Knobs knobs;
};

} // namespace landmark
#endif
