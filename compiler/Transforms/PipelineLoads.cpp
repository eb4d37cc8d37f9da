// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads become asynchronous copies into rings of shared memory, some iterations ahead of their use:
//
//     barrier                                    nobody reads the ring's place any more
//     for s in 0 .. stages-2:   copy(lower + s * step) -> ring[s];   commit
//     for iv:                   wait(stages - 2);   barrier          this iteration's tile is there, the last one's is read
//                               copy(iv + (stages-1) * step) -> ring[(stage + stages - 1) % stages];   commit
//                               body, reading ring[stage]
//
// Where the kernel may wait for the one before it, and the copies need not, they begin in front of that wait.
#include "compiler/Transforms/DotUses.h"
#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/Reads.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILEPIPELINELOADS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// The ring for the tiles that `load` reads, or a diagnostic and none.
tile::BufferType bufferType(tile::LoadOp load, int64_t stages) {
  RankedTensorType type = load.getResult().getType();
  auto rows = tile::SwizzleAttr::get(type.getContext(), 0, 0, 0); // tile-assign-layouts chooses another
  return tile::BufferType::getChecked([&] { return load.emitOpError("cannot stand in shared memory: "); }, type.getContext(), stages,
                                      type.getShape(), type.getElementType(), rows);
}

tile::SlotType slotType(tile::BufferType type) { return tile::SlotType::get(type.getContext(), type); }

/// The loads of one loop, and what computes their addresses there.
struct LoopLoads {
  scf::ForOp loop;
  SmallVector<tile::LoadOp> loads;
  SmallVector<Operation *> addresses; // in the loop's body, in order
  SmallVector<tile::BufferType> ringTypes;
  SmallVector<Value> rings;
  tile::GridWaitOp wait; // before which the first copies begin, or null

  /// Finds a wait for the kernel before this one that stands before the loop, and that the loop's first copies need not wait behind: all they read is early, all they
  /// need to know is known there.
  void findWait() {
    for (auto candidate : loop->getBlock()->getOps<tile::GridWaitOp>())
      if (candidate->isBeforeInBlock(loop))
        wait = candidate;
    auto isKnown = [&](Value value) {
      Operation *op = value.getDefiningOp();
      bool isInside = op ? op->getParentOp() == loop : value == loop.getInductionVar();
      return isInside || !op || op->getBlock() != loop->getBlock() || op->isBeforeInBlock(wait);
    };
    auto isEarly = [&](Value view) { return llvm::is_contained(wait.getEarly(), view); };
    auto mayBegin = [&](Operation *op) {
      auto load = dyn_cast<tile::LoadOp>(op);
      auto read = dyn_cast<memref::LoadOp>(op);
      return llvm::all_of(op->getOperands(), isKnown) && (!load || isEarly(load.getView())) && (!read || isEarly(read.getMemRef()));
    };
    if (wait && !(llvm::all_of(addresses, mayBegin) && llvm::all_of(loads, mayBegin) && isKnown(loop.getLowerBound()) && isKnown(loop.getUpperBound()) && isKnown(loop.getStep())))
      wait = nullptr;
  }

  LogicalResult collect(int64_t stages) {
    llvm::SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.filter = [&](Operation *op) { return op->getBlock() == loop.getBody(); };
    for (tile::LoadOp load : loop.getBody()->getOps<tile::LoadOp>()) {
      if (staysInRegisters(load))
        continue;
      loads.push_back(load);
      ringTypes.push_back(bufferType(load, stages));
      if (!ringTypes.back())
        return failure();
      if (failed(getBackwardSlice(load.getOperation(), &slice, options)))
        return load.emitOpError("has an address that cannot be computed ahead");
    }
    for (Operation &op : *loop.getBody()) {
      if (!slice.contains(&op))
        continue;
      if (!isTimeless(&op, loop) || llvm::any_of(op.getOperands(), [&](Value v) { return llvm::is_contained(loop.getRegionIterArgs(), v); }))
        return op.emitOpError("computes the address of a load from what only its iteration knows");
      addresses.push_back(&op);
    }
    return success();
  }

  /// Copies the tiles of iteration `iv` into `stage`, if there is such an iteration, and closes the group.
  void copyAhead(ImplicitLocOpBuilder &b, Value iv, Value stage) {
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iv, loop.getUpperBound());
    scf::IfOp::create(b, exists, [&](OpBuilder &builder, Location loc) {
      IRMapping mapping;
      mapping.map(loop.getInductionVar(), iv);
      for (Operation *op : addresses)
        builder.clone(*op, mapping);
      for (auto [load, ring] : llvm::zip(loads, rings)) {
        auto at = [&](Value value) { return value ? mapping.lookupOrDefault(value) : Value(); };
        tile::CopyOp::create(builder, load.getLoc(), load.getView(), at(load.getBatch()), at(load.getHead()), at(load.getRow()),
                             at(load.getStride()), at(load.getCount()), at(load.getLow()), at(load.getHigh()), ring, stage);
      }
      scf::YieldOp::create(builder, loc);
    });
    tile::CommitOp::create(b);
  }
};

Value constantIndex(ImplicitLocOpBuilder &b, int64_t value) { return arith::ConstantIndexOp::create(b, value); }

/// The stage `distance` further on in a ring of `stages`; both numbers are below `stages`.
Value advance(ImplicitLocOpBuilder &b, Value stage, int64_t distance, int64_t stages) {
  Value moved = arith::AddIOp::create(b, stage, constantIndex(b, distance));
  Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, moved, constantIndex(b, stages));
  return arith::SelectOp::create(b, wraps, arith::SubIOp::create(b, moved, constantIndex(b, stages)), moved);
}

/// Adds the ring's stage as a value that the loop carries; returns the new loop.
scf::ForOp carryStage(LoopLoads &work, int64_t stages) {
  IRRewriter rewriter(work.loop.getContext());
  ImplicitLocOpBuilder b(work.loop.getLoc(), work.loop);
  Value first = constantIndex(b, 0);
  auto yieldNext = [&](OpBuilder &builder, Location loc, ArrayRef<BlockArgument> carried) -> SmallVector<Value> {
    ImplicitLocOpBuilder body(loc, builder);
    return {advance(body, carried.front(), 1, stages)};
  };
  rewriter.setInsertionPoint(work.loop);
  auto replaced = work.loop.replaceWithAdditionalYields(rewriter, first, /*replaceInitOperandUsesInLoop=*/false, yieldNext);
  return cast<scf::ForOp>(*replaced);
}

void pipeline(LoopLoads &work, int64_t stages) {
  Operation *start = work.wait ? work.wait.getOperation() : work.loop.getOperation();
  ImplicitLocOpBuilder b(work.loop.getLoc(), start);
  for (tile::BufferType type : work.ringTypes)
    work.rings.push_back(tile::AllocOp::create(b, type, IntegerAttr()));
  gpu::BarrierOp::create(b);
  Value ahead = work.loop.getLowerBound();
  for (int64_t stage = 0; stage < stages - 1; ++stage) {
    work.copyAhead(b, ahead, constantIndex(b, stage));
    ahead = arith::AddIOp::create(b, ahead, work.loop.getStep());
  }
  b.setInsertionPoint(work.loop);
  Value distance = arith::MulIOp::create(b, work.loop.getStep(), constantIndex(b, stages - 1));

  work.loop = carryStage(work, stages);
  b.setInsertionPointToStart(work.loop.getBody());
  Value stage = work.loop.getRegionIterArgs().back();
  if (stages > 1)
    tile::WaitOp::create(b, stages - 2);
  gpu::BarrierOp::create(b);
  work.copyAhead(b, arith::AddIOp::create(b, work.loop.getInductionVar(), distance), advance(b, stage, stages - 1, stages));
  if (stages == 1) {
    tile::WaitOp::create(b, 0);
    gpu::BarrierOp::create(b);
  }
  SmallVector<Value> slots; // all before a load goes, which may be the operation that they stand before
  for (Value ring : work.rings)
    slots.push_back(tile::SlotOp::create(b, slotType(cast<tile::BufferType>(ring.getType())), ring, stage));
  for (auto [load, slot] : llvm::zip(work.loads, slots)) {
    load.replaceAllUsesWith(slot);
    load.erase();
  }
}

struct PipelineLoads : landmark::impl::TilePipelineLoadsBase<PipelineLoads> {
  using Base::Base;

  /// Whether a load is used in pipelined loops alone, whose waits for copies cover those before them.
  static bool isCovered(tile::LoadOp load, ArrayRef<LoopLoads> loops) {
    return llvm::all_of(load->getUsers(), [&](Operation *user) {
      return llvm::any_of(loops, [&](const LoopLoads &work) {
        scf::ForOp loop = work.loop;
        bool comesFirst = !work.wait || load->isBeforeInBlock(work.wait); // copies of the loop's own may be older, and wait for less
        return user->getParentOp() == loop && loop->getBlock() == load->getBlock() && load->isBeforeInBlock(loop) && comesFirst;
      });
    });
  }

  /// A load outside of loops: copied, waited for, and kept in registers where it is small.
  LogicalResult makeResident(tile::LoadOp load, ArrayRef<LoopLoads> loops) {
    tile::BufferType place = bufferType(load, 1);
    if (!place)
      return failure();
    ImplicitLocOpBuilder b(load.getLoc(), load);
    auto type = load.getResult().getType();
    Value zero = constantIndex(b, 0);
    Value buffer = tile::AllocOp::create(b, place, IntegerAttr());
    tile::CopyOp::create(b, load.getView(), load.getBatch(), load.getHead(), load.getRow(), load.getStride(), load.getCount(), load.getLow(), load.getHigh(),
                         buffer, zero);
    tile::CommitOp::create(b);
    int64_t bits = type.getElementType().getIntOrFloatBitWidth();
    bool isLeft = llvm::all_of(load->getUses(), [](OpOperand &use) { return isa<tile::DotOp>(use.getOwner()) && use.getOperandNumber() == 0; });
    bool goesToRegisters = isLeft && bits == 16 && type.getNumElements() * bits / 32 / (32 * warps) <= maxResidentRegisters;
    if (goesToRegisters || !isCovered(load, loops)) {
      tile::WaitOp::create(b, 0);
      gpu::BarrierOp::create(b);
    }
    Value value = tile::SlotOp::create(b, slotType(cast<tile::BufferType>(buffer.getType())), buffer, zero);
    if (goesToRegisters)
      value = tile::ReadOp::create(b, type, value);
    load.replaceAllUsesWith(value);
    load.erase();
    return success();
  }

  /// A rotation of what now stands in shared memory: into a place of its own there.
  static LogicalResult makeResident(tile::RotateOp rotate) {
    auto source = dyn_cast<TypedValue<tile::SlotType>>(rotate.getSource());
    if (!source)
      return rotate.emitOpError("turns what a load brings");
    ImplicitLocOpBuilder b(rotate.getLoc(), rotate);
    auto place = tile::BufferType::get(b.getContext(), 1, source.getType().getBuffer().getShape(), source.getType().getBuffer().getElementType(),
                                       source.getType().getBuffer().getSwizzle());
    Value buffer = tile::AllocOp::create(b, place, IntegerAttr());
    auto target = tile::SlotOp::create(b, slotType(place), buffer, constantIndex(b, 0));
    tile::RotateRowsOp::create(b, source, target.getResult(), rotate.getFirst(), rotate.getStep(), rotate.getLow(), rotate.getFrequencies(), rotate.getHalf());
    gpu::BarrierOp::create(b);
    rotate.replaceAllUsesWith(target.getResult());
    rotate.erase();
    return success();
  }

  void runOnOperation() override {
    if (stages < 1 || stages > 8 || warps < 1 || warps > 32) {
      getOperation()->emitError("tile-pipeline-loads takes 1 to 8 stages and 1 to 32 warps");
      return signalPassFailure();
    }
    SmallVector<tile::LoadOp> all, outside;
    getOperation()->walk([&](tile::LoadOp load) { all.push_back(load); });
    llvm::for_each(all, separateUses);
    SmallVector<LoopLoads, 0> loops;
    WalkResult result = getOperation()->walk([&](tile::LoadOp load) {
      if (staysInRegisters(load))
        return WalkResult::advance();
      auto loop = dyn_cast<scf::ForOp>(load->getParentOp());
      if (!loop && !isa<gpu::GPUFuncOp>(load->getParentOp())) {
        load.emitOpError("must stand directly in a loop or in the kernel");
        return WalkResult::interrupt();
      }
      if (!loop)
        outside.push_back(load);
      else if (llvm::none_of(loops, [&](LoopLoads &other) { return other.loop == loop; }))
        loops.push_back({loop, {}, {}, {}, {}, {}});
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (LoopLoads &work : loops)
      if (failed(work.collect(stages)))
        return signalPassFailure();
    for (LoopLoads &work : loops) {
      work.findWait();
      pipeline(work, stages);
    }
    for (tile::LoadOp load : outside)
      if (failed(makeResident(load, loops)))
        return signalPassFailure();
    SmallVector<tile::RotateOp> rotations;
    getOperation()->walk([&](tile::RotateOp rotate) { rotations.push_back(rotate); });
    for (tile::RotateOp rotate : rotations)
      if (failed(makeResident(rotate)))
        return signalPassFailure();
  }
};

} // namespace
