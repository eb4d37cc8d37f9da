// RUN: landmark-opt %s --allow-unregistered-dialect --tile-loop-programs -split-input-file | FileCheck %s --implicit-check-not=tile.program --implicit-check-not=scf.for
// RUN: landmark-opt %s --allow-unregistered-dialect --tile-loop-programs=programs=3 -split-input-file -verify-diagnostics \
// RUN:   | FileCheck %s --check-prefix=LOOP --implicit-check-not=tile.program
// RUN: not landmark-opt %s --allow-unregistered-dialect --tile-loop-programs=programs=0 -split-input-file 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: tile-loop-programs takes 1 program of a thread block or more

// A block runs the program of its number; what stands before and behind the question stays.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: "test.before"()
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: "test.use"(%[[BLOCK]])
// CHECK: "test.after"()
// CHECK: gpu.return

// The first blocks run three neighbours each, the others one: of count programs, (count - blocks) / 2 blocks more than one. Everything behind the question is in the loop.
// LOOP-LABEL: gpu.func @kernel(
// LOOP-SAME: %[[COUNT:[^:]*]]: index)
// LOOP: "test.before"()
// LOOP-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// LOOP-DAG: %[[ALL:.*]] = arith.index_cast %[[COUNT]] : index to i32
// LOOP-DAG: %[[THREE:.*]] = arith.constant 3 : i32
// LOOP-DAG: %[[DIM:.*]] = gpu.grid_dim x
// LOOP-DAG: %[[BLOCKS:.*]] = arith.index_cast %[[DIM]] : index to i32
// LOOP-DAG: %[[ID:.*]] = gpu.block_id x
// LOOP-DAG: %[[BLOCK:.*]] = arith.index_cast %[[ID]] : index to i32
// LOOP: %[[TWO:.*]] = arith.constant 2 : i32
// LOOP: %[[MORE:.*]] = arith.subi %[[ALL]], %[[BLOCKS]]
// LOOP: %[[FULL:.*]] = arith.ceildivsi %[[MORE]], %[[TWO]]
// LOOP: %[[IS_FULL:.*]] = arith.cmpi slt, %[[BLOCK]], %[[FULL]]
// LOOP: %[[LESS:.*]] = arith.minsi %[[BLOCK]], %[[FULL]]
// LOOP: %[[BEFORE:.*]] = arith.muli %[[LESS]], %[[THREE]]
// LOOP: %[[BEHIND:.*]] = arith.subi %[[BLOCK]], %[[FULL]]
// LOOP: %[[SINGLES:.*]] = arith.maxsi %[[BEHIND]],
// LOOP: %[[FROM:.*]] = arith.addi %[[BEFORE]], %[[SINGLES]]
// LOOP: %[[SHARE:.*]] = arith.select %[[IS_FULL]], %[[THREE]], %[[ONE]]
// LOOP: %[[UP:.*]] = arith.addi %[[FROM]], %[[SHARE]]
// LOOP: %[[TO:.*]] = arith.minsi %[[UP]], %[[ALL]]
// LOOP: scf.for %[[I:.*]] = %[[FROM]] to %[[TO]] step
// LOOP:   %[[PROGRAM:.*]] = arith.index_cast %[[I]] : i32 to index
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
