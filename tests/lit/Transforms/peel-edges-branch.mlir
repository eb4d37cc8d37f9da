// RUN: landmark-opt %s --allow-unregistered-dialect --tile-peel-edges=peel=false --split-input-file | FileCheck %s --implicit-check-not=tile.edge

// The loop stays one, and is walked as the two would be: the edges first, on both sides of the interior. An iteration finds out itself which it is.
// CHECK-LABEL: func.func @comparison(
// CHECK-SAME: %[[LOW:[^:]*]]: index, %[[HIGH:[^:]*]]: index, %[[STEP:[^:]*]]: index, %[[BEGIN:[^:]*]]: index, %[[END:[^:]*]]: index, %[[X:[^:]*]]: f32
// CHECK: %[[INTERIOR:.*]] = arith.subi %[[END]], %[[BEGIN]]
// CHECK: %[[NO_INTERIOR:.*]] = arith.subi %[[HIGH]], %[[INTERIOR]]
// CHECK: %[[EDGES_END:.*]] = arith.maxsi %[[NO_INTERIOR]], %[[BEGIN]]
// CHECK: %[[BEHIND:.*]] = arith.subi %[[EDGES_END]], %[[BEGIN]]
// CHECK: %[[Y:.*]] = scf.for %[[I:.*]] = %[[LOW]] to %[[HIGH]] step %[[STEP]] iter_args(%[[CARRIED:.*]] = %[[X]])
// CHECK:   %[[EDGE:.*]] = arith.cmpi slt, %[[I]], %[[EDGES_END]]
// CHECK:   %[[INNER:.*]] = arith.subi %[[I]], %[[BEHIND]]
// CHECK:   %[[BEFORE:.*]] = arith.cmpi slt, %[[I]], %[[BEGIN]]
// CHECK:   %[[JUMPED:.*]] = arith.addi %[[I]], %[[INTERIOR]]
// CHECK:   %[[OUTER:.*]] = arith.select %[[BEFORE]], %[[I]], %[[JUMPED]]
// CHECK:   %[[IV:.*]] = arith.select %[[EDGE]], %[[OUTER]], %[[INNER]]
// CHECK:   "test.use"(%[[IV]], %[[EDGE]], %[[CARRIED]])
// CHECK-NOT: scf.for
// CHECK: return %[[Y]]
func.func @comparison(%low: index, %high: index, %step: index, %begin: index, %end: index, %x: f32) -> f32 {
  %y = scf.for %iv = %low to %high step %step iter_args(%carried = %x) -> f32 {
    %edge = tile.edge %iv interior(%begin, %end)
    %next = "test.use"(%iv, %edge, %carried) : (index, i1, f32) -> f32
    scf.yield %next : f32
  }
  return %y : f32
}

// -----

// A selection by a mask that the answer chooses is made in both branches, each by its own mask. A constant that stands behind the branch is made there again.
// CHECK-LABEL: func.func @sunk(
// CHECK: scf.for
// CHECK: %[[EDGE:.*]] = arith.cmpi slt
// CHECK: %[[S:.*]] = "test.logits"
// CHECK: %[[CHOSEN:.*]]:2 = scf.if %[[EDGE]] -> (tensor<64x64xi1>, tensor<64x64xf32>) {
// CHECK:   %[[MASK:.*]] = "test.edge_mask"()
// CHECK:   %[[NONE:.*]] = arith.constant dense<0xFF800000>
// CHECK:   %[[MASKED:.*]] = arith.select %[[MASK]], %[[S]], %[[NONE]]
// CHECK:   scf.yield %[[MASK]], %[[MASKED]]
// CHECK: } else {
// CHECK:   %[[MASK:.*]] = "test.inner_mask"()
// CHECK:   %[[NONE:.*]] = arith.constant dense<0xFF800000>
// CHECK:   %[[MASKED:.*]] = arith.select %[[MASK]], %[[S]], %[[NONE]]
// CHECK:   scf.yield %[[MASK]], %[[MASKED]]
// CHECK: }
// CHECK-NOT: arith.select
// CHECK: "test.use"(%[[CHOSEN]]#1)
func.func @sunk(%low: index, %high: index, %step: index, %begin: index, %end: index) {
  scf.for %iv = %low to %high step %step {
    %s = "test.logits"(%iv) : (index) -> tensor<64x64xf32>
    %edge = tile.edge %iv interior(%begin, %end)
    %mask = scf.if %edge -> tensor<64x64xi1> {
      %m = "test.edge_mask"() : () -> tensor<64x64xi1>
      scf.yield %m : tensor<64x64xi1>
    } else {
      %m = "test.inner_mask"() : () -> tensor<64x64xi1>
      scf.yield %m : tensor<64x64xi1>
    }
    %none = arith.constant dense<0xFF800000> : tensor<64x64xf32>
    %masked = arith.select %mask, %s, %none : tensor<64x64xi1>, tensor<64x64xf32>
    "test.use"(%masked) : (tensor<64x64xf32>) -> ()
  }
  return
}

// -----

// Several masks and several selections by one of them: each goes by the mask it went by.
// CHECK-LABEL: func.func @several(
// CHECK-SAME: %[[A:[^:]*]]: tensor<64xf32>, %[[B:[^:]*]]: tensor<64xf32>
// CHECK: scf.if {{.*}} -> (tensor<64xi1>, tensor<64xi1>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
// CHECK:   %[[M:.*]]:2 = "test.edge_masks"()
// CHECK-DAG: arith.select %[[M]]#0, %[[A]], %[[B]]
// CHECK-DAG: arith.select %[[M]]#0, %[[B]], %[[A]]
// CHECK-DAG: arith.select %[[M]]#1, %[[A]], %[[B]]
// CHECK: } else {
// CHECK:   %[[M:.*]]:2 = "test.inner_masks"()
// CHECK-DAG: arith.select %[[M]]#0, %[[A]], %[[B]]
// CHECK-DAG: arith.select %[[M]]#0, %[[B]], %[[A]]
// CHECK-DAG: arith.select %[[M]]#1, %[[A]], %[[B]]
// CHECK: }
// CHECK-NOT: arith.select
// CHECK: "test.use"
func.func @several(%a: tensor<64xf32>, %b: tensor<64xf32>, %low: index, %high: index, %step: index, %begin: index, %end: index) {
  scf.for %iv = %low to %high step %step {
    %edge = tile.edge %iv interior(%begin, %end)
    %masks:2 = scf.if %edge -> (tensor<64xi1>, tensor<64xi1>) {
      %m:2 = "test.edge_masks"() : () -> (tensor<64xi1>, tensor<64xi1>)
      scf.yield %m#0, %m#1 : tensor<64xi1>, tensor<64xi1>
    } else {
      %m:2 = "test.inner_masks"() : () -> (tensor<64xi1>, tensor<64xi1>)
      scf.yield %m#0, %m#1 : tensor<64xi1>, tensor<64xi1>
    }
    %x = arith.select %masks#0, %a, %b : tensor<64xi1>, tensor<64xf32>
    %y = arith.select %masks#0, %b, %a : tensor<64xi1>, tensor<64xf32>
    %z = arith.select %masks#1, %a, %b : tensor<64xi1>, tensor<64xf32>
    "test.use"(%x, %y, %z) : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> ()
  }
  return
}

// -----

// Selections stay where they are if what they select is made behind the branch, if they stand in another block, or if a mask is what they select.
// CHECK-LABEL: func.func @kept(
// CHECK: %[[MASK:.*]] = scf.if {{.*}} -> (tensor<64xi1>) {
// CHECK-NOT: arith.select
// CHECK: } else {
// CHECK-NOT: arith.select
// CHECK: }
// CHECK: %[[LATER:.*]] = "test.later"()
// CHECK: %[[X:.*]] = arith.select %[[MASK]], %[[LATER]],
// CHECK: scf.if
// CHECK:   %[[Y:.*]] = arith.select %[[MASK]],
// CHECK:   "test.use"(%[[Y]])
// CHECK: %[[Z:.*]] = arith.select %{{.*}}, %[[MASK]], %{{.*}} : tensor<64xi1>, tensor<64xi1>
// CHECK: "test.both"(%[[X]], %[[Z]])
func.func @kept(%a: tensor<64xf32>, %other: tensor<64xi1>, %is: i1, %low: index, %high: index, %step: index, %begin: index, %end: index) {
  scf.for %iv = %low to %high step %step {
    %edge = tile.edge %iv interior(%begin, %end)
    %mask = scf.if %edge -> tensor<64xi1> {
      %m = "test.edge_mask"() : () -> tensor<64xi1>
      scf.yield %m : tensor<64xi1>
    } else {
      %m = "test.inner_mask"() : () -> tensor<64xi1>
      scf.yield %m : tensor<64xi1>
    }
    %later = "test.later"() : () -> tensor<64xf32>
    %x = arith.select %mask, %later, %a : tensor<64xi1>, tensor<64xf32>
    scf.if %is {
      %y = arith.select %mask, %a, %a : tensor<64xi1>, tensor<64xf32>
      "test.use"(%y) : (tensor<64xf32>) -> ()
    }
    %z = arith.select %other, %mask, %other : tensor<64xi1>, tensor<64xi1>
    "test.both"(%x, %z) : (tensor<64xf32>, tensor<64xi1>) -> ()
  }
  return
}
