// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RetrievalPlan.h"

#include "compiler/Driver/RetrievalConfig.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <numeric>

namespace landmark {

namespace {

constexpr int64_t columns = Problem::landmarksPerPage;
constexpr int64_t mostSplits = columns; ///< a row's log-sum-exps of all parts are one row of a tile
constexpr int64_t largeTile = 64;  ///< rows of four warps
constexpr int64_t fewQueries = 16; ///< below, the heads of a position fill a tile as well as the positions of a head

template <typename... Values> Error refuse(fmt::format_string<Values...> format, Values &&...values) {
  return Error{ErrorCode::InvalidArgument, fmt::format(format, std::forward<Values>(values)...)};
}

Expected<void> inRange(const char *name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most)
    return {};
  return refuse("retrieval: {}: got {}, allowed: {} to {}", name, value, least, most);
}

int64_t ceilDiv(int64_t value, int64_t by) { return (value + by - 1) / by; }

Expected<void> check(const CacheOptions &cache, const RetrievalOptions &options) {
  if (auto legal = inRange("queryHeads", options.queryHeads, 1, 1 << 16); !legal)
    return legal;
  if (options.queryHeads % cache.kvHeads != 0)
    return refuse("retrieval: queryHeads: got {}, allowed: a multiple of the cache's {} key/value heads",
                  options.queryHeads, cache.kvHeads);
  for (auto legal :
       {inRange("topK", options.topK, 1, Problem::maxTopK), inRange("window", options.window, 0, INT32_MAX),
        inRange("granularity", int64_t(options.granularity), 0, int64_t(Granularity::Query)),
        inRange("maxBatch", options.maxBatch, 1, 1 << 16), inRange("maxQueries", options.maxQueries, 1, 1 << 20),
        inRange("scratchBytes", options.scratchBytes, 0, int64_t(1) << 46),
        inRange("scoreSplits", options.scoreSplits.value_or(1), 1, mostSplits),
        inRange("attendSplits", options.attendSplits.value_or(1), 1, mostSplits)})
    if (!legal)
      return legal;
  if (options.scale && !(*options.scale > 0 && std::isfinite(*options.scale)))
    return refuse("retrieval: scale: got {}, allowed: a finite number above 0", *options.scale);
  const Rotary &rotary = options.rotary;
  if (auto legal = inRange("rotary.layout", int64_t(rotary.layout), 0, int64_t(RotaryLayout::Interleaved)); !legal)
    return legal;
  if (auto legal = inRange("rotary.positions", int64_t(rotary.positions), 0, int64_t(Positions::Stingy)); !legal)
    return legal;
  for (auto [name, value] : {std::pair{"base", rotary.base}, std::pair{"scaling", rotary.scaling}})
    if (rotary.layout != RotaryLayout::None && !(value > 0 && std::isfinite(value)))
      return refuse("retrieval: rotary.{}: got {}, allowed: a finite number above 0", name, value);
  return {};
}

} // namespace

Expected<RetrievalPlan> RetrievalPlan::make(const CacheOptions &cache, const RetrievalOptions &options,
                                            const Device &device) {
  if (auto legal = check(cache, options); !legal)
    return legal.error();
  RetrievalPlan plan{};
  plan.queryHeads = options.queryHeads;
  plan.kvHeads = cache.kvHeads;
  plan.headDim = cache.headDim;
  plan.topK = options.topK;
  plan.window = options.window;
  plan.granularity = options.granularity;
  plan.rotary = options.rotary;
  plan.scale = options.scale.value_or(float(1.0 / std::sqrt(double(cache.headDim))));
  plan.maxBatch = options.maxBatch;
  plan.maxQueries = options.maxQueries;
  plan.dtype = cache.dtype;
  plan.blockSize = cache.blockSize;
  plan.tiles = ceilDiv(ceilDiv(cache.maxTokens, cache.blockSize), columns);
  plan.list = listColumns(options.topK);

  plan.cutScores(options, device);
  plan.cutAttention(options, device);

  // Beside programs of scores that walk several tiles, those of split attention would begin unevenly spread.
  bool crowds = plan.attendSplits > 1 && plan.tiles > plan.scoreSplits;
  plan.selects = cache.hotBytes > 0 || crowds || !holdsList(plan.config(plan.attendStep(), device.target()));

  // Queries of a chunk come in whole tiles, whose maxima take most of the memory.
  int64_t unit = plan.sharesChunk() ? std::min(plan.shareTile, options.maxQueries) : 1;
  plan.partQueries = unit;
  double each = 8.0 * double(plan.listEntries()) + 4.0 * double(plan.logSums() + plan.maxima(unit)) +
                4.0 * double(plan.headDim + 1) * double(plan.sharesChunk() ? 0 : plan.parts());
  int64_t units = std::max<int64_t>(1, int64_t(double(options.scratchBytes) / each));
  plan.partQueries = units < ceilDiv(options.maxQueries, unit) ? units * unit : options.maxQueries;
  constexpr double mostBytes = double(int64_t(1) << 46);
  if (each * double(ceilDiv(plan.partQueries, unit)) > mostBytes || 4.0 * double(plan.table()) > mostBytes)
    return refuse(
        "retrieval: maxBatch, maxQueries: got {} and {}; what lies between the kernels takes more than 2^46 bytes",
        options.maxBatch, options.maxQueries);
  return plan;
}

// As many programs as keep every multiprocessor's loads under way, where rows alone do not.
void RetrievalPlan::cutScores(const RetrievalOptions &options, const Device &device) {
  int64_t wanted = 4 * device.multiprocessors(), rows = maxBatch * scoreOrder(1).spans(), queries = maxQueries, tileRows = fewQueries;
  scoreTile = columns, scoreSplits = 1, shareTile = 1; // until they are known
  if (shares()) {
    shareTile = config(Operation::Pool, device.target()).queryTile;
    queries = std::clamp<int64_t>(options.scratchBytes / (4 * maxima(shareTile)) * (sharesChunk() ? shareTile : 1), 1, maxQueries); // about those of a launch
  }
  if (sharesChunk()) {
    rows = maxBatch * queryHeads;
    tileRows = queries < largeTile ? fewQueries : largeTile;
  }
  scoreSplits = options.scoreSplits.value_or(std::clamp<int64_t>(wanted / (rows * ceilDiv(queries, tileRows)), 1, mostSplits));
  // A part of a page for each program, while there are programs without: one warp takes long over a page.
  while (!shares() && !device.isHost() && scoreTile > columns / 4 && 2 * tiles * (columns / scoreTile) <= scoreSplits)
    scoreTile /= 2;
  scoreSplits = std::min(scoreSplits, tiles * (columns / scoreTile));

  // Programs of pool_top are one warp each, that waits for what it reads: several for every scheduler.
  lists = scoreSplits;
  if (shares())
    lists = std::min(tiles, options.scoreSplits.value_or(std::clamp<int64_t>(4 * wanted / (maxBatch * poolOrder(1).outer * poolOrder(1).spans()), 1, mostSplits)));
  int64_t whole = std::lcm(columns, list);
  listStride = ceilDiv(lists * list, whole) * (whole / list);
}

// A block for each program, while that leaves no multiprocessor more than two: reading blocks one after the other then takes longer than joining parts.
void RetrievalPlan::cutAttention(const RetrievalOptions &options, const Device &device) {
  constexpr int64_t mostOfCluster = 8;
  const Target &target = device.target();
  int64_t programs = maxBatch * attendOrder(1).spans() * maxQueries;
  attendSplits = options.attendSplits.value_or(std::clamp<int64_t>(2 * device.multiprocessors() / programs, 1, std::min(mostSplits, blocks())));
  joins = false;
  if (!options.joinsParts || attendSplits == 1 || attendSplits > mostOfCluster || target.isHost() || target.computeCapability() < 90)
    return;
  // What the parts send may not fit beside long blocks, or large tiles of rows.
  Config apart = config(Operation::AttendPart, target);
  joins = true;
  Config joined = config(Operation::AttendJoin, target);
  joins = validate(joined, problem(Operation::AttendJoin), target) && joined.queryTile == apart.queryTile && joined.warps == apart.warps;
}

RowOrder RetrievalPlan::scoreOrder(int64_t queries) const {
  // Rows of a tile that rotates keys are of one position, or share a chunk's.
  if (sharesChunk() || (queries >= fewQueries && !rotates()))
    return {true, queryHeads, queries, queries};
  return {false, queries, queryHeads, group()};
}

RowOrder RetrievalPlan::shareOrder(int64_t queries) const {
  if (sharesChunk())
    return {true, queryHeads, queries, queries};
  return {false, queries, queryHeads, group()};
}

RowOrder RetrievalPlan::poolOrder(int64_t queries) const {
  if (sharesChunk())
    return {true, queryHeads, queries, queries};
  return {false, queries, queryHeads, granularity == Granularity::KvHead ? group() : queryHeads};
}

RowOrder RetrievalPlan::attendOrder(int64_t queries) const {
  if (sharesChunk())
    return {true, queryHeads, queries, queries};
  return {false, queries, queryHeads, granularity == Granularity::QueryHead ? 1 : group()};
}

std::vector<Operation> RetrievalPlan::steps() const {
  std::vector<Operation> steps = {Operation::ScoreTop};
  if (shares())
    steps = {Operation::Score, Operation::Pool, Operation::PoolTop};
  if (selects)
    steps.push_back(Operation::Select);
  steps.push_back(attendStep());
  if (attendStep() == Operation::AttendPart)
    steps.push_back(Operation::Merge);
  return steps;
}

Problem RetrievalPlan::problem(Operation step) const {
  bool readsKeys = step == Operation::ScoreTop || step == Operation::Score || step == Operation::Pool || step == attendStep();
  return {step, blockSize, headDim, dtype, /*floatGradients=*/false, topK, readsKeys && rotates()};
}

std::vector<int64_t> RetrievalPlan::frequencies() const {
  std::vector<int64_t> turns;
  for (int64_t pair = 0; rotates() && pair < headDim / 2; ++pair) {
    long double radians = std::pow(static_cast<long double>(rotary.base), -2.0L * pair / headDim) / rotary.scaling;
    long double turn = std::fmod(radians / (2 * std::numbers::pi_v<long double>), 1.0L);
    turns.push_back(std::bit_cast<int64_t>(static_cast<uint64_t>(std::ldexp(turn, 64))));
  }
  return turns;
}

// Tiles of as many rows as a span brings; a tile of a GPU has 16 rows a warp.
Config RetrievalPlan::config(Operation step, const Target &target) const {
  Config config = defaultConfig(problem(step), target);
  bool scores = step == Operation::Score || step == Operation::ScoreTop, pools = step == Operation::Pool, attends = isAttention(step);
  if (!scores && !pools && !attends)
    return config;
  if (step == Operation::ScoreTop)
    config.keyTile = scoreTile;
  RowOrder order = pools ? shareOrder(maxQueries) : scores ? scoreOrder(maxQueries) : attendOrder(maxQueries);
  if (target.isHost()) {
    config.queryTile = pools ? 32 : std::min<int64_t>(order.span, 32);
    return config;
  }
  int64_t steps = attends ? ceilDiv(blocks(), attendSplits) : ceilDiv(tiles * (columns / scoreTile), scoreSplits);
  // No more than a program has tiles; but what begins before the wait for the kernel before, as landmarks of score_top do, takes a stage ahead.
  config.stages = std::min(config.stages, step == Operation::ScoreTop ? std::max<int64_t>(2, steps) : steps);
  if (pools)
    return sharing(config, order.span, target);
  if (order.span <= 8)
    config.queryTile = 8; // half of what a matrix instruction takes: half the work on its results
  if (order.span < largeTile)
    return attends ? sliced(config, step, target) : config; // every warp would repeat what follows a score
  return large(config, step, order.span, target);
}

// Many rows: programs of four warps or more, the first that is legal and not half empty. wgmma has warps in groups of four; three groups where accumulators leave room for them.
Config RetrievalPlan::large(Config config, Operation step, int64_t rows, const Target &target) const {
  // Four programs of a multiprocessor, as many as the landmarks are cut for.
  int64_t stages = step == Operation::Score ? std::min<int64_t>(config.stages, 2) : config.stages;
  auto tile = [&](int64_t tileRows, int64_t warps, MatrixUnit unit) { return Config{tileRows, config.keyTile, warps, stages, unit}; };
  std::vector<Config> candidates;
  if (step == Operation::Attend && headDim <= 192 && headDim + 2 * config.keyTile <= 256) // of accumulators, logits and weights
    candidates.push_back(tile(192, 12, MatrixUnit::Wgmma));
  if (step != Operation::AttendPart) // parts are of few rows, and made as those that are joined
    candidates.insert(candidates.end(), {tile(128, 8, MatrixUnit::Wgmma), tile(64, 4, MatrixUnit::Wgmma)});
  candidates.push_back(tile(64, 4, MatrixUnit::Mma));
  for (const Config &candidate : candidates)
    if (candidate.queryTile - rows < largeTile && validate(candidate, problem(step), target))
      return candidate;
  return config;
}

// Landmarks are the rows of the product, four warps of them, and rows its columns.
Config RetrievalPlan::sharing(Config config, int64_t rows, const Target &target) const {
  constexpr int64_t most = 128;
  config.stages = std::min<int64_t>(config.stages, 2);
  config.queryTile = std::min(most, std::max<int64_t>(8, std::bit_ceil(uint64_t(rows))));
  for (; config.queryTile > 8; config.queryTile /= 2)
    for (MatrixUnit unit : {MatrixUnit::Wgmma, MatrixUnit::Mma}) {
      config.unit = unit;
      if (validate(config, problem(Operation::Pool), target))
        return config;
    }
  return config;
}

// Few rows: warps share them, for one alone takes long over a block.
Config RetrievalPlan::sliced(Config config, Operation step, const Target &target) const {
  Config sliced = config;
  for (sliced.warps = 4; sliced.warps > 1; sliced.warps /= 2)
    if (validate(sliced, problem(step), target))
      return sliced;
  return config;
}

bool RetrievalPlan::takes(const Config &other, Operation step, const Target &target) const {
  Config planned = config(step, target);
  bool merges = step == attendStep() && !selects;
  return validate(other, problem(step), target) && other.keyTile == planned.keyTile && (!merges || holdsList(other)) && (step != Operation::Pool || other.queryTile == planned.queryTile);
}

int64_t RetrievalPlan::listEntries() const {
  return maxBatch * (shares() ? selectionHeads() * selectionQueries(partQueries) : queryHeads * partQueries) *
         candidateColumns();
}
int64_t RetrievalPlan::logSums() const {
  constexpr int64_t readBeyond = 128; // a tile of pool reads whole rows of columns
  return shares() ? maxBatch * scoreSplits * queryHeads * partQueries + readBeyond : 0;
}
int64_t RetrievalPlan::maxima(int64_t queries) const {
  RowOrder order = shareOrder(queries);
  return shares() ? maxBatch * tiles * columns * order.outer * order.spans() * ceilDiv(order.span, shareTile) : 0;
}
int64_t RetrievalPlan::pooled() const { return sharesChunk() && partQueries < maxQueries ? maxBatch * tiles * queryHeads * columns : 0; }

} // namespace landmark
