// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "HotPages.h"

#include <fmt/format.h>

namespace landmark {

Expected<std::vector<int32_t>> HotPages::acquire(const std::vector<Page> &pages, std::vector<Fetch> &fetches) {
  if (int64_t(pages.size()) > capacity())
    return Error{
        ErrorCode::DeviceError,
        fmt::format("cache: one call attends to {} pages; the pool of hot pages holds {} (CacheOptions::hotBytes)",
                    pages.size(), capacity())};
  ++clock;
  std::vector<int32_t> result(pages.size(), -1);
  // What is there first, so that nothing of it is given away.
  for (std::size_t i = 0; i < pages.size(); ++i) {
    auto held = places.find(pages[i].page);
    if (held == places.end())
      continue;
    result[i] = held->second;
    use(held->second);
    Slot &slot = slots[std::size_t(held->second)];
    bool isCurrent = slot.version == pages[i].version;
    ++(isCurrent ? hitCount : missCount);
    if (!isCurrent)
      fetches.push_back({pages[i].page, held->second});
    slot.version = pages[i].version;
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (result[i] >= 0)
      continue;
    int32_t place = order.begin()->second;
    Slot &slot = slots[std::size_t(place)];
    if (slot.page >= 0)
      places.erase(slot.page);
    use(place);
    slot.page = pages[i].page;
    slot.version = pages[i].version;
    places[slot.page] = place;
    fetches.push_back({slot.page, place});
    result[i] = place;
    ++missCount;
  }
  return result;
}

} // namespace landmark
