// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_PASSES
#define LANDMARK_COMPILER_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def LandmarkBindTemplate : Pass<"landmark-bind-template", "::mlir::ModuleOp"> {
  let summary = "Replace a kernel request by its template, bound to the request";
  let description = [{
    Reads the template that serves the request (`forward.mlir` or `backward.mlir`, their `_long` variants where a block is longer than a key tile), supplies its type aliases
    and replaces every `tile.param` by its value. The template is the embedded one, or the file of that name in `template-dir`, or `template-file`.
  }];
  let options = [
    Option<"templateFile", "template-file", "std::string", /*default=*/"", "Template to use in place of the embedded one">,
    Option<"templateDir", "template-dir", "std::string", /*default=*/"", "Folder whose files replace embedded templates of the same name">
  ];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect", "::landmark::tile::TileDialect"];
}

def LandmarkExpandOps : Pass<"landmark-expand-ops"> {
  let summary = "Expand what templates say of landmark attention into tile, arith and math";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TilePeelEdges : Pass<"tile-peel-edges"> {
  let summary = "Split loops into an interior without masks and its edges";
  let description = [{
    A loop that asks `tile.edge` becomes two: one over the interior, where the answer is false, and one over what is left of the range on
    both sides, where it is true. The edge iterations run first.

    With `peel` off the loop stays one, in the same order, so that what it adds up has the same bits, and the question becomes a comparison. Where its answer chooses a mask,
    selections by that mask move into the branches, so that an iteration computes one of the masks and none is kept.
  }];
  let options = [Option<"peel", "peel", "bool", /*default=*/"true", "Split loops; otherwise branch in them">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileLoopPrograms : Pass<"tile-loop-programs"> {
  let summary = "Say which programs a thread block runs";
  let description = [{
    The one of the block's own number; or, with `programs` above 1, that many neighbours in turn in the first blocks and one in each of the others, such that a grid of
    anything from count / programs to count blocks runs all. What a program waits for at its end overlaps the next one's beginning; the device takes blocks in their order as it has
    room, so that programs numbered from the longest on, the last ones alone, balance its load.
  }];
  let options = [Option<"programs", "programs", "int64_t", /*default=*/"1", "Programs of a thread block at most">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect"];
}

def TileCarryDivisions : Pass<"tile-carry-divisions"> {
  let summary = "Count in a loop what it divides its number for";
  let description = [{
    Where a loop with step 1 takes quotient and remainder of its number (or of that and a number from outside) by a number from outside, both are carried from iteration to iteration, and the
    division is made once, for the first.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileSpecializeWarps : Pass<"tile-specialize-warps"> {
  let summary = "Let a warp of its own load the operands of dots";
  let description = [{
    A kernel becomes two programs, by warp: a producer that fetches tiles by tensor maps into rings of shared memory, and `consumers` warps that compute with them. Every stage
    of a ring has a full and an empty barrier. What a loop loads and multiplies goes through rings of `stages` stages, one ring for each view (more stages where its
    left operands have fewer rows than 16 a consumer; rings apart for tiles of which a product takes zeros in rows that no box writes); what is loaded before the loops stays for a program, and has stages of its own. A load that feeds no dot stays the consumers', into registers; one that feeds dots and others is made twice. The tensor maps
    become arguments of the kernels, all those of a module of each of its kernels, behind their own, and the attribute `tile.tensor_maps` says of what.

    What loops add to memory (`tile.write_fragments add`) is added by the `adder`: with `none` by the consumers themselves; with `warp` they hand it over through one place in shared memory to another warp, which has it added (`tile.add_fragments`); with
    `group` four more warps make it: a product of 64 rows whose right operand stays, and whose left one the consumers write to two places in turn. Rings of a kernel with an adder have `stages` stages, whatever their tiles.
  }];
  let options = [
    Option<"stages", "stages", "int64_t", /*default=*/"2", "Tiles of a ring">,
    Option<"consumers", "consumers", "int64_t", /*default=*/"8", "Warps that compute">,
    Option<"adder", "adder", "std::string", /*default=*/"\"none\"", "Who adds to memory what loops make: none, warp or group">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
                           "::landmark::tile::TileDialect"];
}

def TileStageStores : Pass<"tile-stage-stores", "::mlir::ModuleOp"> {
  let summary = "Store tiles through shared memory, by tensor maps";
  let description = [{
    In kernels that tile-specialize-warps made: 16-bit rows that are stored to all rows of a view are written to shared memory, and every group of four warps has its own copied from there, when
    they are written, whatever the other groups do. Their place is that of a tile of the same shape that a kernel loads once and needs no more; where a block runs several programs, one of their own, so
    that a copy under way holds up nothing. What else is stored stays as it is. The tensor maps become arguments behind the others.
  }];
  let options = [Option<"warps", "warps", "int64_t", /*default=*/"8", "Warps that compute">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::NVVM::NVVMDialect", "::landmark::tile::TileDialect"];
}

def TileOverlapLaunches : Pass<"tile-overlap-launches"> {
  let summary = "Say whether kernels wait for one another by themselves";
  let description = [{
    Keeps every `tile.grid_wait`, or, with `available` off, drops them: where a kernel begins only after the one before it has ended there is nothing to wait for.
  }];
  let options = [Option<"available", "available", "bool", /*default=*/"false", "The target launches kernels ahead">];
}

def TilePipelineLoads : Pass<"tile-pipeline-loads"> {
  let summary = "Turn loads of dot operands into rings of shared-memory stages";
  let description = [{
    A load in a loop becomes a ring of `stages` tiles, filled `stages - 1` iterations ahead by asynchronous copies; one barrier an iteration. A load
    outside of loops becomes one tile, read into registers where its fragments take at most `max-resident-registers` a thread; where it stays in shared memory and feeds
    such loops alone, their waits are its own. A load that feeds no dot stays a
    load into registers; one that feeds dots and others is made twice.
  }];
  let options = [
    Option<"stages", "stages", "int64_t", /*default=*/"2", "Tiles of a ring">,
    Option<"warps", "warps", "int64_t", /*default=*/"4", "Warps of a thread block">,
    Option<"maxResidentRegisters", "max-resident-registers", "int64_t", /*default=*/"32", "Registers a thread may spend on an operand that stays">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::gpu::GPUDialect", "::landmark::tile::TileDialect"];
}

def TileStageOperands : Pass<"tile-stage-operands"> {
  let summary = "Move left operands that are multiplied transposed into shared memory";
  let description = [{
    Products that follow one another share the barriers before and after the writes. In a kernel that tile-specialize-warps made, barriers are for the warps that
    write and read an operand. Beside an operand that is written to a ring the others have as many places, which take no barrier before the writes.
  }];
  let options = [Option<"warps", "warps", "int64_t", /*default=*/"4", "Warps that compute">,
                 Option<"specialized", "specialized", "bool", /*default=*/"false", "There is a producer, which takes no part in barriers">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::landmark::tile::TileDialect"];
}

def TileShareProducts : Pass<"tile-share-products"> {
  let summary = "Give every warp the logits that the others computed";
  let description = [{
    For schedules in which a warp has all rows, few as they are, and a slice of a product's columns: a product that is reduced along them, one of a transposed right operand,
    goes through shared memory, and each warp reads it whole. The other products stay in slices.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::landmark::tile::TileDialect"];
}

def TileRoundEarly : Pass<"tile-round-early"> {
  let summary = "Round to 16 bits before a row's number is multiplied in, not behind";
  let description = [{
    `round(e * f)`, with `f` one number a row and block, becomes `round(e) * round(f)` where a branch hands on `e`: half of the multiplications, as one instruction multiplies two numbers of 16 bits.
    `e` is rounded where it is computed, in front of the branch; or, where the branch's other side may multiply it in 32 bits, on the side that hands it on. Questions that only one side asks are asked there.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::landmark::tile::TileDialect"];
}

def TileChainSums : Pass<"tile-chain-sums"> {
  let summary = "Sum exponentials in the order in which they come";
  let description = [{
    The unit for special functions makes exponentials one after another. The sum of those whose exponents are logits scaled and moved in one, four chains otherwise, is a single one (`tile.reduce ... in_order`): a link is due where an
    exponential is made, in place of links that the assembler lets wait for one another, with the exponentials in registers. It is the order of a sum, and so its bits, that change: every tier of a kernel has it.
  }];
  let dependentDialects = ["::landmark::tile::TileDialect"];
}

def TileAssignLayouts : Pass<"tile-assign-layouts"> {
  let summary = "Give every tile the layout that its dots, reductions and broadcasts ask for";
  let description = [{
    Results of `tile.dot` are accumulators; roles of dimensions follow from there through elementwise operations, reductions, broadcasts and loops, in both
    directions. Constants, iotas and splats are made anew for each use, so that one may serve rows and columns.
  }];
  let options = [Option<"warps", "warps", "int64_t", /*default=*/"4", "Warps of a thread block">,
                 Option<"unit", "unit", "std::string", /*default=*/"\"mma\"", "Instruction that multiplies: mma or wgmma">,
                 Option<"slices", "slices", "bool", /*default=*/"false", "Every warp has all rows, and a part of a product's columns">,
                 Option<"deal", "deal", "bool", /*default=*/"false", "The lanes of a quad share out the numbers of rows and blocks, where those can be">];
}

def TileOverlapProducts : Pass<"tile-overlap-products"> {
  let summary = "Multiply the next tile's logits beside this tile's values";
  let description = [{
    Rotates loops of two `wgmma` products that tile-specialize-warps made: the second product of an iteration is begun together with the first one of the next, and runs
    under the softmax of that one. Other loops stay as they are.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TileLagFetches : Pass<"tile-lag-fetches"> {
  let summary = "Fetch what second products read behind what the next first ones read";
  let description = [{
    Where tile-overlap-products rotated a loop, the first product of the next iteration reads its operand before the second one of this iteration does. A producer that fetches in the order of the
    program would wait for a place for the second operand, and fetch the next first one late. So it fetches the second operand one iteration later, and the last one behind its loops. Loops that follow one another hand
    on what is left to fetch, if the first of them surely runs; others stay as they are.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TileAdvanceProducts : Pass<"tile-advance-products"> {
  let summary = "Begin a loop's products in another iteration, where they run under work";
  let description = [{
    In loops of five `wgmma` products that tile-specialize-warps made, the last three multiply weights that stand in shared memory: they are begun in the next iteration, among the first two, and
    what the third one adds to memory (`tile.hand_over`) is handed over there, before the second is begun. The last tile's are made behind the loops. Loops that follow one another hand them on.
    Other loops stay as they are; those of four, where other warps make the third and weights have two places, do as those of five.

    Without `postpones` the first product, whose left operand comes through a ring and whose right one stays, is begun behind the third one of the iteration before instead, and nothing else is
    moved. Where a thread's accumulators are more than 256 nothing is.
  }];
  let options = [Option<"postpones", "postpones", "bool", /*default=*/"true", "Products of weights are begun in the next iteration">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TileDeferWaits : Pass<"tile-defer-waits"> {
  let summary = "Wait for products where their results are used";
  let description = [{
    Every `wgmma` product in a loop is begun where it stands; its wait stands before the first use of its result, or at the end of the iteration, and what gives operands
    back in between follows the wait. So a product runs under the work on the one before it. A sum that a loop carries is waited for in the next iteration, behind the first
    product begun there. What reads weights that have several places is done before the barrier behind the iteration's own write.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TileAlternateGroups : Pass<"tile-alternate-groups"> {
  let summary = "Let groups of warps begin their products in turns";
  let description = [{
    In every loop that tile-overlap-products rotated, the products of one iteration are begun in a turn of the group's own: one group's products run under the softmax of
    another. Does nothing for a single group.
  }];
  let options = [Option<"warps", "warps", "int64_t", /*default=*/"8", "Warps that compute">];
  let dependentDialects = ["::landmark::tile::TileDialect"];
}

def TilePollEarly : Pass<"tile-poll-early"> {
  let summary = "Ask early whether what a loop waits for is there";
  let description = [{
    A wait for a stage takes the time of its answer, a hundred cycles, even where the stage is full long before. In loops that begin products, the question is asked where the iteration waits or begins
    products anyway, and the wait, where it stood, is for those who were told no:

        wait for S;   full = poll K;   work on S;   if not full: await K
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TileScaleLate : Pass<"tile-scale-late"> {
  let summary = "Scale a loop's weights behind the begin of its next first product";
  let description = [{
    In a loop that tile-overlap-products rotated, weights that are rounded before they are scaled (tile-round-early) are scaled at its end, for the next iteration, while nothing is multiplied for the
    group of warps. They are scaled behind the begin of that iteration's first product instead, in front of the second one, which reads them: the loop carries the weights and their factors.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::landmark::tile::TileDialect"];
}

def TileStaggerExponentials : Pass<"tile-stagger-exponentials"> {
  let summary = "Compute the exponents of a row's later parts when exponentials of its first one are under way";
  let description = [{
    Beside a product that is under way instructions take two to three cycles each, as it takes the registers' ports; an exponential takes the unit for special functions eight. The assembler, which counts one cycle an instruction,
    puts seven of the instructions that compute exponents between two exponentials, so that the unit waits. Powers of 2 that follow a product's logits beside another product become `tile.staggered_exp2` of so many `parts`, or half
    or a quarter of them where columns are no multiple of 8 times as many.
  }];
  let options = [Option<"parts", "parts", "int64_t", /*default=*/"2", "Parts of a row, a power of 2">];
  let dependentDialects = ["::landmark::tile::TileDialect"];
}

def TileKeepLeads : Pass<"tile-keep-leads"> {
  let summary = "Keep the first columns of a loop's left operand in registers";
  let description = [{
    A left operand that stays over a loop, queries, is read from shared memory again in each of its products. The first `columns` of it are read once in front of the loop instead, for a product that is begun in it and whose
    operand has more of them: a thread keeps a quarter of `columns` registers, and the matrix units read so much less from shared memory, which takes time and power.
  }];
  let options = [Option<"columns", "columns", "int64_t", /*default=*/"64", "Columns to keep, a multiple of 16">];
  let dependentDialects = ["::landmark::tile::TileDialect"];
}

def TileInsertFences : Pass<"tile-insert-fences"> {
  let summary = "Order copies into shared memory before the matrix units that read it";
  let description = [{
    `wgmma` reads shared memory past the ordinary path of loads and stores. Where a kernel multiplies by it, every wait for copies is followed by a fence, so that the
    barrier after it hands on what was copied, and every run of writes by one behind the barrier that hands it on.
  }];
}

def TileAllocateShared : Pass<"tile-allocate-shared"> {
  let summary = "Place the rings in shared memory";
  let description = [{
    Rings of loops that follow one another share their place; what is outside of loops keeps its own.
  }];
}

#endif
