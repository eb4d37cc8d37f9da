// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a Retrieval decides once: which kernels, how they are cut into programs, how much memory lies between them.
#ifndef LANDMARK_RUNTIME_RETRIEVALPLAN_H
#define LANDMARK_RUNTIME_RETRIEVALPLAN_H

#include "landmark/Retrieval.h"

#include <vector>

namespace landmark {

/// Rows of a call as a kernel walks them: a view [batch, outer, inner, D] of [batch, head, query, D]. Either the query
/// heads of a position lie inside, or the positions of a head do.
struct RowOrder {
  bool queriesInside;
  int64_t outer, inner;
  int64_t span; ///< inner rows that share what they read

  int64_t spans() const { return inner / span; }
  int64_t outerStep() const { return queriesInside ? 0 : 1; }
  int64_t innerStep() const { return queriesInside ? 1 : 0; }
  /// Of a tensor's strides by head and by query, that of the outer and that of the inner rows.
  int64_t outerOf(int64_t head, int64_t query) const { return queriesInside ? head : query; }
  int64_t innerOf(int64_t head, int64_t query) const { return queriesInside ? query : head; }
};

struct RetrievalPlan {
  int64_t queryHeads, kvHeads, headDim, topK, window;
  Granularity granularity;
  Rotary rotary;
  float scale;
  int64_t maxBatch, maxQueries;
  DType dtype;
  int64_t blockSize;

  int64_t tiles;        ///< landmark pages of the longest sequence
  int64_t list;         ///< places of a list in memory
  int64_t scoreTile;    ///< landmarks of a tile of score_top: a page, or a part of one where there are few
  int64_t scoreSplits;  ///< parts of the landmarks
  int64_t lists;        ///< of a row: of every part, those of score_top, or of pool where rows share
  int64_t listStride;   ///< room for lists of a row, so many that they fill whole tiles of columns
  int64_t attendSplits; ///< parts of the blocks
  bool joins;           ///< parts are programs of a cluster, and joined there
  bool selects;         ///< by a kernel of its own; attention merges the lists otherwise
  int64_t shareTile;    ///< rows of a tile of pool
  int64_t partQueries;  ///< queries whose scores are in memory at a time

  static Expected<RetrievalPlan> make(const CacheOptions &cache, const RetrievalOptions &options, const Device &device);

  int64_t group() const { return queryHeads / kvHeads; }
  bool shares() const { return granularity != Granularity::QueryHead; }
  bool sharesChunk() const { return granularity == Granularity::HeadChunk; }
  bool rotates() const { return rotary.layout != RotaryLayout::None; }
  /// What each pair of columns turns by for a position, as a fraction of 2^64; none without an embedding.
  std::vector<int64_t> frequencies() const;
  int64_t selectionHeads() const {
    return granularity == Granularity::KvHead ? kvHeads : granularity == Granularity::Query ? 1 : queryHeads;
  }
  int64_t selectionQueries(int64_t queries) const { return sharesChunk() ? 1 : queries; }
  /// That a row attends to: those selected, the window, and its own.
  int64_t blocks() const { return topK + window + 1; }
  int64_t candidateColumns() const { return listStride * list; } ///< of a row's lists, side by side
  /// Queries that one launch of attention takes.
  int64_t attendQueries() const { return sharesChunk() ? maxQueries : partQueries; }

  RowOrder scoreOrder(int64_t queries) const;
  RowOrder shareOrder(int64_t queries) const; ///< of pool: rows of a span read the same landmarks and share
  RowOrder poolOrder(int64_t queries) const; ///< of pool_top: rows of a span share
  RowOrder attendOrder(int64_t queries) const;

  /// The steps that this granularity takes, and the schedule of each.
  std::vector<Operation> steps() const;
  Operation attendStep() const { return attendSplits == 1 ? Operation::Attend : joins ? Operation::AttendJoin : Operation::AttendPart; }
  Problem problem(Operation step) const;
  Config config(Operation step, const Target &target) const;
  Config large(Config config, Operation step, int64_t rows, const Target &target) const;
  Config sharing(Config config, int64_t rows, const Target &target) const;
  Config sliced(Config config, Operation step, const Target &target) const;
  /// Whether a step may have another schedule than that: what the plan counts on must be the same.
  bool takes(const Config &other, Operation step, const Target &target) const;

  void cutScores(const RetrievalOptions &options, const Device &device);
  void cutAttention(const RetrievalOptions &options, const Device &device);

  // Elements of the memory between the kernels.
  int64_t listEntries() const;
  int64_t logSums() const;
  int64_t maxima(int64_t queries) const; ///< over tiles of rows
  int64_t pooled() const;
  int64_t table() const { return maxBatch * selectionHeads() * selectionQueries(maxQueries) * list; }
  int64_t parts() const {
    return attendStep() == Operation::AttendPart ? maxBatch * attendSplits * queryHeads * attendQueries() : 0;
  } ///< rows
};

} // namespace landmark
#endif
