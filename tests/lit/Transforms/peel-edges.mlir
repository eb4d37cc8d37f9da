// RUN: landmark-opt %s --allow-unregistered-dialect --tile-peel-edges --split-input-file | FileCheck %s --implicit-check-not=tile.edge

// The edges run first, in one loop that jumps over the interior; both loops carry the value on.
// CHECK-LABEL: @carried
// CHECK-SAME: %[[LOW:[^:]*]]: index, %[[HIGH:[^:]*]]: index, %[[STEP:[^:]*]]: index, %[[BEGIN:[^:]*]]: index, %[[END:[^:]*]]: index, %[[X:[^:]*]]: f32
// CHECK: %[[INTERIOR:.*]] = arith.subi %[[END]], %[[BEGIN]]
// CHECK: %[[NO_INTERIOR:.*]] = arith.subi %[[HIGH]], %[[INTERIOR]]
// CHECK: %[[EDGES_END:.*]] = arith.maxsi %[[NO_INTERIOR]], %[[BEGIN]]
// CHECK: %[[EDGES:.*]] = scf.for %[[I:.*]] = %[[LOW]] to %[[EDGES_END]] step %[[STEP]] iter_args(%{{.*}} = %[[X]])
// CHECK:   %[[BEFORE:.*]] = arith.cmpi slt, %[[I]], %[[BEGIN]]
// CHECK:   %[[AFTER:.*]] = arith.addi %[[I]], %[[INTERIOR]]
// CHECK:   %[[IV:.*]] = arith.select %[[BEFORE]], %[[I]], %[[AFTER]]
// CHECK:   %[[TRUE:.*]] = arith.constant true
// CHECK:   "test.use"(%[[IV]], %[[TRUE]],
// CHECK: %[[RESULT:.*]] = scf.for %[[J:.*]] = %[[BEGIN]] to %[[END]] step %[[STEP]] iter_args(%{{.*}} = %[[EDGES]])
// CHECK:   %[[FALSE:.*]] = arith.constant false
// CHECK:   "test.use"(%[[J]], %[[FALSE]],
// CHECK: return %[[RESULT]]
func.func @carried(%low: index, %high: index, %step: index, %begin: index, %end: index, %x: f32) -> f32 {
  %y = scf.for %iv = %low to %high step %step iter_args(%carried = %x) -> f32 {
    %edge = tile.edge %iv interior(%begin, %end)
    %next = "test.use"(%iv, %edge, %carried) : (index, i1, f32) -> f32
    scf.yield %next : f32
  }
  return %y : f32
}

// -----

// A loop that carries nothing; two questions of the same interior have one answer.
// CHECK-LABEL: @two_questions
// CHECK: scf.for
// CHECK:   "test.use"(%{{.*}}, %[[A:.*]], %[[B:.*]])
// CHECK: scf.for
// CHECK:   "test.use"(
// CHECK-NOT: scf.for
// CHECK: return
func.func @two_questions(%low: index, %high: index, %step: index, %begin: index, %end: index) {
  scf.for %iv = %low to %high step %step {
    %edge = tile.edge %iv interior(%begin, %end)
    %again = tile.edge %iv interior(%begin, %end)
    "test.use"(%iv, %edge, %again) : (index, i1, i1) -> ()
  }
  return
}

// -----

// A loop that does not ask is left alone.
// CHECK-LABEL: @no_question
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func @no_question(%low: index, %high: index, %step: index) {
  scf.for %iv = %low to %high step %step {
    "test.use"(%iv) : (index) -> ()
  }
  return
}
