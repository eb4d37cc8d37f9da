// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file --verify-diagnostics | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// A row's 64 columns are 16 of each of four threads, which merge what they kept in two exchanges of 4 values and 4 ids: no reduction for each place.
// CHECK-LABEL: @by_rows(
// CHECK-COUNT-16: nvvm.shfl.sync {{ *}}bfly
// CHECK-NOT: nvvm.shfl
// CHECK-COUNT-4: llvm.store
!list = tensor<8x8xf32, #tile.fragment<[row, column], 1>>
!list_ids = tensor<8x8xi32, #tile.fragment<[row, column], 1>>
!s = tensor<8x64xf32, #tile.fragment<[row, column], 1>>
!n = tensor<8x64xi32, #tile.fragment<[row, column], 1>>
!values = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
!ids = memref<?x?x?x64xi32, strided<[?, ?, ?, 1]>>
!list_view = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
!list_ids_view = memref<?x?x?x8xi32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @by_rows(%S: !values, %N: !ids, %V: !list_view, %I: !list_ids_view, %rows: index) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %zero = arith.constant 0 : index
    %none = arith.constant 0xFF800000 : f32
    %no_id = arith.constant 2147483647 : i32
    %v = arith.constant dense<0xFF800000> : !list
    %i = arith.constant dense<2147483647> : !list_ids
    %s = tile.read_rows %S[%zero, %zero, %zero] below %rows else %none : !values -> !s
    %n = tile.read_rows %N[%zero, %zero, %zero] below %rows else %no_id : !ids -> !n
    %v1, %i1 = tile.top_k %v, %i add %s, %n keep 4 : !list, !list_ids, !s, !n
    tile.store %v1, %V[%zero, %zero, %zero] below %rows : !list, !list_view
    tile.store %i1, %I[%zero, %zero, %zero] below %rows : !list_ids, !list_ids_view
    gpu.return
  }
}

// -----

// All rows are one: a round for each place finds the highest of what threads have first, and of its ids the lowest, as integers.
// CHECK-LABEL: @across(
// CHECK: llvm.bitcast %{{.*}} : f32 to i32
// CHECK: arith.shrsi
// CHECK: nvvm.redux.sync {{ *}}max
// CHECK: nvvm.redux.sync {{ *}}min
// CHECK: nvvm.redux.sync {{ *}}max
// CHECK: nvvm.redux.sync {{ *}}min
// CHECK-NOT: nvvm.redux
// CHECK: nvvm.shfl.sync {{ *}}idx
!list = tensor<8x8xf32, #tile.fragment<[row, column], 1>>
!list_ids = tensor<8x8xi32, #tile.fragment<[row, column], 1>>
!s = tensor<8x64xf32, #tile.fragment<[row, column], 1>>
!n = tensor<8x64xi32, #tile.fragment<[row, column], 1>>
!values = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
!ids = memref<?x?x?x64xi32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @across(%S: !values, %N: !ids, %rows: index, %place: index, %out: memref<?xi32>) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %zero = arith.constant 0 : index
    %none = arith.constant 0xFF800000 : f32
    %no_id = arith.constant 2147483647 : i32
    %v = arith.constant dense<0xFF800000> : !list
    %i = arith.constant dense<2147483647> : !list_ids
    %s = tile.read_rows %S[%zero, %zero, %zero] below %rows else %none : !values -> !s
    %n = tile.read_rows %N[%zero, %zero, %zero] below %rows else %no_id : !ids -> !n
    %v1, %i1 = tile.top_k %v, %i add %s, %n keep 2 across by_id : !list, !list_ids, !s, !n
    %id = tensor.extract %i1[%zero, %place] : !list_ids
    memref.store %id, %out[%zero] : memref<?xi32>
    gpu.return
  }
}

// -----

#rows = #tile.fragment<[row, column], 2>
gpu.module @kernels {
  gpu.func @two_warps() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %v = arith.constant dense<0xFF800000> : tensor<32x8xf32, #rows>
    %i = arith.constant dense<2147483647> : tensor<32x8xi32, #rows>
    // expected-error @below {{takes candidates of all rows from one warp}}
    // expected-error @below {{failed to legalize operation}}
    %v1, %i1 = tile.top_k %v, %i add %v, %i keep 2 across : tensor<32x8xf32, #rows>, tensor<32x8xi32, #rows>, tensor<32x8xf32, #rows>, tensor<32x8xi32, #rows>
    gpu.return
  }
}

// -----

#row = #tile.fragment<[row], 1>
gpu.module @kernels {
  gpu.func @element_of_rows(%high: index, %L: memref<?x?x?xi32, strided<[?, ?, ?]>>, %none: i32, %place: index, %out: memref<?xi32>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %v = tile.read_rows %L[%place, %place, %place] below %high else %none : memref<?x?x?xi32, strided<[?, ?, ?]>> -> tensor<16xi32, #row>
    // expected-error @below {{takes the number of a tile of rank 0, or one of 32 bits of rows and columns in one warp}}
    // expected-error @below {{failed to legalize operation}}
    %id = tensor.extract %v[%place] : tensor<16xi32, #row>
    memref.store %id, %out[%place] : memref<?xi32>
    gpu.return
  }
}
