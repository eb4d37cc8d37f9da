// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Target.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <utility>
#include <vector>

namespace landmark {

namespace {

/// Shared memory by compute capability (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
struct Chip {
  int capability;
  int sharedKiBPerBlock;
  int sharedKiBPerMultiprocessor;
  std::string_view suffixes; ///< what may follow the number: 'a' architecture-specific, 'f' family-specific
};

constexpr Chip chips[] = {
    {80, 163, 164, ""},    {86, 99, 100, ""},     {87, 163, 164, ""},    {89, 99, 100, ""},
    {90, 227, 228, "a"},   {100, 227, 228, "af"}, {101, 227, 228, "af"}, {103, 227, 228, "af"},
    {110, 227, 228, "af"}, {120, 99, 100, "af"},  {121, 99, 100, "af"},
};

const Chip *findChip(int capability) {
  for (const Chip &chip : chips)
    if (chip.capability == capability)
      return &chip;
  return nullptr;
}

std::string allowedTargets() {
  std::vector<std::string> names = {"host"};
  for (const Chip &chip : chips) {
    names.push_back(fmt::format("sm_{}", chip.capability));
    for (char suffix : chip.suffixes)
      names.push_back(fmt::format("sm_{}{}", chip.capability, suffix));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The number in "sm_NN" and whatever follows it; 0 where there is none.
std::pair<int, std::string_view> splitChip(std::string_view text) {
  constexpr std::string_view prefix = "sm_";
  int number = 0;
  // A leading zero would give a second spelling of the same chip.
  if (!text.starts_with(prefix) || text.substr(prefix.size()).starts_with('0'))
    return {0, {}};
  const char *end = text.data() + text.size();
  auto [rest, status] = std::from_chars(text.data() + prefix.size(), end, number);
  if (status != std::errc() || number < 0)
    return {0, {}};
  return {number, std::string_view(rest, static_cast<size_t>(end - rest))};
}

} // namespace

int Target::computeCapability() const { return isHost() ? 0 : splitChip(chip).first; }

int64_t Target::maxSharedBytes() const {
  const Chip *facts = findChip(computeCapability());
  return facts ? int64_t{1024} * facts->sharedKiBPerBlock : 0;
}

int64_t Target::sharedBytesPerMultiprocessor() const {
  const Chip *facts = findChip(computeCapability());
  return facts ? int64_t{1024} * facts->sharedKiBPerMultiprocessor : 0;
}

Expected<Target> parseTarget(std::string_view text) {
  if (text == "host")
    return Target{};
  auto [number, suffix] = splitChip(text);
  if (number > 0 && number < 80)
    return Error{ErrorCode::Unsupported,
                 fmt::format("target: got '{}', but the kernels need the instructions of sm_80 or newer; allowed: {}",
                             text, allowedTargets())};
  const Chip *facts = findChip(number);
  bool suffixKnown = suffix.empty() || (facts && suffix.size() == 1 && facts->suffixes.find(suffix) != suffix.npos);
  if (!facts || !suffixKnown)
    return Error{ErrorCode::InvalidArgument, fmt::format("target: got '{}', allowed: {}", text, allowedTargets())};
  return Target{Target::Kind::NVPTX, std::string(text)};
}

Expected<Target> targetForCapability(int major, int minor) {
  // PTX for a chip runs on every later minor of the same major, so a minor that is newer than this table takes the
  // highest known one below it. Code for sm_90a runs on 9.0 alone, which is what Hopper is; of other chips' own
  // instructions no schedule makes use, so that they get the plain target.
  if (major == 9 && minor == 0)
    return Target{Target::Kind::NVPTX, "sm_90a"};
  const Chip *best = nullptr;
  for (const Chip &chip : chips)
    if (chip.capability / 10 == major && chip.capability % 10 <= minor)
      best = &chip;
  if (best)
    return Target{Target::Kind::NVPTX, fmt::format("sm_{}", best->capability)};
  return Error{ErrorCode::Unsupported,
               fmt::format("device: its compute capability is {}.{}, allowed: 8.0 or newer, of a major version in: {}",
                           major, minor, allowedTargets())};
}

} // namespace landmark
