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

// What programs of a cluster leave for one another stays to the end of the kernel: 9 registers of 128 threads, in pieces of 16 bytes, above what 1 takes. A ring that is used
// no more gave its place.
// CHECK-LABEL: gpu.func @clusters
// CHECK: tile.alloc {offset = 0 : i64} : <1, [16, 64]
// CHECK: tile.cluster_reduce {{ *}}max %{{.*}} {offset = 1024 : i64}
// CHECK: tile.cluster_reduce {{ *}}sum %{{.*}}, %{{.*}} {offset = 3072 : i64}
// CHECK: tile.alloc {offset = 0 : i64} : <1, [16, 32]
!row = tensor<8xf32, #tile.fragment<[row], 1>>
!o = tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
!early = !tile.buffer<1, [16, 64], bf16, <bits = 0, shift = 0>>
!late = !tile.buffer<1, [16, 32], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @clusters(%m: !row, %o: !o) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %early = tile.alloc : !early
    %early_slot = tile.slot %early[%zero] : !early -> !tile.slot<!early>
    "test.use"(%early_slot) : (!tile.slot<!early>) -> ()
    %most = tile.cluster_reduce max %m : !row
    %sums:2 = tile.cluster_reduce sum %most, %o : !row, !o
    %late = tile.alloc : !late
    %slot = tile.slot %late[%zero] : !late -> !tile.slot<!late>
    "test.use"(%slot, %sums#1) : (!tile.slot<!late>, !o) -> ()
    gpu.return
  }
}
