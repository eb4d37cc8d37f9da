// RUN: landmark-opt %s --tile-insert-fences -split-input-file | FileCheck %s

// A kernel that multiplies by wgmma fences after every wait.
// CHECK-LABEL: gpu.func @wgmma
// CHECK: tile.wait 0
// CHECK-NEXT: tile.fence
// CHECK-NEXT: gpu.barrier
gpu.module @kernels {
  gpu.func @wgmma(%acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    %zero = arith.constant 0 : index
    %q = tile.alloc : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
    %k = tile.alloc : !tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>
    tile.wait 0
    gpu.barrier
    %a = tile.slot %q[%zero] : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>> -> !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
    %b = tile.slot %k[%zero] : !tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>> -> !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

// One that does not has nothing to fence.
// CHECK-LABEL: gpu.func @mma
// CHECK: tile.wait 0
// CHECK-NOT: tile.fence
gpu.module @kernels {
  gpu.func @mma() kernel {
    tile.wait 0
    gpu.barrier
    gpu.return
  }
}

// -----

// A run of writes has one fence, behind the barrier: it has to lie between a write and who reads it past the ordinary path, and there it holds nobody else up.
// CHECK-LABEL: gpu.func @writes
// CHECK: tile.write
// CHECK-NOT: tile.fence
// CHECK: tile.write
// CHECK-NEXT: tile.barrier of 4
// CHECK-NEXT: tile.fence
// CHECK-NOT: tile.fence
!weights = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
gpu.module @kernels {
  gpu.func @writes(%p: tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, %acc: !acc) kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc : !weights
    %slot = tile.slot %ring[%zero] : !weights -> !tile.slot<!weights>
    tile.write %p to %slot : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!weights>
    tile.write %p to %slot : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!weights>
    tile.barrier of 4
    %s = tile.dot %slot transposed, %slot into %acc by wgmma : !tile.slot<!weights>, !tile.slot<!weights> -> !acc
    gpu.return
  }
}

// -----

// Where no barrier follows, who writes reads, and fences at once; a barrier of the whole block hands on as one of a group does.
// CHECK-LABEL: gpu.func @alone
// CHECK: tile.write
// CHECK-NEXT: gpu.barrier
// CHECK-NEXT: tile.fence
// CHECK-NEXT: tile.write
// CHECK-NEXT: tile.fence
// CHECK-NEXT: tile.dot
!weights = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
gpu.module @kernels {
  gpu.func @alone(%p: tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, %acc: !acc) kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc : !weights
    %slot = tile.slot %ring[%zero] : !weights -> !tile.slot<!weights>
    tile.write %p to %slot : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!weights>
    gpu.barrier
    tile.write %p to %slot : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!weights>
    %s = tile.dot %slot transposed, %slot into %acc by wgmma : !tile.slot<!weights>, !tile.slot<!weights> -> !acc
    gpu.return
  }
}
