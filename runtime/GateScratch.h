// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the scratch of a gate threshold is used: arrays of int32, which templates/forward_gates.mlir and backward_gates.mlir describe.
#ifndef LANDMARK_RUNTIME_GATESCRATCH_H
#define LANDMARK_RUNTIME_GATESCRATCH_H

#include "ArgumentTable.h"
#include "landmark/Runtime.h"

namespace landmark {

/// Where marks, and the counts and lists of one kernel's programs, lie in the scratch: marks first.
struct GateScratch {
  /// For the kernel of a problem and config that goes by tiles of query rows: lists of key tiles.
  static GateScratch byQueries(const ForwardArguments &arguments, const Problem &problem, const Config &config);
  /// For the kernel of a backward that goes by tiles of keys: lists of tiles of rows, two numbers each.
  static GateScratch byKeys(const BackwardArguments &arguments, const Config &config);
  /// With counts and lists behind those of another kernel, which has the same marks.
  GateScratch behind(const GateScratch &other) const;

  int64_t marks() const { return batch * queryHeads * words * groups; }
  int64_t counts() const { return batch * heads * programs * 4; }
  int64_t end() const { return begin + counts() + batch * heads * programs * places; }
  int64_t bytes() const { return end() * int64_t(sizeof(int32_t)); }

  int64_t batch;
  int64_t queryHeads, groups; ///< of marks: heads, and groups of rows of a head that share words
  int64_t words;              ///< of a group
  int64_t heads, programs;    ///< that take lists: heads, and programs of a head
  int64_t places;             ///< of a list
  int64_t rows, blocks;       ///< of a tile
  int64_t begin;              ///< of counts
};

/// Its arrays as kernels take them; of no scratch they are empty.
struct GateViews {
  GateViews(void *scratch, const GateScratch &gates);

  ViewDescriptor<3> masks;
  ViewDescriptor<4> lists, counts;
};

/// How many tiles the last launch skipped, by its counts. Waits for the device.
Expected<GatedTiles> gatedTiles(const Device &device, const void *scratch, const GateScratch &gates);

} // namespace landmark
#endif
