// RUN: landmark-opt %s --split-input-file --verify-diagnostics | FileCheck %s

!slot = !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
// CHECK-LABEL: @forms
func.func @forms(%k: tensor<1x64x128xbf16>, %a: !slot, %c: !slot, %n: index, %F: memref<?xi64>, %half: i1) {
  // CHECK: tile.rotate %{{.*}} at %{{.*}} step %{{.*}} low %{{.*}} by %{{.*}} half %{{.*}} : tensor<1x64x128xbf16>, memref<?xi64> -> tensor<1x64x128xbf16>
  %r = tile.rotate %k at %n step %n low %n by %F half %half : tensor<1x64x128xbf16>, memref<?xi64> -> tensor<1x64x128xbf16>
  // CHECK: tile.rotate_rows %{{.*}} to %{{.*}} at %{{.*}} step %{{.*}} low %{{.*}} by %{{.*}} half %{{.*}} :
  tile.rotate_rows %a to %c at %n step %n low %n by %F half %half : !slot, !slot, memref<?xi64>
  return
}

// -----

func.func @shape(%k: tensor<64x128xbf16>, %n: index, %F: memref<?xi64>, %half: i1) {
  // expected-error @below {{keeps shape and element type}}
  %r = tile.rotate %k at %n step %n low %n by %F half %half : tensor<64x128xbf16>, memref<?xi64> -> tensor<64x64xbf16>
  return
}

// -----

func.func @blocks(%k: tensor<2x64x128xbf16>, %n: index, %F: memref<?xi64>, %half: i1) {
  // expected-error @below {{turns rows of an even number of columns, in one block}}
  %r = tile.rotate %k at %n step %n low %n by %F half %half : tensor<2x64x128xbf16>, memref<?xi64> -> tensor<2x64x128xbf16>
  return
}

// -----

func.func @integers(%k: tensor<64x128xi32>, %n: index, %F: memref<?xi64>, %half: i1) {
  // expected-error @below {{turns floats, got 'i32'}}
  %r = tile.rotate %k at %n step %n low %n by %F half %half : tensor<64x128xi32>, memref<?xi64> -> tensor<64x128xi32>
  return
}

// -----

!from = !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
!to = !tile.slot<!tile.buffer<1, [32, 128], bf16, <bits = 3, shift = 0>>>
func.func @slots(%a: !from, %c: !to, %n: index, %F: memref<?xi64>, %half: i1) {
  // expected-error @below {{keeps shape and element type}}
  tile.rotate_rows %a to %c at %n step %n low %n by %F half %half : !from, !to, memref<?xi64>
  return
}
