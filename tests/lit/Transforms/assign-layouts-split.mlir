// RUN: landmark-opt %s --tile-assign-layouts="warps=8 unit=wgmma" | FileCheck %s

// 64 rows are 16 for each of four warps: two groups of four share the two blocks, and all that belongs to them. The product of what they wrote has rows for all eight.
// CHECK-LABEL: gpu.func @shared_blocks
gpu.module @kernels {
  gpu.func @shared_blocks(%LSE: memref<?x?x?xf32>, %DV: memref<?x?x?x64xf32>, %SUM: memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %queries = tile.alloc : !tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>>
    %keys = tile.alloc : !tile.buffer<1, [2, 64, 64], bf16, <bits = 0, shift = 0>>
    %weights = tile.alloc : !tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>>
    %q = tile.slot %queries[%zero] : !tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>> -> !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>>>
    %k = tile.slot %keys[%zero] : !tile.buffer<1, [2, 64, 64], bf16, <bits = 0, shift = 0>> -> !tile.slot<!tile.buffer<1, [2, 64, 64], bf16, <bits = 0, shift = 0>>>
    %w = tile.slot %weights[%zero] : !tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>> -> !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>>>
    %s0 = arith.constant dense<0.0> : tensor<64x2x64xf32>
    %d0 = arith.constant dense<0.0> : tensor<128x64xf32>
    // CHECK: tile.load %{{.*}} -> tensor<64xf32, #tile.fragment<[row], 8, split = 2>>
    %lse = tile.load %LSE[%zero, %zero, %zero] in [%zero, %n) : memref<?x?x?xf32> -> tensor<64xf32>
    // CHECK: tile.dot %{{.*}} transpose into %{{.*}} -> tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
    %s = tile.dot %q, %k transpose into %s0 : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>>>, !tile.slot<!tile.buffer<1, [2, 64, 64], bf16, <bits = 0, shift = 0>>> -> tensor<64x2x64xf32>
    // CHECK: tile.reduce max %{{.*}} -> tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
    %m = tile.reduce max %s along [2] : tensor<64x2x64xf32> -> tensor<64x2xf32>
    %by_row = tile.broadcast %lse to [0] : tensor<64xf32> -> tensor<64x2xf32>
    %shift = arith.subf %m, %by_row : tensor<64x2xf32>
    // CHECK: tile.iota : tensor<2xi32, #tile.fragment<[block], 8, split = 2>>
    %number = tile.iota : tensor<2xi32>
    %value = arith.sitofp %number : tensor<2xi32> to tensor<2xf32>
    %by_block = tile.broadcast %value to [1] : tensor<2xf32> -> tensor<64x2xf32>
    %both = arith.addf %shift, %by_block : tensor<64x2xf32>
    %all = tile.broadcast %both to [0, 1] : tensor<64x2xf32> -> tensor<64x2x64xf32>
    %e = arith.addf %s, %all : tensor<64x2x64xf32>
    %p = tile.cast %e : tensor<64x2x64xf32> -> tensor<64x2x64xbf16>
    // CHECK: tile.write %{{.*}} : tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>, <<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>>
    tile.write %p to %w : tensor<64x2x64xbf16>, !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>>>
    tile.barrier of 4
    // CHECK: tile.dot %{{.*}} transposed, %{{.*}} -> tensor<128x64xf32, #tile.fragment<[row, column], 8>>
    %d = tile.dot %w transposed, %q into %d0 : !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>>>, !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>>> -> tensor<128x64xf32>
    // Weights as they are: the groups share the columns of the product, and who adds it to memory takes it as it is.
    // CHECK: tile.dot %{{.*}}, %{{.*}} into %{{.*}} -> tensor<64x64xf32, #tile.fragment<[row, slice], 8, split = 2>>
    %q0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %dq = tile.dot %w, %k into %q0 : !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>>>, !tile.slot<!tile.buffer<1, [2, 64, 64], bf16, <bits = 0, shift = 0>>> -> tensor<64x64xf32>
    tile.write_fragments add %dq, %SUM[%zero, %zero, %zero] : tensor<64x64xf32>, memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
    // CHECK: tile.read_fragments %{{.*}} -> tensor<128x64xf32, #tile.fragment<[row, column], 8>>
    %sum = tile.read_fragments %SUM[%zero, %zero, %zero] : memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>> -> tensor<128x64xf32>
    tile.store %sum, %DV[%zero, %zero, %zero] below %n : tensor<128x64xf32>, memref<?x?x?x64xf32>
    tile.store %d, %DV[%zero, %zero, %zero] below %n : tensor<128x64xf32>, memref<?x?x?x64xf32>
    // A group that multiplies alone has all of it, and adds it.
    // CHECK: tile.dot %{{.*}}, %{{.*}} into %{{.*}} by wgmma in group 2 : {{.*}} -> tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
    // CHECK: tile.write_fragments add %{{.*}} : tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
    %alone = tile.dot %w, %k into %q0 in group 2 : !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 0, shift = 0>>>, !tile.slot<!tile.buffer<1, [2, 64, 64], bf16, <bits = 0, shift = 0>>> -> tensor<64x64xf32>
    tile.write_fragments add %alone, %SUM[%zero, %zero, %zero] : tensor<64x64xf32>, memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
    gpu.return
  }
}
