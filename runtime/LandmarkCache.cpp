// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "CacheState.h"
#include "Places.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark {

namespace {

template <typename... Values> Error refuse(fmt::format_string<Values...> format, Values &&...values) {
  return Error{ErrorCode::InvalidArgument, fmt::format(format, std::forward<Values>(values)...)};
}

Expected<void> inRange(const char *name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most)
    return {};
  return refuse("cache: {}: got {}, allowed: {} to {}", name, value, least, most);
}

constexpr int64_t mostBytes = int64_t(1) << 46;

Expected<void> validate(const CacheOptions &options) {
  Problem problem{Operation::Attend, options.blockSize, options.headDim, options.dtype, /*floatGradients=*/false, /*topK=*/1};
  if (auto legal = validate(problem); !legal)
    return legal;
  for (auto legal :
       {inRange("kvHeads", options.kvHeads, 1, 1 << 16), inRange("maxSequences", options.maxSequences, 1, 1 << 20),
        inRange("maxTokens", options.maxTokens, 1, INT32_MAX - Problem::maxRetrievalBlockSize),
        inRange("budgetBytes", options.budgetBytes, 1, mostBytes),
        inRange("slabBytes", options.slabBytes, 1, mostBytes), inRange("hotBytes", options.hotBytes, 0, mostBytes),
        inRange("placement", int64_t(options.placement), 0, int64_t(Placement::Host)),
        inRange("eviction", int64_t(options.eviction), 0, int64_t(Eviction::Ring))})
    if (!legal)
      return legal;
  int64_t dropped = Problem::landmarksPerPage * options.blockSize;
  if (options.eviction == Eviction::Ring && options.maxTokens < dropped)
    return refuse("cache: maxTokens: got {}; a ring (Eviction::Ring) drops {} tokens at a time and must hold as many",
                  options.maxTokens, dropped);
  if (options.hotBytes > 0 && options.placement != Placement::Host)
    return refuse("cache: hotBytes: got {}; a pool of hot pages is for pages on the host (Placement::Host)",
                  options.hotBytes);
  return {};
}

/// A view of one sequence's rows in the cache's type, and `rows` of them if that is not negative.
Expected<void> checkRows(const char *name, const TensorView &view, const CacheOptions &options, int64_t rows,
                         const Device &device) {
  auto [batch, heads, tokens, columns] = view.shape;
  if (view.dtype != options.dtype)
    return refuse("{}: got {} elements; the cache holds {}", name, landmark::name(view.dtype),
                  landmark::name(options.dtype));
  if (batch != 1 || heads != options.kvHeads || columns != options.headDim || tokens < 0 ||
      (rows >= 0 && tokens != rows))
    return refuse("{}: got shape [{}]; it must be [1, {}, {}, {}]", name, fmt::join(view.shape, ", "), options.kvHeads,
                  rows >= 0 ? std::to_string(rows) : "tokens", options.headDim);
  if (view.strides[3] != 1)
    return refuse("{}: got a stride of {} between columns; they must lie side by side (stride 1)", name,
                  view.strides[3]);
  auto covered = footprint(view);
  if (!covered)
    return refuse("{}: got shape [{}] with strides [{}]; its offsets overflow (at most 2^56 bytes are allowed)", name,
                  fmt::join(view.shape, ", "), fmt::join(view.strides, ", "));
  if (!covered->data && !covered->empty)
    return refuse("{}: got null data for {} tokens", name, tokens);
  if (reinterpret_cast<std::uintptr_t>(view.data) % std::size_t(byteSize(view.dtype)) != 0)
    return refuse("{}: got data at {}; it must be aligned to the element's {} bytes", name, view.data,
                  byteSize(view.dtype));
  return checkPlace(name, *covered, device);
}

} // namespace

//===-- State
//-------------------------------------------------------------------------------------------------------===//

Expected<void> LandmarkCache::State::allocate() {
  slots.resize(size_t(options.maxSequences));
  auto store = [&](PageStore &pages, int64_t rows, int64_t parts, const char *what, Memory memory) -> Expected<void> {
    pages.rows = rows;
    pages.parts = parts;
    pages.headBytes = parts * rows * rowBytes();
    pages.pageBytes = options.kvHeads * pages.headBytes;
    int64_t most = std::min<int64_t>(options.budgetBytes / pages.pageBytes, INT32_MAX) * pages.pageBytes;
    auto reserved = GrowingBuffer::reserve(device, most, what, memory);
    if (!reserved)
      return reserved.error();
    pages.buffer = std::move(*reserved);
    return {};
  };
  if (auto done = store(tokens, options.blockSize, 2, "cache: keys and values",
                        options.placement == Placement::Host ? Memory::PinnedHost : Memory::Device);
      !done)
    return done;
  if (auto done = store(landmarkKeys, Problem::landmarksPerPage, 1, "cache: landmark keys", Memory::Device); !done)
    return done;
  if (auto done = allocatePool(); !done)
    return done;
  auto table = [&](DeviceBuffer &buffer, int64_t bytes) -> Expected<void> {
    auto made = DeviceBuffer::allocate(device, std::size_t(options.maxSequences * bytes));
    if (!made)
      return made.error();
    buffer = std::move(*made);
    return buffer.fill(0);
  };
  if (auto done = table(lengths, sizeof(int32_t)); !done)
    return done;
  if (auto done = table(blockTable, maxBlocks() * numbersOfBlock() * int64_t(sizeof(int64_t))); !done)
    return done;
  return table(landmarkTable, maxLandmarkPages() * int64_t(sizeof(int32_t)));
}

Expected<int64_t> LandmarkCache::State::slotOf(int64_t id) const {
  int64_t slot = id < 0 ? 0 : id % options.maxSequences;
  if (id >= 0 && slots[size_t(slot)].id == id)
    return slot;
  return Error{ErrorCode::NotFound, fmt::format("sequence: got {}; no open sequence has this id", id)};
}

Expected<int64_t> LandmarkCache::State::freeSlot() const {
  auto found = std::find_if(slots.begin(), slots.end(), [](const Sequence &sequence) { return sequence.id < 0; });
  if (found == slots.end())
    return Error{ErrorCode::DeviceError,
                 fmt::format("cache: all {} sequences are in use (CacheOptions::maxSequences)", options.maxSequences)};
  return found - slots.begin();
}

Expected<void> LandmarkCache::State::checkStream(void *stream) const {
  if (device.isHost() && stream)
    return refuse("stream: got {}; on the host it must be null", stream);
  return {};
}

int64_t LandmarkCache::State::allocatedBytes() const {
  return tokens.pool.capacity() * tokens.pageBytes + landmarkKeys.pool.capacity() * landmarkKeys.pageBytes;
}

Expected<void> LandmarkCache::State::reserve(int64_t blockPages, int64_t landmarkPages) {
  int64_t room = options.budgetBytes - allocatedBytes();
  struct Growth {
    PageStore &store;
    int64_t missing;
  } growths[] = {{tokens, std::max<int64_t>(0, blockPages - tokens.pool.available())},
                 {landmarkKeys, std::max<int64_t>(0, landmarkPages - landmarkKeys.pool.available())}};
  int64_t least = 0;
  for (auto [store, missing] : growths)
    least += missing * store.pageBytes;
  if (least > room)
    return Error{ErrorCode::DeviceError,
                 fmt::format("cache: {} more pages of keys and values and {} of landmark keys are needed, {} bytes; {} "
                             "of the budget of {} bytes are left (CacheOptions::budgetBytes)",
                             growths[0].missing, growths[1].missing, least, room, options.budgetBytes)};
  room -= least;
  for (auto [store, missing] : growths) {
    if (missing == 0)
      continue;
    // A slab at a time, and what is left where that is less. Pages of tokens leave room for the landmark keys of their
    // blocks, and for a page of them that each sequence may not fill.
    bool isTokens = &store == &tokens;
    int64_t slab = isTokens ? options.slabBytes : options.slabBytes / (2 * options.blockSize);
    int64_t cost = store.pageBytes + (isTokens ? landmarkKeys.pageBytes / landmarkKeys.rows : 0);
    int64_t free = std::max<int64_t>(0, room - (isTokens ? options.maxSequences * landmarkKeys.pageBytes : 0));
    int64_t more = std::clamp<int64_t>(slab / store.pageBytes - missing, 0, free / cost);
    more = std::min<int64_t>(more, INT32_MAX - store.pool.capacity() - missing);
    int64_t capacity = store.pool.capacity() + missing + more;
    if (auto grown = store.buffer.grow(capacity * store.pageBytes); !grown)
      return grown;
    store.pool.grow(capacity);
    room -= more * store.pageBytes;
  }
  return {};
}

void LandmarkCache::State::extend(PageStore &store, std::vector<int32_t> &pages, int64_t oldRows, int64_t newRows,
                                  Copies &copies) {
  if (newRows == oldRows)
    return;
  if (oldRows % store.rows != 0 && store.pool.isShared(pages.back())) {
    int32_t mine = store.pool.take();
    copies.copy(store.buffer.data() + mine * store.pageBytes, store.buffer.data() + pages.back() * store.pageBytes,
                store.pageBytes);
    store.pool.release(pages.back());
    pages.back() = mine;
  }
  while (int64_t(pages.size()) * store.rows < newRows)
    pages.push_back(store.pool.take());
}

void LandmarkCache::State::move(const PageStore &store, int part, const std::vector<int32_t> &pages, int64_t from,
                                int64_t rows, const TensorView &view, int64_t viewStride, bool toPages,
                                Copies &copies) const {
  int64_t size = byteSize(view.dtype), columns = rowBytes();
  int64_t pitch = view.strides[2] * viewStride * size, headPitch = view.strides[1] * size;
  auto *data = static_cast<std::byte *>(view.data);
  auto both = [&](Rows2D page, Rows2D outside, int64_t bytes, int64_t count) {
    toPages ? copies.copy(page, outside, bytes, count) : copies.copy(outside, page, bytes, count);
  };
  bool isDense = pitch == columns;
  for (int64_t row = from; row < from + rows;) {
    int64_t place = row / store.rows, inPage = row % store.rows,
            count = std::min(store.rows - inPage, from + rows - row);
    // Whole pages that lie side by side go together, where the rows outside do.
    int64_t run = 1;
    if (isDense && inPage == 0 && count == store.rows)
      while (row + (run + 1) * store.rows <= from + rows && pages[size_t(place + run)] == pages[size_t(place)] + run)
        ++run;
    std::byte *outside = data + (row - from) * pitch;
    if (count == 1 && run == 1) {
      both({rowAt(store, part, pages[size_t(place)], 0, inPage), store.headBytes}, {outside, headPitch}, columns,
           options.kvHeads);
    } else {
      for (int64_t head = 0; head < options.kvHeads; ++head) {
        std::byte *inside = rowAt(store, part, pages[size_t(place)], head, inPage),
                  *there = outside + head * headPitch;
        if (run > 1)
          both({inside, store.pageBytes}, {there, store.rows * columns}, store.rows * columns, run);
        else
          both({inside, columns}, {there, pitch}, columns, count);
      }
    }
    row += count + (run - 1) * store.rows;
  }
}

void LandmarkCache::State::publish(int64_t slot, int64_t firstBlock, int64_t firstLandmark, Copies &copies) {
  const Sequence &sequence = slots[size_t(slot)];
  std::vector<int64_t> fresh;
  for (size_t block = size_t(firstBlock); block < sequence.blocks.size(); ++block)
    for (int64_t head = 0; head < numbersOfBlock(); ++head)
      fresh.push_back(numberOf(sequence.blocks[block], head));
  int64_t first = (slot * maxBlocks() + firstBlock) * numbersOfBlock();
  if (isPooled())
    std::copy(fresh.begin(), fresh.end(), numbers.begin() + first);
  auto upload = [&](const DeviceBuffer &table, int64_t at, const auto *from, size_t count) {
    using Entry = std::decay_t<decltype(*from)>;
    copies.upload(static_cast<Entry *>(table.data()) + at, from, int64_t(count * sizeof(Entry)));
  };
  upload(blockTable, first, fresh.data(), fresh.size());
  if (firstLandmark < int64_t(sequence.landmarks.size()))
    upload(landmarkTable, slot * maxLandmarkPages() + firstLandmark, &sequence.landmarks[size_t(firstLandmark)],
           sequence.landmarks.size() - size_t(firstLandmark));
  auto length = int32_t(sequence.length);
  upload(lengths, slot, &length, 1);
}

void LandmarkCache::State::dropOldest(Sequence &sequence, int64_t groups) {
  auto drop = [](PageStore &store, std::vector<int32_t> &pages, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      store.pool.release(pages[size_t(i)]);
    pages.erase(pages.begin(), pages.begin() + count);
  };
  drop(tokens, sequence.blocks, groups * Problem::landmarksPerPage);
  drop(landmarkKeys, sequence.landmarks, groups);
  sequence.length -= groups * tokensOfGroup();
  sequence.dropped += groups * tokensOfGroup();
  evictedTokens += groups * tokensOfGroup();
}

Expected<int64_t> LandmarkCache::State::makeRoom(const Sequence &sequence, int64_t count) {
  int64_t before = sequence.length, groups = 0,
          mostGroups = options.eviction == Eviction::Ring ? before / tokensOfGroup() : 0;
  if (count > options.maxTokens - before) {
    groups = (count - (options.maxTokens - before) + tokensOfGroup() - 1) / tokensOfGroup();
    if (groups > mostGroups)
      return refuse("k: got {} tokens for a sequence of {}; a sequence holds at most {} (CacheOptions::maxTokens){}",
                    count, before, options.maxTokens,
                    mostGroups ? fmt::format(", and may drop {} of its own", mostGroups * tokensOfGroup()) : "");
  }
  auto needed = [](const PageStore &store, const std::vector<int32_t> &pages, int64_t oldRows, int64_t newRows) {
    bool copiesLast = newRows > oldRows && oldRows % store.rows != 0 && store.pool.isShared(pages.back());
    return (newRows + store.rows - 1) / store.rows - int64_t(pages.size()) + copiesLast;
  };
  int64_t blocks = needed(tokens, sequence.blocks, before, before + count),
          landmarks = needed(landmarkKeys, sequence.landmarks, landmarksOf(before), landmarksOf(before + count));
  auto release = [&](int64_t group) { // what dropping it gives back
    for (int64_t i = 0; i < Problem::landmarksPerPage; ++i)
      blocks -= !tokens.pool.isShared(sequence.blocks[size_t(group * Problem::landmarksPerPage + i)]);
    landmarks -= !landmarkKeys.pool.isShared(sequence.landmarks[size_t(group)]);
  };
  for (int64_t group = 0; group < groups; ++group)
    release(group);
  for (;; ++groups) {
    auto room = reserve(blocks, landmarks);
    if (room)
      return groups;
    if (groups == mostGroups)
      return room.error();
    release(groups);
  }
}

//===-- Cache
//-------------------------------------------------------------------------------------------------------===//

LandmarkCache::LandmarkCache(std::unique_ptr<State> state) : shared(std::move(state)) {}
LandmarkCache::LandmarkCache(LandmarkCache &&) noexcept = default;
LandmarkCache &LandmarkCache::operator=(LandmarkCache &&) noexcept = default;
LandmarkCache::~LandmarkCache() = default;

Expected<LandmarkCache> LandmarkCache::create(const Device &device, const CacheOptions &options) {
  if (auto legal = validate(options); !legal)
    return legal.error();
  auto state = std::make_unique<State>(device, options);
  if (auto allocated = state->allocate(); !allocated)
    return allocated.error();
  return LandmarkCache(std::move(state));
}

const Device &LandmarkCache::device() const { return shared->device; }
const CacheOptions &LandmarkCache::options() const { return shared->options; }

Expected<int64_t> LandmarkCache::open(void *stream) {
  if (auto legal = shared->checkStream(stream); !legal)
    return legal.error();
  auto slot = shared->freeSlot();
  if (!slot)
    return slot.error();
  Copies copies(*shared->device.state(), stream);
  shared->publish(*slot, 0, 0, copies);
  if (!copies.status())
    return copies.status().error();
  return shared->slots[size_t(*slot)].id = *slot + shared->options.maxSequences * shared->generation++;
}

Expected<int64_t> LandmarkCache::fork(int64_t sequence, void *stream) {
  if (auto legal = shared->checkStream(stream); !legal)
    return legal.error();
  auto from = shared->slotOf(sequence);
  if (!from)
    return from.error();
  auto slot = shared->freeSlot();
  if (!slot)
    return slot.error();
  State::Sequence &made = shared->slots[size_t(*slot)];
  made = shared->slots[size_t(*from)];
  Copies copies(*shared->device.state(), stream);
  shared->publish(*slot, 0, 0, copies);
  if (!copies.status()) {
    made = {};
    return copies.status().error();
  }
  for (int32_t page : made.blocks)
    shared->tokens.pool.share(page);
  for (int32_t page : made.landmarks)
    shared->landmarkKeys.pool.share(page);
  return made.id = *slot + shared->options.maxSequences * shared->generation++;
}

Expected<void> LandmarkCache::append(int64_t sequence, const TensorView &k, const TensorView &v, void *stream) {
  State &state = *shared;
  const CacheOptions &options = state.options;
  if (auto legal = state.checkStream(stream); !legal)
    return legal;
  auto slot = state.slotOf(sequence);
  if (!slot)
    return slot.error();
  if (auto covered = checkRows("k", k, options, -1, device()); !covered)
    return covered.error();
  if (auto covered = checkRows("v", v, options, k.shape[2], device()); !covered)
    return covered.error();
  State::Sequence &target = state.slots[size_t(*slot)];
  int64_t count = k.shape[2];
  if (count == 0)
    return {};
  auto groups = state.makeRoom(target, count);
  if (!groups)
    return groups.error();

  // From here on only the driver can fail, and then the device is lost.
  Copies copies(*state.device.state(), stream, state.tokens.buffer.seams());
  if (*groups > 0)
    state.dropOldest(target, *groups);
  int64_t before = target.length, after = before + count, landmarksBefore = state.landmarksOf(before),
          landmarksAfter = state.landmarksOf(after);
  int64_t firstBlock = before / options.blockSize, firstLandmark = landmarksBefore / Problem::landmarksPerPage;
  state.extend(state.tokens, target.blocks, before, after, copies);
  state.extend(state.landmarkKeys, target.landmarks, landmarksBefore, landmarksAfter, copies);
  state.move(state.tokens, 0, target.blocks, before, count, k, 1, /*toPages=*/true, copies);
  state.move(state.tokens, 1, target.blocks, before, count, v, 1, /*toPages=*/true, copies);
  TensorView landmarks = k;
  landmarks.data = static_cast<std::byte *>(k.data) +
                   ((landmarksBefore + 1) * options.blockSize - 1 - before) * k.strides[2] * byteSize(k.dtype);
  state.move(state.landmarkKeys, 0, target.landmarks, landmarksBefore, landmarksAfter - landmarksBefore, landmarks,
             options.blockSize, /*toPages=*/true, copies);
  target.length = after;
  for (int64_t block = firstBlock; block < int64_t(target.blocks.size()); ++block)
    state.forget(target.blocks[size_t(block)]);
  state.publish(*slot, *groups > 0 ? 0 : firstBlock, *groups > 0 ? 0 : firstLandmark, copies);
  return copies.status();
}

Expected<void> LandmarkCache::truncate(int64_t sequence, int64_t length, void *stream) {
  if (auto legal = shared->checkStream(stream); !legal)
    return legal;
  auto slot = shared->slotOf(sequence);
  if (!slot)
    return slot.error();
  State::Sequence &target = shared->slots[size_t(*slot)];
  if (length < 0 || length > target.length)
    return refuse("length: got {}; the sequence holds {} tokens, allowed: 0 to that", length, target.length);
  auto drop = [](PageStore &store, std::vector<int32_t> &pages, int64_t rows) {
    for (; (int64_t(pages.size()) - 1) * store.rows >= rows && !pages.empty(); pages.pop_back())
      store.pool.release(pages.back());
  };
  drop(shared->tokens, target.blocks, length);
  drop(shared->landmarkKeys, target.landmarks, shared->landmarksOf(length));
  target.length = length;
  Copies copies(*shared->device.state(), stream);
  shared->publish(*slot, int64_t(target.blocks.size()), int64_t(target.landmarks.size()), copies);
  return copies.status();
}

Expected<void> LandmarkCache::close(int64_t sequence) {
  auto slot = shared->slotOf(sequence);
  if (!slot)
    return slot.error();
  State::Sequence &ended = shared->slots[size_t(*slot)];
  for (int32_t page : ended.blocks)
    shared->tokens.pool.release(page);
  for (int32_t page : ended.landmarks)
    shared->landmarkKeys.pool.release(page);
  ended = {};
  return {};
}

Expected<int64_t> LandmarkCache::length(int64_t sequence) const {
  auto slot = shared->slotOf(sequence);
  return slot ? Expected<int64_t>(shared->slots[size_t(*slot)].length) : slot.error();
}

Expected<int64_t> LandmarkCache::dropped(int64_t sequence) const {
  auto slot = shared->slotOf(sequence);
  return slot ? Expected<int64_t>(shared->slots[size_t(*slot)].dropped) : slot.error();
}

CacheUsage LandmarkCache::usage() const {
  CacheUsage usage;
  for (const State::Sequence &sequence : shared->slots) {
    usage.sequences += sequence.id >= 0;
    usage.tokens += sequence.length;
  }
  const PagePool &pages = shared->tokens.pool, &landmarkPages = shared->landmarkKeys.pool;
  usage.pages = pages.used();
  usage.sharedPages = pages.shared();
  usage.landmarkPages = landmarkPages.used();
  usage.capacityPages = pages.capacity();
  usage.capacityLandmarkPages = landmarkPages.capacity();
  usage.bytesInUse =
      pages.used() * shared->tokens.pageBytes + landmarkPages.used() * shared->landmarkKeys.pageBytes;
  usage.bytesAllocated = shared->allocatedBytes();
  usage.budgetBytes = shared->options.budgetBytes;
  usage.hotPages = shared->hot.used();
  usage.hotCapacity = shared->hot.capacity();
  usage.hotHits = shared->hotHits;
  usage.hotMisses = shared->hotMisses;
  usage.evictedTokens = shared->evictedTokens;
  return usage;
}

Expected<void> LandmarkCache::read(int64_t sequence, int64_t first, const TensorView &k, const TensorView &v,
                                   void *stream) const {
  if (auto legal = shared->checkStream(stream); !legal)
    return legal;
  auto slot = shared->slotOf(sequence);
  if (!slot)
    return slot.error();
  const State::Sequence &source = shared->slots[size_t(*slot)];
  if (auto covered = checkRows("k", k, shared->options, -1, device()); !covered)
    return covered.error();
  if (auto covered = checkRows("v", v, shared->options, k.shape[2], device()); !covered)
    return covered.error();
  if (first < 0 || first > source.length || k.shape[2] > source.length - first)
    return refuse("first: got {} with {} tokens; the sequence holds {}", first, k.shape[2], source.length);
  Copies copies(*shared->device.state(), stream, shared->tokens.buffer.seams());
  shared->move(shared->tokens, 0, source.blocks, first, k.shape[2], k, 1, /*toPages=*/false, copies);
  shared->move(shared->tokens, 1, source.blocks, first, v.shape[2], v, 1, /*toPages=*/false, copies);
  return copies.status();
}

Expected<void> LandmarkCache::readLandmarks(int64_t sequence, int64_t first, const TensorView &k, void *stream) const {
  if (auto legal = shared->checkStream(stream); !legal)
    return legal;
  auto slot = shared->slotOf(sequence);
  if (!slot)
    return slot.error();
  const State::Sequence &source = shared->slots[size_t(*slot)];
  if (auto covered = checkRows("k", k, shared->options, -1, device()); !covered)
    return covered.error();
  int64_t blocks = shared->landmarksOf(source.length);
  if (first < 0 || first > blocks || k.shape[2] > blocks - first)
    return refuse("first: got {} with {} blocks; the sequence has {} complete ones", first, k.shape[2], blocks);
  Copies copies(*shared->device.state(), stream, shared->tokens.buffer.seams());
  shared->move(shared->landmarkKeys, 0, source.landmarks, first, k.shape[2], k, 1, /*toPages=*/false, copies);
  return copies.status();
}

} // namespace landmark
