// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Config.h"
#include "compiler/Driver/BackwardConfig.h"
#include "compiler/Driver/ForwardConfig.h"
#include "compiler/Driver/RetrievalConfig.h"
#include "compiler/Driver/Shipped.h"
#include "compiler/Driver/Tiling.h"

#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace landmark {
namespace {

/// More would leave multiprocessors without work in all but the largest problems.
constexpr int64_t maxPrograms = 16;

/// Keys of the longest sequences that are short to a schedule.
constexpr int64_t shortSequence = 4096;

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
    return illegal("key_tile", config.keyTile, "wgmma takes keys in steps of 16", isLongBlock(problem, config) ? llvm::alignTo(config.keyTile, 16) : wgmmaKeysNear(problem, config.keyTile));
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

/// A warp with its rows: maxima over rows stay within it. As many stages as leave room for six programs on a multiprocessor.
Config defaultGates(const Problem &problem, const Target &target) {
  Config config{markedRows, keysNear(problem, 64), 1, target.isHost() ? 1 : 2};
  while (config.stages > 1 && sharedBytes(config, problem, target) > target.sharedBytesPerMultiprocessor() / 6 - 1024)
    --config.stages;
  return config;
}

/// Whole blocks side by side, or a part of a block.
Expected<void> validateKeyTile(const Config &config, const Problem &problem) {
  if (config.keyTile < 8 || config.keyTile > maxKeyTile)
    return illegal("key_tile", config.keyTile, fmt::format("must be 8 to {}", maxKeyTile), std::clamp<int64_t>(config.keyTile, 8, maxKeyTile));
  if (isBackward(problem.operation) || isLongBlock(problem, config))
    return config.keyTile % 8 == 0 ? Expected<void>() : illegal("key_tile", config.keyTile, "must be a multiple of 8", llvm::alignTo(config.keyTile, 8));
  int64_t padded = paddedBlock(problem), even = llvm::alignTo(padded, 16);
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
                   llvm::alignTo(config.queryTile, markedRows));
  if (marksTiles(problem.operation) && config.queryTile != markedRows)
    return illegal("query_tile", config.queryTile, fmt::format("marks are made of {} rows", markedRows), markedRows);
  if (marksTiles(problem.operation) && config.warps != 1)
    return illegal("warps", config.warps, "marks are made by one warp", 1);
  return {};
}

} // namespace

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
  return defaultForward(problem, target, most);
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
  return forwardSharedBytes(config, problem, target);
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
