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
bool pools(const Problem &problem) { return problem.operation == Operation::Pool; }
/// Whether a step multiplies, and so has loads on their way and may have several warps.
bool multiplies(const Problem &problem) { return attends(problem) || scores(problem) || pools(problem); }

/// Landmarks are the rows of pool's product, 16 a warp.
constexpr int64_t landmarkWarps = Problem::landmarksPerPage / 16;

Error illegal(std::string_view field, int64_t value, std::string_view limit, int64_t nearest) {
  return {ErrorCode::InvalidArgument,
          fmt::format("config: {} = {}: {}; the nearest legal value is {}", field, value, limit, nearest)};
}

/// What wgmma asks beyond what every schedule does.
Expected<void> validateWgmma(const Config &config, const Problem &problem, const Target &target) {
  auto refuse = [](std::string why) {
    return Error{ErrorCode::InvalidArgument, fmt::format("config: unit = wgmma: {}; the nearest legal value is mma", why)};
  };
  if (!multiplies(problem) || problem.operation == Operation::ScoreTop || problem.operation == Operation::AttendJoin)
    return refuse(fmt::format("{} has too few rows", name(problem.operation)));
  if (target.chip != "sm_90a")
    return refuse(fmt::format("only sm_90a has it, not {}", target.chip));
  if (problem.dtype == DType::F32)
    return refuse("it multiplies 16-bit types, not f32");
  if (problem.rotates)
    return refuse("rotated rows are multiplied by mma");
  if (problem.headDim % 16 != 0)
    return refuse(fmt::format("the head dimension must be a multiple of 16, got {}", problem.headDim));
  if (config.keyTile % 16 != 0)
    return refuse(fmt::format("the key tile must be a multiple of 16, got {}", config.keyTile));
  if (config.warps % 4 != 0)
    return illegal("warps", config.warps, "wgmma takes warps in groups of four", 4);
  if (!pools(problem) && config.queryTile != 16 * config.warps)
    return illegal("query_tile", config.queryTile, "wgmma takes 16 rows a warp", 16 * config.warps);
  return {};
}

/// Rows of a tile, and the warps that share them.
Expected<void> validateRows(const Config &config, const Problem &problem) {
  if (pools(problem)) {
    if (config.warps != landmarkWarps)
      return illegal("warps", config.warps, "pool takes a warp for 16 of a page's landmarks", landmarkWarps);
    if (config.queryTile < 8 || config.queryTile > 128 || config.queryTile % 8 != 0)
      return illegal("query_tile", config.queryTile, "must be a multiple of 8 from 8 to 128", std::clamp<int64_t>(config.queryTile / 8 * 8, 8, 128));
    return {};
  }
  int64_t mostWarps = multiplies(problem) ? 12 : 1; // what is shared by rows is found within a warp
  if (config.warps < 1 || config.warps > mostWarps)
    return illegal("warps", config.warps, fmt::format("must be 1 to {}", mostWarps),
                   std::clamp<int64_t>(config.warps, 1, mostWarps));
  if (config.queryTile != 16 * config.warps && config.queryTile != 8 && config.queryTile != 16)
    return illegal("query_tile", config.queryTile, "must be 16 rows a warp, or 8 or 16 that warps have in common",
                   16 * config.warps);
  return {};
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
    return {multiplies(problem) ? 8 : 16, retrievalColumns(problem), 1, 1};
  Config config{16, retrievalColumns(problem), pools(problem) ? landmarkWarps : 1, multiplies(problem) ? 3 : 1};
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
  if (!multiplies(problem))
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
  return isRetrieval(problem.operation) && !pools(problem) && config.warps > 1 && config.queryTile < 16 * config.warps;
}

Expected<void> validateRetrieval(const Config &config, const Problem &problem, const Target &target) {
  if (!isRetrievalTile(problem, config.keyTile))
    return illegal("key_tile", config.keyTile,
                   attends(problem)    ? "must be the block size, padded to a multiple of 8"
                   : isSelect(problem) ? "must be the columns of a piece of candidates"
                   : problem.operation == Operation::ScoreTop ? "must be the landmarks of a page, or a half or a quarter of them"
                                       : "must be the landmarks of a page",
                   retrievalColumns(problem));
  if (config.unit == MatrixUnit::Wgmma)
    if (auto legal = validateWgmma(config, problem, target); !legal)
      return legal;
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
  if (auto legal = validateRows(config, problem); !legal)
    return legal;
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
