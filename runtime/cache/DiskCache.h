// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels on disk: <root>/kernels/<digest of the key>/, a manifest and the files that it lists.
//
// An entry is made beside its place and renamed into it, so it is there whole or not at all. What is read is checked:
// whose it is, who may write to it, sizes, hashes, and that the manifest is that of the key. Anything else is a miss.
#ifndef LANDMARK_RUNTIME_CACHE_DISKCACHE_H
#define LANDMARK_RUNTIME_CACHE_DISKCACHE_H

#include "cache/Manifest.h"

#include <optional>

namespace landmark::cache {

/// One entry, whole or not.
struct Listed {
  std::string digest;
  std::optional<Manifest> manifest; ///< empty where it cannot be believed
  std::string damage;               ///< why the entry is a miss; empty if it is whole
  int64_t bytes = 0;
  int64_t touched = 0; ///< when it was made or used last; nanoseconds since 1970
};

/// What pruning removed.
struct Pruned {
  int64_t entries = 0, bytes = 0;
};

class DiskCache {
public:
  /// Creates what is missing.
  static Expected<DiskCache> create(const std::filesystem::path &root);
  /// Opens what is there, for reading.
  static Expected<DiskCache> open(const std::filesystem::path &root, Trust trust);

  /// The files of an entry, all checked. NotFound where there is none, IoError where it is not to be believed.
  Expected<std::pair<Manifest, Files>> find(const Key &key) const;
  /// Why `find` failed, in terms of the entries that there are: the fields in which the nearest one differs.
  std::string explainMiss(const Key &key) const;

  /// Excludes the others who would compile the same. Null where that is impossible: then compile without.
  std::shared_ptr<FileLock> lock(const Key &key) const;
  /// Puts an entry in its place, in place of a damaged one perhaps. Then removes the entries used longest ago until the
  /// rest takes at most `limit` bytes. `locked` says that the caller holds the key's lock, so that whoever else staged
  /// this entry is dead.
  Expected<void> store(const Manifest &manifest, const Files &files, int64_t limit, bool locked) const;

  /// Every entry; their files are read and checked if `verify`.
  Expected<std::vector<Listed>> list(bool verify) const;
  Expected<Pruned> clear() const;
  /// Removes what is damaged or left over from processes that died, then the entries used longest ago.
  Expected<Pruned> prune(int64_t limit) const;

  const Directory &root() const { return top; }

private:
  DiskCache(Directory top, Directory kernels) : top(std::move(top)), kernels(std::move(kernels)) {}
  Listed examine(const std::string &digest, bool verify) const;
  Expected<void> discard(const std::string &digest) const;
  Expected<Pruned> evict(int64_t limit, const std::string &spared) const;
  void removeLocks() const;
  void removeLeftovers(std::string_view prefix, int64_t olderThan) const;

  Directory top, kernels;
};

} // namespace landmark::cache
#endif
