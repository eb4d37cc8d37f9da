// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Config.h"
#include "compiler/Driver/ForwardConfig.h"
#include "compiler/Driver/RetrievalConfig.h"
#include "compiler/Driver/Shipped.h"
#include "compiler/Transforms/FewBlocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

namespace landmark {
namespace {

int64_t roundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// A tile of more keys does not fit the register file; longer blocks are spread over several tiles.
constexpr int64_t maxKeyTile = 128;

/// More would leave multiprocessors without work in all but the largest problems.
constexpr int64_t maxPrograms = 16;

/// Keys of the longest sequences that are short to a schedule.
constexpr int64_t shortSequence = 4096;

/// Columns of the output up to which a thread has registers for a second accumulator.
constexpr int64_t maxBlockOutput = 128;

/// Registers of one thread that hold the accumulators of the gradients of keys, `count` of them, and of logits and their products.
int64_t keyRegisters(const Config &config, const Problem &problem, int64_t count) {
  return (count * config.keyTile * problem.headDim + 2 * keyQueryTile(problem, config) * config.keyTile) / (32 * config.warps);
}

/// Registers of one thread that hold the accumulators of the output and of the logits, and resident weights.
int64_t accumulatorRegisters(const Config &config, const Problem &problem) {
  int64_t rows = config.queryTile / config.warps; // of one warp; a thread holds 1/32 of them
  if (isBackward(problem.operation))
    return std::max(rows * (problem.headDim + 2 * config.keyTile) / 32, keyRegisters(config, problem, 1));
  if (marksTiles(problem.operation))
    return rows * std::max(config.keyTile, markedBlocks) / 32;
  return rows * ((keepsBlockOutput(problem, config) ? 2 : 1) * problem.headDim + config.keyTile) / 32;
}

/// Of a thread's registers; addresses and fragments take the rest.
int64_t fittingRegisters(const Config &config) { return std::min<int64_t>(255, 65536 / (32 * config.warps)) - 31; }

Error illegal(std::string_view field, int64_t value, std::string_view limit, int64_t nearest) {
  return {ErrorCode::InvalidArgument, fmt::format("config: {} = {}: {}; the nearest legal value is {}", field, value, limit, nearest)};
}

/// The largest legal key tile below the one given: a multiple of the padded block, or a part of it; of a backward one of 16 keys for each warp. 0 for none.
int64_t nextSmallerKeyTile(const Config &config, const Problem &problem) {
  if (isBackward(problem.operation))
    return config.keyTile - 16 * config.warps;
  int64_t padded = paddedBlock(problem);
  return config.keyTile > padded ? config.keyTile - padded : config.keyTile - 8;
}

/// As many whole blocks as `keys` holds; one block in any case if a tile can hold it, and a part of a block if not.
int64_t keysNear(const Problem &problem, int64_t keys) {
  int64_t padded = paddedBlock(problem);
  return padded <= maxKeyTile ? padded * std::max<int64_t>(1, keys / padded) : keys;
}

/// The same in steps of 16, in which wgmma takes keys: an even number of blocks that are no multiple of it, or one with 8 columns more.
int64_t wgmmaKeysNear(const Problem &problem, int64_t keys) {
  int64_t padded = paddedBlock(problem), near = keysNear(problem, keys);
  if (near % 16 == 0)
    return near;
  return near > padded ? near - padded : near + 8;
}

/// What wgmma asks beyond what every schedule does.
Expected<void> validateWgmma(const Config &config, const Problem &problem, const Target &target) {
  auto refuse = [](std::string why) {
    return Error{ErrorCode::InvalidArgument, fmt::format("config: unit = wgmma: {}; the nearest legal value is mma", why)};
  };
  if (marksTiles(problem.operation))
    return refuse("a program of few rows multiplies by mma");
  if (target.chip != "sm_90a")
    return refuse(fmt::format("only sm_90a has it, not {}", target.chip));
  if (problem.dtype == DType::F32)
    return refuse("it multiplies 16-bit types, not f32");
  if (problem.headDim % 16 != 0)
    return refuse(fmt::format("the head dimension must be a multiple of 16, got {}", problem.headDim));
  if (config.keyTile % 16 != 0)
    return illegal("key_tile", config.keyTile, "wgmma takes keys in steps of 16", isLongBlock(problem, config) ? roundUp(config.keyTile, 16) : wgmmaKeysNear(problem, config.keyTile));
  if (config.warps % 4 != 0)
    return illegal("warps", config.warps, "wgmma takes warps in groups of four", 4);
  if (config.queryTile != 16 * config.warps)
    return illegal("query_tile", config.queryTile, "wgmma takes 16 rows a warp", 16 * config.warps);
  if (isBackward(problem.operation) && config.loads != Loads::Tma)
    return refuse("a backward by wgmma takes loads = tma");
  if (isBackward(problem.operation) && config.keyTile != 16 * config.warps)
    return illegal("key_tile", config.keyTile, "wgmma takes 16 keys a warp in a backward", 16 * config.warps);
  return {};
}

/// What a producer warp with tensor maps asks beyond wgmma.
Expected<void> validateTma(const Config &config, const Problem &problem, const Target &target) {
  auto refuse = [](std::string why) {
    return Error{ErrorCode::InvalidArgument, fmt::format("config: loads = tma: {}; the nearest legal value is async", why)};
  };
  if (config.unit != MatrixUnit::Wgmma)
    return refuse("it feeds wgmma, not mma");
  if (isLongBlock(problem, config) && !keepsBlockOutput(problem, config))
    return refuse(fmt::format("blocks of {} keys are longer than a key tile of {}{}", problem.blockSize, config.keyTile,
                              problem.operation == Operation::Forward ? fmt::format(", which takes a head dimension of at most {}, got {}", maxBlockOutput, problem.headDim) : ""));
  if (isLongBlock(problem, config) && tailTokens(problem, config) == 1)
    return illegal("key_tile", config.keyTile, fmt::format("leaves nothing but the landmark to the last part of a block of {}", problem.blockSize),
                   config.keyTile > 16 ? config.keyTile - 16 : 32);
  if (isBackward(problem.operation) && (config.programs != 1 || config.pingPong))
    return Error{ErrorCode::InvalidArgument, "config: programs and ping_pong are the forward's; the nearest legal values are 1 and 0"};
  return {};
}

/// The first that fits of what measured best on an H200 for the head dimension (docs/performance.md); none where wgmma does not fit.
std::optional<Config> defaultWgmma(const Problem &problem, const Target &target, Loads most) {
  int64_t near64 = wgmmaKeysNear(problem, 64), near128 = wgmmaKeysNear(problem, 128);
  std::vector<Config> candidates;
  if (most == Loads::Tma && paddedBlock(problem) > maxKeyTile)
    // Parts of 96 keys: beside two accumulators of the output there are no registers for the next part's logits, and smaller parts with them were slower. Others serve where
    // those leave a landmark alone.
    for (int64_t keys : {96, 80, 64}) {
      if (problem.headDim <= 64)
        candidates.push_back({192, keys, 12, 2, MatrixUnit::Wgmma, Loads::Tma});
      candidates.push_back({128, keys, 8, 2, MatrixUnit::Wgmma, Loads::Tma});
    }
  if (most == Loads::Tma) {
    // Three groups of warps hide each other's softmax best where registers allow it; two with overlapped products do as well at D = 128, and better in short sequences.
    if (problem.headDim <= 64)
      candidates.push_back({192, near128, 12, 2, MatrixUnit::Wgmma, Loads::Tma, /*programs=*/1, /*overlap=*/true, /*pingPong=*/false});
    // (Of a block of 128, multiplied once more where logits do not fit, three groups spill.)
    if (problem.headDim <= 96 && paddedBlock(problem) < 128)
      candidates.push_back({192, near128, 12, 3, MatrixUnit::Wgmma, Loads::Tma, 1, false, false});
    // Two programs a block: 3% at 2k and 4k tokens, nothing at 16k. At D = 256 they cost 6%, as registers get short.
    candidates.push_back({128, near128, 8, 2, MatrixUnit::Wgmma, Loads::Tma, /*programs=*/2, true, true});
    candidates.push_back({128, near64, 8, 2, MatrixUnit::Wgmma, Loads::Tma, 1, true, problem.headDim <= 192});
    candidates.push_back({128, near64, 8, 1, MatrixUnit::Wgmma, Loads::Tma});
  }
  if (problem.headDim > 64 && problem.headDim <= 128)
    candidates.push_back({192, near128, 12, 2, MatrixUnit::Wgmma});
  candidates.push_back({128, near64, 8, 2, MatrixUnit::Wgmma});
  candidates.push_back({128, near128, 8, 2, MatrixUnit::Wgmma});
  candidates.push_back({128, near64, 8, 1, MatrixUnit::Wgmma});
  for (const Config &candidate : candidates)
    if (validate(candidate, problem, target))
      return candidate;
  return std::nullopt;
}


/// Of the two kernels the one that takes more: Q and dO, K and V, one pair resident and the other in rings, and where keys are resident the weights and the
/// gradients of logits that are multiplied transposed.
int64_t backwardSharedBytes(const Config &config, const Problem &problem, const Target &target) {
  int64_t statistics = isLongBlock(problem, config) ? config.stages * config.keyTile : 0; // rings of the first pass over a block's parts
  int64_t queries = 2 * (config.queryTile + config.stages * config.keyTile + statistics) * problem.headDim;
  if (addsQueryGradients(problem, config, target))
    queries = 0; // there is no kernel by queries
  int64_t rows = keyQueryTile(problem, config), staged = keyPasses(problem, config, target) == 1 ? 2 : 1; // tiles of rows and keys
  // Smaller tiles of rows have more stages, where nothing that an adder reads takes room: the sums, or a second place of what is staged.
  Adder adder = queryGradientAdder(problem, config, target);
  int64_t stages = adder != Adder::None ? config.stages : config.stages * config.queryTile / rows, places = adder == Adder::Group ? 2 : 1;
  int64_t keys = 2 * (config.keyTile + stages * rows + statistics) * problem.headDim + places * staged * rows * config.keyTile;
  int64_t barriers = config.loads == Loads::Tma ? 16 * (2 + 2 * stages) : 0;
  // Of rows, fetched with their tiles, in places that begin where a tile may.
  int64_t numbers = config.loads == Loads::Tma && addsQueryGradients(problem, config, target) ? 2 * roundUp(4 * stages * rows, 1024) : 0;
  int64_t sums = adder == Adder::Warp ? 4 * rows * problem.headDim + 16 : adder == Adder::Group ? 16 * places : 0;
  return std::max(queries, keys) * byteSize(problem.dtype) + barriers + numbers + sums;
}

/// The first that fits of what wgmma and tensor maps can do; none where they do not serve.
std::optional<Config> defaultBackwardWgmma(const Problem &problem, const Target &target) {
  for (int64_t warps : {8, 4})
    for (int64_t stages : {4, 3, 2, 1}) {
      Config config{16 * warps, 16 * warps, warps, stages, MatrixUnit::Wgmma, Loads::Tma, /*programs=*/1, /*overlap=*/true, /*pingPong=*/false};
      // A group of dq's own where it serves; at D = 128 it leaves the others too few registers.
      config.dqGroup = true;
      if (problem.headDim > 96 || queryGradientAdder(problem, config, target) != Adder::Group)
        config.dqGroup = false;
      // Measured at D = 64, 96 and 128; of two and four the ring's stages are cheaper to find than of three.
      Adder adder = queryGradientAdder(problem, config, target);
      int64_t most = adder == Adder::Group ? 4 : adder == Adder::Warp ? 3 : problem.headDim <= 64 && problem.deterministic ? 3 : 2;
      if (stages > most)
        continue;
      if (validate(config, problem, target) && accumulatorRegisters(config, problem) <= 200)
        return config;
    }
  return std::nullopt;
}

/// The first that fits, with as many stages as leave room for two blocks of four warps on a multiprocessor.
Config defaultBackward(const Problem &problem, const Target &target, Loads most) {
  if (target.isHost())
    return {64, problem.blockSize <= 64 ? 64 : 128, 1, 1};
  if (target.chip == "sm_90a" && most == Loads::Tma)
    if (std::optional<Config> config = defaultBackwardWgmma(problem, target))
      return *config;
  std::vector<Config> candidates;
  if (problem.blockSize > 64 && problem.blockSize <= 128)
    candidates.push_back({128, 128, 8, 2});
  if (isGated(problem.operation) && problem.blockSize > 64) // a part of the block does not do
    candidates.push_back({64, 128, 4, 2});
  for (Config config : {Config{64, 64, 4, 2}, Config{32, 32, 2, 2}, Config{16, 16, 1, 1}})
    candidates.push_back(config);
  for (Config config : candidates) {
    int64_t room = config.warps == 8 ? target.maxSharedBytes() : target.sharedBytesPerMultiprocessor() / 2 - 1024;
    while (config.stages > 1 && sharedBytes(config, problem, target) > room)
      --config.stages;
    if (validate(config, problem, target) && (isGated(problem.operation) || accumulatorRegisters(config, problem) <= 200))
      return config;
  }
  return candidates.back();
}

/// A warp with its rows: maxima over rows stay within it. As many stages as leave room for six programs on a multiprocessor.
Config defaultGates(const Problem &problem, const Target &target) {
  Config config{markedRows, keysNear(problem, 64), 1, target.isHost() ? 1 : 2};
  while (config.stages > 1 && sharedBytes(config, problem, target) > target.sharedBytesPerMultiprocessor() / 6 - 1024)
    --config.stages;
  return config;
}

/// Whether the registers of a thread hold both gradients of keys.
bool fitsOnePass(const Problem &problem, const Config &config) {
  int64_t most = config.unit == MatrixUnit::Wgmma ? 200 : 208; // descriptors and weights take more
  return keyRegisters(config, problem, 2) <= std::min(most, fittingRegisters(config));
}

/// Whole blocks side by side, or a part of a block.
Expected<void> validateKeyTile(const Config &config, const Problem &problem) {
  if (config.keyTile < 8 || config.keyTile > maxKeyTile)
    return illegal("key_tile", config.keyTile, fmt::format("must be 8 to {}", maxKeyTile), std::clamp<int64_t>(config.keyTile, 8, maxKeyTile));
  if (isBackward(problem.operation) || isLongBlock(problem, config))
    return config.keyTile % 8 == 0 ? Expected<void>() : illegal("key_tile", config.keyTile, "must be a multiple of 8", roundUp(config.keyTile, 8));
  int64_t padded = paddedBlock(problem), even = roundUp(padded, 16);
  bool wgmma = config.unit == MatrixUnit::Wgmma;
  if (isTileOfBlocks(problem, config) && (wgmma || tileTokens(problem, config) == padded))
    return {};
  std::string multiples = wgmma && even != padded ? fmt::format("{} or {}, the block size padded to a multiple of 8 or 16", padded, even)
                                                  : fmt::format("{}, the block size padded to a multiple of 8", padded);
  return illegal("key_tile", config.keyTile, fmt::format("must be a multiple of {}, or less", multiples),
                 wgmma ? wgmmaKeysNear(problem, config.keyTile) : config.keyTile / padded * padded);
}

/// What the steps with a gate threshold ask beyond what is asked without one.
Expected<void> validateGated(const Config &config, const Problem &problem) {
  if (isLongBlock(problem, config))
    return illegal("key_tile", config.keyTile, "must hold a block where there is a gate threshold", paddedBlock(problem));
  if (config.queryTile % markedRows != 0)
    return illegal("query_tile", config.queryTile, fmt::format("must be a multiple of {} where there is a gate threshold", markedRows),
                   roundUp(config.queryTile, markedRows));
  if (marksTiles(problem.operation) && config.queryTile != markedRows)
    return illegal("query_tile", config.queryTile, fmt::format("marks are made of {} rows", markedRows), markedRows);
  if (marksTiles(problem.operation) && config.warps != 1)
    return illegal("warps", config.warps, "marks are made by one warp", 1);
  return {};
}

} // namespace

int64_t tileTokens(const Problem &problem, const Config &config) {
  if (isLongBlock(problem, config))
    return config.keyTile;
  int64_t tokens = paddedBlock(problem);
  while (tokens < std::min(config.keyTile, maxKeyTile) && config.keyTile % tokens != 0)
    tokens += 8;
  return std::min(tokens, config.keyTile);
}

bool isTileOfBlocks(const Problem &problem, const Config &config) {
  if (config.keyTile % 8 != 0 || isLongBlock(problem, config))
    return config.keyTile % 8 == 0;
  int64_t tokens = tileTokens(problem, config);
  return config.keyTile % tokens == 0 && (isBackward(problem.operation) || tokens <= roundUp(paddedBlock(problem), 16));
}

int64_t tileBlocks(const Problem &problem, const Config &config) { return config.keyTile / tileTokens(problem, config); }

int64_t keyQueryTile(const Problem &problem, const Config &config) {
  if (config.unit != MatrixUnit::Wgmma || config.warps < 4)
    return config.queryTile;
  bool shareBlocks = tileBlocks(problem, config) % (config.warps / 4) == 0;
  return shareBlocks ? 64 : config.queryTile;
}

int64_t keyPasses(const Problem &problem, const Config &config, const Target &target) {
  return target.isHost() || fitsOnePass(problem, config) ? 1 : 2;
}

bool addsQueryGradients(const Problem &problem, const Config &config, const Target &target) {
  if (!isBackward(problem.operation) || problem.deterministic || target.isHost() || isLongBlock(problem, config) || !fitsOnePass(problem, config))
    return false;
  if (config.unit != MatrixUnit::Wgmma || keyQueryTile(problem, config) == 16 * config.warps || config.dqGroup)
    return true;
  int64_t chunks = problem.headDim / 8, panel = std::min<int64_t>(8, chunks & -chunks), share = chunks * 4 / config.warps;
  return share % panel == 0 || panel % share == 0;
}

Adder queryGradientAdder(const Problem &problem, const Config &config, const Target &target) {
  // Warps with rows of their own have twice as many numbers of dq, and registers run out.
  if (config.loads != Loads::Tma || !addsQueryGradients(problem, config, target) || keyQueryTile(problem, config) == config.queryTile)
    return Adder::None;
  return config.dqGroup ? Adder::Group : Adder::Warp;
}

std::string name(Adder adder) { return adder == Adder::Group ? "group" : adder == Adder::Warp ? "warp" : "none"; }

std::optional<Adder> parseAdder(std::string_view text) {
  for (Adder adder : {Adder::None, Adder::Warp, Adder::Group})
    if (name(adder) == text)
      return adder;
  return std::nullopt;
}

int64_t paddedBlock(const Problem &problem) { return roundUp(problem.blockSize, 8); }

bool isLongBlock(const Problem &problem, const Config &config) { return paddedBlock(problem) > config.keyTile; }

/// Two groups of warps that multiply by wgmma: a thread of each has half of the registers that there are.
static bool isForwardOfTwoGroups(const Problem &problem, const Config &config) {
  return isForward(problem.operation) && config.unit == MatrixUnit::Wgmma && config.warps == 8;
}

int64_t leadColumns(const Problem &problem, const Config &config) {
  if (!isForwardOfTwoGroups(problem, config) || problem.headDim <= 64 || problem.headDim > 128 || problem.headDim % 32 != 0)
    return 0;
  if (problem.dtype == DType::F16)
    return 32; // exponentials stay in 32 bits until it is known that 16 hold them
  // Masks of padded blocks and the factors of many take registers too.
  bool isPlain = tileTokens(problem, config) == problem.blockSize && tileBlocks(problem, config) <= fewBlocks;
  return isPlain ? 64 : 48;
}

// By measurement: 0.3 to 2% are lost at D = 64, 96 and 256 and with blocks of 32 (docs/performance/forward.md).
bool chainsSums(const Problem &problem, const Config &config) {
  return isForwardOfTwoGroups(problem, config) && problem.headDim == 128 && tileBlocks(problem, config) <= fewBlocks;
}

// By measurement: in float16, whose exponentials stay in 32 bits, 0.5 to 1.2% are gained by more parts; bfloat16 loses by them, and masks of padded blocks leave no registers for them.
int64_t exponentialParts(const Problem &problem, const Config &config) {
  bool isPlain = problem.dtype == DType::F16 && tileTokens(problem, config) == problem.blockSize;
  return isPlain && problem.headDim == 128 && isForwardOfTwoGroups(problem, config) ? 8 : 2;
}

bool keepsBlockOutput(const Problem &problem, const Config &config) {
  return problem.operation == Operation::Forward && isLongBlock(problem, config) && problem.headDim <= maxBlockOutput;
}

int64_t tailTokens(const Problem &problem, const Config &config) { return (problem.blockSize - 1) % config.keyTile + 1; }

int64_t tailColumns(const Problem &problem, const Config &config) {
  return roundUp(tailTokens(problem, config), config.keyTile % 16 == 0 ? 16 : 8); // wgmma takes keys in steps of 16
}

int64_t threads(const Config &config, const Target &target) {
  return target.isHost() ? 0 : 32 * config.warps + (config.loads == Loads::Tma ? 128 : 0) + (config.dqGroup ? 128 : 0);
}

LengthClass lengthClass(int64_t keys) { return keys <= 0 ? LengthClass::Any : keys <= shortSequence ? LengthClass::Short : LengthClass::Long; }

std::string describe(LengthClass length) {
  switch (length) {
  case LengthClass::Short:
    return fmt::format("short (up to {} keys)", shortSequence);
  case LengthClass::Long:
    return fmt::format("long (more than {} keys)", shortSequence);
  case LengthClass::Any:
    break;
  }
  return "any";
}

Config defaultConfig(const Problem &problem, const Target &target, LengthClass length, Loads most) {
  if (most == Loads::Tma)
    if (std::optional<Config> measured = shippedConfig(problem, target, length))
      return *measured;
  if (isBackward(problem.operation))
    return defaultBackward(problem, target, most);
  if (isRetrieval(problem.operation))
    return defaultRetrievalConfig(problem, target);
  if (marksTiles(problem.operation))
    return defaultGates(problem, target);
  int64_t padded = paddedBlock(problem);
  auto wholeBlocks = [&](int64_t keys) { return keysNear(problem, std::min<int64_t>(keys, padded <= maxKeyTile ? keys : 64)); };
  if (target.isHost())
    return {64, wholeBlocks(64), 1, 1};
  if (target.chip == "sm_90a")
    if (std::optional<Config> config = defaultWgmma(problem, target, most))
      return *config;
  // 32 rows a warp read shared memory half as often as 16, where the accumulators leave registers for it; with 16, longer key tiles make up for that.
  Config config{128, wholeBlocks(64), 4, 2};
  if (accumulatorRegisters(config, problem) > 160)
    config = {128, wholeBlocks(128), 8, 2};
  if (accumulatorRegisters(config, problem) > 160)
    config = {64, wholeBlocks(64), 4, 2};
  // Two blocks of four warps share a multiprocessor, eight warps have one for themselves.
  int64_t room = config.warps == 8 ? target.maxSharedBytes() : target.sharedBytesPerMultiprocessor() / 2 - 1024;
  while (config.stages > 1 && sharedBytes(config, problem, target) > room)
    --config.stages;
  // What is left over, wide rows of float32 mostly: smaller and smaller, blocks in parts at last.
  for (Config smaller : {Config{64, wholeBlocks(64), 4, 1}, Config{64, 32, 4, 1}, Config{32, 16, 2, 1}, Config{16, 8, 1, 1}}) {
    if (validate(config, problem, target))
      break;
    config = smaller;
    if (config.keyTile > padded)
      config.keyTile = config.keyTile / padded * padded;
  }
  return config;
}

static int64_t forwardSharedBytes(const Config &config, const Problem &problem) {
  int64_t keys = 2 * config.keyTile, rings = 2; // K and V
  if (keepsBlockOutput(problem, config)) {      // the last part: its values, where a producer brings them; its keys as well, where each loop has copies of its own
    keys += (config.loads == Loads::Tma ? 1 : 2) * tailColumns(problem, config);
    rings = 3;
  } else if (isLongBlock(problem, config)) { // K of the first pass
    keys += config.keyTile;
  }
  int64_t rows = config.queryTile + config.stages * keys;
  int64_t barriers = config.loads == Loads::Tma ? 16 * (1 + rings * config.stages) : 0; // full and empty ones
  return rows * problem.headDim * byteSize(problem.dtype) + barriers;
}

/// The place of the output's rows. A block's only program writes them where its queries were.
static int64_t outputBytes(const Config &config, const Problem &problem) {
  return config.programs == 1 ? 0 : config.queryTile * problem.headDim * byteSize(problem.dtype);
}

bool stagesOutput(const Config &config, const Problem &problem, const Target &target) {
  // Of short rows there is little to save, and the block's end waits for the copy all the same: 1 to 2% slower at D = 64 and 16k.
  bool pays = problem.headDim > 64 || isLongBlock(problem, config);
  return isForward(problem.operation) && pays && config.loads == Loads::Tma && forwardSharedBytes(config, problem) + outputBytes(config, problem) <= target.maxSharedBytes();
}

int64_t sharedBytes(const Config &config, const Problem &problem, const Target &target) {
  if (target.isHost())
    return 0;
  if (isBackward(problem.operation))
    return backwardSharedBytes(config, problem, target);
  if (isRetrieval(problem.operation))
    return retrievalSharedBytes(config, problem);
  if (marksTiles(problem.operation))
    return (config.queryTile + config.stages * std::max(config.keyTile, markedBlocks)) * problem.headDim * byteSize(problem.dtype);
  return forwardSharedBytes(config, problem) + (stagesOutput(config, problem, target) ? outputBytes(config, problem) : 0);
}

Expected<void> validate(const Config &config, const Problem &problem, const Target &target) {
  if (auto valid = validate(problem); !valid)
    return valid.error();
  if (isRetrieval(problem.operation))
    return validateRetrieval(config, problem, target);
  if (auto legal = validateKeyTile(config, problem); !legal)
    return legal;
  if (isGated(problem.operation))
    if (auto legal = validateGated(config, problem); !legal)
      return legal;
  if (target.isHost()) {
    if (config.queryTile < 1 || config.queryTile > 256)
      return illegal("query_tile", config.queryTile, "must be 1 to 256 on the host", std::clamp<int64_t>(config.queryTile, 1, 256));
    if (config.warps != 1)
      return illegal("warps", config.warps, "the host has no warps", 1);
    if (config.stages != 1)
      return illegal("stages", config.stages, "the host has no shared-memory stages", 1);
    if (config.unit != MatrixUnit::Mma)
      return Error{ErrorCode::InvalidArgument, "config: unit = wgmma: the host has no matrix units; the nearest legal value is mma"};
    if (config.loads != Loads::Async || config.programs != 1)
      return Error{ErrorCode::InvalidArgument, "config: loads = tma and programs are for GPUs; the nearest legal values are async and 1"};
    return {};
  }
  if (config.warps < 1 || config.warps > 16)
    return illegal("warps", config.warps, "must be 1 to 16", std::clamp<int64_t>(config.warps, 1, 16));
  int64_t rows = 16 * config.warps;
  if (config.unit == MatrixUnit::Wgmma)
    if (auto legal = validateWgmma(config, problem, target); !legal)
      return legal;
  if (config.loads == Loads::Tma)
    if (auto legal = validateTma(config, problem, target); !legal)
      return legal;
  if (config.loads != Loads::Tma && (config.overlap || config.pingPong || config.programs != 1))
    return Error{ErrorCode::InvalidArgument, "config: programs, overlap and ping_pong take loads = tma; the nearest legal values are 1, 0 and 0"};
  if (config.dqGroup && queryGradientAdder(problem, config, target) != Adder::Group)
    return illegal("dq_group", 1, "is for a backward with loads = tma that adds dq up, and whose groups of warps share rows", 0);
  if (config.programs < 1 || config.programs > maxPrograms)
    return illegal("programs", config.programs, fmt::format("must be 1 to {}", maxPrograms), std::clamp<int64_t>(config.programs, 1, maxPrograms));
  if (config.queryTile < rows || config.queryTile % rows != 0)
    return illegal("query_tile", config.queryTile, fmt::format("must be a positive multiple of 16 rows for each of {} warps", config.warps),
                   std::max(rows, config.queryTile / rows * rows));
  if (isBackward(problem.operation) && rows > maxKeyTile)
    return illegal("warps", config.warps, "a backward takes 16 keys for each, and a key tile has at most 128", maxKeyTile / 16);
  if (isBackward(problem.operation) && config.keyTile % rows != 0)
    return illegal("key_tile", config.keyTile, fmt::format("must be a multiple of 16 keys for each of {} warps", config.warps), rows);
  if (config.stages < 1 || config.stages > 8)
    return illegal("stages", config.stages, "must be 1 to 8", std::clamp<int64_t>(config.stages, 1, 8));
  // The next keys come behind this tile's values, which would wait for the place of the last ones': nobody would go on.
  if (config.overlap && config.stages < 2)
    return illegal("stages", config.stages, "overlap = 1 reads two tiles at a time", 2);
  int64_t fitting = fittingRegisters(config);
  if (int64_t registers = accumulatorRegisters(config, problem); registers > fitting) {
    std::string limit = fmt::format("accumulators take {} registers a thread, at most {} fit", registers, fitting);
    return config.queryTile > rows ? illegal("query_tile", config.queryTile, limit, rows)
           : config.warps > 8      ? illegal("warps", config.warps, limit, 8)
           : nextSmallerKeyTile(config, problem) > 0 ? illegal("key_tile", config.keyTile, limit, nextSmallerKeyTile(config, problem))
                                                     : illegal("warps", config.warps, limit, config.warps / 2);
  }
  if (int64_t bytes = sharedBytes(config, problem, target); bytes > target.maxSharedBytes()) {
    std::string limit = fmt::format("takes {} bytes of shared memory, {} has {}", bytes, target.chip, target.maxSharedBytes());
    return config.stages > 1         ? illegal("stages", config.stages, limit, config.stages - 1)
           : config.queryTile > rows ? illegal("query_tile", config.queryTile, limit, config.queryTile - rows)
           : nextSmallerKeyTile(config, problem) > 0 ? illegal("key_tile", config.keyTile, limit, nextSmallerKeyTile(config, problem))
                                                     : illegal("warps", config.warps, limit, config.warps / 2);
  }
  return {};
}

std::string describe(const Config &config) {
  return fmt::format("query_tile={},key_tile={},warps={},stages={},unit={},loads={},programs={},overlap={:d},ping_pong={:d},dq_group={:d}", config.queryTile,
                     config.keyTile, config.warps, config.stages, config.unit == MatrixUnit::Wgmma ? "wgmma" : "mma",
                     config.loads == Loads::Tma ? "tma" : "async", config.programs, config.overlap, config.pingPong, config.dqGroup);
}

Expected<Config> parseConfig(std::string_view text, const Config &base) {
  Config config = base;
  const std::map<std::string_view, int64_t *> numbers = {
      {"query_tile", &config.queryTile}, {"key_tile", &config.keyTile}, {"warps", &config.warps}, {"stages", &config.stages}, {"programs", &config.programs}};
  const std::map<std::string_view, bool *> switches = {{"overlap", &config.overlap}, {"ping_pong", &config.pingPong}, {"dq_group", &config.dqGroup}};
  auto refuse = [](std::string why) { return Error{ErrorCode::InvalidArgument, "config: " + why}; };
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    size_t equals = item.find('=');
    std::string_view field = item.substr(0, equals), value = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    if (auto number = numbers.find(field); number != numbers.end()) {
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *number->second);
      if (error != std::errc() || end != value.data() + value.size())
        return refuse(fmt::format("{} takes an integer, got '{}'", field, value));
    } else if (auto found = switches.find(field); found != switches.end()) {
      if (value != "0" && value != "1")
        return refuse(fmt::format("{} takes 0 or 1, got '{}'", field, value));
      *found->second = value == "1";
    } else if (item == "unit=wgmma") {
      config.unit = MatrixUnit::Wgmma;
    } else if (item == "loads=tma") {
      config.loads = Loads::Tma;
    } else if (item == "unit=mma" || item == "loads=async") {
      // What takes tensor maps falls with them, unless it is named behind.
      config.unit = item == "unit=mma" ? MatrixUnit::Mma : config.unit;
      config.loads = Loads::Async;
      config.programs = 1;
      config.overlap = config.pingPong = config.dqGroup = false;
    } else {
      return refuse(fmt::format("'{}' is not one of query_tile=, key_tile=, warps=, stages=, unit=mma, unit=wgmma, loads=async, loads=tma, programs=, "
                                "overlap=, ping_pong=, dq_group=",
                                item));
    }
  }
  return config;
}

} // namespace landmark
