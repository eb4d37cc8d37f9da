// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tile programs as functions on vectors and buffers. TileEmitter.h says how tiles are represented.
#include "compiler/Conversion/Passes.h"
#include "compiler/Conversion/TileToHost/TileEmitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

namespace landmark {
#define GEN_PASS_DEF_CONVERTTILETOHOST
#include "compiler/Conversion/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

static bool isTile(Type type) { return isa<RankedTensorType>(type); }

/// Whether an operation on tiles maps every element by itself.
static bool isElementwise(Operation &op) {
  return op.getNumResults() == 1 && op.getNumRegions() == 0 && op.hasTrait<OpTrait::Elementwise>() && isPure(&op) &&
         !isa<Float16Type, BFloat16Type>(getElementTypeOrSelf(op.getResult(0).getType()));
}

/// Whether it takes much longer to evaluate a tile than to load it.
bool TileEmitter::isCostly(Value tile) {
  Operation *op = tile.getDefiningOp();
  if (!op || !isTile(tile.getType()) || buffers.contains(tile))
    return false;
  if (auto known = costly.find(tile); known != costly.end())
    return known->second;
  bool result = isa<math::MathDialect>(op->getDialect()) ||
                isa<arith::DivFOp, arith::DivUIOp, arith::DivSIOp, arith::RemUIOp, arith::RemSIOp, arith::FloorDivSIOp,
                    arith::CeilDivSIOp>(op) ||
                llvm::any_of(op->getOperands(), [&](Value operand) { return isCostly(operand); });
  return costly[tile] = result;
}

bool TileEmitter::isWorthStoring(Value tile) {
  bool usedInLoops =
      llvm::any_of(tile.getUsers(), [&](Operation *user) { return user->getBlock() != tile.getParentBlock(); });
  // Repeated along a row, a value is wanted as one number, which takes as long to compute as a vector.
  bool isRepeated = llvm::any_of(tile.getUsers(), llvm::IsaPred<tile::BroadcastOp>);
  if (isCostly(tile))
    return usedInLoops || isRepeated || !tile.hasOneUse();
  bool isMask = cast<RankedTensorType>(tile.getType()).getElementType().isInteger(1);
  return !isMask && (usedInLoops || isRepeated);
}

LogicalResult TileEmitter::convert(Operation &op) {
  b.setLoc(op.getLoc());
  bool onTiles = llvm::any_of(op.getOperandTypes(), isTile) || llvm::any_of(op.getResultTypes(), isTile);
  return TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](scf::ForOp loop) { return convertFor(loop); })
      .Case([&](scf::IfOp branch) { return convertIf(branch); })
      .Case([&](tile::DotOp product) { return dot(product); })
      .Case([&](tile::LoadOp access) { return load(access), success(); })
      .Case([&](tile::StoreOp access) { return store(access), success(); })
      .Case([&](tile::ReadRowsOp access) { return readRows(access), success(); })
      .Case([&](tile::RotateOp rotation) { return rotate(rotation), success(); })
      .Case([&](tile::TopKOp best) { return topK(best), success(); })
      .Case([&](tile::ColumnOp column) { return storeColumn(column), success(); })
      .Case([&](tile::ReduceOp reduction) {
        if (!buffers.contains(reduction.getResult())) // made along with its source
          fill(reduction.getSource(), nullptr, reduction);
        return success();
      })
      .Case<tile::IotaOp, tile::BroadcastOp, tensor::SplatOp, tile::GridWaitOp>([&](Operation *) { return success(); })
      .Case([&](tensor::ExtractOp number) { return extract(number); })
      .Case([&](gpu::BlockIdOp id) {
        return values.contains(id.getResult()) ? success() : id.emitOpError("numbers programs in dimension x only");
      })
      .Default([&](Operation *) -> LogicalResult {
        if (!onTiles && op.getNumRegions() == 0 && !isa<gpu::GPUDialect, tile::TileDialect>(op.getDialect()))
          return b.clone(op, values), success();
        if (isa<arith::ConstantOp>(op))
          return success();
        if (!isa<tile::CastOp>(op) && !isElementwise(op))
          return op.emitOpError("cannot be lowered for the host");
        if (isWorthStoring(op.getResult(0)))
          storeNow(op);
        return success();
      });
}

/// An element of a tile; a tile of rank 0 is one.
LogicalResult TileEmitter::extract(tensor::ExtractOp op) {
  Point point;
  for (Value i : op.getIndices())
    point.index.push_back(values.lookup(i));
  evaluated.clear();
  values.map(op.getResult(), evaluate(op.getTensor(), point));
  return success();
}

/// Stores the result of an elementwise operation, and reduces it in the same loops if it is to be reduced.
void TileEmitter::storeNow(Operation &op) {
  Value tile = op.getResult(0), buffer = allocateFor(tile);
  tile::ReduceOp reduction;
  for (Operation *user : tile.getUsers())
    if (auto candidate = dyn_cast<tile::ReduceOp>(user); candidate && user->getBlock() == op.getBlock())
      reduction = candidate;
  fill(tile, buffer, reduction);
  buffers[tile] = buffer;
}

LogicalResult TileEmitter::convertBlock(Block &block) {
  Block *outer = std::exchange(current, &block);
  for (Operation &op : block.without_terminator())
    if (failed(convert(op)) || unsupported)
      return failure();
  current = outer;
  return success();
}

/// Converts the block of a loop or branch at the insertion point; its terminator leaves tiles in `tileBuffers`.
LogicalResult TileEmitter::convertRegion(Block &block, ArrayRef<Value> tileBuffers) {
  scopes.emplace_back();
  if (failed(convertBlock(block)))
    return failure();
  Block *outer = std::exchange(current, &block);

  // All tiles are evaluated before one is written, as they may be made of what the loop carries.
  SmallVector<Value> numbers, tiles;
  for (Value operand : block.getTerminator()->getOperands()) {
    if (!isTile(operand.getType())) {
      numbers.push_back(values.lookup(operand));
      continue;
    }
    Value buffer = stored(operand);
    if (buffer != tileBuffers[tiles.size()] && llvm::is_contained(tileBuffers, buffer)) {
      auto type = cast<MemRefType>(buffer.getType());
      Value moved = allocate(type.getElementType(), type.getDimSize(0));
      copy(buffer, moved);
      buffer = moved;
    }
    tiles.push_back(buffer);
  }
  for (auto [from, to] : llvm::zip_equal(tiles, tileBuffers))
    copy(from, to);
  scf::YieldOp::create(b, numbers);

  current = outer;
  llvm::append_range(freeBuffers, scopes.pop_back_val());
  return success();
}

LogicalResult TileEmitter::convertFor(scf::ForOp loop) {
  SmallVector<Value> inits, tileBuffers;
  for (auto [init, carried, result] :
       llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
    if (!isTile(init.getType())) {
      inits.push_back(values.lookup(init));
      continue;
    }
    Value buffer = mayTakeOver(init, loop) ? buffers[init] : allocateFor(init);
    if (Value stored = buffers.lookup(init))
      copy(stored, buffer);
    else
      fill(init, buffer, nullptr);
    // One after the other: the second may move the first one's entry.
    buffers[carried] = buffer;
    buffers[result] = buffer;
    tileBuffers.push_back(buffer);
  }
  auto converted = scf::ForOp::create(b, values.lookup(loop.getLowerBound()), values.lookup(loop.getUpperBound()),
                                      values.lookup(loop.getStep()), inits);
  if (inits.empty())
    converted.getBody()->getTerminator()->erase();
  values.map(loop.getInductionVar(), converted.getInductionVar());
  mapNumbers(loop.getRegionIterArgs(), converted.getRegionIterArgs());
  mapNumbers(loop.getResults(), converted.getResults());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(converted.getBody());
  return convertRegion(*loop.getBody(), tileBuffers);
}

LogicalResult TileEmitter::convertIf(scf::IfOp branch) {
  SmallVector<Value> tileBuffers;
  SmallVector<Type> numberTypes;
  for (Value result : branch.getResults()) {
    if (isTile(result.getType()))
      tileBuffers.push_back(buffers[result] = allocateFor(result));
    else
      numberTypes.push_back(result.getType());
  }
  bool hasElse = !branch.getElseRegion().empty();
  auto converted = scf::IfOp::create(b, numberTypes, values.lookup(branch.getCondition()), /*addThenBlock=*/true,
                                     /*addElseBlock=*/hasElse);
  mapNumbers(branch.getResults(), converted.getResults());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(converted.thenBlock());
  if (failed(convertRegion(*branch.thenBlock(), tileBuffers)))
    return failure();
  if (!hasElse)
    return success();
  b.setInsertionPointToEnd(converted.elseBlock());
  return convertRegion(*branch.elseBlock(), tileBuffers);
}

/// Pairs those of `from` that are no tiles with `to`.
void TileEmitter::mapNumbers(ValueRange from, ValueRange to) {
  for (Value value : from) {
    if (isTile(value.getType()))
      continue;
    values.map(value, to.front());
    to = to.drop_front();
  }
}

namespace {

struct ConvertTileToHost : landmark::impl::ConvertTileToHostBase<ConvertTileToHost> {
  using Base::Base;

  /// The kernel's arguments and, last, the number of the program.
  LogicalResult convert(gpu::GPUFuncOp kernel) {
    if (!kernel.getBody().hasOneBlock())
      return kernel.emitOpError("needs structured control flow to be lowered for the host");
    ImplicitLocOpBuilder b(kernel.getLoc(), getOperation().getBodyRegion());
    b.setInsertionPointToEnd(getOperation().getBody());
    SmallVector<Type> inputs(kernel.getArgumentTypes());
    inputs.push_back(b.getIndexType());
    auto function = func::FuncOp::create(b, kernel.getName(), b.getFunctionType(inputs, {}));
    Block *entry = function.addEntryBlock();
    b.setInsertionPointToStart(entry);

    IRMapping values;
    values.map(kernel.getArguments(), entry->getArguments().drop_back());
    kernel.walk([&](gpu::BlockIdOp id) {
      if (id.getDimension() == gpu::Dimension::x) // programs are numbered in one dimension
        values.map(id.getResult(), entry->getArguments().back());
    });
    TileEmitter emitter(b, values, lanes);
    if (failed(emitter.convertBlock(kernel.getBody().front())))
      return failure();
    func::ReturnOp::create(b);
    return success();
  }

  void runOnOperation() override {
    if (lanes < 1 || !llvm::isPowerOf2_64(lanes)) {
      getOperation().emitError("lanes must be a power of two, got ") << lanes;
      return signalPassFailure();
    }
    for (auto module : llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>())) {
      for (auto kernel : module.getOps<gpu::GPUFuncOp>())
        if (failed(convert(kernel)))
          return signalPassFailure();
      module.erase();
    }
    RewritePatternSet patterns(&getContext()); // upstream has the other functions
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef) { return true; });
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
