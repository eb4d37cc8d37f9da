// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "HotPages.h"

namespace landmark {

HotPages::HotPages(int64_t capacity) : slots(std::size_t(capacity)) {
  for (int64_t slot = 0; slot < capacity; ++slot)
    slots[std::size_t(slot)].place = order.insert(order.end(), slot);
}

void HotPages::useNow(Slot &slot) {
  slot.lastUse = round;
  order.splice(order.end(), order, slot.place);
}

int64_t HotPages::use(int64_t page) {
  auto found = held.find(page);
  if (found == held.end())
    return -1;
  useNow(slots[std::size_t(found->second)]);
  return found->second;
}

int64_t HotPages::take(int64_t page) {
  int64_t first = order.front();
  Slot &slot = slots[std::size_t(first)];
  if (slot.lastUse == round)
    return -1;
  if (slot.page >= 0)
    held.erase(slot.page);
  slot.page = page;
  held[page] = first;
  useNow(slot);
  return first;
}

void HotPages::drop(int64_t page) {
  auto found = held.find(page);
  if (found == held.end())
    return;
  Slot &slot = slots[std::size_t(found->second)];
  slot.page = -1;
  slot.lastUse = 0;
  order.splice(order.begin(), order, slot.place);
  held.erase(found);
}

} // namespace landmark
