// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// Two warps of 16 rows by 32 columns: a thread writes 2 rows of 4 column tiles, a pair each. The product has 32 rows, 16 for each warp, and contracts 32: two steps of
// four transposed matrices, for four column tiles of the right operand.
// CHECK-LABEL: @through_shared_memory(
// CHECK-COUNT-8: llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : vector<2xbf16>, !llvm.ptr<3>
// CHECK-NOT: llvm.store
// CHECK: nvvm.ldmatrix %{{.*}} {eltType = {{.*}}, layout = #nvvm.mma_layout<col>, num = 4 : i32
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK: nvvm.ldmatrix %{{.*}} {eltType = {{.*}}, layout = #nvvm.mma_layout<col>, num = 4 : i32
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
#acc = #tile.fragment<[row, column], 2>
!slot = !tile.slot<!tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>>
!ring = !tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>
gpu.module @kernels {
  gpu.func @through_shared_memory(%view: memref<?x?x?x32xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %a = tile.alloc {offset = 0 : i64} : !ring
    %b = tile.alloc {offset = 2048 : i64} : !ring
    %left = tile.slot %a[%zero] : !ring -> !slot
    %right = tile.slot %b[%zero] : !ring -> !slot
    %p = arith.constant dense<1.0> : tensor<32x32xbf16, #acc>
    tile.write %p to %left : tensor<32x32xbf16, #acc>, !slot
    gpu.barrier
    %none = arith.constant dense<0.0> : tensor<32x32xf32, #acc>
    %x = tile.dot %left transposed, %right into %none : !slot, !slot -> tensor<32x32xf32, #acc>
    tile.store %x, %view[%zero, %zero, %zero] below %n : tensor<32x32xf32, #acc>, memref<?x?x?x32xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

// float32 elements are read one by one: 2 rows of 2 columns for each step of 8 rows.
// CHECK-LABEL: @float_operand(
// CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<3>
// CHECK-COUNT-2: nvvm.mma.sync
#acc = #tile.fragment<[row, column], 1>
!slot = !tile.slot<!tile.buffer<1, [16, 16], f32, <bits = 2, shift = 1>>>
!ring = !tile.buffer<1, [16, 16], f32, <bits = 2, shift = 1>>
gpu.module @kernels {
  gpu.func @float_operand(%view: memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %a = tile.alloc {offset = 0 : i64} : !ring
    %b = tile.alloc {offset = 1024 : i64} : !ring
    %left = tile.slot %a[%zero] : !ring -> !slot
    %right = tile.slot %b[%zero] : !ring -> !slot
    %p = arith.constant dense<1.0> : tensor<16x16xf32, #acc>
    tile.write %p to %left : tensor<16x16xf32, #acc>, !slot
    gpu.barrier
    %none = arith.constant dense<0.0> : tensor<16x16xf32, #acc>
    %x = tile.dot %left transposed, %right into %none : !slot, !slot -> tensor<16x16xf32, #acc>
    tile.store %x, %view[%zero, %zero, %zero] below %n : tensor<16x16xf32, #acc>, memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

// Rows of one element: a load for each of a thread's rows where the row is there, and zero elsewhere.
// CHECK-LABEL: @rows(
// CHECK-COUNT-2: scf.if %{{.*}} -> (f32) {
// CHECK-NOT: scf.if %{{.*}} -> (f32)
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  gpu.func @rows(%R: !rows, %row: index, %low: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = tile.load %R[%low, %low, %row] in [%low, %high) : !rows -> tensor<32xf32, #tile.fragment<[row], 2>>
    tile.store %x, %R[%low, %low, %row] below %high : tensor<32xf32, #tile.fragment<[row], 2>>, !rows
    gpu.return
  }
}

// -----

// Rows of columns come in pairs where all rows start on 4 bytes, element by element elsewhere, and widen to float32 pair by pair.
// CHECK-LABEL: @matrix(
// CHECK: scf.if %{{.*}} -> (vector<2xbf16>, vector<2xbf16>) {
// CHECK: scf.if %{{.*}} -> (vector<2xbf16>, vector<2xbf16>) {
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
// CHECK: } else {
// CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
// CHECK: arith.extf %{{.*}} : vector<2xbf16> to vector<2xf32>
!view = memref<?x?x?x16xbf16, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
#acc = #tile.fragment<[row, column], 2>
gpu.module @kernels {
  gpu.func @matrix(%V: !view, %R: !rows, %row: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = tile.load %V[%zero, %zero, %row] in [%zero, %high) : !view -> tensor<32x16xbf16, #acc>
    %wide = tile.cast %x : tensor<32x16xbf16, #acc> -> tensor<32x16xf32, #acc>
    %sum = tile.reduce sum %wide along [1] : tensor<32x16xf32, #acc> -> tensor<32xf32, #tile.fragment<[row], 2>>
    tile.store %sum, %R[%zero, %zero, %row] below %high : tensor<32xf32, #tile.fragment<[row], 2>>, !rows
    gpu.return
  }
}

// -----

// Blocks of rows: the row in its block must be below the stride, the row of the view in [0, high).
// CHECK-LABEL: @blocks(
// CHECK: %[[TOKEN:.*]] = arith.remui %{{.*}}, %[[TOKENS:.*]] : i32
// CHECK: arith.divui %{{.*}}, %[[TOKENS]] : i32
// CHECK: arith.cmpi sge
// CHECK: arith.cmpi slt, %[[TOKEN]]
!view = memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @blocks(%V: !view, %row: index, %tokens: index, %L: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32x16xf32, #tile.fragment<[row, column], 2>>
    tile.store %x, %V[%zero, %zero, %row] blocks of %tokens stride %L below %high : tensor<32x16xf32, #tile.fragment<[row, column], 2>>, !view
    gpu.return
  }
}
