// RUN: landmark-opt %s -split-input-file -verify-diagnostics

func.func @load_rows_stride(%R: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index) {
  // expected-error @below {{reads a tile of rank 1 from consecutive rows of a view of rank 3}}
  %r = tile.load %R[%n, %n, %n] stride %n in [%n, %n) : memref<?x?x?xf32, strided<[?, ?, ?]>> -> tensor<64xf32>
  return
}

// -----

func.func @load_rows_view(%V: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>, %n: index) {
  // expected-error @below {{reads a tile of rank 1 from consecutive rows of a view of rank 3}}
  %r = tile.load %V[%n, %n, %n] in [%n, %n) : memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>> -> tensor<64xf32>
  return
}

// -----

func.func @load_rows_element(%R: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index) {
  // expected-error @below {{element type of the view is 'f32', of the tile 'bf16'}}
  %r = tile.load %R[%n, %n, %n] in [%n, %n) : memref<?x?x?xf32, strided<[?, ?, ?]>> -> tensor<64xbf16>
  return
}

// -----

func.func @load_matrix_view(%R: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index) {
  // expected-error @below {{reads tiles of rank 2 or 3 from views of rank 4, got ranks 2 and 3}}
  %r = tile.load %R[%n, %n, %n] in [%n, %n) : memref<?x?x?xf32, strided<[?, ?, ?]>> -> tensor<64x8xf32>
  return
}

// -----

func.func @store_blocks_of_rows(%R: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index, %r: tensor<64xf32>) {
  // expected-error @below {{writes blocks of rows of a tile of rank 2}}
  tile.store %r, %R[%n, %n, %n] blocks of %n stride %n below %n : tensor<64xf32>, memref<?x?x?xf32, strided<[?, ?, ?]>>
  return
}

// -----

func.func @both_transposed(%p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{with its left operand transposed takes a right operand of rank 2, not transposed}}
  %s = tile.dot %p transposed, %p transpose into %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @right_rank(%p: tensor<64x64xbf16>, %b: tensor<1x64x64xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{with its left operand transposed takes a right operand of rank 2, not transposed}}
  %s = tile.dot %p transposed, %b into %acc : tensor<64x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @contracted(%p: tensor<64x32xbf16>, %b: tensor<32x64xbf16>, %acc: tensor<32x64xf32>) {
  // expected-error @below {{contracts the first dimensions, got sizes 64 and 32}}
  %s = tile.dot %p transposed, %b into %acc : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<32x64xf32>
  return
}

// -----

func.func @result_shape(%p: tensor<64x2x16xbf16>, %b: tensor<64x64xbf16>, %acc: tensor<16x64xf32>) {
  // expected-error @below {{result has the wrong shape}}
  %s = tile.dot %p transposed, %b into %acc : tensor<64x2x16xbf16>, tensor<64x64xbf16> -> tensor<16x64xf32>
  return
}

// -----

!panels = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 2, shift = 1, panel = 4>>>
!layout = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @wgmma(%p: !panels, %acc: !layout) {
  // expected-error @below {{by wgmma reads transposed weights from panels of 64, one for each group of four warps}}
  %s = tile.dot %p transposed, %p into %acc by wgmma : !panels, !panels -> !layout
  return
}

// -----

!panels = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!layout = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @wgmma_registers(%p: tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, %b: !panels, %acc: !layout) {
  // expected-error @below {{by wgmma reads queries, transposed weights and those of groups that share the columns, or of one alone, from panels in shared memory, others from registers}}
  %s = tile.dot %p transposed, %b into %acc by wgmma : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !panels -> !layout
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
func.func @write_columns(%p: tensor<64x2x16xbf16>, %slot: !slot) {
  // expected-error @below {{needs a slot of the tile's rows, with its other dimensions as columns}}
  tile.write %p to %slot : tensor<64x2x16xbf16>, !slot
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 32], bf16, <bits = 2, shift = 1>>>
func.func @write_element(%p: tensor<64x2x16xf16>, %slot: !slot) {
  // expected-error @below {{needs a slot of the tile's rows, with its other dimensions as columns}}
  tile.write %p to %slot : tensor<64x2x16xf16>, !slot
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [1, 64, 32], bf16, <bits = 2, shift = 1>>>
func.func @write_rank(%p: tensor<64x2x16xbf16>, %slot: !slot) {
  // expected-error @below {{needs a slot of the tile's rows, with its other dimensions as columns}}
  tile.write %p to %slot : tensor<64x2x16xbf16>, !slot
  return
}
