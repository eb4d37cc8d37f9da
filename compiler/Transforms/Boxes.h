// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_BOXES_H
#define LANDMARK_COMPILER_TRANSFORMS_BOXES_H

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <algorithm>
#include <optional>

namespace landmark {

/// How a tile's rows lie in its view: `boxes` runs of `rows` rows, `apart` rows of the tensor map from one to the next; the map has every `every`-th row.
struct Boxes {
  int64_t boxes = 1, rows = 0, apart = 0, every = 1;

  bool operator==(const Boxes &) const = default;

  /// Nothing where a size is known only at run time, or no box holds it.
  static std::optional<Boxes> of(tile::LoadOp load) {
    mlir::ArrayRef<int64_t> shape = load.getResult().getType().getShape();
    auto constant = [](mlir::Value value) { return value ? mlir::getConstantIntValue(value) : std::optional<int64_t>(); };
    std::optional<int64_t> stride = constant(load.getStride()), count = constant(load.getCount());
    if (load.getStride() && (!stride || *stride < 1))
      return std::nullopt;
    if (shape.size() < 2 || shape.drop_back().back() % 8 != 0) // boxes start on multiples of 8 rows
      return std::nullopt;
    Boxes boxes;
    if (shape.size() == 2) {
      boxes.every = stride.value_or(1);
      boxes.rows = shape[0];
    } else {
      if (load.getCount() && (!count || *count < 1))
        return std::nullopt;
      boxes = {shape[0], std::min({shape[1], *stride, count.value_or(*stride)}), *stride, 1};
      if (boxes.rows == shape[1] && boxes.rows == *stride)
        boxes = {1, shape[0] * shape[1], 0, 1}; // nothing between the blocks
    }
    return boxes.rows <= 256 ? std::optional<Boxes>(boxes) : std::nullopt;
  }
};

/// Rows of one block of the tile, of all of it where it has no blocks.
inline int64_t blockRows(tile::LoadOp load) { return load.getResult().getType().getShape().drop_back().back(); }

inline bool areAlike(tile::LoadOp a, tile::LoadOp b) { return a.getResult().getType() == b.getResult().getType() && *Boxes::of(a) == *Boxes::of(b); }

/// Whether no box writes some of the tile's rows. They are zeroed once, where no other tile comes to lie there.
inline bool hasGaps(tile::LoadOp load) { return Boxes::of(load)->rows < blockRows(load); }

/// Whether a product sums over such rows. Where it does not they are columns that masks leave out.
inline bool needsZeros(tile::LoadOp load) {
  return hasGaps(load) &&
         llvm::any_of(load->getUses(), [](mlir::OpOperand &use) { return use.getOperandNumber() == 1 && !mlir::cast<tile::DotOp>(use.getOwner()).getTranspose(); });
}

} // namespace landmark
#endif
