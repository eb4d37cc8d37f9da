// RUN: landmark-opt %s | landmark-opt | FileCheck %s

// What producer and consumers of a ring are written in, read and printed twice.

!queries = !tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!landmarks = !tile.buffer<2, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!numbers = !tile.buffer<2, [1, 64], f32, <bits = 0, shift = 0>>
!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
!p = tensor<128x2x64xbf16, #tile.fragment<[row, block, column], 8>>
!o = tensor<128x64xf32, #tile.fragment<[row, column], 8>>

// The attribute that tells the runtime of a kernel's tensor maps.
// CHECK: gpu.func @rings
// CHECK-SAME: attributes {tile.tensor_maps = [#tile.tensor_map<argument = 1, rows = 63, columns = 64, swizzle_bytes = 128, every = 1>,
// CHECK-SAME: #tile.tensor_map<argument = 1, rows = 16, columns = 32, swizzle_bytes = 64, every = 64>]}
gpu.module @kernels {
  gpu.func @rings(%count: index, %ROWS: memref<?x?x?xf32, strided<[?, ?, 1]>>, %map: !llvm.ptr, %turn: i32, %acc: !s, %out: !o) kernel
      attributes {tile.tensor_maps = [#tile.tensor_map<argument = 1, rows = 63, columns = 64, swizzle_bytes = 128, every = 1>,
                                      #tile.tensor_map<argument = 1, rows = 16, columns = 32, swizzle_bytes = 64, every = 64>]} {
    %zero = arith.constant 0 : index
    // CHECK: %[[PROGRAM:.*]] = tile.program of %{{.*}}
    %program = tile.program of %count
    %q = tile.alloc : !queries
    // CHECK: %[[RING:.*]] = tile.alloc : <2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
    %ring = tile.alloc : !keys
    // CHECK: tile.barrier of 4
    tile.barrier of 4
    // Placed, and not yet; given back by warps, or by each lane.
    // CHECK: %[[BARRIERS:.*]] = tile.alloc_barriers {offset = 48 : i64} : <2>
    // CHECK: tile.alloc_barriers : <64, lanes = 32>
    %barriers = tile.alloc_barriers {offset = 48 : i64} : !tile.barriers<2>
    %most = tile.alloc_barriers : !tile.barriers<64, lanes = 32>
    // CHECK: tile.init_barriers %[[BARRIERS]] consumers 8 : <2>
    tile.init_barriers %barriers consumers 8 : !tile.barriers<2>
    // CHECK: tile.clear %[[RING]] from 63 every 64 : <2, [2, 64, 64],
    tile.clear %ring from 63 every 64 : !keys

    // CHECK: tile.acquire %[[BARRIERS]][%[[TURN:.*]]] : <2>
    tile.acquire %barriers[%turn] : !tile.barriers<2>
    // CHECK: %[[K:.*]] = tile.slot %[[RING]][%{{.*}}] : <2, [2, 64, 64], {{.*}}> -> <<2, [2, 64, 64],
    %k = tile.slot %ring[%zero] : !keys -> !tile.slot<!keys>
    // A slot with fewer rows than its ring, and of another rank.
    // CHECK: %[[FEWER:.*]] = tile.slot %[[RING]][%{{.*}}] : <2, [2, 64, 64], {{.*}}> -> <<2, [16, 64],
    %fewer = tile.slot %ring[%zero] : !keys -> !tile.slot<!landmarks>
    // CHECK: tile.fetch %[[MAP:.*]][%{{.*}}, %{{.*}}, %[[PROGRAM]]] boxes 2 of 63 apart 64 to %[[K]] full %[[BARRIERS]][%[[TURN]]] : !llvm.ptr, <<2, [2, 64, 64], {{.*}}>>>, <2>
    // CHECK: tile.fetch %[[MAP]][%{{.*}}, %{{.*}}, %{{.*}}] boxes 1 of 16 apart 0 to %[[FEWER]] full %[[BARRIERS]][%[[TURN]]] : !llvm.ptr, <<2, [16, 64], {{.*}}>>>, <2>
    tile.fetch %map[%zero, %zero, %program] boxes 2 of 63 apart 64 to %k full %barriers[%turn] : !llvm.ptr, !tile.slot<!keys>, !tile.barriers<2>
    tile.fetch %map[%zero, %zero, %zero] boxes 1 of 16 apart 0 to %fewer full %barriers[%turn] : !llvm.ptr, !tile.slot<!landmarks>, !tile.barriers<2>

    // Numbers of rows, which count towards the same stage.
    // CHECK: tile.fetch_rows %{{.*}}[%{{.*}}, %{{.*}}, %[[PROGRAM]]] to %[[NUMBERS:.*]] full %[[BARRIERS]][%[[TURN]]] : memref<?x?x?xf32, strided<[?, ?, 1]>>, <<2, [1, 64], f32, {{.*}}>>>, <2>
    // CHECK: tile.read %[[NUMBERS]] : <<2, [1, 64], f32, {{.*}}>>> -> tensor<64xf32>
    %places = tile.alloc : !numbers
    %numbers = tile.slot %places[%zero] : !numbers -> !tile.slot<!numbers>
    tile.fetch_rows %ROWS[%zero, %zero, %program] to %numbers full %barriers[%turn] : memref<?x?x?xf32, strided<[?, ?, 1]>>, !tile.slot<!numbers>, !tile.barriers<2>
    %lse = tile.read %numbers : !tile.slot<!numbers> -> tensor<64xf32>

    // The way back, of a group's rows.
    // CHECK: tile.bulk_wait
    // CHECK: tile.bulk_store %{{.*}} to %[[MAP]][%{{.*}}, %{{.*}}, %[[PROGRAM]]] : <<1, [128, 64], {{.*}}>>>, !llvm.ptr
    %rows = tile.slot %q[%zero] : !queries -> !tile.slot<!queries>
    tile.bulk_wait
    tile.bulk_store %rows to %map[%zero, %zero, %program] : !tile.slot<!queries>, !llvm.ptr

    // CHECK: tile.first_turn of 2
    // CHECK: tile.await %[[BARRIERS]][%[[TURN]]] : <2>
    // CHECK: %{{.*}} = tile.poll %[[BARRIERS]][%[[TURN]]] : <2>
    // CHECK: tile.begin_turn of 2
    tile.first_turn of 2
    tile.await %barriers[%turn] : !tile.barriers<2>
    %full = tile.poll %barriers[%turn] : !tile.barriers<2>
    tile.begin_turn of 2
    // CHECK: %[[S:.*]] = tile.dot %{{.*}}, %[[K]] transpose into %{{.*}} by wgmma async : !tile.slot<
    // CHECK: tile.end_turn of 2
    // CHECK: %[[DONE:.*]] = tile.dot_wait %[[S]] pending 1 : tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>
    // CHECK: tile.release %[[BARRIERS]][%[[TURN]]] : <2>
    // CHECK: tile.publish %[[BARRIERS]][%[[TURN]]] : <2>
    // CHECK: %[[P:.*]] = tile.cast %[[DONE]]
    %a = tile.slot %q[%zero] : !queries -> !tile.slot<!queries>
    %s = tile.dot %a, %k transpose into %acc by wgmma async : !tile.slot<!queries>, !tile.slot<!keys> -> !s
    tile.end_turn of 2
    %done = tile.dot_wait %s pending 1 : !s
    tile.release %barriers[%turn] : !tile.barriers<2>
    tile.publish %barriers[%turn] : !tile.barriers<2>
    %p = tile.cast %done : !s -> !p
    // Without a transpose, and one that is waited for at once.
    // CHECK: %[[O:.*]] = tile.dot %[[P]], %[[K]] into %{{.*}} by wgmma async : tensor<
    // CHECK: tile.dot_wait %[[O]] pending 0
    // CHECK: tile.dot %[[P]], %[[K]] into %{{.*}} by wgmma : tensor<
    %o = tile.dot %p, %k into %out by wgmma async : !p, !tile.slot<!keys> -> !o
    %sum = tile.dot_wait %o pending 0 : !o
    %other = tile.dot %p, %k into %sum by wgmma : !p, !tile.slot<!keys> -> !o
    gpu.return
  }
}
