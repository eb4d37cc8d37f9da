// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Log.h"

#include <chrono>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace landmark {

/// A log that cannot be opened is none: observing must not stop what is observed.
Log::Log(const Knobs &knobs) {
  if (knobs.log == "stderr")
    descriptor = STDERR_FILENO;
  else if (!knobs.log.empty())
    descriptor = ::open(knobs.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  for (const std::string &complaint : knobs.refused)
    if (on())
      write("knob.refused", {{"message", complaint}});
}

Log &Log::get() {
  static Log log(Knobs::fromEnvironment());
  return log;
}

void Log::write(std::string_view event, const nlohmann::ordered_json &members) {
  if (!on())
    return;
  using namespace std::chrono;
  auto now = time_point_cast<microseconds>(system_clock::now());
  nlohmann::ordered_json line = {
      {"time", fmt::format("{:%FT%T}.{:06}Z", fmt::gmtime(system_clock::to_time_t(now)),
                           now.time_since_epoch().count() % 1'000'000)},
      {"process", ::getpid()},
      {"event", event},
  };
  line.update(members);
  std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (::write(descriptor, text.data(), text.size()) < 0)
    return;
}

} // namespace landmark
