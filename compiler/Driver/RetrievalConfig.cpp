// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/RetrievalConfig.h"

#include <fmt/format.h>

#include <algorithm>

namespace landmark {
namespace {

bool attends(const Problem &problem) { return isAttention(problem.operation); }
bool joins(const Problem &problem) { return problem.operation == Operation::AttendJoin; }
bool isSelect(const Problem &problem) { return problem.operation == Operation::Select; }
bool scores(const Problem &problem) {
  return problem.operation == Operation::Score || problem.operation == Operation::ScoreTop;
}

Error illegal(std::string_view field, int64_t value, std::string_view limit, int64_t nearest) {
  return {ErrorCode::InvalidArgument,
          fmt::format("config: {} = {}: {}; the nearest legal value is {}", field, value, limit, nearest)};
}

} // namespace

int64_t retrievalColumns(const Problem &problem) {
  if (isSelect(problem))
    return selectionColumns(problem.topK);
  return attends(problem) ? paddedBlock(problem) : Problem::landmarksPerPage;
}

bool isRetrievalTile(const Problem &problem, int64_t keyTile) {
  int64_t columns = retrievalColumns(problem);
  bool isPart = problem.operation == Operation::ScoreTop && (2 * keyTile == columns || 4 * keyTile == columns);
  return keyTile == columns || isPart;
}

// One warp holds the 16 rows of one matrix instruction: more than the query heads of a group. Many small programs keep
// more loads under way than few large ones.
Config defaultRetrievalConfig(const Problem &problem, const Target &target) {
  if (target.isHost())
    return {attends(problem) || scores(problem) ? 8 : 16, retrievalColumns(problem), 1, 1};
  Config config{16, retrievalColumns(problem), 1, scores(problem) || attends(problem) ? 3 : 1};
  if (isSelect(problem) || problem.operation == Operation::Merge)
    config.queryTile = 8; // one row, in pieces
  auto fits = [&](int64_t programs) {
    return programs * (retrievalSharedBytes(config, problem) + 1024) <= target.sharedBytesPerMultiprocessor();
  };
  while (config.stages > 2 && !fits(2))
    --config.stages;
  while (config.stages > 1 && !fits(1))
    --config.stages;
  return config;
}

int64_t retrievalSharedBytes(const Config &config, const Problem &problem) {
  if (!attends(problem) && !scores(problem))
    return 0;
  int64_t rows = config.queryTile + (attends(problem) ? 2 : 1) * config.stages * config.keyTile;
  if (problem.rotates)
    rows += config.queryTile + config.keyTile;
  int64_t logits = hasSlices(config, problem) ? 4 * config.queryTile * config.keyTile : 0; // which warps hand to one another
  // What programs of a cluster send: a thread's registers of the result, and two numbers for each of its rows, in pieces of 16 bytes.
  int64_t registers = config.queryTile * problem.headDim / (32 * config.warps) + config.queryTile / (4 * (hasSlices(config, problem) ? 1 : config.warps));
  int64_t received = joins(problem) ? 16 + 8 * 32 * config.warps * 16 * ((registers + 3) / 4) : 0;
  return rows * problem.headDim * byteSize(problem.dtype) + logits + received;
}

bool holdsList(const Config &config) { return config.queryTile <= 16; }

bool hasSlices(const Config &config, const Problem &problem) {
  return isRetrieval(problem.operation) && config.warps > 1 && config.queryTile < 16 * config.warps;
}

Expected<void> validateRetrieval(const Config &config, const Problem &problem, const Target &target) {
  if (!isRetrievalTile(problem, config.keyTile))
    return illegal("key_tile", config.keyTile,
                   attends(problem)    ? "must be the block size, padded to a multiple of 8"
                   : isSelect(problem) ? "must be the columns of a piece of candidates"
                   : problem.operation == Operation::ScoreTop ? "must be the landmarks of a page, or a half or a quarter of them"
                                       : "must be the landmarks of a page",
                   retrievalColumns(problem));
  if (config.unit != MatrixUnit::Mma)
    return Error{ErrorCode::InvalidArgument,
                 "config: unit = wgmma: retrieval multiplies by mma; the nearest legal value is mma"};
  if (config.loads != Loads::Async || config.programs != 1 || config.overlap || config.pingPong)
    return Error{ErrorCode::InvalidArgument,
                 "config: loads, programs, overlap, ping_pong: retrieval's pages are found by tables, which tensor "
                 "maps do not follow; the nearest legal values are async, 0, 0 and 0"};
  if (joins(problem) && (target.isHost() || target.computeCapability() < 90))
    return Error{ErrorCode::Unsupported, fmt::format("attend_join: {} has no clusters of programs; sm_90 and later have", target.chip)};
  if (target.isHost()) {
    if (config.queryTile < 1 || config.queryTile > 256)
      return illegal("query_tile", config.queryTile, "must be 1 to 256 on the host",
                     std::clamp<int64_t>(config.queryTile, 1, 256));
    if (config.warps != 1)
      return illegal("warps", config.warps, "the host has no warps", 1);
    if (config.stages != 1)
      return illegal("stages", config.stages, "the host has no shared-memory stages", 1);
    return {};
  }
  int64_t mostWarps = attends(problem) || scores(problem) ? 8 : 1; // what is shared by rows is found within a warp
  if (config.warps < 1 || config.warps > mostWarps)
    return illegal("warps", config.warps, fmt::format("must be 1 to {}", mostWarps),
                   std::clamp<int64_t>(config.warps, 1, mostWarps));
  if (config.queryTile != 16 * config.warps && config.queryTile != 8 && config.queryTile != 16)
    return illegal("query_tile", config.queryTile, "must be 16 rows a warp, or 8 or 16 that warps have in common",
                   16 * config.warps);
  if (hasSlices(config, problem))
    for (int64_t columns : {config.keyTile, attends(problem) ? problem.headDim : config.keyTile})
      if (columns % (8 * config.warps) != 0)
        return illegal("warps", config.warps,
                       fmt::format("with rows in common each takes a part of {} columns, a multiple of 8", columns), 1);
  if (config.stages < 1 || config.stages > 8)
    return illegal("stages", config.stages, "must be 1 to 8", std::clamp<int64_t>(config.stages, 1, 8));
  if (int64_t bytes = retrievalSharedBytes(config, problem); bytes > target.maxSharedBytes()) {
    std::string limit =
        fmt::format("takes {} bytes of shared memory, {} has {}", bytes, target.chip, target.maxSharedBytes());
    if (config.stages > 1)
      return illegal("stages", config.stages, limit, config.stages - 1);
    return Error{ErrorCode::Unsupported,
                 fmt::format("block size {} with head dimension {}: {}", problem.blockSize, problem.headDim, limit)};
  }
  return {};
}

} // namespace landmark
