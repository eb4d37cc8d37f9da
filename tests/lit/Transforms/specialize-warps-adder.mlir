// RUN: landmark-opt %s --tile-specialize-warps="stages=3 consumers=8" --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-specialize-warps="stages=3 consumers=8 adder=group" --split-input-file | FileCheck %s --check-prefix=GROUP

// Without an adder consumers add what they have themselves, and tiles of fewer rows have more stages. (With one warp: specialize-warps.mlir.)
// CHECK-LABEL: gpu.func @adds(
// CHECK-SAME: known_block_size = array<i32: 384, 1, 1>
// CHECK: tile.alloc : <6, [64, 64], bf16,
// CHECK-NOT: tile.hand_over
// CHECK-NOT: tile.add_fragments
// CHECK: tile.write_fragments add

// A group of four warps makes the product and adds it: of weights that the consumers write to two places in turn, and of keys that it waits for, and gives back, as they do.
// GROUP-LABEL: gpu.func @adds(
// GROUP-SAME: known_block_size = array<i32: 512, 1, 1>
// GROUP: %[[KEYS:.*]] = tile.alloc : <1, [2, 64, 64], bf16,
// GROUP: %[[KEYS_FULL:.*]] = tile.alloc_barriers : <1, lanes = 32>
// GROUP: tile.alloc : <3, [64, 64], bf16,
// GROUP: %[[PLACES:.*]] = tile.alloc : <2, [64, 128], bf16, <bits = 0, shift = 0>>
// GROUP: %[[FULL:.*]] = tile.alloc_barriers : <2>
// GROUP: tile.init_barriers %[[KEYS_FULL]] consumers 12 : <1, lanes = 32>
// GROUP: tile.init_barriers %{{.*}} consumers 8 : <3, lanes = 32>
// GROUP: tile.init_barriers %[[FULL]] producers 8 consumers 4 : <2>
// The producer is behind it.
// GROUP: arith.constant 256 : index
// GROUP: scf.if
// GROUP: arith.constant 384 : index
// GROUP: scf.if
// GROUP: nvvm.setmaxregister decrease 24
// GROUP: arith.constant 384 : index
// GROUP: tile.fetch
// GROUP-NOT: tile.add_fragments
// GROUP: nvvm.setmaxregister decrease 72
// GROUP: tile.await %[[KEYS_FULL]]
// GROUP: %[[K:.*]] = tile.slot %[[KEYS]]
// GROUP: scf.for %[[ROW:[a-z0-9]+]] = {{.*}} iter_args({{.*}}, %[[TURN:[a-z0-9]+]] = %{{[a-z0-9_]+}}) -> (i32, i32) {
// GROUP-NOT: tile.fetch
// GROUP:   tile.await %[[FULL]][%[[TURN]]]
// GROUP-NEXT: tile.fence
// GROUP:   %[[DS:.*]] = tile.slot %[[PLACES]]
// GROUP:   %[[DQ:.*]] = tile.dot %[[DS]], %[[K]] into %{{.*}} in group 2 :
// GROUP:   tile.release %[[FULL]][%[[TURN]]]
// GROUP:   tile.write_fragments add %[[DQ]], %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]]]
// GROUP: tile.release %[[KEYS_FULL]]
// The consumers wait for a free place and no more.
// GROUP: nvvm.setmaxregister increase 208
// GROUP: scf.for {{.*}} iter_args({{.*}}%[[MINE:[a-z0-9]+]] = %{{[a-z0-9_]+}}) -> (tensor
// GROUP:   %[[WEIGHTS:.*]] = tile.cast
// GROUP:   tile.acquire %[[FULL]][%[[MINE]]]
// GROUP:   %[[PLACE:.*]] = tile.slot %[[PLACES]]
// GROUP:   tile.write %[[WEIGHTS]] to %[[PLACE]]
// GROUP:   tile.publish %[[FULL]][%[[MINE]]]
// GROUP-NOT: tile.dot
// GROUP:   tile.dot %[[WEIGHTS]] transposed
// GROUP-NOT: tile.write_fragments
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!sum_view = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
!s = tensor<64x2x64xf32>
!p = tensor<64x2x64xbf16>
gpu.module @kernels {
  gpu.func @adds(%Q: !view, %K: !view, %SUM: !sum_view, %n: index) kernel {
    %zero = arith.constant 0 : index
    %L = arith.constant 64 : index
    %step = arith.constant 64 : index
    %s0 = arith.constant dense<0.0> : !s
    %q0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %d0 = arith.constant dense<0.0> : tensor<128x64xf32>
    %k = tile.load %K[%zero, %zero, %zero] stride %L in [%zero, %n) : !view -> tensor<2x64x64xbf16>
    %dk = scf.for %row = %zero to %n step %step iter_args(%acc = %d0) -> tensor<128x64xf32> {
      %q = tile.load %Q[%zero, %zero, %row] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<2x64x64xbf16> -> !s
      %ds = tile.cast %s : !s -> !p
      %dq = tile.dot %ds, %k into %q0 : !p, tensor<2x64x64xbf16> -> tensor<64x64xf32>
      %next = tile.dot %ds transposed, %q into %acc : !p, tensor<64x64xbf16> -> tensor<128x64xf32>
      tile.write_fragments add %dq, %SUM[%zero, %zero, %row] : tensor<64x64xf32>, !sum_view
      scf.yield %next : tensor<128x64xf32>
    }
    gpu.return
  }
}
