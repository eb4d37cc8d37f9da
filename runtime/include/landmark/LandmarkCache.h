// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys and values of many sequences in pages of one block, their landmark keys apart and dense. A call that fails has
// changed nothing.
#ifndef LANDMARK_LANDMARKCACHE_H
#define LANDMARK_LANDMARKCACHE_H

#include "landmark/Device.h"
#include "landmark/Tensor.h"

#include <cstdint>
#include <memory>

namespace landmark {

/// Where the pages of keys and values lie. Landmark keys always lie on the device.
enum class Placement {
  Device,
  /// Pinned memory of the host. Kernels read the blocks chosen over the bus, or, with `hotBytes`, from a pool of pages
  /// on the device that holds those used last. On the host target there is no difference but for the pool.
  Host,
};

/// What an append does that finds no room: the sequence would grow beyond maxTokens, or memory beyond budgetBytes or
/// what device and host have.
enum class Eviction {
  None, ///< it fails
  /// The sequence drops its oldest complete blocks, 64 at a time (those of a page of landmark keys), as few as make
  /// room: a sliding context. An append of at most maxTokens - 64 L tokens always fits into maxTokens; one that finds no
  /// room even so fails and drops nothing. Blocks that a fork shares stay with the fork.
  ///
  /// Tokens and blocks are counted from the first that the sequence holds, here, in read() and in selections alike:
  /// dropped() tells how many tokens lay before it, and block id + dropped() / L numbers blocks for good. Rotary
  /// positions, which keys have when they are appended, do not change.
  Ring,
};

struct CacheOptions {
  int64_t blockSize = 64; ///< L: tokens of a page, the landmark last; 2 to 256
  int64_t kvHeads = 1;
  int64_t headDim = 128;
  DType dtype = DType::BF16;
  int64_t maxSequences = 1;              ///< open at a time
  int64_t maxTokens = 0;                 ///< of one sequence; below 2^31
  int64_t budgetBytes = 0;               ///< for keys, values and landmark keys together
  int64_t slabBytes = int64_t(64) << 20; ///< memory is taken in steps of about this
  Placement placement = Placement::Device;
  /// With Placement::Host: device memory for copies of blocks in use again and again, of one key/value head each; 0 for
  /// none. The blocks that a call's last queries chose are copied while the next call scores landmarks, in place of
  /// those not chosen for the longest time, never of others chosen by the same call or still being read; that call's
  /// attention finds them there. A block that is not there is read over the bus, so nothing ever waits, and a pool may
  /// be of any size. Steps replayed from a graph use the pool as it is and leave it so.
  int64_t hotBytes = 0;
  Eviction eviction = Eviction::None;
};

/// What a cache holds. Pages shared by forks count once.
struct CacheUsage {
  int64_t sequences = 0;
  int64_t tokens = 0;        ///< of all sequences, shared ones counted for each
  int64_t pages = 0;         ///< of keys and values, in use
  int64_t sharedPages = 0;   ///< of those, in use by more than one sequence
  int64_t landmarkPages = 0; ///< in use
  int64_t capacityPages = 0; ///< of keys and values, in use or free
  int64_t capacityLandmarkPages = 0;
  int64_t bytesInUse = 0;
  int64_t bytesAllocated = 0; ///< at most budgetBytes
  int64_t budgetBytes = 0;
  int64_t hotPages = 0; ///< blocks of a head in the pool of hot pages
  int64_t hotCapacity = 0;
  int64_t hotHits = 0, hotMisses = 0; ///< blocks of a head that the last queries of calls found there, and did not
  int64_t evictedTokens = 0;          ///< dropped by appends, of all sequences there ever were
};

/// The cache of one layer. Sequences are named by ids that are never used twice. An object is used from one thread at a
/// time.
///
/// On a GPU all copies are asynchronous: the calls that take a stream order them there, and one stream must order all
/// uses of a cache, kernels that read it included. Memory that such a call was given must stay valid until the stream
/// has passed it. On the host `stream` must be null.
class LANDMARK_API LandmarkCache {
public:
  static Expected<LandmarkCache> create(const Device &device, const CacheOptions &options);
  LandmarkCache(LandmarkCache &&) noexcept;
  LandmarkCache &operator=(LandmarkCache &&) noexcept;
  ~LandmarkCache();

  const Device &device() const;
  const CacheOptions &options() const;

  /// A new sequence without tokens.
  Expected<int64_t> open(void *stream = nullptr);
  /// A new sequence that holds what `sequence` holds. Complete pages are shared; an incomplete one is copied when
  /// either sequence goes on.
  Expected<int64_t> fork(int64_t sequence, void *stream = nullptr);
  /// Appends `k` and `v`, both [1, key/value heads, tokens, D] in the cache's type, on its device, any number of
  /// tokens. Token L-1 of every block is its landmark and is supplied like the others; its value is kept and never
  /// read.
  Expected<void> append(int64_t sequence, const TensorView &k, const TensorView &v, void *stream = nullptr);
  /// Drops the tokens from `length` on.
  Expected<void> truncate(int64_t sequence, int64_t length, void *stream = nullptr);
  /// Ends a sequence; its id is unknown from then on.
  Expected<void> close(int64_t sequence);

  Expected<int64_t> length(int64_t sequence) const;
  /// Tokens that a ring dropped before those that the sequence holds; a multiple of 64 L.
  Expected<int64_t> dropped(int64_t sequence) const;
  CacheUsage usage() const;

  /// Copies tokens [first, first + n) into `k` and `v` [1, key/value heads, n, D] on the cache's device.
  Expected<void> read(int64_t sequence, int64_t first, const TensorView &k, const TensorView &v,
                      void *stream = nullptr) const;
  /// Copies the landmark keys of complete blocks [first, first + n) into `k` [1, key/value heads, n, D].
  Expected<void> readLandmarks(int64_t sequence, int64_t first, const TensorView &k, void *stream = nullptr) const;

  struct State;
  State &state() const { return *shared; } ///< for the runtime's own use

private:
  explicit LandmarkCache(std::unique_ptr<State> state);
  std::unique_ptr<State> shared;
};

} // namespace landmark
#endif
