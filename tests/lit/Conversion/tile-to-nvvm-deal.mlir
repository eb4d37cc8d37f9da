// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' -split-input-file | FileCheck %s

!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!factors = tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>>

// A lane gives a neighbour two of its four sums and keeps two, then gives away one of two: three exchanges. What is then done once takes four to be everybody's again.
// CHECK-LABEL: gpu.func @shares
// CHECK: %[[IS_ODD:.*]] = arith.cmpi ne, %{{.*}}, %c0_i32 : i32
// CHECK: %[[IS_UPPER:.*]] = arith.cmpi ne, %{{.*}}, %c0_i32 : i32
// CHECK: %[[GIVEN:.*]] = arith.select %[[IS_ODD]], %[[A:.*]], %[[B:.*]] : f32
// CHECK: %[[GOT:.*]] = nvvm.shfl.sync{{ +}}bfly %{{.*}}, %[[GIVEN]], %c1_i32,
// CHECK: %[[KEPT:.*]] = arith.select %[[IS_ODD]], %[[B]], %[[A]] : f32
// CHECK: %[[FIRST:.*]] = arith.addf %[[KEPT]], %[[GOT]] : f32
// CHECK: nvvm.shfl.sync{{ +}}bfly %{{.*}}, %{{.*}}, %c1_i32,
// CHECK: %[[SECOND:.*]] = arith.addf
// CHECK: %[[ACROSS:.*]] = arith.select %[[IS_UPPER]], %[[SECOND]], %[[FIRST]] : f32
// CHECK: nvvm.shfl.sync{{ +}}bfly %{{.*}}, %[[ACROSS]], %c2_i32,
// CHECK: arith.select %[[IS_UPPER]], %[[FIRST]], %[[SECOND]] : f32
// CHECK-NOT: bfly
// CHECK: llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
// CHECK-NOT: rcp
// CHECK-COUNT-4: nvvm.shfl.sync{{ +}}idx
// CHECK-NOT: nvvm.shfl
gpu.module @kernels {
  gpu.func @shares(%V: memref<?x?x?xf32, strided<[?, ?, ?]>>, %s: f32) kernel {
    %zero = arith.constant 0 : index
    %x = tensor.splat %s : !s
    %sum = tile.reduce sum %x along [2] : !s -> !factors
    %one = arith.constant dense<1.0> : !factors
    %share = arith.divf %one, %sum fastmath<afn> : !factors
    %all = tile.broadcast %share to [0, 1] : !factors -> !s
    %y = arith.mulf %x, %all : !s
    gpu.return
  }
}

// -----

!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!factors = tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>>
!row = tensor<128xf32, #tile.fragment<[row], 8>>

// Column 63 is in the last lane of a quad: it hands two of its four numbers across, and both of a pair hand one on. A row's number is in all lanes, which choose it by
// what row theirs is of. The maximum over blocks needs all four again.
// CHECK-LABEL: gpu.func @column
// CHECK-COUNT-3: nvvm.shfl.sync{{ +}}bfly
// CHECK-NOT: nvvm.shfl
// CHECK: arith.select %[[UPPER:.*]], %[[LATER_ROW:.*]], %[[ROW:.*]] : f32
// CHECK: arith.addf
// CHECK-COUNT-4: nvvm.shfl.sync{{ +}}idx
// CHECK-COUNT-2: llvm.intr.maxnum
// CHECK-NOT: nvvm.shfl
gpu.module @kernels {
  gpu.func @column(%V: memref<?x?x?xf32, strided<[?, ?, ?]>>, %s: f32) kernel {
    %zero = arith.constant 0 : index
    %x = tensor.splat %s : !s
    %gate = tile.column %x at 63 : !s -> !factors
    %number = tile.iota : tensor<128xi32, #tile.fragment<[row], 8>>
    %r = arith.sitofp %number : tensor<128xi32, #tile.fragment<[row], 8>> to !row
    %lse = tile.broadcast %r to [0] : !row -> !factors
    %both = arith.addf %gate, %lse : !factors
    %most = tile.reduce max %both along [1] : !factors -> !row
    gpu.return
  }
}
