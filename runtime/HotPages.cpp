// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "HotPages.h"

#include <algorithm>

namespace landmark {

HotPages::HotPages(int64_t capacity) : slots(std::size_t(capacity)) {
  for (int64_t slot = 0; slot < capacity; ++slot)
    slots[std::size_t(slot)].place = order.insert(order.end(), slot);
}

void HotPages::useNow(Slot &slot) {
  slot.lastUse = round;
  order.splice(order.end(), order, slot.place);
}

int64_t &HotPages::slotOf(int64_t page) {
  if (std::size_t(page) >= pages.size())
    pages.resize(std::max(std::size_t(page) + 1, 2 * pages.size()), -1);
  return pages[std::size_t(page)];
}

int64_t HotPages::use(int64_t page) {
  int64_t slot = slotOf(page);
  if (slot >= 0)
    useNow(slots[std::size_t(slot)]);
  return slot;
}

int64_t HotPages::take(int64_t page) {
  int64_t first = order.front();
  Slot &slot = slots[std::size_t(first)];
  if (slot.lastUse == round)
    return -1;
  if (slot.page >= 0)
    slotOf(slot.page) = -1;
  else
    ++held;
  slot.page = page;
  slotOf(page) = first;
  useNow(slot);
  return first;
}

void HotPages::drop(int64_t page) {
  int64_t &at = slotOf(page);
  if (at < 0)
    return;
  Slot &slot = slots[std::size_t(at)];
  slot.page = -1;
  slot.lastUse = 0;
  order.splice(order.begin(), order, slot.place);
  at = -1;
  --held;
}

} // namespace landmark
