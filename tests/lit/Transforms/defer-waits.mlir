// RUN: landmark-opt %s --tile-defer-waits -split-input-file | FileCheck %s

!queries = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!ring = !tile.buffer<2, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!slot = !tile.slot<!queries>
!s = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
!p = tensor<64x64xbf16, #tile.fragment<[row, column], 4>>

// Two products begin together; each is waited for where it is used, and what it reads is given back behind its wait. A wait for
// the last of them has a wait for a barrier before it, which keeps it behind the work. The sum is waited for behind the first product of the
// next iteration, where its operand of the iteration before is given back, if there was one, and after the loop.
// CHECK-LABEL: gpu.func @gradients(
// CHECK: %[[LOOP:.*]]:3 = scf.for %[[IV:.*]] = %[[FROM:.*]] to %[[TO:.*]] step %{{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[TURN:.*]] = %{{.*}}, %[[LAST:.*]] = %{{.*}})
// CHECK:   tile.await %[[KEYS:.*]][%[[TURN]]]
// CHECK:   %[[S:.*]] = tile.dot %{{.*}} transpose into %{{.*}} by wgmma async
// CHECK:   %[[SUM:.*]] = tile.dot_wait %[[ACC]] pending 1
// CHECK:   %[[LATER:.*]] = arith.cmpi ne, %[[IV]], %[[FROM]]
// CHECK:   scf.if %[[LATER]] {
// CHECK:     tile.release %[[KEYS]][%[[LAST]]]
// CHECK:   }
// CHECK:   tile.await %[[VALUES:.*]][%[[TURN]]]
// CHECK:   %[[A:.*]] = tile.dot %{{.*}} transpose into %{{.*}} by wgmma async
// CHECK-NOT: tile.release
// CHECK:   %[[LOGITS:.*]] = tile.dot_wait %[[S]] pending 1
// CHECK:   math.exp2 %[[LOGITS]]
// CHECK-NOT: tile.release
// CHECK:   tile.await %[[VALUES]][%[[TURN]]]
// CHECK-NEXT: %[[PRODUCTS:.*]] = tile.dot_wait %[[A]] pending 0
// CHECK:   tile.release %[[VALUES]][%[[TURN]]]
// CHECK:   arith.mulf %{{.*}}, %[[PRODUCTS]]
// CHECK:   %[[NEXT:.*]] = tile.dot %{{.*}}, %{{.*}} into %[[SUM]] by wgmma async
// CHECK-NOT: tile.dot_wait
// CHECK:   scf.yield %[[NEXT]], %{{.*}}, %[[TURN]]
// CHECK: }
// CHECK: %[[END:.*]] = tile.dot_wait %[[LOOP]]#0 pending 0
// CHECK: %[[RAN:.*]] = arith.cmpi slt, %[[FROM]], %[[TO]]
// CHECK: scf.if %[[RAN]] {
// CHECK:   tile.release %[[KEYS]][%[[LOOP]]#2]
// CHECK: }
// CHECK: tile.store %[[END]]
gpu.module @kernels {
  gpu.func @gradients(%q: !slot, %out: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %turn0 = arith.constant 0 : i32
    %step = arith.constant 1 : i32
    %s0 = arith.constant dense<0.0> : !s
    %keys = tile.alloc : !ring
    %values = tile.alloc : !ring
    %full_keys = tile.alloc_barriers : !tile.barriers<2>
    %full_values = tile.alloc_barriers : !tile.barriers<2>
    %sum, %turns = scf.for %i = %zero to %n step %one iter_args(%acc = %s0, %turn = %turn0) -> (!s, i32) {
      %next_turn = arith.addi %turn, %step : i32
      %stage = arith.index_cast %turn : i32 to index
      tile.await %full_keys[%turn] : !tile.barriers<2>
      %k = tile.slot %keys[%stage] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !slot, !tile.slot<!ring> -> !s
      tile.await %full_values[%turn] : !tile.barriers<2>
      %v = tile.slot %values[%stage] : !ring -> !tile.slot<!ring>
      %a = tile.dot %q, %v transpose into %s0 by wgmma : !slot, !tile.slot<!ring> -> !s
      tile.release %full_values[%turn] : !tile.barriers<2>
      %e = math.exp2 %s : !s
      %d = arith.mulf %e, %a : !s
      %p = tile.cast %d : !s -> !p
      %next = tile.dot %p, %k into %acc by wgmma : !p, !tile.slot<!ring> -> !s
      tile.release %full_keys[%turn] : !tile.barriers<2>
      scf.yield %next, %next_turn : !s, i32
    }
    tile.store %sum, %out[%zero, %zero, %zero] below %n : !s, memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

!queries = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!slot = !tile.slot<!queries>
!s = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
!p = tensor<64x64xbf16, #tile.fragment<[row, column], 4>>

// A ring of one stage cannot be held into the next iteration: the sum is waited for at the end of its own.
// CHECK-LABEL: gpu.func @one_stage(
// CHECK: scf.for
// CHECK:   %[[NEXT:.*]] = tile.dot %{{[^,]*}}, %arg1 into %{{.*}} by wgmma async
// CHECK:   %[[DONE:.*]] = tile.dot_wait %[[NEXT]] pending 0
// CHECK:   tile.release
// CHECK:   scf.yield %[[DONE]]
gpu.module @kernels {
  gpu.func @one_stage(%q: !slot, %k: !slot, %out: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %turn = arith.constant 0 : i32
    %s0 = arith.constant dense<0.0> : !s
    %full = tile.alloc_barriers : !tile.barriers<1>
    %sum = scf.for %i = %zero to %n step %one iter_args(%acc = %s0) -> !s {
      tile.await %full[%turn] : !tile.barriers<1>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !slot, !slot -> !s
      %p = tile.cast %s : !s -> !p
      %next = tile.dot %p, %k into %acc by wgmma : !p, !slot -> !s
      tile.release %full[%turn] : !tile.barriers<1>
      scf.yield %next : !s
    }
    tile.store %sum, %out[%zero, %zero, %zero] below %n : !s, memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

!queries = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!slot = !tile.slot<!queries>
!s = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// A product of a program that a loop runs, beside the program's own loops, is none of an iteration: it keeps its wait.
// CHECK-LABEL: gpu.func @programs(
// CHECK: scf.for
// CHECK:   tile.dot %{{[^,]*}}, %arg1 transpose into %{{.*}} by wgmma :
// CHECK:   scf.for
// CHECK:     tile.dot %{{[^,]*}}, %arg1 transpose into %{{.*}} by wgmma async
gpu.module @kernels {
  gpu.func @programs(%q: !slot, %k: !slot, %out: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : !s
    scf.for %program = %zero to %n step %one {
      %first = tile.dot %q, %k transpose into %s0 by wgmma : !slot, !slot -> !s
      %sum = scf.for %i = %zero to %n step %one iter_args(%acc = %first) -> !s {
        %next = tile.dot %q, %k transpose into %acc by wgmma : !slot, !slot -> !s
        scf.yield %next : !s
      }
      tile.store %sum, %out[%zero, %zero, %program] below %n : !s, memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
    }
    gpu.return
  }
}

// -----

// Products by mma.sync have no waits, and products outside of loops keep theirs.
// CHECK-LABEL: gpu.func @others(
// CHECK-NOT: async
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @others(%q: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %n: index) kernel {
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32, #tile.fragment<[row, column], 4>>
    %s = tile.dot %q, %q transpose into %s0 by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x64xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}
