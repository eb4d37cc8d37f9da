// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cache/Directory.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace landmark::cache {

namespace {

constexpr int folderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t privateFolder = 0700, privateFile = 0600;

Error failure(const std::filesystem::path &path, std::string_view what, int code = errno) {
  return {code == ENOENT ? ErrorCode::NotFound : ErrorCode::IoError,
          fmt::format("{}: {} ({})", path.string(), what, std::strerror(code))};
}

/// Closes a descriptor at the end of its scope.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0)
      ::close(number);
  }
};

Expected<void> judge(int descriptor, const std::filesystem::path &path, Trust trust, struct stat &status) {
  if (::fstat(descriptor, &status) != 0)
    return failure(path, "cannot be examined");
  bool owned = status.st_uid == ::geteuid() || (trust == Trust::OwnOrRoot && status.st_uid == 0);
  if (!owned)
    return Error{ErrorCode::IoError,
                 fmt::format("{}: not trusted: it belongs to user {}", path.string(), status.st_uid)};
  if (status.st_mode & (S_IWGRP | S_IWOTH))
    return Error{ErrorCode::IoError, fmt::format("{}: not trusted: others may write to it (mode {:04o})", path.string(),
                                                 status.st_mode & 07777)};
  return {};
}

Expected<void> writeAll(int descriptor, std::string_view contents, const std::filesystem::path &path) {
  while (!contents.empty()) {
    ssize_t written = ::write(descriptor, contents.data(), contents.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return failure(path, "cannot be written");
    contents.remove_prefix(std::size_t(written));
  }
  return {};
}

Expected<std::string> readAll(int descriptor, std::size_t size, const std::filesystem::path &path) {
  std::string contents(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    ssize_t part = ::read(descriptor, contents.data() + got, size - got);
    if (part < 0 && errno == EINTR)
      continue;
    if (part < 0)
      return failure(path, "cannot be read");
    if (part == 0)
      return Error{ErrorCode::IoError, fmt::format("{}: shorter than it was", path.string())};
    got += std::size_t(part);
  }
  return contents;
}

std::string uniqueName(const std::string &prefix) {
  static std::atomic<unsigned> counter = 0;
  auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return fmt::format("{}{}-{:x}-{}", prefix, ::getpid(), now, counter++);
}

} // namespace

Directory::Directory(int descriptor, std::filesystem::path place, Trust trust)
    : handle(new int(descriptor),
             [](const int *open) {
               ::close(*open);
               delete open;
             }),
      place(std::move(place)), trust(trust) {}

Expected<Directory> Directory::open(const std::filesystem::path &path, Trust trust) {
  int descriptor = ::open(path.c_str(), folderFlags);
  if (descriptor < 0)
    return failure(path, "cannot be opened");
  Directory folder(descriptor, path, trust);
  struct stat status;
  if (auto trusted = judge(descriptor, path, trust, status); !trusted)
    return trusted.error();
  return folder;
}

Expected<Directory> Directory::create(const std::filesystem::path &path) {
  std::filesystem::path made;
  for (const std::filesystem::path &part : path) {
    made /= part;
    if (::mkdir(made.c_str(), privateFolder) != 0 && errno != EEXIST && errno != EACCES && errno != EROFS &&
        errno != EISDIR)
      return failure(made, "cannot be created");
  }
  return open(path, Trust::Own);
}

Expected<Directory> Directory::opened(int descriptor, const std::string &name) const {
  if (descriptor < 0)
    return failure(place / name, "cannot be opened");
  Directory folder(descriptor, place / name, trust);
  struct stat status;
  if (auto trusted = judge(descriptor, folder.place, trust, status); !trusted)
    return trusted.error();
  return folder;
}

Expected<Directory> Directory::folder(const std::string &name) const {
  return opened(::openat(*handle, name.c_str(), folderFlags | O_NOFOLLOW), name);
}

Expected<Directory> Directory::createFolder(const std::string &name) const {
  if (::mkdirat(*handle, name.c_str(), privateFolder) != 0 && errno != EEXIST)
    return failure(place / name, "cannot be created");
  return folder(name);
}

Expected<std::vector<std::string>> Directory::names() const {
  int again = ::openat(*handle, ".", folderFlags);
  DIR *stream = again < 0 ? nullptr : ::fdopendir(again);
  if (!stream) {
    Error error = failure(place, "cannot be listed");
    if (again >= 0)
      ::close(again);
    return error;
  }
  std::vector<std::string> found;
  while (const dirent *entry = ::readdir(stream))
    if (std::string_view name = entry->d_name; name != "." && name != "..")
      found.emplace_back(name);
  ::closedir(stream);
  std::sort(found.begin(), found.end());
  return found;
}

Expected<std::string> Directory::read(const std::string &name, int64_t limit) const {
  // A pipe of that name must not make the reader wait.
  Descriptor file{::openat(*handle, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.number < 0)
    return failure(place / name, "cannot be opened");
  struct stat status;
  if (auto trusted = judge(file.number, place / name, trust, status); !trusted)
    return trusted.error();
  if (!S_ISREG(status.st_mode) || status.st_size > limit)
    return Error{ErrorCode::IoError, fmt::format("{}: no file of at most {} bytes", (place / name).string(), limit)};
  return readAll(file.number, std::size_t(status.st_size), place / name);
}

Expected<void> Directory::write(const std::string &name, std::string_view contents) const {
  Descriptor file{::openat(*handle, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, privateFile)};
  if (file.number < 0)
    return failure(place / name, "cannot be created");
  if (auto done = writeAll(file.number, contents, place / name); !done)
    return done;
  // Some file systems tell only now that the disk is full.
  int number = std::exchange(file.number, -1);
  return ::close(number) == 0 ? Expected<void>() : failure(place / name, "cannot be written");
}

Expected<void> Directory::replace(const std::string &name, std::string_view contents) const {
  std::string staged = uniqueName(".stage-");
  auto done = write(staged, contents);
  if (done)
    done = rename(staged, name);
  if (!done)
    ::unlinkat(*handle, staged.c_str(), 0);
  return done;
}

Expected<void> Directory::rename(const std::string &from, const std::string &to) const {
  if (::renameat(*handle, from.c_str(), *handle, to.c_str()) != 0)
    return failure(place / to, "cannot be put in its place");
  return {};
}

Expected<void> Directory::remove(const std::string &name) const {
  if (::unlinkat(*handle, name.c_str(), 0) == 0 || errno == ENOENT)
    return {};
  Descriptor inner{::openat(*handle, name.c_str(), folderFlags | O_NOFOLLOW)};
  if (inner.number < 0)
    return failure(place / name, "cannot be removed");
  Directory folder(std::exchange(inner.number, -1), place / name, trust);
  auto inside = folder.names();
  if (!inside)
    return inside.error();
  for (const std::string &one : *inside)
    if (auto done = folder.remove(one); !done)
      return done;
  if (::unlinkat(*handle, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)
    return {};
  return failure(place / name, "cannot be removed");
}

Expected<std::string> Directory::createUnique(const std::string &prefix) const {
  std::string name = uniqueName(prefix);
  if (::mkdirat(*handle, name.c_str(), privateFolder) != 0)
    return failure(place / name, "cannot be created");
  return name;
}

int64_t Directory::bytes() const {
  int64_t sum = 0;
  auto inside = names();
  if (!inside)
    return 0;
  for (const std::string &name : *inside) {
    struct stat status;
    if (::fstatat(*handle, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
      sum += status.st_size;
  }
  return sum;
}

int64_t Directory::touched() const {
  struct stat status;
  if (::fstat(*handle, &status) != 0)
    return 0;
  return int64_t(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
}

void Directory::touch() const { ::futimens(*handle, nullptr); }

std::shared_ptr<FileLock> FileLock::acquire(const Directory &folder, const std::string &name, int milliseconds) {
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  auto pause = std::chrono::milliseconds(1);
  while (true) {
    int file = ::openat(folder.descriptor(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, privateFile);
    if (file < 0)
      return nullptr;
    struct stat held, named;
    bool locked = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) {
      ::close(file);
      return nullptr;
    }
    // Whoever held it before may have removed the file, and somebody else may hold a new one.
    if (locked && ::fstat(file, &held) == 0 &&
        ::fstatat(folder.descriptor(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino)
      return std::shared_ptr<FileLock>(new FileLock(file, folder, name));
    ::close(file);
    if (std::chrono::steady_clock::now() >= end)
      return nullptr;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(20));
  }
}

/// Unlocked by name: a child that was forked meanwhile shares the open file, and closing ours alone would leave it
/// locked.
FileLock::~FileLock() {
  ::flock(descriptor, LOCK_UN);
  ::close(descriptor);
}

void FileLock::discard() { ::unlinkat(folder.descriptor(), name.c_str(), 0); }

} // namespace landmark::cache
