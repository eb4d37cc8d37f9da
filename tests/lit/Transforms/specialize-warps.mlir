// RUN: landmark-opt %s --tile-specialize-warps="stages=3 consumers=8 adder=warp" -split-input-file | FileCheck %s --implicit-check-not=tile.load
// RUN: landmark-opt %s --tile-specialize-warps="stages=3 consumers=4" -split-input-file | FileCheck %s --check-prefix=FOUR --implicit-check-not=setmaxregister
// RUN: landmark-opt %s --tile-specialize-warps="consumers=12" -split-input-file | FileCheck %s --check-prefix=TWELVE
// RUN: landmark-opt %s --tile-specialize-warps="consumers=16" -split-input-file | FileCheck %s --check-prefix=SIXTEEN

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>

// The tensor maps follow the kernel's own arguments, one for each kind of box. Of K the first loop takes every 64th row, the landmarks, the second one whole
// blocks; of V blocks without their landmark. Consumers and a group of four warps for the producer make up the block.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME: index, %[[ROW:[^:]*]]: index, %[[Q_MAP:[^:]*]]: !llvm.ptr, %[[L_MAP:[^:]*]]: !llvm.ptr, %[[K_MAP:[^:]*]]: !llvm.ptr, %[[V_MAP:[^:]*]]: !llvm.ptr) kernel
// CHECK-SAME: known_block_size = array<i32: 384, 1, 1>
// CHECK-SAME: tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 64, columns = 64, swizzle_bytes = 128, every = 1>,
// CHECK-SAME: #tile.tensor_map<argument = 1, rows = 16, columns = 64, swizzle_bytes = 128, every = 64>,
// CHECK-SAME: #tile.tensor_map<argument = 1, rows = 64, columns = 64, swizzle_bytes = 128, every = 1>,
// CHECK-SAME: #tile.tensor_map<argument = 2, rows = 63, columns = 64, swizzle_bytes = 128, every = 1>]

// A ring for each view, as large as its largest tile; the queries' has stages of its own.
// CHECK: %[[Q:.*]] = tile.alloc : <1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
// CHECK: %[[Q_BARRIERS:.*]] = tile.alloc_barriers : <1, lanes = 32>
// CHECK: %[[K:.*]] = tile.alloc : <3, [1, 64, 64], bf16,
// CHECK: %[[K_BARRIERS:.*]] = tile.alloc_barriers : <3, lanes = 32>
// CHECK: %[[V:.*]] = tile.alloc : <3, [1, 64, 64], bf16,
// CHECK: %[[V_BARRIERS:.*]] = tile.alloc_barriers : <3, lanes = 32>
// CHECK-NOT: tile.alloc
// One thread brings the maps near and makes the barriers.
// CHECK: %[[THREAD:.*]] = gpu.thread_id x
// CHECK: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[THREAD]], %[[ZERO]]
// CHECK: scf.if %[[FIRST]] {
// CHECK:   nvvm.prefetch tensormap, %[[Q_MAP]]
// CHECK:   nvvm.prefetch tensormap, %[[L_MAP]]
// CHECK:   nvvm.prefetch tensormap, %[[K_MAP]]
// CHECK:   nvvm.prefetch tensormap, %[[V_MAP]]
// CHECK:   tile.init_barriers %[[Q_BARRIERS]] consumers 8
// CHECK:   tile.init_barriers %[[K_BARRIERS]] consumers 8
// CHECK:   tile.init_barriers %[[V_BARRIERS]] consumers 8
// CHECK: }
// Sums over a block's values take in the row of its landmark, which no fetch writes. Keys are summed over columns, all of them fetched.
// CHECK-NOT: tile.clear %[[K]]
// CHECK: tile.clear %[[V]] from 63 every 64
// CHECK-NOT: tile.clear
// CHECK: tile.fence
// CHECK: gpu.barrier

// The producer: one thread of the warps behind the consumers', with few registers.
// CHECK: %[[TURN:.*]] = arith.constant 0 : i32
// CHECK: %[[ME:.*]] = gpu.thread_id x
// CHECK: %[[CONSUMERS:.*]] = arith.constant 256 : index
// CHECK: %[[IS_PRODUCER:.*]] = arith.cmpi uge, %[[ME]], %[[CONSUMERS]]
// CHECK: scf.if %[[IS_PRODUCER]] {
// CHECK:   nvvm.setmaxregister decrease 24
// CHECK:   %[[LEADER:.*]] = arith.constant 256 : index
// CHECK:   %[[IS_LEADER:.*]] = arith.cmpi eq, %[[ME]], %[[LEADER]]
// CHECK:   scf.if %[[IS_LEADER]] {
// CHECK-NOT: tile.await
// CHECK-NOT: tile.release
// CHECK-NOT: tensor<
// CHECK:     tile.acquire %[[Q_BARRIERS]][%[[TURN]]]
// CHECK:     %[[SLOT:.*]] = tile.slot %[[Q]]
// CHECK:     tile.fetch %[[Q_MAP]][%{{.*}}, %{{.*}}, %[[ROW]]] boxes 1 of 64 apart 0 to %[[SLOT]] full %[[Q_BARRIERS]][%[[TURN]]]
// The landmarks' loop carries the turn of K's ring, and nothing of what is computed. A landmark's row of the map is the number of its block.
// CHECK:     %[[K_TURN:.*]] = scf.for %[[B:.*]] = {{.*}} iter_args(%[[T:.*]] = %[[TURN]]) -> (i32) {
// CHECK:       %[[BLOCK:.*]] = arith.muli %[[B]],
// CHECK:       %[[AT:.*]] = arith.addi %[[BLOCK]],
// CHECK:       %[[NEXT:.*]] = arith.addi %[[T]],
// CHECK:       %[[EVERY:.*]] = arith.constant 64 : index
// CHECK:       %[[LANDMARK:.*]] = arith.divui %[[AT]], %[[EVERY]]
// CHECK:       tile.acquire %[[K_BARRIERS]][%[[T]]]
// CHECK:       %[[DEPTH:.*]] = arith.constant 3 : i32
// CHECK:       %[[STAGE:.*]] = arith.remui %[[T]], %[[DEPTH]]
// CHECK:       %[[INDEX:.*]] = arith.index_cast %[[STAGE]]
// CHECK:       %[[SLOT:.*]] = tile.slot %[[K]][%[[INDEX]]] : {{.*}} -> <<3, [16, 64],
// CHECK:       tile.fetch %[[L_MAP]][%{{.*}}, %{{.*}}, %[[LANDMARK]]] boxes 1 of 16 apart 0 to %[[SLOT]] full %[[K_BARRIERS]][%[[T]]]
// CHECK:       scf.yield %[[NEXT]] : i32
// The next loop goes on from that turn.
// CHECK:     scf.for %[[B:.*]] = {{.*}} iter_args(%[[T:.*]] = %[[K_TURN]], %[[U:.*]] = %[[TURN]]) -> (i32, i32) {
// CHECK:       %[[BLOCK:.*]] = arith.muli %[[B]],
// CHECK:       %[[K_NEXT:.*]] = arith.addi %[[T]],
// CHECK:       tile.acquire %[[K_BARRIERS]][%[[T]]]
// CHECK:       %[[SLOT:.*]] = tile.slot %[[K]]{{.*}} -> <<3, [1, 64, 64],
// CHECK:       tile.fetch %[[K_MAP]][%{{.*}}, %{{.*}}, %[[BLOCK]]] boxes 1 of 64 apart 0 to %[[SLOT]] full %[[K_BARRIERS]][%[[T]]]
// CHECK:       %[[V_NEXT:.*]] = arith.addi %[[U]],
// CHECK:       tile.acquire %[[V_BARRIERS]][%[[U]]]
// CHECK:       %[[SLOT:.*]] = tile.slot %[[V]]
// CHECK:       tile.fetch %[[V_MAP]][%{{.*}}, %{{.*}}, %[[BLOCK]]] boxes 1 of 63 apart 64 to %[[SLOT]] full %[[V_BARRIERS]][%[[U]]]
// CHECK:       scf.yield %[[K_NEXT]], %[[V_NEXT]] : i32, i32

// The consumers: every operand is waited for before its product and given back behind it, but for the queries, which serve both loops.
// CHECK: } else {
// CHECK-NOT: tile.acquire
// CHECK-NOT: tile.fetch
// CHECK:   nvvm.setmaxregister increase 240
// CHECK:   tile.await %[[Q_BARRIERS]][%[[TURN]]]
// CHECK:   %[[QUERIES:.*]] = tile.slot %[[Q]]
// CHECK-NOT: tile.release
// CHECK:   %[[LOOP:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[T:.*]] = %[[TURN]]) -> (tensor<64x16xf32>, i32) {
// CHECK:     tile.await %[[K_BARRIERS]][%[[T]]]
// CHECK:     %[[SLOT:.*]] = tile.slot %[[K]]{{.*}} -> <<3, [16, 64],
// CHECK:     tile.dot %[[QUERIES]], %[[SLOT]] transpose
// CHECK:     tile.release %[[K_BARRIERS]][%[[T]]]
// CHECK:   }
// CHECK:   %[[O:.*]]:3 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[T:.*]] = %[[LOOP]]#1, %[[U:.*]] = %[[TURN]]) -> (tensor<64x64xf32>, i32, i32) {
// CHECK:     tile.await %[[K_BARRIERS]][%[[T]]]
// CHECK:     %[[SLOT:.*]] = tile.slot %[[K]]{{.*}} -> <<3, [1, 64, 64],
// CHECK:     tile.dot %[[QUERIES]], %[[SLOT]] transpose
// CHECK:     tile.release %[[K_BARRIERS]][%[[T]]]
// CHECK:     math.exp2
// CHECK:     tile.await %[[V_BARRIERS]][%[[U]]]
// CHECK:     %[[SLOT:.*]] = tile.slot %[[V]]
// CHECK:     tile.dot %{{.*}}, %[[SLOT]] into
// CHECK:     tile.release %[[V_BARRIERS]][%[[U]]]
// CHECK:   }
// CHECK:   tile.release %[[Q_BARRIERS]][%[[TURN]]]
// CHECK:   tile.store %[[O]]#0,
// CHECK: gpu.return

// One group of consumers keeps the registers it is given.
// FOUR-LABEL: gpu.func @kernel(
// FOUR-SAME: known_block_size = array<i32: 256, 1, 1>
// FOUR: tile.alloc : <1, [64, 64], bf16,
// FOUR-NEXT: tile.alloc_barriers : <1, lanes = 32>
// FOUR: tile.alloc : <3, [1, 64, 64], bf16,
// FOUR: tile.init_barriers %{{.*}} consumers 4 : <1, lanes = 32>
// FOUR-NEXT: tile.init_barriers %{{.*}} consumers 4 : <3, lanes = 32>
// FOUR-NEXT: tile.init_barriers %{{.*}} consumers 4 : <3, lanes = 32>
// FOUR: %[[CONSUMERS:.*]] = arith.constant 128 : index
// FOUR: arith.cmpi uge, %{{.*}}, %[[CONSUMERS]]

// Three groups share what the producer leaves, 160 registers a thread, and leave it the 8 that they cannot share.
// TWELVE-LABEL: gpu.func @kernel(
// TWELVE-SAME: known_block_size = array<i32: 512, 1, 1>
// TWELVE: nvvm.setmaxregister decrease 32
// TWELVE: nvvm.setmaxregister increase 160

// A block of 640 threads starts with 96 registers a thread, not with the 102.4 that a multiprocessor has for each: four groups get 112.
// SIXTEEN-LABEL: gpu.func @kernel(
// SIXTEEN-SAME: known_block_size = array<i32: 640, 1, 1>
// SIXTEEN: nvvm.setmaxregister decrease 32
// SIXTEEN: nvvm.setmaxregister increase 112
gpu.module @kernels {
  gpu.func @kernel(%Q: !view, %K: !view, %V: !view, %O: !out, %n: index, %from: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %L = arith.constant 64 : index
    %tokens = arith.constant 63 : index
    %l0 = arith.constant dense<0.0> : tensor<64x16xf32>
    %s0 = arith.constant dense<0.0> : tensor<64x1x64xf32>
    %o0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %from] in [%zero, %n) : !view -> tensor<64x64xbf16>
    %l = scf.for %b = %zero to %n step %one iter_args(%acc = %l0) -> tensor<64x16xf32> {
      %row = arith.muli %b, %L : index
      %landmark = arith.addi %row, %tokens : index
      %k = tile.load %K[%zero, %zero, %landmark] stride %L in [%zero, %n) : !view -> tensor<16x64xbf16>
      %s = tile.dot %q, %k transpose into %acc : tensor<64x64xbf16>, tensor<16x64xbf16> -> tensor<64x16xf32>
      scf.yield %s : tensor<64x16xf32>
    }
    %o = scf.for %b = %zero to %n step %one iter_args(%acc = %o0) -> tensor<64x64xf32> {
      %row = arith.muli %b, %L : index
      %k = tile.load %K[%zero, %zero, %row] stride %L in [%zero, %n) : !view -> tensor<1x64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x1x64xf32>
      %e = math.exp2 %s : tensor<64x1x64xf32>
      %p = tile.cast %e : tensor<64x1x64xf32> -> tensor<64x1x64xbf16>
      %v = tile.load %V[%zero, %zero, %row] stride %L count %tokens in [%zero, %n) : !view -> tensor<1x64x64xbf16>
      %next = tile.dot %p, %v into %acc : tensor<64x1x64xbf16>, tensor<1x64x64xbf16> -> tensor<64x64xf32>
      scf.yield %next : tensor<64x64xf32>
    }
    tile.store %o, %O[%zero, %zero, %zero] below %n : tensor<64x64xf32>, !out
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>

// Two loads of one shape share a tensor map and the turns of one ring. Blocks of 72 rows without gaps between them are one box, blocks with gaps one box each.
// Keys that are not there are columns of the product, which masks leave out: nothing is cleared for them.
// CHECK-LABEL: gpu.func @two_loads(
// CHECK-SAME: index, %[[MAP:[^:]*]]: !llvm.ptr, %[[GAPS:[^:]*]]: !llvm.ptr) kernel
// CHECK-SAME: tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 144, columns = 64, {{[^>]*}}>, #tile.tensor_map<argument = 0, rows = 70, columns = 64, {{[^>]*}}>]
// CHECK: %[[RING:.*]] = tile.alloc : <1, [2, 72, 64],
// CHECK: %[[BARRIERS:.*]] = tile.alloc_barriers : <1, lanes = 32>
// CHECK-NOT: tile.alloc
// CHECK-NOT: tile.clear
// CHECK: %[[TURN:.*]] = arith.constant 0 : i32
// CHECK: tile.fetch %[[MAP]][{{.*}}] boxes 1 of 144 apart 0 to %{{.*}} full %[[BARRIERS]][%[[TURN]]]
// CHECK: %[[SECOND:.*]] = arith.addi %[[FIRST:.*]],
// CHECK: tile.fetch %[[MAP]][{{.*}}] boxes 1 of 144 apart 0 to %{{.*}} full %[[BARRIERS]][%[[FIRST]]]
// CHECK: tile.fetch %[[GAPS]][{{.*}}] boxes 2 of 70 apart 72 to %{{.*}} full %[[BARRIERS]][%[[SECOND]]]
gpu.module @kernels {
  gpu.func @two_loads(%K: !view, %n: index, %q: tensor<64x64xbf16>, %row: index) kernel {
    %zero = arith.constant 0 : index
    %L = arith.constant 72 : index
    %tokens = arith.constant 70 : index
    %s0 = arith.constant dense<0.0> : tensor<64x2x72xf32>
    %a = tile.load %K[%zero, %zero, %zero] stride %L in [%zero, %n) : !view -> tensor<2x72x64xbf16>
    %s = tile.dot %q, %a transpose into %s0 : tensor<64x64xbf16>, tensor<2x72x64xbf16> -> tensor<64x2x72xf32>
    %b = tile.load %K[%zero, %zero, %row] stride %L in [%zero, %n) : !view -> tensor<2x72x64xbf16>
    %t = tile.dot %q, %b transpose into %s : tensor<64x64xbf16>, tensor<2x72x64xbf16> -> tensor<64x2x72xf32>
    %c = tile.load %K[%zero, %zero, %row] stride %L count %tokens in [%zero, %n) : !view -> tensor<2x72x64xbf16>
    %u = tile.dot %q, %c transpose into %t : tensor<64x64xbf16>, tensor<2x72x64xbf16> -> tensor<64x2x72xf32>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>

// A loop over programs carries the turns of the queries' ring and of the keys', on both sides: the next program's tiles follow this one's through the rings.
// CHECK-LABEL: gpu.func @programs(
// CHECK-SAME: %[[Q_MAP:[^:]*]]: !llvm.ptr, %[[K_MAP:[^:]*]]: !llvm.ptr) kernel
// CHECK: %[[Q_BARRIERS:.*]] = tile.alloc_barriers : <1, lanes = 32>
// CHECK: %[[K_BARRIERS:.*]] = tile.alloc_barriers : <3, lanes = 32>
// CHECK: %[[TURN:.*]] = arith.constant 0 : i32
// CHECK: nvvm.setmaxregister decrease
// CHECK: scf.for {{.*}} iter_args(%[[Q:.*]] = %[[TURN]], %[[K:.*]] = %[[TURN]]) -> (i32, i32) {
// CHECK:   %[[Q_NEXT:.*]] = arith.addi %[[Q]],
// CHECK:   tile.acquire %[[Q_BARRIERS]][%[[Q]]]
// CHECK:   tile.fetch %[[Q_MAP]]
// CHECK:   %[[K_LAST:.*]] = scf.for {{.*}} iter_args(%[[T:.*]] = %[[K]]) -> (i32) {
// CHECK:     %[[T_NEXT:.*]] = arith.addi %[[T]],
// CHECK:     tile.acquire %[[K_BARRIERS]][%[[T]]]
// CHECK:     tile.fetch %[[K_MAP]]
// CHECK:     scf.yield %[[T_NEXT]] : i32
// CHECK:   scf.yield %[[Q_NEXT]], %[[K_LAST]] : i32, i32
// CHECK: } else {
// CHECK: scf.for {{.*}} iter_args(%[[Q:.*]] = %[[TURN]], %[[K:.*]] = %[[TURN]]) -> (i32, i32) {
// CHECK:   %[[Q_NEXT:.*]] = arith.addi %[[Q]],
// CHECK:   tile.await %[[Q_BARRIERS]][%[[Q]]]
// CHECK:   %[[S:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[T:.*]] = %[[K]]) -> (tensor<64x64xf32>, i32) {
// CHECK:     tile.await %[[K_BARRIERS]][%[[T]]]
// CHECK:     tile.release %[[K_BARRIERS]][%[[T]]]
// CHECK:   }
// CHECK:   tile.release %[[Q_BARRIERS]][%[[Q]]]
// CHECK:   tile.store %[[S]]#0
// CHECK:   scf.yield %[[Q_NEXT]], %[[S]]#1 : i32, i32
gpu.module @kernels {
  gpu.func @programs(%Q: !view, %K: !view, %S: memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    scf.for %program = %zero to %n step %one {
      %q = tile.load %Q[%zero, %zero, %program] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %s = scf.for %b = %zero to %program step %one iter_args(%acc = %s0) -> tensor<64x64xf32> {
        %k = tile.load %K[%zero, %zero, %b] in [%zero, %n) : !view -> tensor<64x64xbf16>
        %next = tile.dot %q, %k transpose into %acc : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
        scf.yield %next : tensor<64x64xf32>
      }
      tile.store %s, %S[%zero, %zero, %program] below %n : tensor<64x64xf32>, memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x48xf16, strided<[?, ?, ?, 1]>>

// Rows of 96 bytes are cut into panels of 32, and so are the map's boxes.
// CHECK-LABEL: gpu.func @narrow_panels(
// CHECK-SAME: #tile.tensor_map<argument = 0, rows = 64, columns = 16, swizzle_bytes = 32, every = 1>
// CHECK: tile.alloc : <1, [64, 48], f16, <bits = 1, shift = 2, panel = 2>>
gpu.module @kernels {
  gpu.func @narrow_panels(%K: !view, %n: index, %q: tensor<64x48xf16>) kernel {
    %zero = arith.constant 0 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x48xf16>
    %s = tile.dot %q, %k transpose into %s0 : tensor<64x48xf16>, tensor<64x48xf16> -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!rows = memref<?x?x?xf32, strided<[?, ?, ?]>>

// Kernels of a module take the tensor maps of all of them. What is loaded before the loop stays; a tile of half as many rows as the consumers could take, which a product
// reads as its left operand, has twice the stages. Loads that feed no product stay the consumers'. Rows that no box writes are zeroed though no product sums over them:
// masks may multiply what they leave out by 0.
// CHECK-LABEL: gpu.func @by_rows(
// CHECK-SAME: tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 64, {{[^>]*}}>, #tile.tensor_map<argument = 1, rows = 63, {{[^>]*}}>]
// CHECK-LABEL: gpu.func @by_keys(
// CHECK-SAME: tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 64, {{[^>]*}}>, #tile.tensor_map<argument = 1, rows = 63, {{[^>]*}}>]
// CHECK: %[[KEYS:.*]] = tile.alloc : <1, [2, 64, 64],
// CHECK: %[[QUERIES:.*]] = tile.alloc : <6, [64, 64],
// CHECK: tile.clear %[[KEYS]] from 63 every 64
// CHECK: nvvm.setmaxregister decrease
// CHECK-NOT: tile.load
// CHECK: } else {
// CHECK: scf.for
// CHECK: tile.load %{{.*}} -> tensor<64xf32>
gpu.module @kernels {
  gpu.func @by_rows(%Q: !view, %K: !view, %LSE: !rows, %n: index) kernel {
    %zero = arith.constant 0 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    %s = tile.dot %q, %q transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    gpu.return
  }
  gpu.func @by_keys(%Q: !view, %K: !view, %LSE: !rows, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %L = arith.constant 64 : index
    %tokens = arith.constant 63 : index
    %s0 = arith.constant dense<0.0> : tensor<64x2x64xf32>
    %k = tile.load %K[%zero, %zero, %zero] stride %L count %tokens in [%zero, %n) : !view -> tensor<2x64x64xbf16>
    scf.for %i = %zero to %n step %one {
      %q = tile.load %Q[%zero, %zero, %i] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %lse = tile.load %LSE[%zero, %zero, %i] in [%zero, %n) : !rows -> tensor<64xf32>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<2x64x64xbf16> -> tensor<64x2x64xf32>
      tile.store %lse, %LSE[%zero, %zero, %i] below %n : tensor<64xf32>, !rows
    }
    gpu.return
  }
}

// -----

// Rows that a tile's boxes leave hold zeros where its product sums over them, so that no other tile may lie there: one with fewer rows and one without gaps have rings of their own. Keys' gaps are
// columns that masks leave out: tiles of both sizes share a ring, of the larger one.
// CHECK-LABEL: gpu.func @gaps(
// CHECK: %[[K:.*]] = tile.alloc : <3, [1, 64, 64],
// CHECK: %[[V:.*]] = tile.alloc : <3, [1, 64, 64],
// CHECK: %[[LAST:.*]] = tile.alloc : <3, [1, 16, 64],
// CHECK-NOT: tile.alloc :
// CHECK: tile.clear %[[LAST]] from 11 every 16
// CHECK-NOT: tile.clear
// CHECK: nvvm.setmaxregister decrease
// CHECK: tile.fetch %{{.*}} boxes 1 of 64 apart 0 to
// CHECK: tile.fetch %{{.*}} boxes 1 of 64 apart 0 to
// CHECK: tile.slot %[[K]]
// CHECK: tile.fetch %{{.*}} boxes 1 of 12 apart 12 to
// CHECK: tile.slot %[[LAST]]
// CHECK: tile.fetch %{{.*}} boxes 1 of 11 apart 12 to
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @gaps(%K: !view, %V: !view, %n: index, %q: tensor<128x64xbf16>, %p: tensor<128x1x64xbf16>, %r: tensor<128x1x16xbf16>) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %whole = arith.constant 64 : index
    %tail = arith.constant 12 : index
    %ordinary = arith.constant 11 : index
    %s0 = arith.constant dense<0.0> : tensor<128x1x64xf32>
    %t0 = arith.constant dense<0.0> : tensor<128x1x16xf32>
    %o0 = arith.constant dense<0.0> : tensor<128x64xf32>
    %o = scf.for %i = %zero to %n step %one iter_args(%acc = %o0) -> tensor<128x64xf32> {
      %k = tile.load %K[%zero, %zero, %i] stride %whole in [%zero, %n) : !view -> tensor<1x64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<128x64xbf16>, tensor<1x64x64xbf16> -> tensor<128x1x64xf32>
      %v = tile.load %V[%zero, %zero, %i] stride %whole in [%zero, %n) : !view -> tensor<1x64x64xbf16>
      %o1 = tile.dot %p, %v into %acc : tensor<128x1x64xbf16>, tensor<1x64x64xbf16> -> tensor<128x64xf32>
      %l = tile.load %K[%zero, %zero, %i] stride %tail in [%zero, %n) : !view -> tensor<1x16x64xbf16>
      %t = tile.dot %q, %l transpose into %t0 : tensor<128x64xbf16>, tensor<1x16x64xbf16> -> tensor<128x1x16xf32>
      %w = tile.load %V[%zero, %zero, %i] stride %tail count %ordinary in [%zero, %n) : !view -> tensor<1x16x64xbf16>
      %o2 = tile.dot %r, %w into %o1 : tensor<128x1x16xbf16>, tensor<1x16x64xbf16> -> tensor<128x64xf32>
      scf.yield %o2 : tensor<128x64xf32>
    }
    gpu.return
  }
}

// -----

// A kernel that fetches nothing has its consumers alone, no registers are handed over, and two blocks find room.
// CHECK-LABEL: gpu.func @nothing_to_fetch(
// CHECK-SAME: nvvm.minctasm = 2 : i32
// CHECK-NOT: setmaxregister
// CHECK-NOT: gpu.barrier
// CHECK-NOT: scf.if
// CHECK: tile.write_fragments
// CHECK-NEXT: gpu.return
!sums = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @nothing_to_fetch(%SUM: !sums, %row: index) kernel {
    %zero = arith.constant 0 : index
    %nothing = arith.constant dense<0.0> : tensor<128x64xf32>
    tile.write_fragments %nothing, %SUM[%zero, %zero, %row] : tensor<128x64xf32>, !sums
    gpu.return
  }
}

// -----

// What a loop adds to memory goes through one place, written by all consumers and read by another thread than the producer's, which follows the same loop. Tiles of fewer rows have no more
// stages there.
// CHECK-LABEL: gpu.func @adds(
// CHECK: %[[RING:.*]] = tile.alloc : <3, [64, 64], bf16,
// CHECK: %[[BUFFER:.*]] = tile.alloc : <1, [64, 64], f32,
// CHECK: %[[SUMS:.*]] = tile.alloc_barriers : <1>
// CHECK: %[[PLACE:.*]] = tile.slot %[[BUFFER]]
// CHECK: tile.init_barriers %{{.*}} consumers 8 : <3, lanes = 32>
// CHECK: tile.init_barriers %[[SUMS]] producers 8 consumers 1 : <1>
// CHECK: nvvm.setmaxregister decrease
// CHECK: arith.constant 256 : index
// CHECK: scf.for
// CHECK-NOT: tile.add_fragments
// CHECK:   tile.fetch
// CHECK-NOT: tile.add_fragments
// CHECK: %[[SECOND:.*]] = arith.constant 288 : index
// CHECK: %[[ADDER:.*]] = arith.cmpi eq, %{{.*}}, %[[SECOND]]
// CHECK: scf.if %[[ADDER]] {
// CHECK:   scf.for %[[ROW:[a-z0-9]+]] = {{.*}} iter_args({{.*}}, %[[TURN:[a-z0-9]+]] = %{{[a-z0-9_]+}}) -> (i32, i32) {
// CHECK-NOT: tile.fetch
// CHECK:     tile.await %[[SUMS]][%[[TURN]]]
// CHECK-NEXT: tile.fence
// CHECK-NEXT: tile.add_fragments %[[PLACE]], %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]]]
// CHECK:     tile.bulk_wait
// CHECK:     tile.release %[[SUMS]][%[[TURN]]]
// CHECK: nvvm.setmaxregister increase
// CHECK: scf.for {{.*}} iter_args({{.*}}%[[MINE:[a-z0-9]+]] = %{{[a-z0-9_]+}}) -> (tensor
// CHECK-NOT: write_fragments
// CHECK:   tile.hand_over %{{.*}} to %[[PLACE]] full %[[SUMS]][%[[MINE]]]
!q_view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!sum_view = memref<?x?x?x64xf32, strided<[?, ?, 64, 1]>>
gpu.module @kernels {
  gpu.func @adds(%Q: !q_view, %SUM: !sum_view, %n: index, %k: tensor<64x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 64 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %last = scf.for %row = %zero to %n step %step iter_args(%acc = %s0) -> tensor<64x64xf32> {
      %q = tile.load %Q[%zero, %zero, %row] in [%zero, %n) : !q_view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      tile.write_fragments add %s, %SUM[%zero, %zero, %row] : tensor<64x64xf32>, !sum_view
      scf.yield %s : tensor<64x64xf32>
    }
    gpu.return
  }
}

// -----

// Numbers of a tile's rows that lie side by side, and of which none lacks, are fetched with it, before what completes the stage, and read when it is there.
// CHECK-LABEL: gpu.func @rows(
// CHECK-SAME: %{{[^:]*}}: memref<?x?x?x64xbf16, {{.*}}>, %[[LSE:[^:]*]]: memref<?x?x?xf32, strided<[?, ?, 1]>>
// CHECK: %[[PLACES:.*]] = tile.alloc : <6, [1, 64], f32,
// CHECK: tile.acquire %[[FULL:.*]][%[[TURN:.*]]]
// CHECK: %[[PLACE:.*]] = tile.slot %[[PLACES]]
// CHECK: tile.fetch_rows %[[LSE]][%{{.*}}, %{{.*}}, %[[ROW:.*]]] to %[[PLACE]] full %[[FULL]][%[[TURN]]]
// CHECK: tile.fetch %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]]]
// CHECK: nvvm.setmaxregister increase
// CHECK: tile.await
// CHECK: %[[MINE:.*]] = tile.slot %[[PLACES]]
// CHECK: %[[READ:.*]] = tile.read %[[MINE]]
// CHECK: tile.broadcast %[[READ]] to [0]
!q_view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!packed = memref<?x?x?xf32, strided<[?, ?, 1]>>
gpu.module @kernels {
  gpu.func @rows(%Q: !q_view, %LSE: !packed, %n: index, %k: tensor<64x64xbf16>) kernel {
    %zero = arith.constant 0 : index
    %step = arith.constant 64 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %last = scf.for %row = %zero to %n step %step iter_args(%acc = %s0) -> tensor<64x64xf32> {
      %q = tile.load %Q[%zero, %zero, %row] in [%zero, %n) : !q_view -> tensor<64x64xbf16>
      %lse = tile.load %LSE[%zero, %zero, %row] in [%zero, %n) whole : !packed -> tensor<64xf32>
      %s = tile.dot %q, %k into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %l = tile.broadcast %lse to [0] : tensor<64xf32> -> tensor<64x64xf32>
      %y = arith.addf %s, %l : tensor<64x64xf32>
      scf.yield %y : tensor<64x64xf32>
    }
    gpu.return
  }
}
