// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Retrieval (docs/spec.md, section 5): a cache of blocks that are found by their landmarks, and the step that attends
// to those found. Nothing here throws or aborts on bad input; a call that fails has changed nothing and launched
// nothing.
#ifndef LANDMARK_RETRIEVAL_H
#define LANDMARK_RETRIEVAL_H

#include "landmark/LandmarkCache.h"
#include "landmark/Runtime.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace landmark {

struct RetrievalPlan;
namespace tune {
class DecodeSubject;
}

/// Which rows share a selection of blocks. Where rows share one, blocks are ranked by the maximum, over those rows, of
/// the softmax of their landmarks' logits over all blocks that may be chosen.
enum class Granularity {
  QueryHead, ///< none: every query of every head has its own, ranked by its logits
  KvHead,    ///< the query heads of a key/value head, for one query
  HeadChunk, ///< the queries of a call, for one head; blocks from the window of the first query on are not chosen but
             ///< seen
  Query,     ///< all heads, for one query
};

enum class RotaryLayout { None, Half, Interleaved }; ///< pairs (p, p + D/2) as LLaMA has them, or (2p, 2p + 1) as GPT-J
enum class Positions { True, Stingy };               ///< C13

/// A rotary embedding of queries and keys. The pair p of a row at a position turns by position / scaling *
/// base^(-2p/D).
struct Rotary {
  RotaryLayout layout = RotaryLayout::None; ///< None: keys are cached, and queries given, as they shall be multiplied
  Positions positions = Positions::True;
  double base = 10000.0;
  double scaling = 1.0;
};

struct RetrievalOptions {
  int64_t queryHeads = 0; ///< a multiple of the cache's key/value heads
  int64_t topK = 4;       ///< blocks to choose; 1 to 128
  int64_t window = 0;     ///< complete blocks before a query's own that it always sees, and does not choose
  Granularity granularity = Granularity::QueryHead;
  std::optional<float> scale = std::nullopt; ///< factor of the logits, finite and above 0; 1 / sqrt(D) by default
  Rotary rotary = {};
  int64_t maxBatch = 1;   ///< sequences of a call
  int64_t maxQueries = 1; ///< queries of a sequence in a call
  /// Memory for intermediate results, at most this; long calls are done in parts of their queries where it is too
  /// little for all.
  int64_t scratchBytes = int64_t(256) << 20;
  /// Parts that the landmarks of a row, and the blocks that it attends to, are cut into, for as many programs; hints,
  /// chosen by the device's size where they are not given. 1 to 64.
  std::optional<int64_t> scoreSplits = std::nullopt, attendSplits = std::nullopt;
  /// Whether up to 8 parts of attention are programs of a cluster that join what they have, where the device has clusters and they fit, in
  /// place of a kernel that merges parts; a hint.
  bool joinsParts = true;
};

/// The ids of the blocks that the last call chose, on the device: [batch, head, query, place], int32, ascending, -1
/// behind the last. The heads are the query heads, the key/value heads for Granularity::KvHead, one for Query; there is
/// one query for HeadChunk.
struct SelectionView {
  const int32_t *data = nullptr;
  std::array<int64_t, 4> shape = {};
  std::array<int64_t, 4> strides = {};
};

/// Scoring, selection and attention over the sequences of a cache, planned once and called for every step: one query,
/// several or a chunk of a prompt are the same.
///
/// The queries of a call are the last tokens of their sequences: keys and values are appended first. A query sees its
/// own block up to itself, the window, and the blocks chosen of those before the window. For the granularities other
/// than HeadChunk the result does not depend on how a sequence is cut into calls.
///
/// A step belongs to one cache, which must outlive it, and to one thread and stream at a time. On a GPU `attend`
/// launches a fixed number of kernels and does nothing else: no allocation, no copy, no wait; lengths and tables are
/// read by the kernels. So it may be captured in a graph, replayed after later appends. With a pool of hot pages
/// (CacheOptions::hotBytes) a call that is not captured also copies, and still waits for nothing.
class LANDMARK_API Retrieval {
public:
  static Expected<Retrieval> create(Runtime &runtime, const LandmarkCache &cache, const RetrievalOptions &options);
  Retrieval(Retrieval &&) noexcept;
  Retrieval &operator=(Retrieval &&) noexcept;
  ~Retrieval();

  /// Names the sequences of the next calls, one for each of the batch, at most maxBatch. Ordered by `stream` on a GPU,
  /// as the cache's calls are.
  Expected<void> bind(std::span<const int64_t> sequences, void *stream = nullptr);

  /// Attention of `q` [batch, query heads, queries, D] into `o`, of the same shape, and `lse` [batch, query heads,
  /// queries] (float32, natural logarithm; -inf with o = 0 for a row that sees nothing), for the sequences bound. Each
  /// must hold as many tokens as there are queries. Strides, memory and stream as in ForwardArguments and
  /// ForwardKernel::launch.
  Expected<void> attend(const TensorView &q, const TensorView &o, const RowsView &lse, void *stream = nullptr);

  /// Of the last call; valid until the next.
  SelectionView selection() const;
  /// The same on the host, dense; waits for the device.
  Expected<std::vector<int32_t>> downloadSelection() const;
  /// Kernels that a call launches.
  int64_t launches(int64_t queries) const;
  /// Bytes that it has on the device for what lies between its kernels.
  int64_t scratchBytes() const;

private:
  friend class tune::DecodeSubject;
  using KernelOf = std::function<Expected<std::shared_ptr<const LoadedKernel>>(Operation step)>;
  /// Of kernels from anywhere, which fit the plan.
  static Expected<Retrieval> create(const LandmarkCache &cache, const RetrievalPlan &plan, const KernelOf &kernelOf);

  struct State;
  explicit Retrieval(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace landmark
#endif
