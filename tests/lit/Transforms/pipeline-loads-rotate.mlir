// A rotated operand has a place of its own: the loaded tile is turned into it when it is there, before a barrier. Queries that only pipelined loops read wait with them.
// RUN: landmark-opt %s --tile-pipeline-loads="stages=2 warps=4 max-resident-registers=0" --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: gpu.func @rotated
// CHECK: tile.copy
// CHECK-NEXT: tile.commit
// CHECK-NOT: tile.wait
// CHECK: scf.for
// CHECK: tile.wait 0
// CHECK: %[[K:.*]] = tile.slot
// CHECK: %[[PLACE:.*]] = tile.alloc
// CHECK: %[[TURNED:.*]] = tile.slot %[[PLACE]]
// CHECK: tile.rotate_rows %[[K]] to %[[TURNED]] at
// CHECK-NEXT: gpu.barrier
// CHECK: tile.dot %{{.*}}, %[[TURNED]] transpose
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!lse = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  gpu.func @rotated(%Q: !view, %K: !view, %F: memref<?xi64>, %half: i1, %out: !lse, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    scf.for %b = %zero to %n step %one {
      %k = tile.load %K[%b, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %r = tile.rotate %k at %b step %one low %zero by %F half %half : tensor<64x64xbf16>, memref<?xi64> -> tensor<64x64xbf16>
      %s = tile.dot %q, %r transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %m = tile.reduce max %s along [1] : tensor<64x64xf32> -> tensor<64xf32>
      tile.store %m, %out[%zero, %zero, %b] below %n : tensor<64xf32>, !lse
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @computed(%F: memref<?xi64>, %half: i1, %q: tensor<64x64xbf16>, %x: tensor<64x64xbf16>, %n: index) kernel {
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    // expected-error @below {{turns what a load brings}}
    %r = tile.rotate %x at %n step %n low %n by %F half %half : tensor<64x64xbf16>, memref<?xi64> -> tensor<64x64xbf16>
    %s = tile.dot %q, %r transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    gpu.return
  }
}
