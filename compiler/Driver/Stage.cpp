// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Stage.h"

#include <fmt/format.h>

#include <array>

namespace landmark {

/// In the order of the enumerators.
static constexpr std::array<std::string_view, 10> stageNames = {"template", "landmark", "tile",  "scheduled", "nvvm",
                                                                "llvm",     "ptx",      "cubin", "sass",      "asm"};
static_assert(static_cast<size_t>(Stage::Asm) + 1 == stageNames.size());

std::string_view name(Stage stage) {
  auto index = static_cast<size_t>(stage);
  return index < stageNames.size() ? stageNames[index] : "unknown";
}

Expected<Stage> parseStage(std::string_view text) {
  for (size_t index = 0; index < stageNames.size(); ++index)
    if (text == stageNames[index])
      return static_cast<Stage>(index);
  return Error{ErrorCode::InvalidArgument,
               fmt::format("stage: got '{}', allowed: {}", text, fmt::join(stageNames, ", "))};
}

} // namespace landmark
