// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

namespace landmark {
#define GEN_PASS_DEF_TILEALLOCATESHARED
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Something in shared memory, the stretch of the kernel's top-level operations in which it is used, and its place.
struct Allocation {
  Operation *op;
  int64_t first, last;
  int64_t bytes, alignment;
  int64_t offset = 0;

  int64_t end() const { return offset + bytes; }
  bool livesWith(const Allocation &other) const { return first <= other.last && other.first <= last; }
};

/// Number of the top-level operation of `body` that holds `op`.
int64_t position(Operation *op, Block &body, const llvm::DenseMap<Operation *, int64_t> &order) {
  return order.lookup(body.findAncestorOpInBlock(*op));
}

/// The last use of a ring, of its slots included.
int64_t lastUse(Operation *op, Block &body, const llvm::DenseMap<Operation *, int64_t> &order) {
  int64_t last = position(op, body, order);
  for (Operation *user : op->getUsers()) {
    last = std::max(last, position(user, body, order));
    if (isa<tile::SlotOp>(user))
      for (Operation *reader : user->getUsers())
        last = std::max(last, position(reader, body, order));
  }
  return last;
}

/// First fit above what lives at the same time.
void place(Allocation &allocation, MutableArrayRef<Allocation> placed) {
  bool moved = true;
  while (moved) {
    moved = false;
    for (Allocation &other : placed)
      if (allocation.livesWith(other) && allocation.offset < other.end() && other.offset < allocation.end()) {
        allocation.offset = llvm::alignTo(other.end(), allocation.alignment);
        moved = true;
      }
  }
}

struct AllocateShared : landmark::impl::TileAllocateSharedBase<AllocateShared> {
  void allocate(gpu::GPUFuncOp kernel) {
    Block &body = kernel.getBody().front();
    llvm::DenseMap<Operation *, int64_t> order;
    for (auto [number, op] : llvm::enumerate(body))
      order[&op] = number;
    SmallVector<Allocation> allocations;
    auto add = [&](Operation *op, int64_t bytes, int64_t alignment) {
      allocations.push_back({op, position(op, body, order), lastUse(op, body, order), bytes, alignment});
    };
    // Panels of 128 bytes repeat every 8 rows, and matrix units count from there.
    kernel.walk([&](tile::AllocOp op) { add(op, op.getResult().getType().getBytes(), op.getResult().getType().getSwizzle().getPanel() ? 1024 : 128); });
    kernel.walk([&](tile::AllocBarriersOp op) { add(op, op.getResult().getType().getBytes(), 16); });
    // Other programs send whenever they are ready.
    auto blockSize = kernel.getKnownBlockSize();
    kernel.walk([&](tile::ClusterSumOp op) { allocations.push_back({op, 0, int64_t(order.size()), op.getSharedBytes(blockSize ? blockSize->front() : 0), 16}); });
    // Long-lived and large ones first, at the bottom: what follows shares the rest.
    llvm::stable_sort(allocations, [](const Allocation &a, const Allocation &b) {
      return std::pair(a.alignment, a.last - a.first) > std::pair(b.alignment, b.last - b.first);
    });
    for (size_t i = 0; i < allocations.size(); ++i) {
      place(allocations[i], MutableArrayRef(allocations).take_front(i));
      allocations[i].op->setAttr("offset", IntegerAttr::get(IntegerType::get(kernel.getContext(), 64), allocations[i].offset));
    }
    kernel.walk([&](tile::ClusterSumOp sum) { kernel.walk([&](tile::ClusterOpenOp open) { open.setOffset(sum.getOffset()); }); });
  }

  /// What the stretches below rest on: a kernel of one block, and rings that are used where they are named.
  static LogicalResult verifyUses(gpu::GPUFuncOp kernel) {
    if (!kernel.getBody().hasOneBlock())
      return kernel.emitOpError("must be structured to have its shared memory placed");
    return success(!kernel.walk([&](Operation *op) -> WalkResult {
                            if (isa<tile::ClusterSumOp>(op) && !kernel.getKnownBlockSize())
                              return op->emitOpError("stands in a kernel of unknown block size; run tile-assign-layouts");
                            for (Value value : op->getOperands())
                              if (isa<tile::BufferType>(value.getType()) && !(isa<tile::CopyOp, tile::SlotOp, tile::ClearOp>(op) && value.getDefiningOp<tile::AllocOp>()))
                                return op->emitOpError("uses a ring of shared memory in another way than tile.copy, tile.slot and tile.clear");
                            return WalkResult::advance();
                          }).wasInterrupted());
  }

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([&](gpu::GPUFuncOp kernel) -> WalkResult {
      if (failed(verifyUses(kernel)))
        return failure();
      allocate(kernel);
      return success();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
