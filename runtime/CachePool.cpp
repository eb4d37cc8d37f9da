// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pool of hot pages of a cache whose pages lie on the host.
//
// The table names, for every head's block, the hot page or the page on the host; both are right at any time. So no step
// waits for its selection: what one chose is copied while a later one scores landmarks, and named once it is there, by a
// kernel (templates/name_pages.mlir).
#include "CacheState.h"

#include <algorithm>
#include <fmt/format.h>

namespace landmark {

Expected<void> LandmarkCache::State::allocatePool() {
  base = tokens.buffer.data();
  if (options.hotBytes == 0)
    return {};
  int64_t each = tokens.headBytes, capacity = options.hotBytes / each;
  if (capacity == 0)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("cache: hotBytes: got {}; keys and values of a head's block take {}", options.hotBytes,
                             each)};
  // One number reaches both, so they lie a multiple of a page's bytes apart.
  auto buffer = GrowingBuffer::reserve(device, (capacity + 1) * each, "cache: hot pages");
  if (!buffer)
    return buffer.error();
  if (auto grown = buffer->grow((capacity + 1) * each); !grown)
    return grown;
  auto address = [](const std::byte *data) { return reinterpret_cast<std::uintptr_t>(data); };
  auto rest = [&](const std::byte *data) { return int64_t(address(data) % std::uintptr_t(each)); };
  hotData = buffer->data() + (rest(base) - rest(buffer->data()) + each) % each;
  bool isBelow = address(hotData) < address(base);
  int64_t apart = int64_t(isBelow ? address(base) - address(hotData) : address(hotData) - address(base)) / each;
  (isBelow ? firstPage : firstHot) = apart;
  if (isBelow)
    base = hotData;
  hotBuffer = std::move(*buffer);
  auto stream = SideStream::create(device);
  if (!stream)
    return stream.error();
  fills = std::move(*stream);
  hot = HotPages(capacity);
  places.resize(std::size_t(capacity));
  numbers.resize(std::size_t(options.maxSequences * maxBlocks() * options.kvHeads), 0);
  auto pairs = GrowingBuffer::reserve(device, int64_t(numbers.size() * sizeof(Change)), "cache: names of hot pages", Memory::PinnedHost);
  if (!pairs)
    return pairs.error();
  changes = std::move(*pairs);
  return {};
}

int64_t LandmarkCache::State::numberAt(int64_t place) const {
  int64_t head = place % options.kvHeads, block = place / options.kvHeads;
  const std::vector<int32_t> &pages = slots[size_t(block / maxBlocks())].blocks;
  block %= maxBlocks();
  return block < int64_t(pages.size()) ? numberOf(pages[size_t(block)], head) : 0;
}

void LandmarkCache::State::forget(int32_t page) {
  for (int64_t head = 0; head < options.kvHeads && isPooled(); ++head)
    hot.drop(page * options.kvHeads + head);
}

void LandmarkCache::State::giveUp(int64_t slot, std::vector<int64_t> &changed) {
  for (int64_t place : places[size_t(slot)])
    if (numbers[size_t(place)] == firstHot + slot) {
      numbers[size_t(place)] = numberAt(place);
      changed.push_back(place);
    }
  named -= places[size_t(slot)].size();
  places[size_t(slot)].clear();
}

void LandmarkCache::State::giveName(int64_t slot, int64_t place, std::vector<int64_t> &changed) {
  numbers[size_t(place)] = firstHot + slot;
  changed.push_back(place);
  auto &names = places[size_t(slot)];
  if (std::find(names.begin(), names.end(), place) != names.end())
    return;
  names.push_back(place);
  ++named;
}

Expected<int64_t> LandmarkCache::State::promote(const std::vector<BlockOfHead> &blocks) {
  auto pageOf = [&](const BlockOfHead &block) {
    return slots[size_t(block.slot)].blocks[size_t(block.block)] * options.kvHeads + block.head;
  };
  auto idle = fills.isIdle(); // else what it copies from is still in use
  if (!idle || !*idle)
    return idle ? Expected<int64_t>(0) : idle.error();
  // Room for every change that may come, before any is made.
  std::size_t most = std::min(named + blocks.size(), numbers.size());
  if (auto grown = changes.grow(int64_t(most * sizeof(Change))); !grown)
    return grown.error();
  hot.nextRound();
  for (const BlockOfHead &block : blocks) // first, so that nothing of it is given away
    hot.use(pageOf(block));
  std::vector<Copies::Piece> pieces;
  std::vector<int64_t> changed;
  for (const BlockOfHead &block : blocks) {
    int64_t page = pageOf(block), slot = hot.use(page);
    if (slot < 0 && (slot = hot.take(page)) >= 0) {
      giveUp(slot, changed);
      pieces.push_back({hotData + slot * tokens.headBytes, tokens.buffer.data() + page * tokens.headBytes, tokens.headBytes});
    }
    int64_t place = (block.slot * maxBlocks() + block.block) * options.kvHeads + block.head;
    bool isNamed = slot >= 0 && numbers[size_t(place)] == firstHot + slot;
    ++(isNamed ? hotHits : hotMisses);
    if (slot >= 0 && !isNamed)
      giveName(slot, place, changed);
  }
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  auto *pairs = reinterpret_cast<Change *>(changes.data());
  for (int64_t place : changed)
    *pairs++ = {place, numbers[size_t(place)]};
  Copies copies(*device.state(), fills.handle(), tokens.buffer.seams());
  copies.scatter(pieces);
  return copies.status() ? Expected<int64_t>(int64_t(changed.size())) : copies.status().error();
}

} // namespace landmark
