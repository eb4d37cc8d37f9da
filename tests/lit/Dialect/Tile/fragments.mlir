// RUN: landmark-opt %s --split-input-file --verify-diagnostics | FileCheck %s

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>

// CHECK-LABEL: func @round_trip
func.func @round_trip(%SUM: !sum, %x: tensor<32x16xf32>, %i: index) -> tensor<32x16xf32> {
  // CHECK: tile.write_fragments %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<32x16xf32>, memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
  tile.write_fragments %x, %SUM[%i, %i, %i] : tensor<32x16xf32>, !sum
  // CHECK: tile.write_fragments add %{{.*}}
  tile.write_fragments add %x, %SUM[%i, %i, %i] : tensor<32x16xf32>, !sum
  // CHECK: tile.read_fragments %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<{{.*}}> -> tensor<32x16xf32>
  %y = tile.read_fragments %SUM[%i, %i, %i] : !sum -> tensor<32x16xf32>
  return %y : tensor<32x16xf32>
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
func.func @few_rows(%SUM: !sum, %x: tensor<8x16xf32>, %i: index) {
  // expected-error @below {{moves tiles of f32 of 16 rows or a multiple, 8 columns or a multiple, got 'tensor<8x16xf32>'}}
  tile.write_fragments %x, %SUM[%i, %i, %i] : tensor<8x16xf32>, !sum
  return
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
func.func @element(%SUM: !sum, %x: tensor<16x16xbf16>, %i: index) {
  // expected-error @below {{moves tiles of f32}}
  tile.write_fragments add %x, %SUM[%i, %i, %i] : tensor<16x16xbf16>, !sum
  return
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
func.func @apart(%SUM: !sum, %i: index) -> tensor<16x16xf32> {
  // expected-error @below {{needs a view of rows of the tile's 16 columns that lie one after the other}}
  %y = tile.read_fragments %SUM[%i, %i, %i] : !sum -> tensor<16x16xf32>
  return %y : tensor<16x16xf32>
}

// -----

!sum = memref<?x?x?x24xf32, strided<[?, ?, 24, 1]>>
func.func @columns(%SUM: !sum, %i: index) -> tensor<16x16xf32> {
  // expected-error @below {{needs a view of rows of the tile's 16 columns}}
  %y = tile.read_fragments %SUM[%i, %i, %i] : !sum -> tensor<16x16xf32>
  return %y : tensor<16x16xf32>
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
!turned = tensor<16x16xf32, #tile.fragment<[block, column], 1>>
func.func @layout(%SUM: !sum, %x: !turned, %i: index) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  tile.write_fragments %x, %SUM[%i, %i, %i] : !turned, !sum
  return
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
!place = !tile.buffer<1, [32, 16], f32, <bits = 0, shift = 0>>

// CHECK-LABEL: func @through
func.func @through(%SUM: !sum, %x: tensor<32x16xf32>, %i: index, %turn: i32) {
  %buffer = tile.alloc : !place
  %slot = tile.slot %buffer[%i] : !place -> !tile.slot<!place>
  // CHECK: %[[BARRIERS:.*]] = tile.alloc_barriers
  %barriers = tile.alloc_barriers : !tile.barriers<1>
  // CHECK: tile.init_barriers %[[BARRIERS]] producers 4 consumers 1 : <1>
  tile.init_barriers %barriers producers 4 consumers 1 : !tile.barriers<1>
  // CHECK: tile.hand_over %{{.*}} to %[[SLOT:.*]] full %[[BARRIERS]][%{{.*}}] : tensor<32x16xf32>, <<1, [32, 16], f32, <bits = 0, shift = 0>>>, <1>
  tile.hand_over %x to %slot full %barriers[%turn] : tensor<32x16xf32>, !tile.slot<!place>, !tile.barriers<1>
  // CHECK: tile.add_fragments %[[SLOT]], %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : <<1, [32, 16], f32, <bits = 0, shift = 0>>>, memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
  tile.add_fragments %slot, %SUM[%i, %i, %i] : !tile.slot<!place>, !sum
  return
}

// -----

!place = !tile.buffer<1, [32, 16], f32, <bits = 0, shift = 0>>
func.func @other_rows(%slot: !tile.slot<!place>, %barriers: !tile.barriers<1>, %x: tensor<16x16xf32>, %turn: i32) {
  // expected-error @below {{needs a slot of the tile's shape and elements, got 'tensor<16x16xf32>' and '!tile.buffer<1, [32, 16], f32}}
  tile.hand_over %x to %slot full %barriers[%turn] : tensor<16x16xf32>, !tile.slot<!place>, !tile.barriers<1>
  return
}

// -----

!place = !tile.buffer<1, [16, 16], bf16, <bits = 0, shift = 0>>
func.func @elements(%slot: !tile.slot<!place>, %barriers: !tile.barriers<1>, %x: tensor<16x16xbf16>, %turn: i32) {
  // expected-error @below {{moves tiles of f32}}
  tile.hand_over %x to %slot full %barriers[%turn] : tensor<16x16xbf16>, !tile.slot<!place>, !tile.barriers<1>
  return
}

// -----

!sum = memref<?x?x?x24xf32, strided<[?, ?, 24, 1]>>
!place = !tile.buffer<1, [32, 16], f32, <bits = 0, shift = 0>>
func.func @other_columns(%SUM: !sum, %slot: !tile.slot<!place>, %i: index) {
  // expected-error @below {{needs a view of rows of the tile's 16 columns}}
  tile.add_fragments %slot, %SUM[%i, %i, %i] : !tile.slot<!place>, !sum
  return
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
!place = !tile.buffer<1, [1, 16, 16], f32, <bits = 0, shift = 0>>
func.func @blocks(%SUM: !sum, %slot: !tile.slot<!place>, %i: index) {
  // expected-error @below {{moves tiles of f32 of 16 rows or a multiple}}
  tile.add_fragments %slot, %SUM[%i, %i, %i] : !tile.slot<!place>, !sum
  return
}

// -----

func.func @producers(%barriers: !tile.barriers<1>) {
  // expected-error @below {{takes 1 to 32 producers, got 0}}
  tile.init_barriers %barriers producers 0 consumers 1 : !tile.barriers<1>
  return
}
