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
