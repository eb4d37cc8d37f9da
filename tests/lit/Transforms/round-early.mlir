// RUN: landmark-opt %s --tile-round-early | FileCheck %s

!s = tensor<64x2x64xf32>
!p = tensor<64x2x64xbf16>

// An edge, without a branch, is rounded once.
// CHECK-LABEL: func @edge(
// CHECK: %[[W:.*]] = arith.mulf %{{.*}} : tensor<64x2x64xf32>
// CHECK: tile.cast %[[W]]
func.func @edge(%e: !s, %f: tensor<64x2xf32>) -> !p {
  %all = tile.broadcast %f to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %e, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}

// A number a column may differ between the two of a register.
// CHECK-LABEL: func @column_factor(
// CHECK: %[[W:.*]] = arith.mulf %{{.*}} : tensor<64x2x64xf32>
// CHECK: tile.cast %[[W]]
func.func @column_factor(%quick: !s, %f: tensor<64xf32>, %fits: i1) -> !p {
  %e = scf.if %fits -> !s {
    scf.yield %quick : !s
  } else {
    %other = math.absf %quick : !s
    scf.yield %other : !s
  }
  %all = tile.broadcast %f to [2] : tensor<64xf32> -> !s
  %w = arith.mulf %e, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}

// What is needed in 32 bits besides is multiplied there.
// CHECK-LABEL: func @used_twice(
// CHECK: %[[W:.*]] = arith.mulf %{{.*}} : tensor<64x2x64xf32>
// CHECK: tile.cast %[[W]]
func.func @used_twice(%quick: !s, %f: tensor<64x2xf32>, %fits: i1) -> (!p, !s) {
  %e = scf.if %fits -> !s {
    scf.yield %quick : !s
  } else {
    %other = math.absf %quick : !s
    scf.yield %other : !s
  }
  %all = tile.broadcast %f to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %e, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p, %w : !p, !s
}

// Two tiles of numbers.
// CHECK-LABEL: func @tiles(
// CHECK: %[[W:.*]] = arith.mulf %{{.*}} : tensor<64x2x64xf32>
// CHECK: tile.cast %[[W]]
func.func @tiles(%quick: !s, %f: !s, %fits: i1) -> !p {
  %e = scf.if %fits -> !s {
    scf.yield %quick : !s
  } else {
    %other = math.absf %quick : !s
    scf.yield %other : !s
  }
  %w = arith.mulf %e, %f : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}

// What branches hand on is rounded where they compute it: in front of the branch, where it was known before. So are the numbers of rows, spread over columns.
// CHECK-LABEL: func @branches(
// CHECK-SAME: %[[E:[^:]*]]: tensor<64x2x64xf32>, %[[F:[^:]*]]: tensor<64x2xf32>
// CHECK: %[[QUICK:.*]] = math.exp2 %[[E]]
// CHECK: %[[ROUNDED:.*]] = tile.cast %[[QUICK]]
// CHECK: %[[IF:.*]]:2 = scf.if %{{.*}} -> (tensor<64x2x64xbf16>, tensor<64x2x64xbf16>)
// CHECK:   scf.yield %[[ROUNDED]], %[[SPREAD:[^ ]*]] :
// CHECK: } else {
// CHECK:   %[[OTHER:.*]] = math.absf %[[E]]
// CHECK:   %[[OTHER_ROUNDED:.*]] = tile.cast %[[OTHER]]
// CHECK:   scf.yield %[[OTHER_ROUNDED]], %
// CHECK-NOT: tile.cast
// CHECK: arith.mulf %[[IF]]#0, %[[IF]]#1
func.func @branches(%e: !s, %f: tensor<64x2xf32>, %fits: i1) -> !p {
  %quick = math.exp2 %e : !s
  %inner, %factor = scf.if %fits -> (!s, tensor<64x2xf32>) {
    scf.yield %quick, %f : !s, tensor<64x2xf32>
  } else {
    %other = math.absf %e : !s
    scf.yield %other, %f : !s, tensor<64x2xf32>
  }
  %all = tile.broadcast %factor to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %inner, %all : !s
  %p = tile.cast %w : !s -> !p
  return %p : !p
}

// What the other branch may need in 32 bits is rounded in the branch that hands it on, for not both to be kept; and what that one alone asks is asked there.
// CHECK-LABEL: func @asked_first(
// CHECK: %[[QUICK:.*]] = math.exp2 %{{.*}} : tensor<64x2x64xf32>
// CHECK-NOT: tile.cast
// CHECK: %[[HOLDS:.*]] = tile.all
// CHECK-NOT: tile.all
// CHECK: scf.if %[[HOLDS]] -> (tensor<64x2x64xf16>, tensor<64x2x64xf16>)
// CHECK:   %[[ROUNDED:.*]] = tile.cast %[[QUICK]]
// CHECK:   scf.yield %[[ROUNDED]]
// CHECK: } else {
// CHECK:   arith.cmpf
// CHECK:   %[[FITS:.*]] = tile.all
// CHECK:   scf.if %[[FITS]]
// CHECK: arith.mulf %{{.*}} : tensor<64x2x64xf16>
func.func @asked_first(%e: !s, %f: tensor<64x2xf32>, %near: tensor<64x2xf32>, %far: tensor<64x2xf32>) -> tensor<64x2x64xf16> {
  %quick = math.exp2 %e : !s
  %fit = arith.cmpf ole, %f, %far : tensor<64x2xf32>
  %fits = tile.all %fit : tensor<64x2xi1>
  %hold = arith.cmpf ole, %f, %near : tensor<64x2xf32>
  %holds = tile.all %hold : tensor<64x2xi1>
  %inner, %factor = scf.if %holds -> (!s, tensor<64x2xf32>) {
    scf.yield %quick, %f : !s, tensor<64x2xf32>
  } else {
    %one = arith.constant dense<1.0> : tensor<64x2xf32>
    %scaled = scf.if %fits -> !s {
      %spread = tile.broadcast %f to [0, 1] : tensor<64x2xf32> -> !s
      %product = arith.mulf %quick, %spread : !s
      scf.yield %product : !s
    } else {
      %other = math.absf %e : !s
      scf.yield %other : !s
    }
    scf.yield %scaled, %one : !s, tensor<64x2xf32>
  }
  %all = tile.broadcast %factor to [0, 1] : tensor<64x2xf32> -> !s
  %w = arith.mulf %inner, %all : !s
  %p = tile.cast %w : !s -> tensor<64x2x64xf16>
  return %p : tensor<64x2x64xf16>
}

// Of four blocks there are too many numbers to keep while it is decided: they are spread behind the branch.
// CHECK-LABEL: func @four_blocks(
// CHECK: %[[IF:.*]]:2 = scf.if %{{.*}} -> (tensor<64x4x32xbf16>, tensor<64x4xf32>)
// CHECK: %[[SPREAD:.*]] = tile.broadcast %[[IF]]#1
// CHECK: %[[FACTORS:.*]] = tile.cast %[[SPREAD]]
// CHECK: arith.mulf %[[IF]]#0, %[[FACTORS]]
func.func @four_blocks(%e: tensor<64x4x32xf32>, %f: tensor<64x4xf32>, %fits: i1) -> tensor<64x4x32xbf16> {
  %quick = math.exp2 %e : tensor<64x4x32xf32>
  %inner, %factor = scf.if %fits -> (tensor<64x4x32xf32>, tensor<64x4xf32>) {
    scf.yield %quick, %f : tensor<64x4x32xf32>, tensor<64x4xf32>
  } else {
    %other = math.absf %e : tensor<64x4x32xf32>
    scf.yield %other, %f : tensor<64x4x32xf32>, tensor<64x4xf32>
  }
  %all = tile.broadcast %factor to [0, 1] : tensor<64x4xf32> -> tensor<64x4x32xf32>
  %w = arith.mulf %inner, %all : tensor<64x4x32xf32>
  %p = tile.cast %w : tensor<64x4x32xf32> -> tensor<64x4x32xbf16>
  return %p : tensor<64x4x32xbf16>
}
