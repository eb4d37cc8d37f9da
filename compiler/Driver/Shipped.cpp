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
      llvm::SmallVector<llvm::StringRef> fields;
      line.split(fields, '|');
      if (fields.size() == 4)
        configs.push_back({fields[0].trim(), fields[1].trim(), fields[2].trim(), fields[3].trim()});
    }
  }
  return configs;
}

std::optional<Config> shippedConfig(const Problem &problem, const Target &target, LengthClass length) {
  std::string wanted = describe(problem);
  std::string_view lengths = length == LengthClass::Short ? "short" : "long";
  for (const ShippedConfig &shipped : shippedConfigs(target.chip)) {
    if (shipped.problem != wanted || (shipped.lengths != lengths && shipped.lengths != "any"))
      continue;
    auto config = parseConfig(shipped.config, {});
    if (config && validate(*config, problem, target))
      return *config;
  }
  return std::nullopt;
}

} // namespace landmark
