// RUN: landmark-opt %s --landmark-expand-ops --split-input-file | FileCheck %s --implicit-check-not=landmark.

// Programs by tiles of keys: the heads of a section side by side, the first tiles first.
// CHECK-LABEL: @key_program
// CHECK: %[[GROUP:.*]] = arith.divui
// CHECK: tile.program
// CHECK: arith.minsi
// CHECK: arith.muli %{{.*}}, %[[GROUP]] : i32
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
func.func @key_program(%Q: !view, %K: !view, %tiles: index, %section: index) -> (index, index, index, index, index) {
  %b, %g, %h, %n, %t = landmark.key_program %Q, %K tiles %tiles section %section : !view, !view
  return %b, %g, %h, %n, %t : index, index, index, index, index
}

// -----

// Where a key of the tile is missing (block 0 under a phase, or beyond the last key) every tile of rows is an edge.
// CHECK-LABEL: @row_range
// CHECK-SAME: %[[BLOCK:[^:]*]]: index
// CHECK: arith.cmpi eq
// CHECK: arith.cmpi ne, %[[BLOCK]]
// CHECK: arith.ori
// CHECK: arith.cmpi sle
// CHECK: %[[PLAIN:.*]] = arith.andi
// CHECK: arith.select %[[PLAIN]], %[[EDGES:.*]], %[[TILES:.*]] : index
func.func @row_range(%b: index, %step: index, %nq: index, %offset: index, %nk: index, %phase: index, %L: index, %rows: index) -> (index, index, index) {
  %first, %edges, %tiles = landmark.row_range blocks(%b, %step) rows(%nq, %offset) keys(%nk) phase(%phase) block(%L) tile(%rows)
  return %first, %edges, %tiles : index, index, index
}

// -----

// Three reductions of the block, and one number a row and block to subtract: D in a row's own block, the mean of a in a past one. P is made before anything needs the products a, and ds
// without P. The landmark's column is the last.
// CHECK-LABEL: @gradients
// CHECK-SAME: %[[S:[^:]*]]: tensor<16x1x8xf32>, %[[A:[^:]*]]: tensor<16x1x8xf32>, %[[SEEN:[^:]*]]: tensor<16x1x8xi1>, %[[OWN:[^:]*]]: tensor<16x1xi1>
// CHECK: tile.reduce max
// CHECK: %[[INNER:.*]] = math.exp2
// CHECK: tile.reduce sum %[[INNER]]
// CHECK-NOT: %[[A]]
// CHECK: tile.column %[[S]] at 6
// CHECK-NOT: %[[A]]
// CHECK: %[[WEIGHT:.*]] = arith.select %[[OWN]], {{.*}} : tensor<16x1xi1>, tensor<16x1xf32>
// CHECK: %[[WEIGHTS:.*]] = tile.broadcast %[[WEIGHT]]
// CHECK: %[[P:.*]] = arith.mulf %[[INNER]], %[[WEIGHTS]]
// CHECK: %[[WEIGHED:.*]] = arith.mulf %[[INNER]], %[[A]]
// CHECK: %[[TOTAL:.*]] = tile.reduce sum %[[WEIGHED]]
// CHECK: %[[MEAN:.*]] = arith.mulf %[[TOTAL]], %{{.*}} : tensor<16x1xf32>
// CHECK: %[[CENTER:.*]] = arith.select %[[OWN]], %{{.*}}, %[[MEAN]]
// CHECK: %[[OFFSET:.*]] = arith.mulf %[[CENTER]], %[[WEIGHT]]
// CHECK: %[[OFFSETS:.*]] = tile.broadcast %[[OFFSET]]
// CHECK: %[[SCALED:.*]] = arith.mulf %[[A]],
// CHECK: %[[APART:.*]] = arith.subf %[[SCALED]], %[[OFFSETS]]
// CHECK: arith.mulf %[[INNER]], %[[APART]]
// CHECK: arith.cmpi eq
// CHECK: %[[DS:.*]] = arith.select
// CHECK: return %[[P]], %[[DS]]
func.func @gradients(%s: tensor<16x1x8xf32>, %a: tensor<16x1x8xf32>, %seen: tensor<16x1x8xi1>, %own: tensor<16x1xi1>, %lse: tensor<16xf32>, %d: tensor<16xf32>,
                     %c: f32) -> (tensor<16x1x8xf32>, tensor<16x1x8xf32>) {
  %L = arith.constant 7 : index
  %p, %ds = landmark.gradients %s, %a seen %seen own %own lse %lse delta %d factor %c block(%L) : tensor<16x1x8xf32>, tensor<16x1x8xi1>, tensor<16x1xi1>, tensor<16xf32>
  return %p, %ds : tensor<16x1x8xf32>, tensor<16x1x8xf32>
}

// -----

// Without a maximum: exponentials less the row's log-sum-exp, of which the landmark's is the block's gate; P is made before anything needs the products a.
// CHECK-LABEL: @past_gradients
// CHECK-SAME: %[[S:[^:]*]]: tensor<16x2x8xf32>, %[[A:[^:]*]]: tensor<16x2x8xf32>, %[[LSE:[^:]*]]: tensor<16xf32>, %[[D:[^:]*]]: tensor<16xf32>
// CHECK-NOT: tile.reduce max
// CHECK: arith.negf %[[LSE]]
// CHECK: %[[ALL:.*]] = math.exp2 %{{.*}} : tensor<16x2x8xf32>
// CHECK: %[[INNER:.*]] = arith.select %{{.*}}, %[[ALL]], %{{.*}}
// CHECK: %[[SUM:.*]] = tile.reduce sum %[[INNER]] along [2]
// CHECK: %[[GATE:.*]] = tile.column %[[ALL]] at 6
// CHECK: %[[SHARE:.*]] = arith.divf
// CHECK: %[[WEIGHT:.*]] = arith.mulf %[[GATE]], %[[SHARE]]
// CHECK-NOT: %[[A]]
// CHECK: %[[P:.*]] = arith.mulf %[[INNER]], %{{.*}}
// CHECK: %[[WEIGHED:.*]] = arith.mulf %[[INNER]], %[[A]]
// CHECK: %[[TOTAL:.*]] = tile.reduce sum %[[WEIGHED]]
// CHECK: %[[MEAN:.*]] = arith.mulf %[[TOTAL]], %[[SHARE]]
// CHECK: %[[APART:.*]] = arith.subf %[[MEAN]],
// CHECK: %[[LANDMARK:.*]] = arith.mulf %[[GATE]], %[[APART]]
// CHECK: arith.mulf %[[MEAN]], %[[WEIGHT]]
// CHECK: %[[LANDMARKS:.*]] = tile.broadcast %[[LANDMARK]]
// CHECK: %[[DS:.*]] = arith.select %{{.*}}, %[[LANDMARKS]],
// CHECK: arith.maxnumf %[[WEIGHT]], %[[SUM]]
// CHECK: %[[FITS:.*]] = tile.all
// CHECK: return %[[P]], %[[DS]], %[[FITS]]
func.func @past_gradients(%s: tensor<16x2x8xf32>, %a: tensor<16x2x8xf32>, %lse: tensor<16xf32>, %d: tensor<16xf32>, %c: f32) -> (tensor<16x2x8xf32>, tensor<16x2x8xf32>, i1) {
  %L = arith.constant 7 : index
  %p, %ds, %fits = landmark.past_gradients %s, %a lse %lse delta %d factor %c block(%L) : tensor<16x2x8xf32>, tensor<16xf32>
  return %p, %ds, %fits : tensor<16x2x8xf32>, tensor<16x2x8xf32>, i1
}

// -----

// Exact: with the maximum of every block, which fits always.
// CHECK-LABEL: @exact_past_gradients
// CHECK: tile.reduce max
// CHECK-NOT: tile.all
// CHECK: %[[FITS:.*]] = arith.constant true
// CHECK: return %{{.*}}, %{{.*}}, %[[FITS]]
func.func @exact_past_gradients(%s: tensor<16x2x8xf32>, %a: tensor<16x2x8xf32>, %lse: tensor<16xf32>, %d: tensor<16xf32>, %c: f32)
    -> (tensor<16x2x8xf32>, tensor<16x2x8xf32>, i1) {
  %L = arith.constant 7 : index
  %p, %ds, %fits = landmark.past_gradients %s, %a lse %lse delta %d factor %c block(%L) exact : tensor<16x2x8xf32>, tensor<16xf32>
  return %p, %ds, %fits : tensor<16x2x8xf32>, tensor<16x2x8xf32>, i1
}

// -----

// Sum and total are carried with the same factor.
// CHECK-LABEL: @product_stats
// CHECK: %[[KEPT:.*]] = math.exp2 %{{.*}} : tensor<16xf32>
// CHECK: arith.mulf %{{.*}}, %[[KEPT]] : tensor<16xf32>
// CHECK: arith.mulf %{{.*}}, %[[KEPT]] : tensor<16xf32>
func.func @product_stats(%m: tensor<16xf32>, %n: tensor<16xf32>, %t: tensor<16xf32>, %s: tensor<16x1x8xf32>, %a: tensor<16x1x8xf32>, %seen: tensor<16x1x8xi1>, %c: f32)
    -> (tensor<16xf32>, tensor<16xf32>, tensor<16xf32>) {
  %m1, %n1, %t1 = landmark.product_stats %m, %n, %t add %s, %a seen %seen factor %c : tensor<16xf32>, tensor<16x1x8xf32>, tensor<16x1x8xi1>
  return %m1, %n1, %t1 : tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
}

// -----

// In its own block a row's weights need the log-sum-exp alone; the landmark is looked for among the tokens of the part.
// CHECK-LABEL: @part_gradients
// CHECK-SAME: %[[OWN:[^:]*]]: tensor<16xi1>, %{{[^:]*}}: tensor<16xf32>, %[[FROM:[^:]*]]: index
// CHECK: arith.select %[[OWN]],
// CHECK: math.exp2 %{{.*}} : tensor<16x1x8xf32>
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[FROM]]
// CHECK: tensor.splat %[[FIRST]]
// CHECK: arith.cmpi eq
func.func @part_gradients(%s: tensor<16x1x8xf32>, %seen: tensor<16x1x8xi1>, %own: tensor<16xi1>, %r: tensor<16xf32>, %from: index, %c: f32)
    -> (tensor<16x1x8xf32>, tensor<16x1x8xf32>) {
  %L = arith.constant 100 : index
  %p, %ds = landmark.part_gradients %s, %s seen %seen own %own stats %r, %r, %r gate %r lse %r delta %r factor %c block(%L) from %from
    : tensor<16x1x8xf32>, tensor<16x1x8xi1>, tensor<16xi1>, tensor<16xf32>
  return %p, %ds : tensor<16x1x8xf32>, tensor<16x1x8xf32>
}
