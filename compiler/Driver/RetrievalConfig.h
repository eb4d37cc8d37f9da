// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedules of retrieval's kernels, judged and chosen; Config.cpp asks here.
#ifndef LANDMARK_COMPILER_DRIVER_RETRIEVALCONFIG_H
#define LANDMARK_COMPILER_DRIVER_RETRIEVALCONFIG_H

#include "landmark/Config.h"

namespace landmark {

/// Places of a list in memory.
constexpr int64_t listColumns(int64_t topK) { return topK <= 4 ? 4 : (topK + 7) / 8 * 8; }

/// Candidates of a tile's row in the last step of a selection. Those of 64 short lists, which threads keep by insertion, are all there in one step.
constexpr int64_t selectionColumns(int64_t topK) { return topK > 4 && topK <= 8 ? 64 : 32; }

Config defaultRetrievalConfig(const Problem &problem, const Target &target);
Expected<void> validateRetrieval(const Config &config, const Problem &problem, const Target &target);
int64_t retrievalSharedBytes(const Config &config, const Problem &problem);

/// Whether a program of attention keeps its list of blocks in registers, and so can merge it: with few rows in its tile.
bool holdsList(const Config &config);

/// Whether every warp has all rows of a tile, fewer than 16 for each, and computes a part of a product's columns.
bool hasSlices(const Config &config, const Problem &problem);

} // namespace landmark
#endif
