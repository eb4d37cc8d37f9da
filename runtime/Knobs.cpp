// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Knobs.h"

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace landmark {

namespace {

std::string_view environment(const char *variable) {
  const char *value = std::getenv(variable);
  return value ? value : "";
}

} // namespace

Knobs Knobs::fromEnvironment() {
  constexpr int mostThreads = 1024;
  Knobs knobs;
  knobs.templateDir = environment("LANDMARK_TEMPLATE_DIR");
  std::string_view text = environment("LANDMARK_NUM_THREADS");
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), knobs.threads);
  bool wanted = failure == std::errc() && end == text.data() + text.size();
  if (!wanted || knobs.threads < 1 || knobs.threads > mostThreads)
    knobs.threads = std::max(1u, std::thread::hardware_concurrency());
  return knobs;
}

CompileOptions Knobs::complete(CompileOptions options) const {
  if (options.templateDir.empty())
    options.templateDir = templateDir;
  return options;
}

} // namespace landmark
