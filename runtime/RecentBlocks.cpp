// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RecentBlocks.h"

#include <algorithm>

namespace landmark {

Expected<RecentBlocks> RecentBlocks::create(const Device &device, int64_t rows, int64_t topK) {
  RecentBlocks made;
  int64_t bytes = rows * topK * int64_t(sizeof(int32_t));
  auto buffer = GrowingBuffer::reserve(device, bytes, "retrieval: ids for the host", Memory::PinnedHost);
  if (!buffer)
    return buffer.error();
  if (auto grown = buffer->grow(bytes); !grown)
    return grown.error();
  auto event = Event::create(device);
  if (!event)
    return event.error();
  made.topK = topK;
  made.ids = std::move(*buffer);
  made.arrived = std::move(*event);
  return made;
}

Expected<void> RecentBlocks::note(const LandmarkCache::State &cache, const std::vector<int64_t> &sequences,
                                  const SelectionView &selection, int64_t window, void *stream) {
  if (!bound.empty() || selection.shape[2] == 0)
    return {};
  constexpr int64_t size = sizeof(int32_t);
  heads = selection.shape[1];
  Copies copies(*cache.device.state(), stream);
  for (int64_t batch = 0; batch < selection.shape[0]; ++batch) {
    const int32_t *last =
        selection.data + batch * selection.strides[0] + (selection.shape[2] - 1) * selection.strides[2];
    auto *from = reinterpret_cast<std::byte *>(const_cast<int32_t *>(last));
    copies.copy({ids.data() + batch * heads * topK * size, topK * size}, {from, selection.strides[1] * size},
                topK * size, heads);
  }
  if (!copies.status())
    return copies.status();
  for (int64_t sequence : sequences) {
    const auto &is = cache.slots[size_t(*cache.slotOf(sequence))];
    bound.push_back({sequence, is.dropped, std::max<int64_t>(0, (is.length - 1) / cache.options.blockSize - window)});
  }
  return arrived.record(stream);
}

Expected<std::vector<LandmarkCache::State::BlockOfHead>> RecentBlocks::take(const LandmarkCache::State &cache) {
  std::vector<LandmarkCache::State::BlockOfHead> blocks;
  auto passed = arrived.hasPassed();
  if (!passed)
    return passed.error();
  if (!*passed)
    return blocks;
  auto *chosen = reinterpret_cast<const int32_t *>(ids.data());
  for (const Bound &noted : bound) {
    const int32_t *lists = chosen;
    chosen += heads * topK;
    auto slot = cache.slotOf(noted.sequence);
    if (!slot)
      continue;
    const auto &is = cache.slots[size_t(*slot)];
    int64_t shift = (is.dropped - noted.dropped) / cache.options.blockSize,
            complete = is.length / cache.options.blockSize;
    auto add = [&](int64_t block, int64_t firstHead, int64_t endHead) {
      for (int64_t head = firstHead; head < endHead && block >= shift && block - shift < complete; ++head)
        blocks.push_back({*slot, block - shift, head});
    };
    int64_t kvHeads = cache.options.kvHeads;
    for (int64_t head = 0; head < heads; ++head) {
      int64_t first = head * kvHeads / heads, end = std::max((head + 1) * kvHeads / heads, first + 1);
      for (int64_t place = 0; place < topK; ++place)
        add(lists[head * topK + place], first, end);
    }
    for (int64_t block = noted.local; block - shift < complete; ++block)
      add(block, 0, kvHeads);
  }
  bound.clear();
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

} // namespace landmark
