// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations of a schedule in which warps of their own bring tiles into rings and others compute with them, part of TileOps.td.
#ifndef LANDMARK_DIALECTS_TILE_RINGOPS
#define LANDMARK_DIALECTS_TILE_RINGOPS

//===-- Producer and consumers (scheduled form) -----------------------------------------------------------------------===//

def Tile_AllocBarriersOp : Tile_Op<"alloc_barriers", [MemoryEffects<[MemAlloc]>]> {
  let summary = "the barriers of a ring, in shared memory";
  let description = [{
    `offset` as for `tile.alloc`.

    Example: `%barriers = tile.alloc_barriers {offset = 0 : i64} : !tile.barriers<2>`
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_BarriersType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_InitBarriersOp : Tile_Op<"init_barriers", [MemoryEffects<[MemWrite]>]> {
  let summary = "make the barriers of a ring whose stages are empty, which `producers` warps write and `consumers` warps read";
  let description = [{
    For one thread. The others know of it after a barrier of the thread block. Follows PTX ISA, "mbarrier.init".

    Example: `tile.init_barriers %barriers consumers 8 : !tile.barriers<2>`
  }];
  let arguments = (ins Tile_BarriersType:$barriers, DefaultValuedOptionalAttr<I64Attr, "1">:$producers, I64Attr:$consumers);
  let assemblyFormat = "$barriers (`producers` $producers^)? `consumers` $consumers attr-dict `:` type($barriers)";
  let hasVerifier = 1;
}

def Tile_ClearOp : Tile_Op<"clear", [MemoryEffects<[MemWrite]>]> {
  let summary = "zero the rows of a ring's tiles that no copy writes";
  let description = [{
    Of every run of `every` rows, in all stages, those from `from` on. For all threads of the block.

    Example: `tile.clear %ring from 63 every 64 : !tile.buffer<...>`
  }];
  let arguments = (ins Tile_BufferType:$buffer, I64Attr:$from, I64Attr:$every);
  let assemblyFormat = "$buffer `from` $from `every` $every attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

def Tile_AcquireOp : Tile_Op<"acquire", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until the stage of a turn is empty";
  let description = [{
    Follows PTX ISA, "mbarrier.try_wait".

    Example: `tile.acquire %barriers[%turn] : !tile.barriers<2>`
  }];
  let arguments = (ins Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = "$barriers `[` $turn `]` attr-dict `:` type($barriers)";
}

def Tile_FetchOp : Tile_Op<"fetch", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start copying boxes of rows into a slot, and say when they are there";
  let description = [{
    For one thread. The slot's rows are cut into `boxes` equal parts; part `i` receives `box_rows` rows of the tensor map, from its row `row + i * apart` on, and keeps its
    other rows. Rows that the map does not have read as zero. When all is there, the stage of `turn` is full. Follows PTX ISA, "cp.async.bulk.tensor".

    Example: `tile.fetch %map[%batch, %head, %row] boxes 2 of 63 apart 64 to %slot full %barriers[%turn] : !tile.slot<...>, !tile.barriers<2>`
  }];
  let arguments = (ins LLVM_AnyPointer:$map, Index:$batch, Index:$head, Index:$row, I64Attr:$boxes, I64Attr:$box_rows, I64Attr:$apart,
                       Tile_SlotType:$slot, Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = [{
    $map `[` $batch `,` $head `,` $row `]` `boxes` $boxes `of` $box_rows `apart` $apart `to` $slot `full` $barriers `[` $turn `]` attr-dict
    `:` type($map) `,` type($slot) `,` type($barriers)
  }];
  let hasVerifier = 1;
}

def Tile_FetchRowsOp : Tile_Op<"fetch_rows", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start copying one number for each row of a tile into a slot";
  let description = [{
    For one thread. The slot is one row of as many numbers, all of which the view has. What is copied counts towards the stage of `turn`, which a `tile.fetch` behind
    completes. The first row is a multiple of 16. Follows PTX ISA, "cp.async.bulk".

    Example: `tile.fetch_rows %ROW_LSE[%batch, %head, %row] to %slot full %barriers[%turn] : memref<?x?x?xf32, strided<[?, ?, 1]>>, !tile.slot<...>, !tile.barriers<2>`
  }];
  let arguments = (ins MemRefRankOf<[F32], [3]>:$view, Index:$batch, Index:$head, Index:$row, Tile_SlotType:$slot, Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = [{
    $view `[` $batch `,` $head `,` $row `]` `to` $slot `full` $barriers `[` $turn `]` attr-dict `:` type($view) `,` type($slot) `,` type($barriers)
  }];
  let hasVerifier = 1;
}

def Tile_BulkStoreOp : Tile_Op<"bulk_store", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start copying a group's rows of a slot to global memory";
  let description = [{
    Groups of four warps share the rows of a slot, 64 each; a group copies its own to the tensor map's rows from `row` + 64 g on, where the map has them. They were written, and fenced, before a
    barrier of the group. One thread of it issues the copies, so all come here. Follows PTX ISA, "cp.async.bulk.tensor".

    Example: `tile.bulk_store %slot to %map[%batch, %head, %row] : !tile.slot<...>, !llvm.ptr`
  }];
  let arguments = (ins Tile_SlotType:$slot, LLVM_AnyPointer:$map, Index:$batch, Index:$head, Index:$row);
  let assemblyFormat = "$slot `to` $map `[` $batch `,` $head `,` $row `]` attr-dict `:` type($slot) `,` type($map)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t groupRows = 64;
  }];
}

def Tile_BulkWaitOp : Tile_Op<"bulk_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until what this thread's bulk stores copy has been read";
  let description = [{
    A group's slot may be written again behind this and a barrier of the group. Follows PTX ISA, "cp.async.bulk.wait_group".

    Example: `tile.bulk_wait`
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_AwaitOp : Tile_Op<"await", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until the stage of a turn is full";
  let description = [{
    Follows PTX ISA, "mbarrier.try_wait".

    Example: `tile.await %barriers[%turn] : !tile.barriers<2>`
  }];
  let arguments = (ins Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = "$barriers `[` $turn `]` attr-dict `:` type($barriers)";
}

def Tile_PollOp : Tile_Op<"poll", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "whether the stage of a turn is full, without a wait";
  let description = [{
    Where it is, what follows may read it, as behind `tile.await`. Follows PTX ISA, "mbarrier.test_wait".

    Example: `%full = tile.poll %barriers[%turn] : !tile.barriers<2>`
  }];
  let arguments = (ins Tile_BarriersType:$barriers, I32:$turn);
  let results = (outs I1:$full);
  let assemblyFormat = "$barriers `[` $turn `]` attr-dict `:` type($barriers)";
}

def Tile_ReleaseOp : Tile_Op<"release", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "say that this warp reads the stage of a turn no more";
  let description = [{
    Its first lane says so, or each for itself (`!tile.barriers<2, lanes = 32>`). Follows PTX ISA, "mbarrier.arrive".

    Example: `tile.release %barriers[%turn] : !tile.barriers<2>`
  }];
  let arguments = (ins Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = "$barriers `[` $turn `]` attr-dict `:` type($barriers)";
}

def Tile_PublishOp : Tile_Op<"publish", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "say that this warp's part of the stage of a turn is written";
  let description = [{
    When all warps that produce have come here the stage is full. Who has products or copies read it, past the ordinary path, waits and puts a `tile.fence` before them. Follows PTX ISA, "mbarrier.arrive".

    Example: `tile.publish %barriers[%turn] : !tile.barriers<2>`
  }];
  let arguments = (ins Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = "$barriers `[` $turn `]` attr-dict `:` type($barriers)";
}

def Tile_HandOverOp : Tile_Op<"hand_over", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "write a tile of rows to the slot of a turn once it is empty, and say that this warp's part is there";
  let description = [{
    For all warps that produce. The slot holds the tile in the order of `tile.write_fragments`. When all warps have come here the stage of `turn` is full. Who copies it past the ordinary path
    of loads and stores puts a `tile.fence` before that.

    Example: `tile.hand_over %dq to %slot full %barriers[%turn] : tensor<64x128xf32>, !tile.slot<...>, !tile.barriers<1>`
  }];
  let arguments = (ins Tile_Tile:$value, Tile_SlotType:$slot, Tile_BarriersType:$barriers, I32:$turn);
  let assemblyFormat = "$value `to` $slot `full` $barriers `[` $turn `]` attr-dict `:` type($value) `,` type($slot) `,` type($barriers)";
  let hasVerifier = 1;
}

def Tile_AddFragmentsOp : Tile_Op<"add_fragments", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start adding a slot's rows to those of a view of fragments";
  let description = [{
    For one thread. The slot was written by `tile.hand_over`, and a `tile.fence` stands before; rows that the view has not are left out. As with `tile.write_fragments add` the order of additions is open. Follows PTX ISA,
    "cp.reduce.async.bulk".

    Example: `tile.add_fragments %slot, %SUM[%batch, %head, %row] : !tile.slot<...>, memref<?x?x?x128xf32, strided<[?, ?, 128, 1]>>`
  }];
  let arguments = (ins Tile_SlotType:$slot, MemRefRankOf<[F32], [4]>:$view, Index:$batch, Index:$head, Index:$row);
  let assemblyFormat = "$slot `,` $view `[` $batch `,` $head `,` $row `]` attr-dict `:` type($slot) `,` type($view)";
  let hasVerifier = 1;
}

def Tile_BarrierOp : Tile_Op<"barrier", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until all warps of this warp's group have come here";
  let description = [{
    Groups are of `warps` warps, counted from warp 0. What a warp of the group wrote to shared memory before, the others see behind it. Follows PTX ISA, "barrier": number
    8 + g is that of group g.

    Example: `tile.barrier of 4`
  }];
  let arguments = (ins I64Attr:$warps);
  let assemblyFormat = "`of` $warps attr-dict";
  let hasVerifier = 1;
}

class Tile_TurnOp<string mnemonic> : Tile_Op<mnemonic, [MemoryEffects<[MemRead, MemWrite]>]> {
  let arguments = (ins I64Attr:$groups);
  let assemblyFormat = "`of` $groups attr-dict";
  let hasVerifier = 1;
}

def Tile_FirstTurnOp : Tile_TurnOp<"first_turn"> {
  let summary = "give group 0 the first turn";
  let description = [{
    Groups of four warps take turns in what stands between `tile.begin_turn` and `tile.end_turn`: 0, 1, .. `groups` - 1, 0, ... Each must take equally many. Once in a
    kernel, before the first of them. Follows PTX ISA, "barrier": number 1 + g is for the turn of group g.

    Example: `tile.first_turn of 2`
  }];
}

def Tile_BeginTurnOp : Tile_TurnOp<"begin_turn"> {
  let summary = "wait until it is the turn of this warp's group";
  let description = "See `tile.first_turn`. Example: `tile.begin_turn of 2`";
}

def Tile_EndTurnOp : Tile_TurnOp<"end_turn"> {
  let summary = "give the next group its turn";
  let description = "See `tile.first_turn`. Example: `tile.end_turn of 2`";
}

#endif
