// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel's loads go to a warp of their own, the producer, which runs ahead of the warps that compute, the consumers, as far as rings of shared memory reach:
//
//     if producer:   for iv:   acquire ring[n];   fetch tile(iv) -> ring[n];      n = n + 1
//     else:          for iv:   await ring[n];     dot(..., ring[n]);   release ring[n];   n = n + 1
//
// Both sides run the same loops over the same turns n of every ring. The producer's side is what addresses and loop bounds are computed from, numbers read from
// memory among it; nothing else of the program is left in it. Numbers of a tile's rows that consumers have in registers are fetched with the tile. Loads of one view share a ring, whatever the shapes of their tiles, but for those whose products take zeros where no
// box writes.
//
// What the loops add to memory goes the other way, to another warp, which has the copy engine add it: an addition of the consumers' own would have every fence of theirs wait for it.
//
//     if adder:   for iv:   await sums[m];   add sums[m] -> memory;   release sums[m];   m = m + 1
//     else:       for iv:   hand over tile(iv) -> sums[m];   m = m + 1
//
// Or the product that is added goes with it, to four warps of their own: consumers that each have a part of its left operand wait for nobody who has the others.
//
//     if adder:   for iv:   await weights[m];   tile = dot weights[m], ...;   release weights[m];   add tile -> memory;   m = m + 1
//     else:       for iv:   acquire weights[m];   write ... -> weights[m];   publish weights[m];   m = m + 1
#include "compiler/Transforms/Boxes.h"
#include "compiler/Transforms/DotUses.h"
#include "compiler/Transforms/PackedRows.h"
#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/ProgramSlice.h"
#include "compiler/Transforms/Turns.h"
#include "dialects/Tile/Tile.h"
#include "landmark/Config.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace landmark {
#define GEN_PASS_DEF_TILESPECIALIZEWARPS
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

/// Shared memory that all loads of one view go through.
struct Ring {
  Value view;
  bool stays; ///< for a program: what is loaded before the loops that multiply it
  tile::BufferType type;
  bool isUniform = true; ///< all its tiles are alike
  bool hasAdder = false; ///< the adder reads it as well as the consumers
  Value buffer, barriers;
  Value rowView, rowPlace; ///< numbers of its tiles' rows, which are fetched with them
};

/// The tensor maps of all kernels of a module: they are launched with the same arguments.
using Maps = SmallVector<tile::TensorMapAttr>;

class Specializer {
public:
  Specializer(gpu::GPUFuncOp kernel, int64_t stages, int64_t consumers, Adder adder, Maps &maps)
      : kernel(kernel), stages(stages), consumers(consumers), adder(adder), maps(maps), ownArguments(kernel.getNumArguments()) {}

  LogicalResult run() {
    if (failed(collect()))
      return failure();
    if (rings.empty()) { // nothing to fetch: two blocks find room, so that one loads while another one stores
      kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), OpBuilder(kernel).getI32IntegerAttr(2));
      return success();
    }
    setBlockSize();
    Block &body = kernel.getBody().front();
    ImplicitLocOpBuilder b = ImplicitLocOpBuilder::atBlockBegin(kernel.getLoc(), &body);
    setUp(b);
    auto zero = arith::ConstantIntOp::create(b, 0, 32);
    SmallVector<Value> turns(rings.size() + 1, zero); // and that of sums
    threadTurns(body, turns, [this](mlir::Operation *op) { return ringNumber(op); }, turnOf);
    for (mlir::Operation *op = zero->getNextNode(); op != body.getTerminator(); op = op->getNextNode())
      program.insert(op);
    b.setInsertionPointAfter(zero);
    Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    Value isOther = compare(b, arith::CmpIPredicate::uge, thread, 32 * consumers);
    auto branch = scf::IfOp::create(b, isOther, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    if (failed(adder == Adder::Group ? emitAdderAndProducer(b, thread) : emitProducer(b, thread)))
      return failure();
    prefetchMaps();
    b.setInsertionPointToStart(branch.elseBlock());
    setRegisters(b, consumerRegisters(producerRegisters()));
    for (mlir::Operation *op : program)
      op->moveBefore(branch.elseBlock()->getTerminator());
    consume();
    // Who hands registers from warp to warp must say how many there are at entry; this bounds them. Without it the assembler drops setmaxnreg in some kernels.
    kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(1));
    return success();
  }

  /// The kernel's arguments for the tensor maps that there are.
  void addMaps() {
    MLIRContext *context = kernel.getContext();
    while (kernel.getNumArguments() < ownArguments + maps.size())
      (void)kernel.insertArgument(kernel.getNumArguments(), LLVM::LLVMPointerType::get(context), DictionaryAttr(), kernel.getLoc());
    kernel->setAttr(tile::tensorMapsName, ArrayAttr::get(context, SmallVector<Attribute>(maps.begin(), maps.end())));
  }

private:
  static constexpr int64_t groupThreads = 128; ///< setmaxnreg is for whole groups of four warps
  static constexpr int64_t groupRows = 64, weightPlaces = 2;

  static Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value value, int64_t with) {
    return arith::CmpIOp::create(b, predicate, value, arith::ConstantIndexOp::create(b, with));
  }

  int64_t groups() const { return consumers / 4 + (adder == Adder::Group) + 1; }
  /// What the block starts with is there to be handed out, in eights to a thread: 64 Ki, rounded down to eights as well.
  int64_t registersAtStart() const { return 65536 / (groupThreads * groups()) / 8 * 8; }
  /// Beside the accumulators of the product that is added.
  int64_t adderRegisters() const {
    if (products.empty())
      return 0;
    tile::DotOp product = products.front();
    return llvm::alignTo(product.getType().getNumElements() / groupThreads + 40, 8);
  }
  /// One that fetches rows with their tiles has more addresses at hand. It gets registers for them where consumers can spare some: beside a group of dq's own, and where it reads
  /// lists too; else what it spills costs less than theirs.
  int64_t producerRegisters() {
    constexpr int64_t few = 24, more = 40, consumersNeed = 200;
    auto readsLists = [&] { return kernel.walk([](memref::LoadOp) { return WalkResult::interrupt(); }).wasInterrupted(); };
    bool wantsMore = !rowsOf.empty() && (adder == Adder::Group || readsLists());
    if (wantsMore && consumerRegisters(more) >= consumersNeed)
      return more;
    int64_t left = registersAtStart() * groups() - adderRegisters() - consumerRegisters(few) * (consumers / 4);
    return std::min(more, left / 8 * 8); // what consumers cannot share
  }
  /// No thread has more than 240 here.
  int64_t consumerRegisters(int64_t producers) const {
    return std::min<int64_t>(240, (registersAtStart() * groups() - producers - adderRegisters()) / (consumers / 4) / 8 * 8);
  }
  /// One group of consumers has registers enough as it is.
  void setRegisters(ImplicitLocOpBuilder &b, int64_t count) {
    if (consumers >= 8)
      NVVM::SetMaxRegisterOp::create(b, count, count > registersAtStart() ? NVVM::SetMaxRegisterAction::increase : NVVM::SetMaxRegisterAction::decrease);
  }

  void setBlockSize() {
    kernel.setKnownBlockSizeAttr(DenseI32ArrayAttr::get(kernel.getContext(), {static_cast<int32_t>(groupThreads * groups()), 1, 1}));
  }

  LogicalResult collect() {
    kernel.walk([&](tile::WriteFragmentsOp write) {
      if (adder != Adder::None && write.getAdd() && write->getParentOfType<scf::ForOp>())
        additions.push_back(write);
    });
    SmallVector<tile::LoadOp> loads;
    kernel.walk([&](tile::LoadOp load) { loads.push_back(load); });
    llvm::for_each(loads, separateUses);
    if (failed(collectLoads()))
      return failure();
    collectRows();
    return adder == Adder::Group ? collectProducts() : success();
  }

  LogicalResult collectLoads() {
    return success(!kernel.walk([&](tile::LoadOp load) -> WalkResult {
                           if (!load->use_empty() && staysInRegisters(load))
                             return WalkResult::advance(); // the consumers load it into registers
                           if (!Boxes::of(load))
                             return load.emitOpError("cannot be fetched in boxes of at most 256 rows known at compile time");
                           auto argument = dyn_cast<BlockArgument>(load.getView());
                           if (!argument || argument.getOwner() != &kernel.getBody().front())
                             return load.emitOpError("can be fetched from the kernel's arguments only");
                           bool feedsLoops = llvm::none_of(load->getUsers(), [&](mlir::Operation *user) { return user->getBlock() == load->getBlock(); });
                           return join(load, load->getParentOp() == kernel || (feedsLoops && !load->use_empty()));
                         }).wasInterrupted());
  }

  /// Numbers of rows go with a tile of these that comes through a ring: the first with the first.
  void collectRows() {
    kernel.walk([&](tile::LoadOp load) {
      for (auto &[tile, number] : ringOf) {
        Ring &ring = rings[number];
        bool isFree = !ring.stays && !rowsOf.contains(tile) && (!ring.rowView || ring.rowView == load.getView());
        if (!isFree || !packed_rows::areOf(load, tile))
          continue;
        ring.rowView = load.getView();
        rowsOf[tile] = load;
        return;
      }
    });
  }

  /// The products that the adder makes: of what the consumers have in registers and a tile that stays.
  LogicalResult collectProducts() {
    for (tile::WriteFragmentsOp write : additions) {
      auto product = write.getValue().getDefiningOp<tile::DotOp>();
      bool isAlone = product && product->hasOneUse() && product->getBlock() == write->getBlock() && !product.getTranspose() && !product.getTransposed() &&
                     isa<RankedTensorType>(product.getA().getType()) && product.getAcc().getDefiningOp<arith::ConstantOp>() && product.getType().getDimSize(0) == groupRows;
      auto right = isAlone ? product.getB().getDefiningOp<tile::LoadOp>() : tile::LoadOp();
      if (!right || right->getParentOp() != kernel || !ringOf.contains(right))
        return write.emitOpError("adds what no group of four warps can make by itself: a product of ") << groupRows << " rows and of a tile that stays";
      bool isSecond = llvm::any_of(products, [&](tile::DotOp other) { return other->getBlock() == product->getBlock(); });
      if (isSecond)
        return write.emitOpError("is the second addition of a loop");
      rings[ringOf.lookup(right)].hasAdder = true;
      products.push_back(product);
    }
    return success();
  }

  /// How many tiles of the load there are in one of 16 rows a consumer: a left operand of fewer rows, which groups share, has more stages, where sums leave room for them.
  int64_t share(tile::LoadOp load) const {
    if (!additions.empty())
      return 1;
    bool isLeft = llvm::any_of(load->getUses(), [](OpOperand &use) { return use.getOperandNumber() == 0; });
    return isLeft ? std::max<int64_t>(1, 16 * consumers / load.getResult().getType().getDimSize(0)) : 1;
  }

  LogicalResult join(tile::LoadOp load, bool stays) {
    RankedTensorType tile = load.getResult().getType();
    if (tile.getElementTypeBitWidth() != 16 || tile.getShape().back() % 16 != 0)
      return load.emitOpError("can be fetched if its rows are of 16-bit elements, a multiple of 16 of them");
    auto type = tile::BufferType::inPanels(stays ? 1 : stages * share(load), tile.getShape(), tile.getElementType());
    auto *ring = llvm::find_if(rings, [&](Ring &ring) { return ring.view == load.getView() && ring.stays == stays && mayJoin(load, &ring - rings.begin()); });
    if (ring == rings.end()) {
      rings.push_back({load.getView(), stays, type, /*isUniform=*/true, /*hasAdder=*/false, Value(), Value()});
      ring = std::prev(rings.end());
    } else if (ring->type.getRows() < type.getRows()) {
      ring->type = type;
    }
    unsigned number = ring - rings.begin();
    for (auto &[other, itsRing] : ringOf)
      if (itsRing == number && !areAlike(load, other))
        ring->isUniform = false;
    ringOf.insert({load, number});
    return success();
  }

  /// A tile must not leave its rows where the product of another takes zeros.
  bool mayJoin(tile::LoadOp load, unsigned ring) {
    return llvm::none_of(ringOf, [&](auto &entry) {
      return entry.second == ring && !areAlike(load, entry.first) && (needsZeros(load) || needsZeros(entry.first));
    });
  }

  /// Rings, their barriers and what no fetch will write.
  void setUp(ImplicitLocOpBuilder &b) {
    for (Ring &ring : rings) {
      ring.buffer = tile::AllocOp::create(b, ring.type, IntegerAttr());
      ring.barriers = tile::AllocBarriersOp::create(b, tile::BarriersType::get(b.getContext(), ring.type.getStages(), lanes()), IntegerAttr());
    }
    for (auto &[tile, load] : rowsOf)
      if (Value &place = rings[ringOf.lookup(tile)].rowPlace; !place)
        place = tile::AllocOp::create(b, packed_rows::bufferFor(load, rings[ringOf.lookup(tile)].type.getStages()), IntegerAttr());
    if (!additions.empty())
      adder == Adder::Group ? setUpWeights(b) : setUpSums(b);
    Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    firstThread = scf::IfOp::create(b, compare(b, arith::CmpIPredicate::eq, thread, 0), [&](OpBuilder &builder, Location loc) {
      for (Ring &ring : rings)
        tile::InitBarriersOp::create(builder, loc, ring.barriers, 1, consumers + (ring.hasAdder ? 4 : 0));
      if (passedBarriers)
        tile::InitBarriersOp::create(builder, loc, passedBarriers, consumers, adder == Adder::Group ? 4 : 1);
      scf::YieldOp::create(builder, loc);
    });
    llvm::SmallDenseSet<unsigned> cleared;
    for (auto &[load, number] : ringOf) {
      if (hasGaps(load) && rings[number].isUniform && cleared.insert(number).second)
        tile::ClearOp::create(b, rings[number].buffer, Boxes::of(load)->rows, blockRows(load));
    }
    tile::FenceOp::create(b);
    gpu::BarrierOp::create(b);
  }

  /// What lanes read by themselves each gives back by itself, so that its reads come before the next copy by its own word (and racecheck sees it). Of two groups that is no slower than a
  /// word for each warp, of three it is.
  int64_t lanes() const { return consumers <= 8 ? tile::BarriersType::allLanes : 1; }

  /// One place for all additions: it is read long before the next is made.
  void setUpSums(ImplicitLocOpBuilder &b) {
    RankedTensorType tile = additions.front().getValue().getType();
    auto type = tile::BufferType::get(b.getContext(), 1, tile.getShape(), tile.getElementType(), tile::SwizzleAttr::get(b.getContext(), 0, 0, 0));
    Value buffer = tile::AllocOp::create(b, type, IntegerAttr());
    passedBarriers = tile::AllocBarriersOp::create(b, tile::BarriersType::get(b.getContext(), 1, 1), IntegerAttr());
    sums = tile::SlotOp::create(b, tile::SlotType::get(b.getContext(), type), buffer, arith::ConstantIndexOp::create(b, 0));
  }

  /// Two places for what the adder multiplies: the consumers write one while it reads the other.
  void setUpWeights(ImplicitLocOpBuilder &b) {
    auto tile = cast<RankedTensorType>(products.front().getA().getType());
    auto type = tile::BufferType::get(b.getContext(), weightPlaces, {tile.getDimSize(0), tile.getNumElements() / tile.getDimSize(0)}, tile.getElementType(),
                                      tile::SwizzleAttr::get(b.getContext(), 0, 0, 0)); // tile-assign-layouts chooses another
    weights = tile::AllocOp::create(b, type, IntegerAttr());
    passedBarriers = tile::AllocBarriersOp::create(b, tile::BarriersType::get(b.getContext(), weightPlaces, 1), IntegerAttr());
  }

  /// Brings the maps near while the producer still computes addresses: the first fetch would wait for its own.
  void prefetchMaps() {
    OpBuilder b = OpBuilder::atBlockBegin(firstThread.thenBlock());
    for (Value map : kernel.getArguments().drop_front(ownArguments))
      NVVM::PrefetchOp::create(b, kernel.getLoc(), NVVM::PrefetchCacheLevelAttr(), NVVM::CacheEvictionPriorityAttr(), map, /*predicate=*/Value(),
                               /*tensormap=*/true, /*uniform=*/false, /*in_param_space=*/false);
  }

  /// The ring that a load comes through, or, behind the last of those, what an addition goes through.
  std::optional<unsigned> ringNumber(mlir::Operation *op) const {
    if (auto load = dyn_cast<tile::LoadOp>(op); load && ringOf.contains(load))
      return ringOf.lookup(load);
    return llvm::is_contained(additions, op) ? std::optional<unsigned>(rings.size()) : std::nullopt;
  }

  //===-- Producer --------------------------------------------------------------------------------------------------===//

  LogicalResult emitProducer(ImplicitLocOpBuilder &b, Value thread) {
    int64_t first = groupThreads * (groups() - 1);
    setRegisters(b, producerRegisters());
    auto fetchLoad = [&](mlir::Operation *op, ImplicitLocOpBuilder &b, ProgramSlice &slice) { return fetch(cast<tile::LoadOp>(op), b, slice); };
    if (failed(emitWarp(b, compare(b, arith::CmpIPredicate::eq, thread, first), llvm::IsaPred<tile::LoadOp>, fetchLoad)))
      return failure();
    if (additions.empty() || adder != Adder::Warp)
      return success();
    auto addSums = [&](mlir::Operation *op, ImplicitLocOpBuilder &b, ProgramSlice &slice) { return add(cast<tile::WriteFragmentsOp>(op), b, slice); };
    return emitWarp(b, compare(b, arith::CmpIPredicate::eq, thread, first + 32), llvm::IsaPred<tile::WriteFragmentsOp>, addSums);
  }

  /// What one thread of a warp does.
  LogicalResult emitWarp(ImplicitLocOpBuilder &b, Value isThread, ProgramSlice::IsOwn isOwn, ProgramSlice::EmitOwn emitOwn) {
    auto one = scf::IfOp::create(b, isThread);
    ImplicitLocOpBuilder inner = ImplicitLocOpBuilder::atBlockBegin(kernel.getLoc(), one.thenBlock());
    return emitSlice(inner, isOwn, emitOwn);
  }

  /// The slice of the program that some of what goes through rings takes.
  LogicalResult emitSlice(ImplicitLocOpBuilder &b, ProgramSlice::IsOwn isOwn, ProgramSlice::EmitOwn emitOwn) {
    return ProgramSlice(kernel, program, [&](mlir::Operation *op) { return ringNumber(op) && isOwn(op); }, emitOwn).emit(b);
  }

  /// The four warps behind the consumers make products and add them, the four behind those are the producer's.
  LogicalResult emitAdderAndProducer(ImplicitLocOpBuilder &b, Value thread) {
    auto branch = scf::IfOp::create(b, compare(b, arith::CmpIPredicate::uge, thread, groupThreads * (groups() - 1)), /*withElseRegion=*/true);
    ImplicitLocOpBuilder producer = ImplicitLocOpBuilder::atBlockBegin(kernel.getLoc(), branch.thenBlock());
    if (failed(emitProducer(producer, thread)))
      return failure();
    ImplicitLocOpBuilder group = ImplicitLocOpBuilder::atBlockBegin(kernel.getLoc(), branch.elseBlock());
    setRegisters(group, adderRegisters());
    auto isPart = [&](mlir::Operation *op) { return isa<tile::WriteFragmentsOp>(op) || (isa<tile::LoadOp>(op) && rings[*ringNumber(op)].hasAdder); };
    SmallVector<tile::AwaitOp> awaited;
    auto emit = [&](mlir::Operation *op, ImplicitLocOpBuilder &b, ProgramSlice &slice) {
      if (auto write = dyn_cast<tile::WriteFragmentsOp>(op))
        return multiplyAndAdd(write, b, slice);
      auto load = cast<tile::LoadOp>(op);
      awaited.push_back(tile::AwaitOp::create(b, rings[ringOf.lookup(load)].barriers, turnOf.lookup(load)));
      slice.mapping().map(load.getResult(), slotOf(b, load, turnOf.lookup(load)));
      return success();
    };
    if (failed(emitSlice(group, isPart, emit)))
      return failure();
    for (tile::AwaitOp await : awaited)
      tile::ReleaseOp::create(group, await.getBarriers(), await.getTurn());
    return success();
  }

  LogicalResult fetch(tile::LoadOp load, ImplicitLocOpBuilder &b, ProgramSlice &slice) {
    for (Value operand : {Value(load.getBatch()), Value(load.getHead()), Value(load.getRow()), turnOf.lookup(load)})
      if (!slice.has(operand))
        return load.emitOpError("has an address that the producer cannot compute");
    auto at = [&](Value value) { return slice.at(value); };
    Boxes boxes = *Boxes::of(load);
    Ring &ring = rings[ringOf.lookup(load)];
    Value turn = at(turnOf.lookup(load)), row = at(load.getRow());
    if (boxes.every > 1)
      row = arith::DivUIOp::create(b, row, arith::ConstantIndexOp::create(b, boxes.every));
    tile::AcquireOp::create(b, ring.barriers, turn);
    if (tile::LoadOp rows = rowsOf.lookup(load))
      tile::FetchRowsOp::create(b, rows.getView(), at(load.getBatch()), at(load.getHead()), at(load.getRow()), rowSlot(b, ring, turn), ring.barriers, turn);
    Value slot = slotOf(b, load, turn);
    tile::FetchOp::create(b, tensorMap(load, boxes), at(load.getBatch()), at(load.getHead()), row, boxes.boxes, boxes.rows, boxes.apart, slot, ring.barriers,
                          turn);
    return success();
  }

  LogicalResult checkAddress(tile::WriteFragmentsOp write, const ProgramSlice &slice) {
    for (Value operand : {Value(write.getBatch()), Value(write.getHead()), Value(write.getRow()), turnOf.lookup(write)})
      if (!slice.has(operand))
        return write.emitOpError("has an address that the adder cannot compute");
    return success();
  }

  /// By four warps, of the weights that the consumers have written.
  LogicalResult multiplyAndAdd(tile::WriteFragmentsOp write, ImplicitLocOpBuilder &b, ProgramSlice &slice) {
    if (failed(checkAddress(write, slice)))
      return failure();
    auto product = write.getValue().getDefiningOp<tile::DotOp>();
    Value turn = slice.at(turnOf.lookup(write));
    tile::AwaitOp::create(b, passedBarriers, turn);
    tile::FenceOp::create(b);
    IRMapping operands = slice.mapping();
    operands.map(product.getA(), weightsOf(b, turn));
    operands.map(product.getAcc(), b.clone(*product.getAcc().getDefiningOp())->getResult(0));
    auto made = cast<tile::DotOp>(b.clone(*product, operands));
    made.setGroup(consumers / 4);
    tile::ReleaseOp::create(b, passedBarriers, turn);
    operands.map(product.getResult(), made.getResult());
    b.clone(*write, operands);
    return success();
  }

  LogicalResult add(tile::WriteFragmentsOp write, ImplicitLocOpBuilder &b, ProgramSlice &slice) {
    if (failed(checkAddress(write, slice)))
      return failure();
    auto at = [&](Value value) { return slice.at(value); };
    Value turn = at(turnOf.lookup(write));
    tile::AwaitOp::create(b, passedBarriers, turn);
    tile::FenceOp::create(b); // this thread's: the consumers' would hold all of them up
    tile::AddFragmentsOp::create(b, sums, write.getView(), at(write.getBatch()), at(write.getHead()), at(write.getRow()));
    tile::BulkWaitOp::create(b);
    tile::ReleaseOp::create(b, passedBarriers, turn);
    return success();
  }

  /// The slot that a load's turn goes through.
  Value slotOf(ImplicitLocOpBuilder &b, tile::LoadOp load, Value turn) {
    Ring &ring = rings[ringOf.lookup(load)];
    auto type = load.getResult().getType();
    return slotOf(b, ring.buffer, tile::BufferType::get(b.getContext(), ring.type.getStages(), type.getShape(), type.getElementType(), ring.type.getSwizzle()), turn);
  }
  /// The place of a turn's numbers of rows.
  Value rowSlot(ImplicitLocOpBuilder &b, const Ring &ring, Value turn) {
    Value place = ring.rowPlace;
    return slotOf(b, place, cast<tile::BufferType>(place.getType()), turn);
  }
  /// The slot of a turn of what the adder multiplies.
  Value weightsOf(ImplicitLocOpBuilder &b, Value turn) { return slotOf(b, weights, cast<tile::BufferType>(weights.getType()), turn); }

  static Value slotOf(ImplicitLocOpBuilder &b, Value buffer, tile::BufferType type, Value turn) {
    Value stage = arith::RemUIOp::create(b, turn, arith::ConstantIntOp::create(b, type.getStages(), 32));
    return tile::SlotOp::create(b, tile::SlotType::get(b.getContext(), type), buffer, arith::IndexCastOp::create(b, b.getIndexType(), stage));
  }

  /// The kernel's argument with the tensor map for the load's view and boxes, a new one if there is none yet.
  Value tensorMap(tile::LoadOp load, const Boxes &boxes) {
    tile::SwizzleAttr swizzle = rings[ringOf.lookup(load)].type.getSwizzle();
    MLIRContext *context = kernel.getContext();
    int64_t argument = cast<BlockArgument>(load.getView()).getArgNumber();
    int64_t panelBytes = 16 * swizzle.getPanel();
    auto map = tile::TensorMapAttr::get(context, argument, boxes.rows, panelBytes / 2, panelBytes, boxes.every);
    size_t number = llvm::find(maps, map) - maps.begin();
    if (number == maps.size())
      maps.push_back(map);
    addMaps();
    return kernel.getArgument(ownArguments + number);
  }

  //===-- Consumers -------------------------------------------------------------------------------------------------===//

  /// What is added is handed over, or the left operand of what the adder makes of it.
  void passOn(tile::WriteFragmentsOp write) {
    Value turn = turnOf.lookup(write);
    if (adder == Adder::Warp) {
      ImplicitLocOpBuilder b(write.getLoc(), write);
      tile::HandOverOp::create(b, write.getValue(), sums, passedBarriers, turn);
      write.erase();
      return;
    }
    auto product = write.getValue().getDefiningOp<tile::DotOp>();
    ImplicitLocOpBuilder b(product.getLoc(), product);
    tile::AcquireOp::create(b, passedBarriers, turn);
    tile::WriteOp::create(b, cast<TypedValue<RankedTensorType>>(product.getA()), cast<TypedValue<tile::SlotType>>(weightsOf(b, turn)));
    tile::PublishOp::create(b, passedBarriers, turn);
    write.erase();
    product.erase();
  }

  /// Loads become slots, waited for before their first use and given back after their last.
  void consume() {
    llvm::for_each(additions, [&](tile::WriteFragmentsOp write) { passOn(write); });
    for (auto &[load, number] : ringOf) {
      Ring &ring = rings[number];
      Block *block = load->getBlock();
      mlir::Operation *first = nullptr, *last = nullptr;
      for (mlir::Operation *user : load->getUsers()) {
        mlir::Operation *here = block->findAncestorOpInBlock(*user);
        first = !first || here->isBeforeInBlock(first) ? here : first;
        last = !last || last->isBeforeInBlock(here) ? here : last;
      }
      ImplicitLocOpBuilder b(load.getLoc(), first ? first : load.getOperation());
      tile::AwaitOp::create(b, ring.barriers, turnOf.lookup(load));
      if (tile::LoadOp rows = rowsOf.lookup(load)) {
        auto read = tile::ReadOp::create(b, rows.getResult().getType(), rowSlot(b, ring, turnOf.lookup(load)));
        rows.replaceAllUsesWith(read.getResult());
        rows.erase();
      }
      Value slot = slotOf(b, load, turnOf.lookup(load));
      if (last)
        b.setInsertionPointAfter(last);
      tile::ReleaseOp::create(b, ring.barriers, turnOf.lookup(load));
      load.replaceAllUsesWith(slot);
      load.erase();
    }
  }

  gpu::GPUFuncOp kernel;
  int64_t stages, consumers;
  Adder adder;
  SmallVector<Ring> rings;
  llvm::MapVector<tile::LoadOp, unsigned> ringOf;
  llvm::MapVector<tile::LoadOp, tile::LoadOp> rowsOf; ///< what is fetched with a tile
  SmallVector<tile::WriteFragmentsOp> additions; ///< by loops
  SmallVector<tile::DotOp> products;             ///< what the adder makes and adds
  Value sums, weights, passedBarriers;           ///< the place of sums, or the places of what the adder multiplies
  llvm::DenseMap<mlir::Operation *, Value> turnOf;
  llvm::SetVector<mlir::Operation *> program; ///< the kernel's operations but for the set-up
  Maps &maps;
  unsigned ownArguments;
  scf::IfOp firstThread; ///< what one thread sets up
};

struct SpecializeWarps : landmark::impl::TileSpecializeWarpsBase<SpecializeWarps> {
  using Base::Base;

  void runOnOperation() override {
    std::optional<Adder> whoAdds = parseAdder(adder.getValue());
    if (!whoAdds) {
      getOperation()->emitError("tile-specialize-warps: adder is none, warp or group, got '") << adder << "'";
      return signalPassFailure();
    }
    if (stages < 1 || stages > 8 || consumers < 4 || consumers > 16 || consumers % 4 != 0) {
      getOperation()->emitError("tile-specialize-warps takes 1 to 8 stages and 4, 8, 12 or 16 consumers");
      return signalPassFailure();
    }
    Maps maps;
    SmallVector<Specializer, 0> specializers;
    WalkResult result = getOperation()->walk([&](gpu::GPUFuncOp kernel) {
      specializers.emplace_back(kernel, stages, consumers, *whoAdds, maps);
      return WalkResult(specializers.back().run());
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (Specializer &specializer : specializers)
      specializer.addMaps();
  }
};

} // namespace
