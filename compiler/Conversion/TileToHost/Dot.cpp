// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products: blocks of a few rows by a few vectors, kept in registers while the contracted dimensions are walked.
// An element of the left operand is repeated over a vector, so the right operand must be contiguous along the columns
// of the result; keys are transposed for that.
#include "compiler/Conversion/TileToHost/TileEmitter.h"

using namespace mlir;
using namespace landmark;

/// result[i, j] = acc[i, j] + sum over the contracted dimensions of a * b.
struct TileEmitter::Product {
  struct Dim {
    int64_t size, aStride, bStride;
  };
  Value a, b;
  Value acc; ///< null: zero
  Value result;
  int64_t aRowStride = 0;
  int64_t aOffset = 0, rowOffset = 0; ///< where the left operand begins, and the rows of the result
  SmallVector<Dim> contracted;
  int64_t rows = 0, columns = 0; ///< columns with padding: also the stride of rows of `acc` and `result`
  int64_t width = 0;

  /// Adds an inner dimension, as one with the last where that makes no difference.
  void contract(Dim dim) {
    if (!contracted.empty() && contracted.back().aStride == dim.size * dim.aStride &&
        contracted.back().bStride == dim.size * dim.bStride)
      contracted.back() = {contracted.back().size * dim.size, dim.aStride, dim.bStride};
    else
      contracted.push_back(dim);
  }
};

/// By perfect shuffles: interleaving the first half of the rows with the second, log2(rows) times.
void landmark::emitTranspose(ImplicitLocOpBuilder &b, MutableArrayRef<Value> rows) {
  int64_t count = rows.size();
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < count; ++i) {
    low.push_back(i / 2 + (i % 2) * count);
    high.push_back(count / 2 + i / 2 + (i % 2) * count);
  }
  for (int64_t round = 1; round < count; round *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < count / 2; ++i) {
      next.push_back(vector::ShuffleOp::create(b, rows[i], rows[i + count / 2], low));
      next.push_back(vector::ShuffleOp::create(b, rows[i], rows[i + count / 2], high));
    }
    llvm::copy(next, rows.begin());
  }
}

/// Keys [n..., d] as a buffer [d, columns of the result], zeros in the padding.
Value TileEmitter::packTransposed(Value keys, const TileLayout &keyLayout, const TileLayout &resultLayout) {
  int64_t width = resultLayout.width, tokenDim = keyLayout.shape.size() - 2, columns = resultLayout.strides[0];
  int64_t depth = llvm::alignTo(keyLayout.shape.back(), keyLayout.width), tokens = keyLayout.shape[tokenDim];
  int64_t blocks = tokenDim ? keyLayout.shape[0] : 1, blockColumns = columns / blocks,
          blockRows = keyLayout.strides[tokenDim] * tokens;
  Value packed = allocate(b.getF32Type(), depth * columns);
  auto type = VectorType::get({width}, b.getF32Type());

  // `count` keys from `token` on become columns.
  auto packVectors = [&](Value block, Value token, int64_t count) {
    forLoop(0, depth, width, [&](Value d) {
      SmallVector<Value> vectors;
      Value from = add(add(scale(block, blockRows), scale(token, keyLayout.strides[tokenDim])), d);
      for (int64_t i = 0; i < width; ++i)
        vectors.push_back(
            i < count ? Value(vector::LoadOp::create(b, type, keys, add(from, index(i * keyLayout.strides[tokenDim]))))
                      : Value(arith::ConstantOp::create(b, b.getZeroAttr(type))));
      emitTranspose(b, vectors);
      Value to = add(scale(d, columns), add(scale(block, blockColumns), token));
      for (int64_t i = 0; i < width; ++i)
        vector::StoreOp::create(b, vectors[i], packed, add(to, index(i * columns)));
    });
  };
  int64_t whole = tokens / width * width;
  forLoop(0, blocks, 1, [&](Value block) {
    forLoop(0, whole, width, [&](Value token) { packVectors(block, token, width); });
    if (whole < tokens)
      packVectors(block, index(whole), tokens - whole);
  });
  return packed;
}

/// The left operand's rows are contracted, its columns are the rows of the result: side by side in memory, block by block.
LogicalResult TileEmitter::dotTransposed(tile::DotOp op) {
  TileLayout aLayout = layoutOf(op.getA()), bLayout = layoutOf(op.getB()), layout = layoutOf(op.getResult());
  int64_t rank = aLayout.shape.size(), blocks = rank == 3 ? aLayout.shape[1] : 1, tokens = aLayout.shape[rank - 1];
  if (layout.vectorDim != 1 || bLayout.vectorDim != 1 || aLayout.vectorDim != rank - 1)
    return op.emitOpError("needs rows of at least 8 columns to be lowered for the host");
  Value a = stored(op.getA());
  Product product;
  product.b = stored(op.getB());
  if (!matchPattern(op.getAcc(), m_AnyZeroFloat()))
    product.acc = stored(op.getAcc());
  product.result = mayTakeOver(op.getAcc(), op) ? product.acc : allocateFor(op.getResult());
  product.a = a;
  product.aRowStride = 1;
  product.rows = tokens;
  product.columns = layout.strides[0];
  product.width = layout.width;
  product.contract({aLayout.shape[0], aLayout.strides[0], bLayout.strides[0]});
  for (int64_t block = 0; block < blocks; ++block) {
    product.aOffset = block * aLayout.strides[1];
    product.rowOffset = block * tokens;
    multiply(product);
  }
  buffers[op.getResult()] = product.result;
  return success();
}

LogicalResult TileEmitter::dot(tile::DotOp op) {
  if (op.getTransposed())
    return dotTransposed(op);
  TileLayout aLayout = layoutOf(op.getA()), bLayout = layoutOf(op.getB()), layout = layoutOf(op.getResult());
  int64_t rank = layout.shape.size();
  if (layout.vectorDim != rank - 1 || bLayout.vectorDim + 1 != static_cast<int64_t>(bLayout.shape.size()))
    return op.emitOpError("needs rows of at least 8 columns to be lowered for the host");

  Product product;
  product.a = stored(op.getA());
  product.b = stored(op.getB());
  if (!matchPattern(op.getAcc(), m_AnyZeroFloat()))
    product.acc = stored(op.getAcc());
  product.result = mayTakeOver(op.getAcc(), op) ? product.acc : allocateFor(op.getResult());
  product.aRowStride = aLayout.strides[0];
  product.rows = layout.shape[0];
  product.columns = layout.strides[0];
  product.width = layout.width;
  if (op.getTranspose()) {
    product.b = packTransposed(product.b, bLayout, layout);
    product.contract({aLayout.shape[1], aLayout.strides[1], product.columns});
  } else {
    for (int64_t dim = 1; dim < static_cast<int64_t>(aLayout.shape.size()); ++dim)
      product.contract({aLayout.shape[dim], aLayout.strides[dim], bLayout.strides[dim - 1]});
  }
  multiply(product);
  buffers[op.getResult()] = product.result;
  return success();
}

/// Panels of two vectors of columns, one for what is left.
void TileEmitter::multiply(const Product &product) {
  int64_t pair = 2 * product.width, paired = product.columns / pair * pair;
  multiplyPanel(product, 0, paired, 2);
  multiplyPanel(product, paired, product.columns, 1);
}

void TileEmitter::multiplyPanel(const Product &product, int64_t firstColumn, int64_t endColumn, int64_t vectors) {
  // Enough accumulators to hide the latency of an FMA, few enough for the registers (32 where vectors have 16 floats,
  // else 16).
  int64_t blockRows = lanes >= 16 ? 8 : 4, whole = product.rows / blockRows * blockRows;
  forLoop(firstColumn, endColumn, vectors * product.width, [&](Value column) {
    forLoop(0, whole, blockRows, [&](Value row) { multiplyBlock(product, row, column, blockRows, vectors); });
    forLoop(whole, product.rows, 1, [&](Value row) { multiplyBlock(product, row, column, 1, vectors); });
  });
}

void TileEmitter::multiplyBlock(const Product &product, Value row, Value column, int64_t rows, int64_t vectors) {
  auto type = VectorType::get({product.width}, b.getF32Type());
  Value start = add(scale(add(row, index(product.rowOffset)), product.columns), column);
  auto offsetInResult = [&](int64_t i, int64_t v) {
    return add(start, index(i * product.columns + v * product.width));
  };
  SmallVector<Value> sums;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v < vectors; ++v)
      sums.push_back(product.acc ? Value(vector::LoadOp::create(b, type, product.acc, offsetInResult(i, v)))
                                 : Value(arith::ConstantOp::create(b, b.getZeroAttr(type))));

  auto step = [&](Value aOffset, Value bOffset, ValueRange carried) {
    SmallVector<Value> results, right;
    for (int64_t v = 0; v < vectors; ++v)
      right.push_back(vector::LoadOp::create(b, type, product.b, add(bOffset, index(v * product.width))));
    for (int64_t i = 0; i < rows; ++i) {
      Value left = memref::LoadOp::create(b, product.a, add(aOffset, index(i * product.aRowStride)));
      Value repeated = vector::BroadcastOp::create(b, type, left);
      for (int64_t v = 0; v < vectors; ++v)
        results.push_back(vector::FMAOp::create(b, repeated, right[v], carried[results.size()]));
    }
    return results;
  };
  auto walk = [&](auto &self, ArrayRef<Product::Dim> dims, Value aOffset, Value bOffset,
                  ValueRange carried) -> SmallVector<Value> {
    if (dims.empty())
      return step(aOffset, bOffset, carried);
    return forLoop(0, dims.front().size, 1, carried, [&](Value k, ValueRange inner) {
      return self(self, dims.drop_front(), add(aOffset, scale(k, dims.front().aStride)),
                  add(bOffset, scale(k, dims.front().bStride)), inner);
    });
  };
  sums = walk(walk, product.contracted, add(scale(row, product.aRowStride), index(product.aOffset)), column, sums);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v < vectors; ++v)
      vector::StoreOp::create(b, sums[i * vectors + v], product.result, offsetInResult(i, v));
}
