// RUN: landmark-opt %s --allow-unregistered-dialect --tile-loop-programs -split-input-file | FileCheck %s --implicit-check-not=tile.program --implicit-check-not=scf.for
// RUN: landmark-opt %s --allow-unregistered-dialect --tile-loop-programs=persistent -split-input-file -verify-diagnostics \
// RUN:   | FileCheck %s --check-prefix=LOOP --implicit-check-not=tile.program

// A block runs the program of its number; what stands before and behind the question stays.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: "test.before"()
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: "test.use"(%[[BLOCK]])
// CHECK: "test.after"()
// CHECK: gpu.return

// A block of a persistent grid counts its programs: two for each of its pairs, and perhaps the one in the middle.
// LOOP-LABEL: gpu.func @kernel(
// LOOP-SAME: %[[COUNT:[^:]*]]: index)
// LOOP: "test.before"()
// LOOP-DAG: %[[BLOCKS:.*]] = gpu.grid_dim x
// LOOP-DAG: %[[BLOCK:.*]] = gpu.block_id x
// LOOP: %[[TWO:.*]] = arith.constant 2 : index
// LOOP: %[[PAIRS:.*]] = arith.divui %[[COUNT]], %[[TWO]]
// LOOP: %[[ODD:.*]] = arith.remui %[[COUNT]], %[[TWO]]
// LOOP: %[[ROUNDS:.*]] = arith.divui %[[PAIRS]], %[[BLOCKS]]
// LOOP: %[[REST:.*]] = arith.remui %[[PAIRS]], %[[BLOCKS]]
// LOOP: %[[REACHED:.*]] = arith.cmpi ult, %[[BLOCK]], %[[REST]]
// LOOP: %[[FURTHER:.*]] = arith.select %[[REACHED]],
// LOOP: %[[MINE:.*]] = arith.addi %[[ROUNDS]], %[[FURTHER]]
// LOOP: %[[WHOLE:.*]] = arith.muli %[[TWO]], %[[MINE]]
// LOOP: %[[MIDDLE:.*]] = arith.cmpi eq, %[[BLOCK]], %[[REST]]
// LOOP: %[[ONE:.*]] = arith.select %[[MIDDLE]], %[[ODD]],
// LOOP: %[[PROGRAMS:.*]] = arith.addi %[[WHOLE]], %[[ONE]]
// Everything behind the question is in the loop. Even numbers are this block's programs of the first half, odd ones mirror those before them.
// LOOP: scf.for %[[I:.*]] = %{{.*}} to %[[PROGRAMS]] step
// LOOP:   %[[PAIR:.*]] = arith.divui %[[I]],
// LOOP:   %[[SIDE:.*]] = arith.remui %[[I]],
// LOOP:   %[[ROUND:.*]] = arith.muli %[[PAIR]], %[[BLOCKS]]
// LOOP:   %[[FIRST:.*]] = arith.addi %[[ROUND]], %[[BLOCK]]
// LOOP:   %[[STEP:.*]] = arith.constant 1 : index
// LOOP:   %[[LAST:.*]] = arith.subi %[[COUNT]], %[[STEP]]
// LOOP:   %[[MIRROR:.*]] = arith.subi %[[LAST]], %[[FIRST]]
// LOOP:   %[[EVEN:.*]] = arith.cmpi eq, %[[SIDE]],
// LOOP:   %[[PROGRAM:.*]] = arith.select %[[EVEN]], %[[FIRST]], %[[MIRROR]]
// LOOP:   "test.use"(%[[PROGRAM]])
// LOOP:   "test.after"()
// LOOP-NEXT: }
// LOOP-NEXT: gpu.return
gpu.module @kernels {
  gpu.func @kernel(%count: index) kernel {
    "test.before"() : () -> ()
    %program = tile.program of %count
    "test.use"(%program) : (index) -> ()
    "test.after"() : () -> ()
    gpu.return
  }
}

// -----

// A kernel that does not ask stays as it is.
// CHECK-LABEL: gpu.func @no_question(
// CHECK-NEXT: "test.use"()
// LOOP-LABEL: gpu.func @no_question(
// LOOP-NEXT: "test.use"()
gpu.module @kernels {
  gpu.func @no_question() kernel {
    "test.use"() : () -> ()
    gpu.return
  }
}

// -----

// One program a block can be asked for anywhere and often; a loop over programs takes a single question that stands for itself.
// CHECK-LABEL: gpu.func @twice(
// CHECK: %[[A:.*]] = gpu.block_id x
// CHECK: %[[B:.*]] = gpu.block_id x
// CHECK: "test.use"(%[[A]], %[[B]])
gpu.module @kernels {
  gpu.func @twice(%count: index) kernel {
    // expected-error @below {{must stand alone in the kernel, outside of loops, to be looped over}}
    %a = tile.program of %count
    %b = tile.program of %count
    "test.use"(%a, %b) : (index, index) -> ()
    gpu.return
  }
}

// -----

// CHECK-LABEL: gpu.func @nested(
// CHECK: scf.if
// CHECK: %[[A:.*]] = gpu.block_id x
// CHECK: "test.use"(%[[A]])
gpu.module @kernels {
  gpu.func @nested(%count: index, %is: i1) kernel {
    scf.if %is {
      // expected-error @below {{must stand alone in the kernel, outside of loops, to be looped over}}
      %a = tile.program of %count
      "test.use"(%a) : (index) -> ()
    }
    gpu.return
  }
}
