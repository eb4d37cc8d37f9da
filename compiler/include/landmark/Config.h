// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a kernel is scheduled. A config is a hint: it can make a kernel faster or slower, never change what it computes.
#ifndef LANDMARK_CONFIG_H
#define LANDMARK_CONFIG_H

#include "landmark/Export.h"
#include "landmark/Problem.h"
#include "landmark/Target.h"

namespace landmark {

/// Which instruction multiplies tiles on a CUDA target: `mma` is mma.sync, everywhere; `wgmma` is Hopper's, on sm_90a.
enum class MatrixUnit { Mma, Wgmma };

struct Config {
  int64_t queryTile = 128; ///< query rows of one program
  int64_t keyTile = 64;    ///< keys of one tile: a multiple of `paddedBlock`, or a part of a block, a multiple of 8
  int64_t warps = 4;       ///< warps of a thread block (1 on the host)
  int64_t stages = 2;      ///< shared-memory buffers of the K and V rings (1 on the host)
  MatrixUnit unit = MatrixUnit::Mma;

  bool operator==(const Config &) const = default;
};

/// Columns that one block takes in a key tile: the block size rounded up to the 8 columns of a matrix instruction.
LANDMARK_API int64_t paddedBlock(const Problem &problem);

/// Whether a block is longer than a key tile, which takes another template (templates/forward_long.mlir).
LANDMARK_API bool isLongBlock(const Problem &problem, const Config &config);

/// The shipped default for a problem and a target.
LANDMARK_API Config defaultConfig(const Problem &problem, const Target &target);

/// The one judge of legality: names the value, the limit that it breaks and the nearest legal value.
LANDMARK_API Expected<void> validate(const Config &config, const Problem &problem, const Target &target);

/// Dynamic shared memory that the schedule takes, in bytes; 0 on the host.
LANDMARK_API int64_t sharedBytes(const Config &config, const Problem &problem, const Target &target);

/// "query_tile=128,key_tile=64,warps=4,stages=2,unit=mma", and back; fields that are not named keep `base`'s values.
LANDMARK_API std::string describe(const Config &config);
LANDMARK_API Expected<Config> parseConfig(std::string_view text, const Config &base);

} // namespace landmark
#endif
