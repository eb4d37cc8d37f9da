// A loop's first copies begin before the kernel waits for the one before it, where all they read is early and all they need is known there. What is loaded behind the wait is
// then waited for by itself, as the loop's own copies are older.
// RUN: landmark-opt %s --tile-pipeline-loads="stages=2 warps=4" --split-input-file | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!lse = memref<?x?x?xf32, strided<[?, ?, ?]>>

// CHECK-LABEL: gpu.func @early
// CHECK: memref.load
// CHECK: tile.copy
// CHECK: tile.commit
// CHECK: tile.grid_wait early
// CHECK: tile.copy
// CHECK: tile.commit
// CHECK: tile.wait 0
// CHECK: gpu.barrier
// CHECK: scf.for
// CHECK: tile.wait 0
// CHECK: tile.copy
gpu.module @kernels {
  gpu.func @early(%Q: !view, %K: !view, %pages: memref<?xindex>, %out: !lse, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    tile.grid_wait early %K, %pages : !view, memref<?xindex>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
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

// -----

// The table may have been written by the kernel before.
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!lse = memref<?x?x?xf32, strided<[?, ?, ?]>>
// CHECK-LABEL: gpu.func @late_table
// CHECK-NOT: tile.copy
// CHECK: tile.grid_wait
// CHECK: tile.copy
gpu.module @kernels {
  gpu.func @late_table(%K: !view, %pages: memref<?xindex>, %out: !lse, %q: tensor<64x64xbf16>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    tile.grid_wait early %K : !view
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

// -----

// How far the loop goes is known behind the wait alone.
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!lse = memref<?x?x?xf32, strided<[?, ?, ?]>>
// CHECK-LABEL: gpu.func @late_bound
// CHECK-NOT: tile.copy
// CHECK: tile.grid_wait
// CHECK: memref.load
// CHECK: tile.copy
gpu.module @kernels {
  gpu.func @late_bound(%K: !view, %numbers: memref<?xindex>, %out: !lse, %q: tensor<64x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    tile.grid_wait early %K : !view
    %n = memref.load %numbers[%zero] : memref<?xindex>
    scf.for %b = %zero to %n step %one {
      %k = tile.load %K[%b, %zero, %zero] in [%zero, %one) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %m = tile.reduce max %s along [1] : tensor<64x64xf32> -> tensor<64xf32>
      tile.store %m, %out[%zero, %zero, %b] below %one : tensor<64xf32>, !lse
    }
    gpu.return
  }
}
