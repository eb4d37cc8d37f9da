// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Background.h"

#include <chrono>
#include <fmt/format.h>
#include <future>
#include <list>
#include <mutex>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace landmark {

namespace {

/// Never destroyed: in a forked process, which has none of the threads, the futures would wait for them forever.
struct Jobs {
  std::mutex mutex;
  std::list<std::future<void>> running;
  const pid_t process = ::getpid();

  static Jobs &get() {
    static Jobs &jobs = *new Jobs;
    return jobs;
  }
};

/// Waits at the end of its life, that of the process.
struct Finisher {
  ~Finisher() {
    Jobs &jobs = Jobs::get();
    if (::getpid() != jobs.process)
      return;
    std::list<std::future<void>> last;
    {
      std::lock_guard lock(jobs.mutex);
      last.swap(jobs.running);
    }
  }
};

} // namespace

Expected<void> runInBackground(std::function<void()> job) {
  Jobs &jobs = Jobs::get();
  static const Finisher finisher;
  std::lock_guard lock(jobs.mutex);
  std::erase_if(jobs.running, [](const std::future<void> &one) { return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  auto behindOthers = [job = std::move(job)] {
    constexpr int nice = 10;
    ::setpriority(PRIO_PROCESS, 0, nice); // on Linux this thread's, and that of the programs that it starts
    job();
  };
  try {
    jobs.running.push_back(std::async(std::launch::async, std::move(behindOthers)));
  } catch (const std::system_error &error) {
    return Error{ErrorCode::DeviceError, fmt::format("no thread for the background: {}", error.what())};
  }
  return {};
}

} // namespace landmark
