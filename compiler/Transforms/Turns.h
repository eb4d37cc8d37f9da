// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The turns of rings: how often a program has been through each of them, as values that its loops carry.
#ifndef LANDMARK_COMPILER_TRANSFORMS_TURNS_H
#define LANDMARK_COMPILER_TRANSFORMS_TURNS_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Value.h"

#include <functional>
#include <optional>

namespace landmark {

/// The ring that an operation goes through, none if it goes through none.
using RingNumber = std::function<std::optional<unsigned>(mlir::Operation *)>;

/// Gives every operation of the block that goes through a ring, within loops too, the ring's turn; `turns` holds one for each ring, the block's first ones before and
/// those behind it after. Loops in which a ring is used are replaced by such that carry its turn.
void threadTurns(mlir::Block &block, llvm::SmallVectorImpl<mlir::Value> &turns, const RingNumber &ringNumber, llvm::DenseMap<mlir::Operation *, mlir::Value> &turnOf);

} // namespace landmark

#endif
