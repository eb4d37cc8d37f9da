// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

// Chains of elementwise operations are evaluated where they are stored, and leave nothing in memory themselves; the program is numbered by the last
// argument.
!view = memref<?x?x?xf32, strided<[?, ?, ?]>>

// CHECK-NOT: gpu.module
// CHECK: func.func @fused(%[[VIEW:.*]]: memref<?x?x?xf32, strided<[?, ?, ?]>>, %[[X:.*]]: f32, %[[PROGRAM:.*]]: index)
gpu.module @kernels {
  gpu.func @fused(%view: !view, %x: f32) kernel {
    %zero = arith.constant 0 : index
    %rows = arith.constant 40 : index
    %program = gpu.block_id x
    // CHECK-NOT: memref.alloca
    // CHECK: arith.minsi
    // CHECK: scf.for %[[I:.*]] =
    // CHECK: %[[N:.*]] = arith.index_cast %[[I]] : index to i32
    // CHECK: %[[F:.*]] = arith.sitofp %[[N]] : i32 to f32
    // CHECK: %[[SUM:.*]] = arith.addf %[[F]], %[[X]] : f32
    // CHECK: %[[MORE:.*]] = arith.cmpf ogt, %[[SUM]], %{{.*}} : f32
    // CHECK: %[[MAX:.*]] = arith.select %[[MORE]], %[[SUM]], %{{.*}} : f32
    // CHECK: memref.store %[[MAX]], %[[VIEW]][%[[PROGRAM]],
    %one = arith.constant dense<1.0> : tensor<40xf32>
    %i = tile.iota : tensor<40xi32>
    %f = arith.sitofp %i : tensor<40xi32> to tensor<40xf32>
    %splat = tensor.splat %x : tensor<40xf32>
    %sum = arith.addf %f, %splat : tensor<40xf32>
    %max = arith.maxnumf %sum, %one : tensor<40xf32>
    tile.store %max, %view[%program, %zero, %zero] below %rows : tensor<40xf32>, !view
    gpu.return
  }

  // What is costly and used twice is stored once, and reduced as it is stored. What is repeated along rows is stored too: it is then computed by
  // the vector, not one by one.
  // CHECK: func.func @stored_once(
  // CHECK-DAG: %[[E:.*]] = memref.alloca() {alignment = 64 : i64} : memref<256xf32>
  // CHECK-DAG: %[[SUMS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16xf32>
  // CHECK: %[[ROWS:.*]] = arith.sitofp %{{.*}} : vector<16xi32> to vector<16xf32>
  // CHECK: vector.store %[[ROWS]], %[[ROW:.*]][
  // CHECK: scf.for
  // CHECK: %[[ONE:.*]] = memref.load %[[ROW]]
  // CHECK: vector.broadcast %[[ONE]] : f32 to vector<16xf32>
  // CHECK: vector.fma
  // CHECK: %[[POWER:.*]] = arith.mulf %{{.*}} : vector<16xf32>
  // CHECK: vector.store %[[POWER]], %[[E]]
  // CHECK: arith.addf %[[POWER]], %{{.*}} : vector<16xf32>
  // CHECK: memref.store %{{.*}}, %[[SUMS]]
  // CHECK-NOT: vector.fma
  // CHECK: arith.divf %{{.*}}, %{{.*}} : vector<16xf32>
  gpu.func @stored_once(%view: memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>) kernel {
    %zero = arith.constant 0 : index
    %rows = arith.constant 16 : index
    %i = tile.iota : tensor<16xi32>
    %row = arith.sitofp %i : tensor<16xi32> to tensor<16xf32>
    %x = tile.broadcast %row to [0] : tensor<16xf32> -> tensor<16x16xf32>
    %e = math.exp2 %x : tensor<16x16xf32>
    %sum = tile.reduce sum %e along [1] : tensor<16x16xf32> -> tensor<16xf32>
    %sums = tile.broadcast %sum to [0] : tensor<16xf32> -> tensor<16x16xf32>
    %q = arith.divf %e, %sums : tensor<16x16xf32>
    tile.store %q, %view[%zero, %zero, %zero] below %rows : tensor<16x16xf32>, memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}
