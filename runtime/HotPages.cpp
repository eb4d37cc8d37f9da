// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "HotPages.h"

namespace landmark {

void HotPages::setLastUse(int64_t slot, uint64_t when) {
  Slot &entry = slots[std::size_t(slot)];
  order.erase({entry.lastUse, slot});
  entry.lastUse = when;
  order.insert({when, slot});
}

int64_t HotPages::use(int64_t page) {
  auto found = held.find(page);
  if (found == held.end())
    return -1;
  setLastUse(found->second, round);
  return found->second;
}

int64_t HotPages::take(int64_t page) {
  auto [lastUse, slot] = *order.begin();
  if (lastUse == round)
    return -1;
  Slot &entry = slots[std::size_t(slot)];
  if (entry.page >= 0)
    held.erase(entry.page);
  entry.page = page;
  held[page] = slot;
  setLastUse(slot, round);
  return slot;
}

void HotPages::drop(int64_t page) {
  auto found = held.find(page);
  if (found == held.end())
    return;
  slots[std::size_t(found->second)].page = -1;
  setLastUse(found->second, 0);
  held.erase(found);
}

} // namespace landmark
