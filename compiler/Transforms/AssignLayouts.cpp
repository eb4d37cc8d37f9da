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

/// Roles of a tile's dimensions, how many groups of warps share its blocks, and the group that alone has it, if one does.
struct Layout {
  Roles roles;
  int64_t split = 1;
  std::optional<int64_t> group = std::nullopt;

  bool operator==(const Layout &other) const = default;
};

bool isTile(Value value) { return isa<RankedTensorType>(value.getType()); }
bool isCheap(Operation *op) { return isa<arith::ConstantOp, tile::IotaOp, tensor::SplatOp>(op) && isTile(op->getResult(0)); }

/// The layout of every tile of a kernel, found by propagation.
class LayoutSolver {
public:
  /// With `slices` every warp computes a part of the columns of a product, of all rows.
  LayoutSolver(gpu::GPUFuncOp kernel, int64_t warps, bool slices)
      : kernel(kernel), warps(warps), slices(slices), product(slices ? Role::Slice : Role::Column) {}

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
                             if (isTile(value) && !layouts.contains(value))
                               return op->emitOpError("has a tile whose layout nothing decides");
                           return WalkResult::advance();
                         }).wasInterrupted());
  }

  const Layout &lookup(Value value) const { return layouts.find(value)->second; }

private:
  LogicalResult set(Operation *op, Value value, const Layout &found) {
    if (!isTile(value))
      return success();
    auto [entry, isNew] = layouts.insert({value, found});
    changed |= isNew;
    if (entry->second != found)
      return op->emitOpError("needs a tile in two layouts");
    return success();
  }

  /// Of a tile whose first dimension are rows. Where blocks have fewer than 16 rows for each warp, groups of warps share the blocks.
  LogicalResult setByRows(Operation *op, Value value, ArrayRef<Role> found) {
    if (!isTile(value))
      return success();
    int64_t rows = cast<RankedTensorType>(value.getType()).getDimSize(0);
    bool isShared = !slices && llvm::is_contained(found, Role::Block) && rows < 16 * warps && rows % 16 == 0 && warps % (rows / 16) == 0;
    return set(op, value, {Roles(found), isShared ? 16 * warps / rows : 1});
  }

  /// All values given share their layout.
  LogicalResult unify(Operation *op, ArrayRef<Value> values) {
    for (Value known : values)
      if (layouts.contains(known)) {
        Layout found = lookup(known);
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
      return setByRows(op, value, {Role::Row, Role::Block, Role::Column});
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
    if (auto write = dyn_cast<tile::WriteFragmentsOp>(op))
      return visitRows(op, write.getValue());
    if (auto over = dyn_cast<tile::HandOverOp>(op))
      return visitRows(op, over.getValue());
    if (auto read = dyn_cast<tile::ReadFragmentsOp>(op))
      return setByRows(op, read.getResult(), matrix);
    if (auto read = dyn_cast<tile::ReadRowsOp>(op))
      return setByRows(op, read.getResult(), read.getResult().getType().getRank() == 1 ? ArrayRef<Role>{Role::Row} : matrix);
    if (auto read = dyn_cast<tile::ReadOp>(op); read && read.getResult().getType().getRank() == 2)
      return setByRows(op, read.getResult(), matrix);
    if (auto load = dyn_cast<tile::LoadOp>(op))
      return load.getResult().getType().getRank() == 2 ? setByRows(op, load.getResult(), matrix) : success();
    if (auto best = dyn_cast<tile::TopKOp>(op)) {
      for (Value value : {best.getValues(), best.getIds(), best.getCandidates(), best.getCandidateIds(), best.getNewValues(), best.getNewIds()})
        if (failed(setByRows(op, value, matrix)))
          return failure();
      return success();
    }
    if (auto sum = dyn_cast<tile::ClusterSumOp>(op)) {
      for (auto [source, result] : llvm::zip(sum.getSources(), sum.getSums()))
        if (failed(unify(op, {source, result})))
          return failure();
      return unify(op, {sum.getExponent(), sum.getMost()});
    }
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
    if (std::optional<uint64_t> group = dot.getGroup()) {
      Layout alone{{Role::Row, Role::Column}, 1, *group};
      return failure(failed(set(dot, dot.getAcc(), alone)) || failed(set(dot, dot.getResult(), alone)));
    }
    if (int64_t groups = columnGroups(dot); groups > 1) {
      Layout shared{{Role::Row, Role::Slice}, groups};
      return failure(failed(set(dot, dot.getAcc(), shared)) || failed(set(dot, dot.getResult(), shared)));
    }
    Roles result = dot.getType().getRank() == 3 ? Roles{Role::Row, Role::Block, product} : Roles{Role::Row, product};
    if (failed(setByRows(dot, dot.getAcc(), result)) || failed(setByRows(dot, dot.getResult(), result)))
      return failure();
    if (isTile(dot.getB()))
      return dot.emitOpError("reads its right operand from shared memory");
    if (auto type = dyn_cast<RankedTensorType>(dot.getA().getType()); type && type.getRank() == 2)
      return setByRows(dot, dot.getA(), matrix);
    return success();
  }

  /// How many groups of warps share the columns of a product: weights that stand in shared memory as they are have rows that all groups read.
  int64_t columnGroups(tile::DotOp dot) {
    int64_t rows = dot.getType().getDimSize(0);
    bool isShared = !slices && !isTile(dot.getA()) && !dot.getTranspose() && !dot.getTransposed() && rows < 16 * warps && rows % 16 == 0;
    return isShared && warps % (rows / 16) == 0 ? 16 * warps / rows : 1;
  }

  /// Columns are stored by whoever has them.
  LogicalResult visitStore(tile::StoreOp store) {
    Value value = store.getValue();
    return store.getValue().getType().getRank() == 1 ? setByRows(store, value, {Role::Row}) : visitRows(store, value);
  }
  LogicalResult visitRows(Operation *op, Value value) {
    bool isKnown = layouts.contains(value) && (lookup(value).roles.back() == Role::Slice || lookup(value).group);
    return isKnown ? success() : setByRows(op, value, matrix);
  }

  LogicalResult visitDropped(Operation *op, Value source, Value result, ArrayRef<int64_t> dims) {
    if (!layouts.contains(source))
      return success();
    Layout kept = lookup(source);
    kept.roles.clear();
    for (auto [dim, role] : llvm::enumerate(lookup(source).roles))
      if (!llvm::is_contained(dims, static_cast<int64_t>(dim)))
        kept.roles.push_back(role);
    return set(op, result, kept);
  }

  LogicalResult visitBroadcast(tile::BroadcastOp op) {
    if (!layouts.contains(op.getResult())) {
      // Columns are those of rows; of rows it is open whether they are to have columns or blocks.
      bool isOfColumns = layouts.contains(op.getSource()) && lookup(op.getSource()).roles == Roles{Role::Column} && op.getResult().getType().getRank() == 2;
      return isOfColumns ? set(op, op.getResult(), {Roles(matrix), lookup(op.getSource()).split}) : success();
    }
    Layout found = lookup(op.getResult());
    found.roles.clear();
    for (int64_t dim : op.getDims())
      found.roles.push_back(lookup(op.getResult()).roles[dim]);
    return set(op, op.getSource(), found);
  }

  static constexpr Role matrixRoles[] = {Role::Row, Role::Column};
  const ArrayRef<Role> matrix = matrixRoles;
  gpu::GPUFuncOp kernel;
  int64_t warps;
  bool slices;
  Role product; ///< of a product's columns
  llvm::MapVector<Value, Layout> layouts;
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

  LogicalResult setLayout(Operation *op, Value value, const Layout &found) {
    auto type = cast<RankedTensorType>(value.getType());
    auto emitError = [&] { return op->emitOpError(); };
    int64_t spread = found.group ? 4 : slices && !llvm::is_contained(found.roles, Role::Slice) ? 1 : static_cast<int64_t>(warps);
    bool dealt = deal && tile::FragmentAttr::canDeal(type.getShape(), found.roles, spread);
    auto layout = tile::FragmentAttr::getChecked(emitError, &getContext(), ArrayRef<Role>(found.roles), spread, found.split, dealt, 4 * found.group.value_or(0));
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
      LayoutSolver solver(kernel, warps, slices);
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
          dot.setUnit(dot.getAnew() ? tile::MatrixUnit::Mma : *chosen);
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
