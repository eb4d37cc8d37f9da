// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel with a producer stores goes through shared memory, and from there in boxes of a tensor map:
//
//     wait until the last copy from here has been read;   barrier of the group
//     write rows;   barrier of the group;   start copying them
//     ..
//     wait until the last copy has been read                                           at the kernel's end
//
// A group of four warps needs no other for it: its rows of the place are read and written by itself alone.
#include "compiler/Transforms/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILESTAGESTORES
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

constexpr int64_t groupWarps = 4;

struct StageStores : landmark::impl::TileStageStoresBase<StageStores> {
  using Base::Base;

  /// Rows that are stored as a map can: those of all groups, to a view that is an argument, as far as it has rows.
  bool isStaged(tile::StoreOp store) {
    auto type = store.getValue().getType();
    auto view = dyn_cast<BlockArgument>(store.getView());
    auto rows = store.getHigh().getDefiningOp<memref::DimOp>();
    return type.getRank() == 2 && type.getElementTypeBitWidth() == 16 && type.getDimSize(0) == 16 * warps && type.getDimSize(1) % 16 == 0 && !store.getTokens() &&
           view && view.getOwner()->getParentOp() == store->getParentOfType<gpu::GPUFuncOp>() && rows && rows.getSource() == view &&
           getConstantIntValue(rows.getIndex()) == 2 && store.getView().getType().getShape().back() == type.getDimSize(1);
  }

  static tile::BufferType placeFor(tile::StoreOp store) {
    auto type = store.getValue().getType();
    return tile::BufferType::inPanels(1, type.getShape(), type.getElementType());
  }

  /// Whether the kernel loads one tile into `ring`, and has used it when it comes to `store`.
  static bool isFree(tile::AllocOp ring, tile::StoreOp store) {
    return llvm::all_of(ring->getUsers(), [&](mlir::Operation *slot) {
      if (slot->getParentOfType<scf::ForOp>())
        return false;
      if (slot->getBlock() != store->getBlock())
        return true; // the producer's, which fills it before
      return llvm::all_of(slot->getUsers(), [&](mlir::Operation *user) {
        return store->getBlock()->findAncestorOpInBlock(*user)->isBeforeInBlock(store);
      });
    });
  }

  /// Where the rows are written: see the pass's description.
  static Value placeOf(tile::StoreOp store, ArrayRef<Value> taken) {
    auto kernel = store->getParentOfType<gpu::GPUFuncOp>();
    tile::BufferType type = placeFor(store);
    if (!store->getParentOfType<scf::ForOp>())
      for (auto ring : kernel.getBody().front().getOps<tile::AllocOp>())
        if (ring.getResult().getType() == type && !llvm::is_contained(taken, ring.getResult()) && isFree(ring, store))
          return ring;
    OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
    return tile::AllocOp::create(b, store.getLoc(), type, IntegerAttr());
  }

  /// Number of the map for a store among those of its module, a new one if there is none yet.
  static size_t mapNumber(tile::StoreOp store, SmallVectorImpl<Attribute> &maps) {
    tile::BufferType type = placeFor(store);
    int64_t panelBytes = 16 * type.getSwizzle().getPanel();
    auto map = tile::TensorMapAttr::get(store.getContext(), cast<BlockArgument>(store.getView()).getArgNumber(), tile::BulkStoreOp::groupRows, panelBytes / 2,
                                        panelBytes, 1);
    size_t number = llvm::find(maps, map) - maps.begin();
    if (number == maps.size())
      maps.push_back(map);
    return number;
  }

  static void stage(tile::StoreOp store, Value place, Value map) {
    ImplicitLocOpBuilder b(store.getLoc(), store);
    tile::BulkWaitOp::create(b);
    tile::BarrierOp::create(b, groupWarps);
    auto slot = tile::SlotOp::create(b, tile::SlotType::get(b.getContext(), placeFor(store)), place, arith::ConstantIndexOp::create(b, 0));
    tile::WriteOp::create(b, store.getValue(), slot);
    tile::BarrierOp::create(b, groupWarps);
    tile::BulkStoreOp::create(b, slot, map, store.getBatch(), store.getHead(), store.getRow());
    store.erase();
  }

  /// Brings a map near, as tile-specialize-warps does: a copy waits for its own, and the kernel's end for the copy.
  static void prefetch(gpu::GPUFuncOp kernel, Value map) {
    kernel.walk([&](tile::InitBarriersOp op) {
      OpBuilder b = OpBuilder::atBlockBegin(op->getBlock());
      NVVM::PrefetchOp::create(b, op.getLoc(), NVVM::PrefetchCacheLevelAttr(), NVVM::CacheEvictionPriorityAttr(), map, /*predicate=*/Value(),
                               /*tensormap=*/true, /*uniform=*/false, /*in_param_space=*/false);
      return WalkResult::interrupt();
    });
  }

  void runOnOperation() override {
    if (warps < groupWarps || warps % groupWarps != 0) {
      getOperation()->emitError("tile-stage-stores takes warps in groups of four, got ") << static_cast<int64_t>(warps);
      return signalPassFailure();
    }
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation()->walk([&](gpu::GPUFuncOp kernel) {
      if (kernel->hasAttr(tile::tensorMapsName))
        kernels.push_back(kernel);
    });
    if (kernels.empty())
      return;
    auto known = kernels.front()->getAttrOfType<ArrayAttr>(tile::tensorMapsName);
    SmallVector<Attribute> maps(known.begin(), known.end());
    SmallVector<std::pair<tile::StoreOp, size_t>> stores;
    getOperation()->walk([&](tile::StoreOp store) {
      if (llvm::is_contained(kernels, store->getParentOfType<gpu::GPUFuncOp>()) && isStaged(store))
        stores.push_back({store, mapNumber(store, maps)});
    });
    // All kernels of a module take all maps: they are launched with the same arguments.
    auto pointer = LLVM::LLVMPointerType::get(&getContext());
    llvm::DenseMap<mlir::Operation *, unsigned> firstMap;
    for (gpu::GPUFuncOp kernel : kernels) {
      firstMap[kernel] = kernel.getNumArguments() - known.size();
      for (size_t number = known.size(); number < maps.size(); ++number)
        (void)kernel.insertArgument(kernel.getNumArguments(), pointer, DictionaryAttr(), kernel.getLoc());
      kernel->setAttr(tile::tensorMapsName, ArrayAttr::get(&getContext(), maps));
    }
    SmallVector<Value> taken;
    llvm::SetVector<Block *> ends;
    for (auto [store, number] : stores) {
      auto kernel = store->getParentOfType<gpu::GPUFuncOp>();
      Value map = kernel.getArgument(firstMap.lookup(kernel) + number);
      prefetch(kernel, map);
      mlir::Operation *outermost = store;
      while (outermost->getParentOfType<scf::ForOp>())
        outermost = outermost->getParentOfType<scf::ForOp>();
      ends.insert(outermost->getBlock());
      taken.push_back(placeOf(store, taken));
      stage(store, taken.back(), map);
    }
    for (Block *end : ends) {
      OpBuilder b(end->getTerminator());
      tile::BulkWaitOp::create(b, end->getTerminator()->getLoc());
    }
  }
};

} // namespace
