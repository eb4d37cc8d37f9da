// RUN: landmark-opt %s --tile-stage-stores=warps=8 -split-input-file | FileCheck %s
// RUN: not landmark-opt %s --tile-stage-stores=warps=6 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// RUN: not landmark-opt %s --tile-stage-stores=warps=0 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// OPTIONS: tile-stage-stores takes warps in groups of four

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>
!queries = !tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>

// A block with one program: the rows go where the queries were. Each group waits for its own warps alone; the map is brought near, and what is under way is waited
// for at the end. Numbers of rows are stored as before.
// CHECK-LABEL: gpu.func @once(
// CHECK-SAME: %[[B:[^:]*]]: index, %[[H:[^:]*]]: index, %[[R:[^:]*]]: index, %{{[^:]*}}: !llvm.ptr, %[[MAP:[^:]*]]: !llvm.ptr) kernel
// CHECK-SAME: tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 128, columns = 64, swizzle_bytes = 128, every = 1>,
// CHECK-SAME: #tile.tensor_map<argument = 1, rows = 64, columns = 64, swizzle_bytes = 128, every = 1>]
// CHECK: %[[RING:.*]] = tile.alloc : <1, [128, 64],
// CHECK: tile.alloc : <2, [1, 64, 64],
// CHECK-NOT: tile.alloc :
// CHECK: scf.if
// CHECK-NEXT: nvvm.prefetch tensormap, %[[MAP]]
// CHECK-NEXT: tile.init_barriers
// CHECK: } else {
// CHECK: tile.dot
// CHECK: %[[O:.*]] = tile.cast
// CHECK: tile.bulk_wait
// CHECK-NEXT: tile.barrier of 4
// CHECK: %[[SLOT:.*]] = tile.slot %[[RING]][%{{.*}}]
// CHECK-NEXT: tile.write %[[O]] to %[[SLOT]]
// CHECK-NEXT: tile.barrier of 4
// CHECK-NEXT: tile.bulk_store %[[SLOT]] to %[[MAP]][%[[B]], %[[H]], %[[R]]]
// CHECK-NEXT: tile.store {{.*}} : tensor<128xf32>
// CHECK-NEXT: tile.bulk_wait
// CHECK-NEXT: }
gpu.module @kernels {
  gpu.func @once(%Q: !view, %O: !view, %LSE: !rows, %batch: index, %head: index, %row: index, %q_map: !llvm.ptr) kernel
      attributes {tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 128, columns = 64, swizzle_bytes = 128, every = 1>]} {
    %ring = tile.alloc : !queries
    %keys = tile.alloc : !keys
    %barriers = tile.alloc_barriers : !tile.barriers<1>
    %zero = arith.constant 0 : index
    %two = arith.constant 2 : index
    %turn = arith.constant 0 : i32
    %first = arith.constant true
    scf.if %first {
      tile.init_barriers %barriers consumers 8 : !tile.barriers<1>
    }
    scf.if %first {
      %slot = tile.slot %ring[%zero] : !queries -> !tile.slot<!queries>
      tile.fetch %q_map[%batch, %head, %row] boxes 1 of 128 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!queries>, !tile.barriers<1>
    } else {
      %q = tile.slot %ring[%zero] : !queries -> !tile.slot<!queries>
      %k = tile.slot %keys[%zero] : !keys -> !tile.slot<!keys>
      %acc = arith.constant dense<0.0> : tensor<128x64xf32>
      %lse = arith.constant dense<0.0> : tensor<128xf32>
      %s = tile.dot %q, %k into %acc : !tile.slot<!queries>, !tile.slot<!keys> -> tensor<128x64xf32>
      %o = tile.cast %s : tensor<128x64xf32> -> tensor<128x64xbf16>
      %rows = memref.dim %O, %two : !view
      tile.store %o, %O[%batch, %head, %row] below %rows : tensor<128x64xbf16>, !view
      tile.store %lse, %LSE[%batch, %head, %row] below %rows : tensor<128xf32>, !rows
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x80xbf16, strided<[?, ?, ?, 1]>>
!queries = !tile.buffer<1, [128, 80], bf16, <bits = 1, shift = 2, panel = 2>>

// One that runs several in turn has a place of its own, so that the next program's queries need not wait; it waits for the last copy behind all of them. Panels are as
// narrow as rows of 10 chunks want them.
// CHECK-LABEL: gpu.func @several(
// CHECK-SAME: #tile.tensor_map<argument = 1, rows = 64, columns = 16, swizzle_bytes = 32, every = 1>]
// CHECK: %[[OWN:.*]] = tile.alloc : <1, [128, 80], bf16, <bits = 1, shift = 2, panel = 2>>
// CHECK: %[[RING:.*]] = tile.alloc : <1, [128, 80],
// CHECK: scf.for
// CHECK: tile.slot %[[RING]]
// CHECK: tile.bulk_wait
// CHECK: tile.slot %[[OWN]]
// CHECK: tile.bulk_store
// CHECK-NOT: tile.bulk_wait
// CHECK: }
// CHECK: tile.bulk_wait
// CHECK-NEXT: }
// A kernel beside it takes the same maps, as it is launched with the same arguments.
// CHECK-LABEL: gpu.func @beside(
// CHECK-SAME: !llvm.ptr, %{{[^:]*}}: !llvm.ptr) kernel
// CHECK-SAME: #tile.tensor_map<argument = 1, rows = 64, columns = 16, swizzle_bytes = 32, every = 1>]
gpu.module @kernels {
  gpu.func @several(%Q: !view, %O: !view, %count: index, %map: !llvm.ptr) kernel
      attributes {tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 128, columns = 16, swizzle_bytes = 32, every = 1>]} {
    %ring = tile.alloc : !queries
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %consumes = arith.constant true
    scf.if %consumes {
      scf.for %row = %zero to %count step %one {
        %q = tile.slot %ring[%zero] : !queries -> !tile.slot<!queries>
        %o = tile.read %q : !tile.slot<!queries> -> tensor<128x80xbf16>
        %rows = memref.dim %O, %two : !view
        tile.store %o, %O[%zero, %zero, %row] below %rows : tensor<128x80xbf16>, !view
      }
    }
    gpu.return
  }
  gpu.func @beside(%Q: !view, %O: !view, %count: index, %map: !llvm.ptr) kernel
      attributes {tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 128, columns = 16, swizzle_bytes = 32, every = 1>]} {
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!wide = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>

// What a map cannot follow is stored as before: rows below a number that is not the view's own, rows of 32 bits, blocks of rows, a view that is no argument, rows that not all
// groups share.
// CHECK-LABEL: gpu.func @others(
// CHECK-SAME: tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 128, columns = 64, swizzle_bytes = 128, every = 1>]
// CHECK-NOT: tile.bulk
// CHECK: gpu.return
// CHECK-LABEL: gpu.func @without_producer(
// CHECK-NOT: tile.bulk
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @others(%O: !view, %P: !view, %W: !wide, %L: index, %which: i1, %o: tensor<128x64xbf16>, %w: tensor<128x64xf32>, %half: tensor<64x64xbf16>, %map: !llvm.ptr) kernel
      attributes {tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 128, columns = 64, swizzle_bytes = 128, every = 1>]} {
    %zero = arith.constant 0 : index
    %two = arith.constant 2 : index
    %rows = memref.dim %O, %two : !view
    %wide_rows = memref.dim %W, %two : !wide
    tile.store %o, %P[%zero, %zero, %zero] below %rows : tensor<128x64xbf16>, !view
    tile.store %o, %O[%zero, %zero, %zero] below %L : tensor<128x64xbf16>, !view
    tile.store %w, %W[%zero, %zero, %zero] below %wide_rows : tensor<128x64xf32>, !wide
    tile.store %o, %O[%zero, %zero, %zero] blocks of %two stride %L below %rows : tensor<128x64xbf16>, !view
    tile.store %half, %O[%zero, %zero, %zero] below %rows : tensor<64x64xbf16>, !view
    %view = arith.select %which, %O, %P : !view
    %view_rows = memref.dim %view, %two : !view
    tile.store %o, %view[%zero, %zero, %zero] below %view_rows : tensor<128x64xbf16>, !view
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @without_producer(%O: !view, %o: tensor<128x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %two = arith.constant 2 : index
    %rows = memref.dim %O, %two : !view
    tile.store %o, %O[%zero, %zero, %zero] below %rows : tensor<128x64xbf16>, !view
    gpu.return
  }
}
