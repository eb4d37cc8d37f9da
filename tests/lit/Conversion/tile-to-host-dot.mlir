// RUN: landmark-opt %s --convert-tile-to-host | FileCheck %s
// RUN: landmark-opt %s --convert-tile-to-host=lanes=8 | FileCheck %s --check-prefix=NARROW

!view = memref<?x?x?x32xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  // Keys are transposed by shuffles; eight rows and two vectors of columns are kept in registers while the head dimension is walked.
  // CHECK: func.func @transposed(
  // CHECK-COUNT-64: vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
  // CHECK-NOT: vector.shuffle
  // CHECK: scf.for {{.*}} -> ({{(vector<16xf32>(, )?)+}})
  // CHECK-COUNT-16: vector.fma %{{.*}} : vector<16xf32>
  // CHECK-NOT: vector.fma
  // CHECK: scf.yield
  // NARROW: func.func @transposed(
  // NARROW-COUNT-24: vector.shuffle {{.*}} : vector<8xf32>, vector<8xf32>
  // NARROW-COUNT-8: vector.fma %{{.*}} : vector<8xf32>
  // NARROW-NOT: vector.fma
  // NARROW: scf.yield
  gpu.func @transposed(%Q: !view, %K: !view, %rows: index) kernel {
    %zero = arith.constant 0 : index
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %rows) : !view -> tensor<16x32xf32>
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %rows) : !view -> tensor<64x32xf32>
    %none = arith.constant dense<0.0> : tensor<16x64xf32>
    %s = tile.dot %q, %k transpose into %none : tensor<16x32xf32>, tensor<64x32xf32> -> tensor<16x64xf32>
    gpu.return
  }

  // Carried through a loop, a product is added where its accumulator lies. Weights are not rounded on their way into a product.
  // CHECK: func.func @accumulated(
  // CHECK: %[[ACC:.*]] = memref.alloca() {alignment = 64 : i64} : memref<512xf32>
  // CHECK: scf.for
  // CHECK-NOT: arith.truncf
  // CHECK: vector.load %[[ACC]]
  // CHECK: vector.fma
  // CHECK: vector.store %{{.*}}, %[[ACC]]
  // CHECK-NOT: memref.copy
  // CHECK: return
  gpu.func @accumulated(%V: memref<?x?x?x32xbf16, strided<[?, ?, ?, 1]>>, %O: !view, %rows: index) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 16 : index
    %x = arith.constant 0.3 : f32
    %none = arith.constant dense<0.0> : tensor<16x32xf32>
    %w = tensor.splat %x : tensor<16x16xf32>
    %p = tile.cast %w : tensor<16x16xf32> -> tensor<16x16xbf16>
    %o = scf.for %i = %zero to %rows step %step iter_args(%acc = %none) -> tensor<16x32xf32> {
      %v = tile.load %V[%zero, %zero, %i] in [%zero, %rows) : memref<?x?x?x32xbf16, strided<[?, ?, ?, 1]>> -> tensor<16x32xbf16>
      %next = tile.dot %p, %v into %acc : tensor<16x16xbf16>, tensor<16x32xbf16> -> tensor<16x32xf32>
      scf.yield %next : tensor<16x32xf32>
    }
    tile.store %o, %O[%zero, %zero, %zero] below %rows : tensor<16x32xf32>, !view
    gpu.return
  }
}
