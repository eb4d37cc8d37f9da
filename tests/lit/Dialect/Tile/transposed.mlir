// What the backward added to tile operations: rows of one element, blocks of rows, transposed left operands, writes to rings.
// RUN: landmark-opt %s | landmark-opt | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!rows_view = memref<?x?x?xf32, strided<[?, ?, ?]>>
!slot = !tile.slot<!tile.buffer<1, [64, 32], bf16, <bits = 2, shift = 1>>>

// CHECK: func.func @forms(
func.func @forms(%V: !view, %R: !rows_view, %n: index, %p: tensor<64x2x16xbf16>, %do: tensor<64x64xbf16>, %acc: tensor<32x64xf32>, %out: tensor<32x64xbf16>,
                 %laid: tensor<64x2x16xbf16, #tile.fragment<[row, block, column], 4>>, %slot: !slot) {
  // CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] in{{ ?}}[%{{.*}}, %{{.*}}) : memref<?x?x?xf32, {{.*}}> -> tensor<64xf32>
  %row = tile.load %R[%n, %n, %n] in [%n, %n) : !rows_view -> tensor<64xf32>
  // CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] blocks of %{{.*}} stride %{{.*}} below %{{.*}} : tensor<32x64xbf16>, memref<
  tile.store %out, %V[%n, %n, %n] blocks of %n stride %n below %n : tensor<32x64xbf16>, !view
  // CHECK: tile.dot %{{.*}} transposed, %{{.*}} into %{{.*}} : tensor<64x2x16xbf16>, tensor<64x64xbf16> -> tensor<32x64xf32>
  %sum = tile.dot %p transposed, %do into %acc : tensor<64x2x16xbf16>, tensor<64x64xbf16> -> tensor<32x64xf32>
  // CHECK: tile.write %{{.*}} to %{{.*}} : tensor<64x2x16xbf16, #tile.fragment<[row, block, column], 4>>, <<1, [64, 32]
  tile.write %laid to %slot : tensor<64x2x16xbf16, #tile.fragment<[row, block, column], 4>>, !slot
  return
}

// What one group of four warps multiplies alone of weights that all wrote.
// CHECK-LABEL: gpu.func @alone
// CHECK: tile.dot %{{.*}}, %{{.*}} into %{{.*}} by wgmma in group 2 async : !tile.slot<{{.*}}>, !tile.slot<{{.*}}> -> tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
!alone_weights = !tile.buffer<2, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!alone_keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!alone = tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
gpu.module @kernels {
  gpu.func @alone(%ds: !tile.slot<!alone_weights>, %k: !tile.slot<!alone_keys>, %acc: !alone) kernel {
    %dq = tile.dot %ds, %k into %acc by wgmma in group 2 async : !tile.slot<!alone_weights>, !tile.slot<!alone_keys> -> !alone
    gpu.return
  }
}
