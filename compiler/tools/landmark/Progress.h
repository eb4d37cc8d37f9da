// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_PROGRESS_H
#define LANDMARK_TOOLS_PROGRESS_H

#include <string_view>

namespace landmark::tool {

/// A bar on stderr, drawn over itself; nothing where stderr is no terminal. It goes with the object.
class Progress {
public:
  Progress();
  ~Progress();
  Progress(const Progress &) = delete;

  void show(int done, int total, std::string_view text);

private:
  const bool terminal;
};

} // namespace landmark::tool
#endif
