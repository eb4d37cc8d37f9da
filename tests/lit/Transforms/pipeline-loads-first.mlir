// RUN: landmark-opt %s --tile-pipeline-loads="stages=1" | FileCheck %s

!kv = tensor<1x16x16xbf16>
!s = tensor<16x1x16xf32>

// A loop that begins with its loads, as their addresses are the same in all iterations.
// CHECK-LABEL: gpu.func @same_address
// CHECK: scf.for
// CHECK-COUNT-2: tile.copy
// CHECK: %[[K:.*]] = tile.slot
// CHECK: %[[V:.*]] = tile.slot
// CHECK-NOT: tile.load
// CHECK: tile.dot %{{.*}}, %[[K]] transpose
// CHECK: tile.dot %{{.*}}, %[[V]] transpose
gpu.module @kernels {
  gpu.func @same_address(%K: memref<?x?x?x16xbf16>, %V: memref<?x?x?x16xbf16>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %q = arith.constant dense<1.0> : tensor<16x16xbf16>
    %s0 = arith.constant dense<0.0> : !s
    %s = scf.for %b = %zero to %n step %one iter_args(%sum = %s0) -> !s {
      %k = tile.load %K[%zero, %zero, %zero] stride %n in [%zero, %n) : memref<?x?x?x16xbf16> -> !kv
      %v = tile.load %V[%zero, %zero, %zero] stride %n in [%zero, %n) : memref<?x?x?x16xbf16> -> !kv
      %first = tile.dot %q, %k transpose into %sum : tensor<16x16xbf16>, !kv -> !s
      %second = tile.dot %q, %v transpose into %first : tensor<16x16xbf16>, !kv -> !s
      scf.yield %second : !s
    }
    gpu.return
  }
}
