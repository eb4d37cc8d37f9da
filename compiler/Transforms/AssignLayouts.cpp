// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

namespace landmark {
#define GEN_PASS_DEF_TILEASSIGNLAYOUTS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;
using tile::Role;

namespace {

using Roles = SmallVector<Role, 3>;

bool isTile(Value value) { return isa<RankedTensorType>(value.getType()); }
bool isCheap(Operation *op) { return isa<arith::ConstantOp, tile::IotaOp, tensor::SplatOp>(op) && isTile(op->getResult(0)); }

/// Roles of the dimensions of every tile of a kernel, found by propagation.
class RoleSolver {
public:
  /// With `slices` every warp computes a part of the columns of a product.
  RoleSolver(gpu::GPUFuncOp kernel, bool slices) : kernel(kernel), product(slices ? Role::Slice : Role::Column) {}

  /// Propagates until nothing is new. Fails where two roles meet, or none is found.
  LogicalResult solve() {
    do {
      changed = false;
      WalkResult result = kernel.walk([&](Operation *op) { return WalkResult(visit(op)); });
      if (result.wasInterrupted())
        return failure();
    } while (changed);
    return success(!kernel.walk([&](Operation *op) -> WalkResult {
                           for (Value value : op->getResults())
                             if (isTile(value) && !roles.contains(value))
                               return op->emitOpError("has a tile whose layout nothing decides");
                           return WalkResult::advance();
                         }).wasInterrupted());
  }

  ArrayRef<Role> lookup(Value value) const { return roles.find(value)->second; }

private:
  LogicalResult set(Operation *op, Value value, ArrayRef<Role> found) {
    if (!isTile(value))
      return success();
    auto [entry, isNew] = roles.insert({value, Roles(found)});
    changed |= isNew;
    if (ArrayRef<Role>(entry->second) != found)
      return op->emitOpError("needs a tile in two layouts");
    return success();
  }

  /// All values given share their roles.
  LogicalResult unify(Operation *op, ArrayRef<Value> values) {
    for (Value known : values)
      if (roles.contains(known)) {
        Roles found = roles.find(known)->second;
        for (Value value : values)
          if (failed(set(op, value, found)))
            return failure();
        break;
      }
    return success();
  }

  /// A tile of rank 3 is rows, blocks, tokens; that is what blocks are a dimension for.
  LogicalResult seed(Operation *op, Value value) {
    bool isProduct = isa<tile::DotOp>(op) || (isCheap(op) && !op->use_empty() && isa<tile::DotOp>(*op->user_begin()));
    if (!isProduct && isTile(value) && cast<RankedTensorType>(value.getType()).getRank() == 3)
      return set(op, value, {Role::Row, Role::Block, Role::Column});
    return success();
  }

  LogicalResult visit(Operation *op) {
    for (Value value : op->getResults())
      if (failed(seed(op, value)))
        return failure();
    if (auto dot = dyn_cast<tile::DotOp>(op))
      return visitDot(dot);
    if (auto store = dyn_cast<tile::StoreOp>(op))
      return visitStore(store);
    if (auto read = dyn_cast<tile::ReadRowsOp>(op))
      return set(op, read.getResult(), read.getResult().getType().getRank() == 1 ? ArrayRef<Role>{Role::Row} : matrix);
    if (auto read = dyn_cast<tile::ReadOp>(op); read && read.getResult().getType().getRank() == 2)
      return set(op, read.getResult(), matrix);
    if (auto load = dyn_cast<tile::LoadOp>(op))
      return load.getResult().getType().getRank() == 2 ? set(op, load.getResult(), matrix) : success();
    if (auto reduce = dyn_cast<tile::ReduceOp>(op))
      return visitDropped(op, reduce.getSource(), reduce.getResult(), reduce.getDims());
    if (auto column = dyn_cast<tile::ColumnOp>(op))
      return visitDropped(op, column.getSource(), column.getResult(), {column.getSource().getType().getRank() - 1});
    if (auto broadcast = dyn_cast<tile::BroadcastOp>(op))
      return visitBroadcast(broadcast);
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (auto [init, inside, yielded, result] :
           llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(), loop.getResults()))
        if (isTile(result) && (failed(seed(op, inside)) || failed(unify(op, {init, inside, yielded, result}))))
          return failure();
      return success();
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      for (auto [index, result] : llvm::enumerate(branch.getResults()))
        if (isTile(result) &&
            failed(unify(op, {branch.thenYield().getOperand(index), branch.elseYield().getOperand(index), result})))
          return failure();
      return success();
    }
    if (isa<tile::CastOp>(op) || OpTrait::hasElementwiseMappableTraits(op)) {
      SmallVector<Value> values;
      llvm::copy_if(op->getOperands(), std::back_inserter(values), isTile);
      llvm::copy_if(op->getResults(), std::back_inserter(values), isTile);
      return unify(op, values);
    }
    return success();
  }

  LogicalResult visitDot(tile::DotOp dot) {
    Roles result = dot.getType().getRank() == 3 ? Roles{Role::Row, Role::Block, product} : Roles{Role::Row, product};
    if (failed(set(dot, dot.getAcc(), result)) || failed(set(dot, dot.getResult(), result)))
      return failure();
    if (isTile(dot.getB()))
      return dot.emitOpError("reads its right operand from shared memory");
    if (auto type = dyn_cast<RankedTensorType>(dot.getA().getType()); type && type.getRank() == 2)
      return set(dot, dot.getA(), matrix);
    return success();
  }

  /// Columns are stored by whoever has them.
  LogicalResult visitStore(tile::StoreOp store) {
    Value value = store.getValue();
    if (store.getValue().getType().getRank() == 1)
      return set(store, value, {Role::Row});
    return roles.contains(value) && roles.find(value)->second.back() == Role::Slice ? success() : set(store, value, matrix);
  }

  LogicalResult visitDropped(Operation *op, Value source, Value result, ArrayRef<int64_t> dims) {
    if (!roles.contains(source))
      return success();
    Roles kept;
    for (auto [dim, role] : llvm::enumerate(roles.find(source)->second))
      if (!llvm::is_contained(dims, static_cast<int64_t>(dim)))
        kept.push_back(role);
    return set(op, result, kept);
  }

  LogicalResult visitBroadcast(tile::BroadcastOp op) {
    if (!roles.contains(op.getResult()))
      return success();
    Roles found;
    for (int64_t dim : op.getDims())
      found.push_back(roles.find(op.getResult())->second[dim]);
    return set(op, op.getSource(), found);
  }

  static constexpr Role matrixRoles[] = {Role::Row, Role::Column};
  const ArrayRef<Role> matrix = matrixRoles;
  gpu::GPUFuncOp kernel;
  Role product; ///< of a product's columns
  llvm::MapVector<Value, Roles> roles;
  bool changed = false;
};

struct AssignLayouts : landmark::impl::TileAssignLayoutsBase<AssignLayouts> {
  using Base::Base;

  /// One copy of every cheap tile for each of its uses.
  void separateCheapTiles(gpu::GPUFuncOp kernel) {
    SmallVector<Operation *> cheap;
    kernel.walk([&](Operation *op) {
      if (isCheap(op))
        cheap.push_back(op);
    });
    for (Operation *op : cheap)
      if (!op->use_empty())
        for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(op->getUses())))
          use.set(OpBuilder(op).clone(*op)->getResult(0));
  }

  LogicalResult setLayout(Operation *op, Value value, ArrayRef<Role> roles) {
    auto type = cast<RankedTensorType>(value.getType());
    auto emitError = [&] { return op->emitOpError(); };
    int64_t spread = slices && !llvm::is_contained(roles, Role::Slice) ? 1 : static_cast<int64_t>(warps);
    auto layout = tile::FragmentAttr::getChecked(emitError, &getContext(), roles, spread);
    if (!layout || failed(layout.verifyEncoding(type.getShape(), type.getElementType(), emitError)))
      return failure();
    auto laidOut = type.cloneWithEncoding(layout);
    value.setType(laidOut);
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
      if (!splat)
        return op->emitOpError("must be a splat");
      constant.setValueAttr(SplatElementsAttr::get(laidOut, splat.getSplatValue<Attribute>()));
    }
    return success();
  }

  /// Orders the chunks of a ring's rows so that eight rows of one column fall on different banks: where the number of chunks in a row holds 2^bits,
  /// every 2^(3-bits) rows start on the same bank. wgmma knows such orders by the panel.
  void chooseSwizzle(tile::AllocOp op, bool inPanels) {
    tile::BufferType old = op.getResult().getType();
    if (old.getSwizzle().getPanel() != 0)
      return; // what fetches it has chosen
    int64_t bits = std::min<int64_t>(3, llvm::countr_zero(static_cast<uint64_t>(old.getRowBytes() / 16)));
    auto type = tile::BufferType::get(&getContext(), old.getStages(), old.getShape(), old.getElementType(),
                                      tile::SwizzleAttr::get(&getContext(), bits, 3 - bits, inPanels && bits > 0 ? int64_t(1) << bits : 0));
    op.getResult().setType(type);
    for (Operation *user : op->getUsers())
      if (auto slot = dyn_cast<tile::SlotOp>(user))
        slot.getResult().setType(tile::SlotType::get(&getContext(), type));
  }

  void runOnOperation() override {
    std::optional<tile::MatrixUnit> chosen = tile::symbolizeMatrixUnit(unit);
    if (!chosen) {
      getOperation()->emitError("tile-assign-layouts: unit is mma or wgmma, got '") << unit << "'";
      return signalPassFailure();
    }
    WalkResult result = getOperation()->walk([&](gpu::GPUFuncOp kernel) -> WalkResult {
      separateCheapTiles(kernel);
      RoleSolver solver(kernel, slices);
      if (failed(solver.solve()))
        return failure();
      WalkResult assigned = kernel.walk([&](Operation *op) -> WalkResult {
        for (Value value : op->getResults())
          if (isTile(value) && failed(setLayout(op, value, solver.lookup(value))))
            return failure();
        if (auto loop = dyn_cast<scf::ForOp>(op))
          for (auto [inside, result] : llvm::zip(loop.getRegionIterArgs(), loop.getResults()))
            inside.setType(isTile(inside) ? result.getType() : inside.getType());
        if (auto alloc = dyn_cast<tile::AllocOp>(op))
          chooseSwizzle(alloc, *chosen == tile::MatrixUnit::Wgmma);
        if (auto dot = dyn_cast<tile::DotOp>(op))
          dot.setUnit(*chosen);
        return WalkResult::advance();
      });
      if (!kernel.getKnownBlockSize())
        kernel.setKnownBlockSizeAttr(DenseI32ArrayAttr::get(&getContext(), {static_cast<int32_t>(32 * warps), 1, 1}));
      return assigned;
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
