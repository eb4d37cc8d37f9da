// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s
// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm{vector-adds=false}))' --split-input-file | FileCheck %s --check-prefix=SCALAR

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
!tile = tensor<32x16xf32, #tile.fragment<[row, column], 2>>

// A warp has 16 rows, two pieces of 512 bytes, 16 of each lane; rows that the view has not are left alone.
// CHECK-LABEL: gpu.func @add
// CHECK: %[[ROWS:.*]] = arith.index_cast %{{.*}} : index to i32
// CHECK: %[[THERE:.*]] = arith.cmpi slt, %{{.*}}, %[[ROWS]] : i32
// CHECK: scf.if %[[THERE]] {
// CHECK:   %[[FIRST:.*]] = llvm.getelementptr %[[BASE:.*]][0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
// CHECK:   llvm.inline_asm has_side_effects asm_dialect = att "red.relaxed.gpu.global.add.v4.f32 [$0], {$1, $2, $3, $4};", "l,f,f,f,f,~{memory}" %[[FIRST]]
// CHECK:   %[[SECOND:.*]] = llvm.getelementptr %[[BASE]][512]
// CHECK:   red.relaxed.gpu.global.add.v4.f32{{.*}} %[[SECOND]]
// CHECK-NOT: red.
// CHECK: }
// Targets before sm_90 add one by one.
// SCALAR-LABEL: gpu.func @add
// SCALAR: "red.relaxed.gpu.global.add.f32 [$0], $1; red.relaxed.gpu.global.add.f32 [$0+4], $2; red.relaxed.gpu.global.add.f32 [$0+8], $3; red.relaxed.gpu.global.add.f32 [$0+12], $4;"
gpu.module @kernels {
  gpu.func @add(%SUM: !sum, %i: index) kernel {
    %x = arith.constant dense<1.0> : !tile
    tile.write_fragments add %x, %SUM[%i, %i, %i] : !tile, !sum
    gpu.return
  }
}

// -----

!sum = memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
!tile = tensor<32x16xf32, #tile.fragment<[row, column], 2>>

// CHECK-LABEL: gpu.func @copy
// CHECK: %[[READ:.*]]:8 = scf.if %{{.*}} -> (f32, f32, f32, f32, f32, f32, f32, f32) {
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: } else {
// CHECK:   arith.constant 0.000000e+00 : f32
// CHECK: }
// Numbers keep their places: rows g and g + 8 of a piece are two rows of registers.
// CHECK: vector.from_elements %[[READ]]#0, %[[READ]]#1, %[[READ]]#2, %[[READ]]#3 : vector<4xf32>
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK: vector.from_elements %[[READ]]#4, %[[READ]]#5, %[[READ]]#6, %[[READ]]#7 : vector<4xf32>
gpu.module @kernels {
  gpu.func @copy(%SUM: !sum, %i: index) kernel {
    %x = tile.read_fragments %SUM[%i, %i, %i] : !sum -> !tile
    tile.write_fragments %x, %SUM[%i, %i, %i] : !tile, !sum
    gpu.return
  }
}

// -----

!weights = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!dq = tensor<64x64xf32, #tile.fragment<[row, slice], 8, split = 2>>

// Two groups multiply the same weights by half of the columns each: 32 of them, 64 bytes on in the panel.
// CHECK-LABEL: gpu.func @slices
// CHECK: %[[GROUP:.*]] = nvvm.shfl.sync idx
// CHECK: %[[BYTES:.*]] = arith.muli %[[GROUP]], %{{.*}}
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: m64n32k16.f32.bf16.bf16 {{{[^}]*}}}, $16, $17, start, 1, 1, 0, 1;
gpu.module @kernels {
  gpu.func @slices(%SUM: memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>) kernel {
    %zero = arith.constant 0 : index
    %b = tile.alloc {offset = 0 : i64} : !keys
    %c = tile.alloc {offset = 16384 : i64} : !weights
    %k = tile.slot %b[%zero] : !keys -> !tile.slot<!keys>
    %w = tile.slot %c[%zero] : !weights -> !tile.slot<!weights>
    %q0 = arith.constant dense<0.0> : !dq
    %dq = tile.dot %w, %k into %q0 by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !dq
    tile.write_fragments add %dq, %SUM[%zero, %zero, %zero] : !dq, memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
    gpu.return
  }
}

// -----

!place = !tile.buffer<1, [64, 16], f32, <bits = 0, shift = 0>>
!tile = tensor<64x16xf32, #tile.fragment<[row, column], 4>>

// Four warps, each of which waits for the place to be empty, writes its two pieces and speaks for its lanes, without a fence; one thread waits for all four, fences, and has the rows that
// the view has added, whole pieces of 16.
// CHECK-LABEL: gpu.func @through
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[FOUR:[a-z0-9_]+]]
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[ONE:[a-z0-9_]+]]
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
// CHECK-NOT: llvm.store
// CHECK-NOT: nvvm.fence.proxy
// CHECK: nvvm.bar.warp.sync
// CHECK: mbarrier.arrive.shared::cta
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// CHECK: %[[ROWS:.*]] = memref.dim
// CHECK: %[[HIGH:.*]] = arith.index_cast %[[ROWS]] : index to i32
// CHECK: %[[THERE:.*]] = arith.cmpi slt, %[[ROW:.*]], %[[HIGH]] : i32
// CHECK: scf.if %[[THERE]] {
// CHECK:   %[[LEFT:.*]] = arith.subi %[[HIGH]], %[[ROW]]
// CHECK:   arith.addi %[[LEFT]], %{{.*}}
// CHECK:   %[[ADDED:.*]] = arith.minsi
// CHECK:   %[[BYTES:.*]] = arith.muli %[[ADDED]], %{{.*}}
// CHECK:   "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [$0], [$1], $2;", "l,r,r,~{memory}" %{{.*}}, %{{.*}}, %[[BYTES]]
// CHECK:   nvvm.cp.async.bulk.commit.group
// CHECK: }
gpu.module @kernels {
  gpu.func @through(%SUM: memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>, %i: index, %turn: i32) kernel {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !tile
    %buffer = tile.alloc {offset = 0 : i64} : !place
    %slot = tile.slot %buffer[%zero] : !place -> !tile.slot<!place>
    %barriers = tile.alloc_barriers {offset = 4096 : i64} : !tile.barriers<1>
    tile.init_barriers %barriers producers 4 consumers 1 : !tile.barriers<1>
    tile.hand_over %x to %slot full %barriers[%turn] : !tile, !tile.slot<!place>, !tile.barriers<1>
    tile.await %barriers[%turn] : !tile.barriers<1>
    tile.fence
    tile.add_fragments %slot, %SUM[%i, %i, %i] : !tile.slot<!place>, memref<?x?x?x16xf32, strided<[?, ?, 16, 1]>>
    gpu.return
  }
}
