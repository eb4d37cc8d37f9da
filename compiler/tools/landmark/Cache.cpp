// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark cache: what is kept on disk.
#include "Command.h"
#include "Knobs.h"
#include "cache/DiskCache.h"

#include <algorithm>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark::tool {

namespace {

using cache::DiskCache;
using cache::Listed;

struct Options {
  std::string dir;
  bool json = false;
  int64_t limit = -1;
};

/// The folder that --dir or the environment names. Listing must not create it.
Expected<std::optional<DiskCache>> openCache(const Options &options) {
  std::filesystem::path root =
      options.dir.empty() ? Knobs::fromEnvironment().cacheDir : std::filesystem::path(options.dir);
  if (root.empty())
    return Error{ErrorCode::NotFound,
                 "cache: it is switched off (LANDMARK_CACHE), or there is no home folder to put it in"};
  auto cache = DiskCache::open(root, cache::Trust::Own);
  if (cache)
    return std::optional(std::move(*cache));
  if (cache.error().code != ErrorCode::NotFound)
    return cache.error();
  fmt::print("{}: there is no cache yet\n", root.string());
  return std::optional<DiskCache>();
}

std::string describe(const Listed &entry) {
  if (!entry.manifest)
    return "-";
  const cache::Manifest &manifest = *entry.manifest;
  return fmt::format("{} L={} D={} {} {} q{} k{} w{} s{} {} {}", manifest.field("operation"), manifest.field("block_size"),
                     manifest.field("head_dim"), manifest.field("dtype"), manifest.field("target"),
                     manifest.field("query_tile"), manifest.field("key_tile"), manifest.field("warps"),
                     manifest.field("stages"), manifest.field("unit"), manifest.field("loads"));
}

std::string when(int64_t nanoseconds) {
  return fmt::format("{:%F %T}", fmt::gmtime(std::time_t(nanoseconds / 1'000'000'000)));
}

void printText(const DiskCache &cache, const std::vector<Listed> &entries) {
  int64_t bytes = 0;
  for (const Listed &entry : entries) {
    bytes += entry.bytes;
    fmt::print("{:.12}  {:>9}  {}  {}{}\n", entry.digest, entry.bytes, when(entry.touched), describe(entry),
               entry.damage.empty() ? "" : fmt::format("  DAMAGED: {}", entry.damage));
  }
  fmt::print("{}: {} entries, {:.1f} MiB\n", cache.root().path().string(), entries.size(), double(bytes) / (1 << 20));
}

void printJson(const DiskCache &cache, const std::vector<Listed> &entries) {
  nlohmann::ordered_json all = {{"folder", cache.root().path().string()}, {"entries", nlohmann::ordered_json::array()}};
  for (const Listed &entry : entries) {
    nlohmann::ordered_json one = {{"key", entry.digest}, {"bytes", entry.bytes}, {"used", when(entry.touched)}};
    if (!entry.damage.empty())
      one["damage"] = entry.damage;
    if (entry.manifest) {
      one["made"] = entry.manifest->made;
      for (const cache::Field &field : entry.manifest->fields)
        one["fields"][field.name] = field.value;
      for (const auto &[name, file] : entry.manifest->files)
        one["files"][name] = file.bytes;
    }
    all["entries"].push_back(std::move(one));
  }
  fmt::print("{}\n", all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Expected<void> list(const Options &options, bool verify) {
  auto cache = openCache(options);
  if (!cache || !*cache)
    return cache ? Expected<void>() : cache.error();
  auto entries = (*cache)->list(verify);
  if (!entries)
    return entries.error();
  (options.json ? printJson : printText)(**cache, *entries);
  auto damaged =
      std::count_if(entries->begin(), entries->end(), [](const Listed &entry) { return !entry.damage.empty(); });
  if (!verify || damaged == 0)
    return {};
  return Error{ErrorCode::IoError,
               fmt::format("{} of {} entries are damaged; they are never used, and 'landmark cache prune' removes them",
                           damaged, entries->size())};
}

Expected<void> remove(const Options &options, bool everything) {
  auto cache = openCache(options);
  if (!cache || !*cache)
    return cache ? Expected<void>() : cache.error();
  constexpr int64_t mebibyte = 1 << 20;
  int64_t limit = options.limit < 0 ? Knobs::fromEnvironment().cacheLimit : options.limit * mebibyte;
  auto removed = everything ? (*cache)->clear() : (*cache)->prune(limit);
  if (!removed)
    return removed.error();
  fmt::print("{}: removed {} entries, {:.1f} MiB\n", (*cache)->root().path().string(), removed->entries,
             double(removed->bytes) / mebibyte);
  return {};
}

} // namespace

Command addCache(CLI::App &app) {
  auto options = std::make_shared<Options>();
  auto run = std::make_shared<std::function<Expected<void>()>>();
  CLI::App *command = app.add_subcommand("cache", "List, check and clear the kernels kept on disk");
  command->require_subcommand(1);
  command->footer(
      "The cache lies in LANDMARK_CACHE_DIR, else in $XDG_CACHE_HOME/landmark-jit, else in ~/.cache/landmark-jit.\n"
      "Tuning results beside it are kept by clear and prune.");
  auto add = [&](const char *name, const char *text, std::function<Expected<void>()> action) {
    CLI::App *sub = command->add_subcommand(name, text);
    sub->add_option("--dir", options->dir, "Folder of the cache or of a bundle (default: as the environment names it)");
    sub->callback([run, action] { *run = action; });
    return sub;
  };
  CLI::App *listing = add("list", "Show what is there", [options] { return list(*options, false); });
  CLI::App *verifying = add("verify", "Read and check every entry; exit code 1 if one is damaged",
                            [options] { return list(*options, true); });
  for (CLI::App *sub : {listing, verifying})
    sub->add_flag("--json", options->json, "Print JSON");
  add("clear", "Remove every kernel", [options] { return remove(*options, true); });
  add("prune", "Remove damaged entries and leftovers, then those used longest ago beyond the limit",
      [options] { return remove(*options, false); })
      ->add_option("--limit", options->limit, "MiB to keep (default: LANDMARK_CACHE_LIMIT)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40));
  return {command, [run] { return (*run)(); }};
}

} // namespace landmark::tool
