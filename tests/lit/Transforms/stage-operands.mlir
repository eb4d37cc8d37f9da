// RUN: landmark-opt %s --tile-stage-operands --split-input-file | FileCheck %s
// RUN: landmark-opt %s --tile-stage-operands="warps=8 specialized" --split-input-file | FileCheck %s --check-prefix=SHARED

// Two products one after the other share the barrier behind the writes; the one at the top of the loop keeps the last iteration's readers apart.
// CHECK-LABEL: @together(
// CHECK: scf.for
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: %[[P:.*]] = tile.slot %{{.*}} : <1, [64, 32], bf16, <bits = 0, shift = 0>>
// CHECK: tile.write %arg0 to %[[P]]
// CHECK: %[[DS:.*]] = tile.slot
// CHECK: tile.write %arg1 to %[[DS]]
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: tile.dot %[[P]] transposed, %{{.*}} into %{{.*}}
// CHECK: tile.dot %[[DS]] transposed, %{{.*}} into %{{.*}}
!p = tensor<64x2x16xbf16>
!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
gpu.module @kernels {
  gpu.func @together(%p: !p, %ds: !p, %do: !slot, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %acc = arith.constant dense<0.0> : tensor<32x64xf32>
    %dv, %dk = scf.for %i = %zero to %n step %one iter_args(%a = %acc, %b = %acc) -> (tensor<32x64xf32>, tensor<32x64xf32>) {
      gpu.barrier
      %x = tile.dot %p transposed, %do into %a : !p, !slot -> tensor<32x64xf32>
      %y = tile.dot %ds transposed, %do into %b : !p, !slot -> tensor<32x64xf32>
      scf.yield %x, %y : tensor<32x64xf32>, tensor<32x64xf32>
    }
    gpu.return
  }
}

// -----

// Without a barrier before it, the write brings its own. An operand that is only known later has barriers of its own. Products of weights as they are stay.
// CHECK-LABEL: @apart(
// CHECK: gpu.barrier
// CHECK: tile.write
// CHECK: gpu.barrier
// CHECK: tile.dot %{{.*}} transposed
// CHECK: arith.truncf
// CHECK: tile.write
// CHECK: gpu.barrier
// CHECK: tile.dot %{{.*}} transposed
// CHECK: tile.dot %arg0, %{{.*}} into
!p = tensor<64x64xbf16>
!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
gpu.module @kernels {
  gpu.func @apart(%p: !p, %do: !slot) kernel {
    %acc = arith.constant dense<0.0> : tensor<64x64xf32>
    %x = tile.dot %p transposed, %do into %acc : !p, !slot -> tensor<64x64xf32>
    %q = arith.truncf %x : tensor<64x64xf32> to !p
    %y = tile.dot %q transposed, %do into %acc : !p, !slot -> tensor<64x64xf32>
    %z = tile.dot %p, %do into %acc : !p, !slot -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

// With a producer, barriers are for those that share an operand: four of the eight warps where 64 rows are all that a group has. Loops use one place.
// SHARED-LABEL: @groups(
// SHARED: %[[PLACE:.*]] = tile.alloc : <1, [64, 128], bf16,
// SHARED-NOT: tile.alloc
// SHARED: scf.for
// SHARED: tile.barrier of 4
// SHARED: tile.slot %[[PLACE]]
// SHARED: tile.write
// SHARED: tile.barrier of 4
// SHARED: tile.dot %{{.*}} transposed
// SHARED: scf.for
// SHARED: tile.slot %[[PLACE]]
// SHARED: tile.write
// SHARED-NOT: gpu.barrier
!p = tensor<64x2x64xbf16>
!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
gpu.module @kernels {
  gpu.func @groups(%p: !p, %do: !slot, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %acc = arith.constant dense<0.0> : tensor<128x64xf32>
    %x = scf.for %i = %zero to %n step %one iter_args(%a = %acc) -> tensor<128x64xf32> {
      %y = tile.dot %p transposed, %do into %a : !p, !slot -> tensor<128x64xf32>
      scf.yield %y : tensor<128x64xf32>
    }
    %z = scf.for %i = %zero to %n step %one iter_args(%a = %x) -> tensor<128x64xf32> {
      %y = tile.dot %p transposed, %do into %a : !p, !slot -> tensor<128x64xf32>
      scf.yield %y : tensor<128x64xf32>
    }
    gpu.return
  }
}

// -----

// What stands there for a transposed product is read by the one that multiplies it as it is, too, if groups of warps hold parts of it: it is written once, and all warps wait
// for one another. One warp's own rows stay in registers.
// CHECK-LABEL: @both_ways(
// CHECK: tile.dot %arg0, %{{.*}} into
// CHECK: tile.write %arg0
// SHARED-LABEL: @both_ways(
// SHARED: tile.barrier of 8
// SHARED: %[[SLOT:.*]] = tile.slot %{{.*}} : <1, [64, 128], bf16
// SHARED: tile.write %arg0 to %[[SLOT]]
// SHARED-NOT: tile.write
// SHARED: tile.barrier of 8
// SHARED: tile.dot %[[SLOT]], %{{.*}} into
// SHARED: tile.dot %[[SLOT]] transposed, %{{.*}} into
!p = tensor<64x2x64xbf16>
!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!keys = !tile.slot<!tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0>>>
gpu.module @kernels {
  gpu.func @both_ways(%p: !p, %q: !slot, %k: !keys) kernel {
    %dq0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %dk0 = arith.constant dense<0.0> : tensor<128x64xf32>
    %dq = tile.dot %p, %k into %dq0 : !p, !keys -> tensor<64x64xf32>
    %dk = tile.dot %p transposed, %q into %dk0 : !p, !slot -> tensor<128x64xf32>
    gpu.return
  }
}

// -----

// An operand that goes to a ring, for other warps, is read there; the one beside it has as many places, and no barrier before it is written.
// SHARED-LABEL: @beside(
// SHARED: %[[RING:.*]] = tile.alloc : <2, [64, 128], bf16,
// SHARED: %[[P_PLACES:.*]] = tile.alloc : <2, [64, 128], bf16,
// SHARED: scf.for
// SHARED-NOT: tile.barrier
// SHARED: %[[DS:.*]] = tile.slot %[[RING]][%[[PLACE:[a-z0-9_]+]]]
// SHARED: %[[P:.*]] = tile.slot %[[P_PLACES]][%[[PLACE]]]
// SHARED: tile.write %arg0 to %[[P]]
// SHARED: tile.write %arg1 to %[[DS]]
// SHARED-NOT: tile.write
// SHARED: tile.publish
// SHARED: tile.barrier of 4
// SHARED-NOT: tile.barrier
// SHARED: tile.dot %[[P]] transposed
// SHARED: tile.dot %[[DS]] transposed
!p = tensor<64x2x64xbf16>
!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!places = !tile.buffer<2, [64, 128], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @beside(%p: !p, %ds: !p, %q: !slot, %n: index, %turn: i32) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %ring = tile.alloc : !places
    %full = tile.alloc_barriers : !tile.barriers<2>
    %acc = arith.constant dense<0.0> : tensor<128x64xf32>
    %dv, %dk = scf.for %i = %zero to %n step %one iter_args(%a = %acc, %b = %acc) -> (tensor<128x64xf32>, tensor<128x64xf32>) {
      %place = arith.remui %i, %one : index
      tile.acquire %full[%turn] : !tile.barriers<2>
      %w = tile.slot %ring[%place] : !places -> !tile.slot<!places>
      tile.write %ds to %w : !p, !tile.slot<!places>
      tile.publish %full[%turn] : !tile.barriers<2>
      %x = tile.dot %p transposed, %q into %a : !p, !slot -> tensor<128x64xf32>
      %y = tile.dot %ds transposed, %q into %b : !p, !slot -> tensor<128x64xf32>
      scf.yield %x, %y : tensor<128x64xf32>, tensor<128x64xf32>
    }
    gpu.return
  }
}
