// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' | FileCheck %s --check-prefix=NVVM
// RUN: landmark-opt %S/../Inputs/rotate-host.mlir --convert-tile-to-host | FileCheck %s --check-prefix=HOST

// Pairs by turns of the threads; the angle is a product modulo 2^64, of which the upper half is kept.
// NVVM-LABEL: @rotate(
// NVVM: scf.for
// NVVM: arith.maxsi %{{.*}} : i64
// NVVM: memref.load %{{.*}} : memref<?xi64>
// NVVM: arith.muli %{{.*}} : i64
// NVVM: arith.shrui
// NVVM: arith.trunci %{{.*}} : i64 to i32
// NVVM: llvm.call_intrinsic "llvm.nvvm.cos.approx.ftz.f"
// NVVM: llvm.call_intrinsic "llvm.nvvm.sin.approx.ftz.f"
// NVVM-COUNT-2: llvm.load
// NVVM-COUNT-2: llvm.store

// HOST-LABEL: @rotate(
// HOST: arith.maxsi
// Several pairs at a time, side by side in one layout and in turns in the other.
// HOST: vector.load %{{.*}} : memref<?xi64>, vector<16xi64>
// HOST: arith.shrui
// HOST: scf.if
// HOST: arith.subf
// HOST: arith.addf
// HOST-COUNT-2: vector.store
// HOST: else
// HOST: vector.shuffle {{.*}} [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// HOST: vector.shuffle {{.*}} [1, 3, 5,
// HOST: vector.shuffle {{.*}} [0, 16, 1, 17,
// HOST: vector.store
!tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
gpu.module @kernels {
  gpu.func @rotate(%first: index, %step: index, %low: index, %F: memref<?xi64>, %half: i1) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %a_ring = tile.alloc {offset = 0 : i64} : !tile
    %a = tile.slot %a_ring[%zero] : !tile -> !tile.slot<!tile>
    %c_ring = tile.alloc {offset = 8192 : i64} : !tile
    %c = tile.slot %c_ring[%zero] : !tile -> !tile.slot<!tile>
    tile.rotate_rows %a to %c at %first step %step low %low by %F half %half : !tile.slot<!tile>, !tile.slot<!tile>, memref<?xi64>
    gpu.return
  }
}
