// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranges on the timelines of profilers (NVTX). Its library is looked for when the process asks for ranges
// (LANDMARK_NVTX); otherwise a range costs the look at a pointer.
#ifndef LANDMARK_RUNTIME_TRACE_H
#define LANDMARK_RUNTIME_TRACE_H

#include <string>

namespace landmark {

/// A range of this thread, until the end of the scope.
class TraceRange {
public:
  explicit TraceRange(const char *name);
  /// `name` makes the text, where anybody reads it.
  template <typename Name> explicit TraceRange(Name name) : TraceRange(isOn() ? std::string(name()).c_str() : nullptr) {}
  ~TraceRange();
  TraceRange(const TraceRange &) = delete;

private:
  static bool isOn();
};

} // namespace landmark
#endif
