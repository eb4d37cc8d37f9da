// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

!view = memref<?x?x?x24xf32, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  // The padding of a row (24 columns, two vectors) does not count.
  // CHECK: func.func @padded(
  // CHECK: scf.for
  // CHECK: %[[NONE:.*]] = arith.constant dense<0xFF800000> : vector<16xf32>
  // CHECK: scf.for {{.*}} iter_args(%[[SO_FAR:.*]] = %[[NONE]]) -> (vector<16xf32>)
  // CHECK: %[[V:.*]] = vector.load
  // CHECK: %[[THERE:.*]] = vector.create_mask
  // CHECK: %[[X:.*]] = arith.select %[[THERE]], %[[V]], %[[NONE]]
  // CHECK: arith.cmpf ogt, %[[X]], %[[SO_FAR]]
  // CHECK: vector.extract_strided_slice {{.*}} sizes = [8]
  // CHECK: memref.store
  gpu.func @padded(%X: !view, %M: !rows, %high: index) kernel {
    %zero = arith.constant 0 : index
    %x = tile.load %X[%zero, %zero, %zero] in [%zero, %high) : !view -> tensor<8x24xf32>
    %m = tile.reduce max %x along [1] : tensor<8x24xf32> -> tensor<8xf32>
    tile.store %m, %M[%zero, %zero, %zero] below %high : tensor<8xf32>, !rows
    gpu.return
  }

  // A column is read element by element.
  // CHECK: func.func @column(
  // CHECK: %[[LAST:.*]] = arith.constant 23 : index
  // CHECK: memref.load
  // CHECK: memref.store
  gpu.func @column(%X: !view, %M: !rows, %high: index) kernel {
    %zero = arith.constant 0 : index
    %x = tile.load %X[%zero, %zero, %zero] in [%zero, %high) : !view -> tensor<8x24xf32>
    %c = tile.column %x at 23 : tensor<8x24xf32> -> tensor<8xf32>
    tile.store %c, %M[%zero, %zero, %zero] below %high : tensor<8xf32>, !rows
    gpu.return
  }
}
