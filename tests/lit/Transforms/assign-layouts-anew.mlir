// RUN: landmark-opt %s --tile-assign-layouts="warps=4 unit=wgmma" | FileCheck %s

// A product computed anew is each warp's own, whatever multiplies the others.
!keys = !tile.buffer<1, [1, 64, 64], bf16, <bits = 0, shift = 0>>
!queries = !tile.buffer<1, [64, 64], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @kernel(%fits: i1) kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc : !keys
    %place = tile.alloc : !queries
    %k = tile.slot %ring[%zero] : !keys -> !tile.slot<!keys>
    %q = tile.slot %place[%zero] : !queries -> !tile.slot<!queries>
    %s0 = arith.constant dense<0.0> : tensor<64x1x64xf32>
    // CHECK: tile.dot {{.*}} by wgmma :
    %s = tile.dot %q, %k transpose into %s0 : !tile.slot<!queries>, !tile.slot<!keys> -> tensor<64x1x64xf32>
    %t = scf.if %fits -> tensor<64x1x64xf32> {
      scf.yield %s : tensor<64x1x64xf32>
    } else {
      // CHECK: tile.dot {{.*}} transpose into %{{[a-z0-9_]*}} anew :
      %again = tile.dot %q, %k transpose into %s0 anew : !tile.slot<!queries>, !tile.slot<!keys> -> tensor<64x1x64xf32>
      scf.yield %again : tensor<64x1x64xf32>
    }
    gpu.return
  }
}
