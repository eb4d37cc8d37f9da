// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/ForwardConfig.h"
#include "compiler/Driver/Tiling.h"
#include "compiler/Transforms/FewBlocks.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace landmark {
namespace {

/// Two groups of warps that multiply by wgmma: a thread of each has half of the registers that there are.
bool isForwardOfTwoGroups(const Problem &problem, const Config &config) {
  return isForward(problem.operation) && config.unit == MatrixUnit::Wgmma && config.warps == 8;
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

/// The place of the output's rows. A block's only program writes them where its queries were.
int64_t outputBytes(const Config &config, const Problem &problem) {
  return config.programs == 1 ? 0 : config.queryTile * problem.headDim * byteSize(problem.dtype);
}

/// Queries, the rings and their barriers.
int64_t tileBytes(const Config &config, const Problem &problem) {
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

} // namespace

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
  return llvm::alignTo(tailTokens(problem, config), config.keyTile % 16 == 0 ? 16 : 8); // wgmma takes keys in steps of 16
}

bool stagesOutput(const Config &config, const Problem &problem, const Target &target) {
  // Of short rows there is little to save, and the block's end waits for the copy all the same: 1 to 2% slower at D = 64 and 16k.
  bool pays = problem.headDim > 64 || isLongBlock(problem, config);
  return isForward(problem.operation) && pays && config.loads == Loads::Tma && tileBytes(config, problem) + outputBytes(config, problem) <= target.maxSharedBytes();
}

int64_t forwardSharedBytes(const Config &config, const Problem &problem, const Target &target) {
  return tileBytes(config, problem) + (stagesOutput(config, problem, target) ? outputBytes(config, problem) : 0);
}

Config defaultForward(const Problem &problem, const Target &target, Loads most) {
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

} // namespace landmark
