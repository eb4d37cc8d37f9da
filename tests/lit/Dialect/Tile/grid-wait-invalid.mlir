// RUN: landmark-opt %s --split-input-file --verify-diagnostics

gpu.module @kernels {
  gpu.func @nested(%c: i1) kernel {
    scf.if %c {
      // expected-error @below {{must stand in the kernel's own block}}
      tile.grid_wait
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @twice() kernel {
    // expected-error @below {{stands once in a kernel}}
    tile.grid_wait
    tile.grid_wait
    gpu.return
  }
}
