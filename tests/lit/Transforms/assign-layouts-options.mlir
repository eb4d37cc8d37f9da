// RUN: not landmark-opt %s --tile-assign-layouts=warps=0 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not landmark-opt %s --tile-assign-layouts=warps=64 2>&1 | FileCheck %s --check-prefix=MANY
// NONE: error: {{.*}}a fragment is spread over 1 to 32 warps, got 0
// MANY: error: {{.*}}a fragment is spread over 1 to 32 warps, got 64
gpu.module @kernels {
  gpu.func @kernel(%R: memref<?x?x?xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<64xf32>
    tile.store %x, %R[%zero, %zero, %zero] below %n : tensor<64xf32>, memref<?x?x?xf32>
    gpu.return
  }
}
