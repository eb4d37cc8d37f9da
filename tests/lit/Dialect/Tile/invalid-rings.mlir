// RUN: landmark-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{a ring has barriers for 1 to 64 stages, got 0}}
func.func private @no_stages(!tile.barriers<0>)

// -----

// expected-error @below {{a stage is given back by 1 lane or all 32 of a warp, got 2}}
func.func private @some_lanes(!tile.barriers<3, lanes = 2>)

// -----

// expected-error @below {{a ring has barriers for 1 to 64 stages, got 65}}
func.func private @many_stages(!tile.barriers<65>)

// -----

// expected-error @below {{a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row}}
func.func private @map_argument() attributes {x = #tile.tensor_map<argument = -1, rows = 64, columns = 64, swizzle_bytes = 128, every = 1>}

// -----

// expected-error @below {{a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row}}
func.func private @map_no_rows() attributes {x = #tile.tensor_map<argument = 0, rows = 0, columns = 64, swizzle_bytes = 128, every = 1>}

// -----

// expected-error @below {{a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row}}
func.func private @map_many_rows() attributes {x = #tile.tensor_map<argument = 0, rows = 257, columns = 64, swizzle_bytes = 128, every = 1>}

// -----

// expected-error @below {{a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row}}
func.func private @map_no_columns() attributes {x = #tile.tensor_map<argument = 0, rows = 64, columns = 0, swizzle_bytes = 128, every = 1>}

// -----

// expected-error @below {{a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row}}
func.func private @map_many_columns() attributes {x = #tile.tensor_map<argument = 0, rows = 64, columns = 257, swizzle_bytes = 128, every = 1>}

// -----

// expected-error @below {{a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row}}
func.func private @map_every() attributes {x = #tile.tensor_map<argument = 0, rows = 64, columns = 64, swizzle_bytes = 128, every = 0>}

// -----

// expected-error @below {{a tensor map's order repeats every 32, 64 or 128 bytes, got 16}}
func.func private @map_order() attributes {x = #tile.tensor_map<argument = 0, rows = 64, columns = 64, swizzle_bytes = 16, every = 1>}

// -----

func.func @barriers_unaligned() {
  // expected-error @below {{offset must be a multiple of 16 below 2^31}}
  %barriers = tile.alloc_barriers {offset = 8 : i64} : !tile.barriers<1>
  return
}

// -----

func.func @barriers_negative() {
  // expected-error @below {{offset must be a multiple of 16 below 2^31}}
  %barriers = tile.alloc_barriers {offset = -16 : i64} : !tile.barriers<1>
  return
}

// -----

func.func @no_consumers(%barriers: !tile.barriers<1>) {
  // expected-error @below {{takes 1 to 32 consumers, got 0}}
  tile.init_barriers %barriers consumers 0 : !tile.barriers<1>
  return
}

// -----

func.func @many_consumers(%barriers: !tile.barriers<1>) {
  // expected-error @below {{takes 1 to 32 consumers, got 33}}
  tile.init_barriers %barriers consumers 33 : !tile.barriers<1>
  return
}

// -----

func.func @clear_no_runs(%ring: !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>) {
  // expected-error @below {{cuts the 64 rows of a tile into equal runs, got runs of 0}}
  tile.clear %ring from 0 every 0 : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
  return
}

// -----

func.func @clear_uneven_runs(%ring: !tile.buffer<1, [2, 48, 64], bf16, <bits = 3, shift = 0, panel = 8>>) {
  // expected-error @below {{cuts the 96 rows of a tile into equal runs, got runs of 64}}
  tile.clear %ring from 63 every 64 : !tile.buffer<1, [2, 48, 64], bf16, <bits = 3, shift = 0, panel = 8>>
  return
}

// -----

func.func @clear_nothing(%ring: !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>) {
  // expected-error @below {{clears from a row of a run on, 0 to 63, got 64}}
  tile.clear %ring from 64 every 64 : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
  return
}

// -----

func.func @clear_before(%ring: !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>) {
  // expected-error @below {{clears from a row of a run on, 0 to 63, got -1}}
  tile.clear %ring from -1 every 64 : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
  return
}

// -----

func.func @first_turn_alone() {
  // expected-error @below {{is for 2 to 8 groups of four warps, got 1}}
  tile.first_turn of 1
  return
}

// -----

func.func @begin_turn_alone() {
  // expected-error @below {{is for 2 to 8 groups of four warps, got 1}}
  tile.begin_turn of 1
  return
}

// -----

func.func @end_turn_of_many() {
  // expected-error @below {{is for 2 to 8 groups of four warps, got 9}}
  tile.end_turn of 9
  return
}

// -----

func.func @turn_of_nobody() {
  // expected-error @below {{is for 2 to 8 groups of four warps, got -1}}
  tile.begin_turn of -1
  return
}

// -----

!tile = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0>>
func.func @fetch_rows(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{fills panels, got a slot without}}
  tile.fetch %map[%i, %i, %i] boxes 1 of 64 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_no_boxes(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{cuts the 64 rows of a slot into equal parts, got 0}}
  tile.fetch %map[%i, %i, %i] boxes 0 of 64 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_uneven_boxes(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{cuts the 64 rows of a slot into equal parts, got 3}}
  tile.fetch %map[%i, %i, %i] boxes 3 of 16 apart 16 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_empty_boxes(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{takes boxes of 1 to 256 rows that fit their part of the slot, got 0}}
  tile.fetch %map[%i, %i, %i] boxes 1 of 0 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [512, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_large_boxes(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{takes boxes of 1 to 256 rows that fit their part of the slot, got 512}}
  tile.fetch %map[%i, %i, %i] boxes 1 of 512 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_past_a_part(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{takes boxes of 1 to 256 rows that fit their part of the slot, got 65}}
  tile.fetch %map[%i, %i, %i] boxes 2 of 65 apart 65 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [16, 4, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_small_parts(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{starts boxes on multiples of 8 rows}}
  tile.fetch %map[%i, %i, %i] boxes 16 of 3 apart 4 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!tile = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @fetch_barriers(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<3>, %turn: i32) {
  // expected-error @below {{needs as many barriers as the ring has stages}}
  tile.fetch %map[%i, %i, %i] boxes 1 of 64 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<3>
  return
}

// -----

// A slot may have fewer rows than its ring, and differ in nothing else; of the number of stages speaks invalid-memory.mlir.
!ring = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!tile = !tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @slot_rows(%ring: !ring, %i: index) {
  // expected-error @below {{result must be a slot of the ring, or of one that differs in having fewer rows}}
  %slot = tile.slot %ring[%i] : !ring -> !tile.slot<!tile>
  return
}

// -----

!ring = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!tile = !tile.buffer<2, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @slot_columns(%ring: !ring, %i: index) {
  // expected-error @below {{result must be a slot of the ring, or of one that differs in having fewer rows}}
  %slot = tile.slot %ring[%i] : !ring -> !tile.slot<!tile>
  return
}

// -----

!ring = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!tile = !tile.buffer<2, [64, 64], f16, <bits = 3, shift = 0, panel = 8>>
func.func @slot_element(%ring: !ring, %i: index) {
  // expected-error @below {{result must be a slot of the ring, or of one that differs in having fewer rows}}
  %slot = tile.slot %ring[%i] : !ring -> !tile.slot<!tile>
  return
}

// -----

!ring = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!tile = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0>>
func.func @slot_order(%ring: !ring, %i: index) {
  // expected-error @below {{result must be a slot of the ring, or of one that differs in having fewer rows}}
  %slot = tile.slot %ring[%i] : !ring -> !tile.slot<!tile>
  return
}

// -----

func.func @async_mma(%a: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{is asynchronous by wgmma only}}
  %s = tile.dot %a, %a transpose into %acc async : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_wait_many(%x: tensor<64x64xf32>) {
  // expected-error @below {{leaves 0 to 7 products under way, got 8}}
  %y = tile.dot_wait %x pending 8 : tensor<64x64xf32>
  return
}

// -----

func.func @dot_wait_negative(%x: tensor<64x64xf32>) {
  // expected-error @below {{leaves 0 to 7 products under way, got -1}}
  %y = tile.dot_wait %x pending -1 : tensor<64x64xf32>
  return
}

// -----

func.func @barrier_of_one() {
  // expected-error @below {{is for groups of 2 to 16 warps, got 1}}
  tile.barrier of 1
  return
}

// -----

func.func @reduce_split(%x: tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %m = tile.reduce max %x along [2] : tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>> -> tensor<128x2xf32, #tile.fragment<[row, block], 8>>
  return
}

// -----

!tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
func.func @bulk_store_rows(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>) {
  // expected-error @below {{copies panels, got a slot without}}
  tile.bulk_store %slot to %map[%i, %i, %i] : !tile.slot<!tile>, !llvm.ptr
  return
}

// -----

!tile = !tile.buffer<1, [96, 64], bf16, <bits = 3, shift = 0, panel = 8>>
func.func @bulk_store_part_of_a_group(%map: !llvm.ptr, %i: index, %slot: !tile.slot<!tile>) {
  // expected-error @below {{copies 64 rows for each group of four warps, got a slot of 96}}
  tile.bulk_store %slot to %map[%i, %i, %i] : !tile.slot<!tile>, !llvm.ptr
  return
}

// -----

func.func @all_of_numbers(%a: tensor<64x2xi32>) {
  // expected-error @below {{takes a tile of i1}}
  %s = tile.all %a : tensor<64x2xi32>
  return
}

// -----

!view = memref<?x?x?xf32, strided<[?, ?, 1]>>
!tile = !tile.buffer<2, [2, 64], f32, <bits = 0, shift = 0>>
func.func @fetch_rows_of_more_rows(%view: !view, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{fills a slot of one row of f32, a multiple of 16 of them}}
  tile.fetch_rows %view[%i, %i, %i] to %slot full %barriers[%turn] : !view, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!view = memref<?x?x?xf32, strided<[?, ?, 1]>>
!tile = !tile.buffer<2, [1, 24], f32, <bits = 0, shift = 0>>
func.func @fetch_rows_of_odd_length(%view: !view, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<2>, %turn: i32) {
  // expected-error @below {{fills a slot of one row of f32, a multiple of 16 of them}}
  tile.fetch_rows %view[%i, %i, %i] to %slot full %barriers[%turn] : !view, !tile.slot<!tile>, !tile.barriers<2>
  return
}

// -----

!view = memref<?x?x?xf32, strided<[?, ?, 1]>>
!tile = !tile.buffer<2, [1, 64], f32, <bits = 0, shift = 0>>
func.func @fetch_rows_barriers(%view: !view, %i: index, %slot: !tile.slot<!tile>, %barriers: !tile.barriers<3>, %turn: i32) {
  // expected-error @below {{needs as many barriers as the ring has stages}}
  tile.fetch_rows %view[%i, %i, %i] to %slot full %barriers[%turn] : !view, !tile.slot<!tile>, !tile.barriers<3>
  return
}

// -----

func.func @read_of_rows(%slot: !tile.slot<!tile.buffer<1, [1, 64], f32, <bits = 0, shift = 0>>>) {
  // expected-error @below {{of rows alone takes a slot of one row of f32, a number for each}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [1, 64], f32, <bits = 0, shift = 0>>> -> tensor<32xf32>
  return
}
