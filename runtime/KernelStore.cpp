// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelStore.h"

#include "Log.h"
#include "Trace.h"

#include <chrono>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark {

using cache::DiskCache;

std::string_view name(KernelAccount::Source source) {
  switch (source) {
  case KernelAccount::Source::Bundle:
    return "bundle";
  case KernelAccount::Source::Disk:
    return "disk";
  case KernelAccount::Source::Compiler:
    return "compiler";
  }
  return "unknown";
}

namespace {

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

/// One request on its way.
class KernelStore::Retrieval {
public:
  Retrieval(const Knobs &knobs, const KernelRequest &request, cache::Key key, KernelAccount &account, bool explain)
      : knobs(knobs), request(request), key(std::move(key)), account(account), explain(explain) {
    account.digest = this->key.digest;
  }

  Expected<Kernel> run() {
    if (request.options.tier == Tier::Baseline)
      return runBaseline();
    if (auto opened = openFolders(); !opened)
      return opened.error();
    std::optional<Kernel> kernel = find();
    if (kernel && isComplete(*kernel))
      return std::move(*kernel);
    if (knobs.strict)
      return refuse(kernel.has_value());
    if (disk && explain)
      account.miss = mayRead() ? disk->explainMiss(key) : "stages are dumped, so the kernel is compiled";
    auto lock = disk ? disk->lock(key) : nullptr;
    // Another process may have been faster.
    if (mayRead() && !kernel)
      kernel = read(*disk, KernelAccount::Source::Disk);
    if (kernel && isComplete(*kernel))
      return std::move(*kernel);
    return make(std::move(kernel), lock != nullptr);
  }

  /// What the bundle or the cache has, where it is complete.
  std::optional<Kernel> runWithoutCompiling() {
    std::optional<Kernel> kernel = openFolders() ? find() : std::nullopt;
    return kernel && isComplete(*kernel) ? std::move(kernel) : std::nullopt;
  }

private:
  /// Used until the optimized kernel is there, which is the one that is kept.
  Expected<Kernel> runBaseline() {
    if (knobs.strict)
      return Error{ErrorCode::NotFound, fmt::format("'{}' for {}: LANDMARK_STRICT forbids to compile a baseline", describe(request.problem),
                                                    request.target.chip)};
    account.miss = account.notStored = "a baseline is not kept";
    return make(std::nullopt, /*locked=*/false);
  }

  bool mayRead() const { return disk && request.options.dumpDir.empty() && knobs.dumpDir.empty(); }

  std::optional<Kernel> find() {
    std::optional<Kernel> kernel = bundle ? read(*bundle, KernelAccount::Source::Bundle) : std::nullopt;
    if (!(kernel && isComplete(*kernel)) && mayRead())
      kernel = read(*disk, KernelAccount::Source::Disk);
    return kernel;
  }

  /// What is left to do of a kernel, then stores it.
  Expected<Kernel> make(std::optional<Kernel> kernel, bool locked) {
    bool isNew = !kernel;
    if (!kernel) {
      auto compiled = compile();
      if (!compiled)
        return compiled;
      kernel = std::move(*compiled);
      account.source = KernelAccount::Source::Compiler;
    }
    if (request.assemble && kernel->cubin.empty())
      if (auto assembled = assemble(*kernel); !assembled)
        return assembled.error();
    std::string assembler = kernel->cubin.empty() ? "" : account.assembler;
    if (disk && (isNew || isComplete(*kernel)))
      if (auto stored = disk->store(cache::manifestOf(key, *kernel, assembler), cache::filesOf(*kernel),
                                    knobs.cacheLimit, locked);
          !stored)
        account.notStored = stored.error().message;
    return std::move(*kernel);
  }

  Expected<void> assemble(Kernel &kernel) {
    TraceRange range([&] { return fmt::format("landmark: assemble {}", describe(kernel.problem)); });
    auto start = std::chrono::steady_clock::now();
    auto cubin = request.assemble(kernel);
    if (!cubin)
      return cubin.error();
    account.assembly = millisecondsSince(start);
    account.assembler = std::move(cubin->assembler);
    kernel.cubin = std::move(cubin->code);
    return {};
  }

  Expected<Kernel> compile() {
    TraceRange range([&] { return fmt::format("landmark: compile {}", describe(request.problem)); });
    CompileOptions options = request.options;
    options.config = request.config;
    options.onStage = [&](Stage stage, double milliseconds) { account.stages.emplace_back(stage, milliseconds); };
    if (options.dumpDir.empty() && !knobs.dumpDir.empty()) {
      std::error_code failed; // the compiler says what it cannot write
      options.dumpDir = std::filesystem::path(knobs.dumpDir) / key.digest.substr(0, 12);
      std::filesystem::create_directories(options.dumpDir, failed);
    }
    return Compiler().compile(request.problem, request.target, options);
  }

  bool isComplete(const Kernel &kernel) const { return !request.assemble || !kernel.cubin.empty(); }

  /// A bundle that was named must be there; the cache need not.
  Expected<void> openFolders() {
    if (!knobs.bundle.empty()) {
      auto opened = DiskCache::open(knobs.bundle, cache::Trust::OwnOrRoot);
      if (!opened)
        return Error{opened.error().code, fmt::format("bundle: {}", opened.error().message)};
      bundle = std::move(*opened);
    }
    if (knobs.cacheDir.empty()) {
      account.miss = account.notStored = "the cache is switched off";
      return {};
    }
    auto opened = DiskCache::create(knobs.cacheDir);
    if (opened)
      disk = std::move(*opened);
    else
      account.miss = account.notStored = opened.error().message;
    return {};
  }

  Error refuse(bool ptxAlone) const {
    std::string why = "no bundle is named (LANDMARK_BUNDLE)";
    if (ptxAlone)
      why = "there is only its PTX, and assembling takes long";
    else if (bundle)
      why = fmt::format("bundle: {}", bundle->explainMiss(key));
    return {ErrorCode::NotFound,
            fmt::format("'{}' for {} with {}: there is no such kernel, and LANDMARK_STRICT forbids to compile it ({})",
                        describe(request.problem), request.target.chip, describe(request.config), why)};
  }

  std::optional<Kernel> read(const DiskCache &from, KernelAccount::Source source) {
    auto found = from.find(key);
    if (!found) {
      if (found.error().code != ErrorCode::NotFound)
        Log::get().write("entry.refused", {{"key", key.digest}, {"reason", found.error().message}});
      return std::nullopt;
    }
    Kernel kernel =
        cache::kernelOf(found->first, std::move(found->second), request.problem, request.config, request.target);
    if (request.target.isHost())
      if (auto linked = loadHostObject(kernel); !linked) {
        Log::get().write("entry.refused", {{"key", key.digest}, {"reason", linked.error().message}});
        return std::nullopt;
      }
    account.source = source;
    return kernel;
  }

  const Knobs &knobs;
  const KernelRequest &request;
  const cache::Key key;
  KernelAccount &account;
  const bool explain;
  std::optional<DiskCache> bundle, disk;
};

namespace {

void log(const KernelRequest &request, const KernelAccount &account, const Expected<Kernel> &kernel) {
  if (!Log::get().on())
    return;
  nlohmann::ordered_json line = {{"problem", describe(request.problem)}, {"target", request.target.chip},
                                 {"config", describe(request.config)},   {"tier", name(request.options.tier)},
                                 {"key", account.digest},
                                 {"source", name(account.source)},       {"milliseconds", account.milliseconds}};
  for (auto [member, text] : {std::pair{"miss", &account.miss}, {"not_stored", &account.notStored}})
    if (!text->empty())
      line[member] = *text;
  for (auto [stage, milliseconds] : account.stages)
    line["stages"][std::string(name(stage))] = milliseconds;
  if (!account.assembler.empty())
    line["assembly"] = {{"by", account.assembler}, {"milliseconds", account.assembly}};
  if (!kernel)
    line["error"] = kernel.error().message;
  Log::get().write(kernel ? "kernel" : "kernel.failed", line);
}

} // namespace

Expected<Kernel> KernelStore::get(const KernelRequest &request, KernelAccount *account) const {
  auto start = std::chrono::steady_clock::now();
  if (auto legal = validate(request.config, request.problem, request.target); !legal)
    return legal.error();
  auto key = cache::keyOf(request.problem, request.config, request.target, request.options);
  if (!key)
    return key.error();
  KernelAccount unread;
  KernelAccount &told = account ? *account : unread;
  auto kernel = Retrieval(knobs, request, std::move(*key), told, account || Log::get().on()).run();
  told.milliseconds = millisecondsSince(start);
  log(request, told, kernel);
  return kernel;
}

std::optional<Kernel> KernelStore::find(const KernelRequest &request) const {
  auto start = std::chrono::steady_clock::now();
  auto key = cache::keyOf(request.problem, request.config, request.target, request.options);
  if (!key || !validate(request.config, request.problem, request.target))
    return std::nullopt;
  KernelAccount account;
  auto kernel = Retrieval(knobs, request, std::move(*key), account, /*explain=*/false).runWithoutCompiling();
  account.milliseconds = millisecondsSince(start);
  if (kernel)
    log(request, account, *kernel);
  return kernel;
}

} // namespace landmark
