// RUN: landmark-opt %s --tile-pipeline-loads="stages=3 warps=4" | FileCheck %s
// RUN: landmark-opt %s --tile-pipeline-loads="stages=1 warps=4" | FileCheck %s --check-prefix=ONE
// RUN: landmark-opt %s --tile-pipeline-loads="stages=2 warps=4 max-resident-registers=4" | FileCheck %s --check-prefix=SHARED

// A load outside of loops is one tile; its fragments stay in registers where they are few.
// CHECK-NOT: tile.load
// CHECK: %[[Q:.*]] = tile.alloc : <1, [64, 64], bf16,
// CHECK: tile.copy %{{.*}} to %[[Q]][
// CHECK: tile.commit
// CHECK: tile.wait 0
// CHECK: gpu.barrier
// CHECK: tile.slot %[[Q]]
// CHECK: %[[READ:.*]] = tile.read
// A ring of three: two copies ahead before the loop, one in each iteration, where there is a further one.
// CHECK: %[[RING:.*]] = tile.alloc : <3, [1, 64, 64], bf16,
// CHECK: gpu.barrier
// CHECK-COUNT-2: tile.copy %{{.*}} to %[[RING]][
// CHECK: scf.for {{.*}} iter_args(%{{.*}}, %[[STAGE:.*]] = %{{.*}}) -> (tensor<64x1x64xf32>, index)
// CHECK:   tile.wait 1
// CHECK:   gpu.barrier
// CHECK:   %[[EXISTS:.*]] = arith.cmpi slt,
// CHECK:   scf.if %[[EXISTS]] {
// CHECK:     arith.muli
// CHECK:     tile.copy %{{.*}} to %[[RING]][
// CHECK:   }
// CHECK:   tile.commit
// CHECK:   %[[SLOT:.*]] = tile.slot %[[RING]][%[[STAGE]]]
// CHECK:   tile.dot %[[READ]], %[[SLOT]] transpose
// CHECK-NOT: tile.copy
// CHECK: gpu.return

// One stage: copied, waited for and read within the iteration.
// ONE: tile.alloc : <1, [1, 64, 64]
// ONE-NOT: tile.copy
// ONE: scf.for
// ONE:   gpu.barrier
// ONE:   tile.copy
// ONE:   tile.commit
// ONE:   tile.wait 0
// ONE:   gpu.barrier
// ONE:   tile.dot

// An operand that takes too many registers stays in shared memory.
// SHARED-NOT: tile.read
// SHARED: tile.dot %{{.*}}, %{{.*}} transpose into %{{.*}} : !tile.slot<{{.*}}>, !tile.slot<{{.*}}>
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @kernel(%Q: !view, %K: !view, %n: index, %L: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x1x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    %s = scf.for %b = %zero to %n step %one iter_args(%acc = %s0) -> tensor<64x1x64xf32> {
      %row = arith.muli %b, %L : index
      %k = tile.load %K[%zero, %zero, %row] stride %L in [%zero, %n) : !view -> tensor<1x64x64xbf16>
      %next = tile.dot %q, %k transpose into %acc : tensor<64x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x1x64xf32>
      scf.yield %next : tensor<64x1x64xf32>
    }
    gpu.return
  }
}
