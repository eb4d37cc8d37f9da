// RUN: landmark-opt %s --tile-advance-products --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-advance-products=early-registers=0 --split-input-file | FileCheck %s --check-prefix=NEVER
// RUN: landmark-opt %s --tile-advance-products --tile-defer-waits --split-input-file | FileCheck %s --check-prefix=WAITS

// The first product of the first tile is begun before the loops, if a tile comes in any; that of the next in every iteration, behind the last use of its own and of the
// column that it has, the last one for the loop behind. What the third product adds is added an iteration later, and after the loop.
// CHECK-LABEL: gpu.func @early
// CHECK: %[[LATER:.*]] = arith.ori %{{.*}}, %{{.*}} : i1
// CHECK: %[[COMES:.*]] = arith.ori %{{.*}}, %[[LATER]] : i1
// CHECK: scf.if %[[COMES]] {
// CHECK:   tile.await %[[FULL:.*]][%[[ZERO:.*]]] : <4>
// CHECK: }
// CHECK: %[[S0:.*]] = tile.dot %{{.*}}, %[[K:.*]] transpose
// CHECK: %[[EDGES:.*]]:8 = scf.for %[[IV:.*]] = %[[FROM:.*]] to %{{.*}} iter_args(%{{.*}}, %{{.*}}, %[[TURN:.*]] = %[[ZERO]], %[[S:.*]] = %[[S0]], %[[DQ:.*]] = %{{.*}}, %{{.*}}, %{{.*}}, %[[ROW:.*]] = %{{.*}})
// CHECK:   %[[NEXT:.*]] = arith.addi %[[TURN]]
// CHECK-NOT: tile.await
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
// CHECK:   tile.barrier of 8
// CHECK:   %[[ADDED:.*]] = tile.dot %{{.*}}, %[[K]] into
// CHECK-NOT: write_fragments
// CHECK:   scf.yield %{{.*}}, %{{.*}}, %[[NEXT]], %[[AHEAD]], %[[ADDED]], %{{.*}}, %{{.*}}, %[[IV]]
// CHECK: }
// CHECK: scf.if
// CHECK:   tile.write_fragments add %[[EDGES]]#4, %{{.*}}[%{{.*}}, %{{.*}}, %[[EDGES]]#7]
// CHECK-NOT: tile.dot
// CHECK: scf.for {{.*}} iter_args({{.*}}, %{{.*}} = %[[EDGES]]#3,

// No earlier than behind the third product, if so told.
// NEVER-LABEL: gpu.func @early
// NEVER: scf.for
// NEVER:   tile.barrier of 8
// NEVER:   tile.dot
// NEVER:   tile.await
// NEVER:   tile.dot {{.*}} transpose

// The iteration's own is done where the products behind the barrier begin: those are one group, which the next iteration waits for with the second product.
// WAITS-LABEL: gpu.func @early
// WAITS: scf.for
// WAITS:   %[[X:.*]] = tile.dot {{.*}} async :
// WAITS:   tile.dot_wait %{{.*}} pending 0
// WAITS:   tile.dot_wait %{{.*}} pending 0
// WAITS:   tile.dot_wait %[[X]] pending 0
// WAITS:   %[[AHEAD:.*]] = tile.dot {{.*}} async :
// WAITS:   tile.barrier of 8
// WAITS:   %[[S:.*]] = tile.dot_wait %[[AHEAD]] pending 0
// WAITS:   tile.dot {{.*}} async joined
// WAITS:   tile.dot {{.*}} async joined
// WAITS:   tile.dot {{.*}} async :
// WAITS:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %[[S]],
!ring = !tile.buffer<4, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
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
    %rows = tile.alloc : !ring
    %full = tile.alloc_barriers : !tile.barriers<4>
    %keys = tile.alloc : !keys
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %weights = tile.alloc : !weights
    %w = tile.slot %weights[%zero] : !weights -> !tile.slot<!weights>
    %dv, %dk, %turns = scf.for %t = %zero to %edges step %one iter_args(%a = %d0, %b = %d0, %turn = %first) -> (!d, !d, i32) {
      %next = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full[%turn] : !tile.barriers<4>
      %q = tile.slot %rows[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %x = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %c = tile.column %s at 63 : !s -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
      tile.barrier of 8
      %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %w transposed, %q into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      %u = tile.dot %w transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full[%turn] : !tile.barriers<4>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next : !d, !d, i32
    }
    %dv2, %dk2, %turns2 = scf.for %t = %edges to %n step %one iter_args(%a = %dv, %b = %dk, %turn = %turns) -> (!d, !d, i32) {
      %next = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full[%turn] : !tile.barriers<4>
      %q = tile.slot %rows[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %x = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      tile.barrier of 8
      %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %w transposed, %q into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      %u = tile.dot %w transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full[%turn] : !tile.barriers<4>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next : !d, !d, i32
    }
    tile.write_fragments %dv2, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}

// -----

// Where registers do not hold that much at once the product is begun behind the third one, whose result is added in its own iteration.
// CHECK-LABEL: gpu.func @late
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
// CHECK:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %[[AHEAD]] :

// The sums are one group, which runs on while the next iteration works on what was begun before them.
// WAITS-LABEL: gpu.func @late
// WAITS: scf.for {{.*}} iter_args(%[[DV:.*]] = %{{.*}}, %[[DK:.*]] = %{{.*}}, %{{.*}}, %[[HANDED:[a-z0-9]+]] = %{{[a-z0-9]+}}, %{{[a-z0-9]+}} = %{{[^)]*}}) ->
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
    %rows = tile.alloc : !ring
    %full = tile.alloc_barriers : !tile.barriers<4>
    %keys = tile.alloc : !keys
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %weights = tile.alloc : !weights
    %w = tile.slot %weights[%zero] : !weights -> !tile.slot<!weights>
    %dv, %dk, %turns = scf.for %t = %zero to %edges step %one iter_args(%a = %d0, %b = %d0, %turn = %first) -> (!d, !d, i32) {
      %next = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full[%turn] : !tile.barriers<4>
      %q = tile.slot %rows[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %x = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %c = tile.column %s at 63 : !s -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
      tile.barrier of 8
      %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %w transposed, %q into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      %u = tile.dot %w transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full[%turn] : !tile.barriers<4>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next : !d, !d, i32
    }
    %dv2, %dk2, %turns2 = scf.for %t = %edges to %n step %one iter_args(%a = %dv, %b = %dk, %turn = %turns) -> (!d, !d, i32) {
      %next = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full[%turn] : !tile.barriers<4>
      %q = tile.slot %rows[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %x = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      tile.barrier of 8
      %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %w transposed, %q into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      %u = tile.dot %w transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full[%turn] : !tile.barriers<4>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next : !d, !d, i32
    }
    tile.write_fragments %dv2, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}

// -----

// A ring of one stage cannot give two tiles at a time, and a loop of fewer products is left as it is.
// CHECK-LABEL: gpu.func @one_stage
// CHECK: scf.for
// CHECK-NEXT: arith.addi
!ring = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
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
    %rows = tile.alloc : !ring
    %full = tile.alloc_barriers : !tile.barriers<1>
    %keys = tile.alloc : !keys
    %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
    %weights = tile.alloc : !weights
    %w = tile.slot %weights[%zero] : !weights -> !tile.slot<!weights>
    %dv, %dk, %turns = scf.for %t = %zero to %edges step %one iter_args(%a = %d0, %b = %d0, %turn = %first) -> (!d, !d, i32) {
      %next = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full[%turn] : !tile.barriers<1>
      %q = tile.slot %rows[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %x = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      %c = tile.column %s at 63 : !s -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
      tile.barrier of 8
      %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %w transposed, %q into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      %u = tile.dot %w transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full[%turn] : !tile.barriers<1>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next : !d, !d, i32
    }
    %dv2, %dk2, %turns2 = scf.for %t = %edges to %n step %one iter_args(%a = %dv, %b = %dk, %turn = %turns) -> (!d, !d, i32) {
      %next = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full[%turn] : !tile.barriers<1>
      %q = tile.slot %rows[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %x = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %y = arith.mulf %e, %x : !s
      tile.barrier of 8
      %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
      %v = tile.dot %w transposed, %q into %a by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      %u = tile.dot %w transposed, %q into %b by wgmma : !tile.slot<!weights>, !tile.slot<!ring> -> !d
      tile.release %full[%turn] : !tile.barriers<1>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %t] : !dq, !sum
      scf.yield %v, %u, %next : !d, !d, i32
    }
    tile.write_fragments %dv2, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}
