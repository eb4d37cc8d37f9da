// RUN: landmark-opt %s | landmark-opt | FileCheck %s

// CHECK-LABEL: func.func @forms(
// CHECK: tile.cluster_open
// CHECK: tile.cluster_sum exponent %{{.*}} of %{{.*}}, %{{.*}} below %{{.*}} {offset = 64 : i64} : tensor<8xf32>, tensor<8xf32>, tensor<8x64xf32>
func.func @forms(%m: tensor<8xf32>, %l: tensor<8xf32>, %o: tensor<8x64xf32>, %rows: index) -> (tensor<8xf32>, tensor<8xf32>, tensor<8x64xf32>) {
  tile.cluster_open
  %most, %sums:2 = tile.cluster_sum exponent %m of %l, %o below %rows {offset = 64 : i64} : tensor<8xf32>, tensor<8xf32>, tensor<8x64xf32>
  return %most, %sums#0, %sums#1 : tensor<8xf32>, tensor<8xf32>, tensor<8x64xf32>
}
