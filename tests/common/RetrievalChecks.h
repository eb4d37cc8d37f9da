// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What must hold of retrieval on every device.
#ifndef LANDMARK_TESTS_COMMON_RETRIEVALCHECKS_H
#define LANDMARK_TESTS_COMMON_RETRIEVALCHECKS_H

#include "RetrievalCase.h"

namespace landmark::test {

/// Where k covers all blocks, the result is dense landmark attention, whatever the granularity and however the blocks
/// are split over programs.
void checkDense(Runtime &runtime);
/// A sequence in steps and chunks gives, bit for bit, what it gives at once.
void checkEverySplit(Runtime &runtime);
/// Equal landmarks: the lower ids win.
void checkTies(Runtime &runtime);
/// Logits of any finite size select and attend without a NaN.
void checkExtremes(Runtime &runtime);
/// Sequences forked and truncated attend to what they hold, beside others.
void checkForks(Runtime &runtime);
/// Pages on the host, with and without a pool under pressure, change nothing.
void checkPlacement(Runtime &runtime);
/// A ring attends to what it holds, while it drops blocks between calls.
void checkRing(Runtime &runtime);
/// What is captured once follows every later append, wherever pages lie.
void checkReplay(Runtime &runtime);
/// A cache whose pages lie more than 2^31 elements apart.
void checkLargeOffsets(Runtime &runtime);

} // namespace landmark::test
#endif
