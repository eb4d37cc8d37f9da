// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layout of mma accumulators as plain numbers: which thread holds which element, in which of its registers. One warp and one row tile,
// lane = 4*g + t:
//
//              column  0    1    2    3    4    5    6    7   | 8 ...
//      row g           t=0  t=0  t=1  t=1  t=2  t=2  t=3  t=3 | next n, same lanes
//      row g + 8       the same lanes, h = 1
//
// A tile of 8 rows has h = 0 alone.
#ifndef LANDMARK_COMPILER_CONVERSION_TILETONVVM_FRAGMENTLAYOUT_H
#define LANDMARK_COMPILER_CONVERSION_TILETONVVM_FRAGMENTLAYOUT_H

#include <cassert>
#include <cstdint>

namespace landmark {

/// A tile of rows x blocks x columns over `warps` warps. A size of 0 stands for a dimension that the tile does not have: it takes one
/// register, and threads that differ there hold copies. With a split above 1 the warps are so many groups, each with all rows and its share of the blocks.
struct FragmentLayout {
  int64_t rows = 0, blocks = 0, columns = 0, warps = 1, split = 1;
  bool isSliced = false; ///< warps, or with a split groups of them, have all rows and a part of the columns each; with a split there are no blocks
  int64_t first = 0;     ///< the first of the warps
  bool isDealt = false;  ///< lanes of a quad have a quarter of the elements each: lane t those whose number leaves the rest t by 4

  /// Whether the sizes fit: 16 rows for each warp, or 8 of one; 8 columns.
  static bool isLegal(int64_t rows, int64_t columns, int64_t warps) {
    return (rows % (16 * warps) == 0 || (rows == 8 && warps == 1)) && columns % 8 == 0;
  }

  int64_t slices() const { return !isSliced ? 1 : split > 1 ? split : warps; }
  int64_t rowWarps() const { return warps / (isSliced ? slices() : split); } ///< warps that share the rows
  int64_t sliceColumns() const { return columns / slices(); }                ///< of a warp
  int64_t rowTiles() const { return (rows + 8) / (16 * rowWarps()); }           ///< 16-row tiles of one warp, the only one perhaps of 8 rows
  int64_t rowRegisters() const { return rows ? rows / (8 * rowWarps()) : 1; }
  int64_t blockRegisters() const { return blocks ? blocks / split : 1; }
  int64_t columnRegisters() const { return columns ? sliceColumns() / 4 : 1; }
  int64_t registers() const { return rowRegisters() * blockRegisters() * columnRegisters() / (isDealt ? 4 : 1); }

  FragmentLayout whole() const { ///< the same, not dealt out
    FragmentLayout all = *this;
    all.isDealt = false;
    return all;
  }

  struct Place {
    int64_t row, block, column; ///< numbers of the registers along each dimension
  };
  int64_t registerOf(Place place) const { return (place.row * blockRegisters() + place.block) * columnRegisters() + place.column; }
  Place placeOf(int64_t number) const {
    int64_t column = number % columnRegisters(), rest = number / columnRegisters();
    return {rest / blockRegisters(), rest % blockRegisters(), column};
  }

  /// An index is `constant`, which the register gives, plus what the lane gives: g for a row, 2*t for a column. Blocks of a group start at a multiple of `blockRegisters`.
  static int64_t rowConstant(int64_t rowRegister) { return 16 * (rowRegister / 2) + 8 * (rowRegister % 2); }
  static int64_t columnConstant(int64_t columnRegister) { return 8 * (columnRegister / 2) + columnRegister % 2; }
  int64_t row(int64_t warp, int64_t lane, int64_t rowRegister) const { return warp % rowWarps() * 16 * rowTiles() + lane / 4 + rowConstant(rowRegister); }
  static int64_t column(int64_t lane, int64_t columnRegister) { return 2 * (lane % 4) + columnConstant(columnRegister); }

  /// Where a column is: its register, and the place in the quad of the lane that holds it.
  static int64_t columnRegister(int64_t column) { return column / 8 * 2 + column % 2; }
  static int64_t columnLane(int64_t column) { return column % 8 / 2; }
};

} // namespace landmark
#endif
