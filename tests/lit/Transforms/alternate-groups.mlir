// RUN: landmark-opt %s --tile-alternate-groups -split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-alternate-groups=warps=12 -split-input-file | FileCheck %s --check-prefix=THREE
// RUN: landmark-opt %s --tile-alternate-groups=warps=4 -split-input-file | FileCheck %s --check-prefix=ALONE --implicit-check-not=_turn

// The first turn is given away at the start of the consumers' branch, once for all loops. A turn lasts from before the first product that is begun until behind the
// last one, and no wait falls into it. Loops that wait for every product take no turns.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: scf.if
// CHECK-NOT: _turn
// CHECK: } else {
// CHECK-NEXT: tile.first_turn of 2
// CHECK-NEXT: gpu.barrier
// CHECK: scf.for
// CHECK:   scf.for
// CHECK-NOT: _turn
// CHECK:     tile.dot {{.*}} by wgmma :
// CHECK-NOT: _turn
// CHECK:   scf.for
// CHECK-NEXT: tile.begin_turn of 2
// CHECK-NEXT: tile.dot {{.*}} transpose {{.*}} async
// CHECK-NEXT: tile.dot {{.*}} async
// CHECK-NEXT: tile.end_turn of 2
// CHECK-NEXT: tile.dot_wait
// CHECK-NOT: _turn
// CHECK:   scf.for
// CHECK-NEXT: tile.begin_turn of 2
// CHECK-COUNT-2: async
// CHECK-NEXT: tile.end_turn of 2
// CHECK-NOT: _turn
// CHECK: gpu.return

// THREE-LABEL: gpu.func @kernel(
// THREE: tile.first_turn of 3
// THREE: tile.begin_turn of 3
// THREE: tile.end_turn of 3

// A single group has nobody to take turns with.
// ALONE-LABEL: gpu.func @kernel(
// ALONE-COUNT-4: async
// ALONE: gpu.return

!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x1x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x1x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>
gpu.module @kernels {
  gpu.func @kernel(%q: !q, %k: !kv, %p: !p, %s0: !s, %o0: !o, %n: index, %is_producer: i1) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    scf.if %is_producer {
      gpu.barrier
    } else {
      gpu.barrier
      scf.for %program = %zero to %n step %one {
        scf.for %i = %zero to %n step %one {
          %s = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
        }
        %o = scf.for %i = %zero to %n step %one iter_args(%acc = %o0) -> !o {
          %s = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
          %begun = tile.dot %p, %k into %acc by wgmma async : !p, !kv -> !o
          %logits = tile.dot_wait %s pending 1 : !s
          %sum = tile.dot_wait %begun pending 0 : !o
          scf.yield %sum : !o
        }
        %more = scf.for %i = %zero to %n step %one iter_args(%acc = %o) -> !o {
          %s = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
          %begun = tile.dot %p, %k into %acc by wgmma async : !p, !kv -> !o
          %logits = tile.dot_wait %s pending 1 : !s
          %sum = tile.dot_wait %begun pending 0 : !o
          scf.yield %sum : !o
        }
      }
    }
    gpu.return
  }
}

// -----

!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!kv = !tile.slot<!tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x1x64xf32, #tile.fragment<[row, block, column], 8>>

// A kernel that begins no products in pairs gives no first turn either.
// CHECK-LABEL: gpu.func @no_pairs(
// CHECK-NOT: _turn
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @no_pairs(%q: !q, %k: !kv, %s0: !s, %n: index, %is_producer: i1) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    scf.if %is_producer {
      gpu.barrier
    } else {
      scf.for %i = %zero to %n step %one {
        %begun = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
        %s = tile.dot_wait %begun pending 0 : !s
      }
    }
    gpu.return
  }
}
