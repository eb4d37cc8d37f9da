// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_PACKEDROWS_H
#define LANDMARK_COMPILER_TRANSFORMS_PACKEDROWS_H

#include "dialects/Tile/Tile.h"

namespace landmark {

/// Numbers of a tile's rows, one of each, that lie side by side in memory: they are fetched with the tile, into a place of their own.
namespace packed_rows {

/// Whether the load takes such numbers, of the rows that `tile` takes as well.
inline bool areOf(tile::LoadOp load, tile::LoadOp tile) {
  mlir::RankedTensorType type = load.getResult().getType();
  auto view = mlir::cast<mlir::MemRefType>(load.getView().getType());
  llvm::SmallVector<int64_t> strides;
  int64_t offset;
  bool arePacked = type.getRank() == 1 && type.getElementType().isF32() && type.getDimSize(0) % 16 == 0 && !load.getStride() && load.getWhole() &&
                   mlir::succeeded(view.getStridesAndOffset(strides, offset)) && strides.back() == 1;
  return arePacked && load->getBlock() == tile->getBlock() && load.getBatch() == tile.getBatch() && load.getHead() == tile.getHead() &&
         load.getRow() == tile.getRow() && type.getDimSize(0) == tile.getResult().getType().getDimSize(0) && tile.getResult().getType().getRank() == 2;
}

inline tile::BufferType bufferFor(tile::LoadOp load, int64_t stages) {
  mlir::MLIRContext *context = load.getContext();
  return tile::BufferType::get(context, stages, {1, load.getResult().getType().getDimSize(0)}, mlir::Float32Type::get(context), tile::SwizzleAttr::get(context, 0, 0, 0));
}

} // namespace packed_rows
} // namespace landmark
#endif
