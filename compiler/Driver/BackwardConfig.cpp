// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/BackwardConfig.h"
#include "compiler/Driver/Tiling.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace landmark {
namespace {

/// Whether the registers of a thread hold both gradients of keys.
bool fitsOnePass(const Problem &problem, const Config &config) {
  int64_t most = config.unit == MatrixUnit::Wgmma ? 200 : 208; // descriptors and weights take more
  return keyRegisters(config, problem, 2) <= std::min(most, fittingRegisters(config));
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

} // namespace

int64_t keyRegisters(const Config &config, const Problem &problem, int64_t count) {
  return (count * config.keyTile * problem.headDim + 2 * keyQueryTile(problem, config) * config.keyTile) / (32 * config.warps);
}

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
  int64_t numbers = config.loads == Loads::Tma && addsQueryGradients(problem, config, target) ? 2 * llvm::alignTo(4 * stages * rows, 1024) : 0;
  int64_t sums = adder == Adder::Warp ? 4 * rows * problem.headDim + 16 : adder == Adder::Group ? 16 * places : 0;
  return std::max(queries, keys) * byteSize(problem.dtype) + barriers + numbers + sums;
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

} // namespace landmark
