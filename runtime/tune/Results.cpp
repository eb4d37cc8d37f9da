// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Results.h"

#include "Log.h"
#include "cache/Directory.h"
#include "cache/Key.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark::tune {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char *folderName = "tuning";
constexpr int64_t sizeLimit = 64 << 20;
constexpr int longestWait = 10'000;

Json toJson(const Problem &problem) {
  const auto &[operation, blockSize, headDim, dtype, floatGradients, topK, rotates, deterministic] = problem;
  return {{"operation", name(operation)},
          {"block_size", blockSize},
          {"head_dim", headDim},
          {"dtype", name(dtype)},
          {"float_gradients", floatGradients},
          {"top_k", topK},
          {"rotates", rotates},
          {"deterministic", deterministic}};
}

Json toJson(const Workload &workload) {
  return {{"batch", workload.batch},
          {"heads", workload.heads},
          {"kv_heads", workload.kvHeads},
          {"query_length", workload.queryLength},
          {"key_length", workload.keyLength}};
}

Json toJson(const std::vector<Timing> &timings) {
  Json all = Json::array();
  for (const Timing &timing : timings)
    all.push_back({{"config", describe(timing.config)},
                   {"median_ms", timing.medianMs},
                   {"fastest_ms", timing.fastestMs},
                   {"repeats", timing.repeats}});
  return all;
}

Json toJson(const Result &result) {
  Json rejected = Json::array();
  for (const Rejection &rejection : result.rejections)
    rejected.push_back({{"config", describe(rejection.config)}, {"reason", rejection.reason}});
  return {{"problem", toJson(result.problem)},
          {"workload", toJson(result.workload)},
          {"lengths", describe(lengthClass(result.workload.keyLength))},
          {"config", describe(result.best)},
          {"default", describe(result.initial)},
          {"date", result.date},
          {"driver", result.driver},
          {"version", result.version},
          {"compiler", cache::compilerHash()},
          {"candidates", result.candidates},
          {"seconds", result.seconds},
          {"finals", toJson(result.finals)},
          {"timings", toJson(result.timings)},
          {"rejected", rejected}};
}

/// An object with an array "results", whatever lay there.
Expected<Json> load(const cache::Directory &folder, const std::string &name) {
  auto text = folder.read(name, sizeLimit);
  if (!text)
    return text.error();
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("results") || !json["results"].is_array())
    return Error{ErrorCode::IoError, fmt::format("{}: no tuning results", (folder.path() / name).string())};
  return json;
}

bool isOf(const Json &result, const char *member, const Json &value) {
  return result.is_object() && result.contains(member) && result[member] == value;
}

/// Whether a result's workload is one of those: of the class of lengths, and with as many rows of each kind.
bool isAmong(const Json &result, const Matching &workloads) {
  const Json workload = result.value("workload", Json());
  if (workloads.length != LengthClass::Any) {
    bool known = workload.is_object() && workload.contains("key_length") && workload["key_length"].is_number_integer();
    if (!known || lengthClass(workload["key_length"].get<int64_t>()) != workloads.length)
      return false;
  }
  if (!workloads.rows)
    return true;
  Json wanted = toJson(*workloads.rows);
  for (const char *member : {"heads", "kv_heads", "query_length"})
    if (!isOf(workload, member, wanted[member]))
      return false;
  return true;
}

} // namespace

std::string fileNameOf(const Device &device) {
  std::string text = device.isHost() ? "host " + hostCpu().substr(0, hostCpu().find(' ')) : device.name(), slug;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    bool upper = c >= 'A' && c <= 'Z';
    slug += upper ? char(c - 'A' + 'a') : plain ? c : '-';
  }
  return slug + ".json";
}

Expected<void> save(const std::filesystem::path &cacheDir, const Device &device, const Result &result) {
  auto root = cache::Directory::create(cacheDir);
  auto folder = root ? root->createFolder(folderName) : root;
  if (!folder)
    return folder.error();
  std::string name = fileNameOf(device);
  auto lock = cache::FileLock::acquire(*folder, name + ".lock", longestWait);
  auto known = load(*folder, name);
  Json json = known ? std::move(*known)
                    : Json{{"device", device.name()}, {"target", device.target().chip}, {"results", Json::array()}};
  Json kept = Json::array({toJson(result)}), problem = toJson(result.problem), workload = toJson(result.workload);
  for (Json &earlier : json["results"])
    if (!isOf(earlier, "problem", problem) || !isOf(earlier, "workload", workload))
      kept.push_back(std::move(earlier));
  json["results"] = std::move(kept);
  return folder->replace(name, json.dump(1) + "\n");
}

std::optional<Config> find(const std::filesystem::path &cacheDir, const Device &device, const Problem &problem,
                           const Matching &workloads) {
  auto root = cache::Directory::open(cacheDir, cache::Trust::Own);
  auto folder = root ? root->folder(folderName) : root;
  auto json = folder ? load(*folder, fileNameOf(device)) : folder.error();
  if (!json) {
    if (json.error().code != ErrorCode::NotFound)
      Log::get().write("tuning.refused", {{"reason", json.error().message}});
    return std::nullopt;
  }
  Json wanted = toJson(problem);
  for (const Json &result : (*json)["results"]) {
    if (!isOf(result, "problem", wanted) || !isAmong(result, workloads) || !result.contains("config") || !result["config"].is_string())
      continue;
    auto config = parseConfig(result["config"].get<std::string>(), defaultConfig(problem, device.target()));
    if (config && validate(*config, problem, device.target()))
      return *config;
  }
  return std::nullopt;
}

bool anyResults(const Knobs &knobs) {
  std::error_code none;
  return knobs.tune != TuneMode::Off && !knobs.cacheDir.empty() &&
         std::filesystem::is_directory(knobs.cacheDir / folderName, none);
}

Config scheduleFor(const Problem &problem, LengthClass length, const Device &device, const Knobs &knobs) {
  if (anyResults(knobs))
    if (auto tuned = find(knobs.cacheDir, device, problem, {length}))
      return *tuned;
  return defaultConfig(problem, device.target(), length);
}

Config scheduleFor(const RetrievalPlan &plan, Operation step, const Device &device, const Knobs &knobs) {
  Workload rows{plan.maxBatch, plan.queryHeads, plan.kvHeads, plan.maxQueries, 0};
  if (anyResults(knobs))
    if (auto tuned = find(knobs.cacheDir, device, plan.problem(step), {.rows = rows}); tuned && plan.takes(*tuned, step, device.target()))
      return *tuned;
  return plan.config(step, device.target());
}

} // namespace landmark::tune
