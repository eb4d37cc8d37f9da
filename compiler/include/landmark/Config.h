// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a kernel is scheduled. A config is a hint: it can make a kernel faster or slower, never change what it computes.
#ifndef LANDMARK_CONFIG_H
#define LANDMARK_CONFIG_H

#include "landmark/Export.h"
#include "landmark/Problem.h"
#include "landmark/Target.h"

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace landmark {

/// Which instruction multiplies tiles on a CUDA target: `mma` is mma.sync, everywhere; `wgmma` is Hopper's, on sm_90a.
enum class MatrixUnit { Mma, Wgmma };

/// How tiles come into shared memory: `async` copies by all threads (cp.async), or `tma`, boxes of tensor maps fetched by a warp of its own (sm_90a). With `tma` a forward's
/// output of more than 64 columns goes out by them too, where there is room for it.
enum class Loads { Async, Tma };

struct Config {
  int64_t queryTile = 128; ///< query rows of one program
  int64_t keyTile = 64;    ///< keys of one tile: a multiple of `paddedBlock`, by wgmma of 16 keys too; or a part of a block, a multiple of 8
  int64_t warps = 4;       ///< warps of a thread block (1 on the host)
  int64_t stages = 2;      ///< shared-memory buffers of the K and V rings (1 on the host)
  MatrixUnit unit = MatrixUnit::Mma;
  Loads loads = Loads::Async;
  int64_t programs = 1;    ///< with tma: programs that a thread block runs in turn at most, so that one's first tiles are there when the one before ends
  bool overlap = false;    ///< with tma: products run beside other work: the next tile's logits beside this one's values, a backward's until they are used
  bool pingPong = false;   ///< with tma: warp groups multiply in turns, so that one's softmax runs under the other's products
  bool dqGroup = false;    ///< with tma, of a backward whose groups share rows: dq is multiplied and added up by a group of four more warps, and the others wait for nobody

  auto operator<=>(const Config &) const = default;
};

/// Sequences that a schedule is meant for, by their keys: in short ones what a program does before and after its loop over past blocks counts for more. A kernel runs any length,
/// whatever it is meant for. `Any` is a length that is not known.
enum class LengthClass { Any, Short, Long };

/// The class of sequences of so many keys; `Any` for 0.
LANDMARK_API LengthClass lengthClass(int64_t keys);
/// "any", or "short (...)" and "long (...)" with the number of keys that parts them.
LANDMARK_API std::string describe(LengthClass length);

/// Columns that one block takes in a key tile: the block size rounded up to the 8 columns of a matrix instruction.
LANDMARK_API int64_t paddedBlock(const Problem &problem);

/// Rows of a key tile that one block takes: `paddedBlock` rounded up to a divisor of the key tile, which it is but in a backward and by wgmma; the whole tile for a part of a long block.
LANDMARK_API int64_t tileTokens(const Problem &problem, const Config &config);
/// Blocks side by side in a key tile; 1 for a part of a long block.
LANDMARK_API int64_t tileBlocks(const Problem &problem, const Config &config);

/// Rows of a query tile of the backward kernel that goes by keys: `queryTile`, or, where groups of four warps that multiply by wgmma share the tile's blocks, 64.
LANDMARK_API int64_t keyQueryTile(const Problem &problem, const Config &config);

/// How often a backward kernel passes over the query rows of a key tile: once for dk and dv together, or once for each where a thread's registers do not hold
/// both.
LANDMARK_API int64_t keyPasses(const Problem &problem, const Config &config, const Target &target);

/// Whether the kernels of a backward add dq up in memory, in any order (templates/backward_add.mlir), in place of computing logits once more for it. They do unless the
/// problem asks for the same bits in every run, but for blocks longer than a key tile, where one pass over the rows does not do, where groups of warps cannot share
/// the columns of dq (D/2 must be whole panels of shared memory or part of one: 32, 64 and 128 are, 96 is not) and no group has it alone (`dqGroup`), and on the host.
LANDMARK_API bool addsQueryGradients(const Problem &problem, const Config &config, const Target &target);

/// Who adds dq up in memory: the warps that have it, one that they hand it over to, or a group that multiplies it.
enum class Adder { None, Warp, Group };
LANDMARK_API Adder queryGradientAdder(const Problem &problem, const Config &config, const Target &target);
/// "none", "warp" or "group", and back; nothing for another name.
LANDMARK_API std::string name(Adder adder);
LANDMARK_API std::optional<Adder> parseAdder(std::string_view name);

/// With a gate threshold: query rows and blocks that share a word of marks (templates/forward_gates.mlir).
constexpr int64_t markedRows = 32, markedBlocks = 32;

/// Columns of a tile of a retrieval kernel: a block's, or the landmarks of a page.
LANDMARK_API int64_t retrievalColumns(const Problem &problem);
/// Whether a kernel of retrieval may have such a key tile: that one, or, where score_top shares a page's landmarks among programs, a half or a quarter of it.
LANDMARK_API bool isRetrievalTile(const Problem &problem, int64_t keyTile);

/// Whether a block is longer than a key tile, which takes another template (templates/*_long.mlir).
LANDMARK_API bool isLongBlock(const Problem &problem, const Config &config);

/// The shipped default for a problem and a target: what does for all lengths, or what is fastest for those of a class; of all or of one kind of loads. Views whose rows do not
/// start on 16 bytes cannot be loaded by tma.
LANDMARK_API Config defaultConfig(const Problem &problem, const Target &target, LengthClass length = LengthClass::Any, Loads most = Loads::Tma);

/// The one judge of legality: names the value, the limit that it breaks and the nearest legal value.
LANDMARK_API Expected<void> validate(const Config &config, const Problem &problem, const Target &target);

/// Dynamic shared memory that the schedule takes, in bytes; 0 on the host.
LANDMARK_API int64_t sharedBytes(const Config &config, const Problem &problem, const Target &target);

/// Threads of a block: those of `warps`, and those of the producer and of dq's group where there are such; 0 on the host.
LANDMARK_API int64_t threads(const Config &config, const Target &target);

/// "query_tile=128,key_tile=64,warps=4,stages=2,unit=mma,loads=async,programs=1,overlap=0,ping_pong=0,dq_group=0", and back; fields that are not named keep `base`'s values, but for what
/// takes tma, which unit=mma and loads=async switch off.
LANDMARK_API std::string describe(const Config &config);
LANDMARK_API Expected<Config> parseConfig(std::string_view text, const Config &base);

} // namespace landmark
#endif
