// RUN: landmark-opt %s --tile-share-products --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-share-products --tile-assign-layouts="warps=4 slices" --split-input-file | FileCheck %s --check-prefix=LAYOUT

// Logits go through shared memory, whole to every warp; the product of values stays in slices.
// CHECK-LABEL: @step(
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: %[[S:[0-9a-z]+]] = tile.dot
// CHECK: %[[SLOT:[0-9a-z]+]] = tile.slot %{{.*}} -> <<1, [8, 64], f32,
// CHECK: tile.write %[[S]] to %[[SLOT]]
// CHECK-NEXT: gpu.barrier
// CHECK-NEXT: %[[ALL:[0-9a-z]+]] = tile.read %[[SLOT]]
// CHECK: tile.cast %[[ALL]]
// CHECK-NOT: tile.write
// LAYOUT-LABEL: @step(
// LAYOUT: tile.dot {{.*}} -> tensor<8x1x64xf32, #tile.fragment<[row, block, slice], 4>>
// LAYOUT: tile.read {{.*}} -> tensor<8x1x64xf32, #tile.fragment<[row, block, column], 1>>
// LAYOUT: tile.dot {{.*}} -> tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
// LAYOUT: tile.broadcast {{.*}} : tensor<8xf32, #tile.fragment<[row], 1>> -> tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
// LAYOUT: tile.store {{.*}} tensor<8x128xf32, #tile.fragment<[row, slice], 4>>
!slot = !tile.slot<!tile.buffer<1, [1, 64, 128], bf16, <bits = 3, shift = 0>>>
!out = memref<?x?x?x128xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @step(%q: !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>, %k: !slot, %v: !slot, %O: !out, %n: index) kernel {
    %zero = arith.constant 0 : index
    %s0 = arith.constant dense<0.0> : tensor<8x1x64xf32>
    %o0 = arith.constant dense<0.0> : tensor<8x128xf32>
    gpu.barrier
    %s = tile.dot %q, %k transpose into %s0 : !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>, !slot -> tensor<8x1x64xf32>
    %m = tile.reduce max %s along [1, 2] : tensor<8x1x64xf32> -> tensor<8xf32>
    %p = tile.cast %s : tensor<8x1x64xf32> -> tensor<8x1x64xbf16>
    %o = tile.dot %p, %v into %o0 : tensor<8x1x64xbf16>, !slot -> tensor<8x128xf32>
    %rows = tile.broadcast %m to [0] : tensor<8xf32> -> tensor<8x128xf32>
    %scaled = arith.mulf %o, %rows : tensor<8x128xf32>
    tile.store %scaled, %O[%zero, %zero, %zero] below %n : tensor<8x128xf32>, !out
    gpu.return
  }
}

// -----

// Where nothing separates the write from readers before it, a barrier does.
// CHECK-LABEL: @apart(
// CHECK: gpu.barrier
// CHECK: tile.dot
// CHECK: tile.write
// CHECK: gpu.barrier
!slot = !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0>>>
gpu.module @kernels {
  gpu.func @apart(%q: !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>, %k: !slot, %O: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %s0 = arith.constant dense<0.0> : tensor<8x64xf32>
    %s = tile.dot %q, %k transpose into %s0 : !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>, !slot -> tensor<8x64xf32>
    %m = tile.reduce max %s along [1] : tensor<8x64xf32> -> tensor<8xf32>
    tile.store %m, %O[%zero, %zero, %zero] below %n : tensor<8xf32>, memref<?x?x?xf32, strided<[?, ?, ?]>>
    gpu.return
  }
}
