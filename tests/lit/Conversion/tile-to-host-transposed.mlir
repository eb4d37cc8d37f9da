// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

!view = memref<?x?x?x32xf32, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  // The left operand's columns are rows of the result, block by block: 64 rows of 32, from weights of 16 rows, 2 blocks and 32 tokens. Nothing is transposed.
  // CHECK: func.func @transposed(
  // CHECK-NOT: vector.shuffle
  // CHECK-COUNT-16: vector.fma %{{.*}} : vector<16xf32>
  // CHECK-NOT: vector.shuffle
  // CHECK-COUNT-16: vector.fma %{{.*}} : vector<16xf32>
  // CHECK-NOT: vector.fma
  // CHECK: return
  gpu.func @transposed(%K: !view, %V: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    %p = tile.load %K[%zero, %zero, %zero] stride %n in [%zero, %n) : !view -> tensor<16x2x32xf32>
    %do = tile.load %V[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<16x32xf32>
    %none = arith.constant dense<0.0> : tensor<64x32xf32>
    %dv = tile.dot %p transposed, %do into %none : tensor<16x2x32xf32>, tensor<16x32xf32> -> tensor<64x32xf32>
    tile.store %dv, %V[%zero, %zero, %zero] below %n : tensor<64x32xf32>, !view
    gpu.return
  }

  // A row of one element is read where it is there, and is zero elsewhere.
  // CHECK: func.func @rows(%[[VIEW:[^:]*]]: memref<?x?x?xf32, {{.*}}>, %[[ROW:[^:]*]]: index, %[[HIGH:[^:]*]]: index
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[R:.*]] = arith.addi %[[ROW]], %[[I]]
  // CHECK: arith.cmpi sge, %[[R]],
  // CHECK: arith.cmpi slt, %[[R]], %[[HIGH]]
  // CHECK: scf.if %{{.*}} -> (f32) {
  // CHECK: memref.load %[[VIEW]][%{{.*}}, %{{.*}}, %[[R]]]
  // CHECK: } else {
  gpu.func @rows(%R: !rows, %row: index, %high: index) kernel {
    %zero = arith.constant 0 : index
    %x = tile.load %R[%zero, %zero, %row] in [%zero, %high) : !rows -> tensor<16xf32>
    tile.store %x, %R[%zero, %zero, %zero] below %high : tensor<16xf32>, !rows
    gpu.return
  }

  // Blocks of rows: the row in its block must be below the stride, the row of the view in [0, high).
  // CHECK: func.func @blocks(%[[VIEW:[^:]*]]: memref<?x?x?x32xf32, {{.*}}>, %[[ROW:[^:]*]]: index, %[[TOKENS:[^:]*]]: index, %[[L:[^:]*]]: index, %[[HIGH:[^:]*]]: index
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[TOKEN:.*]] = arith.remui %[[I]], %[[TOKENS]]
  // CHECK: %[[BLOCK:.*]] = arith.divui %[[I]], %[[TOKENS]]
  // CHECK: %[[START:.*]] = arith.muli %[[BLOCK]], %[[L]]
  // CHECK: arith.cmpi slt, %[[TOKEN]], %[[L]]
  // CHECK: arith.cmpi sge
  // CHECK: arith.cmpi slt, %{{.*}}, %[[HIGH]]
  // CHECK: scf.if
  gpu.func @blocks(%V: !view, %row: index, %tokens: index, %L: index, %high: index) kernel {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32x32xf32>
    tile.store %x, %V[%zero, %zero, %row] blocks of %tokens stride %L below %high : tensor<32x32xf32>, !view
    gpu.return
  }
}
