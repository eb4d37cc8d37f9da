// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_TILE_H
#define LANDMARK_DIALECTS_TILE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace landmark::tile {
/// The largest size of a tile's dimension.
constexpr int64_t maxTileSize = 65536;
/// Whether `type` is a ranked tensor of at most 3 dimensions with sizes of 1 to maxTileSize.
bool isTile(mlir::Type type);

/// Attribute of a kernel: the tensor maps that are its last arguments, in order.
constexpr llvm::StringLiteral tensorMapsName = "tile.tensor_maps";
constexpr int64_t tensorMapBytes = 128;
/// Attribute of a template's argument: the parameter without which, where it is 0, the kernel does not have the argument.
constexpr llvm::StringLiteral whenName = "tile.when";
} // namespace landmark::tile

#include "dialects/Tile/TileDialect.h.inc"
#include "dialects/Tile/TileEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/TileTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.h.inc"

#endif
