// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_CONVERSION_PASSES
#define LANDMARK_COMPILER_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertTileToNVVM : Pass<"convert-tile-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lower scheduled tile programs to per-thread code for mma.sync";
  let description = [{
    Every tile becomes the scalars that its layout gives a thread. Dots become `ldmatrix` and `mma.sync`, copies `cp.async`, reductions over columns
    shuffles within a quad.
  }];
  let options = [Option<"vectorAdds", "vector-adds", "bool", /*default=*/"true", "The target adds four floats to memory at once (sm_90 and up)">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect", "::mlir::memref::MemRefDialect"];
}

def ConvertKernelsToNVVM : Pass<"convert-kernels-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lower kernels of per-thread code to the nvvm and llvm dialects";
  let description = [{
    What upstream's `convert-gpu-to-nvvm` does with the operations that per-thread code is made of: all but what a block does together
    (`gpu.all_reduce`, `gpu.subgroup_reduce`).
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def PassTensorMaps : Pass<"tile-pass-tensor-maps", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Have kernels take their tensor maps by value";
  let description = [{
    The last arguments of a kernel, one for each of its `tile.tensor_maps`, become 128 bytes of constant parameters, where the copies by tensor maps read them
    (PTX ISA, "Tensor-maps").
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def ConvertTileToHost : Pass<"convert-tile-to-host", "::mlir::ModuleOp"> {
  let summary = "Lower target-free tile programs to loops over vectors";
  let description = [{
    Every tile becomes a buffer on the stack, every operation on tiles a loop over vectors of `lanes` floats. The kernel becomes a function of its arguments
    and the number of the program.
  }];
  let options = [Option<"lanes", "lanes", "int64_t", /*default=*/"16", "Floats of a vector">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::vector::VectorDialect", "::mlir::math::MathDialect"];
}

#endif
