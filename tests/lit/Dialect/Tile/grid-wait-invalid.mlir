// RUN: landmark-opt %s --split-input-file --verify-diagnostics

gpu.module @kernels {
  gpu.func @nested(%a: index, %b: index) kernel {
    scf.for %i = %a to %b step %b {
      // expected-error @below {{must stand in a kernel, outside of loops}}
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
