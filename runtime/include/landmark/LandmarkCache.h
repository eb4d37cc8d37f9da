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
  /// With Placement::Host: device memory for pages in use again and again; 0 for none. A step then waits for its
  /// selection, copies the pages that it lacks in place of those not used for the longest time, none of its own among
  /// them, and goes on; it cannot be captured in a graph.
  int64_t hotBytes = 0;
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
  int64_t hotPages = 0; ///< in the pool of hot pages
  int64_t hotCapacity = 0;
  int64_t hotHits = 0, hotMisses = 0; ///< pages that steps found there, and that they had to copy
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
