// RUN: landmark-opt %s --allow-unregistered-dialect --tile-allocate-shared --split-input-file | FileCheck %s

// What lives through both loops lies at the bottom; the rings of the loops share the place above it, on 128 bytes.
// CHECK-LABEL: gpu.func @loops
// CHECK: tile.alloc {offset = 0 : i64} : <1, [16, 24], bf16
// CHECK: tile.alloc {offset = 768 : i64} : <2, [16, 64], bf16
// CHECK: tile.alloc {offset = 4864 : i64} : <2, [16, 24], bf16
// CHECK: tile.alloc {offset = 768 : i64} : <1, [16, 64], bf16
!q = !tile.buffer<1, [16, 24], bf16, <bits = 0, shift = 0>>
!a = !tile.buffer<2, [16, 64], bf16, <bits = 0, shift = 0>>
!b = !tile.buffer<2, [16, 24], bf16, <bits = 0, shift = 0>>
!c = !tile.buffer<1, [16, 64], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @loops(%n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %q = tile.alloc : !q
    %qs = tile.slot %q[%zero] : !q -> !tile.slot<!q>
    %a = tile.alloc : !a
    %b = tile.alloc : !b
    scf.for %i = %zero to %n step %one {
      %x = tile.slot %a[%zero] : !a -> !tile.slot<!a>
      %y = tile.slot %b[%zero] : !b -> !tile.slot<!b>
      "test.use"(%x, %y) : (!tile.slot<!a>, !tile.slot<!b>) -> ()
    }
    %c = tile.alloc : !c
    scf.for %i = %zero to %n step %one {
      %x = tile.slot %c[%zero] : !c -> !tile.slot<!c>
      "test.use"(%x, %qs) : (!tile.slot<!c>, !tile.slot<!q>) -> ()
    }
    gpu.return
  }
}

// -----

// A place that is not a multiple of 128 bytes long is rounded up to one for what comes after it.
// CHECK-LABEL: gpu.func @aligned
// CHECK: tile.alloc {offset = 0 : i64} : <1, [1, 8], bf16
// CHECK: tile.alloc {offset = 128 : i64} : <1, [1, 8], bf16
!p = !tile.buffer<1, [1, 8], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @aligned() kernel {
    %zero = arith.constant 0 : index
    %a = tile.alloc : !p
    %b = tile.alloc : !p
    %x = tile.slot %a[%zero] : !p -> !tile.slot<!p>
    %y = tile.slot %b[%zero] : !p -> !tile.slot<!p>
    "test.use"(%x, %y) : (!tile.slot<!p>, !tile.slot<!p>) -> ()
    gpu.return
  }
}

// -----

// Other programs of the cluster send at any time: what they send has a place of its own, 16 bytes of a barrier and 3 pieces of 16 of 128 threads of 8 programs, which the opening knows.
// CHECK-LABEL: gpu.func @clusters
// CHECK: tile.cluster_open {offset = 2048 : i64}
// CHECK: tile.alloc {offset = 0 : i64}
// CHECK: tile.cluster_sum {{.*}} {offset = 2048 : i64}
!row = tensor<8xf32, #tile.fragment<[row], 1>>
!o = tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
!early = !tile.buffer<1, [16, 64], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @clusters(%m: !row, %o: !o, %n: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    tile.cluster_open
    %early = tile.alloc : !early
    %early_slot = tile.slot %early[%zero] : !early -> !tile.slot<!early>
    "test.use"(%early_slot) : (!tile.slot<!early>) -> ()
    %most, %sums:2 = tile.cluster_sum exponent %m of %m, %o below %n : !row, !row, !o
    "test.use"(%sums#1) : (!o) -> ()
    gpu.return
  }
}
