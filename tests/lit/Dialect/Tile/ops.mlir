// RUN: landmark-opt %s | landmark-opt | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!rows_view = memref<?x?x?xf32, strided<[?, ?, ?]>>
!ring = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0>>
!queries = !tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>>

// CHECK-LABEL: gpu.module @target_free
gpu.module @target_free {
  // CHECK: gpu.func @forms(
  gpu.func @forms(%Q: !view, %O: !view, %LSE: !rows_view, %n: index, %L: index) kernel {
    // CHECK: tile.param "block_size" : index
    // CHECK: tile.param "query_tile" : i32
    // CHECK: tile.param "factor" : f32
    %p0 = tile.param "block_size" : index
    %p1 = tile.param "query_tile" : i32
    %p2 = tile.param "factor" : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x1x64xf32>
    %o0 = arith.constant dense<0.0> : tensor<64x64xf32>
    // CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] in[%{{.*}}, %{{.*}}) : memref<{{.*}}> -> tensor<64x64xbf16>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    // CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] stride %{{.*}} in[%{{.*}}, %{{.*}}) : memref<{{.*}}> -> tensor<1x64x64xbf16>
    %k = tile.load %Q[%zero, %zero, %zero] stride %L in [%zero, %n) : !view -> tensor<1x64x64xbf16>
    // CHECK: tile.dot %{{.*}}, %{{.*}} transpose into %{{.*}} : tensor<64x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x1x64xf32>
    %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x1x64xf32>
    // CHECK: tile.cast %{{.*}} : tensor<64x1x64xf32> -> tensor<64x1x64xbf16>
    %p = tile.cast %s : tensor<64x1x64xf32> -> tensor<64x1x64xbf16>
    // CHECK: tile.dot %{{.*}}, %{{.*}} into %{{.*}} : tensor<64x1x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x64xf32>
    %o = tile.dot %p, %k into %o0 : tensor<64x1x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x64xf32>
    // CHECK: tile.reduce max %{{.*}} along [1, 2] : tensor<64x1x64xf32> -> tensor<64xf32>
    %m = tile.reduce max %s along [1, 2] : tensor<64x1x64xf32> -> tensor<64xf32>
    // CHECK: tile.reduce sum %{{.*}} along [2] : tensor<64x1x64xf32> -> tensor<64x1xf32>
    %sum = tile.reduce sum %s along [2] : tensor<64x1x64xf32> -> tensor<64x1xf32>
    // CHECK: tile.reduce sum %{{.*}} along [2] in_order : tensor<64x1x64xf32> -> tensor<64x1xf32>
    %chained = tile.reduce sum %s along [2] in_order : tensor<64x1x64xf32> -> tensor<64x1xf32>
    // CHECK: tile.broadcast %{{.*}} to [0] : tensor<64xf32> -> tensor<64x1x64xf32>
    %b = tile.broadcast %m to [0] : tensor<64xf32> -> tensor<64x1x64xf32>
    // CHECK: tile.column %{{.*}} at 63 : tensor<64x1x64xf32> -> tensor<64x1xf32>
    %c = tile.column %s at 63 : tensor<64x1x64xf32> -> tensor<64x1xf32>
    // CHECK: tile.iota : tensor<64xi32>
    %i = tile.iota : tensor<64xi32>
    scf.for %b_ = %zero to %n step %one {
      // CHECK: tile.edge %{{.*}} interior(%{{.*}}, %{{.*}})
      %edge = tile.edge %b_ interior(%zero, %n)
    }
    %out = tile.cast %o : tensor<64x64xf32> -> tensor<64x64xbf16>
    // CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] below %{{.*}} : tensor<64x64xbf16>, memref<{{.*}}>
    tile.store %out, %O[%zero, %zero, %zero] below %n : tensor<64x64xbf16>, !view
    // CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] below %{{.*}} : tensor<64xf32>, memref<{{.*}}>
    tile.store %m, %LSE[%zero, %zero, %zero] below %n : tensor<64xf32>, !rows_view
    gpu.return
  }
}

// CHECK-LABEL: gpu.module @scheduled
gpu.module @scheduled {
  // CHECK: gpu.func @forms(
  gpu.func @forms(%K: !view, %n: index, %L: index) kernel {
    %zero = arith.constant 0 : index
    // CHECK: tile.alloc {offset = 0 : i64} : <2, [1, 64, 64], bf16, <bits = 3, shift = 0>>
    %ring = tile.alloc {offset = 0 : i64} : !ring
    // CHECK: tile.alloc : <1, [64, 64], bf16, <bits = 0, shift = 0>>
    %place = tile.alloc : !queries
    // CHECK: tile.copy %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] stride %{{.*}} in[%{{.*}}, %{{.*}}) to %{{.*}}[%{{.*}}] : memref<{{.*}}>, <2, [1, 64, 64], bf16, <bits = 3, shift = 0>>
    tile.copy %K[%zero, %zero, %zero] stride %L in [%zero, %n) to %ring[%zero] : !view, !ring
    // CHECK: tile.copy %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] in[%{{.*}}, %{{.*}}) to %{{.*}}[%{{.*}}] : memref<{{.*}}>, <1, [64, 64], bf16, <bits = 0, shift = 0>>
    tile.copy %K[%zero, %zero, %zero] in [%zero, %n) to %place[%zero] : !view, !queries
    // CHECK: tile.commit
    tile.commit
    // CHECK: tile.wait 1
    tile.wait 1
    // CHECK: tile.slot %{{.*}}[%{{.*}}] : <2, [1, 64, 64], bf16, <bits = 3, shift = 0>> -> <<2, [1, 64, 64], bf16, <bits = 3, shift = 0>>>
    %k = tile.slot %ring[%zero] : !ring -> !tile.slot<!ring>
    %qs = tile.slot %place[%zero] : !queries -> !tile.slot<!queries>
    // CHECK: tile.read %{{.*}} : {{.*}} -> tensor<64x64xbf16, #tile.fragment<[row, column], 4>>
    %q = tile.read %qs : !tile.slot<!queries> -> tensor<64x64xbf16, #tile.fragment<[row, column], 4>>
    %s0 = arith.constant dense<0.0> : tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
    // CHECK: tile.dot %{{.*}}, %{{.*}} transpose into %{{.*}} : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<{{.*}}> -> tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
    %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!ring> -> tensor<64x1x64xf32, #tile.fragment<[row, block, column], 4>>
    gpu.return
  }
  // CHECK: func.func private @attributes() attributes {fragment = #tile.fragment<[row], 1>, kind = #tile<reduction sum>, swizzle = #tile.swizzle<bits = 2, shift = 1>}
  func.func private @attributes() attributes {fragment = #tile.fragment<[row], 1>, kind = #tile<reduction sum>, swizzle = #tile.swizzle<bits = 2, shift = 1>}
}
