// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop that finds two numbers from the one that it counts,
//
//     for t:   head = (t - first) / n;   tile = (t - first) % n
//
// divides once before it, and counts them both:
//
//     head = 0;   tile = 0;   for t:   ...;   tile = tile + 1;   if tile = n:   head = head + 1, tile = 0
//
// A division of numbers known only at run time is some fifty instructions, and what they find is an address that is waited for.
#include "compiler/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace landmark {
#define GEN_PASS_DEF_TILECARRYDIVISIONS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;

namespace {

/// Whether the value is that of the iteration, but for a difference that stays: what makes it of the loop's number goes to `chain`.
bool followsCount(scf::ForOp loop, Value value, SmallVectorImpl<Operation *> &chain) {
  if (value == loop.getInductionVar())
    return true;
  Operation *definition = value.getDefiningOp();
  if (!isa_and_nonnull<arith::IndexCastOp, arith::AddIOp, arith::SubIOp>(definition) || definition->getBlock() != loop.getBody())
    return false;
  chain.insert(chain.begin(), definition);
  return llvm::all_of(definition->getOperands().drop_front(), [&](Value other) { return loop.isDefinedOutsideOfLoop(other); }) &&
         followsCount(loop, definition->getOperand(0), chain);
}

/// Moves what makes the value out of the loop, where nothing of it is the iteration's.
bool hoist(scf::ForOp loop, Value value) {
  if (loop.isDefinedOutsideOfLoop(value))
    return true;
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != loop.getBody() || !isPure(definition) ||
      !llvm::all_of(definition->getOperands(), [&](Value operand) { return hoist(loop, operand); }))
    return false;
  loop.moveOutOfLoop(definition);
  return true;
}

/// The quotient of the same division, if the loop asks for it.
arith::DivUIOp quotientOf(arith::RemUIOp remainder) {
  for (auto quotient : remainder->getBlock()->getOps<arith::DivUIOp>())
    if (quotient.getLhs() == remainder.getLhs() && quotient.getRhs() == remainder.getRhs())
      return quotient;
  return {};
}

scf::ForOp carry(scf::ForOp loop, arith::DivUIOp quotient, arith::RemUIOp remainder, ArrayRef<Operation *> chain) {
  ImplicitLocOpBuilder b(remainder.getLoc(), loop);
  IRMapping first;
  first.map(loop.getInductionVar(), loop.getLowerBound());
  for (Operation *op : chain)
    b.clone(*op, first);
  Value inits[] = {b.clone(*quotient, first)->getResult(0), b.clone(*remainder, first)->getResult(0)};
  auto next = [&](OpBuilder &builder, Location loc, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
    ImplicitLocOpBuilder body(loc, builder);
    Type type = remainder.getType();
    Value one = arith::ConstantOp::create(body, IntegerAttr::get(type, 1)), zero = arith::ConstantOp::create(body, IntegerAttr::get(type, 0));
    Value counted = arith::AddIOp::create(body, carried[1], one);
    Value wraps = arith::CmpIOp::create(body, arith::CmpIPredicate::eq, counted, remainder.getRhs());
    return {arith::SelectOp::create(body, wraps, arith::AddIOp::create(body, carried[0], one), carried[0]), arith::SelectOp::create(body, wraps, zero, counted)};
  };
  IRRewriter rewriter(loop.getContext());
  rewriter.setInsertionPoint(loop);
  auto replaced = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(rewriter, inits, /*replaceInitOperandUsesInLoop=*/false, next));
  auto counts = replaced.getRegionIterArgs().take_back(2);
  rewriter.replaceOp(quotient, counts[0]);
  rewriter.replaceOp(remainder, counts[1]);
  return replaced;
}

/// The loop that counts one more of its divisions; null if there is none.
scf::ForOp carryOne(scf::ForOp loop) {
  for (auto remainder : loop.getBody()->getOps<arith::RemUIOp>()) {
    SmallVector<Operation *> chain;
    arith::DivUIOp quotient = quotientOf(remainder);
    if (quotient && followsCount(loop, remainder.getLhs(), chain) && hoist(loop, remainder.getRhs()))
      return carry(loop, quotient, remainder, chain);
  }
  return {};
}

struct CarryDivisions : landmark::impl::TileCarryDivisionsBase<CarryDivisions> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (isConstantIntValue(loop.getStep(), 1))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      while (scf::ForOp replaced = carryOne(loop))
        loop = replaced;
  }
};

} // namespace
