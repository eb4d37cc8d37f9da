// RUN: landmark-opt %s --tile-chain-sums | FileCheck %s

!s = tensor<128x2x64xf32>
!m = tensor<128x2x64xi1>
!f = tensor<128x2xf32>

// Exponentials of logits, those that are seen; their maximum stays as it is.
// CHECK-LABEL: func @seen(
// CHECK: tile.reduce sum %{{.*}} along [2] in_order :
// CHECK: tile.reduce max %{{.*}} along [2] :
func.func @seen(%s: !s, %factor: !s, %offset: !s, %seen: !m, %zero: !s) -> (!f, !f) {
  %x = math.fma %s, %factor, %offset : !s
  %e = math.exp2 %x : !s
  %w = arith.select %seen, %e, %zero : !m, !s
  %sum = tile.reduce sum %w along [2] : !s -> !f
  %most = tile.reduce max %w along [2] : !s -> !f
  return %sum, %most : !f, !f
}

// CHECK-LABEL: func @all(
// CHECK: tile.reduce sum %{{.*}} along [2] in_order :
func.func @all(%s: !s, %factor: !s, %offset: !s) -> !f {
  %x = math.fma %s, %factor, %offset : !s
  %e = math.exp2 %x : !s
  %sum = tile.reduce sum %e along [2] : !s -> !f
  return %sum : !f
}

// Sums of other numbers have their four chains.
// CHECK-LABEL: func @others(
// CHECK-NOT: in_order
// CHECK: return
func.func @others(%s: !s, %factor: !s, %most: !s) -> (!f, !f) {
  %x = arith.mulf %s, %factor : !s
  %y = arith.subf %x, %most : !s
  %e = math.exp2 %y : !s
  %sum = tile.reduce sum %e along [2] : !s -> !f
  %logits = tile.reduce sum %s along [2] : !s -> !f
  return %sum, %logits : !f, !f
}
