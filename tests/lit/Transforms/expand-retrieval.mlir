// RUN: landmark-opt %s --landmark-expand-ops --split-input-file | FileCheck %s --implicit-check-not=landmark.

// Programs of a row's parts are numbered side by side; then come tiles of a span, spans, outer rows, batches.
// CHECK-LABEL: @task
// CHECK-SAME: %[[Q:[^:]*]]: memref<?x?x?x64xbf16, {{[^)]*}}, %[[SPAN:[^:]*]]: index, %[[TILE:[^:]*]]: index, %[[SPLITS:[^:]*]]: index
// CHECK-DAG: %[[SPAN32:.*]] = arith.index_cast %[[SPAN]]
// CHECK-DAG: %[[SPLITS32:.*]] = arith.index_cast %[[SPLITS]]
// CHECK: %[[SPANS:.*]] = arith.divui %{{.*}}, %[[SPAN32]] : i32
// CHECK: gpu.block_id{{ +}}x
// CHECK: arith.remui %{{.*}}, %[[SPLITS32]]
// CHECK: arith.remui %{{.*}}, %[[SPANS]]
// CHECK: arith.minsi %{{.*}}, %[[SPAN32]]
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
func.func @task(%Q: !view, %span: index, %tile: index, %splits: index) -> (index, index, index, index, index, index) {
  %b, %o, %s, %r, %e, %p = landmark.task %Q span %span tile %tile splits %splits : !view
  return %b, %o, %s, %r, %e, %p : index, index, index, index, index, index
}

// -----

// The first parts have one step more where steps do not divide.
// CHECK-LABEL: @part
// CHECK: %[[STEPS:.*]] = arith.divui
// CHECK: %[[EACH:.*]] = arith.divui %[[STEPS]],
// CHECK: %[[REST:.*]] = arith.remui %[[STEPS]],
// CHECK: arith.muli %{{.*}}, %[[EACH]]
// CHECK: arith.minsi %{{.*}}, %[[REST]]
// CHECK: arith.minsi
func.func @part(%split: index, %splits: index, %end: index, %step: index) -> (index, index) {
  %begin, %stop = landmark.part %split of %splits to %end step %step
  return %begin, %stop : index, index
}

// -----

// A round takes the highest value of list and candidates, and of the ids that have it the lowest.
// CHECK-LABEL: @top_k
// CHECK-SAME: %[[V:[^:]*]]: tensor<16x8xf32>, %[[I:[^:]*]]: tensor<16x8xi32>, %[[S:[^:]*]]: tensor<16x64xf32>, %[[IDS:[^:]*]]: tensor<16x64xi32>, %[[K:[^:]*]]: index
// CHECK-DAG: dense<0xFF800000> : tensor<16x8xf32>
// CHECK-DAG: dense<2147483647> : tensor<16x8xi32>
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[K]] step %{{.*}} iter_args(%[[LIST:[^ ]*]] = %[[V]], %{{[^ ]*}} = %[[I]], %[[ADDED:[^ ]*]] = %[[S]], %{{[^ ]*}} = %[[IDS]],
// CHECK: %[[A:.*]] = tile.reduce {{ *}}max %[[LIST]] along [1]
// CHECK: %[[B:.*]] = tile.reduce {{ *}}max %[[ADDED]] along [1]
// CHECK: arith.maxnumf %[[A]], %[[B]]
// CHECK: tile.reduce {{ *}}min {{.*}} : tensor<16x8xi32>
// CHECK: tile.reduce {{ *}}min {{.*}} : tensor<16x64xi32>
// CHECK: arith.minsi
// CHECK: scf.yield
func.func @top_k(%v: tensor<16x8xf32>, %i: tensor<16x8xi32>, %s: tensor<16x64xf32>, %ids: tensor<16x64xi32>, %k: index) -> (tensor<16x8xf32>, tensor<16x8xi32>) {
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  return %v1, %i1 : tensor<16x8xf32>, tensor<16x8xi32>
}

// -----

// All rows are one, and so is what they are reduced to; rows but the first of the result hold nothing.
// CHECK-LABEL: @top_k_across
// CHECK: scf.for
// CHECK: tile.reduce {{ *}}max %{{.*}} along [0, 1] : tensor<16x8xf32> -> tensor<f32>
// CHECK: tile.reduce {{ *}}max %{{.*}} along [0, 1] : tensor<16x64xf32> -> tensor<f32>
// CHECK: tile.broadcast %{{.*}} to [] : tensor<f32> -> tensor<16x8xf32>
// CHECK: tile.reduce {{ *}}min %{{.*}} along [0, 1]
// CHECK: scf.yield
// CHECK: tile.iota : tensor<16xi32>
// CHECK: arith.cmpi eq
func.func @top_k_across(%v: tensor<16x8xf32>, %i: tensor<16x8xi32>, %s: tensor<16x64xf32>, %ids: tensor<16x64xi32>, %k: index) -> (tensor<16x8xf32>, tensor<16x8xi32>) {
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k across : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  return %v1, %i1 : tensor<16x8xf32>, tensor<16x8xi32>
}

// -----

// Up to 8 places are kept by insertion, which is an operation of its own.
// CHECK-LABEL: @top_k_short
// CHECK: tile.top_k %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} keep 8 : tensor<16x8xf32>
// CHECK-NOT: scf.for
// CHECK: return
func.func @top_k_short(%v: tensor<16x8xf32>, %i: tensor<16x8xi32>, %s: tensor<16x64xf32>, %ids: tensor<16x64xi32>) -> (tensor<16x8xf32>, tensor<16x8xi32>) {
  %k = arith.constant 8 : index
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  return %v1, %i1 : tensor<16x8xf32>, tensor<16x8xi32>
}

// -----

// CHECK-LABEL: @top_k_long
// CHECK: scf.for
// CHECK: tile.reduce
// CHECK: return
func.func @top_k_long(%v: tensor<16x16xf32>, %i: tensor<16x16xi32>, %s: tensor<16x64xf32>, %ids: tensor<16x64xi32>) -> (tensor<16x16xf32>, tensor<16x16xi32>) {
  %k = arith.constant 9 : index
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k : tensor<16x16xf32>, tensor<16x16xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  return %v1, %i1 : tensor<16x16xf32>, tensor<16x16xi32>
}

// -----

// CHECK-LABEL: @positions
// CHECK-SAME: %[[N:[^:]*]]: index, %[[K:[^:]*]]: index, %[[L:[^:]*]]: index, %[[COMPACT:[^:]*]]: index
// CHECK: %[[R:.*]] = arith.minsi %[[K]], %[[N]]
// CHECK: %[[FAR:.*]] = arith.subi %[[N]], %[[R]]
// CHECK-COUNT-3: arith.select
// CHECK: return
func.func @positions(%n: index, %k: index, %L: index, %compact: index) -> (index, index, index, index) {
  %shift, %landmarks, %lowest, %far = landmark.positions of %n keep %k block %L compact %compact
  return %shift, %landmarks, %lowest, %far : index, index, index, index
}

// -----

// Pieces of the lists are read as rows of a tile, what lies beyond them counts as absent, and the best of all are put in order.
// CHECK-LABEL: @choose
// CHECK: scf.for
// CHECK: tile.read_rows %{{.*}} : memref<?x?x?x32xf32{{.*}} -> tensor<8x32xf32>
// CHECK: tile.read_rows %{{.*}} : memref<?x?x?x32xi32{{.*}} -> tensor<8x32xi32>
// CHECK: arith.cmpi slt
// CHECK: scf.for
// CHECK: tile.reduce {{ *}}max %{{.*}} along [0, 1]
// CHECK: scf.yield
// CHECK: dense<-1> : tensor<8x8xi32>
// CHECK: scf.for
// CHECK: tile.reduce {{ *}}min %{{.*}} along [1]
// CHECK: arith.cmpi ne
!values = memref<?x?x?x32xf32, strided<[?, ?, ?, 1]>>
!ids = memref<?x?x?x32xi32, strided<[?, ?, ?, 1]>>
func.func @choose(%v: !values, %i: !ids, %batch: index, %row: index, %n: index, %k: index) -> tensor<8x8xi32> {
  %sorted = landmark.choose %v, %i[%batch, %row] candidates %n keep %k : !values, !ids -> tensor<8x8xi32>
  return %sorted : tensor<8x8xi32>
}

// -----

// The same of a short list, which comes in order; places without a block are -1.
// CHECK-LABEL: @choose_short
// CHECK: %[[LISTS:.*]]:2 = scf.for
// CHECK: tile.read_rows %{{.*}} : memref<?x?x?x64xf32{{.*}} -> tensor<8x64xf32>
// CHECK: tile.read_rows %{{.*}} : memref<?x?x?x64xi32{{.*}} -> tensor<8x64xi32>
// CHECK: tile.top_k %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} keep 4 across by_id : tensor<8x8xf32>
// CHECK: scf.yield
// CHECK: %[[ABSENT:.*]] = arith.cmpi eq, %[[LISTS]]#1,
// CHECK: arith.select %[[ABSENT]], %{{.*}}, %[[LISTS]]#1
// CHECK-NOT: scf.for
// CHECK: return
!values = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
!ids = memref<?x?x?x64xi32, strided<[?, ?, ?, 1]>>
func.func @choose_short(%v: !values, %i: !ids, %batch: index, %row: index, %n: index) -> tensor<8x8xi32> {
  %k = arith.constant 4 : index
  %sorted = landmark.choose %v, %i[%batch, %row] candidates %n keep %k : !values, !ids -> tensor<8x8xi32>
  return %sorted : tensor<8x8xi32>
}

// -----

// CHECK-LABEL: @entry
// CHECK-SAME: %[[IDS:.*]]: tensor<8x8xi32>, %[[J:.*]]: index
// CHECK: tensor.extract %[[IDS]][%{{.*}}, %[[J]]]
func.func @entry(%i: tensor<8x8xi32>, %j: index) -> index {
  %block = landmark.entry %i at %j : tensor<8x8xi32>
  return %block : index
}

// -----

// The maximum is subtracted before the product with the factor; a block's term is its own log-sum-exp or its landmark's logit.
// CHECK-LABEL: @online
// CHECK-SAME: %{{[^:]*}}: tensor<16xf32>, %{{[^:]*}}: tensor<16xf32>, %[[S:[^:]*]]: tensor<16x1x64xf32>, %{{[^:]*}}: tensor<16x1x64xi1>, %[[OWN:[^:]*]]: tensor<16x1xi1>
// CHECK: %[[FAR:.*]] = arith.subf
// CHECK: %[[SCALED:.*]] = arith.mulf %[[FAR]],
// CHECK: math.exp2 %[[SCALED]]
// CHECK: %[[LOG:.*]] = math.log2
// CHECK: tile.column %[[S]] at 63
// CHECK: arith.addf %{{.*}}, %[[LOG]]
// CHECK: arith.select %[[OWN]],
func.func @online(%m: tensor<16xf32>, %l: tensor<16xf32>, %s: tensor<16x1x64xf32>, %seen: tensor<16x1x64xi1>, %own: tensor<16x1xi1>, %c: f32)
    -> (tensor<16x1x64xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>) {
  %L = arith.constant 64 : index
  %w, %m1, %l1, %kept = landmark.online %m, %l add %s seen %seen own %own factor %c block(%L) : tensor<16xf32>, tensor<16x1x64xf32>, tensor<16x1x64xi1>, tensor<16x1xi1>
  return %w, %m1, %l1, %kept : tensor<16x1x64xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
}

// -----

// Nothing seen: 0 in place of 1/0, and the sum of two shares of nothing is nothing.
// CHECK-LABEL: @finish
// CHECK: arith.divf
// CHECK: arith.cmpf oeq
// CHECK: arith.select
// CHECK: math.log2
func.func @finish(%m: tensor<16xf32>, %l: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>, tensor<16xf32>) {
  %inverse, %lse = landmark.finish %m, %l : tensor<16xf32>
  %both = landmark.join %lse, %m : tensor<16xf32>
  %share = landmark.share %lse of %both : tensor<16xf32>
  return %inverse, %both, %share : tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
}
