// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A left operand that is multiplied transposed has its rows contracted: what one warp holds, all of them need. It goes through shared memory:
//
//     barrier                                    the last readers are done; none where the block has one before
//     write P -> slot;  write dS -> slot         all operands of dots that follow one another
//     barrier
//     dot slot transposed, ...;  dot slot transposed, ...
//
// An operand that is written to a ring already, for warps that multiply it too, is read there; operands staged with it have as many places, and are written before it:
//
//     write P -> slot[n];  write dS -> slot[n]      the last readers of these places were done before the barrier of the last turn
//     barrier
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILESTAGEOPERANDS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

bool isTransposed(tile::DotOp dot) { return dot.getTransposed() && isa<RankedTensorType>(dot.getA().getType()); }

/// Whether `value` is there before `op`.
bool isKnownBefore(Value value, mlir::Operation *op) {
  mlir::Operation *definition = value.getDefiningOp();
  return !definition || definition->getBlock() != op->getBlock() || definition->isBeforeInBlock(op);
}

struct StageOperands : landmark::impl::TileStageOperandsBase<StageOperands> {
  using Base::Base;

  /// Tiles of rows, all else of them side by side, or a diagnostic and none.
  static tile::BufferType bufferFor(tile::DotOp dot, int64_t places) {
    auto type = cast<RankedTensorType>(dot.getA().getType());
    int64_t rows = type.getDimSize(0);
    return tile::BufferType::getChecked([&] { return dot.emitOpError("cannot have its left operand in shared memory: "); }, dot.getContext(), places,
                                        ArrayRef<int64_t>{rows, type.getNumElements() / rows}, type.getElementType(),
                                        tile::SwizzleAttr::get(dot.getContext(), 0, 0, 0)); // tile-assign-layouts chooses another
  }

  /// The shared memory for an operand: that of an operand of another block, of the same number in it, if it has that type. Loops follow one another.
  Value bufferOf(tile::DotOp dot, tile::BufferType type) {
    SmallVector<tile::AllocOp> &known = buffers[dot->getParentOfType<gpu::GPUFuncOp>()];
    size_t number = numbers[dot->getBlock()]++;
    if (number < known.size() && known[number].getResult().getType() == type)
      return known[number];
    Block &body = dot->getParentOfType<gpu::GPUFuncOp>().getBody().front();
    ImplicitLocOpBuilder b(dot.getLoc(), body.findAncestorOpInBlock(known.empty() ? *dot : *known.front()));
    auto made = tile::AllocOp::create(b, type, IntegerAttr());
    if (number == known.size())
      known.push_back(made);
    return made;
  }

  /// Whether the left operand goes through shared memory: multiplied transposed, or, if it stands there for another product, by warps that have not all of it.
  bool isStaged(tile::DotOp dot) {
    auto left = dyn_cast<RankedTensorType>(dot.getA().getType());
    bool isPlain = left && specialized && !dot.getTranspose() && !dot.getTransposed() && left.getDimSize(0) < 16 * warps;
    return isTransposed(dot) || (isPlain && llvm::any_of(dot.getA().getUsers(), [&](mlir::Operation *user) {
                                   auto other = dyn_cast<tile::DotOp>(user);
                                   return other && other.getA() == dot.getA() && isTransposed(other);
                                 }));
  }

  /// For all warps that write and read operands of so many rows. Where groups of them share the blocks a group reads what it wrote itself, if all are transposed.
  void createBarrier(ImplicitLocOpBuilder &b, int64_t rows, bool areTransposed) {
    if (specialized)
      tile::BarrierOp::create(b, areTransposed ? std::min<int64_t>(warps, rows / 16) : warps);
    else
      gpu::BarrierOp::create(b);
  }

  /// What writes the operand to a ring already, or null.
  static tile::WriteOp writeOf(tile::DotOp dot) {
    for (mlir::Operation *user : dot.getA().getUsers())
      if (auto write = dyn_cast<tile::WriteOp>(user); write && write->getBlock() == dot->getBlock() && write.getSlot().getType().getBuffer().getStages() > 1)
        return write;
    return {};
  }

  /// Stages the operands of `dots`, which all are known before the first of them.
  LogicalResult stage(MutableArrayRef<tile::DotOp> dots) {
    tile::WriteOp written;
    for (tile::DotOp dot : dots)
      if (tile::WriteOp write = writeOf(dot); write && llvm::all_of(dots, [&](tile::DotOp other) { return isKnownBefore(other.getA(), write); }))
        written = write;
    return written ? stageBeside(written, dots) : stageAlone(dots);
  }

  /// One operand is written to a ring: the others have as many places. A turn's readers are done before the barrier of the next one.
  LogicalResult stageBeside(tile::WriteOp written, MutableArrayRef<tile::DotOp> dots) {
    ImplicitLocOpBuilder b(written.getLoc(), written);
    auto ring = written.getSlot().getDefiningOp<tile::SlotOp>();
    int64_t rows = written.getValue().getType().getDimSize(0);
    llvm::DenseMap<Value, Value> slots;
    slots[written.getValue()] = written.getSlot();
    if (failed(writeOperands(b, dots, ring.getBuffer().getType().getStages(), ring.getStage(), slots)))
      return failure();
    b.setInsertionPoint(dots.front());
    createBarrier(b, rows, true);
    return success();
  }

  LogicalResult stageAlone(MutableArrayRef<tile::DotOp> dots) {
    ImplicitLocOpBuilder b(dots.front().getLoc(), dots.front());
    Block *block = dots.front()->getBlock();
    bool isSeparated = llvm::any_of(*block, [&](mlir::Operation &op) { return isa<gpu::BarrierOp, tile::BarrierOp>(op) && op.isBeforeInBlock(dots.front()); });
    int64_t rows = cast<RankedTensorType>(dots.front().getA().getType()).getDimSize(0);
    bool areTransposed = llvm::all_of(dots, [](tile::DotOp dot) { return dot.getTransposed(); });
    if (!isSeparated)
      createBarrier(b, rows, areTransposed);
    llvm::DenseMap<Value, Value> slots;
    if (failed(writeOperands(b, dots, 1, arith::ConstantIndexOp::create(b, 0), slots)))
      return failure();
    createBarrier(b, rows, areTransposed);
    return success();
  }

  /// Writes the operands that have no slot yet, and has the products read them there.
  LogicalResult writeOperands(ImplicitLocOpBuilder &b, MutableArrayRef<tile::DotOp> dots, int64_t places, Value place, llvm::DenseMap<Value, Value> &slots) {
    for (tile::DotOp dot : dots) {
      Value &slot = slots[dot.getA()];
      if (!slot) {
        tile::BufferType type = bufferFor(dot, places);
        if (!type)
          return failure();
        slot = tile::SlotOp::create(b, tile::SlotType::get(b.getContext(), type), bufferOf(dot, type), place);
        tile::WriteOp::create(b, cast<TypedValue<RankedTensorType>>(dot.getA()), cast<TypedValue<tile::SlotType>>(slot));
      }
      dot.getAMutable().assign(slot);
    }
    return success();
  }

  void runOnOperation() override {
    SmallVector<tile::DotOp> dots;
    getOperation()->walk([&](tile::DotOp dot) {
      if (isStaged(dot))
        dots.push_back(dot);
    });
    buffers.clear();
    numbers.clear();
    for (size_t first = 0, next; first < dots.size(); first = next) {
      for (next = first + 1; next < dots.size(); ++next)
        if (dots[next]->getBlock() != dots[first]->getBlock() || !isKnownBefore(dots[next].getA(), dots[first]))
          break;
      if (failed(stage(MutableArrayRef(dots).slice(first, next - first))))
        return signalPassFailure();
    }
  }

  llvm::DenseMap<mlir::Operation *, SmallVector<tile::AllocOp>> buffers; ///< of a kernel
  llvm::DenseMap<Block *, size_t> numbers;                               ///< operands of a block that have one
};

} // namespace
