// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cache/DiskCache.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark::cache {

namespace {

constexpr const char *kernelsFolder = "kernels", *locksFolder = "locks", *stagePrefix = ".stage-",
                     *trashPrefix = ".trash-";
/// A compilation takes seconds: whoever holds a lock for longer hangs.
constexpr int longestWait = 120'000;
/// What a dead process left behind is this old before others clear it away.
constexpr int64_t staleAfter = int64_t(3600) * 1'000'000'000;

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool isDigest(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

/// Names of the fields in which an entry differs from a key, with both values.
std::vector<std::string> differences(const Key &key, const Manifest &manifest) {
  std::vector<std::string> found;
  for (const Field &field : key.fields) {
    std::string wanted = field.shown(), there = manifest.field(field.name);
    if (wanted != there)
      found.push_back(fmt::format("{}: {} there, {} wanted", field.name, there.empty() ? "nothing" : there, wanted));
  }
  for (const Field &field : manifest.fields)
    if (std::none_of(key.fields.begin(), key.fields.end(), [&](const Field &one) { return one.name == field.name; }))
      found.push_back(fmt::format("{}: {} there, nothing wanted", field.name, field.value));
  return found;
}

} // namespace

Expected<DiskCache> DiskCache::create(const std::filesystem::path &root) {
  auto top = Directory::create(root);
  if (!top)
    return top.error();
  auto kernels = top->createFolder(kernelsFolder);
  if (!kernels)
    return kernels.error();
  return DiskCache(std::move(*top), std::move(*kernels));
}

Expected<DiskCache> DiskCache::open(const std::filesystem::path &root, Trust trust) {
  auto top = Directory::open(root, trust);
  if (!top)
    return top.error();
  auto kernels = top->folder(kernelsFolder);
  if (!kernels)
    return kernels.error();
  return DiskCache(std::move(*top), std::move(*kernels));
}

Expected<std::pair<Manifest, Files>> DiskCache::find(const Key &key) const {
  auto entry = kernels.folder(key.digest);
  if (!entry)
    return entry.error();
  auto damaged = [](const Error &error) { return Error{ErrorCode::IoError, error.message}; };
  auto manifest = readManifest(*entry);
  if (!manifest)
    return damaged(manifest.error());
  if (manifest->digest != key.digest)
    return Error{ErrorCode::IoError, "the manifest is that of another entry"};
  auto files = readFiles(*entry, *manifest);
  if (!files)
    return damaged(files.error());
  entry->touch();
  return std::pair(std::move(*manifest), std::move(*files));
}

std::string DiskCache::explainMiss(const Key &key) const {
  auto found = find(key);
  if (found)
    return "the entry is there";
  if (found.error().code != ErrorCode::NotFound)
    return fmt::format("the entry is not to be believed: {}", found.error().message);
  auto all = list(/*verify=*/false);
  std::vector<std::string> fewest;
  std::string nearest;
  for (const Listed &entry : all ? *all : std::vector<Listed>()) {
    if (!entry.manifest)
      continue;
    auto differing = differences(key, *entry.manifest);
    if (nearest.empty() || differing.size() < fewest.size()) {
      fewest = std::move(differing);
      nearest = entry.digest;
    }
  }
  if (nearest.empty())
    return "the cache is empty";
  return fmt::format("no entry has this key; the nearest, {:.12}, differs in {}", nearest, fmt::join(fewest, "; "));
}

std::shared_ptr<FileLock> DiskCache::lock(const Key &key) const {
  auto locks = top.createFolder(locksFolder);
  return locks ? FileLock::acquire(*locks, key.digest, longestWait) : nullptr;
}

Expected<void> DiskCache::store(const Manifest &manifest, const Files &files, int64_t limit, bool locked) const {
  std::string prefix = fmt::format("{}{}-", stagePrefix, manifest.digest);
  removeLeftovers(prefix, locked ? 0 : staleAfter);
  auto staged = kernels.createUnique(prefix);
  if (!staged)
    return staged.error();
  auto fill = [&]() -> Expected<void> {
    auto folder = kernels.folder(*staged);
    if (!folder)
      return folder.error();
    for (const auto &[name, contents] : files)
      if (auto done = folder->write(name, contents); !done)
        return done;
    return folder->write(Manifest::fileName, render(manifest));
  };
  auto done = fill();
  if (done)
    done = discard(manifest.digest);
  if (done)
    done = kernels.rename(*staged, manifest.digest);
  if (!done) {
    static_cast<void>(kernels.remove(*staged));
    return done;
  }
  auto evicted = evict(limit, manifest.digest);
  return evicted ? Expected<void>() : evicted.error();
}

/// Moved out of the way first: nobody sees half an entry.
Expected<void> DiskCache::discard(const std::string &digest) const {
  std::string trash = fmt::format("{}{}-{}", trashPrefix, digest, now());
  if (auto moved = kernels.rename(digest, trash); !moved)
    return moved.error().code == ErrorCode::NotFound ? Expected<void>() : moved;
  // What cannot be removed is out of the way all the same; pruning tries again.
  static_cast<void>(kernels.remove(trash));
  return {};
}

Listed DiskCache::examine(const std::string &digest, bool verify) const {
  Listed listed{.digest = digest, .manifest = {}, .damage = {}};
  auto entry = kernels.folder(digest);
  if (!entry) {
    listed.damage = entry.error().message;
    return listed;
  }
  listed.bytes = entry->bytes();
  listed.touched = entry->touched();
  auto manifest = readManifest(*entry);
  if (!manifest) {
    listed.damage = manifest.error().message;
    return listed;
  }
  if (manifest->digest != digest)
    listed.damage = "the manifest is that of another entry";
  else if (verify)
    if (auto files = readFiles(*entry, *manifest); !files)
      listed.damage = files.error().message;
  listed.manifest = std::move(*manifest);
  return listed;
}

Expected<std::vector<Listed>> DiskCache::list(bool verify) const {
  auto names = kernels.names();
  if (!names)
    return names.error();
  std::vector<Listed> all;
  for (const std::string &name : *names)
    if (isDigest(name))
      all.push_back(examine(name, verify));
  return all;
}

void DiskCache::removeLeftovers(std::string_view prefix, int64_t olderThan) const {
  auto names = kernels.names();
  if (!names)
    return;
  for (const std::string &name : *names) {
    if (!name.starts_with(prefix))
      continue;
    auto folder = kernels.folder(name);
    if (!folder || now() - folder->touched() >= olderThan)
      static_cast<void>(kernels.remove(name));
  }
}

Expected<Pruned> DiskCache::evict(int64_t limit, const std::string &spared) const {
  auto names = kernels.names();
  if (!names)
    return names.error();
  std::vector<Listed> all;
  int64_t sum = 0;
  for (const std::string &name : *names)
    if (auto entry = kernels.folder(name); entry && isDigest(name)) {
      all.push_back(
          {.digest = name, .manifest = {}, .damage = {}, .bytes = entry->bytes(), .touched = entry->touched()});
      sum += all.back().bytes;
    }
  std::sort(all.begin(), all.end(), [](const Listed &a, const Listed &b) { return a.touched < b.touched; });
  Pruned pruned;
  for (const Listed &entry : all) {
    if (sum - pruned.bytes <= limit)
      break;
    if (entry.digest == spared)
      continue;
    if (auto done = discard(entry.digest); !done)
      return done.error();
    ++pruned.entries;
    pruned.bytes += entry.bytes;
  }
  return pruned;
}

/// Those of entries that are not there, unless somebody holds them.
void DiskCache::removeLocks() const {
  auto locks = top.folder(locksFolder);
  auto names = locks ? locks->names() : locks.error();
  for (const std::string &name : names ? *names : std::vector<std::string>())
    if (!kernels.folder(name))
      if (auto lock = FileLock::acquire(*locks, name, 0))
        lock->discard();
}

Expected<Pruned> DiskCache::clear() const {
  auto names = kernels.names();
  if (!names)
    return names.error();
  Pruned pruned;
  for (const std::string &name : *names) {
    auto entry = kernels.folder(name);
    int64_t bytes = entry ? entry->bytes() : 0;
    if (auto done = isDigest(name) ? discard(name) : kernels.remove(name); !done)
      return done.error();
    pruned.entries += isDigest(name);
    pruned.bytes += bytes;
  }
  removeLocks();
  return pruned;
}

Expected<Pruned> DiskCache::prune(int64_t limit) const {
  removeLeftovers(stagePrefix, staleAfter);
  removeLeftovers(trashPrefix, 0);
  auto all = list(/*verify=*/true);
  if (!all)
    return all.error();
  Pruned pruned;
  for (const Listed &entry : *all) {
    if (entry.damage.empty())
      continue;
    if (auto done = discard(entry.digest); !done)
      return done.error();
    ++pruned.entries;
    pruned.bytes += entry.bytes;
  }
  auto evicted = evict(limit, "");
  if (!evicted)
    return evicted.error();
  removeLocks();
  return Pruned{pruned.entries + evicted->entries, pruned.bytes + evicted->bytes};
}

} // namespace landmark::cache
