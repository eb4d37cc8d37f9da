// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-kernels-to-nvvm))' | FileCheck %s --implicit-check-not=arith. --implicit-check-not=memref. --implicit-check-not=gpu.thread

// Everything that per-thread code is made of is lowered at once. What is known is folded first: a size that the type says, and what is made of it.
// CHECK-LABEL: llvm.func @kernel(
// CHECK-SAME: nvvm.kernel
// CHECK: llvm.mlir.constant(130 : index) : i64
// CHECK: nvvm.read.ptx.sreg.tid.x
// CHECK: llvm.fadd
// CHECK: llvm.getelementptr
// CHECK: llvm.store
// CHECK: llvm.cond_br
// CHECK: llvm.return
gpu.module @kernels {
  gpu.func @kernel(%view: memref<?x64xf32, strided<[?, 1]>>, %x: f32, %is: i1) kernel {
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %columns = memref.dim %view, %one : memref<?x64xf32, strided<[?, 1]>>
    %more = arith.addi %columns, %one : index
    %all = arith.muli %more, %two : index
    %thread = gpu.thread_id x
    %place = arith.remui %thread, %all : index
    %y = arith.addf %x, %x : f32
    memref.store %y, %view[%place, %one] : memref<?x64xf32, strided<[?, 1]>>
    cf.cond_br %is, ^bb1, ^bb1
  ^bb1:
    gpu.return
  }
}
