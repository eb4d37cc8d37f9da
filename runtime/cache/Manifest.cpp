// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cache/Manifest.h"

#include "landmark/Version.h"

#include <algorithm>
#include <chrono>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark::cache {

namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t manifestLimit = 1 << 20, fileLimit = int64_t(1) << 30;
constexpr const char *ptxName = "kernel.ptx", *cubinName = "kernel.cubin", *objectName = "kernel.o";

std::string dump(const Json &json) { return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"; }

Error damaged(std::string why) { return {ErrorCode::IoError, std::move(why)}; }

/// The structured bindings stop compiling when a member is added: it then needs a place here.
Json encode(const Kernel::Function &function) {
  const auto &[name, threads, sharedBytes, waitsForGrid, hostEntry] = function;
  return {{"name", name}, {"threads", threads}, {"shared_bytes", sharedBytes}, {"waits_for_grid", waitsForGrid}};
}

Json encode(const TensorMap &map) {
  const auto &[argument, rows, columns, swizzleBytes, every] = map;
  return {
      {"argument", argument}, {"rows", rows}, {"columns", columns}, {"swizzle_bytes", swizzleBytes}, {"every", every}};
}

Kernel::Function decodeFunction(const Json &json) {
  return {json.at("name").get<std::string>(), json.at("threads").get<int64_t>(), json.at("shared_bytes").get<int64_t>(), json.at("waits_for_grid").get<bool>()};
}

TensorMap decodeMap(const Json &json) {
  auto number = [&](const char *name) { return json.at(name).get<int64_t>(); };
  return {number("argument"), number("rows"), number("columns"), number("swizzle_bytes"), number("every")};
}

template <typename Member> Json encodeAll(const std::vector<Member> &members) {
  Json all = Json::array();
  for (const Member &member : members)
    all.push_back(encode(member));
  return all;
}

Manifest decode(const Json &json) {
  Manifest manifest;
  manifest.digest = json.at("key").get<std::string>();
  for (const auto &[name, value] : json.at("fields").items())
    manifest.fields.push_back({name, value.get<std::string>()});
  const Json &kernel = json.at("kernel");
  manifest.kernel = kernel.at("name").get<std::string>();
  for (const Json &function : kernel.at("functions"))
    manifest.functions.push_back(decodeFunction(function));
  for (const Json &map : kernel.at("tensor_maps"))
    manifest.tensorMaps.push_back(decodeMap(map));
  manifest.assembler = json.at("assembler").get<std::string>();
  for (const auto &[name, file] : json.at("files").items())
    manifest.files[name] = {file.at("bytes").get<int64_t>(), file.at("sha256").get<std::string>()};
  manifest.version = json.at("version").get<std::string>();
  manifest.made = json.at("made").get<std::string>();
  return manifest;
}

} // namespace

std::string Manifest::field(std::string_view name) const {
  auto found = std::find_if(fields.begin(), fields.end(), [&](const Field &field) { return field.name == name; });
  return found == fields.end() ? "" : found->value;
}

std::string render(const Manifest &manifest) {
  Json fields = Json::object(), files = Json::object();
  for (const Field &field : manifest.fields)
    fields[field.name] = field.value;
  for (const auto &[name, file] : manifest.files)
    files[name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  Json json = {
      {"key", manifest.digest},
      {"fields", fields},
      {"kernel",
       {{"name", manifest.kernel},
        {"functions", encodeAll(manifest.functions)},
        {"tensor_maps", encodeAll(manifest.tensorMaps)}}},
      {"assembler", manifest.assembler},
      {"files", files},
      {"version", manifest.version},
      {"made", manifest.made},
  };
  json["seal"] = sha256(dump(json));
  return dump(json);
}

Expected<Manifest> parseManifest(const std::string &text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("seal") || !json["seal"].is_string())
    return damaged("the manifest is damaged");
  Json body = json;
  body.erase("seal");
  if (dump(json) != text || json["seal"] != sha256(dump(body)))
    return damaged("the manifest is damaged");
  try {
    return decode(json);
  } catch (const Json::exception &) {
    return damaged("the manifest is of another version");
  }
}

Expected<Manifest> readManifest(const Directory &entry) {
  auto text = entry.read(Manifest::fileName, manifestLimit);
  return text ? parseManifest(*text) : text.error();
}

Expected<Files> readFiles(const Directory &entry, const Manifest &manifest) {
  auto names = entry.names();
  if (!names)
    return names.error();
  for (const std::string &name : *names)
    if (name != Manifest::fileName && !manifest.files.contains(name))
      return damaged(fmt::format("{} does not belong to the entry", name));
  Files files;
  for (const auto &[name, expected] : manifest.files) {
    auto contents = entry.read(name, fileLimit);
    if (!contents)
      return damaged(contents.error().message);
    if (int64_t(contents->size()) != expected.bytes)
      return damaged(fmt::format("{} has {} bytes, the manifest says {}", name, contents->size(), expected.bytes));
    if (sha256(*contents) != expected.sha256)
      return damaged(fmt::format("{} has another hash than the manifest says", name));
    files[name] = std::move(*contents);
  }
  return files;
}

/// The structured binding stops compiling when a kernel gets another member: what a launch needs of it belongs in the
/// manifest, and what is large in a file.
Files filesOf(const Kernel &kernel) {
  const auto &[problem, target, config, symbol, ptx, maps, cubin, functions, code, object, tier] = kernel;
  Files files; // of the optimized tier, the only one that is kept
  for (auto [name, contents] : {std::pair{ptxName, &ptx}, {cubinName, &cubin}, {objectName, &object}})
    if (!contents->empty())
      files[name] = *contents;
  return files;
}

Manifest manifestOf(const Key &key, const Kernel &kernel, const std::string &assembler) {
  Manifest manifest;
  manifest.digest = key.digest;
  for (const Field &field : key.fields)
    manifest.fields.push_back({field.name, field.shown()});
  manifest.kernel = kernel.name;
  for (const Kernel::Function &function : kernel.functions)
    manifest.functions.push_back({function.name, function.threads, function.sharedBytes, function.waitsForGrid});
  manifest.tensorMaps = kernel.tensorMaps;
  manifest.assembler = assembler;
  for (const auto &[name, contents] : filesOf(kernel))
    manifest.files[name] = {int64_t(contents.size()), sha256(contents)};
  manifest.version = version();
  auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  manifest.made = fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
  return manifest;
}

Kernel kernelOf(const Manifest &manifest, Files files, const Problem &problem, const Config &config,
                const Target &target) {
  Kernel kernel;
  kernel.problem = problem;
  kernel.target = target;
  kernel.config = config;
  kernel.name = manifest.kernel;
  kernel.functions = manifest.functions;
  kernel.tensorMaps = manifest.tensorMaps;
  kernel.ptx = std::move(files[ptxName]);
  kernel.cubin = std::move(files[cubinName]);
  kernel.hostObject = std::move(files[objectName]);
  return kernel;
}

} // namespace landmark::cache
