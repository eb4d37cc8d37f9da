// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// Rows that start on 16 bytes go in pieces of 16 bytes, zeros for what is not there; other rows element by element. 32 rows of 4 pieces are
// two turns of 64 threads.
// CHECK: llvm.mlir.global external @tile_shared_memory() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK-LABEL: @copy(
// CHECK: %[[ALIGNED:.*]] = arith.cmpi eq, %{{.*}}, %{{.*}} : i64
// CHECK: scf.if %[[ALIGNED]] {
// CHECK-COUNT-2: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %{{.*}} : !llvm.ptr<3>, !llvm.ptr<1>, i32
// CHECK-NOT: nvvm.cp.async
// CHECK: } else {
// CHECK: scf.for
// CHECK: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
// CHECK: llvm.store %{{.*}}, %{{.*}} : bf16, !llvm.ptr<3>
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 1
!view = memref<?x?x?x32xbf16, strided<[?, ?, ?, 1]>>
!ring = !tile.buffer<2, [1, 32, 32], bf16, <bits = 2, shift = 1>>
gpu.module @kernels {
  gpu.func @copy(%K: !view, %row: index, %stride: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 256 : i64} : !ring
    tile.copy %K[%zero, %zero, %row] stride %stride in [%zero, %high) to %ring[%zero] : !view, !ring
    tile.commit
    tile.wait 1
    gpu.return
  }
}

// -----

// Pieces that do not fill the last turn are guarded: 24 rows of 3 pieces are 72, two turns of 64 threads.
// CHECK-LABEL: @copy_tail(
// CHECK: scf.if
// CHECK: nvvm.cp.async.shared.global
// CHECK: scf.if
// CHECK: nvvm.cp.async.shared.global
// CHECK-NOT: nvvm.cp.async.shared
!view = memref<?x?x?x12xf32, strided<[?, ?, ?, 1]>>
!ring = !tile.buffer<1, [24, 12], f32, <bits = 0, shift = 3>>
gpu.module @kernels {
  gpu.func @copy_tail(%K: !view, %row: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !ring
    tile.copy %K[%zero, %zero, %row] in [%zero, %high) to %ring[%zero] : !view, !ring
    gpu.return
  }
}

// -----

// Both rows of a thread are tested, pairs written where they are aligned, single elements where not.
// CHECK-LABEL: @store_pairs(
// CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : vector<2xbf16>, !llvm.ptr<1>
// CHECK: } else {
// CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 2 : i64} : bf16, !llvm.ptr<1>
// CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : vector<2xbf16>, !llvm.ptr<1>
// CHECK: } else {
// CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 2 : i64} : bf16, !llvm.ptr<1>
// CHECK-NOT: llvm.store
!view = memref<?x?x?x16xbf16, strided<[?, ?, ?, 1]>>
!tile = tensor<32x16xbf16, #tile.fragment<[row, column], 2>>
gpu.module @kernels {
  gpu.func @store_pairs(%O: !view, %row: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !tile
    tile.store %x, %O[%zero, %zero, %row] below %high : !tile, !view
    gpu.return
  }
}

// -----

// Where rows start on 16 bytes four lanes exchange their pairs of four column tiles, whether their rows are there or not, and each writes 16 bytes of a row; elsewhere
// single elements go out. Addresses are a row's first one and constants.
// CHECK-LABEL: @store_pieces(
// CHECK: arith.constant 15 : i64
// CHECK: scf.if
// CHECK-COUNT-2: nvvm.shfl.sync{{ +}}bfly
// CHECK-NOT: scf.if
// CHECK-COUNT-2: nvvm.shfl.sync
// CHECK: scf.if
// CHECK: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
// CHECK-COUNT-4: nvvm.shfl.sync
// CHECK: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
// CHECK: } else {
// CHECK-NOT: nvvm.shfl.sync
// CHECK: %[[START:.*]] = llvm.inttoptr
// CHECK: llvm.store %{{.*}}, %[[START]] {alignment = 2 : i64} : bf16, !llvm.ptr<1>
// CHECK: %[[NEXT:.*]] = llvm.getelementptr %[[START]][2]
// CHECK: llvm.store %{{.*}}, %[[NEXT]] {alignment = 2 : i64} : bf16, !llvm.ptr<1>
// CHECK: llvm.getelementptr %[[START]][16]
// CHECK-COUNT-5: llvm.getelementptr %[[START]]
// CHECK-COUNT-8: llvm.store %{{.*}}, %{{.*}} {alignment = 2 : i64} : bf16, !llvm.ptr<1>
// CHECK-NOT: vector<2xbf16>, !llvm.ptr<1>
!view = memref<?x?x?x32xbf16, strided<[?, ?, ?, 1]>>
!tile = tensor<32x32xbf16, #tile.fragment<[row, column], 2>>
gpu.module @kernels {
  gpu.func @store_pieces(%O: !view, %row: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !tile
    tile.store %x, %O[%zero, %zero, %row] below %high : !tile, !view
    gpu.return
  }
}

// -----

// Four lanes hold copies of a row's value: the first writes it.
// CHECK-LABEL: @store_rows(
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %{{.*}}, %{{.*}} : i32
// CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK-NOT: llvm.store
!view = memref<?x?x?xf32, strided<[?, ?, ?]>>
!row = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @store_rows(%LSE: !view, %row: index, %high: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !row
    tile.store %x, %LSE[%zero, %zero, %row] below %high : !row, !view
    gpu.return
  }
}

// -----

// Where rows start on 16 bytes all pieces of the two rows of a lane are asked for before lanes exchange their words; elsewhere rows are read by pairs, and where these do not fit
// by element: columns 2t and 2t + 1, not a pair that starts there.
// CHECK-LABEL: @load_pieces(
// CHECK: %[[ALIGNED:.*]] = arith.cmpi eq
// CHECK: %[[WORDS:.*]]:16 = scf.if %[[ALIGNED]]
// CHECK-COUNT-4: llvm.inline_asm {{.*}}@there ld.global.v4.b32
// CHECK-NOT: ld.global
// CHECK: nvvm.shfl.sync bfly
// CHECK: } else {
// CHECK: %[[PAIRS_FIT:.*]] = arith.cmpi eq
// CHECK: scf.if
// CHECK: scf.if %[[PAIRS_FIT]]
// CHECK: llvm.load {{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
// CHECK-NOT: vector<2xbf16> {
// CHECK: } else {
// CHECK-NOT: -> vector<2xbf16>{{$}}
// CHECK: llvm.load {{.*}} {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
// CHECK: arith.shli
// CHECK: arith.ori
// CHECK: }
// CHECK: llvm.bitcast %[[WORDS]]#0 : i32 to vector<2xbf16>
gpu.module @kernels {
  gpu.func @load_pieces(%O: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, %OUT: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, %row: index, %rows: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %o = tile.load %O[%zero, %zero, %row] in [%zero, %rows) : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>> -> tensor<64x64xbf16, #tile.fragment<[row, column], 4>>
    tile.store %o, %OUT[%zero, %zero, %row] below %rows : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}
