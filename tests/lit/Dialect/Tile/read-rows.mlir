// RUN: landmark-opt %s --split-input-file --verify-diagnostics | FileCheck %s

!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xi32, strided<[?, ?, ?]>>

// CHECK-LABEL: func @read
func.func @read(%V: !lists, %R: !rows, %zero: index, %n: index, %none: f32, %no_id: i32) -> tensor<16xi32> {
  // CHECK: tile.read_rows %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] below %{{.*}} else %{{.*}} : memref<{{.*}}> -> tensor<16x8xf32>
  %v = tile.read_rows %V[%zero, %zero, %zero] below %n else %none : !lists -> tensor<16x8xf32>
  %r = tile.read_rows %R[%zero, %zero, %zero] below %n else %no_id : !rows -> tensor<16xi32>
  tile.store %r, %R[%zero, %zero, %zero] below %n : tensor<16xi32>, !rows
  // CHECK: tile.reduce {{ *}}min
  %m = tile.reduce min %v along [1] : tensor<16x8xf32> -> tensor<16xf32>
  return %r : tensor<16xi32>
}

// -----

!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
func.func @columns(%V: !lists, %zero: index, %none: f32) {
  // expected-error @below {{rows of the view have 8 columns, rows of the tile 16}}
  %v = tile.read_rows %V[%zero, %zero, %zero] below %zero else %none : !lists -> tensor<16x16xf32>
  return
}

// -----

!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
func.func @rank(%V: !lists, %zero: index, %none: f32) {
  // expected-error @below {{reads a tile of rank 1 or 2 from a view of rank 2 higher, got ranks 1 and 4}}
  %v = tile.read_rows %V[%zero, %zero, %zero] below %zero else %none : !lists -> tensor<16xf32>
  return
}

// -----

!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
func.func @element(%V: !lists, %zero: index, %none: i32) {
  // expected-error @below {{element type of the view is 'f32', of the tile 'i32'}}
  %v = tile.read_rows %V[%zero, %zero, %zero] below %zero else %none : !lists -> tensor<16x8xi32>
  return
}

// -----

!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, ?]>>
func.func @strided(%V: !lists, %zero: index, %none: f32) {
  // expected-error @below {{needs a view whose rows are contiguous}}
  %v = tile.read_rows %V[%zero, %zero, %zero] below %zero else %none : !lists -> tensor<16x8xf32>
  return
}
