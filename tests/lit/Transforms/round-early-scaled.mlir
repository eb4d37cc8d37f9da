// RUN: landmark-opt %s --tile-round-early=scaled | FileCheck %s

!s = tensor<64x2x64xf32>
!p = tensor<64x2x64xf16>

// Branches that hand on numbers and what they are multiplied by scale and round half of the products themselves, which are doubled behind.
// CHECK-LABEL: func @branches(
// CHECK-SAME: %[[E:[^:]*]]: tensor<64x2x64xf32>, %[[F:[^:]*]]: tensor<64x2xf32>
// CHECK: %[[IF:.*]]:2 = scf.if %{{.*}} -> (tensor<64x2x64xf16>, tensor<64x2xf32>)
// CHECK:   %[[HALF:.*]] = arith.constant dense<5.000000e-01> : tensor<64x2xf32>
// CHECK:   %[[HALVED:.*]] = arith.mulf %[[F]], %[[HALF]]
// CHECK:   %[[ALL:.*]] = tile.broadcast %[[HALVED]] to [0, 1]
// CHECK:   %[[W:.*]] = arith.mulf %[[E]], %[[ALL]] : tensor<64x2x64xf32>
// CHECK:   %[[P:.*]] = tile.cast %[[W]]
// CHECK:   scf.yield %[[P]], %[[F]]
// CHECK: } else {
// CHECK:   %[[OTHER:.*]] = math.absf %[[E]]
// CHECK:   %[[OTHER_W:.*]] = arith.mulf %[[OTHER]], %{{.*}} : tensor<64x2x64xf32>
// CHECK:   %[[OTHER_P:.*]] = tile.cast %[[OTHER_W]]
// CHECK:   scf.yield %[[OTHER_P]], %[[F]]
// CHECK-NOT: tile.cast
// CHECK: %[[TWO:.*]] = arith.constant dense<2.000000e+00> : tensor<64x2x64xf16>
// CHECK: %[[WHOLE:.*]] = arith.mulf %[[IF]]#0, %[[TWO]]
// CHECK: return %[[WHOLE]]
func.func @branches(%e: !s, %f: tensor<64x2xf32>, %fits: i1) -> !p {
  %inner, %factor = scf.if %fits -> (!s, tensor<64x2xf32>) {
    scf.yield %e, %f : !s, tensor<64x2xf32>
  } else {
    %other = math.absf %e : !s
    scf.yield %other, %f : !s, tensor<64x2xf32>
  }
  %all = tile.broadcast %factor to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %inner, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}

// Without branches nothing changes; nor where the factor is not of the branches.
// CHECK-LABEL: func @straight(
// CHECK: %[[W:.*]] = arith.mulf %{{.*}} : tensor<64x2x64xf32>
// CHECK: tile.cast %[[W]]
func.func @straight(%e: !s, %f: tensor<64x2xf32>) -> !p {
  %all = tile.broadcast %f to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %e, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}

// CHECK-LABEL: func @other_factor(
// CHECK: scf.if %{{.*}} -> (tensor<64x2x64xf32>)
// CHECK: %[[W:.*]] = arith.mulf
// CHECK: tile.cast %[[W]]
func.func @other_factor(%e: !s, %f: tensor<64x2xf32>, %fits: i1) -> !p {
  %inner = scf.if %fits -> !s {
    scf.yield %e : !s
  } else {
    %other = math.absf %e : !s
    scf.yield %other : !s
  }
  %all = tile.broadcast %f to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %inner, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}
