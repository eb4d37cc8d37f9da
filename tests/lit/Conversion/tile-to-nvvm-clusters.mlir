// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file --verify-diagnostics | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// 9 registers a thread, pieces of 4, 4 and 1: written, and read of each of 8 programs, those that do not exist counting as 0.
// CHECK-LABEL: @sums(
// CHECK: gpu.barrier
// CHECK-COUNT-3: llvm.store
// CHECK-NOT: llvm.store
// CHECK: nvvm.cluster.arrive {aligned}
// CHECK: nvvm.cluster.wait {aligned}
// CHECK: nvvm.read.ptx.sreg.cluster.nctarank
// CHECK: arith.minsi
// CHECK: nvvm.mapa
// CHECK: llvm.load {{.*}} -> vector<4xf32>
// CHECK: arith.select
// CHECK: arith.addf
// CHECK: nvvm.cluster.arrive
// CHECK: nvvm.cluster.wait
!row = tensor<8xf32, #tile.fragment<[row], 1>>
!o = tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
gpu.module @kernels {
  gpu.func @sums(%L: memref<?x?x?xf32, strided<[?, ?, ?]>>, %O: memref<?x?x?x128xf32, strided<[?, ?, ?, 1]>>, %n: index)
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %l = arith.constant dense<1.0> : !row
    %o = arith.constant dense<1.0> : !o
    %sums:2 = tile.cluster_reduce sum %l, %o {offset = 0 : i64} : !row, !o
    tile.store %sums#0, %L[%zero, %zero, %zero] below %n : !row, memref<?x?x?xf32, strided<[?, ?, ?]>>
    tile.store %sums#1, %O[%zero, %zero, %zero] below %n : !o, memref<?x?x?x128xf32, strided<[?, ?, ?, 1]>>
    tile.cluster_barrier
    gpu.return
  }
}

// -----

!row = tensor<8xf32, #tile.fragment<[row], 1>>
gpu.module @kernels {
  gpu.func @no_place() kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %m = arith.constant dense<1.0> : !row
    // expected-error @below {{has no place in shared memory; run tile-allocate-shared}}
    // expected-error @below {{failed to legalize operation}}
    %most = tile.cluster_reduce max %m : !row
    gpu.return
  }
}
