// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a LandmarkCache keeps, as the runtime sees it.
#ifndef LANDMARK_RUNTIME_CACHESTATE_H
#define LANDMARK_RUNTIME_CACHESTATE_H

#include "Copies.h"
#include "GrowingBuffer.h"
#include "HotPages.h"
#include "PagePool.h"
#include "SideStream.h"
#include "landmark/LandmarkCache.h"

#include <vector>

namespace landmark {

/// Pages of `rows` keys, and of as many values behind them where they are kept: [page, head, part, row, D].
struct PageStore {
  int64_t rows = 0;      ///< of a page
  int64_t parts = 0;     ///< 2 with values, else 1
  int64_t headBytes = 0; ///< of a page's part for one head
  int64_t pageBytes = 0;
  PagePool pool;
  GrowingBuffer buffer;
};

struct LandmarkCache::State {
  State(Device device, const CacheOptions &options) : device(std::move(device)), options(options) {}

  struct Sequence {
    int64_t id = -1; ///< -1: the slot is free
    int64_t length = 0;
    int64_t dropped = 0; ///< tokens that lay before these
    std::vector<int32_t> blocks, landmarks; ///< pages
  };

  int64_t rowBytes() const { return options.headDim * byteSize(options.dtype); }
  int64_t blocksOf(int64_t tokens) const { return (tokens + options.blockSize - 1) / options.blockSize; }
  int64_t landmarksOf(int64_t tokens) const { return tokens / options.blockSize; }
  int64_t maxBlocks() const { return blocksOf(options.maxTokens); }
  int64_t maxLandmarkPages() const { return (maxBlocks() + Problem::landmarksPerPage - 1) / Problem::landmarksPerPage; }

  Expected<void> allocate();
  Expected<void> allocatePool();
  Expected<int64_t> slotOf(int64_t id) const;
  Expected<int64_t> freeSlot() const;
  Expected<void> checkStream(void *stream) const;

  /// What a ring drops at a time: the blocks that one page of landmark keys is of.
  int64_t tokensOfGroup() const { return Problem::landmarksPerPage * options.blockSize; }
  /// Makes room for `count` more tokens of a sequence: how many of its oldest groups must be dropped for them.
  Expected<int64_t> makeRoom(const Sequence &sequence, int64_t count);
  /// Makes room for that many more pages, or says why there is none.
  Expected<void> reserve(int64_t blockPages, int64_t landmarkPages);
  int64_t allocatedBytes() const;

  /// Gives the slot pages for `length` tokens, its own where the last is shared; the copies of those are ordered first.
  void extend(PageStore &store, std::vector<int32_t> &pages, int64_t oldRows, int64_t newRows, Copies &copies);
  /// Copies `rows` rows of a part from `from` on between the pages and a view, whose row 0 is row `from`.
  void move(const PageStore &store, int part, const std::vector<int32_t> &pages, int64_t from, int64_t rows,
            const TensorView &view, int64_t viewStride, bool toPages, Copies &copies) const;
  void publish(int64_t slot, int64_t firstBlock, int64_t firstLandmark, Copies &copies);

  /// Drops the oldest groups of a sequence.
  void dropOldest(Sequence &sequence, int64_t groups);

  std::byte *rowAt(const PageStore &store, int part, int32_t page, int64_t head, int64_t row) const {
    return store.buffer.data() + page * store.pageBytes + head * store.headBytes +
           (part * store.rows + row) * rowBytes();
  }

  Device device;
  CacheOptions options;
  PageStore tokens, landmarkKeys;
  std::vector<Sequence> slots;
  int64_t generation = 0; ///< of the next id

  // Kernels find the keys of a head's block, and its values behind them, by a number: how many times their bytes they
  // lie behind `base`. Pages and hot pages are numbered alike, so a step need not know where a block lies.
  std::byte *base = nullptr;
  int64_t firstPage = 0; ///< number of the first head of page 0
  bool isPooled() const { return hot.capacity() > 0; }
  int64_t numbersOfBlock() const { return isPooled() ? options.kvHeads : 1; } ///< in the table; else of the first head
  int64_t numberOf(int32_t page, int64_t head) const { return firstPage + page * options.kvHeads + head; }

  // The pool of hot pages (CachePool.cpp): copies of blocks of heads in the device's memory, where pages lie on the
  // host. Everything also stays on the host, so a page that is not hot is read there.
  struct BlockOfHead {
    int64_t slot, block, head;
    auto operator<=>(const BlockOfHead &) const = default;
  };
  /// Orders the copies that make these blocks hot, which are distinct and complete, on `fills`: how many changes of the
  /// table are to follow them there before `fills` is joined. Does nothing while those of an earlier call are under way.
  Expected<int64_t> promote(const std::vector<BlockOfHead> &blocks);
  // Of the table: a slot's names become those of the pages again, or a place names a slot.
  void giveUp(int64_t slot, std::vector<int64_t> &changed);
  void giveName(int64_t slot, int64_t place, std::vector<int64_t> &changed);
  int64_t numberAt(int64_t place) const; ///< of a place in the table, as it is without the pool
  void forget(int32_t page);             ///< what is hot of it is no more

  HotPages hot;
  GrowingBuffer hotBuffer;
  std::byte *hotData = nullptr;
  int64_t firstHot = 0;                     ///< number of slot 0
  std::vector<int64_t> numbers;             ///< the table, as last written
  std::vector<std::vector<int64_t>> places; ///< in the table, that may name a slot
  std::size_t named = 0;                    ///< all of them
  int64_t hotHits = 0, hotMisses = 0;
  SideStream fills;
  struct Change {
    int64_t place, number;
  };
  GrowingBuffer changes; ///< pinned: of the table, those of the last promote()

  int64_t evictedTokens = 0;

  // On the device, as kernels read them.
  DeviceBuffer lengths;       ///< int32 [slot]
  DeviceBuffer blockTable;    ///< int64 [slot, block, head], or without the head
  DeviceBuffer landmarkTable; ///< int32 [slot, place]
};

} // namespace landmark
#endif
