// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Knobs.h"

#include <charconv>
#include <cstdlib>
#include <fmt/format.h>
#include <limits>
#include <string_view>
#include <thread>

namespace landmark {

namespace {

constexpr KnobInfo knobs[] = {
    {"LANDMARK_TEMPLATE_DIR", "a folder", "", true,
     "Its files replace built-in templates of the same name, where a call names no folder of its own. A kernel's key "
     "holds the text of its template, not the place."},
    {"LANDMARK_NUM_THREADS", "1 to 1024", "the machine's threads", false, "Threads that a host kernel runs on."},
    {"LANDMARK_CACHE", "on, off", "on", false, "Whether kernels are kept on disk."},
    {"LANDMARK_CACHE_DIR", "a folder", "$XDG_CACHE_HOME/landmark-jit, else $HOME/.cache/landmark-jit", false,
     "Where compiled kernels and tuning results are kept. Created with mode 0700; not trusted where another user owns "
     "it or may write to it."},
    {"LANDMARK_CACHE_LIMIT", "MiB", "1024", false,
     "Size that the kernels on disk may take; those used longest ago go first."},
    {"LANDMARK_BUNDLE", "a folder", "", false,
     "Kernels compiled ahead of time (landmark compile --all-configs), asked before the cache."},
    {"LANDMARK_STRICT", "on, off", "off", false,
     "Compile nothing: a kernel that neither the bundle nor the cache holds is an error."},
    {"LANDMARK_TIERS", "on, off", "on", false,
     "Run a forward that nobody has kept as its baseline, which is compiled sooner, until the optimized kernel is compiled "
     "in the background; off: wait for that one. Both compute the same bits."},
    {"LANDMARK_TUNE", "off, cached, on", "cached", true,
     "How a schedule is chosen where none is given: the shipped default; what landmark tune found for this device "
     "earlier; the same, and measured at the first request if it is not known yet. The schedule is in a kernel's key."},
    {"LANDMARK_DUMP", "a folder", "", false,
     "Receives every stage of every kernel; kernels are then compiled even where the cache holds them."},
    {"LANDMARK_REPRODUCER_DIR", "a folder", "LANDMARK_DUMP, else reproducers in the cache", false,
     "Receives a file that replays the failure of a pass, a code generator or an assembler; the error says how."},
    {"LANDMARK_PTXAS", "a file, off", "ptxas of PATH or of /usr/local/cuda/bin", false,
     "Assembles PTX. Without it the GPU's driver does, whose machine code for kernels that move registers between warps "
     "is not kept on disk, but by the driver."},
    {"LANDMARK_NVTX", "on, off, a file", "off", false,
     "Ranges for profilers (NVTX) around compiling, loading and launching, by libnvToolsExt, libnvtx3interop or the "
     "library named, if it is there."},
    {"LANDMARK_LOG", "a file, stderr", "", false, "Receives the log, one JSON object a line."},
};

/// Reads variables and collects what cannot be understood.
class Reader {
public:
  explicit Reader(std::vector<std::string> &refused) : refused(refused) {}

  static std::string_view text(const char *variable) {
    const char *value = std::getenv(variable);
    return value ? value : "";
  }

  int64_t number(const char *variable, int64_t least, int64_t most, int64_t fallback) {
    std::string_view value = text(variable);
    int64_t result = 0;
    auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (value.empty())
      return fallback;
    if (failure == std::errc() && end == value.data() + value.size() && result >= least && result <= most)
      return result;
    refused.push_back(fmt::format("{}: got '{}'; it must be a number from {} to {}; {} is used", variable, value, least,
                                  most, fallback));
    return fallback;
  }

  template <typename Value, std::size_t Count>
  Value choice(const char *variable, const std::pair<std::string_view, Value> (&choices)[Count], Value fallback) {
    std::string_view value = text(variable);
    std::string allowed, used;
    for (const auto &[name, meaning] : choices) {
      if (value == name)
        return meaning;
      allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", name);
      used = meaning == fallback && used.empty() ? std::string(name) : used;
    }
    if (!value.empty())
      refused.push_back(fmt::format("{}: got '{}'; it must be one of {}; {} is used", variable, value, allowed, used));
    return fallback;
  }

  bool flag(const char *variable, bool fallback) {
    constexpr std::pair<std::string_view, bool> choices[] = {{"on", true}, {"off", false}, {"1", true}, {"0", false}};
    return choice(variable, choices, fallback);
  }

private:
  std::vector<std::string> &refused;
};

std::filesystem::path cacheFolder() {
  if (auto named = Reader::text("LANDMARK_CACHE_DIR"); !named.empty())
    return std::filesystem::path(named);
  // The XDG base directory specification has relative paths ignored.
  if (std::filesystem::path base = Reader::text("XDG_CACHE_HOME"); base.is_absolute())
    return base / "landmark-jit";
  if (std::filesystem::path home = Reader::text("HOME"); home.is_absolute())
    return home / ".cache" / "landmark-jit";
  return {};
}

} // namespace

std::span<const KnobInfo> Knobs::table() { return knobs; }

Knobs Knobs::fromEnvironment() {
  constexpr std::pair<std::string_view, TuneMode> tuneModes[] = {
      {"off", TuneMode::Off}, {"cached", TuneMode::Cached}, {"on", TuneMode::On}};
  constexpr int64_t mebibyte = 1 << 20, mostMebibytes = std::numeric_limits<int64_t>::max() / mebibyte;
  Knobs knobs;
  Reader read(knobs.refused);
  knobs.templateDir = read.text("LANDMARK_TEMPLATE_DIR");
  int machine = int(std::max(1u, std::thread::hardware_concurrency()));
  knobs.threads = int(read.number("LANDMARK_NUM_THREADS", 1, 1024, machine));
  if (read.flag("LANDMARK_CACHE", true))
    knobs.cacheDir = cacheFolder();
  knobs.cacheLimit = mebibyte * read.number("LANDMARK_CACHE_LIMIT", 0, mostMebibytes, 1024);
  knobs.bundle = read.text("LANDMARK_BUNDLE");
  knobs.strict = read.flag("LANDMARK_STRICT", false);
  knobs.tiers = read.flag("LANDMARK_TIERS", true);
  knobs.tune = read.choice("LANDMARK_TUNE", tuneModes, TuneMode::Cached);
  knobs.dumpDir = read.text("LANDMARK_DUMP");
  knobs.reproducerDir = read.text("LANDMARK_REPRODUCER_DIR");
  if (knobs.reproducerDir.empty())
    knobs.reproducerDir = knobs.dumpDir;
  if (knobs.reproducerDir.empty() && !knobs.cacheDir.empty())
    knobs.reproducerDir = knobs.cacheDir / "reproducers";
  knobs.ptxas = read.text("LANDMARK_PTXAS");
  if (auto wanted = read.text("LANDMARK_NVTX"); !wanted.empty())
    knobs.nvtx = wanted;
  knobs.log = read.text("LANDMARK_LOG");
  return knobs;
}

Knobs Knobs::with(const RuntimeOptions &options) const {
  Knobs knobs = *this;
  if (options.cacheDir)
    knobs.cacheDir = *options.cacheDir;
  if (options.bundle)
    knobs.bundle = *options.bundle;
  knobs.cacheLimit = options.cacheLimit.value_or(cacheLimit);
  knobs.strict = options.strict.value_or(strict);
  knobs.tiers = options.tiers.value_or(tiers);
  knobs.tune = options.tune.value_or(tune);
  return knobs;
}

CompileOptions Knobs::complete(CompileOptions options) const {
  if (options.templateDir.empty())
    options.templateDir = templateDir;
  if (options.reproducerDir.empty())
    options.reproducerDir = options.dumpDir.empty() ? reproducerDir : options.dumpDir;
  if (options.ptxas.empty())
    options.ptxas = ptxas;
  return options;
}

} // namespace landmark
