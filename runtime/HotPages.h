// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_HOTPAGES_H
#define LANDMARK_RUNTIME_HOTPAGES_H

#include "landmark/Expected.h"

#include <cstdint>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace landmark {

/// Which pages a pool of slots holds. A page that is asked for takes the slot that was not used for the longest time,
/// of those that the call does not ask for. Only numbers: the memory, and the copies, are someone else's.
class HotPages {
public:
  explicit HotPages(int64_t capacity = 0) : slots(std::size_t(capacity)) {
    for (int32_t slot = 0; slot < capacity; ++slot)
      order.insert({0, slot});
  }

  int64_t capacity() const { return int64_t(slots.size()); }
  int64_t used() const { return int64_t(places.size()); }
  int64_t hits() const { return hitCount; }
  int64_t misses() const { return missCount; }

  /// A page and what was last written to it: contents that a later version replaces are fetched again.
  struct Page {
    int32_t page;
    uint64_t version;
  };
  struct Fetch {
    int32_t page, slot;
  };

  /// Makes all of `pages`, which are distinct, resident: their slots in the same order, and what must be copied first.
  /// An error, and no change, if there are more than slots.
  Expected<std::vector<int32_t>> acquire(const std::vector<Page> &pages, std::vector<Fetch> &fetches);

private:
  struct Slot {
    int32_t page = -1;
    uint64_t version = 0, lastUse = 0;
  };
  void use(int32_t slot) {
    order.erase({slots[std::size_t(slot)].lastUse, slot});
    slots[std::size_t(slot)].lastUse = clock;
    order.insert({clock, slot});
  }

  std::vector<Slot> slots;
  std::unordered_map<int32_t, int32_t> places;  ///< slot of every page held
  std::set<std::pair<uint64_t, int32_t>> order; ///< by last use
  uint64_t clock = 0;
  int64_t hitCount = 0, missCount = 0;
};

} // namespace landmark
#endif
