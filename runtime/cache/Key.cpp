// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cache/Key.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/SHA256.h"

#include <fmt/ranges.h>
#include <set>

namespace landmark::cache {

namespace {

/// Raised when the meaning of the fields or the form of entries changes.
constexpr const char *schema = "1";

constexpr std::size_t longestShown = 256;

std::string hex(llvm::ArrayRef<uint8_t> digest) { return llvm::toHex(digest, /*LowerCase=*/true); }

void addLengthPrefixed(llvm::SHA256 &hash, std::string_view text) {
  uint8_t length[8];
  llvm::support::endian::write64le(length, text.size());
  hash.update(length);
  hash.update(llvm::StringRef(text));
}

/// The structured binding stops compiling when a member is added: it then needs a field here.
std::vector<Field> problemFields(const Problem &problem) {
  const auto &[operation, blockSize, headDim, dtype, floatGradients, topK, rotates, deterministic] = problem;
  return {{"operation", std::string(name(operation))},
          {"block_size", std::to_string(blockSize)},
          {"head_dim", std::to_string(headDim)},
          {"dtype", std::string(name(dtype))},
          {"float_gradients", std::to_string(floatGradients)},
          {"top_k", std::to_string(topK)},
          {"rotates", std::to_string(rotates)},
          {"deterministic", std::to_string(deterministic)}};
}

/// A config's own text, field by field; an error if that text does not say everything.
Expected<std::vector<Field>> configFields(const Config &config) {
  std::string text = describe(config);
  auto back = parseConfig(text, {});
  if (!back || *back != config)
    return Error{ErrorCode::Unsupported, fmt::format("config: '{}' does not describe it whole", text)};
  std::vector<Field> fields;
  for (auto item : llvm::split(llvm::StringRef(text), ",")) {
    auto [name, value] = item.split('=');
    fields.push_back({name.str(), value.str()});
  }
  return fields;
}

} // namespace

std::string sha256(std::string_view data) {
  llvm::SHA256 hash;
  hash.update(llvm::StringRef(data));
  return hex(hash.final());
}

std::string Field::shown() const {
  return value.size() <= longestShown ? value : fmt::format("sha256:{}", sha256(value));
}

Key::Key(std::vector<Field> fields) : fields(std::move(fields)) {
  llvm::SHA256 hash;
  for (const Field &field : this->fields) {
    addLengthPrefixed(hash, field.name);
    addLengthPrefixed(hash, field.value);
  }
  digest = hex(hash.final());
}

Expected<Key> keyOf(const Problem &problem, const Config &config, const Target &target, const CompileOptions &options) {
  std::vector<Field> fields = {{"schema", schema}};
  auto schedule = configFields(config);
  if (!schedule)
    return schedule.error();
  for (const auto &part : {problemFields(problem), *schedule})
    fields.insert(fields.end(), part.begin(), part.end());
  fields.push_back({"target", target.chip});
  if (target.isHost())
    fields.push_back({"cpu", hostCpu()});
  if (options.resumeStage) {
    fields.push_back({"resumed_stage", std::string(name(*options.resumeStage))});
    fields.push_back({"resumed_text", options.resumeText});
  } else {
    auto text = templateText(problem, config, target, options);
    if (!text)
      return text.error();
    fields.push_back({"template", std::move(*text)});
  }
  if (!options.without.empty()) {
    std::set<std::string> without(options.without.begin(), options.without.end());
    fields.push_back({"without", fmt::format("{}", fmt::join(without, ","))});
  }
  fields.push_back({"compiler", compilerHash()});
  return Key(std::move(fields));
}

} // namespace landmark::cache
