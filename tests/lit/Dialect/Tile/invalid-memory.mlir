// RUN: landmark-opt %s -split-input-file -verify-diagnostics

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

func.func @load_view_rank(%view: memref<?x64xbf16>, %i: index) {
  // expected-error @below {{operand #0 must be 3D/4D memref}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x64xbf16> -> tensor<64x64xbf16>
  return
}

// -----

func.func @load_element_of_view(%view: memref<?x?x?x64xi32>, %i: index) {
  // expected-error @below {{operand #0 must be 3D/4D memref}}
  %x = tile.load %view[%i, %i, %i] in [%i, %i) : memref<?x?x?x64xi32> -> tensor<64x64xi32>
  return
}

// -----

func.func @load_rank(%view: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @below {{reads a tile of rank 1 from consecutive rows of a view of rank 3}}
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
  // expected-error @below {{result must be a slot of the ring, or of one that differs in having fewer rows}}
  %slot = tile.slot %ring[%i] : !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0>> -> !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
  return
}

// -----

func.func @read_shape(%slot: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{result must have the rows and the element type of the slot, and its columns, or the first of them, in the other dimensions}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>> -> tensor<64x72xbf16>
  return
}

// -----

func.func @read_element(%slot: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{result must have the rows and the element type of the slot, and its columns, or the first of them, in the other dimensions}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>> -> tensor<64x64xf16>
  return
}

// -----

func.func @read_rank(%slot: !tile.slot<!tile.buffer<1, [1, 64, 64], bf16, <bits = 3, shift = 0>>>) {
  // expected-error @below {{result must have the rows and the element type of the slot, and its columns, or the first of them, in the other dimensions}}
  %x = tile.read %slot : !tile.slot<!tile.buffer<1, [1, 64, 64], bf16, <bits = 3, shift = 0>>> -> tensor<1x64x64xbf16>
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

func.func @store_layout(%x: tensor<64xf32, #tile.fragment<[column], 4>>, %view: memref<?x?x?xf32>, %i: index) {
  // expected-error @below {{takes a value for every row}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64xf32, #tile.fragment<[column], 4>>, memref<?x?x?xf32>
  return
}

// -----

func.func @store_matrix_layout(%x: tensor<64x64xf32, #tile.fragment<[block, column], 4>>, %view: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  tile.store %x, %view[%i, %i, %i] below %i : tensor<64x64xf32, #tile.fragment<[block, column], 4>>, memref<?x?x?x64xf32>
  return
}

// -----

func.func @quarter_of_the_columns(%V: memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>>, %n: index, %none: f32) {
  // expected-error @below {{rows of the view have 4 columns, rows of the tile 16}}
  %v = tile.read_rows %V[%n, %n, %n] below %n else %none : memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>> -> tensor<8x16xf32>
  return
}

// -----

func.func @half_of_narrow_columns(%V: memref<?x?x?x4xbf16, strided<[?, ?, ?, 1]>>, %v: tensor<8x8xbf16>, %n: index) {
  // expected-error @below {{of half as many columns in memory has elements of 32 bits}}
  tile.store %v, %V[%n, %n, %n] below %n : tensor<8x8xbf16>, memref<?x?x?x4xbf16, strided<[?, ?, ?, 1]>>
  return
}
