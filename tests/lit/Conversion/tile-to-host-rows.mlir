// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

!ids = memref<?x?x?x8xi32, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  // Integers stay integers; rows that are not there are filled.
  // CHECK: func.func @read_rows(%[[VIEW:[^:]*]]: memref<?x?x?x8xi32, {{.*}}>, %[[OUT:[^:]*]]: memref<?x?x?xi32, {{.*}}>, %[[ROW:[^:]*]]: index, %[[HIGH:[^:]*]]: index, %[[NONE:[^:]*]]: i32
  // CHECK: scf.for
  // CHECK: %[[R:.*]] = arith.addi %[[ROW]],
  // CHECK: %[[THERE:.*]] = arith.cmpi slt, %[[R]], %[[HIGH]]
  // CHECK: scf.if %[[THERE]]
  // CHECK: vector.load %[[VIEW]][%{{.*}}, %{{.*}}, %[[R]], %{{.*}}] : {{.*}}, vector<8xi32>
  // CHECK: } else {
  // CHECK: %[[FILL:.*]] = vector.broadcast %[[NONE]] : i32 to vector<8xi32>
  // CHECK: vector.store %[[FILL]]
  // CHECK: dense<2147483647> : vector<8xi32>
  // CHECK: arith.minsi
  // CHECK: memref.store %{{.*}}, %[[OUT]]
  gpu.func @read_rows(%view: !ids, %out: memref<?x?x?xi32, strided<[?, ?, ?]>>, %row: index, %high: index, %none: i32) kernel {
    %zero = arith.constant 0 : index
    %i = tile.read_rows %view[%zero, %zero, %row] below %high else %none : !ids -> tensor<16x8xi32>
    %lowest = tile.reduce min %i along [1] : tensor<16x8xi32> -> tensor<16xi32>
    tile.store %lowest, %out[%zero, %zero, %row] below %high : tensor<16xi32>, memref<?x?x?xi32, strided<[?, ?, ?]>>
    gpu.return
  }

  // Of a view with half of the 8 columns, 4 are read above the fill, and 4 written.
  // CHECK: func.func @half_rows(%[[VIEW:[^:]*]]: memref<?x?x?x4xf32
  // CHECK: vector.broadcast %{{.*}} : f32 to vector<8xf32>
  // CHECK: vector.load %[[VIEW]]{{.*}} vector<4xf32>
  // CHECK: vector.store {{.*}} vector<4xf32>
  // CHECK: vector.store %{{.*}}, %[[VIEW]]{{.*}} vector<4xf32>
  gpu.func @half_rows(%view: memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>>, %row: index, %high: index, %none: f32) kernel {
    %zero = arith.constant 0 : index
    %v = tile.read_rows %view[%zero, %zero, %row] below %high else %none : memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>> -> tensor<8x8xf32>
    tile.store %v, %view[%zero, %high, %row] below %high : tensor<8x8xf32>, memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}
