// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// A warp of four multiplies a quarter of the keys, 2 column tiles of 8, by 8 rows: instructions of 16 rows whose lower half is zero. All columns are read back.
// CHECK-LABEL: @logits(
// CHECK-COUNT-16: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK-COUNT-2: llvm.store {{.*}} vector<2xf32>
// CHECK: gpu.barrier
// CHECK-COUNT-8: llvm.load {{.*}} vector<2xf32>
// CHECK-NOT: llvm.load
!q = !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>
!k = !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
!s = !tile.slot<!tile.buffer<1, [8, 64], f32, <bits = 3, shift = 0>>>
!slice = tensor<8x64xf32, #tile.fragment<[row, slice], 4>>
!whole = tensor<8x64xf32, #tile.fragment<[row, column], 1>>
gpu.module @kernels {
  gpu.func @logits(%O: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %q_ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>
    %q = tile.slot %q_ring[%zero] : !tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>> -> !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>
    %k_ring = tile.alloc {offset = 2048 : i64} : !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>
    %k = tile.slot %k_ring[%zero] : !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>> -> !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
    %place_ring = tile.alloc {offset = 18432 : i64} : !tile.buffer<1, [8, 64], f32, <bits = 3, shift = 0>>
    %place = tile.slot %place_ring[%zero] : !tile.buffer<1, [8, 64], f32, <bits = 3, shift = 0>> -> !tile.slot<!tile.buffer<1, [8, 64], f32, <bits = 3, shift = 0>>>
    %s0 = arith.constant dense<0.0> : !slice
    %s = tile.dot %q, %k transpose into %s0 : !q, !k -> !slice
    tile.write %s to %place : !slice, !s
    gpu.barrier
    %all = tile.read %place : !s -> !whole
    %m = tile.reduce max %all along [1] : !whole -> tensor<8xf32, #tile.fragment<[row], 1>>
    tile.store %m, %O[%zero, %zero, %zero] below %n : tensor<8xf32, #tile.fragment<[row], 1>>, memref<?x?x?xf32, strided<[?, ?, ?]>>
    gpu.return
  }
}

// -----

// A slice of 32 columns of 128: 4 column tiles, over 64 keys in steps of 16. A thread stores its 8 columns of one row.
// CHECK-LABEL: @values(
// CHECK-COUNT-16: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK-COUNT-8: llvm.store {{.*}} f32
// CHECK-NOT: llvm.store
!v = !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
!p = tensor<8x64xbf16, #tile.fragment<[row, column], 1>>
!o = tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
!out = memref<?x?x?x128xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @values(%O: !out, %n: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %v_ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>
    %v = tile.slot %v_ring[%zero] : !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>> -> !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
    %p = arith.constant dense<1.0> : !p
    %o0 = arith.constant dense<0.0> : !o
    %o = tile.dot %p, %v into %o0 : !p, !v -> !o
    tile.store %o, %O[%zero, %zero, %zero] below %n : !o, !out
    gpu.return
  }
}

// -----

// One number of a whole tile: along columns within quads, along rows between them; any thread can use it.
// CHECK-LABEL: @number(
// CHECK-COUNT-5: nvvm.shfl.sync bfly %{{.*}} : i32 -> i32
// CHECK-NOT: nvvm.shfl
// CHECK: memref.store
// CHECK: llvm.inline_asm has_side_effects {{.*}}"griddepcontrol.wait;\0A\09griddepcontrol.launch_dependents;", "~{memory}"
gpu.module @kernels {
  gpu.func @number(%I: memref<?x?x?x8xi32, strided<[?, ?, ?, 1]>>, %R: memref<?xi32>, %row: index, %high: index, %none: i32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %i = tile.read_rows %I[%zero, %zero, %row] below %high else %none : memref<?x?x?x8xi32, strided<[?, ?, ?, 1]>> -> tensor<8x8xi32, #tile.fragment<[row, column], 1>>
    %least = tile.reduce min %i along [0, 1] : tensor<8x8xi32, #tile.fragment<[row, column], 1>> -> tensor<i32, #tile.fragment<[], 1>>
    %number = tensor.extract %least[] : tensor<i32, #tile.fragment<[], 1>>
    memref.store %number, %R[%zero] : memref<?xi32>
    tile.grid_wait
    gpu.return
  }
}

// -----

// Numbers that are to be known before the kernel waits are a condition of the wait, which holds as they are not negative.
// CHECK-LABEL: @wait_behind(
// CHECK-SAME: %[[A:[^:]*]]: index, %[[B:[^:]*]]: index
// CHECK-DAG: %[[X:.*]] = arith.index_cast %[[A]]
// CHECK-DAG: %[[Y:.*]] = arith.index_cast %[[B]]
// CHECK: %[[BOTH:.*]] = arith.ori %[[X]], %[[Y]]
// CHECK: llvm.inline_asm has_side_effects {{.*}}setp.ge.s32 holds, $0, 0;{{.*}}@holds griddepcontrol.wait;{{.*}}griddepcontrol.launch_dependents;", "r,~{memory}" %[[BOTH]]
gpu.module @kernels {
  gpu.func @wait_behind(%a: index, %b: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    tile.grid_wait behind %a, %b
    gpu.return
  }
}

// -----

// A slice's pieces of 16 bytes start at its warp's columns.
// CHECK-LABEL: @pieces(
// CHECK-COUNT-4: nvvm.shfl.sync
// CHECK: %[[WARP:.*]] = arith.shrui
// CHECK: %[[SLICE:.*]] = arith.muli %[[WARP]], %c32_i32
// CHECK: arith.addi %[[SLICE]]
// CHECK: llvm.store {{.*}} {alignment = 16 : i64} : vector<4xi32>
!o = tensor<8x128xbf16, #tile.fragment<[row, slice], 4>>
!out = memref<?x?x?x128xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @pieces(%O: !out, %row: index, %n: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %o = arith.constant dense<1.0> : !o
    tile.store %o, %O[%zero, %zero, %row] below %n : !o, !out
    gpu.return
  }
}
