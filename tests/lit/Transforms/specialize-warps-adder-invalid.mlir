// RUN: landmark-opt %s --tile-specialize-warps=adder=group -split-input-file -verify-diagnostics
// RUN: not landmark-opt %s --tile-specialize-warps=adder=all -split-input-file 2>&1 | FileCheck %s
// CHECK: tile-specialize-warps: adder is none, warp or group, got 'all'

// The right operand comes with every iteration.
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!sum_view = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @keys_of_the_loop(%K: !view, %SUM: !sum_view, %n: index, %ds: tensor<64x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 64 : index
    %q0 = arith.constant dense<0.0> : tensor<64x64xf32>
    scf.for %row = %zero to %n step %step {
      %k = tile.load %K[%zero, %zero, %row] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %dq = tile.dot %ds, %k into %q0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      // expected-error @below {{adds what no group of four warps can make by itself: a product of 64 rows and of a tile that stays}}
      tile.write_fragments add %dq, %SUM[%zero, %zero, %row] : tensor<64x64xf32>, !sum_view
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!sum_view = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @work_on_the_product(%K: !view, %SUM: !sum_view, %n: index, %ds: tensor<64x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 64 : index
    %q0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    scf.for %row = %zero to %n step %step {
      %dq = tile.dot %ds, %k into %q0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %twice = arith.addf %dq, %dq : tensor<64x64xf32>
      // expected-error @below {{adds what no group of four warps can make by itself: a product of 64 rows and of a tile that stays}}
      tile.write_fragments add %twice, %SUM[%zero, %zero, %row] : tensor<64x64xf32>, !sum_view
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!sum_view = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @many_rows(%K: !view, %SUM: !sum_view, %n: index, %ds: tensor<128x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 128 : index
    %q0 = arith.constant dense<0.0> : tensor<128x64xf32>
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    scf.for %row = %zero to %n step %step {
      %dq = tile.dot %ds, %k into %q0 : tensor<128x64xbf16>, tensor<64x64xbf16> -> tensor<128x64xf32>
      // expected-error @below {{adds what no group of four warps can make by itself: a product of 64 rows and of a tile that stays}}
      tile.write_fragments add %dq, %SUM[%zero, %zero, %row] : tensor<128x64xf32>, !sum_view
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!sum_view = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @two(%K: !view, %SUM: !sum_view, %n: index, %ds: tensor<64x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 64 : index
    %q0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    scf.for %row = %zero to %n step %step {
      %a = tile.dot %ds, %k into %q0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      tile.write_fragments add %a, %SUM[%zero, %zero, %row] : tensor<64x64xf32>, !sum_view
      %b = tile.dot %ds, %k into %q0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      // expected-error @below {{is the second addition of a loop}}
      tile.write_fragments add %b, %SUM[%zero, %zero, %row] : tensor<64x64xf32>, !sum_view
    }
    gpu.return
  }
}
