// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files that expand operations of the landmark dialect share.
#ifndef LANDMARK_COMPILER_TRANSFORMS_EXPANDOPS_H
#define LANDMARK_COMPILER_TRANSFORMS_EXPANDOPS_H

#include "compiler/Transforms/TileBuilder.h"
#include "dialects/Landmark/Landmark.h"

#include "mlir/IR/PatternMatch.h"

namespace landmark {

/// Expands one operation: `expand(op, builder)` yields the values that replace it.
template <typename Op, auto expand> struct Expansion : mlir::OpRewritePattern<Op> {
  using mlir::OpRewritePattern<Op>::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter &rewriter) const override {
    TileBuilder builder(op.getLoc(), rewriter);
    llvm::SmallVector<mlir::Value> values = expand(op, builder);
    rewriter.replaceOp(op, values);
    return mlir::success();
  }
};

/// A maximum to subtract: 0 where nothing was seen, since -inf - -inf is no number.
inline mlir::Value finite(TileBuilder &b, mlir::Value maximum) {
  mlir::Value none = b.equals(maximum, b.floatSplatLike(-INFINITY, maximum));
  return b.select(none, b.floatSplatLike(0.0f, maximum), maximum);
}

/// Logits with -inf in place of what is not seen.
inline mlir::Value seenLogits(TileBuilder &b, mlir::Value seen, mlir::Value logits) {
  return b.select(seen, logits, b.floatSplatLike(-INFINITY, logits));
}

/// exp2(logits * factor - offset), the offset given for the leading dimensions of the logits.
inline mlir::Value exponentials(TileBuilder &b, mlir::Value logits, mlir::Value offset, mlir::Value factor) {
  mlir::Value scaled = b.mulf(logits, b.splatLike(factor, logits));
  return b.exp2(b.subf(scaled, b.broadcastLeading(offset, logits)));
}

/// exp2((logits - maximum) * factor), the maximum given for the leading dimensions: 1 for the maximum itself, however
/// large it is.
inline mlir::Value exactExponentials(TileBuilder &b, mlir::Value logits, mlir::Value maximum, mlir::Value factor) {
  mlir::Value distance = b.subf(logits, b.broadcastLeading(finite(b, maximum), logits));
  return b.exp2(b.mulf(distance, b.splatLike(factor, logits)));
}

/// The operations of retrieval (RetrievalOps.td).
void populateRetrievalExpansions(mlir::RewritePatternSet &patterns);

} // namespace landmark
#endif
