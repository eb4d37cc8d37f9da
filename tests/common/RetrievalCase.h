// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A retrieval problem on a device and its comparison with the oracle; host and GPU tests share it.
#ifndef LANDMARK_TESTS_COMMON_RETRIEVALCASE_H
#define LANDMARK_TESTS_COMMON_RETRIEVALCASE_H

#include "RetrievalReference.h"
#include "Safetensors.h"
#include "landmark/Retrieval.h"

#include <string>
#include <vector>

namespace landmark::test {

struct RetrievalCase {
  int64_t blockSize = 8, headDim = 32, queryHeads = 4, kvHeads = 2;
  DType dtype = DType::F32;
  std::vector<int64_t> lengths = {100}; ///< of the sequences, the queries included
  int64_t queries = 1;
  RetrievalOptions options = {}; ///< heads and the most of batch and queries are filled in
  double sharpness = 1;          ///< factor of the default scale
  Placement placement = Placement::Device;
  int64_t hotPages = 0;   ///< blocks of all heads that the pool has room for; 0: no pool
  int64_t ringTokens = 0; ///< the most that a sequence holds, as a ring; 0: all, and no ring
  uint64_t seed = 1;

  std::string description() const;
};

/// Draws one from `seed`, ugly shapes favoured.
RetrievalCase randomCase(uint64_t seed);

/// A view of a dense tensor in a device's memory.
struct DeviceTensor {
  DeviceBuffer buffer;
  TensorView view;

  static DeviceTensor of(const Device &device, const HostTensor &tensor);
  HostTensor download() const;
};

/// Random keys, values and queries of every sequence, on the host; values of landmarks are NaN.
class RetrievalData {
public:
  explicit RetrievalData(const RetrievalCase &problem);

  const RetrievalCase problem;
  std::vector<HostTensor> q, k, v; ///< of each sequence: [1, heads, queries or tokens, D]

  /// Rows [first, first + count) of a tensor.
  static HostTensor rows(const HostTensor &tensor, int64_t first, int64_t count);
};

struct RetrievalOutput {
  std::vector<HostTensor> o;                                 ///< of each sequence: [1, heads, queries, D]
  std::vector<HostTensor> lse;                               ///< [1, heads, queries]
  std::vector<std::vector<std::vector<int64_t>>> selections; ///< of each sequence, by (head, query)
};

/// A cache with the case's sequences in it.
class RetrievalSetup {
public:
  /// The pages are used once before, by a sequence of NaNs, so that what is read without having been written shows.
  RetrievalSetup(Runtime &runtime, const RetrievalData &data);

  LandmarkCache cache;
  std::vector<int64_t> ids;

  /// Appends tokens up to `length` of sequence `index`.
  void appendTo(size_t index, int64_t length);
  /// Runs queries [first, first + count) of all sequences, whose tokens after those are not yet appended.
  RetrievalOutput run(Retrieval &retrieval, int64_t first, int64_t count);
  Retrieval retrieval(int64_t maxQueries);
  /// Takes a sequence of the cache, of `length` tokens, as sequence `index`.
  void adopt(size_t index, int64_t id, int64_t length) {
    ids[index] = id;
    lengths[index] = length;
  }

private:
  Runtime &runtime;
  const RetrievalData &data;
  std::vector<int64_t> lengths;
};

/// Compares with the oracle: the selection first, then the rest for that selection (C12). Requires of Catch2 inside.
void checkAgainstOracle(const RetrievalData &data, const RetrievalOutput &output, Target::Kind kind);

/// Runs the case in one call and compares it.
void checkCase(Runtime &runtime, const RetrievalCase &problem);

} // namespace landmark::test
#endif
