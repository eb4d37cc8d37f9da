// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Turns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace landmark;

void landmark::threadTurns(Block &block, SmallVectorImpl<Value> &turns, const RingNumber &ringNumber, llvm::DenseMap<mlir::Operation *, Value> &turnOf) {
  IRRewriter rewriter(block.getParentOp()->getContext());
  for (mlir::Operation &op : llvm::make_early_inc_range(block)) {
    if (std::optional<unsigned> ring = ringNumber(&op)) {
      ImplicitLocOpBuilder b(op.getLoc(), &op);
      turnOf[&op] = turns[*ring];
      turns[*ring] = arith::AddIOp::create(b, turns[*ring], arith::ConstantIntOp::create(b, 1, 32));
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      llvm::SetVector<unsigned> used;
      loop.walk([&](mlir::Operation *inside) {
        if (std::optional<unsigned> ring = ringNumber(inside))
          used.insert(*ring);
      });
      if (used.empty())
        continue;
      SmallVector<Value> inits;
      for (unsigned ring : used)
        inits.push_back(turns[ring]);
      auto yieldNext = [&](OpBuilder &, Location, ArrayRef<BlockArgument> carried) {
        SmallVector<Value> inner(turns.begin(), turns.end()), next;
        for (auto [ring, value] : llvm::zip(used, carried))
          inner[ring] = value;
        threadTurns(*loop.getBody(), inner, ringNumber, turnOf);
        for (unsigned ring : used)
          next.push_back(inner[ring]);
        return next;
      };
      rewriter.setInsertionPoint(loop);
      auto replaced = loop.replaceWithAdditionalYields(rewriter, inits, /*replaceInitOperandUsesInLoop=*/false, yieldNext);
      for (auto [ring, result] : llvm::zip(used, (*replaced)->getResults().take_back(used.size())))
        turns[ring] = result;
    }
  }
}
