// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How blocks lie in key tiles, and what a tiling takes of a thread's registers: what the rules for schedules share.
#ifndef LANDMARK_COMPILER_DRIVER_TILING_H
#define LANDMARK_COMPILER_DRIVER_TILING_H

#include "landmark/Config.h"

namespace landmark {

/// A tile of more keys does not fit the register file; longer blocks are spread over several tiles.
constexpr int64_t maxKeyTile = 128;

/// As many whole blocks as `keys` holds; one block in any case if a tile can hold it, and a part of a block if not.
int64_t keysNear(const Problem &problem, int64_t keys);
/// The same in steps of 16, in which wgmma takes keys: an even number of blocks that are no multiple of it, or one with 8 columns more.
int64_t wgmmaKeysNear(const Problem &problem, int64_t keys);

/// Whether a key tile is of whole blocks, each padded to a multiple of 8 columns or, as wgmma takes keys in steps of 16, of 16; or a part of a block. A backward pads them to any divisor of the tile.
bool isTileOfBlocks(const Problem &problem, const Config &config);

/// Registers of one thread that hold the accumulators of the output and of the logits, and resident weights.
int64_t accumulatorRegisters(const Config &config, const Problem &problem);
/// How many of them fit a thread; addresses and fragments take the rest.
int64_t fittingRegisters(const Config &config);

} // namespace landmark
#endif
