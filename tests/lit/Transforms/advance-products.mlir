// RUN: landmark-opt %s --tile-advance-products --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-advance-products=postpones=false --split-input-file | FileCheck %s --check-prefix=FIRST
// RUN: landmark-opt %s --tile-advance-products --tile-defer-waits --split-input-file | FileCheck %s --check-prefix=WAITS
// RUN: landmark-opt %s --tile-advance-products=postpones=false --tile-defer-waits --split-input-file | FileCheck %s --check-prefix=FIRST-WAITS

// Products of the last tile's weights are begun around the iteration's own two, the third one handed over in the turn before
// this one, if there was a tile, the sums behind the first use of the first one. The last tile's are made behind the loops.
// CHECK-LABEL: gpu.func @weights
// CHECK-DAG: tile.clear %[[P:.*]] from 0 every 64
// CHECK-DAG: tile.clear %[[DS:.*]] from 0 every 64
// CHECK: gpu.barrier
// CHECK-NOT: tile.dot
// CHECK: %[[EDGES:.*]]:7 = scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}, %[[Q:.*]] = %[[ZERO:.*]], %[[DO:.*]] = %[[ZERO]], %[[HAS:.*]] = %{{.*}}, %[[LAST_Q:.*]] = %[[ZERO]], %[[LAST_DO:.*]] = %[[ZERO]])
// CHECK:   %[[ADDED:.*]] = tile.dot %{{.*}}, %[[K:.*]] into
// CHECK:   tile.await %{{.*}}[%[[Q]]]
// CHECK:   %[[S:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// CHECK:   scf.if %[[HAS]] {
// CHECK:     %[[LAST:.*]] = arith.subi %[[Q]], %{{.*}}
// CHECK:     tile.hand_over %[[ADDED]] to %{{.*}} full %{{.*}}[%[[LAST]]]
// CHECK:   }
// CHECK:   tile.await %{{.*}}[%[[DO]]]
// CHECK:   %[[X:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// CHECK:   %[[E:.*]] = math.exp2 %[[S]]
// CHECK:   arith.select %[[HAS]], %[[LAST_Q]], %[[Q]]
// CHECK:   arith.select %[[HAS]], %[[LAST_DO]], %[[DO]]
// CHECK:   %[[V:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[A]]
// CHECK:   %[[U:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[B]]
// CHECK:   arith.mulf %[[E]], %[[X]]
// CHECK:   tile.barrier of 8
// CHECK:   scf.if %[[HAS]] {
// CHECK:     tile.release %{{.*}}[%[[LAST_DO]]]
// CHECK:     tile.release %{{.*}}[%[[LAST_Q]]]
// CHECK:   }
// CHECK:   tile.barrier of 8
// CHECK-NOT: tile.dot
// CHECK-NOT: tile.release
// CHECK-NOT: hand_over
// CHECK:   scf.yield %[[V]], %[[U]], %{{.*}}, %{{.*}}, %true{{.*}}, %[[Q]], %[[DO]]
// CHECK: %[[INNER:.*]]:7 = scf.for {{.*}} iter_args(%{{.*}} = %[[EDGES]]#0, {{.*}} = %[[EDGES]]#4, {{.*}} = %[[EDGES]]#5, {{.*}} = %[[EDGES]]#6)
// CHECK: %[[SUMS:.*]]:2 = scf.if %[[INNER]]#4
// CHECK:   %[[LAST_ADDED:.*]] = tile.dot %{{.*}}, %[[K]] into
// CHECK:   %[[END:.*]] = arith.subi %[[INNER]]#2, %{{.*}}
// CHECK:   tile.hand_over %[[LAST_ADDED]] to %{{.*}} full %{{.*}}[%[[END]]]
// CHECK:   %[[LAST_V:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[INNER]]#0
// CHECK:   %[[LAST_U:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[INNER]]#1
// CHECK:   tile.release %{{.*}}[%[[INNER]]#6]
// CHECK:   tile.release %{{.*}}[%[[INNER]]#5]
// CHECK:   scf.yield %[[LAST_V]], %[[LAST_U]]

// Everything is done at the iteration's end; the sums before the barrier behind which their operands are written anew.
// WAITS-LABEL: gpu.func @weights
// WAITS: scf.for
// WAITS:   %[[ADDED:.*]] = tile.dot {{.*}} async :
// WAITS:   %[[S:.*]] = tile.dot {{.*}} transpose {{.*}} async :
// WAITS:   tile.dot_wait %[[ADDED]] pending 1
// WAITS:   tile.hand_over
// WAITS:   %[[X:.*]] = tile.dot {{.*}} transpose {{.*}} async :
// WAITS:   tile.dot_wait %[[S]] pending 1
// WAITS:   %[[V:.*]] = tile.dot {{.*}} transposed, {{.*}} async :
// WAITS:   %[[U:.*]] = tile.dot {{.*}} transposed, {{.*}} async :
// WAITS:   tile.dot_wait %[[X]] pending 2
// WAITS:   tile.dot_wait %[[U]] pending 0
// WAITS:   tile.dot_wait %[[V]] pending 1
// WAITS:   tile.barrier of 8
// WAITS:   tile.barrier of 8
// WAITS-NOT: tile.dot_wait
// WAITS:   scf.yield

// If so told only the first product moves, behind the third one of the iteration before.
// FIRST-LABEL: gpu.func @weights
// FIRST-NOT: tile.clear
// FIRST: %[[S0:.*]] = tile.dot
// FIRST: scf.for
// FIRST:   tile.dot %{{.*}} transpose
// FIRST:   tile.barrier of 8
// FIRST:   %[[DQ:.*]] = tile.dot %{{.*}}, %[[K:.*]] into
// FIRST:   tile.await
// FIRST:   %[[AHEAD:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// FIRST:   tile.dot %{{.*}} transposed
// FIRST:   tile.dot %{{.*}} transposed
// FIRST:   tile.hand_over %[[DQ]]
// FIRST:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[AHEAD]] :

// The sums are one group then, which runs on while the next iteration works on what was begun before them.
// FIRST-WAITS-LABEL: gpu.func @weights
// FIRST-WAITS: scf.for {{.*}} iter_args(%[[DV:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %[[DK:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %[[HANDED:[a-z0-9]+]] =
// FIRST-WAITS:   %[[S:.*]] = tile.dot_wait %[[HANDED]] pending 1
// FIRST-WAITS:   %[[X:.*]] = tile.dot {{.*}} async :
// FIRST-WAITS:   math.exp2 %[[S]]
// FIRST-WAITS-DAG: tile.dot_wait %[[DV]] pending 0
// FIRST-WAITS-DAG: tile.dot_wait %[[DK]] pending 0
// FIRST-WAITS:   tile.dot_wait %[[X]] pending 0
// FIRST-WAITS:   %[[DQ:.*]] = tile.dot {{.*}} async :
// FIRST-WAITS:   tile.dot {{.*}} transpose {{.*}} async :
// FIRST-WAITS:   tile.dot {{.*}} transposed, {{.*}} async joined
// FIRST-WAITS:   tile.dot {{.*}} transposed, {{.*}} async :
// FIRST-WAITS:   tile.dot_wait %[[DQ]] pending 2
!ring = !tile.buffer<4, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!dq = tensor<64x128xf32, #tile.fragment<[row, slice], 8, split = 2>>
!d = tensor<128x128xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x128xf32, strided<[?, ?, 128, 1]>>
!sums = !tile.buffer<1, [64, 128], f32, <bits = 3, shift = 0, panel = 8>>
gpu.module @kernels {
  gpu.func @weights(%SUM: !sum, %edges: index, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %first = arith.constant 0 : i32
    %step = arith.constant 1 : i32
    %s0 = arith.constant dense<0.0> : !s
    %q0 = arith.constant dense<0.0> : !dq
    %d0 = arith.constant dense<0.0> : !d
    %ring_q = tile.alloc : !ring
    %ring_do = tile.alloc : !ring
    %full_q = tile.alloc_barriers : !tile.barriers<4>
    %full_do = tile.alloc_barriers : !tile.barriers<4>
    %keys = tile.alloc : !keys
    %place = tile.alloc : !sums
    %sums = tile.slot %place[%zero] : !sums -> !tile.slot<!sums>
    %full_sums = tile.alloc_barriers : !tile.barriers<1>
    gpu.barrier
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %ring_p = tile.alloc : !weights
    %ring_ds = tile.alloc : !weights
    %e0:4 = scf.for %t = %zero to %edges step %one iter_args(%a = %d0, %b = %d0, %turn_q = %first, %turn_do = %first) -> (!d, !d, i32, i32) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      tile.await %full_q[%turn_q] : !tile.barriers<4>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<4>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %c = tile.column %s at 63 : !s -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
      %p_in = tile.cast %e : !s -> !p
      %ds_in = tile.cast %y : !s -> !p
      tile.barrier of 8
      %p = tile.slot %ring_p[%zero] : !weights -> !tile.slot<!weights>
      tile.write %p_in to %p : !p, !tile.slot<!weights>
      %ds = tile.slot %ring_ds[%zero] : !weights -> !tile.slot<!weights>
      tile.write %ds_in to %ds : !p, !tile.slot<!weights>
      tile.barrier of 8
      %dq = tile.dot %ds, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %p transposed, %do into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_do[%turn_do] : !tile.barriers<4>
      %u = tile.dot %ds transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_q[%turn_q] : !tile.barriers<4>
      tile.hand_over %dq to %sums full %full_sums[%turn_q] : !dq, !tile.slot<!sums>, !tile.barriers<1>
      scf.yield %v, %u, %next_q, %next_do : !d, !d, i32, i32
    }
    %e1:4 = scf.for %t = %edges to %n step %one iter_args(%a = %e0#0, %b = %e0#1, %turn_q = %e0#2, %turn_do = %e0#3) -> (!d, !d, i32, i32) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      tile.await %full_q[%turn_q] : !tile.barriers<4>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<4>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %p_in = tile.cast %e : !s -> !p
      %ds_in = tile.cast %y : !s -> !p
      tile.barrier of 8
      %p = tile.slot %ring_p[%zero] : !weights -> !tile.slot<!weights>
      tile.write %p_in to %p : !p, !tile.slot<!weights>
      %ds = tile.slot %ring_ds[%zero] : !weights -> !tile.slot<!weights>
      tile.write %ds_in to %ds : !p, !tile.slot<!weights>
      tile.barrier of 8
      %dq = tile.dot %ds, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %p transposed, %do into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_do[%turn_do] : !tile.barriers<4>
      %u = tile.dot %ds transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_q[%turn_q] : !tile.barriers<4>
      tile.hand_over %dq to %sums full %full_sums[%turn_q] : !dq, !tile.slot<!sums>, !tile.barriers<1>
      scf.yield %v, %u, %next_q, %next_do : !d, !d, i32, i32
    }
    tile.write_fragments %e1#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}

// -----

// A ring of one stage cannot give two tiles at a time.
// CHECK-LABEL: gpu.func @one_stage
// CHECK-NOT: tile.clear
// CHECK: scf.for
// CHECK-NEXT: arith.addi
!ring = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!dq = tensor<64x64xf32, #tile.fragment<[row, slice], 8, split = 2>>
!d = tensor<128x64xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
!sums = !tile.buffer<1, [64, 64], f32, <bits = 3, shift = 0, panel = 8>>
gpu.module @kernels {
  gpu.func @one_stage(%SUM: !sum, %edges: index, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %first = arith.constant 0 : i32
    %step = arith.constant 1 : i32
    %s0 = arith.constant dense<0.0> : !s
    %q0 = arith.constant dense<0.0> : !dq
    %d0 = arith.constant dense<0.0> : !d
    %ring_q = tile.alloc : !ring
    %ring_do = tile.alloc : !ring
    %full_q = tile.alloc_barriers : !tile.barriers<1>
    %full_do = tile.alloc_barriers : !tile.barriers<1>
    %keys = tile.alloc : !keys
    %place = tile.alloc : !sums
    %sums = tile.slot %place[%zero] : !sums -> !tile.slot<!sums>
    %full_sums = tile.alloc_barriers : !tile.barriers<1>
    gpu.barrier
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %ring_p = tile.alloc : !weights
    %ring_ds = tile.alloc : !weights
    %e0:4 = scf.for %t = %zero to %edges step %one iter_args(%a = %d0, %b = %d0, %turn_q = %first, %turn_do = %first) -> (!d, !d, i32, i32) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      tile.await %full_q[%turn_q] : !tile.barriers<1>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<1>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %c = tile.column %s at 63 : !s -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
      %p_in = tile.cast %e : !s -> !p
      %ds_in = tile.cast %y : !s -> !p
      tile.barrier of 8
      %p = tile.slot %ring_p[%zero] : !weights -> !tile.slot<!weights>
      tile.write %p_in to %p : !p, !tile.slot<!weights>
      %ds = tile.slot %ring_ds[%zero] : !weights -> !tile.slot<!weights>
      tile.write %ds_in to %ds : !p, !tile.slot<!weights>
      tile.barrier of 8
      %dq = tile.dot %ds, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %p transposed, %do into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_do[%turn_do] : !tile.barriers<1>
      %u = tile.dot %ds transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_q[%turn_q] : !tile.barriers<1>
      tile.hand_over %dq to %sums full %full_sums[%turn_q] : !dq, !tile.slot<!sums>, !tile.barriers<1>
      scf.yield %v, %u, %next_q, %next_do : !d, !d, i32, i32
    }
    %e1:4 = scf.for %t = %edges to %n step %one iter_args(%a = %e0#0, %b = %e0#1, %turn_q = %e0#2, %turn_do = %e0#3) -> (!d, !d, i32, i32) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      tile.await %full_q[%turn_q] : !tile.barriers<1>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<1>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %p_in = tile.cast %e : !s -> !p
      %ds_in = tile.cast %y : !s -> !p
      tile.barrier of 8
      %p = tile.slot %ring_p[%zero] : !weights -> !tile.slot<!weights>
      tile.write %p_in to %p : !p, !tile.slot<!weights>
      %ds = tile.slot %ring_ds[%zero] : !weights -> !tile.slot<!weights>
      tile.write %ds_in to %ds : !p, !tile.slot<!weights>
      tile.barrier of 8
      %dq = tile.dot %ds, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %p transposed, %do into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_do[%turn_do] : !tile.barriers<1>
      %u = tile.dot %ds transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full_q[%turn_q] : !tile.barriers<1>
      tile.hand_over %dq to %sums full %full_sums[%turn_q] : !dq, !tile.slot<!sums>, !tile.barriers<1>
      scf.yield %v, %u, %next_q, %next_do : !d, !d, i32, i32
    }
    tile.write_fragments %e1#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}
