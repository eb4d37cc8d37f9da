// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folders that are read and written without trusting anybody: everything is opened relative to an open folder, links
// are not followed, and what another user owns or may write to is refused.
#ifndef LANDMARK_RUNTIME_CACHE_DIRECTORY_H
#define LANDMARK_RUNTIME_CACHE_DIRECTORY_H

#include "landmark/Expected.h"

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace landmark::cache {

/// Whose files are believed. Never those that others may write to.
enum class Trust {
  Own,       ///< those of this process's user
  OwnOrRoot, ///< also those that the administrator installed
};

/// An open folder. Copies share it. Errors are IoErrors, NotFound where there is no such file or folder.
class Directory {
public:
  /// The folder itself may be reached through links.
  static Expected<Directory> open(const std::filesystem::path &path, Trust trust);
  /// The same; creates it, and the folders above it, with mode 0700 where they are missing.
  static Expected<Directory> create(const std::filesystem::path &path);

  const std::filesystem::path &path() const { return place; }
  Expected<Directory> folder(const std::string &name) const;
  Expected<Directory> createFolder(const std::string &name) const;

  /// Names of what lies in it, sorted, hidden ones included.
  Expected<std::vector<std::string>> names() const;
  /// A regular file of at most `limit` bytes.
  Expected<std::string> read(const std::string &name, int64_t limit) const;
  /// A new file of mode 0600; fails if the name is taken.
  Expected<void> write(const std::string &name, std::string_view contents) const;
  /// A file that readers see either in its old or in its new form.
  Expected<void> replace(const std::string &name, std::string_view contents) const;
  Expected<void> rename(const std::string &from, const std::string &to) const;
  /// A file, or a folder with everything in it. Nothing there is no error.
  Expected<void> remove(const std::string &name) const;

  /// A new empty folder `prefix` + something unique.
  Expected<std::string> createUnique(const std::string &prefix) const;
  /// Sum of the sizes of the files in it, one level deep.
  int64_t bytes() const;
  /// When the folder was changed or touched last; nanoseconds since 1970.
  int64_t touched() const;
  /// Sets that to now, where this is allowed.
  void touch() const;

  int descriptor() const { return *handle; }

private:
  Directory(int descriptor, std::filesystem::path place, Trust trust);
  Expected<Directory> opened(int descriptor, const std::string &name) const;

  std::shared_ptr<const int> handle;
  std::filesystem::path place;
  Trust trust;
};

/// A lock that processes and threads exclude each other with, named by a file. It ends with its holder, however that
/// ends.
class FileLock {
public:
  /// Waits for at most `milliseconds`. Without a value where the lock was not to be had: held for longer, or the folder
  /// cannot be written or its file system knows no locks.
  static std::shared_ptr<FileLock> acquire(const Directory &folder, const std::string &name, int milliseconds);
  ~FileLock();
  FileLock(const FileLock &) = delete;

  /// Removes the file, so that the next one to lock makes a new one.
  void discard();

private:
  FileLock(int descriptor, Directory folder, std::string name)
      : descriptor(descriptor), folder(std::move(folder)), name(std::move(name)) {}

  int descriptor;
  Directory folder;
  std::string name;
};

} // namespace landmark::cache
#endif
