// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_LANDMARK_H
#define LANDMARK_DIALECTS_LANDMARK_H

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/SymbolTable.h"

#include "dialects/Landmark/LandmarkDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Landmark/LandmarkAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/Landmark/LandmarkOps.h.inc"

#endif
