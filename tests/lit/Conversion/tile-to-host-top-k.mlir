// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s

// Candidates that do not go before the last place are passed over; others move what they go before. Then places are put in order of ids.
// CHECK-LABEL: func.func @across(
// CHECK: arith.cmpf ogt
// CHECK: arith.cmpf oeq
// CHECK: arith.cmpi slt
// CHECK: scf.if
// CHECK: scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}) -> (f32, i32)
// CHECK: memref.store
// CHECK: scf.for
// CHECK: arith.cmpi slt
// CHECK: memref.store
// The element of a tile is read where it stands.
// CHECK: memref.load
// CHECK: return
!values = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
!ids = memref<?x?x?x64xi32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @across(%S: !values, %N: !ids, %rows: index, %place: index, %out: memref<?xi32>) kernel {
    %zero = arith.constant 0 : index
    %none = arith.constant 0xFF800000 : f32
    %no_id = arith.constant 2147483647 : i32
    %v = arith.constant dense<0xFF800000> : tensor<8x8xf32>
    %i = arith.constant dense<2147483647> : tensor<8x8xi32>
    %s = tile.read_rows %S[%zero, %zero, %zero] below %rows else %none : !values -> tensor<8x64xf32>
    %n = tile.read_rows %N[%zero, %zero, %zero] below %rows else %no_id : !ids -> tensor<8x64xi32>
    %v1, %i1 = tile.top_k %v, %i add %s, %n keep 4 across by_id : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
    %id = tensor.extract %i1[%zero, %place] : tensor<8x8xi32>
    memref.store %id, %out[%zero] : memref<?xi32>
    gpu.return
  }
}
