// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// Rows below the limit are read, two by a thread, two columns of each, in one piece where rows start on 8 bytes; the others are filled.
// CHECK-LABEL: @read_rows(
// CHECK: scf.if %{{.*}} -> (f32, f32) {
// CHECK: scf.if %{{.*}} -> (f32, f32) {
// CHECK: llvm.load %{{.*}} {alignment = 8 : i64} : {{.*}} -> vector<2xf32>
// CHECK: else
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : {{.*}} -> f32
// CHECK: scf.if %{{.*}} -> (f32, f32) {
// CHECK: scf.if %{{.*}} -> (f32, f32) {
// CHECK-NOT: scf.if
!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @read_rows(%V: !lists, %row: index, %high: index, %none: f32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %v = tile.read_rows %V[%zero, %zero, %row] below %high else %none : !lists -> tensor<16x8xf32, #tile.fragment<[row, column], 1>>
    gpu.return
  }
}

// -----

// Of a view with half of the 8 columns, the first two lanes of a quad read and write.
// CHECK-LABEL: @half_rows(
// CHECK: %[[QUAD:.*]] = arith.andi %{{.*}}, %c3_i32
// CHECK: %[[HAS:.*]] = arith.cmpi slt, %[[QUAD]], %c2_i32
// CHECK: arith.andi %{{.*}}, %[[HAS]]
// CHECK: llvm.load {{.*}} vector<2xf32>
// CHECK: %[[HAS_TOO:.*]] = arith.cmpi slt, %{{.*}}, %c2_i32
// CHECK: arith.andi %[[HAS_TOO]], %{{.*}}
// CHECK: llvm.store {{.*}} vector<2xf32>
!half = memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @half_rows(%V: !half, %row: index, %high: index, %none: f32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %v = tile.read_rows %V[%zero, %zero, %row] below %high else %none : !half -> tensor<8x8xf32, #tile.fragment<[row, column], 1>>
    tile.store %v, %V[%zero, %high, %row] below %high : tensor<8x8xf32, #tile.fragment<[row, column], 1>>, !half
    gpu.return
  }
}

// -----

// Along rows the eight quads of a warp combine, and along columns the four lanes of a quad; integers as integers.
// CHECK-LABEL: @reduce(
// CHECK: arith.minsi
// CHECK-COUNT-2: nvvm.shfl.sync bfly %{{.*}} : i32 -> i32
// CHECK: llvm.intr.maxnum
// CHECK-COUNT-6: nvvm.shfl.sync bfly %{{.*}} : f32 -> f32
// CHECK-NOT: nvvm.shfl
!ids = memref<?x?x?x8xi32, strided<[?, ?, ?, 1]>>
!lists = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xi32, strided<[?, ?, ?]>>
gpu.module @kernels {
  gpu.func @reduce(%I: !ids, %V: !lists, %R: !rows, %row: index, %high: index, %none: f32, %no_id: i32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %i = tile.read_rows %I[%zero, %zero, %row] below %high else %no_id : !ids -> tensor<16x8xi32, #tile.fragment<[row, column], 1>>
    %v = tile.read_rows %V[%zero, %zero, %row] below %high else %none : !lists -> tensor<16x8xf32, #tile.fragment<[row, column], 1>>
    %lowest = tile.reduce min %i along [1] : tensor<16x8xi32, #tile.fragment<[row, column], 1>> -> tensor<16xi32, #tile.fragment<[row], 1>>
    %most = tile.reduce max %v along [0] : tensor<16x8xf32, #tile.fragment<[row, column], 1>> -> tensor<8xf32, #tile.fragment<[column], 1>>
    tile.store %lowest, %R[%zero, %zero, %row] below %high : tensor<16xi32, #tile.fragment<[row], 1>>, !rows
    %all = tile.broadcast %most to [1] : tensor<8xf32, #tile.fragment<[column], 1>> -> tensor<16x8xf32, #tile.fragment<[row, column], 1>>
    tile.store %all, %V[%zero, %zero, %row] below %high : tensor<16x8xf32, #tile.fragment<[row, column], 1>>, !lists
    gpu.return
  }
}
