// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Bundle.h"

#include "Assembler.h"
#include "Command.h"
#include "Progress.h"
#include "ThreadPool.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>

namespace landmark::tool {

namespace {

using Json = nlohmann::ordered_json;

Error refuse(std::string why) { return {ErrorCode::InvalidArgument, "--all-configs: " + std::move(why)}; }

constexpr const char *members[] = {"operation", "block_size", "head_dim", "dtype", "gradient_dtype", "deterministic", "top_k", "target", "length", "config"};

/// One object for each combination of the arrays' elements.
std::vector<Json> expand(const Json &entry) {
  for (const auto &[name, value] : entry.items()) {
    if (!value.is_array())
      continue;
    std::vector<Json> all;
    for (const Json &one : value) {
      Json single = entry;
      single[name] = one;
      for (Json &expanded : expand(single))
        all.push_back(std::move(expanded));
    }
    return all;
  }
  return {entry};
}

Expected<std::string> textOf(const Json &entry, const char *name, std::string fallback) {
  if (!entry.contains(name))
    return fallback;
  if (!entry[name].is_string())
    return refuse(fmt::format("\"{}\": got {}; it must be a text or an array of texts", name, entry[name].dump()));
  return entry[name].get<std::string>();
}

Expected<int64_t> numberOf(const Json &entry, const char *name, int64_t fallback) {
  if (!entry.contains(name))
    return fallback;
  if (!entry[name].is_number_integer())
    return refuse(fmt::format("\"{}\": got {}; it must be a number or an array of numbers", name, entry[name].dump()));
  return entry[name].get<int64_t>();
}

Expected<Problem> problemOf(const Json &entry) {
  const ProblemOptions defaults;
  ProblemOptions problem;
  for (auto [name, fallback, member] : {std::tuple{"operation", &defaults.operation, &problem.operation},
                                        {"dtype", &defaults.dtype, &problem.dtype},
                                        {"gradient_dtype", &defaults.gradientType, &problem.gradientType}}) {
    auto text = textOf(entry, name, *fallback);
    if (!text)
      return text.error();
    *member = std::move(*text);
  }
  for (auto [name, fallback, member] : {std::tuple{"block_size", defaults.blockSize, &problem.blockSize},
                                        {"head_dim", defaults.headDim, &problem.headDim},
                                        {"top_k", defaults.topK, &problem.topK}}) {
    auto number = numberOf(entry, name, fallback);
    if (!number)
      return number.error();
    *member = *number;
  }
  if (entry.contains("deterministic")) {
    if (!entry["deterministic"].is_boolean())
      return refuse(fmt::format("\"deterministic\": got {}; it must be true or false", entry["deterministic"].dump()));
    problem.deterministic = entry["deterministic"];
  }
  return problem.parse();
}

/// The classes of lengths that an entry's kernels are for.
Expected<std::vector<LengthClass>> lengthsOf(const Json &entry) {
  if (!entry.contains("length"))
    return std::vector{LengthClass::Short, LengthClass::Long};
  auto keys = numberOf(entry, "length", 0);
  if (!keys || *keys < 1)
    return keys ? refuse(fmt::format("\"length\": got {}; it must be at least 1", *keys)) : keys.error();
  return std::vector{lengthClass(*keys)};
}

/// Adds an entry's kernels, each once: lengths of one schedule share theirs.
Expected<void> addRequests(const Json &entry, const CompileOptions &options, std::vector<KernelRequest> &requests) {
  for (const auto &[name, value] : entry.items())
    if (std::find(std::begin(members), std::end(members), name) == std::end(members))
      return refuse(fmt::format("\"{}\" is not one of {}", name, fmt::join(members, ", ")));
  auto problem = problemOf(entry);
  if (!problem)
    return problem.error();
  auto target = textOf(entry, "target", "");
  if (!target || target->empty())
    return target ? refuse("an entry has no \"target\"") : target.error();
  auto chip = parseTarget(*target);
  if (!chip)
    return chip.error();
  auto text = textOf(entry, "config", "");
  auto lengths = lengthsOf(entry);
  if (!text || !lengths)
    return text ? lengths.error() : text.error();
  for (LengthClass length : *lengths) {
    auto config = parseConfig(*text, defaultConfig(*problem, *chip, length));
    if (!config)
      return config.error();
    if (auto legal = validate(*config, *problem, *chip); !legal)
      return legal.error();
    auto isSame = [&](const KernelRequest &other) { return other.problem == *problem && other.target == *chip && other.config == *config; };
    if (std::none_of(requests.begin(), requests.end(), isSame))
      requests.push_back({*problem, *config, *chip, options, {}});
  }
  return {};
}

Expected<std::vector<KernelRequest>> readList(const std::string &path, const CompileOptions &options) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return Error{ErrorCode::IoError, fmt::format("{}: cannot be read", path)};
  Json list = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array())
    return refuse(fmt::format("{} is no JSON array", path));
  std::vector<KernelRequest> requests;
  for (const Json &entry : list) {
    if (!entry.is_object())
      return refuse(fmt::format("got {}; every element must be an object", entry.dump()));
    for (const Json &single : expand(entry))
      if (auto added = addRequests(single, options, requests); !added)
        return added.error();
  }
  return requests;
}

/// Assembled if that is possible here, else as PTX.
Expected<bool> addTo(const KernelStore &bundle, KernelRequest request) {
  KernelAccount account;
  if (!request.target.isHost())
    request.assemble = [&](const Kernel &kernel) { return assembleAnywhere(kernel, request.options); };
  auto kernel = bundle.get(request, &account);
  bool assembled = bool(kernel);
  if (!kernel && kernel.error().code == ErrorCode::NotFound && request.assemble) {
    request.assemble = {};
    kernel = bundle.get(request, &account);
  }
  if (!kernel)
    return kernel.error();
  if (account.source == KernelAccount::Source::Compiler && !account.notStored.empty())
    return Error{ErrorCode::IoError, fmt::format("bundle: {}", account.notStored)};
  return assembled;
}

} // namespace

Expected<Cubin> assembleAnywhere(const Kernel &kernel, const CompileOptions &options) {
  auto assembled = assembleByPtxas(kernel, options);
  if (assembled || assembled.error().code != ErrorCode::NotFound)
    return assembled;
  if (Device device = Device::best(); device.target() == kernel.target)
    if (auto code = assemblerOf(device, options)(kernel); !code || !code->code.empty())
      return code;
  return assembled;
}

Expected<void> compileBundle(const std::string &list, const std::string &bundle, const CompileOptions &options) {
  auto requests = readList(list, options);
  if (!requests)
    return requests.error();
  Knobs environment = Knobs::fromEnvironment(), knobs;
  knobs.cacheDir = bundle;
  knobs.cacheLimit = std::numeric_limits<int64_t>::max();
  KernelStore store(knobs);
  std::mutex mutex;
  std::optional<Error> failed;
  int done = 0, ptxAlone = 0;
  {
    Progress progress;
    ThreadPool(environment.threads).run(int64_t(requests->size()), [&](int64_t i) {
      auto assembled = addTo(store, (*requests)[i]);
      std::lock_guard lock(mutex);
      if (!assembled)
        failed = assembled.error();
      ptxAlone += assembled && !*assembled;
      progress.show(++done, int(requests->size()), describe((*requests)[i].problem));
    });
  }
  if (failed)
    return *failed;
  fmt::print("{}: {} kernels\n", bundle, requests->size());
  if (ptxAlone > 0)
    fmt::print("{} of them as PTX alone, as there is no ptxas: strict programs will refuse them\n", ptxAlone);
  return {};
}

} // namespace landmark::tool
