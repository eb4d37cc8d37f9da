// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_RECENTBLOCKS_H
#define LANDMARK_RUNTIME_RECENTBLOCKS_H

#include "CacheState.h"
#include "landmark/Retrieval.h"

namespace landmark {

/// What the last queries of a call chose, on its way to the host: noted behind the call on a stream of its own, and
/// taken by a later one once it has arrived, so that nobody waits. A later call may write over it on its way: what
/// arrives then are ids of two calls, and any complete block may be made hot.
class RecentBlocks {
public:
  /// Room for the ids of `rows` selections.
  static Expected<RecentBlocks> create(const Device &device, int64_t rows, int64_t topK);
  RecentBlocks() = default;

  /// Notes a call's selection of the sequences bound, unless an earlier one is still on its way.
  Expected<void> note(const LandmarkCache::State &cache, const std::vector<int64_t> &sequences,
                      const SelectionView &selection, int64_t window, void *stream);
  /// The complete blocks of what was noted, each once, as far as the cache still has them; none if nothing has arrived.
  Expected<std::vector<LandmarkCache::State::BlockOfHead>> take(const LandmarkCache::State &cache);
  /// Waits for what is on its way: before its memory goes.
  Expected<void> finish() const { return arrived.synchronize(); }

private:
  struct Bound {
    int64_t sequence, dropped;
    int64_t local; ///< its first block of the window
  };
  std::vector<Bound> bound; ///< empty: nothing was noted
  int64_t heads = 0, topK = 0;
  GrowingBuffer ids; ///< [sequence, head, place]
  Event arrived;
};

} // namespace landmark
#endif
