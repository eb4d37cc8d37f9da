// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Progress.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace landmark::tool {

namespace {
constexpr const char *eraseLine = "\r\x1b[K";
}

Progress::Progress() : terminal(::isatty(STDERR_FILENO)) {}

Progress::~Progress() {
  if (terminal)
    fmt::print(stderr, "{}", eraseLine);
}

void Progress::show(int done, int total, std::string_view text) {
  constexpr int width = 30;
  int filled = total > 0 ? std::min(width, width * done / total) : 0;
  if (terminal)
    fmt::print(stderr, "{}[{:#<{}}{:.<{}}] {}/{} {}", eraseLine, "", filled, "", width - filled, done, total, text);
  std::fflush(stderr);
}

} // namespace landmark::tool
