// RUN: landmark-opt %s --tile-poll-early -split-input-file | FileCheck %s

!ring = !tile.barriers<2>
!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x2x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// Of values it is asked in front of what is begun first, of the next keys behind the wait for logits: both answers come while something else is done. Who was told that a stage is full
// waits for nothing.
// CHECK-LABEL: gpu.func @rotated(
// CHECK-SAME: %[[KEYS:[^:]*]]: !tile.barriers<2>, %[[VALUES:[^:]*]]: !tile.barriers<2>
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%{{.*}}, %[[TURN:.*]] = %{{.*}}, %[[OLD:.*]] = %
// CHECK:   %[[NEXT:.*]] = arith.addi %[[TURN]],
// CHECK:   %[[VALUES_FULL:.*]] = tile.poll %[[VALUES]][%[[OLD]]]
// CHECK:   %[[BEGUN:.*]] = tile.dot {{.*}} transpose {{.*}} async
// CHECK:   %[[VALUES_MISSING:.*]] = arith.xori %[[VALUES_FULL]], %true
// CHECK:   scf.if %[[VALUES_MISSING]] {
// CHECK:     tile.await %[[VALUES]][%[[OLD]]]
// CHECK-NEXT: }
// CHECK:   %[[SUM:.*]] = tile.dot {{.*}} async
// CHECK:   tile.dot_wait %[[BEGUN]]
// CHECK:   tile.release %[[KEYS]][%[[TURN]]]
// CHECK:   %[[KEYS_FULL:.*]] = tile.poll %[[KEYS]][%[[NEXT]]]
// CHECK:   math.exp2
// CHECK:   %[[EXISTS:.*]] = arith.cmpi slt
// CHECK:   %[[KEYS_MISSING:.*]] = arith.xori %[[KEYS_FULL]], %true
// CHECK:   %[[WAITS:.*]] = arith.andi %[[EXISTS]], %[[KEYS_MISSING]]
// CHECK:   scf.if %[[WAITS]] {
// CHECK:     tile.await %[[KEYS]][%[[NEXT]]]
// CHECK-NEXT: }
// CHECK:   tile.dot_wait %[[SUM]]
gpu.module @kernels {
  gpu.func @rotated(%keys: !ring, %values: !ring, %q: !q, %k: !kv, %p: !p, %v: !kv, %s0: !s, %o0: !o, %n: index, %turn0: i32) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %one_turn = arith.constant 1 : i32
    %o, %t, %u = scf.for %i = %zero to %n step %one iter_args(%acc = %o0, %turn = %turn0, %old = %turn0) -> (!o, i32, i32) {
      %next = arith.addi %turn, %one_turn : i32
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      tile.await %values[%old] : !ring
      %sum = tile.dot %p, %v into %acc by wgmma async : !p, !kv -> !o
      %s = tile.dot_wait %begun pending 1 : !s
      tile.release %keys[%turn] : !ring
      %e = math.exp2 %s : !s
      %behind = arith.addi %i, %one : index
      %exists = arith.cmpi slt, %behind, %n : index
      scf.if %exists {
        tile.await %keys[%next] : !ring
      }
      %acc_next = tile.dot_wait %sum pending 0 : !o
      scf.yield %acc_next, %next, %turn : !o, i32, i32
    }
    gpu.return
  }
}

// -----

!ring = !tile.barriers<2>
!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!fits = tensor<128x2xi1, #tile.fragment<[row, block], 8>>

// A vote has an answer to wait for anyway: no predicate is kept through the work in front of it.
// CHECK-LABEL: gpu.func @vote(
// CHECK-SAME: %[[KEYS:[^:]*]]: !tile.barriers<2>
// CHECK: tile.dot_wait
// CHECK-NOT: tile.poll
// CHECK: math.exp2
// CHECK: %[[FULL:.*]] = tile.poll %[[KEYS]]
// CHECK-NEXT: tile.all
// CHECK: arith.xori %[[FULL]]
// CHECK: scf.if
gpu.module @kernels {
  gpu.func @vote(%keys: !ring, %q: !q, %k: !kv, %s0: !s, %fits: !fits, %n: index, %turn: i32) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    scf.for %i = %zero to %n step %one {
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %s = tile.dot_wait %begun pending 0 : !s
      %e = math.exp2 %s : !s
      %all = tile.all %fits : !fits
      tile.await %keys[%turn] : !ring
    }
    gpu.return
  }
}

// -----

!ring = !tile.barriers<2>
!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [4, 32, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x4x32xf32, #tile.fragment<[row, block, column], 8>>
!fits = tensor<128x4xi1, #tile.fragment<[row, block], 8>>

// Beside the numbers of four blocks there is no room for it; nor is it asked where the turn is not known yet, where nothing lies between, or where no products are begun.
// CHECK-LABEL: gpu.func @as_it_was(
// CHECK-NOT: tile.poll
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @as_it_was(%keys: !ring, %q: !q, %k: !kv, %s0: !s, %fits: !fits, %n: index, %turn: i32, %turns: memref<?xi32>) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    scf.for %i = %zero to %n step %one {
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %s = tile.dot_wait %begun pending 0 : !s
      %e = math.exp2 %s : !s
      %all = tile.all %fits : !fits
      tile.await %keys[%turn] : !ring
    }
    scf.for %i = %zero to %n step %one {
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %s = tile.dot_wait %begun pending 0 : !s
      %e = math.exp2 %s : !s
      %late = memref.load %turns[%i] : memref<?xi32>
      tile.await %keys[%late] : !ring
    }
    scf.for %i = %zero to %n step %one {
      tile.await %keys[%turn] : !ring
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %s = tile.dot_wait %begun pending 0 : !s
      tile.await %keys[%turn] : !ring
    }
    scf.for %i = %zero to %n step %one {
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      tile.await %keys[%turn] : !ring
    }
    gpu.return
  }
}
