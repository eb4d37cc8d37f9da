// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where tiles are stored.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace landmark;

TileLayout::TileLayout(RankedTensorType type, int64_t lanes) : shape(type.getShape()), strides(type.getRank()) {
  vectorDim = type.getRank() - 1;
  if (shape.empty()) {
    size = width = 1;
    return;
  }
  if (shape.back() < 8)
    vectorDim = std::distance(shape.begin(), llvm::max_element(shape));
  width = std::min<int64_t>(lanes, llvm::PowerOf2Ceil(shape[vectorDim]));
  strides[vectorDim] = 1;
  size = llvm::alignTo(shape[vectorDim], width);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    if (dim == vectorDim)
      continue;
    strides[dim] = size;
    size *= shape[dim];
  }
}

/// A buffer that no stored tile uses, for as long as the region being emitted lasts.
Value TileEmitter::allocate(Type element, int64_t size) {
  auto type = MemRefType::get({size}, element);
  auto *free = llvm::find_if(freeBuffers, [&](Value buffer) { return buffer.getType() == type; });
  Value buffer;
  if (free != freeBuffers.end()) {
    buffer = *free;
    freeBuffers.erase(free);
  } else {
    // In the entry block, so that the frame does not grow with the loops.
    OpBuilder::InsertionGuard guard(b);
    Operation *function = b.getInsertionBlock()->getParentOp();
    while (!isa<FunctionOpInterface>(function))
      function = function->getParentOp();
    b.setInsertionPointToStart(&function->getRegion(0).front());
    buffer = memref::AllocaOp::create(b, type, b.getI64IntegerAttr(64));
  }
  scopes.back().push_back(buffer);
  return buffer;
}

Value TileEmitter::allocateFor(Value tile) {
  Type element = hostElement(cast<TileType>(tile.getType()).getElementType());
  return allocate(element.isInteger(1) ? b.getI8Type() : element, layoutOf(tile).size);
}

/// The buffer of a tile, which is stored now if it was not: for good if it stands in this block, for use in this block
/// otherwise.
Value TileEmitter::stored(Value tile) {
  if (Value buffer = buffers.lookup(tile))
    return buffer;
  Value buffer = allocateFor(tile);
  fill(tile, buffer, nullptr);
  if (tile.getParentBlock() == current)
    buffers[tile] = buffer;
  return buffer;
}

/// Whether `user` may write its result over its operand `tile`: nothing else reads it, now or in another iteration of a
/// loop.
bool TileEmitter::mayTakeOver(Value tile, Operation *user) {
  return buffers.contains(tile) && tile.hasOneUse() && tile.getParentBlock() == user->getBlock();
}

void TileEmitter::copy(Value from, Value to) {
  if (from != to)
    memref::CopyOp::create(b, from, to);
}
