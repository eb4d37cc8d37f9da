// RUN: landmark-opt %s --tile-assign-layouts=warps=2 --split-input-file | FileCheck %s

// Roles spread from the products through arithmetic, reductions, broadcasts and loops; the number of threads is noted.
// CHECK-LABEL: gpu.func @kernel
// CHECK-SAME: known_block_size = array<i32: 64, 1, 1>
// The ring's chunks are ordered so that eight rows fall on different banks.
// CHECK: tile.alloc : <1, [1, 64, 64], bf16, <bits = 3, shift = 0>>
!ring = !tile.buffer<1, [1, 64, 64], bf16, <bits = 0, shift = 0>>
!queries = !tile.buffer<1, [32, 64], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @kernel(%LSE: memref<?x?x?xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %ring = tile.alloc : !ring
    %place = tile.alloc : !queries
    %k = tile.slot %ring[%zero] : !ring -> !tile.slot<!ring>
    %qs = tile.slot %place[%zero] : !queries -> !tile.slot<!queries>
    // CHECK: tile.read %{{.*}} -> tensor<32x64xbf16, #tile.fragment<[row, column], 2>>
    %q = tile.read %qs : !tile.slot<!queries> -> tensor<32x64xbf16>
    // One constant serves rows and a matrix: it is made twice.
    %c = arith.constant 1.0 : f32
    // CHECK-DAG: tensor.splat %{{.*}} : tensor<32x1x64xf32, #tile.fragment<[row, block, column], 2>>
    %s0 = tensor.splat %c : tensor<32x1x64xf32>
    %m0 = arith.constant dense<0.0> : tensor<32xf32>
    // CHECK: scf.for {{.*}} -> (tensor<32xf32, #tile.fragment<[row], 2>>)
    %m = scf.for %b = %zero to %n step %one iter_args(%carried = %m0) -> tensor<32xf32> {
      // CHECK: tile.dot {{.*}} -> tensor<32x1x64xf32, #tile.fragment<[row, block, column], 2>>
      %s = tile.dot %q, %k transpose into %s0 : tensor<32x64xbf16>, !tile.slot<!ring> -> tensor<32x1x64xf32>
      // CHECK: tile.iota : tensor<64xi32, #tile.fragment<[column], 2>>
      // CHECK: tile.iota : tensor<32xi32, #tile.fragment<[row], 2>>
      %numbers = tile.iota : tensor<64xi32>
      %rows = tile.iota : tensor<32xi32>
      %by_column = tile.broadcast %numbers to [2] : tensor<64xi32> -> tensor<32x1x64xi32>
      %by_row = tile.broadcast %rows to [0] : tensor<32xi32> -> tensor<32x1x64xi32>
      // CHECK: arith.cmpi slt, %{{.*}} : tensor<32x1x64xi32, #tile.fragment<[row, block, column], 2>>
      %mask = arith.cmpi slt, %by_column, %by_row : tensor<32x1x64xi32>
      %masked = arith.select %mask, %s, %s0 : tensor<32x1x64xi1>, tensor<32x1x64xf32>
      // CHECK: tile.reduce max %{{.*}} along [2] : {{.*}} -> tensor<32x1xf32, #tile.fragment<[row, block], 2>>
      %by_block = tile.reduce max %masked along [2] : tensor<32x1x64xf32> -> tensor<32x1xf32>
      // CHECK: tile.reduce sum %{{.*}} along [1] : {{.*}} -> tensor<32xf32, #tile.fragment<[row], 2>>
      %most = tile.reduce sum %by_block along [1] : tensor<32x1xf32> -> tensor<32xf32>
      %next = arith.addf %carried, %most : tensor<32xf32>
      scf.yield %next : tensor<32xf32>
    }
    // CHECK: tile.store %{{.*}} : tensor<32xf32, #tile.fragment<[row], 2>>
    tile.store %m, %LSE[%zero, %zero, %zero] below %n : tensor<32xf32>, memref<?x?x?xf32>
    gpu.return
  }
}

// -----

// Rows of 16 bytes times a power of two take as many bits; a branch shares its layout with what it yields.
// CHECK-LABEL: gpu.func @branch
// CHECK: tile.alloc : <1, [64, 24], f32, <bits = 1, shift = 2>>
// CHECK: tile.alloc : <1, [64, 40], bf16, <bits = 0, shift = 3>>
// CHECK: scf.if %{{.*}} -> (tensor<32x64xf32, #tile.fragment<[row, column], 2>>)
gpu.module @kernels {
  gpu.func @branch(%V: memref<?x?x?x64xf32>, %c: i1, %n: index) kernel {
    %zero = arith.constant 0 : index
    %a = tile.alloc : !tile.buffer<1, [64, 24], f32, <bits = 0, shift = 0>>
    %b = tile.alloc : !tile.buffer<1, [64, 40], bf16, <bits = 0, shift = 0>>
    %x = scf.if %c -> tensor<32x64xf32> {
      %y = arith.constant dense<1.0> : tensor<32x64xf32>
      scf.yield %y : tensor<32x64xf32>
    } else {
      %y = arith.constant dense<2.0> : tensor<32x64xf32>
      scf.yield %y : tensor<32x64xf32>
    }
    tile.store %x, %V[%zero, %zero, %zero] below %n : tensor<32x64xf32>, memref<?x?x?x64xf32>
    gpu.return
  }
}

// -----

// What is repeated along rows is a matrix, where nothing else says so.
// CHECK-LABEL: gpu.func @columns
// CHECK: tile.broadcast %{{.*}} to [1] : tensor<64xf32, #tile.fragment<[column], 2>> -> tensor<32x64xf32, #tile.fragment<[row, column], 2>>
gpu.module @kernels {
  gpu.func @columns(%V: memref<?x?x?x64xf32>, %LSE: memref<?x?x?xf32>, %n: index, %none: f32) kernel {
    %zero = arith.constant 0 : index
    %v = tile.read_rows %V[%zero, %zero, %zero] below %n else %none : memref<?x?x?x64xf32> -> tensor<32x64xf32>
    %most = tile.reduce max %v along [0] : tensor<32x64xf32> -> tensor<64xf32>
    %rows = tile.broadcast %most to [1] : tensor<64xf32> -> tensor<32x64xf32>
    %sum = tile.reduce sum %rows along [1] : tensor<32x64xf32> -> tensor<32xf32>
    tile.store %sum, %LSE[%zero, %zero, %zero] below %n : tensor<32xf32>, memref<?x?x?xf32>
    gpu.return
  }
}
