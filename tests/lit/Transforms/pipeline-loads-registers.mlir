// RUN: landmark-opt %s --tile-pipeline-loads --split-input-file | FileCheck %s

// A load that feeds no dot stays where it is; one that feeds a dot and something else is made twice.
// CHECK-LABEL: @registers(
// CHECK: %[[ROWS:.*]] = tile.load %{{.*}} -> tensor<64x64xbf16>
// CHECK: tile.cast %[[ROWS]]
// CHECK: scf.for
// CHECK: tile.load %{{.*}} -> tensor<64xf32>
// CHECK: tile.dot
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  gpu.func @registers(%Q: !view, %K: !view, %R: !rows, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    %wide = tile.cast %q : tensor<64x64xbf16> -> tensor<64x64xf32>
    scf.for %b = %zero to %n step %one {
      %k = tile.load %K[%zero, %zero, %b] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %r = tile.load %R[%zero, %zero, %b] in [%zero, %n) : !rows -> tensor<64xf32>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      tile.store %r, %R[%zero, %zero, %b] below %n : tensor<64xf32>, !rows
    }
    gpu.return
  }
}
