// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

!view = memref<?x?x?x24xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  // Rows that are not there read as zero; a row of 24 columns is one vector of 16 and one of 8, padded to 32 as float32.
  // CHECK: func.func @load(%[[VIEW:[^:]*]]: memref<?x?x?x24xbf16, {{.*}}>, %[[ROW:[^:]*]]: index, %[[STRIDE:[^:]*]]: index, %[[HIGH:[^:]*]]: index
  // CHECK: %[[TILE:.*]] = memref.alloca() {alignment = 64 : i64} : memref<512xf32>
  // CHECK: scf.for %[[S:.*]] =
  // CHECK: %[[BLOCK:.*]] = arith.muli %[[S]], %[[STRIDE]]
  // CHECK: %[[START:.*]] = arith.addi %[[ROW]], %[[BLOCK]]
  // CHECK: scf.for %[[T:.*]] =
  // CHECK: %[[R:.*]] = arith.addi %[[START]], %[[T]]
  // CHECK: arith.cmpi sge, %[[R]],
  // CHECK: arith.cmpi slt, %[[R]], %[[HIGH]]
  // CHECK: arith.cmpi slt, %[[T]], %[[STRIDE]]
  // CHECK: scf.if
  // CHECK: %[[WHOLE:.*]] = vector.load %[[VIEW]][%{{.*}}, %{{.*}}, %[[R]], %{{.*}}] : {{.*}}, vector<16xbf16>
  // CHECK: %[[WIDE:.*]] = arith.extf %[[WHOLE]] : vector<16xbf16> to vector<16xf32>
  // CHECK: vector.store %[[WIDE]], %[[TILE]]
  // CHECK: vector.load %[[VIEW]]{{.*}}, vector<8xbf16>
  // CHECK: vector.insert_strided_slice %{{.*}} {offsets = [0], strides = [1]} : vector<8xf32> into vector<16xf32>
  // CHECK: } else {
  // CHECK: vector.store %cst{{.*}}, %[[TILE]]
  gpu.func @load(%view: !view, %row: index, %stride: index, %high: index) kernel {
    %zero = arith.constant 0 : index
    %tile = tile.load %view[%zero, %zero, %row] stride %stride in [%zero, %high) : !view -> tensor<2x8x24xbf16>
    gpu.return
  }

  // Only rows below the limit are written, and nothing behind their last column.
  // CHECK: func.func @store(
  // CHECK: %[[LEFT:.*]] = arith.subi %{{.*}}, %{{.*}} : index
  // CHECK: %[[ROWS:.*]] = arith.minsi %[[LEFT]],
  // CHECK: scf.for %{{.*}} = %{{.*}} to %[[ROWS]]
  // CHECK: arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
  // CHECK: vector.store %{{.*}} : {{.*}}, vector<16xbf16>
  // CHECK: vector.extract_strided_slice %{{.*}} {offsets = [0], sizes = [8], strides = [1]}
  // CHECK: arith.truncf %{{.*}} : vector<8xf32> to vector<8xbf16>
  // CHECK: vector.store %{{.*}} : {{.*}}, vector<8xbf16>
  gpu.func @store(%view: !view, %row: index, %high: index, %x: f32) kernel {
    %zero = arith.constant 0 : index
    %splat = tensor.splat %x : tensor<8x24xf32>
    %tile = tile.cast %splat : tensor<8x24xf32> -> tensor<8x24xbf16>
    tile.store %tile, %view[%zero, %zero, %row] below %high : tensor<8x24xbf16>, !view
    gpu.return
  }
}
