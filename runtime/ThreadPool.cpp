// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ThreadPool.h"

#include <algorithm>
#include <system_error>

namespace landmark {

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  arrived.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::run(int64_t count, const std::function<void(int64_t)> &body) {
  Loop loop{body, count};
  bool shared = wanted > 0 && count > 1;
  if (shared) {
    std::lock_guard lock(mutex);
    startWorkers();
    loops.push_back(&loop);
    arrived.notify_all();
  }
  work(loop);
  if (shared) {
    std::unique_lock lock(mutex);
    std::erase(loops, &loop);
    left.wait(lock, [&] { return loop.helpers == 0; });
  }
}

void ThreadPool::work(Loop &loop) {
  for (int64_t index; (index = loop.next.fetch_add(1, std::memory_order_relaxed)) < loop.count;)
    loop.body(index);
}

/// A system that gives no more threads leaves the work to those that there are.
void ThreadPool::startWorkers() {
  try {
    while (int(workers.size()) < wanted)
      workers.emplace_back([this] { serve(); });
  } catch (const std::system_error &) {
    wanted = int(workers.size());
  }
}

void ThreadPool::serve() {
  std::unique_lock lock(mutex);
  while (true) {
    arrived.wait(lock, [&] { return stopping || !loops.empty(); });
    if (stopping)
      return;
    Loop &loop = *loops.front();
    ++loop.helpers;
    lock.unlock();
    work(loop);
    lock.lock();
    // Used up: the next worker must not pick it again.
    std::erase(loops, &loop);
    if (--loop.helpers == 0)
      left.notify_all();
  }
}

} // namespace landmark
