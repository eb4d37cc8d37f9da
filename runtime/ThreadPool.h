// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_THREADPOOL_H
#define LANDMARK_RUNTIME_THREADPOOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace landmark {

/// Threads that share the indices of loops. Workers start with the first loop. Many threads may run loops at once; the
/// workers help them in the order of their arrival.
class ThreadPool {
public:
  /// `threads` counts the calling thread too.
  explicit ThreadPool(int threads) : wanted(threads - 1) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;

  /// Calls body(0) .. body(count - 1) and returns when all are done. Indices start in increasing order, each on the
  /// next free thread, so put the longest first. `body` must not throw and must not call run().
  void run(int64_t count, const std::function<void(int64_t)> &body);

private:
  struct Loop {
    const std::function<void(int64_t)> &body;
    int64_t count;
    std::atomic<int64_t> next = 0;
    int helpers = 0; ///< workers inside; guarded by the mutex
  };

  static void work(Loop &loop);
  void startWorkers();
  void serve();

  std::mutex mutex;
  std::condition_variable arrived, left;
  std::deque<Loop *> loops;
  std::vector<std::thread> workers;
  int wanted;
  bool stopping = false;
};

} // namespace landmark
#endif
