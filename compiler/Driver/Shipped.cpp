// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/Shipped.h"

#include "llvm/ADT/StringExtras.h"

namespace landmark {
namespace {

struct File {
  std::string_view name, text;
};
const File files[] = {
#include "compiler/Shipped.inc"
};

} // namespace

std::vector<ShippedConfig> shippedConfigs(std::string_view chip) {
  std::vector<ShippedConfig> configs;
  for (const File &file : files) {
    if (file.name != chip)
      continue;
    for (llvm::StringRef line : llvm::split(llvm::StringRef(file.text), '\n')) {
      if (line.trim().empty() || line.starts_with("#"))
        continue;
      auto [problem, rest] = line.split('|');
      auto [config, measured] = rest.split('|');
      configs.push_back({problem.trim(), config.trim(), measured.trim()});
    }
  }
  return configs;
}

std::optional<Config> shippedConfig(const Problem &problem, const Target &target) {
  std::string wanted = describe(problem);
  for (const ShippedConfig &shipped : shippedConfigs(target.chip)) {
    if (shipped.problem != wanted)
      continue;
    auto config = parseConfig(shipped.config, {});
    if (config && validate(*config, problem, target))
      return *config;
  }
  return std::nullopt;
}

} // namespace landmark
