// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// Two chunks of a row a step, two key tiles a load: 16 x 16 x 32 takes 2 x 2 products of depth 16.
// CHECK-LABEL: @registers_bf16(
// CHECK-COUNT-4: nvvm.ldmatrix {{.*}}num = 2
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<row>, num = 4
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<row>, num = 4
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK-NOT: nvvm.mma.sync
!keys = !tile.slot<!tile.buffer<1, [1, 16, 32], bf16, <bits = 2, shift = 1>>>
!left = tensor<16x32xbf16, #tile.fragment<[row, column], 1>>
!acc = tensor<16x1x16xf32, #tile.fragment<[row, block, column], 1>>
gpu.module @kernels {
  gpu.func @registers_bf16(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 1024 : i64} : !tile.buffer<1, [1, 16, 32], bf16, <bits = 2, shift = 1>>
    %k = tile.slot %ring[%zero] : !tile.buffer<1, [1, 16, 32], bf16, <bits = 2, shift = 1>> -> !keys
    %place = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [16, 32], bf16, <bits = 2, shift = 1>>
    %q = tile.slot %place[%zero] : !tile.buffer<1, [16, 32], bf16, <bits = 2, shift = 1>> -> !tile.slot<!tile.buffer<1, [16, 32], bf16, <bits = 2, shift = 1>>>
    %left = tile.read %q : !tile.slot<!tile.buffer<1, [16, 32], bf16, <bits = 2, shift = 1>>> -> !left
    %none = arith.constant dense<0.0> : !acc
    %s = tile.dot %left, %k transpose into %none : !left, !keys -> !acc
    gpu.return
  }
}

// -----

// The left operand is read from shared memory where it is not in registers; an odd key tile takes a load of half the size.
// CHECK-LABEL: @shared_f16(
// CHECK-COUNT-2: nvvm.ldmatrix {{.*}}num = 4
// CHECK: nvvm.ldmatrix {{.*}}num = 2
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>{{.*}}vector<2xf16>
// CHECK-NOT: nvvm.mma.sync
!keys = !tile.slot<!tile.buffer<1, [1, 8, 16], f16, <bits = 1, shift = 2>>>
!left = !tile.slot<!tile.buffer<1, [32, 16], f16, <bits = 1, shift = 2>>>
!acc = tensor<32x1x8xf32, #tile.fragment<[row, block, column], 1>>
gpu.module @kernels {
  gpu.func @shared_f16(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 1024 : i64} : !tile.buffer<1, [1, 8, 16], f16, <bits = 1, shift = 2>>
    %k = tile.slot %ring[%zero] : !tile.buffer<1, [1, 8, 16], f16, <bits = 1, shift = 2>> -> !keys
    %place = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [32, 16], f16, <bits = 1, shift = 2>>
    %q = tile.slot %place[%zero] : !tile.buffer<1, [32, 16], f16, <bits = 1, shift = 2>> -> !tile.slot<!tile.buffer<1, [32, 16], f16, <bits = 1, shift = 2>>>
    %none = arith.constant dense<0.0> : !acc
    %s = tile.dot %q, %k transpose into %none : !left, !keys -> !acc
    gpu.return
  }
}

// -----

// A depth of 24 is one product of 16 and one of 8; three key tiles are a pair and one.
// CHECK-LABEL: @tail_bf16(
// CHECK-COUNT-3: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK-COUNT-3: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK-NOT: nvvm.mma.sync
!keys = !tile.slot<!tile.buffer<1, [1, 24, 24], bf16, <bits = 0, shift = 3>>>
!left = tensor<16x24xbf16, #tile.fragment<[row, column], 1>>
!acc = tensor<16x1x24xf32, #tile.fragment<[row, block, column], 1>>
gpu.module @kernels {
  gpu.func @tail_bf16(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 1024 : i64} : !tile.buffer<1, [1, 24, 24], bf16, <bits = 0, shift = 3>>
    %k = tile.slot %ring[%zero] : !tile.buffer<1, [1, 24, 24], bf16, <bits = 0, shift = 3>> -> !keys
    %place = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [16, 24], bf16, <bits = 0, shift = 3>>
    %q = tile.slot %place[%zero] : !tile.buffer<1, [16, 24], bf16, <bits = 0, shift = 3>> -> !tile.slot<!tile.buffer<1, [16, 24], bf16, <bits = 0, shift = 3>>>
    %left = tile.read %q : !tile.slot<!tile.buffer<1, [16, 24], bf16, <bits = 0, shift = 3>>> -> !left
    %none = arith.constant dense<0.0> : !acc
    %s = tile.dot %left, %k transpose into %none : !left, !keys -> !acc
    gpu.return
  }
}

// -----

// float32 operands are rounded to tf32, products have a depth of 8.
// CHECK-LABEL: @shared_f32(
// CHECK-COUNT-6: nvvm.convert.float.to.tf32
// CHECK: nvvm.mma.sync {{.*}}multiplicandAPtxType = #nvvm.mma_type<tf32>{{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK-COUNT-6: nvvm.convert.float.to.tf32
// CHECK: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK-NOT: nvvm.mma.sync
!keys = !tile.slot<!tile.buffer<1, [1, 8, 16], f32, <bits = 2, shift = 1>>>
!left = !tile.slot<!tile.buffer<1, [16, 16], f32, <bits = 2, shift = 1>>>
!acc = tensor<16x1x8xf32, #tile.fragment<[row, block, column], 1>>
gpu.module @kernels {
  gpu.func @shared_f32(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 1024 : i64} : !tile.buffer<1, [1, 8, 16], f32, <bits = 2, shift = 1>>
    %k = tile.slot %ring[%zero] : !tile.buffer<1, [1, 8, 16], f32, <bits = 2, shift = 1>> -> !keys
    %place = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [16, 16], f32, <bits = 2, shift = 1>>
    %q = tile.slot %place[%zero] : !tile.buffer<1, [16, 16], f32, <bits = 2, shift = 1>> -> !tile.slot<!tile.buffer<1, [16, 16], f32, <bits = 2, shift = 1>>>
    %none = arith.constant dense<0.0> : !acc
    %s = tile.dot %q, %k transpose into %none : !left, !keys -> !acc
    gpu.return
  }
}

// -----

// Values are transposed on the way; three column tiles are a pair and one, for each of two depths.
// CHECK-LABEL: @plain_bf16(
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>, num = 4
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>, num = 2
// CHECK-COUNT-1: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>, num = 4
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>, num = 2
// CHECK-COUNT-1: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK-NOT: nvvm.mma.sync
!values = !tile.slot<!tile.buffer<1, [1, 32, 24], bf16, <bits = 0, shift = 3>>>
!weights = tensor<16x1x32xbf16, #tile.fragment<[row, block, column], 1>>
!acc = tensor<16x24xf32, #tile.fragment<[row, column], 1>>
gpu.module @kernels {
  gpu.func @plain_bf16(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [1, 32, 24], bf16, <bits = 0, shift = 3>>
    %v = tile.slot %ring[%zero] : !tile.buffer<1, [1, 32, 24], bf16, <bits = 0, shift = 3>> -> !values
    %p = arith.constant dense<1.0> : !weights
    %none = arith.constant dense<0.0> : !acc
    %o = tile.dot %p, %v into %none : !weights, !values -> !acc
    gpu.return
  }
}

// -----

// 24 tokens are a depth of 16 and one of 8.
// CHECK-LABEL: @plain_tail_f16(
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>{{.*}}num = 2
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK-NOT: nvvm.mma.sync
!values = !tile.slot<!tile.buffer<1, [1, 24, 16], f16, <bits = 1, shift = 2>>>
!weights = tensor<16x1x24xf16, #tile.fragment<[row, block, column], 1>>
!acc = tensor<16x16xf32, #tile.fragment<[row, column], 1>>
gpu.module @kernels {
  gpu.func @plain_tail_f16(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [1, 24, 16], f16, <bits = 1, shift = 2>>
    %v = tile.slot %ring[%zero] : !tile.buffer<1, [1, 24, 16], f16, <bits = 1, shift = 2>> -> !values
    %p = arith.constant dense<1.0> : !weights
    %none = arith.constant dense<0.0> : !acc
    %o = tile.dot %p, %v into %none : !weights, !values -> !acc
    gpu.return
  }
}

// -----

// ldmatrix cannot transpose 32-bit elements: each lane loads its two of every column tile.
// CHECK-LABEL: @plain_f32(
// CHECK-NOT: nvvm.ldmatrix
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
// CHECK-NOT: nvvm.ldmatrix
// CHECK-COUNT-2: nvvm.mma.sync {{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK-NOT: nvvm.mma.sync
!values = !tile.slot<!tile.buffer<1, [1, 8, 16], f32, <bits = 2, shift = 1>>>
!weights = tensor<16x1x8xf32, #tile.fragment<[row, block, column], 1>>
!acc = tensor<16x16xf32, #tile.fragment<[row, column], 1>>
gpu.module @kernels {
  gpu.func @plain_f32(%n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [1, 8, 16], f32, <bits = 2, shift = 1>>
    %v = tile.slot %ring[%zero] : !tile.buffer<1, [1, 8, 16], f32, <bits = 2, shift = 1>> -> !values
    %p = arith.constant dense<1.0> : !weights
    %none = arith.constant dense<0.0> : !acc
    %o = tile.dot %p, %v into %none : !weights, !values -> !acc
    gpu.return
  }
}
