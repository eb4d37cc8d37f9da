// RUN: landmark-opt %s --tile-assign-layouts="warps=8 unit=wgmma deal" | FileCheck %s
// RUN: landmark-opt %s --tile-assign-layouts="warps=8 unit=wgmma" | FileCheck %s --check-prefix=COPIES

// Of two rows and two blocks a thread has one number in four; of two rows and one block it keeps both, as four lanes have no use for two numbers.
// CHECK-LABEL: gpu.func @factors
// CHECK: tile.reduce sum %{{.*}} -> tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>>
// CHECK: arith.constant dense<2.000000e+00> : tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>>
// CHECK: arith.mulf %{{.*}} : tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>>
// CHECK: tile.broadcast %{{.*}} : tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>> -> tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
// CHECK: tile.reduce sum %{{.*}} -> tensor<128xf32, #tile.fragment<[row], 8>>
// CHECK: tile.reduce sum %{{.*}} -> tensor<128x1xf32, #tile.fragment<[row, block], 8>>
// COPIES-NOT: dealt
gpu.module @kernels {
  gpu.func @factors(%LSE: memref<?x?x?xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<128x2x64xf32>
    %sum = tile.reduce sum %x along [2] : tensor<128x2x64xf32> -> tensor<128x2xf32>
    %two = arith.constant dense<2.0> : tensor<128x2xf32>
    %twice = arith.mulf %sum, %two : tensor<128x2xf32>
    %all = tile.broadcast %twice to [0, 1] : tensor<128x2xf32> -> tensor<128x2x64xf32>
    %y = arith.mulf %x, %all : tensor<128x2x64xf32>
    %row = tile.reduce sum %y along [1, 2] : tensor<128x2x64xf32> -> tensor<128xf32>
    tile.store %row, %LSE[%zero, %zero, %zero] below %n : tensor<128xf32>, memref<?x?x?xf32>
    %z = arith.constant dense<1.0> : tensor<128x1x64xf32>
    %one = tile.reduce sum %z along [2] : tensor<128x1x64xf32> -> tensor<128x1xf32>
    %more = tile.reduce sum %one along [1] : tensor<128x1xf32> -> tensor<128xf32>
    tile.store %more, %LSE[%zero, %zero, %zero] below %n : tensor<128xf32>, memref<?x?x?xf32>
    gpu.return
  }
}
