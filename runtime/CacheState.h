// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a LandmarkCache keeps, as the runtime sees it.
#ifndef LANDMARK_RUNTIME_CACHESTATE_H
#define LANDMARK_RUNTIME_CACHESTATE_H

#include "Copies.h"
#include "GrowingBuffer.h"
#include "HotPages.h"
#include "PagePool.h"
#include "landmark/LandmarkCache.h"

#include <vector>

namespace landmark {

/// Pages of `rows` keys (and values) for every head: [page, head, row, D].
struct PageStore {
  int64_t rows = 0;      ///< of a page
  int64_t pageBytes = 0; ///< of one page in one buffer
  PagePool pool;
  std::vector<GrowingBuffer> buffers; ///< keys, and values where they are kept

  int64_t bytesOfPage() const { return pageBytes * int64_t(buffers.size()); }
};

struct LandmarkCache::State {
  State(Device device, const CacheOptions &options) : device(std::move(device)), options(options) {}

  struct Sequence {
    int64_t id = -1; ///< -1: the slot is free
    int64_t length = 0;
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

  /// Makes room for that many more pages, or says why there is none.
  Expected<void> reserve(int64_t blockPages, int64_t landmarkPages);
  int64_t allocatedBytes() const;

  /// Gives the slot pages for `length` tokens, its own where the last is shared; the copies of those are ordered first.
  void extend(PageStore &store, std::vector<int32_t> &pages, int64_t oldRows, int64_t newRows, Copies &copies);
  /// Copies `rows` rows from `from` on between the pages and a view, whose row 0 is row `from`.
  void move(const PageStore &store, int which, const std::vector<int32_t> &pages, int64_t from, int64_t rows,
            const TensorView &view, int64_t viewStride, bool toPages, Copies &copies) const;
  void publish(int64_t slot, int64_t firstBlock, int64_t firstLandmark, Copies &copies);

  std::byte *rowAt(const PageStore &store, int which, int32_t page, int64_t head, int64_t row) const {
    return store.buffers[size_t(which)].data() + page * store.pageBytes + (head * store.rows + row) * rowBytes();
  }

  Device device;
  CacheOptions options;
  PageStore tokens, landmarkKeys;
  std::vector<Sequence> slots;
  int64_t generation = 0; ///< of the next id

  /// Where kernels find pages: buffers, and the table that names them.
  struct Source {
    const GrowingBuffer &k, &v;
    const DeviceBuffer &table;
  };
  bool isPooled() const { return hot.capacity() > 0; }
  Source source() const {
    return isPooled() ? Source{hotBuffers[0], hotBuffers[1], hotTable}
                      : Source{tokens.buffers[0], tokens.buffers[1], blockTable};
  }
  /// Brings the blocks named for each of the slots into the pool of hot pages.
  Expected<void> fetch(const std::vector<std::pair<int64_t, std::vector<int64_t>>> &blocks, void *stream);

  std::vector<uint64_t> versions; ///< of every page: counts what was written to it
  HotPages hot;
  std::vector<GrowingBuffer> hotBuffers;
  DeviceBuffer hotTable; ///< as blockTable, of slots of the pool

  // On the device, as kernels read them.
  DeviceBuffer lengths;       ///< int32 [slot]
  DeviceBuffer blockTable;    ///< int32 [slot, block]
  DeviceBuffer landmarkTable; ///< int32 [slot, place]
};

} // namespace landmark
#endif
