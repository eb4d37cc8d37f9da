// RUN: landmark-opt %s --tile-advance-products --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-advance-products=postpones=false --split-input-file | FileCheck %s --check-prefix=FIRST
// RUN: landmark-opt %s --tile-advance-products --tile-defer-waits --split-input-file | FileCheck %s --check-prefix=WAITS

// Where a group of its own makes the third product, weights have two places. Sums of the last tile read the other one, and what they read is given back behind the iteration's barrier.
// CHECK-LABEL: gpu.func @weights
// CHECK-DAG: tile.clear %[[P:.*]] from 0 every 64
// CHECK-DAG: tile.clear %[[DS:.*]] from 0 every 64
// CHECK: gpu.barrier
// CHECK-NOT: tile.dot
// CHECK: %[[LOOP:.*]]:8 = scf.for {{.*}} iter_args(%[[A:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %[[B:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %[[Q:[a-z0-9]+]] = %[[ZERO:[a-z0-9_]+]], %[[DO:[a-z0-9]+]] = %[[ZERO]], %[[W:[a-z0-9]+]] = %[[ZERO]], %[[HAS:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %[[LAST_Q:[a-z0-9]+]] = %[[ZERO]], %[[LAST_DO:[a-z0-9]+]] = %[[ZERO]])
// CHECK:   tile.await %{{.*}}[%[[Q]]]
// CHECK:   %[[S:.*]] = tile.dot %{{.*}}, %[[K:.*]] transpose
// CHECK:   tile.await %{{.*}}[%[[DO]]]
// CHECK:   %[[X:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// CHECK:   %[[E:.*]] = math.exp2 %[[S]]
// CHECK:   %[[LAST:.*]] = arith.subi %[[W]],
// CHECK:   arith.remui %[[LAST]],
// CHECK:   %[[V:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[A]]
// CHECK:   %[[U:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[B]]
// CHECK:   arith.mulf %[[E]], %[[X]]
// CHECK:   tile.barrier of 4
// CHECK:   scf.if %[[HAS]] {
// CHECK:     tile.release %{{.*}}[%[[LAST_DO]]]
// CHECK:     tile.release %{{.*}}[%[[LAST_Q]]]
// CHECK:   }
// CHECK-NOT: tile.dot
// CHECK:   scf.yield %[[V]], %[[U]], %{{.*}}, %{{.*}}, %{{.*}}, %true{{.*}}, %[[Q]], %[[DO]]
// CHECK: scf.if %[[LOOP]]#5
// CHECK:   arith.subi %[[LOOP]]#4,
// CHECK:   tile.dot %{{.*}} transposed, %{{.*}} into %[[LOOP]]#0
// CHECK:   arith.subi %[[LOOP]]#4,
// CHECK:   tile.dot %{{.*}} transposed, %{{.*}} into %[[LOOP]]#1

// The sums are done before the barrier: what is written behind it lies in the place that they read.
// WAITS-LABEL: gpu.func @weights
// WAITS: scf.for
// WAITS:   %[[S:.*]] = tile.dot {{.*}} transpose {{.*}} async :
// WAITS:   %[[X:.*]] = tile.dot {{.*}} transpose {{.*}} async :
// WAITS:   tile.dot_wait %[[S]] pending 1
// WAITS:   %[[V:.*]] = tile.dot {{.*}} transposed, {{.*}} async :
// WAITS:   %[[U:.*]] = tile.dot {{.*}} transposed, {{.*}} async :
// WAITS:   tile.dot_wait %[[X]] pending 2
// WAITS:   tile.publish
// WAITS:   tile.dot_wait %[[U]] pending 0
// WAITS:   tile.dot_wait %[[V]] pending 1
// WAITS:   tile.barrier of 4
// WAITS-NOT: tile.dot_wait
// WAITS:   scf.yield

// If so told only the first product moves, to behind the barrier.
// FIRST-LABEL: gpu.func @weights
// FIRST-NOT: tile.clear
// FIRST: tile.dot
// FIRST: scf.for
// FIRST:   tile.dot %{{.*}} transpose
// FIRST:   tile.barrier of 4
// FIRST:   %[[AHEAD:.*]] = tile.dot %{{.*}} transpose
// FIRST:   tile.dot %{{.*}} transposed
// FIRST:   tile.dot %{{.*}} transposed
// FIRST:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[AHEAD]] :
!ring = !tile.buffer<4, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<2, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!d = tensor<128x64xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @weights(%SUM: !sum, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %first = arith.constant 0 : i32
    %step = arith.constant 1 : i32
    %two = arith.constant 2 : i32
    %s0 = arith.constant dense<0.0> : !s
    %d0 = arith.constant dense<0.0> : !d
    %ring_q = tile.alloc : !ring
    %ring_do = tile.alloc : !ring
    %full_q = tile.alloc_barriers : !tile.barriers<4>
    %full_do = tile.alloc_barriers : !tile.barriers<4>
    %keys = tile.alloc : !keys
    %ring_ds = tile.alloc : !weights
    %full_ds = tile.alloc_barriers : !tile.barriers<2>
    gpu.barrier
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %ring_p = tile.alloc : !weights
    %e:5 = scf.for %t = %zero to %n step %one iter_args(%a = %d0, %b = %d0, %turn_q = %first, %turn_do = %first, %turn_ds = %first) -> (!d, !d, i32, i32, i32) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %next_ds = arith.addi %turn_ds, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      tile.await %full_q[%turn_q] : !tile.barriers<4>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<4>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %c = tile.column %s at 63 : !s -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
      %y = arith.mulf %e, %x : !s
      %p_in = tile.cast %e : !s -> !p
      %ds_in = tile.cast %y : !s -> !p
      tile.acquire %full_ds[%turn_ds] : !tile.barriers<2>
      %place = arith.remui %turn_ds, %two : i32
      %stage = arith.index_cast %place : i32 to index
      %ds = tile.slot %ring_ds[%stage] : !weights -> !tile.slot<!weights>
      %p = tile.slot %ring_p[%stage] : !weights -> !tile.slot<!weights>
      tile.write %p_in to %p : !p, !tile.slot<!weights>
      tile.write %ds_in to %ds : !p, !tile.slot<!weights>
      tile.publish %full_ds[%turn_ds] : !tile.barriers<2>
      tile.barrier of 4
      %v = tile.dot %p transposed, %do into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_do[%turn_do] : !tile.barriers<4>
      %u = tile.dot %ds transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_q[%turn_q] : !tile.barriers<4>
      scf.yield %v, %u, %next_q, %next_do, %next_ds : !d, !d, i32, i32, i32
    }
    tile.write_fragments %e#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}

// -----

// Weights of one place are written when the last ones are read: without a third product before them nothing moves.
// CHECK-LABEL: gpu.func @one_place
// CHECK-NOT: tile.clear
// CHECK: scf.for
// CHECK-NOT: arith.select
// CHECK: tile.barrier of 4
// CHECK: tile.dot
// CHECK: tile.dot
!ring = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!d = tensor<128x64xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @one_place(%SUM: !sum, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %first = arith.constant 0 : i32
    %step = arith.constant 1 : i32
    %s0 = arith.constant dense<0.0> : !s
    %d0 = arith.constant dense<0.0> : !d
    %ring_q = tile.alloc : !ring
    %ring_do = tile.alloc : !ring
    %full_q = tile.alloc_barriers : !tile.barriers<2>
    %full_do = tile.alloc_barriers : !tile.barriers<2>
    %keys = tile.alloc : !keys
    %ring_ds = tile.alloc : !weights
    %ring_p = tile.alloc : !weights
    gpu.barrier
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %e:5 = scf.for %t = %zero to %n step %one iter_args(%a = %d0, %b = %d0, %turn_q = %first, %turn_do = %first, %turn_ds = %first) -> (!d, !d, i32, i32, i32) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %next_ds = arith.addi %turn_ds, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      tile.await %full_q[%turn_q] : !tile.barriers<2>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<2>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %y = arith.mulf %s, %x : !s
      %p_in = tile.cast %s : !s -> !p
      %ds_in = tile.cast %y : !s -> !p
      %ds = tile.slot %ring_ds[%zero] : !weights -> !tile.slot<!weights>
      %p = tile.slot %ring_p[%zero] : !weights -> !tile.slot<!weights>
      tile.write %p_in to %p : !p, !tile.slot<!weights>
      tile.write %ds_in to %ds : !p, !tile.slot<!weights>
      tile.barrier of 4
      %v = tile.dot %p transposed, %do into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_do[%turn_do] : !tile.barriers<2>
      %u = tile.dot %ds transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_q[%turn_q] : !tile.barriers<2>
      scf.yield %v, %u, %next_q, %next_do, %next_ds : !d, !d, i32, i32, i32
    }
    tile.write_fragments %e#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}
