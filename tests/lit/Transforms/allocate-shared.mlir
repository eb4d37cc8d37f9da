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
