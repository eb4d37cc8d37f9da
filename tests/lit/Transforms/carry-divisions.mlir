// RUN: landmark-opt %s --tile-carry-divisions --split-input-file | FileCheck %s

// The division is made for the first iteration, and what it is by is computed before the loop; from there on both numbers are counted.
// CHECK-LABEL: func.func @counted
// CHECK-SAME: (%[[FROM:.*]]: index, %[[TO:.*]]: index, %[[FIRST:.*]]: index, %[[TILES:.*]]: i32)
// CHECK-DAG: %[[N:.*]] = arith.maxsi %[[TILES]], %{{.*}} : i32
// CHECK-DAG: %[[U0:.*]] = arith.subi %[[FROM]], %[[FIRST]]
// CHECK-DAG: %[[I0:.*]] = arith.index_cast %[[U0]]
// CHECK: %[[Q0:.*]] = arith.divui %[[I0]], %[[N]]
// CHECK: %[[R0:.*]] = arith.remui %[[I0]], %[[N]]
// CHECK: scf.for {{.*}} iter_args(%[[Q:.*]] = %[[Q0]], %[[R:.*]] = %[[R0]]) -> (i32, i32) {
// CHECK-NOT: arith.divui
// CHECK-NOT: arith.remui
// CHECK:   call @use(%[[Q]], %[[R]])
// CHECK:   %[[NEXT:.*]] = arith.addi %[[R]], %{{.*}} : i32
// CHECK:   %[[WRAPS:.*]] = arith.cmpi eq, %[[NEXT]], %[[N]]
// CHECK:   %[[MORE:.*]] = arith.addi %[[Q]], %{{.*}} : i32
// CHECK:   %[[Q1:.*]] = arith.select %[[WRAPS]], %[[MORE]], %[[Q]]
// CHECK:   %[[R1:.*]] = arith.select %[[WRAPS]], %{{.*}}, %[[NEXT]]
// CHECK:   scf.yield %[[Q1]], %[[R1]]
func.func private @use(i32, i32)
func.func @counted(%from: index, %to: index, %first: index, %tiles: i32) {
  %step = arith.constant 1 : index
  %one = arith.constant 1 : i32
  scf.for %t = %from to %to step %step {
    %u = arith.subi %t, %first : index
    %i = arith.index_cast %u : index to i32
    %n = arith.maxsi %tiles, %one : i32
    %q = arith.divui %i, %n : i32
    %r = arith.remui %i, %n : i32
    func.call @use(%q, %r) : (i32, i32) -> ()
  }
  return
}

// -----

// What does not follow the loop's number one by one is left: steps of two, a selected number, a divisor of the iteration, a remainder alone.
// CHECK-LABEL: func.func @left
// CHECK: scf.for
// CHECK:   arith.divui
// CHECK:   arith.remui
// CHECK: scf.for
// CHECK:   arith.divui
// CHECK:   arith.remui
// CHECK: scf.for
// CHECK:   arith.divui
// CHECK:   arith.remui
// CHECK: scf.for
// CHECK:   arith.remui
func.func private @use(index, index)
func.func @left(%from: index, %to: index, %n: index, %flag: i1) {
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  scf.for %t = %from to %to step %two {
    %q = arith.divui %t, %n : index
    %r = arith.remui %t, %n : index
    func.call @use(%q, %r) : (index, index) -> ()
  }
  scf.for %t = %from to %to step %one {
    %u = arith.select %flag, %t, %n : index
    %q = arith.divui %u, %n : index
    %r = arith.remui %u, %n : index
    func.call @use(%q, %r) : (index, index) -> ()
  }
  scf.for %t = %from to %to step %one {
    %m = arith.addi %t, %n : index
    %q = arith.divui %t, %m : index
    %r = arith.remui %t, %m : index
    func.call @use(%q, %r) : (index, index) -> ()
  }
  scf.for %t = %from to %to step %one {
    %r = arith.remui %t, %n : index
    func.call @use(%r, %r) : (index, index) -> ()
  }
  return
}
