// RUN: landmark-opt %s --allow-unregistered-dialect --tile-loop-programs -split-input-file | FileCheck %s --implicit-check-not=tile.program --implicit-check-not=scf.for
// RUN: landmark-opt %s --allow-unregistered-dialect --tile-loop-programs=programs=3 -split-input-file -verify-diagnostics \
// RUN:   | FileCheck %s --check-prefix=LOOP --implicit-check-not=tile.program

// A block runs the program of its number; what stands before and behind the question stays.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: "test.before"()
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: "test.use"(%[[BLOCK]])
// CHECK: "test.after"()
// CHECK: gpu.return

// A block of three programs runs neighbours, and the last block what is left. Everything behind the question is in the loop.
// LOOP-LABEL: gpu.func @kernel(
// LOOP-SAME: %[[COUNT:[^:]*]]: index)
// LOOP: "test.before"()
// LOOP: %[[ID:.*]] = gpu.block_id x
// LOOP: %[[BLOCK:.*]] = arith.index_cast %[[ID]] : index to i32
// LOOP: %[[ALL:.*]] = arith.index_cast %[[COUNT]] : index to i32
// LOOP: %[[THREE:.*]] = arith.constant 3 : i32
// LOOP: %[[FROM:.*]] = arith.muli %[[BLOCK]], %[[THREE]]
// LOOP: %[[SHARE:.*]] = arith.constant 3 : i32
// LOOP: %[[BEHIND:.*]] = arith.addi %[[FROM]], %[[SHARE]]
// LOOP: %[[TO:.*]] = arith.minsi %[[BEHIND]], %[[ALL]]
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
