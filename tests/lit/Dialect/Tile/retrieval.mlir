// RUN: landmark-opt %s | landmark-opt | FileCheck %s

// CHECK-LABEL: gpu.func @waits(
// CHECK: tile.grid_wait behind %{{.*}}, %{{.*}} early %{{.*}} : memref<?xi32>
gpu.module @kernels {
  gpu.func @waits(%a: index, %b: index, %table: memref<?xi32>) kernel {
    tile.grid_wait behind %a, %b early %table : memref<?xi32>
    gpu.return
  }
}

// CHECK-LABEL: func.func @forms(
// CHECK: tile.top_k %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} keep 4 : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
// CHECK: tile.top_k %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} keep 8 across : tensor<8x8xf32>
// CHECK: tile.top_k %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} keep 1 across by_id : tensor<8x8xf32>
func.func @forms(%v: tensor<8x8xf32>, %i: tensor<8x8xi32>, %s: tensor<8x64xf32>, %n: tensor<8x64xi32>) -> (tensor<8x8xf32>, tensor<8x8xi32>) {
  %a, %b = tile.top_k %v, %i add %s, %n keep 4 : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  %c, %d = tile.top_k %a, %b add %s, %n keep 8 across : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  %e, %f = tile.top_k %c, %d add %s, %n keep 1 across by_id : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return %e, %f : tensor<8x8xf32>, tensor<8x8xi32>
}
