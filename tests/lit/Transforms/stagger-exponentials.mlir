// RUN: landmark-opt %s --tile-stagger-exponentials | FileCheck %s
// RUN: landmark-opt %s --tile-stagger-exponentials=parts=8 | FileCheck %s --check-prefix=EIGHT

!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!less = tensor<128x3x32xf32, #tile.fragment<[row, block, column], 8>>
!few = tensor<128x1x64xf32, #tile.fragment<[row, block, column], 8>>
!r = tensor<128xf32, #tile.fragment<[row], 8>>

// Beside a product that is under way.
// CHECK-LABEL: func @beside(
// CHECK-SAME: %[[BEGUN:[^:]*]]: tensor<128x2x64xf32{{.*}}>, %[[ROWS:[^:]*]]: tensor<128xf32{{.*}}>, %[[C:[^:]*]]: f32
// CHECK: %[[S:.*]] = tile.dot_wait %[[BEGUN]] pending 1
// CHECK: %[[E:.*]] = tile.staggered_exp2 %[[S]] times %[[C]] plus %[[ROWS]] parts 2
// CHECK-NOT: math.exp2
// CHECK: return %[[E]]
// EIGHT-LABEL: func @beside(
// EIGHT: tile.staggered_exp2 {{.*}} parts 8
func.func @beside(%begun: !s, %rows: !r, %c: f32) -> !s {
  %s = tile.dot_wait %begun pending 1 : !s
  %factor = tensor.splat %c : !s
  %offset = tile.broadcast %rows to [0] : !r -> !s
  %x = math.fma %s, %factor, %offset : !s
  %e = math.exp2 %x : !s
  return %e : !s
}

// 96 columns have 4 parts of 24, but not 8.
// CHECK-LABEL: func @less(
// CHECK: tile.staggered_exp2 {{.*}} parts 2
// EIGHT-LABEL: func @less(
// EIGHT: tile.staggered_exp2 {{.*}} parts 4
func.func @less(%begun: !less, %rows: !r, %c: f32) -> !less {
  %s = tile.dot_wait %begun pending 1 : !less
  %factor = tensor.splat %c : !less
  %offset = tile.broadcast %rows to [0] : !r -> !less
  %x = math.fma %s, %factor, %offset : !less
  %e = math.exp2 %x : !less
  return %e : !less
}

// With nothing beside it, or few columns, or another number for each block, nothing changes.
// CHECK-LABEL: func @alone(
// CHECK-NOT: staggered
// CHECK: math.exp2
func.func @alone(%begun: !s, %rows: !r, %c: f32) -> !s {
  %s = tile.dot_wait %begun pending 0 : !s
  %factor = tensor.splat %c : !s
  %offset = tile.broadcast %rows to [0] : !r -> !s
  %x = math.fma %s, %factor, %offset : !s
  %e = math.exp2 %x : !s
  return %e : !s
}

// CHECK-LABEL: func @few(
// CHECK-NOT: staggered
// CHECK: math.exp2
func.func @few(%begun: !few, %rows: !r, %c: f32) -> !few {
  %s = tile.dot_wait %begun pending 1 : !few
  %factor = tensor.splat %c : !few
  %offset = tile.broadcast %rows to [0] : !r -> !few
  %x = math.fma %s, %factor, %offset : !few
  %e = math.exp2 %x : !few
  return %e : !few
}

// CHECK-LABEL: func @blocks(
// CHECK-NOT: staggered
// CHECK: math.exp2
func.func @blocks(%begun: !s, %numbers: tensor<128x2xf32, #tile.fragment<[row, block], 8>>, %c: f32) -> !s {
  %s = tile.dot_wait %begun pending 1 : !s
  %factor = tensor.splat %c : !s
  %offset = tile.broadcast %numbers to [0, 1] : tensor<128x2xf32, #tile.fragment<[row, block], 8>> -> !s
  %x = math.fma %s, %factor, %offset : !s
  %e = math.exp2 %x : !s
  return %e : !s
}
