// RUN: landmark-opt %s --tile-lag-fetches -split-input-file | FileCheck %s

!barriers = !tile.barriers<2>
!ring = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!ring>
!s = tensor<128x1x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x1x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// Values are fetched one iteration later than their keys: in the first loop not in the first iteration, in the loop behind at first what the first one left, the last behind both. Their turns are
// counted as they are fetched. Where a row begins goes on in 32 bits.
// CHECK-LABEL: gpu.func @chained(
// CHECK-SAME: %[[KEYS:[^:]*]]: !tile.barriers<2>, %[[VALUES:[^:]*]]: !tile.barriers<2>, {{.*}} %[[KEY_MAP:[^:]*]]: !llvm.ptr, %[[VALUE_MAP:[^:]*]]: !llvm.ptr
// CHECK-SAME: %[[T0:[^:]*]]: i32, %[[U0:[^:]*]]: i32
// CHECK: scf.if
// CHECK: %[[EDGES:.*]]:3 = scf.for %[[I:.*]] = %[[ZERO:[^ ]*]] to {{.*}} iter_args(%[[T:.*]] = %[[T0]], %[[U:.*]] = %[[U0]], %[[OLD:.*]] = %
// CHECK:   %[[ROW:.*]] = arith.muli %[[I]],
// CHECK:   tile.acquire %[[KEYS]][%[[T]]]
// CHECK:   tile.fetch %[[KEY_MAP]][%{{.*}}, %{{.*}}, %[[ROW]]] {{.*}} full %[[KEYS]][%[[T]]]
// CHECK:   %[[OLD_ROW:.*]] = arith.index_cast %[[OLD]] : i32 to index
// CHECK:   %[[LATER:.*]] = arith.cmpi ne, %[[I]], %[[ZERO]]
// CHECK:   %[[U_NEXT:.*]] = scf.if %[[LATER]] -> (i32) {
// CHECK:     %[[COUNTED:.*]] = arith.addi %[[U]],
// CHECK:     tile.acquire %[[VALUES]][%[[U]]]
// CHECK:     tile.fetch %[[VALUE_MAP]][%{{.*}}, %{{.*}}, %[[OLD_ROW]]] {{.*}} full %[[VALUES]][%[[U]]]
// CHECK:     scf.yield %[[COUNTED]]
// CHECK:   } else {
// CHECK:     scf.yield %[[U]]
// CHECK-NOT: tile.fetch
// CHECK:   %[[LEFT:.*]] = arith.index_cast %[[ROW]] : index to i32
// CHECK:   scf.yield %{{.*}}, %[[U_NEXT]], %[[LEFT]]
// CHECK: %[[INTERIOR:.*]]:3 = scf.for {{.*}} iter_args(%[[T:.*]] = %[[EDGES]]#0, %[[U:.*]] = %[[EDGES]]#1, %[[OLD:.*]] = %[[EDGES]]#2)
// CHECK:   tile.fetch %[[KEY_MAP]]
// CHECK:   %[[OLD_ROW:.*]] = arith.index_cast %[[OLD]] : i32 to index
// CHECK-NOT: scf.if
// CHECK:   %[[COUNTED:.*]] = arith.addi %[[U]],
// CHECK:   tile.acquire %[[VALUES]][%[[U]]]
// CHECK:   tile.fetch %[[VALUE_MAP]][%{{.*}}, %{{.*}}, %[[OLD_ROW]]] {{.*}} full %[[VALUES]][%[[U]]]
// CHECK-NOT: tile.fetch
// CHECK:   scf.yield %{{.*}}, %[[COUNTED]], %
// CHECK: %[[LAST_ROW:.*]] = arith.index_cast %[[INTERIOR]]#2 : i32 to index
// CHECK: tile.acquire %[[VALUES]][%[[INTERIOR]]#1]
// CHECK: tile.fetch %[[VALUE_MAP]][%{{.*}}, %{{.*}}, %[[LAST_ROW]]] {{.*}} full %[[VALUES]][%[[INTERIOR]]#1]
// CHECK-NOT: tile.fetch
// CHECK: } else {
gpu.module @kernels {
  gpu.func @chained(%keys: !barriers, %values: !barriers, %k_ring: !ring, %v_ring: !ring, %k_map: !llvm.ptr, %v_map: !llvm.ptr, %t0: i32, %u0: i32, %is_producer: i1, %n: index,
                    %m: index, %q: !q, %k: !kv, %p: !p, %v: !kv, %s0: !s, %o0: !o) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %rows = arith.constant 64 : index
    %one_turn = arith.constant 1 : i32
    %edges = arith.maxsi %n, %one : index
    scf.if %is_producer {
      %t, %u = scf.for %i = %zero to %edges step %one iter_args(%turn = %t0, %value_turn = %u0) -> (i32, i32) {
        %row = arith.muli %i, %rows : index
        %next = arith.addi %turn, %one_turn : i32
        tile.acquire %keys[%turn] : !barriers
        %stage = arith.index_cast %turn : i32 to index
        %slot = tile.slot %k_ring[%stage] : !ring -> !kv
        tile.fetch %k_map[%zero, %zero, %row] boxes 1 of 64 apart 0 to %slot full %keys[%turn] : !llvm.ptr, !kv, !barriers
        %value_next = arith.addi %value_turn, %one_turn : i32
        tile.acquire %values[%value_turn] : !barriers
        %value_stage = arith.index_cast %value_turn : i32 to index
        %value_slot = tile.slot %v_ring[%value_stage] : !ring -> !kv
        tile.fetch %v_map[%zero, %zero, %row] boxes 1 of 64 apart 0 to %value_slot full %values[%value_turn] : !llvm.ptr, !kv, !barriers
        scf.yield %next, %value_next : i32, i32
      }
      %t2, %u2 = scf.for %i = %edges to %m step %one iter_args(%turn = %t, %value_turn = %u) -> (i32, i32) {
        %row = arith.muli %i, %rows : index
        %next = arith.addi %turn, %one_turn : i32
        tile.acquire %keys[%turn] : !barriers
        %stage = arith.index_cast %turn : i32 to index
        %slot = tile.slot %k_ring[%stage] : !ring -> !kv
        tile.fetch %k_map[%zero, %zero, %row] boxes 1 of 64 apart 0 to %slot full %keys[%turn] : !llvm.ptr, !kv, !barriers
        %value_next = arith.addi %value_turn, %one_turn : i32
        tile.acquire %values[%value_turn] : !barriers
        %value_stage = arith.index_cast %value_turn : i32 to index
        %value_slot = tile.slot %v_ring[%value_stage] : !ring -> !kv
        tile.fetch %v_map[%zero, %zero, %row] boxes 1 of 64 apart 0 to %value_slot full %values[%value_turn] : !llvm.ptr, !kv, !barriers
        scf.yield %next, %value_next : i32, i32
      }
    } else {
      %o, %w = scf.for %i = %one to %m step %one iter_args(%acc = %o0, %turn = %u0) -> (!o, i32) {
        %next = arith.addi %turn, %one_turn : i32
        %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
        tile.await %values[%turn] : !barriers
        %sum = tile.dot %p, %v into %acc by wgmma async : !p, !kv -> !o
        %s = tile.dot_wait %begun pending 1 : !s
        %acc_next = tile.dot_wait %sum pending 0 : !o
        scf.yield %acc_next, %next : !o, i32
      }
    }
    gpu.return
  }
}

// -----

!barriers = !tile.barriers<2>
!ring = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!ring>
!s = tensor<128x1x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x1x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// A loop that may not run has nothing to leave; neither has one whose consumers wait for both operands before they begin, nor one that fetches the same values again and again.
// CHECK-LABEL: gpu.func @may_not_run(
// CHECK: scf.for {{.*}} -> (i32, i32) {
// CHECK:   tile.fetch
// CHECK:   tile.fetch
// CHECK:   scf.yield
// CHECK-NOT: tile.fetch
// CHECK: gpu.return
// CHECK-LABEL: gpu.func @waits_first(
// CHECK: scf.for {{.*}} -> (i32, i32) {
// CHECK:   tile.fetch
// CHECK:   tile.fetch
// CHECK:   scf.yield
// CHECK-NOT: tile.fetch
// CHECK: gpu.return
// CHECK-LABEL: gpu.func @same_values(
// CHECK: scf.for {{.*}} -> (i32, i32) {
// CHECK:   tile.fetch
// CHECK:   tile.fetch
// CHECK:   scf.yield
// CHECK-NOT: tile.fetch
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @may_not_run(%keys: !barriers, %values: !barriers, %k_ring: !ring, %v_ring: !ring, %k_map: !llvm.ptr, %v_map: !llvm.ptr, %t0: i32, %is_producer: i1, %n: index,
                        %q: !q, %k: !kv, %p: !p, %v: !kv, %s0: !s, %o0: !o) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %one_turn = arith.constant 1 : i32
    scf.if %is_producer {
      %t, %u = scf.for %i = %zero to %n step %one iter_args(%turn = %t0, %value_turn = %t0) -> (i32, i32) {
        %next = arith.addi %turn, %one_turn : i32
        tile.acquire %keys[%turn] : !barriers
        %slot = tile.slot %k_ring[%zero] : !ring -> !kv
        tile.fetch %k_map[%zero, %zero, %i] boxes 1 of 64 apart 0 to %slot full %keys[%turn] : !llvm.ptr, !kv, !barriers
        %value_next = arith.addi %value_turn, %one_turn : i32
        tile.acquire %values[%value_turn] : !barriers
        %value_slot = tile.slot %v_ring[%zero] : !ring -> !kv
        tile.fetch %v_map[%zero, %zero, %i] boxes 1 of 64 apart 0 to %value_slot full %values[%value_turn] : !llvm.ptr, !kv, !barriers
        scf.yield %next, %value_next : i32, i32
      }
    } else {
      %o = scf.for %i = %zero to %n step %one iter_args(%acc = %o0) -> !o {
        %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
        tile.await %values[%t0] : !barriers
        %sum = tile.dot %p, %v into %acc by wgmma async : !p, !kv -> !o
        scf.yield %sum : !o
      }
    }
    gpu.return
  }

  gpu.func @waits_first(%keys: !barriers, %values: !barriers, %k_ring: !ring, %v_ring: !ring, %k_map: !llvm.ptr, %v_map: !llvm.ptr, %t0: i32, %is_producer: i1, %n: index,
                        %q: !q, %k: !kv, %p: !p, %v: !kv, %s0: !s, %o0: !o) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %one_turn = arith.constant 1 : i32
    %some = arith.maxsi %n, %one : index
    scf.if %is_producer {
      %t, %u = scf.for %i = %zero to %some step %one iter_args(%turn = %t0, %value_turn = %t0) -> (i32, i32) {
        %next = arith.addi %turn, %one_turn : i32
        tile.acquire %keys[%turn] : !barriers
        %slot = tile.slot %k_ring[%zero] : !ring -> !kv
        tile.fetch %k_map[%zero, %zero, %i] boxes 1 of 64 apart 0 to %slot full %keys[%turn] : !llvm.ptr, !kv, !barriers
        %value_next = arith.addi %value_turn, %one_turn : i32
        tile.acquire %values[%value_turn] : !barriers
        %value_slot = tile.slot %v_ring[%zero] : !ring -> !kv
        tile.fetch %v_map[%zero, %zero, %i] boxes 1 of 64 apart 0 to %value_slot full %values[%value_turn] : !llvm.ptr, !kv, !barriers
        scf.yield %next, %value_next : i32, i32
      }
    } else {
      %o = scf.for %i = %zero to %some step %one iter_args(%acc = %o0) -> !o {
        tile.await %keys[%t0] : !barriers
        tile.await %values[%t0] : !barriers
        %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
        %sum = tile.dot %p, %v into %acc by wgmma async : !p, !kv -> !o
        scf.yield %sum : !o
      }
    }
    gpu.return
  }

  gpu.func @same_values(%keys: !barriers, %values: !barriers, %k_ring: !ring, %v_ring: !ring, %k_map: !llvm.ptr, %v_map: !llvm.ptr, %t0: i32, %is_producer: i1, %n: index,
                        %q: !q, %k: !kv, %p: !p, %v: !kv, %s0: !s, %o0: !o) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %one_turn = arith.constant 1 : i32
    %some = arith.maxsi %n, %one : index
    scf.if %is_producer {
      %t, %u = scf.for %i = %zero to %some step %one iter_args(%turn = %t0, %value_turn = %t0) -> (i32, i32) {
        %next = arith.addi %turn, %one_turn : i32
        tile.acquire %keys[%turn] : !barriers
        %slot = tile.slot %k_ring[%zero] : !ring -> !kv
        tile.fetch %k_map[%zero, %zero, %i] boxes 1 of 64 apart 0 to %slot full %keys[%turn] : !llvm.ptr, !kv, !barriers
        %value_next = arith.addi %value_turn, %one_turn : i32
        tile.acquire %values[%value_turn] : !barriers
        %value_slot = tile.slot %v_ring[%zero] : !ring -> !kv
        tile.fetch %v_map[%zero, %zero, %zero] boxes 1 of 64 apart 0 to %value_slot full %values[%value_turn] : !llvm.ptr, !kv, !barriers
        scf.yield %next, %value_next : i32, i32
      }
    } else {
      %o = scf.for %i = %zero to %some step %one iter_args(%acc = %o0) -> !o {
        %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
        tile.await %values[%t0] : !barriers
        %sum = tile.dot %p, %v into %acc by wgmma async : !p, !kv -> !o
        scf.yield %sum : !o
      }
    }
    gpu.return
  }
}
