// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pool of hot pages of a cache whose pages lie on the host.
#include "CacheState.h"

#include <algorithm>
#include <fmt/format.h>

namespace landmark {

Expected<void> LandmarkCache::State::allocatePool() {
  if (options.hotBytes == 0)
    return {};
  int64_t capacity = std::min<int64_t>(options.hotBytes / tokens.bytesOfPage(), INT32_MAX);
  if (capacity == 0)
    return Error{ErrorCode::InvalidArgument, fmt::format("cache: hotBytes: got {}; a page of keys and values takes {}",
                                                         options.hotBytes, tokens.bytesOfPage())};
  for (int i = 0; i < 2; ++i) {
    auto buffer = GrowingBuffer::reserve(device, capacity * tokens.pageBytes, "cache: hot pages");
    if (!buffer)
      return buffer.error();
    if (auto grown = buffer->grow(capacity * tokens.pageBytes); !grown)
      return grown;
    hotBuffers.push_back(std::move(*buffer));
  }
  hot = HotPages(capacity);
  return {};
}

Expected<void> LandmarkCache::State::fetch(const std::vector<std::pair<int64_t, std::vector<int64_t>>> &blocks,
                                           void *stream) {
  // Forks share pages, and sequences may be asked for twice.
  std::vector<HotPages::Page> pages;
  for (const auto &[slot, ids] : blocks)
    for (int64_t id : ids) {
      int32_t page = slots[size_t(slot)].blocks[size_t(id)];
      pages.push_back({page, versions[size_t(page)]});
    }
  std::sort(pages.begin(), pages.end(), [](auto &a, auto &b) { return a.page < b.page; });
  pages.erase(std::unique(pages.begin(), pages.end(), [](auto &a, auto &b) { return a.page == b.page; }), pages.end());
  std::vector<HotPages::Fetch> fetches;
  auto places = hot.acquire(pages, fetches);
  if (!places)
    return places.error();

  Copies copies(*device.state(), stream);
  for (auto [page, slot] : fetches)
    for (size_t which = 0; which < hotBuffers.size(); ++which)
      copies.copy(hotBuffers[which].data() + slot * tokens.pageBytes,
                  tokens.buffers[which].data() + page * tokens.pageBytes, tokens.pageBytes);
  auto placeOf = [&](int32_t page) {
    auto found = std::lower_bound(pages.begin(), pages.end(), page,
                                  [](auto &entry, int32_t wanted) { return entry.page < wanted; });
    return (*places)[size_t(found - pages.begin())];
  };
  for (const auto &[slot, ids] : blocks)
    for (size_t i = 0; i < ids.size();) {
      // Neighbours in the table go together.
      std::vector<int32_t> entries;
      int64_t first = ids[i];
      for (; i < ids.size() && ids[i] == first + int64_t(entries.size()); ++i)
        entries.push_back(placeOf(slots[size_t(slot)].blocks[size_t(ids[i])]));
      copies.upload(static_cast<int32_t *>(hotTable.data()) + slot * maxBlocks() + first, entries.data(),
                    int64_t(entries.size() * sizeof(int32_t)));
    }
  return copies.status();
}

} // namespace landmark
