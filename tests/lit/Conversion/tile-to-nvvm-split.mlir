// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' -split-input-file | FileCheck %s

!queries = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
!p = tensor<64x2x64xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
!d = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// Each group of four warps multiplies all 64 rows by one of the blocks, whose place is a number that the warp agrees on; it writes its weights to a panel of its own, four
// matrices in one piece, and reads them from there with the depth in rows: both operands transposed.
// CHECK-LABEL: gpu.func @shared_blocks
// CHECK: nvvm.shfl.sync idx
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: m64n64k16.f32.bf16.bf16 {{{[^}]*}}}, $32, $33, start, 1, 1, 0, 0;
// CHECK: %[[ID:.*]] = arith.divui %{{.*}}, %{{.*}} : i32
// CHECK-COUNT-4: nvvm.stmatrix %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {eltType = {{.*}}, layout = #nvvm.mma_layout<row>
// CHECK-NOT: nvvm.stmatrix
// CHECK: nvvm.barrier id = %{{.*}} number_of_threads = %{{.*}}
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: m64n64k16.f32.bf16.bf16 {{{[^}]*}}}, $32, $33, start, 1, 1, 1, 1;
gpu.module @kernels {
  gpu.func @shared_blocks(%out: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>) kernel {
    %zero = arith.constant 0 : index
    %a = tile.alloc {offset = 0 : i64} : !queries
    %b = tile.alloc {offset = 8192 : i64} : !keys
    %c = tile.alloc {offset = 24576 : i64} : !weights
    %q = tile.slot %a[%zero] : !queries -> !tile.slot<!queries>
    %k = tile.slot %b[%zero] : !keys -> !tile.slot<!keys>
    %w = tile.slot %c[%zero] : !weights -> !tile.slot<!weights>
    %s0 = arith.constant dense<0.0> : !s
    %d0 = arith.constant dense<0.0> : !d
    %s = tile.dot %q, %k transpose into %s0 by wgmma : !tile.slot<!queries>, !tile.slot<!keys> -> !s
    %p = tile.cast %s : !s -> !p
    tile.write %p to %w : !p, !tile.slot<!weights>
    tile.barrier of 4
    %d = tile.dot %w transposed, %q into %d0 by wgmma : !tile.slot<!weights>, !tile.slot<!queries> -> !d
    tile.store %d, %out[%zero, %zero, %zero] below %zero : !d, memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

// Rows are those of the warp in its group, block numbers those of the group.
// CHECK-LABEL: gpu.func @numbers
// CHECK: %[[IN_GROUP:.*]] = arith.remui
// CHECK: arith.muli %[[IN_GROUP]],
// CHECK: %[[GROUP:.*]] = arith.divui
// CHECK: arith.muli %[[GROUP]],
gpu.module @kernels {
  gpu.func @numbers(%out: memref<?x?x?xf32, strided<[?, ?, ?]>>) kernel {
    %zero = arith.constant 0 : index
    %rows = tile.iota : tensor<64xi32, #tile.fragment<[row], 8, split = 2>>
    %blocks = tile.iota : tensor<2xi32, #tile.fragment<[block], 8, split = 2>>
    %r = tile.broadcast %rows to [0] : tensor<64xi32, #tile.fragment<[row], 8, split = 2>> -> tensor<64x2xi32, #tile.fragment<[row, block], 8, split = 2>>
    %b = tile.broadcast %blocks to [1] : tensor<2xi32, #tile.fragment<[block], 8, split = 2>> -> tensor<64x2xi32, #tile.fragment<[row, block], 8, split = 2>>
    %sum = arith.addi %r, %b : tensor<64x2xi32, #tile.fragment<[row, block], 8, split = 2>>
    gpu.return
  }
}

// -----

// A group alone multiplies all rows by all columns, the weights with the depth along their rows, and adds rows of its own: those of warp 8 are the first.
// CHECK-LABEL: gpu.func @alone
// CHECK-NOT: nvvm.shfl.sync
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: m64n64k16.f32.bf16.bf16 {{{[^}]*}}}, $32, $33, start, 1, 1, 0, 1;
// CHECK: %[[EIGHT:.*]] = arith.constant 8 : i32
// CHECK: %[[IN_GROUP:.*]] = arith.subi %{{.*}}, %[[EIGHT]] : i32
// CHECK: arith.muli %[[IN_GROUP]],
// CHECK-COUNT-8: red.relaxed.gpu.global.add.v4.f32
!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!alone = tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
!sum = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @alone(%SUM: !sum) kernel {
    %zero = arith.constant 0 : index
    %a = tile.alloc {offset = 0 : i64} : !weights
    %b = tile.alloc {offset = 16384 : i64} : !keys
    %ds = tile.slot %a[%zero] : !weights -> !tile.slot<!weights>
    %k = tile.slot %b[%zero] : !keys -> !tile.slot<!keys>
    %q0 = arith.constant dense<0.0> : !alone
    %dq = tile.dot %ds, %k into %q0 by wgmma in group 2 : !tile.slot<!weights>, !tile.slot<!keys> -> !alone
    tile.write_fragments add %dq, %SUM[%zero, %zero, %zero] : !alone, !sum
    gpu.return
  }
}

// -----

// A product computed anew by mma.sync: a group's warps read their own rows of the right operand, 64 of 128 bytes for each group.
// CHECK-LABEL: gpu.func @anew
// CHECK: %[[BYTES:.*]] = arith.constant 8192 : i32
// CHECK: arith.muli %{{.*}}, %[[BYTES]]
// CHECK-COUNT-32: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
!queries = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!logits = tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>
gpu.module @kernels {
  gpu.func @anew() kernel {
    %zero = arith.constant 0 : index
    %a = tile.alloc {offset = 0 : i64} : !queries
    %b = tile.alloc {offset = 8192 : i64} : !keys
    %q = tile.slot %a[%zero] : !queries -> !tile.slot<!queries>
    %k = tile.slot %b[%zero] : !keys -> !tile.slot<!keys>
    %s0 = arith.constant dense<0.0> : !logits
    %s = tile.dot %q, %k transpose into %s0 anew : !tile.slot<!queries>, !tile.slot<!keys> -> !logits
    gpu.return
  }
}
