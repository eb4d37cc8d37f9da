// Addresses and bounds that come from memory which the kernel does not write: both sides read them.
// RUN: landmark-opt %s --tile-specialize-warps="stages=2 consumers=4" -split-input-file -verify-diagnostics | FileCheck %s --implicit-check-not=tile.load

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>

// CHECK-LABEL: gpu.func @listed(
// CHECK: scf.if %{{.*}} {
// CHECK:   scf.if %{{.*}} {
// CHECK:     %[[NUMBER:.*]] = memref.load %[[COUNTS:.*]][%{{.*}}]
// CHECK:     %[[COUNT:.*]] = arith.index_cast %[[NUMBER]]
// CHECK:     tile.fetch
// CHECK:     scf.for %[[I:.*]] = %{{.*}} to %[[COUNT]] step
// CHECK:       %[[ENTRY:.*]] = memref.load %[[LIST:.*]][%[[I]]]
// CHECK:       %[[ROW:.*]] = arith.index_cast %[[ENTRY]]
// CHECK:       tile.fetch %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]]]
// CHECK: } else {
// CHECK:   memref.load %[[COUNTS]]
// CHECK:   scf.for
// CHECK:     memref.load %[[LIST]]
// CHECK:     tile.dot
gpu.module @kernels {
  gpu.func @listed(%Q: !view, %K: !view, %O: !out, %LIST: memref<?xi32>, %COUNTS: memref<?xi32>, %head: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %rows = arith.constant 64 : index
    %number = memref.load %COUNTS[%head] : memref<?xi32>
    %count = arith.index_cast %number : i32 to index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %head, %zero] in [%zero, %rows) : !view -> tensor<64x64xbf16>
    %sum = scf.for %i = %zero to %count step %one iter_args(%acc = %s0) -> tensor<64x64xf32> {
      %entry = memref.load %LIST[%i] : memref<?xi32>
      %row = arith.index_cast %entry : i32 to index
      %k = tile.load %K[%zero, %head, %row] in [%zero, %rows) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      scf.yield %s : tensor<64x64xf32>
    }
    tile.store %sum, %O[%zero, %head, %zero] below %rows : tensor<64x64xf32>, !out
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>

gpu.module @kernels {
  gpu.func @written(%Q: !view, %K: !view, %O: !out, %LIST: memref<?xi32>, %next: i32, %count: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %rows = arith.constant 64 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %rows) : !view -> tensor<64x64xbf16>
    %sum = scf.for %i = %zero to %count step %one iter_args(%acc = %s0) -> tensor<64x64xf32> {
      %entry = memref.load %LIST[%i] : memref<?xi32>
      %row = arith.index_cast %entry : i32 to index
      // expected-error @below {{has an address that the producer cannot compute}}
      %k = tile.load %K[%zero, %zero, %row] in [%zero, %rows) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      scf.yield %s : tensor<64x64xf32>
    }
    memref.store %next, %LIST[%zero] : memref<?xi32>
    tile.store %sum, %O[%zero, %zero, %zero] below %rows : tensor<64x64xf32>, !out
    gpu.return
  }
}
