// RUN: landmark-opt %s --tile-scale-late -split-input-file | FileCheck %s

!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x2x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// The loop carries weights and factors, at first the weights that it is given and ones. What it multiplies stands behind the first product's begin, in front of the product that reads it, and once more behind the loop.
// CHECK-LABEL: gpu.func @rotated(
// CHECK-SAME: %[[P0:[^:]*]]: tensor<128x2x64xbf16
// CHECK: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<128x2x64xbf16
// CHECK: %[[LOOP:.*]]:3 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[W:.*]] = %[[P0]], %[[F:.*]] = %[[ONE]])
// CHECK:   tile.dot {{.*}} transpose {{.*}} async
// CHECK-NEXT: %[[PINNED:.*]] = tile.dot_wait %[[W]] pending 1
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[PINNED]], %[[F]]
// CHECK-NEXT: tile.dot %[[P]], {{.*}} async
// CHECK:   %[[E:.*]] = tile.cast
// CHECK:   %[[FACTORS:.*]] = math.absf %[[E]]
// CHECK:   %[[SUM:.*]] = tile.dot_wait %{{.*}} pending 0
// CHECK-NOT: arith.mulf
// CHECK:   scf.yield %[[SUM]], %[[E]], %[[FACTORS]]
// CHECK: %[[LAST:.*]] = tile.dot_wait %[[LOOP]]#1 pending 0
// CHECK: %[[LAST_P:.*]] = arith.mulf %[[LAST]], %[[LOOP]]#2
// CHECK: tile.dot %[[LAST_P]], %{{.*}} into %[[LOOP]]#0
gpu.module @kernels {
  gpu.func @rotated(%p0: !p, %q: !q, %k: !kv, %v: !kv, %s0: !s, %o0: !o, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %o, %p = scf.for %i = %zero to %n step %one iter_args(%acc = %o0, %w = %p0) -> (!o, !p) {
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %sum = tile.dot %w, %v into %acc by wgmma async : !p, !kv -> !o
      %s = tile.dot_wait %begun pending 1 : !s
      %e = tile.cast %s : !s -> !p
      %f = math.absf %e : !p
      %acc_next = tile.dot_wait %sum pending 0 : !o
      %pinned = tile.dot_wait %e pending 0 : !p
      %w_next = arith.mulf %pinned, %f : !p
      scf.yield %acc_next, %w_next : !o, !p
    }
    %last = tile.dot %p, %v into %o by wgmma : !p, !kv -> !o
    gpu.return
  }
}

// -----

!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x2x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// Weights that are read by the product that is begun first, or by something besides, are scaled where they are.
// CHECK-LABEL: gpu.func @first(
// CHECK: scf.for {{.*}} -> (tensor<128x64xf32{{.*}}>, tensor<128x2x64xbf16{{[^,]*}}, {{[^,]*}}, {{[^>]*}}>>) {
// CHECK: %[[W:.*]] = arith.mulf
// CHECK: scf.yield %{{.*}}, %[[W]]
// CHECK: scf.for
// CHECK: %[[W:.*]] = arith.mulf
// CHECK: scf.yield %{{.*}}, %[[W]]
gpu.module @kernels {
  gpu.func @first(%p0: !p, %q: !q, %k: !kv, %v: !kv, %s0: !s, %o0: !o, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %o, %p = scf.for %i = %zero to %n step %one iter_args(%acc = %o0, %w = %p0) -> (!o, !p) {
      %sum = tile.dot %w, %v into %acc by wgmma async : !p, !kv -> !o
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %s = tile.dot_wait %begun pending 0 : !s
      %e = tile.cast %s : !s -> !p
      %f = math.absf %e : !p
      %acc_next = tile.dot_wait %sum pending 0 : !o
      %w_next = arith.mulf %e, %f : !p
      scf.yield %acc_next, %w_next : !o, !p
    }
    %o2, %p2 = scf.for %i = %zero to %n step %one iter_args(%acc = %o, %w = %p) -> (!o, !p) {
      %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %sum = tile.dot %w, %v into %acc by wgmma async : !p, !kv -> !o
      %s = tile.dot_wait %begun pending 1 : !s
      %e = tile.cast %s : !s -> !p
      %acc_next = tile.dot_wait %sum pending 0 : !o
      %w_next = arith.mulf %e, %w : !p
      scf.yield %acc_next, %w_next : !o, !p
    }
    gpu.return
  }
}
