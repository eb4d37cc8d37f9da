// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/Tiling.h"
#include "compiler/Driver/BackwardConfig.h"
#include "compiler/Driver/ForwardConfig.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace landmark {

int64_t paddedBlock(const Problem &problem) { return llvm::alignTo(problem.blockSize, 8); }

bool isLongBlock(const Problem &problem, const Config &config) { return paddedBlock(problem) > config.keyTile; }

int64_t tileTokens(const Problem &problem, const Config &config) {
  if (isLongBlock(problem, config))
    return config.keyTile;
  int64_t tokens = paddedBlock(problem);
  while (tokens < std::min(config.keyTile, maxKeyTile) && config.keyTile % tokens != 0)
    tokens += 8;
  return std::min(tokens, config.keyTile);
}

bool isTileOfBlocks(const Problem &problem, const Config &config) {
  int64_t tokens = tileTokens(problem, config), most = llvm::alignTo(paddedBlock(problem), 16);
  bool fits = isBackward(problem.operation) || isLongBlock(problem, config) || tokens <= most;
  return fits && config.keyTile % 8 == 0 && config.keyTile % tokens == 0;
}

int64_t tileBlocks(const Problem &problem, const Config &config) { return config.keyTile / tileTokens(problem, config); }

int64_t keysNear(const Problem &problem, int64_t keys) {
  int64_t padded = paddedBlock(problem);
  return padded <= maxKeyTile ? padded * std::max<int64_t>(1, keys / padded) : keys;
}

int64_t wgmmaKeysNear(const Problem &problem, int64_t keys) {
  int64_t padded = paddedBlock(problem), near = keysNear(problem, keys);
  if (near % 16 == 0)
    return near;
  return near > padded ? near - padded : near + 8;
}

int64_t accumulatorRegisters(const Config &config, const Problem &problem) {
  int64_t rows = config.queryTile / config.warps; // of one warp; a thread holds 1/32 of them
  if (isBackward(problem.operation))
    return std::max(rows * (problem.headDim + 2 * config.keyTile) / 32, keyRegisters(config, problem, 1));
  if (marksTiles(problem.operation))
    return rows * std::max(config.keyTile, markedBlocks) / 32;
  return rows * ((keepsBlockOutput(problem, config) ? 2 : 1) * problem.headDim + config.keyTile) / 32;
}

int64_t fittingRegisters(const Config &config) { return std::min<int64_t>(255, 65536 / (32 * config.warps)) - 31; }

} // namespace landmark
