// RUN: landmark-opt %s --allow-unregistered-dialect --tile-overlap-products -split-input-file | FileCheck %s

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!q = !tile.slot<!q_tile>
!kv = !tile.slot<!kv_tile>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
!p = tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// CHECK-LABEL: gpu.func @rotated(
// CHECK-SAME: %[[Q:[^:]*]]: !tile.slot<{{[^%]*}}, %[[S0:[^:]*]]: tensor<{{[^%]*}}, %[[O0:[^:]*]]: tensor<
// CHECK-SAME: %[[LOW:[^:]*]]: index, %[[HIGH:[^:]*]]: index, %[[STEP:[^:]*]]: index, %[[T0:[^:]*]]: i32
// CHECK: %[[K_RING:.*]] = tile.alloc :
// CHECK: %[[K_BARRIERS:.*]] = tile.alloc_barriers
// CHECK: %[[V_RING:.*]] = tile.alloc :
// CHECK: %[[V_BARRIERS:.*]] = tile.alloc_barriers
// Nothing runs where there is no iteration.
// CHECK: %[[EXISTS:.*]] = arith.cmpi slt, %[[LOW]], %[[HIGH]]
// CHECK: %[[RESULT:.*]]:2 = scf.if %[[EXISTS]]
// Of the first iteration the first product and what is made of it. Values are not touched.
// CHECK-NOT: tile.await %[[V_BARRIERS]]
// CHECK:   %[[T1:.*]] = arith.addi %[[T0]],
// CHECK:   tile.await %[[K_BARRIERS]][%[[T0]]]
// CHECK:   %[[K:.*]] = tile.slot %[[K_RING]]
// CHECK-NOT: async
// CHECK:   %[[S:.*]] = tile.dot %[[Q]], %[[K]] transpose into %[[S0]] by wgmma :
// CHECK:   tile.release %[[K_BARRIERS]][%[[T0]]]
// CHECK:   %[[E:.*]] = math.exp2 %[[S]]
// CHECK:   %[[P:.*]] = tile.cast %[[E]]
// CHECK:   %[[V:.*]] = tile.slot %[[V_RING]]
// CHECK-NOT: tile.release %[[V_BARRIERS]]
// The second iteration's keys are waited for if there is one.
// CHECK:   %[[SECOND:.*]] = arith.addi %[[LOW]], %[[STEP]]
// CHECK:   %[[MORE:.*]] = arith.cmpi slt, %[[SECOND]], %[[HIGH]]
// CHECK:   scf.if %[[MORE]] {
// CHECK:     tile.await %[[K_BARRIERS]][%[[T1]]]
// CHECK-NOT: tile.dot
// CHECK:   }

// The loop carries this iteration's keys' turn, and of the iteration before the turn, the weights and the values.
// CHECK:   %[[LAST:.*]]:5 = scf.for %[[IV:.*]] = %[[SECOND]] to %[[HIGH]] step %[[STEP]]
// CHECK-SAME: iter_args(%[[ACC:.*]] = %[[O0]], %[[T:.*]] = %[[T1]], %[[OLD_T:.*]] = %[[T0]], %[[OLD_P:.*]] = %[[P]], %[[OLD_V:.*]] = %[[V]])
// The keys were waited for before; both products are begun before either is waited for.
// CHECK-NOT: tile.await %[[K_BARRIERS]]
// CHECK:     %[[NEXT_T:.*]] = arith.addi %[[T]],
// CHECK:     %[[K:.*]] = tile.slot %[[K_RING]]
// CHECK:     %[[S:.*]] = tile.dot %[[Q]], %[[K]] transpose into %[[S0]] by wgmma async :
// CHECK:     tile.await %[[V_BARRIERS]][%[[OLD_T]]]
// CHECK:     %[[O:.*]] = tile.dot %[[OLD_P]], %[[OLD_V]] into %[[ACC]] by wgmma async :
// CHECK:     %[[LOGITS:.*]] = tile.dot_wait %[[S]] pending 1
// CHECK:     tile.release %[[K_BARRIERS]][%[[T]]]
// The softmax runs beside the second product; the weights stay as they are until that has read the last ones.
// CHECK:     %[[E:.*]] = math.exp2 %[[LOGITS]]
// CHECK-NOT: tile.cast
// CHECK:     %[[V:.*]] = tile.slot %[[V_RING]]
// CHECK:     %[[NEXT:.*]] = arith.addi %[[IV]], %[[STEP]]
// CHECK:     %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[HIGH]]
// CHECK:     scf.if %[[MORE]] {
// CHECK:       tile.await %[[K_BARRIERS]][%[[NEXT_T]]]
// CHECK-NOT: tile.dot_wait
// CHECK:     }
// CHECK:     %[[SUM:.*]] = tile.dot_wait %[[O]] pending 0
// CHECK:     tile.release %[[V_BARRIERS]][%[[OLD_T]]]
// CHECK:     %[[BEHIND:.*]] = tile.dot_wait %[[E]] pending 0
// CHECK:     %[[P:.*]] = tile.cast %[[BEHIND]]
// CHECK:     scf.yield %[[SUM]], %[[NEXT_T]], %[[T]], %[[P]], %[[V]] :
// CHECK:   }

// Of the last iteration the second product, which nothing runs beside.
// CHECK:   tile.await %[[V_BARRIERS]][%[[LAST]]#2]
// CHECK:   %[[END:.*]] = tile.dot %[[LAST]]#3, %[[LAST]]#4 into %[[LAST]]#0 by wgmma :
// CHECK:   tile.release %[[V_BARRIERS]][%[[LAST]]#2]
// CHECK:   scf.yield %[[END]], %[[LAST]]#1
// CHECK: } else {
// CHECK:   scf.yield %[[O0]], %[[T0]]
// CHECK: }
// CHECK: "test.use"(%[[RESULT]]#0, %[[RESULT]]#1)
gpu.module @kernels {
  gpu.func @rotated(%q: !q, %s0: !s, %o0: !o, %low: index, %high: index, %step: index, %t0: i32) kernel {
    %one = arith.constant 1 : i32
    %zero = arith.constant 0 : index
    %k_ring = tile.alloc : !kv_tile
    %k_barriers = tile.alloc_barriers : !tile.barriers<2>
    %v_ring = tile.alloc : !kv_tile
    %v_barriers = tile.alloc_barriers : !tile.barriers<2>
    %o:2 = scf.for %iv = %low to %high step %step iter_args(%acc = %o0, %t = %t0) -> (!o, i32) {
      %next = arith.addi %t, %one : i32
      tile.await %k_barriers[%t] : !tile.barriers<2>
      %k = tile.slot %k_ring[%zero] : !kv_tile -> !kv
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      tile.release %k_barriers[%t] : !tile.barriers<2>
      %e = math.exp2 %s : !s
      %p = tile.cast %e : !s -> !p
      tile.await %v_barriers[%t] : !tile.barriers<2>
      %v = tile.slot %v_ring[%zero] : !kv_tile -> !kv
      %sum = tile.dot %p, %v into %acc by wgmma : !p, !kv -> !o
      tile.release %v_barriers[%t] : !tile.barriers<2>
      scf.yield %sum, %next : !o, i32
    }
    "test.use"(%o#0, %o#1) : (!o, i32) -> ()
    gpu.return
  }
}

// -----

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!q = !tile.slot<!q_tile>
!kv = !tile.slot<!kv_tile>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
!p = tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// Weights that are rounded before they are scaled are rounded beside the second product, and scaled behind it.
// CHECK-LABEL: gpu.func @rounded_early(
// CHECK: scf.for
// CHECK: %[[S:.*]] = tile.dot {{.*}} transpose into {{.*}} by wgmma async
// CHECK: %[[O:.*]] = tile.dot {{.*}} by wgmma async
// CHECK: %[[LOGITS:.*]] = tile.dot_wait %[[S]] pending 1
// CHECK: %[[P:.*]] = tile.cast %[[LOGITS]]
// CHECK-NOT: arith.mulf
// CHECK: tile.dot_wait %[[O]] pending 0
// CHECK: %[[BEHIND:.*]] = tile.dot_wait %[[P]] pending 0 : tensor<64x1x64xbf16,
// CHECK: arith.mulf %[[BEHIND]], %{{.*}} : tensor<64x1x64xbf16,
// CHECK-NEXT: scf.yield
gpu.module @kernels {
  gpu.func @rounded_early(%q: !q, %k: !kv, %v: !kv, %f: !p, %s0: !s, %o0: !o, %low: index, %high: index, %step: index) kernel {
    %o = scf.for %iv = %low to %high step %step iter_args(%acc = %o0) -> !o {
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      %rounded = tile.cast %s : !s -> !p
      %p = arith.mulf %rounded, %f : !p
      %sum = tile.dot %p, %v into %acc by wgmma : !p, !kv -> !o
      scf.yield %sum : !o
    }
    "test.use"(%o) : (!o) -> ()
    gpu.return
  }
}

// -----

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>

// A loop with one product has nothing to run beside it.
// CHECK-LABEL: gpu.func @one_product(
// CHECK-NOT: scf.if
// CHECK: scf.for
// CHECK:   tile.dot {{.*}} by wgmma :
// CHECK-NOT: tile.dot
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @one_product(%q: !tile.slot<!q_tile>, %k: !tile.slot<!kv_tile>, %s0: !s, %low: index, %high: index, %step: index) kernel {
    %s = scf.for %iv = %low to %high step %step iter_args(%acc = %s0) -> !s {
      %next = tile.dot %q, %k transpose into %acc by wgmma : !tile.slot<!q_tile>, !tile.slot<!kv_tile> -> !s
      scf.yield %next : !s
    }
    gpu.return
  }
}

// -----

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0>>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
!p = tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// Products of mma cannot be begun and waited for later.
// CHECK-LABEL: gpu.func @mma(
// CHECK-NOT: scf.if
// CHECK: scf.for
// CHECK-COUNT-2: tile.dot
// CHECK-NOT: tile.dot
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @mma(%q: !tile.slot<!q_tile>, %k: !tile.slot<!kv_tile>, %s0: !s, %o0: !o, %low: index, %high: index, %step: index) kernel {
    %o = scf.for %iv = %low to %high step %step iter_args(%acc = %o0) -> !o {
      %s = tile.dot %q, %k transpose into %s0 : !tile.slot<!q_tile>, !tile.slot<!kv_tile> -> !s
      %p = tile.cast %s : !s -> !p
      %next = tile.dot %p, %k into %acc : !p, !tile.slot<!kv_tile> -> !o
      scf.yield %next : !o
    }
    gpu.return
  }
}

// -----

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
!p = tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// Where the accumulator is worked on before it is added to, the second product would have to be over by then.
// CHECK-LABEL: gpu.func @rescaled(
// CHECK-NOT: scf.if
// CHECK: scf.for
// CHECK-NOT: async
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @rescaled(%q: !tile.slot<!q_tile>, %k: !tile.slot<!kv_tile>, %s0: !s, %o0: !o, %low: index, %high: index, %step: index) kernel {
    %o = scf.for %iv = %low to %high step %step iter_args(%acc = %o0) -> !o {
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!q_tile>, !tile.slot<!kv_tile> -> !s
      %p = tile.cast %s : !s -> !p
      %scaled = arith.mulf %acc, %acc : !o
      %next = tile.dot %p, %k into %scaled by wgmma : !p, !tile.slot<!kv_tile> -> !o
      scf.yield %next : !o
    }
    gpu.return
  }
}

// -----

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!q = !tile.slot<!q_tile>
!kv = !tile.slot<!kv_tile>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
!p = tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// A loop that runs, as it ends at no less than 1, leaves its last second product to the loop behind it: nothing is asked, and two products are multiplied alone,
// the first one of all and the last.
// CHECK-LABEL: gpu.func @chained(
// CHECK: %[[Q_BARRIERS:.*]] = tile.alloc_barriers
// CHECK: %[[END:.*]] = arith.maxsi
// CHECK: tile.dot {{.*}} transpose {{.*}} by wgmma :
// CHECK: %[[P:.*]] = tile.cast
// CHECK: %[[EDGES:.*]]:3 = scf.for %{{.*}} = %{{.*}} to %[[END]] {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %[[P]], %{{.*}} = %{{.*}})
// CHECK-COUNT-2: tile.dot {{.*}} by wgmma async
// CHECK-NOT: tile.dot {{.*}} by wgmma
// CHECK: %[[ALL:.*]]:3 = scf.for {{.*}} iter_args(%{{.*}} = %[[EDGES]]#0, %{{.*}} = %[[EDGES]]#1, %{{.*}} = %[[EDGES]]#2)
// CHECK-COUNT-2: tile.dot {{.*}} by wgmma async
// What is given back behind the loops was for the first product: its place may be filled under the last one.
// CHECK: tile.release %[[Q_BARRIERS]]
// CHECK: %[[O:.*]] = tile.dot %[[ALL]]#1, %[[ALL]]#2 into %[[ALL]]#0 by wgmma :
// CHECK-NOT: tile.dot
// CHECK: "test.use"(%[[O]])
gpu.module @kernels {
  gpu.func @chained(%q: !q, %s0: !s, %o0: !o, %edges: index, %high: index, %k: !kv) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %ring = tile.alloc : !kv_tile
    %q_barriers = tile.alloc_barriers : !tile.barriers<1>
    %turn = arith.constant 0 : i32
    %end = arith.maxsi %edges, %one : index
    %o1 = scf.for %iv = %zero to %end step %one iter_args(%acc = %o0) -> !o {
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      %e = math.exp2 %s : !s
      %p = tile.cast %e : !s -> !p
      %v = tile.slot %ring[%iv] : !kv_tile -> !kv
      %sum = tile.dot %p, %v into %acc by wgmma : !p, !kv -> !o
      scf.yield %sum : !o
    }
    %o2 = scf.for %iv = %end to %high step %one iter_args(%acc = %o1) -> !o {
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      %p = tile.cast %s : !s -> !p
      %v = tile.slot %ring[%iv] : !kv_tile -> !kv
      %sum = tile.dot %p, %v into %acc by wgmma : !p, !kv -> !o
      scf.yield %sum : !o
    }
    tile.release %q_barriers[%turn] : !tile.barriers<1>
    "test.use"(%o2) : (!o) -> ()
    gpu.return
  }
}

// -----

!q_tile = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!kv_tile = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!q = !tile.slot<!q_tile>
!kv = !tile.slot<!kv_tile>
!s = tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
!p = tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
!row = tensor<64xf32, #tile.fragment<[row], 4>>

// A sum that the first stage says a factor for: of the iteration before, one number a row is carried, and the sum is multiplied behind the first product's begin.
// CHECK-LABEL: gpu.func @scaled(
// CHECK: tile.dot {{.*}} transpose into %{{.*}} by wgmma :
// CHECK: %[[FIRST:.*]] = tile.reduce max
// CHECK-NOT: arith.mulf
// CHECK: scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[FACTOR:[^ ]*]] = %[[FIRST]], %[[OLD_P:.*]] = %{{.*}})
// CHECK:   tile.dot {{.*}} transpose into %{{.*}} by wgmma async :
// CHECK-NEXT: %[[WIDE:.*]] = tile.broadcast %[[FACTOR]] to [0]
// CHECK-NEXT: %[[SCALED:.*]] = arith.mulf %[[ACC]], %[[WIDE]]
// CHECK-NEXT: %[[O:.*]] = tile.dot %[[OLD_P]], %{{.*}} into %[[SCALED]] by wgmma async :
// CHECK:   %[[NEXT:.*]] = tile.reduce max
// CHECK:   %[[SUM:.*]] = tile.dot_wait %[[O]] pending 0
// CHECK:   scf.yield %[[SUM]], %[[NEXT]],
// CHECK: }
// CHECK: %[[WIDE:.*]] = tile.broadcast
// CHECK: %[[SCALED:.*]] = arith.mulf %{{.*}}, %[[WIDE]]
// CHECK: tile.dot %{{.*}} into %[[SCALED]] by wgmma :
gpu.module @kernels {
  gpu.func @scaled(%q: !q, %k: !kv, %v: !kv, %s0: !s, %o0: !o) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %four = arith.constant 4 : index
    %o = scf.for %iv = %zero to %four step %one iter_args(%acc = %o0) -> !o {
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      %factor = tile.reduce max %s along [1, 2] : !s -> !row
      %e = math.exp2 %s : !s
      %p = tile.cast %e : !s -> !p
      %wide = tile.broadcast %factor to [0] : !row -> !o
      %scaled = arith.mulf %acc, %wide : !o
      %sum = tile.dot %p, %v into %scaled by wgmma : !p, !kv -> !o
      scf.yield %sum : !o
    }
    "test.use"(%o) : (!o) -> ()
    gpu.return
  }
}
