// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm),canonicalize,cse)' -split-input-file -verify-diagnostics \
// RUN:   | FileCheck %s --implicit-check-not=tile.

// Barriers lie where they were placed, two of 8 bytes a stage. The producer alone fills a stage; every warp that reads it empties it.
// CHECK-LABEL: gpu.func @init_barriers(
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[CONSUMERS:.*]] = arith.constant 12 : i32
// CHECK: %[[MEMORY:.*]] = llvm.mlir.addressof
// CHECK: %[[FULL0:.*]] = llvm.getelementptr %[[MEMORY]][48]
// CHECK: nvvm.mbarrier.init %[[FULL0]], %[[ONE]]
// CHECK: %[[EMPTY0:.*]] = llvm.getelementptr %[[FULL0]][8]
// CHECK: nvvm.mbarrier.init %[[EMPTY0]], %[[CONSUMERS]]
// CHECK: %[[FULL1:.*]] = llvm.getelementptr %[[FULL0]][16]
// CHECK: nvvm.mbarrier.init %[[FULL1]], %[[ONE]]
// CHECK: %[[EMPTY1:.*]] = llvm.getelementptr %[[FULL0]][24]
// CHECK: nvvm.mbarrier.init %[[EMPTY1]], %[[CONSUMERS]]
// CHECK-NOT: nvvm.mbarrier.init
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @init_barriers() kernel {
    %barriers = tile.alloc_barriers {offset = 48 : i64} : !tile.barriers<2>
    tile.init_barriers %barriers consumers 12 : !tile.barriers<2>
    gpu.return
  }
}

// -----

// Where each lane gives a stage back by itself, the barrier counts them all.
// CHECK-LABEL: gpu.func @by_lanes(
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[CONSUMERS:.*]] = arith.constant 256 : i32
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[ONE]]
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[CONSUMERS]]
// CHECK: %[[ADDRESS:.*]] = llvm.ptrtoint
// CHECK: llvm.inline_asm has_side_effects {{.*}} "mbarrier.arrive.shared::cta.b64 _, [$0];"{{.*}} %[[ADDRESS]]
gpu.module @kernels {
  gpu.func @by_lanes(%turn: i32) kernel {
    %barriers = tile.alloc_barriers {offset = 48 : i64} : !tile.barriers<1, lanes = 32>
    tile.init_barriers %barriers consumers 8 : !tile.barriers<1, lanes = 32>
    tile.release %barriers[%turn] : !tile.barriers<1, lanes = 32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_place() kernel {
    // expected-error @below {{has no place in shared memory; run tile-allocate-shared}}
    // expected-error @below {{failed to legalize operation 'tile.alloc_barriers'}}
    %barriers = tile.alloc_barriers : !tile.barriers<2>
    tile.init_barriers %barriers consumers 12 : !tile.barriers<2>
    gpu.return
  }
}

// -----

// Turn n is the phase n / 3 of stage n % 3. A stage is full once that phase is over, and empty once the phase before is: the first three are empty from the beginning.
// One thread of a warp gives a stage back for all of them, by a predicate and no branch.
// CHECK-LABEL: gpu.func @wait(
// CHECK-SAME: %[[TURN:[^:]*]]: i32
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[STAGES:.*]] = arith.constant 3 : i32
// CHECK-DAG: %[[LOG_BYTES:.*]] = arith.constant 4 : i32
// CHECK-DAG: %[[EMPTY_AT:.*]] = arith.constant 8 : i32
// CHECK-DAG: %[[LANES:.*]] = arith.constant 31 : i32
// CHECK: %[[BARRIERS:.*]] = llvm.getelementptr %{{.*}}[48]
// CHECK: %[[STAGE:.*]] = arith.remui %[[TURN]], %[[STAGES]]
// CHECK: %[[PHASE:.*]] = arith.divui %[[TURN]], %[[STAGES]]
// CHECK: %[[PARITY:.*]] = arith.andi %[[PHASE]], %[[ONE]]
// CHECK: %[[BEFORE:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK: %[[BYTES:.*]] = arith.shli %[[STAGE]], %[[LOG_BYTES]]
// CHECK: %[[EMPTY_BYTES:.*]] = arith.addi %[[BYTES]], %[[EMPTY_AT]]
// CHECK: %[[EMPTY:.*]] = llvm.getelementptr %[[BARRIERS]][%[[EMPTY_BYTES]]]
// CHECK: nvvm.mbarrier.try_wait.parity %[[EMPTY]], %[[BEFORE]],
// CHECK: %[[FULL:.*]] = llvm.getelementptr %[[BARRIERS]][%[[BYTES]]]
// CHECK: nvvm.mbarrier.try_wait.parity %[[FULL]], %[[PARITY]],
// CHECK: %[[THREAD:.*]] = arith.index_cast %thread_id_x
// CHECK: %[[LANE:.*]] = arith.andi %[[THREAD]], %[[LANES]]
// CHECK-NOT: scf.if
// CHECK: %[[ADDRESS:.*]] = llvm.ptrtoint %[[EMPTY]]
// CHECK: llvm.inline_asm has_side_effects {{.*}} "{ .reg .pred first; setp.eq.u32 first, $0, 0; @first mbarrier.arrive.shared::cta.b64 _, [$1]; }"{{.*}} %[[LANE]], %[[ADDRESS]]
gpu.module @kernels {
  gpu.func @wait(%turn: i32) kernel {
    %barriers = tile.alloc_barriers {offset = 48 : i64} : !tile.barriers<3>
    tile.acquire %barriers[%turn] : !tile.barriers<3>
    tile.await %barriers[%turn] : !tile.barriers<3>
    tile.release %barriers[%turn] : !tile.barriers<3>
    gpu.return
  }
}

// -----

// A question waits for nothing: it is about the phase that a wait would wait for.
// CHECK-LABEL: gpu.func @poll(
// CHECK-SAME: %[[TURN:[^:]*]]: i32
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[STAGES:.*]] = arith.constant 3 : i32
// CHECK: %[[STAGE:.*]] = arith.remui %[[TURN]], %[[STAGES]]
// CHECK: %[[PHASE:.*]] = arith.divui %[[TURN]], %[[STAGES]]
// CHECK: %[[PARITY:.*]] = arith.andi %[[PHASE]], %[[ONE]]
// CHECK: %[[FULL_BYTES:.*]] = arith.shli %[[STAGE]],
// CHECK: %[[FULL:.*]] = llvm.getelementptr %{{.*}}[%[[FULL_BYTES]]]
// CHECK: %[[IS_FULL:.*]] = nvvm.mbarrier.test.wait %[[FULL]], %[[PARITY]] :
// CHECK: arith.select %[[IS_FULL]]
gpu.module @kernels {
  gpu.func @poll(%turn: i32, %out: memref<1xi32>) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : i32
    %barriers = tile.alloc_barriers {offset = 48 : i64} : !tile.barriers<3>
    %full = tile.poll %barriers[%turn] : !tile.barriers<3>
    %word = arith.select %full, %one, %turn : i32
    memref.store %word, %out[%zero] : memref<1xi32>
    gpu.return
  }
}

// -----

!ring = !tile.buffer<3, [2, 64, 128], bf16, <bits = 3, shift = 0, panel = 8>>

// Rows of 256 bytes lie in two panels, blocks of 64 rows behind each other in each: four boxes, which bring 63 of 64 rows. A box is 64 columns of a head's rows.
// The barrier is told of all bytes first, and gets those of every box.
// CHECK-LABEL: gpu.func @fetch(
// CHECK-SAME: %[[MAP:[^:]*]]: !llvm.ptr, %[[BATCH:[^:]*]]: index, %[[HEAD:[^:]*]]: index, %[[ROW:[^:]*]]: index, %[[TURN:[^:]*]]: i32, %[[STAGE:[^:]*]]: index
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[STEP:.*]] = arith.constant 64 : i32
// CHECK-DAG: %[[ALL_BYTES:.*]] = arith.constant 32256 : i32
// CHECK-DAG: %[[STAGE_BYTES:.*]] = arith.constant 32768 : i32
// CHECK: %[[I:.*]] = arith.index_cast %[[STAGE]] : index to i32
// CHECK: %[[BYTES:.*]] = arith.muli %[[I]], %[[STAGE_BYTES]]
// CHECK: %[[SLOT:.*]] = llvm.getelementptr %{{.*}}[%[[BYTES]]]
// CHECK: %[[S:.*]] = arith.remui %[[TURN]],
// CHECK: %[[FULL_BYTES:.*]] = arith.shli %[[S]],
// CHECK: %[[FULL:.*]] = llvm.getelementptr %{{.*}}[%[[FULL_BYTES]]]
// CHECK: nvvm.mbarrier.arrive.expect_tx %[[FULL]], %[[ALL_BYTES]]
// CHECK-DAG: %[[B:.*]] = arith.index_cast %[[BATCH]] : index to i32
// CHECK-DAG: %[[H:.*]] = arith.index_cast %[[HEAD]] : index to i32
// CHECK-DAG: %[[R:.*]] = arith.index_cast %[[ROW]] : index to i32
// CHECK: %[[TO:.*]] = llvm.addrspacecast %[[SLOT]] : !llvm.ptr<3> to !llvm.ptr<7>
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[TO]], %[[MAP]], %[[FULL]], box[%[[ZERO]], %[[R]], %[[H]], %[[B]]] :
// CHECK: %[[AT:.*]] = llvm.getelementptr %[[SLOT]][8192]
// CHECK: %[[TO:.*]] = llvm.addrspacecast %[[AT]]
// CHECK: %[[NEXT:.*]] = arith.addi %[[R]], %[[STEP]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[TO]], %[[MAP]], %[[FULL]], box[%[[ZERO]], %[[NEXT]], %[[H]], %[[B]]] :
// CHECK: %[[AT:.*]] = llvm.getelementptr %[[SLOT]][16384]
// CHECK: %[[TO:.*]] = llvm.addrspacecast %[[AT]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[TO]], %[[MAP]], %[[FULL]], box[%[[STEP]], %[[R]], %[[H]], %[[B]]] :
// CHECK: %[[AT:.*]] = llvm.getelementptr %[[SLOT]][24576]
// CHECK: %[[TO:.*]] = llvm.addrspacecast %[[AT]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[TO]], %[[MAP]], %[[FULL]], box[%[[STEP]], %[[NEXT]], %[[H]], %[[B]]] :
// CHECK-NOT: nvvm.cp
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @fetch(%map: !llvm.ptr, %batch: index, %head: index, %row: index, %turn: i32, %stage: index) kernel {
    %ring = tile.alloc {offset = 1024 : i64} : !ring
    %barriers = tile.alloc_barriers {offset = 48 : i64} : !tile.barriers<3>
    %slot = tile.slot %ring[%stage] : !ring -> !tile.slot<!ring>
    tile.fetch %map[%batch, %head, %row] boxes 2 of 63 apart 64 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!ring>, !tile.barriers<3>
    gpu.return
  }
}

// -----

!ring = !tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!tile = !tile.buffer<2, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>

// A slot with fewer rows begins where the ring's stage does; the barrier waits for its own bytes only.
// CHECK-LABEL: gpu.func @fewer_rows(
// CHECK-SAME: %[[STAGE:[^:]*]]: index
// CHECK-DAG: %[[BYTES:.*]] = arith.constant 2048 : i32
// CHECK-DAG: %[[STAGE_BYTES:.*]] = arith.constant 8192 : i32
// CHECK: %[[I:.*]] = arith.index_cast %[[STAGE]] : index to i32
// CHECK: %[[AT:.*]] = arith.muli %[[I]], %[[STAGE_BYTES]]
// CHECK: %[[SLOT:.*]] = llvm.getelementptr %{{.*}}[%[[AT]]]
// CHECK: nvvm.mbarrier.arrive.expect_tx %{{.*}}, %[[BYTES]]
// CHECK: %[[TO:.*]] = llvm.addrspacecast %[[SLOT]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[TO]],
// CHECK-NOT: nvvm.cp
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @fewer_rows(%map: !llvm.ptr, %turn: i32, %stage: index) kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 1024 : i64} : !ring
    %barriers = tile.alloc_barriers {offset = 0 : i64} : !tile.barriers<2>
    %slot = tile.slot %ring[%stage] : !ring -> !tile.slot<!tile>
    tile.fetch %map[%zero, %zero, %zero] boxes 1 of 16 apart 0 to %slot full %barriers[%turn] : !llvm.ptr, !tile.slot<!tile>, !tile.barriers<2>
    gpu.return
  }
}

// -----

!ring = !tile.buffer<3, [2, 64, 128], bf16, <bits = 3, shift = 0, panel = 8>>

// Rows 62 and 63 of every 64: three stages of two panels of two blocks are 24 rows of 128 bytes, eight pieces each, which the threads of the block share.
// CHECK-LABEL: gpu.func @clear(
// CHECK-DAG: %[[PIECES:.*]] = arith.constant 192 : i32
// CHECK-DAG: %[[THREADS:.*]] = arith.constant 384 : i32
// CHECK-DAG: %[[CHUNKS:.*]] = arith.constant 8 : i32
// CHECK-DAG: %[[LEFT:.*]] = arith.constant 2 : i32
// CHECK-DAG: %[[EVERY:.*]] = arith.constant 64 : i32
// CHECK-DAG: %[[FROM:.*]] = arith.constant 62 : i32
// CHECK-DAG: %[[LOG_BYTES:.*]] = arith.constant 4 : i32
// CHECK-DAG: %[[ZEROS:.*]] = arith.constant dense<0> : vector<4xi32>
// CHECK: %[[RING:.*]] = llvm.getelementptr %{{.*}}[1024]
// CHECK: scf.for %[[PIECE:.*]] = %{{.*}} to %[[PIECES]] step %[[THREADS]]
// CHECK:   %[[CHUNK:.*]] = arith.remui %[[PIECE]], %[[CHUNKS]]
// CHECK:   %[[LINE:.*]] = arith.divui %[[PIECE]], %[[CHUNKS]]
// CHECK-DAG: %[[BLOCK:.*]] = arith.divui %[[LINE]], %[[LEFT]]
// CHECK-DAG: %[[START:.*]] = arith.muli %[[BLOCK]], %[[EVERY]]
// CHECK-DAG: %[[IN_BLOCK:.*]] = arith.remui %[[LINE]], %[[LEFT]]
// CHECK-DAG: %[[WITHIN:.*]] = arith.addi %[[IN_BLOCK]], %[[FROM]]
// CHECK:   %[[ROW:.*]] = arith.addi %[[START]], %[[WITHIN]]
// CHECK:   %[[ROW_CHUNK:.*]] = arith.muli %[[ROW]], %[[CHUNKS]]
// CHECK:   %[[NUMBER:.*]] = arith.addi %[[ROW_CHUNK]], %[[CHUNK]]
// CHECK:   %[[BYTES:.*]] = arith.shli %[[NUMBER]], %[[LOG_BYTES]]
// CHECK:   %[[AT:.*]] = llvm.getelementptr %[[RING]][%[[BYTES]]]
// CHECK:   llvm.store %[[ZEROS]], %[[AT]] {alignment = 16 : i64}
gpu.module @kernels {
  gpu.func @clear() kernel attributes {known_block_size = array<i32: 384, 1, 1>} {
    %ring = tile.alloc {offset = 1024 : i64} : !ring
    tile.clear %ring from 62 every 64 : !ring
    gpu.return
  }
}

// -----

!ring = !tile.buffer<3, [2, 64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
gpu.module @kernels {
  gpu.func @clear_by_how_many() kernel {
    %ring = tile.alloc {offset = 1024 : i64} : !ring
    // expected-error @below {{stands in a kernel of unknown block size}}
    // expected-error @below {{failed to legalize operation 'tile.clear'}}
    tile.clear %ring from 62 every 64 : !ring
    gpu.return
  }
}

// -----

// Barrier 1 + g is for the turn of group g, whose threads wait at it and at which those of the group before arrive. At first the last group arrives at group 0's.
// CHECK-LABEL: gpu.func @turns(
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[TWO:.*]] = arith.constant 2 : i32
// CHECK-DAG: %[[GROUPS:.*]] = arith.constant 3 : i32
// CHECK-DAG: %[[LOG_LANES:.*]] = arith.constant 5 : i32
// CHECK-DAG: %[[BOTH:.*]] = arith.constant 256 : i32
// CHECK: %[[WARP:.*]] = arith.shrui %{{.*}}, %[[LOG_LANES]]
// CHECK: %[[GROUP:.*]] = arith.shrui %[[WARP]], %[[TWO]]
// CHECK: %[[IS_LAST:.*]] = arith.cmpi eq, %[[GROUP]], %[[TWO]]
// CHECK: scf.if %[[IS_LAST]] {
// CHECK:   nvvm.barrier.arrive id = %[[ONE]] number_of_threads = %[[BOTH]]
// CHECK: }
// CHECK: %[[NEXT:.*]] = arith.addi %[[GROUP]], %[[ONE]]
// CHECK: nvvm.barrier id = %[[NEXT]] number_of_threads = %[[BOTH]]
// CHECK: %[[AROUND:.*]] = arith.remui %[[NEXT]], %[[GROUPS]]
// CHECK: %[[ID:.*]] = arith.addi %[[AROUND]], %[[ONE]]
// CHECK: nvvm.barrier.arrive id = %[[ID]] number_of_threads = %[[BOTH]]
gpu.module @kernels {
  gpu.func @turns() kernel {
    tile.first_turn of 3
    tile.begin_turn of 3
    tile.end_turn of 3
    gpu.return
  }
}

// -----

!values = !tile.buffer<1, [16, 16], bf16, <bits = 1, shift = 2, panel = 2>>
!p = tensor<64x16xbf16, #tile.fragment<[row, column], 4>>
!o = tensor<64x16xf32, #tile.fragment<[row, column], 4>>

// A product that is only begun leaves out the wait; the wait takes its accumulators and yields them, so that nothing reads them before.
// CHECK-LABEL: gpu.func @async(
// CHECK: %[[BEGUN:.*]] = llvm.inline_asm has_side_effects {{.*}} wgmma.commit_group.sync.aligned; }"
// CHECK: %[[X:.*]] = llvm.extractvalue %[[BEGUN]][0]
// CHECK: %[[DONE:.*]] = llvm.inline_asm has_side_effects
// CHECK-SAME: "wgmma.wait_group.sync.aligned 1;", "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,~{memory}" %[[X]],
// CHECK: %[[Y:.*]] = llvm.extractvalue %[[DONE]][0]
// CHECK-NOT: %[[X]]
// CHECK: llvm.store
gpu.module @kernels {
  gpu.func @async(%out: memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %v = tile.alloc {offset = 0 : i64} : !values
    %wide = arith.constant dense<1.0> : !o
    %p = tile.cast %wide : !o -> !p
    %b = tile.slot %v[%zero] : !values -> !tile.slot<!values>
    %begun = tile.dot %p, %b into %wide by wgmma async : !p, !tile.slot<!values> -> !o
    %o = tile.dot_wait %begun pending 1 : !o
    tile.store %o, %out[%zero, %zero, %zero] below %n : !o, memref<?x?x?x16xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

!rows = !tile.buffer<1, [128, 128], bf16, <bits = 3, shift = 0, panel = 8>>

// A group's 64 rows go out in a box for each panel, 8192 bytes from one group's to the next one's and 16384 from panel to panel, by the group's first thread; all threads close the group of
// copies, and wait until those of their own have been read.
// CHECK-LABEL: gpu.func @bulk_store(
// CHECK-SAME: %[[MAP:[^:]*]]: !llvm.ptr, %[[BATCH:[^:]*]]: index, %[[HEAD:[^:]*]]: index, %[[ROW:[^:]*]]: index
// CHECK-DAG: %[[C127:.*]] = arith.constant 127 : i32
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : i32
// CHECK-DAG: %[[GROUP_BYTES:.*]] = arith.constant 8192 : i32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK: %[[WARP:.*]] = arith.shrui
// CHECK: %[[GROUP:.*]] = arith.divui %[[WARP]],
// CHECK: %[[THREAD:.*]] = arith.andi %{{.*}}, %[[C127]]
// CHECK: %[[FURTHER:.*]] = arith.muli %[[GROUP]], %[[C64]]
// CHECK: %[[R:.*]] = arith.index_cast %[[ROW]]
// CHECK: %[[FROM:.*]] = arith.addi %[[R]], %[[FURTHER]]
// CHECK: %[[BYTES:.*]] = arith.muli %[[GROUP]], %[[GROUP_BYTES]]
// CHECK: %[[START:.*]] = llvm.getelementptr %{{.*}}[%[[BYTES]]]
// CHECK: %[[H:.*]] = arith.index_cast %[[HEAD]]
// CHECK: %[[B:.*]] = arith.index_cast %[[BATCH]]
// CHECK: %[[PLACE:.*]] = llvm.ptrtoint %[[START]]
// CHECK: llvm.inline_asm has_side_effects {{.*}}@first cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [$1, {$2, $3, $4, $5}], [$6]; }", "r,l,r,r,r,r,r,~{memory}" %[[THREAD]], %[[MAP]], %[[ZERO]], %[[FROM]], %[[H]], %[[B]], %[[PLACE]]
// CHECK: %[[SECOND:.*]] = llvm.getelementptr %[[START]][16384]
// CHECK: %[[PLACE:.*]] = llvm.ptrtoint %[[SECOND]]
// CHECK: llvm.inline_asm has_side_effects {{.*}} %[[THREAD]], %[[MAP]], %[[C64]], %[[FROM]], %[[H]], %[[B]], %[[PLACE]]
// CHECK-NOT: llvm.inline_asm
// CHECK: nvvm.cp.async.bulk.commit.group
// CHECK: nvvm.cp.async.bulk.wait_group 0 {read}
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @bulk_store(%map: !llvm.ptr, %batch: index, %head: index, %row: index) kernel {
    %zero = arith.constant 0 : index
    %place = tile.alloc {offset = 0 : i64} : !rows
    %slot = tile.slot %place[%zero] : !rows -> !tile.slot<!rows>
    tile.bulk_store %slot to %map[%batch, %head, %row] : !tile.slot<!rows>, !llvm.ptr
    tile.bulk_wait
    gpu.return
  }
}

// -----

!p = tensor<64x16xbf16, #tile.fragment<[row, column], 4>>
!o = tensor<64x16xf32, #tile.fragment<[row, column], 4>>

// Numbers of 16 bits pass a wait two a register.
// CHECK-LABEL: gpu.func @wait_for_pairs(
// CHECK: %[[WORD:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: "wgmma.wait_group.sync.aligned 0;", "=r,=r,=r,=r,0,1,2,3,~{memory}" %[[WORD]],
// CHECK: llvm.bitcast %{{.*}} : i32 to vector<2xbf16>
gpu.module @kernels {
  gpu.func @wait_for_pairs(%out: memref<?x?x?x16xbf16, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %wide = arith.constant dense<1.0> : !o
    %p = tile.cast %wide : !o -> !p
    %behind = tile.dot_wait %p pending 0 : !p
    tile.store %behind, %out[%zero, %zero, %zero] below %n : !p, memref<?x?x?x16xbf16, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

// A warp's first lane says that its part is there, when all lanes have come.
// CHECK-LABEL: gpu.func @publish(
// CHECK: nvvm.bar.warp.sync
// CHECK: llvm.inline_asm has_side_effects {{.*}}@first mbarrier.arrive.shared::cta.b64
gpu.module @kernels {
  gpu.func @publish(%turn: i32) kernel {
    %barriers = tile.alloc_barriers {offset = 0 : i64} : !tile.barriers<2>
    tile.publish %barriers[%turn] : !tile.barriers<2>
    gpu.return
  }
}

// -----

// Numbers of rows come by a copy that the stage waits for; a thread reads those of its rows, 8 apart.
// CHECK-LABEL: gpu.func @rows(
// CHECK: %[[BYTES:.*]] = arith.constant 256 : i32
// CHECK: llvm.inline_asm has_side_effects {{.*}}"mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [$0], $3; cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$1], [$2], $3, [$0];", "r,r,l,r,~{memory}" %{{.*}}, %{{.*}}, %{{.*}}, %[[BYTES]]
// CHECK: %[[FIRST:.*]] = llvm.getelementptr
// CHECK: llvm.load %[[FIRST]] : !llvm.ptr<3> -> f32
// CHECK: %[[SECOND:.*]] = llvm.getelementptr %[[FIRST]][32]
// CHECK: llvm.load %[[SECOND]] : !llvm.ptr<3> -> f32
!view = memref<?x?x?xf32, strided<[?, ?, 1]>>
!numbers = !tile.buffer<2, [1, 64], f32, <bits = 0, shift = 0>>
!row = tensor<64xf32, #tile.fragment<[row], 8, split = 2>>
gpu.module @kernels {
  gpu.func @rows(%ROWS: !view, %row: index, %turn: i32) kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !numbers
    %barriers = tile.alloc_barriers {offset = 512 : i64} : !tile.barriers<2>
    %slot = tile.slot %ring[%zero] : !numbers -> !tile.slot<!numbers>
    tile.fetch_rows %ROWS[%zero, %zero, %row] to %slot full %barriers[%turn] : !view, !tile.slot<!numbers>, !tile.barriers<2>
    %x = tile.read %slot : !tile.slot<!numbers> -> !row
    tile.store %x, %ROWS[%zero, %zero, %row] below %row : !row, !view
    gpu.return
  }
}
