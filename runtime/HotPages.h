// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_HOTPAGES_H
#define LANDMARK_RUNTIME_HOTPAGES_H

#include <cstdint>
#include <list>
#include <vector>

namespace landmark {

/// Which pages a pool of slots holds, in the order of their last use. Time passes in rounds: what is used in a round is
/// not given away in it. Only numbers: the memory, and the copies, are someone else's.
class HotPages {
public:
  explicit HotPages(int64_t capacity = 0);

  int64_t capacity() const { return int64_t(slots.size()); }
  int64_t used() const { return held; }

  void nextRound() { ++round; }
  /// Uses the page, a number from 0 on: its slot, or -1 if the pool does not hold it.
  int64_t use(int64_t page);
  /// Uses a page that the pool does not hold: the slot that was not used for the longest time is its own now, or -1 if
  /// all were used in this round.
  int64_t take(int64_t page);
  /// Makes the page's slot, if it has one, the next to be taken.
  void drop(int64_t page);

private:
  struct Slot {
    int64_t page = -1;
    uint64_t lastUse = 0;
    std::list<int64_t>::iterator place; ///< in `order`
  };
  void useNow(Slot &slot);
  int64_t &slotOf(int64_t page); ///< -1: none

  std::vector<Slot> slots;
  std::vector<int64_t> pages; ///< slots of pages, as far as they were asked for; a step of decoding asks for hundreds
  int64_t held = 0;
  std::list<int64_t> order; ///< slots, the one to be taken next first
  uint64_t round = 1;
};

} // namespace landmark
#endif
