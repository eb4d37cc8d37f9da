// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the benchmarks of retrieval share: sequences of any length, made of few numbers, in a cache.
#ifndef LANDMARK_TOOLS_LONGCONTEXT_H
#define LANDMARK_TOOLS_LONGCONTEXT_H

#include "Command.h"
#include "Workspace.h"
#include "landmark/Retrieval.h"

#include <nlohmann/json.hpp>

namespace landmark::tool {

struct ContextOptions {
  int64_t context = 65536, batch = 1, heads = 32, kvHeads = 8, headDim = 128, blockSize = 64;
  std::string dtype = "bf16", device = "auto";
  Placement placement = Placement::Device;
  int64_t hotBytes = 0;
  uint64_t seed = 1;

  void addTo(CLI::App &app);
  Expected<DType> parseDType() const;
};

/// The names of granularities, as --granularity takes them.
std::string nameOf(Granularity granularity);
void addGranularity(CLI::App &app, Granularity &granularity);

/// What was measured, and on what.
nlohmann::ordered_json describe(const char *operation, const ContextOptions &options, const RetrievalOptions &retrieval,
                                const Device &device);

/// Keys and values of any number of tokens from a few: token j of sequence b is row `rowOf(b, j)` of a base, in pieces
/// of which each starts a row later, so that the landmarks of one piece are not those of another.
class ContextBase {
public:
  ContextBase(const ContextOptions &options, DType dtype);

  int64_t piece() const { return pieceRows; }
  int64_t shift(int64_t sequence, int64_t token) const { return (token / pieceRows + sequence) % blockSize; }

  /// The tokens of `heads` heads from `head` on, dense.
  HostTensor tokens(const HostTensor &of, int64_t sequence, int64_t head, int64_t heads, int64_t count) const;

  HostTensor k, v;

private:
  int64_t blockSize, pieceRows;
};

/// One sequence's rows of a tensor [batch, heads, rows, D], heads from `head` on.
HostTensor headsOf(const HostTensor &of, int64_t sequence, int64_t head, int64_t heads);

/// Outputs of retrieval on a device and on the host, poisoned at first.
struct RetrievalOutputs {
  static Expected<RetrievalOutputs> allocate(const Device &device, DType dtype, std::array<int64_t, 4> shape);
  Expected<void> download();
  TensorView oView() const;
  RowsView lseView() const;

  HostTensor o, lse;

private:
  DeviceBuffer oThere, lseThere;
};

/// The type and the device that options name.
struct ContextPlace {
  static Expected<ContextPlace> of(const ContextOptions &options);
  DType dtype;
  Device device;
};

/// Queries, normal numbers, on the host and on a device, and room for what comes of them.
struct RetrievalTensors {
  static Expected<RetrievalTensors> create(const Device &device, DType dtype, std::array<int64_t, 4> shape, uint64_t seed);
  TensorView qView() const;

  HostTensor q;
  DeviceBuffer qThere;
  RetrievalOutputs outputs;
};

/// Normal numbers; the same for a seed however many threads draw them.
HostTensor randomTensor(DType dtype, std::vector<int64_t> shape, uint64_t seed);

/// A cache with sequences of a base's tokens.
class LongContext {
public:
  static Expected<LongContext> create(const Device &device, const ContextBase &base, const ContextOptions &options);

  /// Appends tokens of every sequence up to `length`.
  Expected<void> appendTo(int64_t length);

  LandmarkCache cache;
  std::vector<int64_t> ids;

private:
  LongContext(LandmarkCache cache, const ContextBase &base) : cache(std::move(cache)), base(&base) {}

  const ContextBase *base;
  DeviceBuffer k, v;
};

} // namespace landmark::tool
#endif
