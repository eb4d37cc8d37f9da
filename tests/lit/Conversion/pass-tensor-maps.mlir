// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(tile-pass-tensor-maps))' | FileCheck %s

// As many of the last arguments of a kernel that has tensor maps as there are maps are constant parameters, 128 bytes of which copies read; its own arguments stay as they are.
// CHECK-LABEL: llvm.func @kernel(
// CHECK-SAME: %{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: i32,
// CHECK-SAME: %{{[^:]*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant},
// CHECK-SAME: %{{[^:]*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})

// A kernel without tensor maps takes pointers to memory.
// CHECK-LABEL: llvm.func @without(
// CHECK-SAME: %{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: !llvm.ptr)
gpu.module @kernels {
  llvm.func @kernel(%view: !llvm.ptr, %n: i32, %keys: !llvm.ptr, %values: !llvm.ptr) attributes {nvvm.kernel,
      tile.tensor_maps = [#tile.tensor_map<argument = 0, rows = 64, columns = 64, swizzle_bytes = 128, every = 1>,
                          #tile.tensor_map<argument = 0, rows = 63, columns = 64, swizzle_bytes = 128, every = 1>]} {
    llvm.return
  }
  llvm.func @without(%view: !llvm.ptr, %other: !llvm.ptr) attributes {nvvm.kernel} {
    llvm.return
  }
}
