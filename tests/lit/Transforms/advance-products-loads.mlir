// RUN: landmark-opt %s --tile-advance-products | FileCheck %s
// RUN: landmark-opt %s --tile-advance-products=early-registers=0 | FileCheck %s --check-prefix=NEVER
// RUN: landmark-opt %s --tile-advance-products=early-registers=256 | FileCheck %s --check-prefix=NEVER

// Rows that the loop loads into registers are loaded before it for the first tile, if there is one, and behind the barrier for the next: at the row that the next iteration has.
// CHECK-LABEL: gpu.func @loads
// CHECK-SAME: %[[LSE:[^:]*]]: memref<?x?x?xf32, strided<[?, ?, 1]>>, %[[ROWS:[^:]*]]: index, %[[N:[^:]*]]: index
// CHECK: tile.dot
// CHECK: %[[EXISTS:.*]] = arith.cmpi slt, %[[FROM:.*]], %[[N]]
// CHECK: %[[HIGH:.*]] = arith.select %[[EXISTS]], %[[ROWS]], %{{.*}} : index
// CHECK: %[[FIRST:.*]] = tile.load %[[LSE]][%{{.*}}, %{{.*}}, %{{.*}}] in[%{{.*}}, %[[HIGH]])
// CHECK: scf.for %[[T:.*]] = %[[FROM]] to %[[N]] {{.*}}%[[ROW:[a-z0-9]+]] = %{{[a-z0-9_]+}}, %[[S:[a-z0-9]+]] = %{{[a-z0-9_]+}},{{.*}} %[[HERE:[a-z0-9]+]] = %[[FIRST]])
// CHECK-NOT: tile.load
// CHECK:   tile.broadcast %[[HERE]]
// CHECK:   tile.barrier of 8
// CHECK:   tile.barrier of 8
// CHECK:   %[[NEXT_ROW:.*]] = arith.addi %[[ROW]], %{{.*}} : index
// CHECK:   %[[NEXT:.*]] = arith.addi %[[T]]
// CHECK:   %[[COMES:.*]] = arith.cmpi slt, %[[NEXT]], %[[N]]
// CHECK:   %[[END:.*]] = arith.select %[[COMES]], %[[ROWS]], %{{.*}} : index
// CHECK:   %[[AHEAD:.*]] = tile.load %[[LSE]][%{{.*}}, %{{.*}}, %[[NEXT_ROW]]] in[%{{.*}}, %[[END]])
// CHECK:   tile.dot
// CHECK-NOT: tile.load
// CHECK:   scf.yield {{.*}}, %[[AHEAD]] :

// Not where registers are for something else: none for what is begun early, or sums begun late.
// NEVER-LABEL: gpu.func @loads
// NEVER-NOT: tile.load
// NEVER: scf.for
// NEVER: tile.load
// NEVER-NOT: tile.load
!ring = !tile.buffer<4, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!row = tensor<64xf32, #tile.fragment<[row], 8, split = 2>>
!blocks = tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
!dq = tensor<64x128xf32, #tile.fragment<[row, slice], 8, split = 2>>
!d = tensor<128x128xf32, #tile.fragment<[row, column], 8>>
!sum = memref<?x?x?x128xf32, strided<[?, ?, 128, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, 1]>>
gpu.module @kernels {
  gpu.func @loads(%SUM: !sum, %LSE: !rows, %rows: index, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %tile = arith.constant 64 : index
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
    %e0:5 = scf.for %t = %zero to %n step %one iter_args(%a = %d0, %b = %d0, %turn_q = %first, %turn_do = %first, %row = %zero) -> (!d, !d, i32, i32, index) {
      %next_q = arith.addi %turn_q, %step : i32
      %next_do = arith.addi %turn_do, %step : i32
      %stage_q = arith.index_cast %turn_q : i32 to index
      %stage_do = arith.index_cast %turn_do : i32 to index
      %lse = tile.load %LSE[%zero, %zero, %row] in [%zero, %rows) : !rows -> !row
      tile.await %full_q[%turn_q] : !tile.barriers<4>
      %q = tile.slot %ring_q[%stage_q] : !ring -> !tile.slot<!ring>
      %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      tile.await %full_do[%turn_do] : !tile.barriers<4>
      %do = tile.slot %ring_do[%stage_do] : !ring -> !tile.slot<!ring>
      %x = tile.dot %do, %k transpose into %s0 by wgmma : !tile.slot<!ring>, !tile.slot<!keys> -> !s
      %e = math.exp2 %s : !s
      %wide = tile.broadcast %lse to [0] : !row -> !blocks
      %all = tile.broadcast %wide to [0, 1] : !blocks -> !s
      %w = arith.mulf %e, %all : !s
      %y = arith.mulf %w, %x : !s
      %p_in = tile.cast %w : !s -> !p
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
      tile.write_fragments add %dq, %SUM[%zero, %zero, %row] : !dq, !sum
      %next_row = arith.addi %row, %tile : index
      scf.yield %v, %u, %next_q, %next_do, %next_row : !d, !d, i32, i32, index
    }
    tile.write_fragments %e0#0, %SUM[%zero, %zero, %zero] : !d, !sum
    gpu.return
  }
}
