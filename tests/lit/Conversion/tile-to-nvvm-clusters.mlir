// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file --verify-diagnostics | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// 10 registers a thread go in pieces of 4, 4 and 2; lanes whose row is not there send none. The first program counts the bytes of all, and reads three pieces of each of 8 programs.
// CHECK-LABEL: @sums(
// CHECK: nvvm.mbarrier.init
// CHECK: nvvm.fence.mbarrier.init
// CHECK: nvvm.cluster.arrive.relaxed {aligned}
// CHECK: nvvm.cluster.wait {aligned}
// CHECK: scf.if
// CHECK-COUNT-3: llvm.inline_asm has_side_effects {{.*}}st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32
// CHECK-NOT: llvm.inline_asm
// CHECK: scf.if
// CHECK: nvvm.mbarrier.arrive.expect_tx
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK-COUNT-24: llvm.load {{.*}} -> vector<4xf32>
// CHECK-NOT: llvm.load
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: arith.addf
!row = tensor<8xf32, #tile.fragment<[row], 1>>
!o = tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
gpu.module @kernels {
  gpu.func @sums(%L: memref<?x?x?xf32, strided<[?, ?, ?]>>, %O: memref<?x?x?x128xf32, strided<[?, ?, ?, 1]>>, %n: index)
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %m = arith.constant dense<2.0> : !row
    %l = arith.constant dense<1.0> : !row
    %o = arith.constant dense<1.0> : !o
    tile.cluster_open {offset = 0 : i64}
    %most, %sums:2 = tile.cluster_sum exponent %m of %l, %o below %n {offset = 0 : i64} : !row, !row, !o
    tile.store %most, %L[%zero, %zero, %zero] below %n : !row, memref<?x?x?xf32, strided<[?, ?, ?]>>
    tile.store %sums#0, %L[%zero, %n, %zero] below %n : !row, memref<?x?x?xf32, strided<[?, ?, ?]>>
    tile.store %sums#1, %O[%zero, %zero, %zero] below %n : !o, memref<?x?x?x128xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

!row = tensor<8xf32, #tile.fragment<[row], 1>>
gpu.module @kernels {
  gpu.func @no_place(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %m = arith.constant dense<1.0> : !row
    // expected-error @below {{has no place in shared memory; run tile-allocate-shared}}
    // expected-error @below {{failed to legalize operation}}
    %most, %sum = tile.cluster_sum exponent %m of %m below %n : !row, !row
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_sum() kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    // expected-error @below {{belongs to no tile.cluster_sum that has its place in shared memory; run tile-allocate-shared}}
    // expected-error @below {{failed to legalize operation}}
    tile.cluster_open
    gpu.return
  }
}
