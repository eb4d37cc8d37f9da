// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
gpu.module @kernels {
  // All that a loop carries is evaluated before any of it is written: these two change places.
  // CHECK: func.func @exchanged(
  // CHECK: %[[COUNT:.*]] = scf.for {{.*}} iter_args(%[[C:.*]] = %{{.*}}) -> (index)
  // CHECK: %[[NEXT:.*]] = arith.addi %[[C]]
  // CHECK: memref.copy %[[B:.*]], %[[OLD_B:.*]] :
  // CHECK: memref.copy %[[A:.*]], %[[OLD_A:.*]] :
  // CHECK: memref.copy %[[OLD_B]], %[[A]] :
  // CHECK: memref.copy %[[OLD_A]], %[[B]] :
  // CHECK: scf.yield %[[NEXT]] : index
  gpu.func @exchanged(%X: !rows, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %f0 = arith.constant dense<0.0> : tensor<16xf32>
    %f1 = arith.constant dense<1.0> : tensor<16xf32>
    %a, %b, %count = scf.for %i = %zero to %n step %one iter_args(%x = %f0, %y = %f1, %c = %zero) -> (tensor<16xf32>, tensor<16xf32>, index) {
      %next = arith.addi %c, %one : index
      scf.yield %y, %x, %next : tensor<16xf32>, tensor<16xf32>, index
    }
    tile.store %a, %X[%zero, %zero, %count] below %n : tensor<16xf32>, !rows
    gpu.return
  }

  // Masks that a branch yields are stored as bytes.
  // CHECK: func.func @masks(
  // CHECK-SAME: %{{.*}}: memref<{{.*}}>, %{{.*}}: index, %[[WHICH:.*]]: i1,
  // CHECK-NEXT: %[[MASK:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16xi8>
  // CHECK: scf.if %[[WHICH]]
  // CHECK: arith.extui %{{.*}} : vector<16xi1> to vector<16xi8>
  // CHECK: } else {
  // CHECK: %[[BYTE:.*]] = memref.load %[[MASK]]
  // CHECK: arith.trunci %[[BYTE]] : i8 to i1
  gpu.func @masks(%X: !rows, %n: index, %which: i1) kernel {
    %zero = arith.constant 0 : index
    %f0 = arith.constant dense<0.0> : tensor<16xf32>
    %f1 = arith.constant dense<1.0> : tensor<16xf32>
    %mask = scf.if %which -> tensor<16xi1> {
      %i = tile.iota : tensor<16xi32>
      %three = arith.constant dense<3> : tensor<16xi32>
      %below = arith.cmpi slt, %i, %three : tensor<16xi32>
      scf.yield %below : tensor<16xi1>
    } else {
      %none = arith.constant dense<false> : tensor<16xi1>
      scf.yield %none : tensor<16xi1>
    }
    %x = arith.select %mask, %f0, %f1 : tensor<16xi1>, tensor<16xf32>
    tile.store %x, %X[%zero, %zero, %zero] below %n : tensor<16xf32>, !rows
    gpu.return
  }
}
