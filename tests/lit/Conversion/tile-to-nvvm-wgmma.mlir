// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' -split-input-file | FileCheck %s

!keys = !tile.buffer<1, [16, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!queries = !tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<64x16xf32, #tile.fragment<[row, column], 4>>

// Depth 128 takes eight instructions; accumulators that are zero are no operands, and the first instruction does not add.
// CHECK-LABEL: gpu.func @keys
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: setp.ne.b32 start, 1, 1; wgmma.fence.sync.aligned;
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0,$1,$2,$3,$4,$5,$6,$7}, $8, $9, start, 1, 1, 0, 0;
// CHECK-SAME: m64n16k16.f32.bf16.bf16 {$0,$1,$2,$3,$4,$5,$6,$7}, $22, $23, add, 1, 1, 0, 0;
// CHECK-SAME: wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;
// CHECK-SAME: "=f,=f,=f,=f,=f,=f,=f,=f,l,l,l,l,l,l,l,l,l,l,l,l,l,l,l,l,~{memory}"
gpu.module @kernels {
  gpu.func @keys(%out: memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>) kernel {
    %zero = arith.constant 0 : index
    %q = tile.alloc {offset = 0 : i64} : !queries
    %k = tile.alloc {offset = 16384 : i64} : !keys
    %acc = arith.constant dense<0.0> : !s
    %a = tile.slot %q[%zero] : !queries -> !tile.slot<!queries>
    %b = tile.slot %k[%zero] : !keys -> !tile.slot<!keys>
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!queries>, !tile.slot<!keys> -> !s
    tile.store %s, %out[%zero, %zero, %zero] below %zero : !s, memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

!values = !tile.buffer<1, [32, 64], f16, <bits = 3, shift = 0, panel = 8>>
!p = tensor<64x32xf16, #tile.fragment<[row, column], 4>>
!o = tensor<64x64xf32, #tile.fragment<[row, column], 4>>

// Weights come from registers, four words a depth of 16; values are transposed; accumulators are tied.
// CHECK-LABEL: gpu.func @values
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: setp.ne.b32 start, 1, 0;
// CHECK-SAME: m64n64k16.f32.f16.f16 {{.*}}, {$64,$65,$66,$67}, $68, start, 1, 1, 1;
// CHECK-SAME: , {$69,$70,$71,$72}, $73, add, 1, 1, 1;
// CHECK-SAME: ,31,r,r,r,r,l,r,r,r,r,l,~{memory}"
gpu.module @kernels {
  gpu.func @values(%out: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>) kernel {
    %zero = arith.constant 0 : index
    %v = tile.alloc {offset = 0 : i64} : !values
    %wide = arith.constant dense<1.0> : tensor<64x32xf32, #tile.fragment<[row, column], 4>>
    %p = tile.cast %wide : tensor<64x32xf32, #tile.fragment<[row, column], 4>> -> !p
    %acc = arith.constant dense<1.0> : !o
    %b = tile.slot %v[%zero] : !values -> !tile.slot<!values>
    %o = tile.dot %p, %b into %acc by wgmma : !p, !tile.slot<!values> -> !o
    tile.store %o, %out[%zero, %zero, %zero] below %zero : !o, memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

!keys = !tile.buffer<1, [16, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!queries = !tile.buffer<1, [128, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!s = tensor<128x16xf32, #tile.fragment<[row, column], 8>>
!lead = tensor<128x32xbf16, #tile.fragment<[row, column], 8>>

// The first two depths of 16 come from registers, the other six from shared memory. A warp reads its 16 rows 2048 bytes behind the warp before it, as rows of a panel lie 128 bytes apart, not the 256 of
// all columns; and of those columns 32, 8 by an instruction.
// CHECK-LABEL: gpu.func @lead
// CHECK: %[[PITCH:.*]] = arith.constant 2048 : i32
// CHECK: arith.muli %{{.*}}, %[[PITCH]]
// CHECK-COUNT-4: nvvm.ldmatrix %{{.*}} {{.*}}num = 2 : i32
// CHECK-NOT: nvvm.ldmatrix
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: m64n16k16.f32.bf16.bf16 {$0,$1,$2,$3,$4,$5,$6,$7}, {$8,$9,$10,$11}, $12, start, 1, 1, 0;
// CHECK-SAME: {$0,$1,$2,$3,$4,$5,$6,$7}, {$13,$14,$15,$16}, $17, add, 1, 1, 0;
// CHECK-SAME: {$0,$1,$2,$3,$4,$5,$6,$7}, $18, $19, add, 1, 1, 0, 0;
// CHECK-SAME: {$0,$1,$2,$3,$4,$5,$6,$7}, $28, $29, add, 1, 1, 0, 0;
// CHECK-SAME: ,r,r,r,r,l,r,r,r,r,l,l,l,l,l,l,l,l,l,l,l,l,l,~{memory}"
gpu.module @kernels {
  gpu.func @lead(%out: memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>) kernel {
    %zero = arith.constant 0 : index
    %q = tile.alloc {offset = 0 : i64} : !queries
    %k = tile.alloc {offset = 32768 : i64} : !keys
    %acc = arith.constant dense<0.0> : !s
    %a = tile.slot %q[%zero] : !queries -> !tile.slot<!queries>
    %b = tile.slot %k[%zero] : !keys -> !tile.slot<!keys>
    %lead = tile.read %a : !tile.slot<!queries> -> !lead
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!queries> lead !lead, !tile.slot<!keys> -> !s
    tile.store %s, %out[%zero, %zero, %zero] below %zero : !s, memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

// CHECK-LABEL: gpu.func @fence
// CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
gpu.module @kernels {
  gpu.func @fence() kernel {
    tile.fence
    gpu.return
  }
}
