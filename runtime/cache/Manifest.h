// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an entry of the cache says of itself.
#ifndef LANDMARK_RUNTIME_CACHE_MANIFEST_H
#define LANDMARK_RUNTIME_CACHE_MANIFEST_H

#include "cache/Directory.h"
#include "cache/Key.h"

#include <map>

namespace landmark::cache {

/// Files of an entry by name.
using Files = std::map<std::string, std::string>;

struct Manifest {
  static constexpr const char *fileName = "manifest.json";

  struct File {
    int64_t bytes = 0;
    std::string sha256;
  };

  std::string digest;        ///< of the key
  std::vector<Field> fields; ///< of the key, values as Field::shown()
  std::string kernel;        ///< name
  std::vector<Kernel::Function> functions; ///< without the addresses of host code
  std::vector<TensorMap> tensorMaps;
  std::string assembler; ///< what made the cubin: "ptxas" or "CUDA driver 13.0"; empty where there is none
  std::map<std::string, File> files;
  std::string version; ///< of the library
  std::string made;    ///< UTC, "2026-11-23T02:30:00Z"

  /// "forward L=64 D=128 bf16" and the like, of a field that may be missing.
  std::string field(std::string_view name) const;
};

/// JSON whose last member is the hash of all that stands before it.
std::string render(const Manifest &manifest);
/// The inverse of render. An error for every text that render would not have written.
Expected<Manifest> parseManifest(const std::string &text);

/// Reads and checks the manifest of an entry, which says nothing yet of its files.
Expected<Manifest> readManifest(const Directory &entry);
/// Reads every file and checks it; files that the manifest does not know are errors too.
Expected<Files> readFiles(const Directory &entry, const Manifest &manifest);

/// A kernel's manifest and files.
Manifest manifestOf(const Key &key, const Kernel &kernel, const std::string &assembler);
Files filesOf(const Kernel &kernel);
/// The kernel in an entry for what its key was made of. Host code is not linked yet.
Kernel kernelOf(const Manifest &manifest, Files files, const Problem &problem, const Config &config,
                const Target &target);

} // namespace landmark::cache
#endif
