// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_PAGEPOOL_H
#define LANDMARK_RUNTIME_PAGEPOOL_H

#include <cstdint>
#include <vector>

namespace landmark {

/// Which of the pages 0 .. capacity-1 are in use, and by how many. Only numbers: the memory is someone else's.
class PagePool {
public:
  int64_t capacity() const { return int64_t(users.size()); }
  int64_t used() const { return capacity() - int64_t(vacant.size()); }
  int64_t available() const { return int64_t(vacant.size()); }
  int64_t shared() const { return sharedPages; }
  bool isShared(int32_t page) const { return users[size_t(page)] > 1; }

  /// Adds pages, so that the next ones taken are the lowest of them: fresh pages lie side by side.
  void grow(int64_t capacity) {
    int64_t first = int64_t(users.size());
    users.resize(size_t(capacity), 0);
    std::vector<int32_t> fresh;
    for (int64_t page = capacity - 1; page >= first; --page)
      fresh.push_back(int32_t(page));
    vacant.insert(vacant.begin(), fresh.begin(), fresh.end()); // below those that are free: these are used first
  }
  /// Requires available().
  int32_t take() {
    int32_t page = vacant.back();
    vacant.pop_back();
    users[size_t(page)] = 1;
    return page;
  }
  void share(int32_t page) { sharedPages += ++users[size_t(page)] == 2; }
  void release(int32_t page) {
    int32_t left = --users[size_t(page)];
    sharedPages -= left == 1;
    if (left == 0)
      vacant.push_back(page);
  }

private:
  std::vector<int32_t> users;  ///< of every page
  std::vector<int32_t> vacant; ///< taken from the end
  int64_t sharedPages = 0;
};

} // namespace landmark
#endif
