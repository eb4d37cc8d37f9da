// RUN: landmark-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{roles of a fragment must be distinct and in the order row, block, column}}
func.func private @roles_repeated(tensor<64x64xf32, #tile.fragment<[row, row], 4>>)

// -----

// expected-error @below {{roles of a fragment must be distinct and in the order row, block, column}}
func.func private @roles_out_of_order(tensor<64x64xf32, #tile.fragment<[column, row], 4>>)

// -----

// expected-error @below {{expected row, block or column, got 'lane'}}
func.func private @role_unknown(tensor<64x64xf32, #tile.fragment<[row, lane], 4>>)

// -----

// expected-error @below {{a fragment is spread over 1 to 32 warps, got 0}}
func.func private @no_warps(tensor<64x64xf32, #tile.fragment<[row, column], 0>>)

// -----

// expected-error @below {{a fragment is spread over 1 to 32 warps, got 33}}
func.func private @many_warps(tensor<64x64xf32, #tile.fragment<[row, column], 33>>)

// -----

// expected-error @below {{bits and shift of a swizzle are not negative and at most 3 together, got bits = 4, shift = 0}}
func.func private @swizzle_bits() attributes {x = #tile.swizzle<bits = 4, shift = 0>}

// -----

// expected-error @below {{bits and shift of a swizzle are not negative and at most 3 together, got bits = 3, shift = -1}}
func.func private @swizzle_shift() attributes {x = #tile.swizzle<bits = 3, shift = -1>}

// -----

// expected-error @below {{bits and shift of a swizzle are not negative and at most 3 together, got bits = 2, shift = 2}}
func.func private @swizzle_sum() attributes {x = #tile.swizzle<bits = 2, shift = 2>}

// -----

// expected-error @below {{layout names 1 roles for a tile of rank 2}}
func.func private @layout_rank(tensor<64x64xf32, #tile.fragment<[row], 4>>)

// -----

// expected-error @below {{has a tile whose rows must be a multiple of 64 up to 65536, got 48}}
func.func private @layout_rows(tensor<48x64xf32, #tile.fragment<[row, column], 4>>)

// -----

// expected-error @below {{has a tile whose columns must be a multiple of 8 up to 65536, got 12}}
func.func private @layout_columns(tensor<64x12xf32, #tile.fragment<[row, column], 4>>)

// -----

// expected-error @below {{has a tile whose blocks must be a multiple of 1 up to 65536, got -9223372036854775808}}
func.func private @layout_dynamic(tensor<64x?xf32, #tile.fragment<[row, block], 4>>)

// -----

// expected-error @below {{has a tile of which a thread holds 2048 elements, at most 1024 are allowed}}
func.func private @layout_registers(tensor<256x1x256xf32, #tile.fragment<[row, block, column], 1>>)

// -----

// expected-error @below {{a buffer has at least one stage, got 0}}
func.func private @no_stages(!tile.buffer<0, [64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer has at least one stage, got 9223372036854775807}}
func.func private @many_stages(!tile.buffer<9223372036854775807, [64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_rank_1(!tile.buffer<1, [64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_rank_4(!tile.buffer<1, [1, 1, 64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_empty(!tile.buffer<1, [0, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_size(!tile.buffer<1, [4611686018427387904, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer takes at most 1048576 bytes}}
func.func private @buffer_bytes(!tile.buffer<4, [65536, 64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer takes at most 1048576 bytes}}
func.func private @buffer_stage_bytes(!tile.buffer<129, [64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer holds bf16, f16 or f32, got 'i8'}}
func.func private @buffer_element(!tile.buffer<1, [64, 64], i8, <bits = 0, shift = 0>>)

// -----

// expected-error @below {{a buffer's row must be a multiple of 16 bytes, got 4 x 'bf16'}}
func.func private @buffer_row(!tile.buffer<1, [64, 4], bf16, <bits = 0, shift = 0>>)

// -----

// expected-error @below {{a swizzle of 3 bits does not fit rows of 2 chunks}}
func.func private @buffer_swizzle(!tile.buffer<1, [64, 16], bf16, <bits = 3, shift = 0>>)

// -----

func.func @param_type() {
  // expected-error @below {{result #0 must be index or 32-bit signless integer or 32-bit float}}
  %x = tile.param "block_size" : i64
  return
}

// -----

func.func @edge_of_no_loop(%begin: index, %end: index) {
  %iv = arith.constant 0 : index
  // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
  %edge = tile.edge %iv interior(%begin, %end)
  return
}

// -----

func.func @edge_in_a_branch(%begin: index, %end: index, %step: index, %c: i1) {
  scf.for %iv = %begin to %end step %step {
    scf.if %c {
      // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
      %edge = tile.edge %iv interior(%begin, %end)
    }
  }
  return
}

// -----

func.func @edge_of_the_function(%iv: index) {
  // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
  %edge = tile.edge %iv interior(%iv, %iv)
  return
}

// -----

func.func @edge_of_a_carried_value(%begin: index, %end: index, %step: index) -> index {
  %sum = scf.for %iv = %begin to %end step %step iter_args(%carried = %begin) -> index {
    // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
    %edge = tile.edge %carried interior(%begin, %end)
    scf.yield %carried : index
  }
  return %sum : index
}

// -----

func.func @load_dynamic_tile(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{must be tile (ranked tensor with sizes of 1 to 65536)}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<?x64xbf16>
  return
}

// -----

func.func @load_empty_tile(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{must be tile (ranked tensor with sizes of 1 to 65536)}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<0x64xbf16>
  return
}

// -----

func.func @load_huge_tile(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{must be tile (ranked tensor with sizes of 1 to 65536)}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<65537x64xbf16>
  return
}

// -----

func.func @load_tile_rank(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{must be tile (ranked tensor with sizes of 1 to 65536)}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<1x1x64x64xbf16>
  return
}

// -----

func.func @load_view_rank(%view: memref<?x?x64xbf16>, %i: index) {
  // expected-error @below {{operand #0 must be 4D memref}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x64xbf16> -> tensor<64x64xbf16>
  return
}

// -----

func.func @load_element_of_view(%view: memref<?x?x?x64xi32>, %i: index) {
  // expected-error @below {{operand #0 must be 4D memref}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xi32> -> tensor<64x64xi32>
  return
}

// -----

func.func @load_rank(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{reads tiles of rank 2 or 3, got rank 1}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<64xbf16>
  return
}

// -----

func.func @load_stride(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{of a tile of rank 3 needs the stride of its blocks}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<1x64x64xbf16>
  return
}

// -----

func.func @load_element(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{element type of the view is 'bf16', of the tile 'f16'}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<64x64xf16>
  return
}

// -----

func.func @load_columns(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{rows of the view have 64 columns, rows of the tile 32}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16> -> tensor<64x32xbf16>
  return
}

// -----

func.func @load_scattered_rows(%view: memref<?x?x?x64xbf16, strided<[?, ?, ?, ?]>>, %i: index) {
  // expected-error @below {{needs a view whose rows are contiguous}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16, strided<[?, ?, ?, ?]>> -> tensor<64x64xbf16>
  return
}

// -----

func.func @load_shared(%view: memref<?x?x?x64xbf16, 3>, %i: index) {
  // expected-error @below {{needs a strided view in global memory}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16, 3> -> tensor<64x64xbf16>
  return
}

// -----

func.func @load_mapped(%view: memref<?x?x?x64xbf16, affine_map<(a, b, c, d) -> (a floordiv 2, b, c, d)>>, %i: index) {
  // expected-error @below {{needs a strided view in global memory}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xbf16, affine_map<(a, b, c, d) -> (a floordiv 2, b, c, d)>> -> tensor<64x64xbf16>
  return
}

// -----

func.func @copy_stride(%view: memref<?x?x?x64xbf16>, %i: index, %ring: !tile.buffer<1, [1, 64, 64], bf16, <bits = 3, shift = 0>>) {
  // expected-error @below {{of a tile of rank 3 needs the stride of its blocks}}
  tile.copy %view[%i, %i, %i] in [%i, %i) to %ring[%i] : memref<?x?x?x64xbf16>, !tile.buffer<1, [1, 64, 64], bf16, <bits = 3, shift = 0>>
  return
}

// -----

func.func @copy_element(%view: memref<?x?x?x64xbf16>, %i: index, %ring: !tile.buffer<1, [64, 64], f16, <bits = 3, shift = 0>>) {
  // expected-error @below {{element type of the view is 'bf16', of the tile 'f16'}}
  tile.copy %view[%i, %i, %i] in [%i, %i) to %ring[%i] : memref<?x?x?x64xbf16>, !tile.buffer<1, [64, 64], f16, <bits = 3, shift = 0>>
  return
}

// -----

func.func @copy_columns(%view: memref<?x?x?x64xbf16>, %i: index, %ring: !tile.buffer<1, [64, 32], bf16, <bits = 2, shift = 0>>) {
  // expected-error @below {{rows of the view have 64 columns, rows of the tile 32}}
  tile.copy %view[%i, %i, %i] in [%i, %i) to %ring[%i] : memref<?x?x?x64xbf16>, !tile.buffer<1, [64, 32], bf16, <bits = 2, shift = 0>>
  return
}

// -----

func.func @copy_scattered_rows(%view: memref<?x?x?x64xbf16, strided<[?, ?, ?, 2]>>, %i: index, %ring: !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>) {
  // expected-error @below {{needs a view whose rows are contiguous}}
  tile.copy %view[%i, %i, %i] in [%i, %i) to %ring[%i] : memref<?x?x?x64xbf16, strided<[?, ?, ?, 2]>>, !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
  return
}

// -----

func.func @store_tile_rank(%x: tensor<1x64x64xf32>, %view: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @below {{writes a tile of rank 1 or 2 to a view of rank 2 higher, got ranks 3 and 4}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<1x64x64xf32>, memref<?x?x?x64xf32>
  return
}

// -----

func.func @store_scalar(%x: tensor<f32>, %view: memref<?x?x?xf32>, %i: index) {
  // expected-error @below {{writes a tile of rank 1 or 2 to a view of rank 2 higher, got ranks 0 and 3}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<f32>, memref<?x?x?xf32>
  return
}

// -----

func.func @store_view_rank(%x: tensor<64xf32>, %view: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @below {{writes a tile of rank 1 or 2 to a view of rank 2 higher, got ranks 1 and 4}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64xf32>, memref<?x?x?x64xf32>
  return
}

// -----

func.func @store_view_of_a_head(%x: tensor<64xf32>, %view: memref<?xf32>, %i: index) {
  // expected-error @below {{operand #1 must be 3D/4D memref}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64xf32>, memref<?xf32>
  return
}

// -----

func.func @store_element(%x: tensor<64xf32>, %view: memref<?x?x?xbf16>, %i: index) {
  // expected-error @below {{element type of the view is 'bf16', of the tile 'f32'}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64xf32>, memref<?x?x?xbf16>
  return
}

// -----

func.func @store_columns(%x: tensor<64x32xf32>, %view: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @below {{rows of the view have 64 columns, rows of the tile 32}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64x32xf32>, memref<?x?x?x64xf32>
  return
}

// -----

func.func @store_scattered_rows(%x: tensor<64x64xf32>, %view: memref<?x?x?x64xf32, strided<[?, ?, ?, ?]>>, %i: index) {
  // expected-error @below {{needs a view whose rows are contiguous}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64x64xf32>, memref<?x?x?x64xf32, strided<[?, ?, ?, ?]>>
  return
}

// -----

func.func @dot_elements(%a: tensor<64x32xbf16>, %b: tensor<64x32xf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{multiplies operands of one element type, got 'bf16' and 'f16'}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xbf16>, tensor<64x32xf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_operand_type(%a: tensor<64x32xi32>, %b: tensor<64x32xi32>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{multiplies bf16, f16 or f32, got 'i32'}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xi32>, tensor<64x32xi32> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_accumulator(%a: tensor<64x32xbf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xbf16>) {
  // expected-error @below {{accumulates in f32, got 'bf16'}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xbf16>, tensor<64x32xbf16> -> tensor<64x64xbf16>
  return
}

// -----

func.func @dot_scalar(%a: tensor<bf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{multiplies tiles of rank 2 or 3, got ranks 0 and 2}}
  %s = tile.dot %a, %b transpose into %acc : tensor<bf16>, tensor<64x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_right_rank(%a: tensor<64xbf16>, %b: tensor<32xbf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{multiplies tiles of rank 2 or 3, got ranks 1 and 1}}
  %s = tile.dot %a, %b into %acc : tensor<64xbf16>, tensor<32xbf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @dot_depth(%a: tensor<64x16xbf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{contracts the last dimensions, got sizes 16 and 32}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x16xbf16>, tensor<64x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_transposed_left(%a: tensor<64x1x32xbf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{takes a left operand of rank 2 where it is transposed, got rank 3}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x1x32xbf16>, tensor<64x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_plain_depth(%a: tensor<64x1x32xbf16>, %b: tensor<1x64x32xbf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{contracts all but the first dimension of the left operand with all but the last of the right one; they differ}}
  %s = tile.dot %a, %b into %acc : tensor<64x1x32xbf16>, tensor<1x64x32xbf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @dot_result(%a: tensor<64x32xbf16>, %b: tensor<48x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{result has the wrong shape}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xbf16>, tensor<48x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_plain_result(%a: tensor<64x32xbf16>, %b: tensor<32x64xbf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{result has the wrong shape}}
  %s = tile.dot %a, %b into %acc : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @reduce_unknown(%x: tensor<64x32xf32>) {
  // expected-error @below {{reduces distinct dimensions of a tile of rank 2, got 2}}
  %y = tile.reduce max %x along [2] : tensor<64x32xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @reduce_negative(%x: tensor<64x32xf32>) {
  // expected-error @below {{reduces distinct dimensions of a tile of rank 2, got -1}}
  %y = tile.reduce max %x along [-1] : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @reduce_twice(%x: tensor<64x32xf32>) {
  // expected-error @below {{reduces distinct dimensions of a tile of rank 2, got 1}}
  %y = tile.reduce max %x along [1, 1] : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @reduce_shape(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without the reduced dimensions}}
  %y = tile.reduce max %x along [1] : tensor<64x32xf32> -> tensor<32xf32>
  return
}

// -----

func.func @reduce_element(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without the reduced dimensions}}
  %y = tile.reduce sum %x along [1] : tensor<64x32xf32> -> tensor<64xf16>
  return
}

// -----

func.func @reduce_integers(%x: tensor<64x32xi32>) {
  // expected-error @below {{combines floats, got 'i32'}}
  %y = tile.reduce sum %x along [1] : tensor<64x32xi32> -> tensor<64xi32>
  return
}

// -----

func.func @broadcast_count(%x: tensor<64xf32>) {
  // expected-error @below {{names one dimension of the result for each of the source, in ascending order}}
  %y = tile.broadcast %x to [0, 1] : tensor<64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_order(%x: tensor<32x64xf32>) {
  // expected-error @below {{names one dimension of the result for each of the source, in ascending order}}
  %y = tile.broadcast %x to [1, 0] : tensor<32x64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_twice(%x: tensor<64x64xf32>) {
  // expected-error @below {{names one dimension of the result for each of the source, in ascending order}}
  %y = tile.broadcast %x to [0, 0] : tensor<64x64xf32> -> tensor<64x64xf32>
  return
}

// -----

func.func @broadcast_size(%x: tensor<64xf32>) {
  // expected-error @below {{dimension 0 of the source does not fit dimension 1 of the result}}
  %y = tile.broadcast %x to [1] : tensor<64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_range(%x: tensor<64xf32>) {
  // expected-error @below {{dimension 0 of the source does not fit dimension 2 of the result}}
  %y = tile.broadcast %x to [2] : tensor<64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_element(%x: tensor<64xf32>) {
  // expected-error @below {{keeps the element type}}
  %y = tile.broadcast %x to [0] : tensor<64xf32> -> tensor<64x32xf16>
  return
}

// -----

func.func @cast_shape(%x: tensor<64x32xf32>) {
  // expected-error @below {{keeps shape and layout}}
  %y = tile.cast %x : tensor<64x32xf32> -> tensor<32x64xbf16>
  return
}

// -----

func.func @cast_layout(%x: tensor<64x32xf32>) {
  // expected-error @below {{keeps shape and layout}}
  %y = tile.cast %x : tensor<64x32xf32> -> tensor<64x32xbf16, #tile.fragment<[row, column], 4>>
  return
}

// -----

func.func @cast_element(%x: tensor<64x32xi32>) {
  // expected-error @below {{converts between float types}}
  %y = tile.cast %x : tensor<64x32xi32> -> tensor<64x32xf32>
  return
}

// -----

func.func @iota_rank() {
  // expected-error @below {{yields a tile of rank 1 of i32}}
  %y = tile.iota : tensor<64x32xi32>
  return
}

// -----

func.func @iota_element() {
  // expected-error @below {{yields a tile of rank 1 of i32}}
  %y = tile.iota : tensor<64xindex>
  return
}

// -----

func.func @column_rank(%x: tensor<64xf32>) {
  // expected-error @below {{result must be the source without its last dimension}}
  %y = tile.column %x at 3 : tensor<64xf32> -> tensor<64xf32>
  return
}

// -----

func.func @column_shape(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without its last dimension}}
  %y = tile.column %x at 3 : tensor<64x32xf32> -> tensor<32xf32>
  return
}

// -----

func.func @column_element(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without its last dimension}}
  %y = tile.column %x at 3 : tensor<64x32xf32> -> tensor<64xf16>
  return
}

// -----

func.func @column_range(%x: tensor<64x32xf32>) {
  // expected-error @below {{column must be in [0, 32), got 32}}
  %y = tile.column %x at 32 : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @column_negative(%x: tensor<64x32xf32>) {
  // expected-error @below {{column must be in [0, 32), got -1}}
  %y = tile.column %x at -1 : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @alloc_unaligned() {
  // expected-error @below {{offset must be a multiple of 16 below 2^31}}
  %ring = tile.alloc {offset = 8 : i64} : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
  return
}

// -----

func.func @alloc_negative() {
  // expected-error @below {{offset must be a multiple of 16 below 2^31}}
  %ring = tile.alloc {offset = -16 : i64} : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
  return
}

// -----

func.func @wait_negative() {
  // expected-error @below {{waits until 0 to 2^31 - 1 groups are under way, got -1}}
  tile.wait -1
  return
}

// -----

func.func @slot_buffer(%ring: !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0>>, %i: index) {
  // expected-error @below {{result must be a slot of the buffer}}
  %slot = tile.slot %ring[%i] : !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0>> -> !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
  return
}

// -----

func.func @read_shape(%slot: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{result must have the shape and the element type of the slot}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>> -> tensor<64x32xbf16>
  return
}

// -----

func.func @read_element(%slot: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{result must have the shape and the element type of the slot}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>> -> tensor<64x64xf16>
  return
}

// -----

func.func @read_rank(%slot: !tile.slot<!tile.buffer<1, [1, 64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{reads a matrix, got rank 3}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [1, 64, 64], bf16, <bits = 3, shift = 0>>> -> tensor<1x64x64xbf16>
  return
}

// -----

func.func @read_wide(%slot: !tile.slot<!tile.buffer<1, [64, 64], f32, <bits = 3, shift = 0>>>) {
  // expected-error @below {{reads 16-bit elements, got 'f32'}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [64, 64], f32, <bits = 3, shift = 0>>> -> tensor<64x64xf32>
  return
}

// -----

!columns = tensor<64x64xbf16, #tile.fragment<[block, column], 4>>
func.func @read_layout(%slot: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>> -> !columns
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!acc = tensor<64x64xf32, #tile.fragment<[block, column], 4>>
func.func @dot_layout(%a: !slot, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  %x = tile.dot %a, %b transpose into %acc : !slot, !slot -> !acc
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!left = tensor<64x64xbf16, #tile.fragment<[block, column], 4>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @dot_left_layout(%a: !left, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  %x = tile.dot %a, %b transpose into %acc : !left, !slot -> !acc
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!left = tensor<64x64xbf16, #tile.fragment<[row, column], 2>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @dot_warps(%a: !left, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs its tiles over the same warps}}
  %x = tile.dot %a, %b transpose into %acc : !left, !slot -> !acc
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @dot_unlaid(%a: tensor<64x64xbf16>, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs its tiles over the same warps}}
  %x = tile.dot %a, %b transpose into %acc : tensor<64x64xbf16>, !slot -> !acc
  return
}

// -----

func.func @reduce_layout(%x: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.reduce sum %x along [1] : tensor<64x64xf32, #tile.fragment<[row, column], 4>> -> tensor<64xf32, #tile.fragment<[column], 4>>
  return
}

// -----

func.func @reduce_warps(%x: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.reduce sum %x along [1] : tensor<64x64xf32, #tile.fragment<[row, column], 4>> -> tensor<64xf32, #tile.fragment<[row], 2>>
  return
}

// -----

func.func @broadcast_layout(%x: tensor<64xf32, #tile.fragment<[column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.broadcast %x to [0] : tensor<64xf32, #tile.fragment<[column], 4>> -> tensor<64x64xf32, #tile.fragment<[row, column], 4>>
  return
}

// -----

func.func @column_layout(%x: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.column %x at 1 : tensor<64x64xf32, #tile.fragment<[row, column], 4>> -> tensor<64xf32>
  return
}

// -----

func.func @store_layout(%x: tensor<64xf32, #tile.fragment<[column], 4>>, %view: memref<?x?x?xf32>, %i: index) {
  // expected-error @below {{writes a value for every row}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64xf32, #tile.fragment<[column], 4>>, memref<?x?x?xf32>
  return
}

// -----

func.func @store_matrix_layout(%x: tensor<64x64xf32, #tile.fragment<[block, column], 4>>, %view: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64x64xf32, #tile.fragment<[block, column], 4>>, memref<?x?x?x64xf32>
  return
}
