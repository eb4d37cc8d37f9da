// RUN: landmark-opt %s --tile-advance-products --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-advance-products=early-registers=0 --split-input-file | FileCheck %s --check-prefix=NEVER
// RUN: landmark-opt %s --tile-advance-products --tile-defer-waits --split-input-file | FileCheck %s --check-prefix=WAITS

// The first product of the first tile is begun before the loops, if a tile comes in any; that of the next in every iteration, behind the last use of its own and of the
// column that it has, the last one for the loop behind. What the third product adds is added an iteration later, and after the loop. The sums are those of the iteration before,
// of zeros in the first one, and the last ones behind the loops.
// CHECK-LABEL: gpu.func @early
// CHECK-DAG: tile.clear %[[P:.*]] from 0 every 64
// CHECK-DAG: tile.clear %[[DS:.*]] from 0 every 64
// CHECK: gpu.barrier
// CHECK: %[[LATER:.*]] = arith.ori %{{.*}}, %{{.*}} : i1
// CHECK: %[[COMES:.*]] = arith.ori %{{.*}}, %[[LATER]] : i1
// CHECK: scf.if %[[COMES]] {
// CHECK:   tile.await %[[FULL:.*]][%[[ZERO:.*]]] : <4>
// CHECK: }
// CHECK: %[[S0:.*]] = tile.dot %{{.*}}, %[[K:.*]] transpose
// CHECK: %[[EDGES:.*]]:12 = scf.for %[[IV:.*]] = %[[FROM:.*]] to %{{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}, %[[Q:.*]] = %[[ZERO]], %[[DO:.*]] = %[[ZERO]], %[[S:.*]] = %[[S0]], %[[HAS:.*]] = %{{.*}}, %[[LAST_Q:.*]] = %[[ZERO]], %[[LAST_DO:.*]] = %[[ZERO]], %[[DQ:.*]] = %{{.*}}, %{{.*}}, %{{.*}}, %[[ROW:.*]] = %{{.*}})
// CHECK:   %[[NEXT:.*]] = arith.addi %[[Q]]
// CHECK-NOT: tile.await %[[FULL]]
// CHECK:   %[[X:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// CHECK:   %[[E:.*]] = math.exp2 %[[S]]
// CHECK:   arith.mulf %[[E]], %[[X]]
// CHECK:   tile.column %[[S]]
// CHECK:   %[[NOT_FIRST:.*]] = arith.cmpi ne, %[[IV]], %[[FROM]]
// CHECK:   scf.if %[[NOT_FIRST]] {
// CHECK:     tile.write_fragments add %[[DQ]], %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]]]
// CHECK:   }
// CHECK:   arith.ori %{{.*}}, %[[LATER]]
// CHECK:   tile.await %[[FULL]][%[[NEXT]]]
// CHECK:   %[[AHEAD:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// CHECK:   arith.select %[[HAS]], %[[LAST_Q]], %[[Q]]
// CHECK:   arith.select %[[HAS]], %[[LAST_DO]], %[[DO]]
// CHECK:   %[[V:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[A]]
// CHECK:   %[[U:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[B]]
// CHECK:   tile.barrier of 8
// CHECK:   scf.if %[[HAS]] {
// CHECK:     tile.release %{{.*}}[%[[LAST_DO]]]
// CHECK:     tile.release %[[FULL]][%[[LAST_Q]]]
// CHECK:   }
// CHECK:   %[[ADDED:.*]] = tile.dot %{{.*}}, %[[K]] into
// CHECK-NOT: tile.release
// CHECK-NOT: write_fragments
// CHECK:   scf.yield %[[V]], %[[U]], %[[NEXT]], %{{.*}}, %[[AHEAD]], %true{{.*}}, %[[Q]], %[[DO]], %[[ADDED]], %{{.*}}, %{{.*}}, %[[IV]]
// CHECK: }
// CHECK: scf.if
// CHECK:   tile.write_fragments add %[[EDGES]]#8, %{{.*}}[%{{.*}}, %{{.*}}, %[[EDGES]]#11]
// CHECK-NOT: tile.dot
// CHECK: %[[INNER:.*]]:12 = scf.for {{.*}} iter_args(%{{.*}} = %[[EDGES]]#0, {{.*}} = %[[EDGES]]#4, {{.*}} = %[[EDGES]]#5, {{.*}} = %[[EDGES]]#6, {{.*}} = %[[EDGES]]#7,
// CHECK: %[[SUMS:.*]]:2 = scf.if %[[INNER]]#5
// CHECK:   %[[LAST_V:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[INNER]]#0
// CHECK:   %[[LAST_U:.*]] = tile.dot %{{.*}} transposed, %{{.*}} into %[[INNER]]#1
// CHECK:   tile.release %{{.*}}[%[[INNER]]#7]
// CHECK:   tile.release %[[FULL]][%[[INNER]]#6]
// CHECK:   scf.yield %[[LAST_V]], %[[LAST_U]]
// CHECK: tile.write_fragments %[[SUMS]]#0,

// Behind the third product, and nothing else moved, if so told.
// NEVER-LABEL: gpu.func @early
// NEVER-NOT: tile.clear
// NEVER: scf.for
// NEVER-NOT: transposed
// NEVER:   tile.barrier of 8
// NEVER:   tile.dot
// NEVER:   tile.await
// NEVER:   tile.dot {{.*}} transpose

// Nothing is under way where the sums begin, one group of products; they are done before the barrier behind which their operands are written anew, and the next first product,
// begun before them, with them.
// WAITS-LABEL: gpu.func @early
// WAITS: scf.for {{.*}} iter_args(%{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %[[HANDED:[a-z0-9]+]] =
// WAITS:   tile.dot_wait %[[HANDED]] pending 2
// WAITS:   %[[X:.*]] = tile.dot {{.*}} async :
// WAITS:   tile.dot_wait %[[X]] pending 0
// WAITS:   %[[AHEAD:.*]] = tile.dot {{.*}} async :
// WAITS:   tile.dot {{.*}} transposed, {{.*}} async joined
// WAITS:   %[[U:.*]] = tile.dot {{.*}} transposed, {{.*}} async :
// WAITS:   tile.dot_wait %[[U]] pending 0
// WAITS:   tile.barrier of 8
// WAITS:   tile.dot {{.*}} async :
// WAITS:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[AHEAD]],
!ring = !tile.buffer<4, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!dq = tensor<64x64xf32, #tile.fragment<[row, slice], 8, split = 2>>
!d = tensor<128x64xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @early(%SUM: !sum, %edges: index, %n: index) kernel {
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next_q, %next_do : !d, !d, i32, i32
    }
    tile.write_fragments %e1#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}

// -----

// Where registers do not hold that much at once the first product is begun behind the third one, and nothing else moves.
// CHECK-LABEL: gpu.func @late
// CHECK-NOT: tile.clear
// CHECK: %[[S0:.*]] = tile.dot
// CHECK: scf.for
// CHECK:   tile.dot %{{.*}} transpose
// CHECK:   tile.barrier of 8
// CHECK:   %[[DQ:.*]] = tile.dot %{{.*}}, %[[K:.*]] into
// CHECK:   tile.await
// CHECK:   %[[AHEAD:.*]] = tile.dot %{{.*}}, %[[K]] transpose
// CHECK:   tile.dot %{{.*}} transposed
// CHECK:   tile.dot %{{.*}} transposed
// CHECK:   tile.write_fragments add %[[DQ]]
// CHECK:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[AHEAD]] :

// The sums are one group, which runs on while the next iteration works on what was begun before them.
// WAITS-LABEL: gpu.func @late
// WAITS: scf.for {{.*}} iter_args(%[[DV:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %[[DK:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = %{{[a-z0-9_]+}}, %[[HANDED:[a-z0-9]+]] =
// WAITS:   %[[S:.*]] = tile.dot_wait %[[HANDED]] pending 1
// WAITS:   %[[X:.*]] = tile.dot {{.*}} async :
// WAITS:   math.exp2 %[[S]]
// WAITS-DAG: tile.dot_wait %[[DV]] pending 0
// WAITS-DAG: tile.dot_wait %[[DK]] pending 0
// WAITS:   tile.dot_wait %[[X]] pending 0
// WAITS:   %[[DQ:.*]] = tile.dot {{.*}} async :
// WAITS:   tile.dot {{.*}} transpose {{.*}} async :
// WAITS:   tile.dot {{.*}} transposed, {{.*}} async joined
// WAITS:   tile.dot {{.*}} transposed, {{.*}} async :
// WAITS:   tile.dot_wait %[[DQ]] pending 2
!ring = !tile.buffer<4, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!dq = tensor<64x128xf32, #tile.fragment<[row, slice], 8, split = 2>>
!d = tensor<128x128xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x128xf32, strided<[?, ?, 128, 1]>>
gpu.module @kernels {
  gpu.func @late(%SUM: !sum, %edges: index, %n: index) kernel {
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next_q, %next_do : !d, !d, i32, i32
    }
    tile.write_fragments %e1#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}
