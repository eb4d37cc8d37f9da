// RUN: landmark-opt %s | landmark-opt | FileCheck %s

// CHECK-LABEL: func.func @forms(
// CHECK: tile.cluster_reduce max %{{.*}} : tensor<8xf32>
// CHECK: tile.cluster_reduce sum %{{.*}}, %{{.*}} {offset = 64 : i64} : tensor<8xf32>, tensor<8x64xf32>
// CHECK: tile.cluster_barrier
func.func @forms(%m: tensor<8xf32>, %o: tensor<8x64xf32>) -> (tensor<8xf32>, tensor<8x64xf32>) {
  %most = tile.cluster_reduce max %m : tensor<8xf32>
  %sums:2 = tile.cluster_reduce sum %most, %o {offset = 64 : i64} : tensor<8xf32>, tensor<8x64xf32>
  tile.cluster_barrier
  return %sums#0, %sums#1 : tensor<8xf32>, tensor<8x64xf32>
}
