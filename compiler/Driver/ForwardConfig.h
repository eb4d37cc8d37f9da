// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedules of the forward's kernels, chosen and measured out; Config.cpp asks here.
#ifndef LANDMARK_COMPILER_DRIVER_FORWARDCONFIG_H
#define LANDMARK_COMPILER_DRIVER_FORWARDCONFIG_H

#include "landmark/Config.h"

namespace landmark {

Config defaultForward(const Problem &problem, const Target &target, Loads most);
int64_t forwardSharedBytes(const Config &config, const Problem &problem, const Target &target);

/// Columns of the output up to which a thread has registers for a second accumulator.
constexpr int64_t maxBlockOutput = 128;

/// Whether the output of a forward goes through shared memory and tensor maps: with loads = tma and rows of more than 64 columns (or blocks longer than a key tile), where a
/// block that runs several programs has a place for it beside the queries. The kernel's tensor maps say so too.
bool stagesOutput(const Config &config, const Problem &problem, const Target &target);

/// Whether a forward gathers what a block longer than a key tile draws from its values in an accumulator of the block's own (templates/forward_long.mlir). Rows of more columns
/// leave a thread no registers for it, and keys are multiplied twice (templates/forward_long_wide.mlir).
bool keepsBlockOutput(const Problem &problem, const Config &config);

/// Columns of queries that a forward by wgmma keeps in registers (tile-keep-leads), where a thread has registers for some beside its accumulators, else 0.
int64_t leadColumns(const Problem &problem, const Config &config);

/// Whether a forward by wgmma sums exponentials in a single chain (tile-chain-sums): where products take longer than they do, and few blocks' sums end together.
bool chainsSums(const Problem &problem, const Config &config);

/// Parts of a row whose exponents a forward by wgmma computes one behind the other (tile-stagger-exponentials).
int64_t exponentialParts(const Problem &problem, const Config &config);

/// Tokens of the last part of a block longer than a key tile, 1 to that, and the columns that it takes.
int64_t tailTokens(const Problem &problem, const Config &config);
int64_t tailColumns(const Problem &problem, const Config &config);

} // namespace landmark
#endif
