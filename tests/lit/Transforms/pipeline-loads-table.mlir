// A row found by a table is copied ahead as any other, and so is the read of the table, where the loop writes nothing to it.
// RUN: landmark-opt %s --tile-pipeline-loads="stages=2 warps=4" | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!lse = memref<?x?x?xf32, strided<[?, ?, ?]>>

// CHECK-LABEL: gpu.func @gather
// CHECK: %[[FIRST:.*]] = memref.load %[[TABLE:[a-z0-9]*]][%c0
// CHECK: tile.copy %{{.*}}[%[[FIRST]],
// CHECK: scf.for %[[B:[^ ]*]] =
// CHECK: %[[NEXT:.*]] = arith.addi %[[B]],
// CHECK: scf.if
// CHECK: %[[AHEAD:.*]] = memref.load %[[TABLE]][%[[NEXT]]]
// CHECK: tile.copy %{{.*}}[%[[AHEAD]],
// CHECK: tile.dot
// CHECK: tile.store
gpu.module @kernels {
  gpu.func @gather(%K: !view, %pages: memref<?xindex>, %out: !lse, %q: tensor<64x64xbf16>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    scf.for %b = %zero to %n step %one {
      %page = memref.load %pages[%b] : memref<?xindex>
      %k = tile.load %K[%page, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %m = tile.reduce max %s along [1] : tensor<64x64xf32> -> tensor<64xf32>
      tile.store %m, %out[%zero, %zero, %b] below %n : tensor<64xf32>, !lse
    }
    gpu.return
  }
}
