// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_LOG_H
#define LANDMARK_RUNTIME_LOG_H

#include "Knobs.h"

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace landmark {

/// The log of LANDMARK_LOG: one JSON object a line, each line written at once, so that processes may share a file.
/// Members of every line: "time" (UTC), "process", "event".
class Log {
public:
  /// The process's log, as the environment named it when this was first called.
  static Log &get();

  bool on() const { return descriptor >= 0; }
  void write(std::string_view event, const nlohmann::ordered_json &members);

private:
  explicit Log(const Knobs &knobs);
  int descriptor = -1;
};

} // namespace landmark
#endif
