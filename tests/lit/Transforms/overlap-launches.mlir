// RUN: landmark-opt %s --tile-overlap-launches | FileCheck %s --implicit-check-not=tile.grid_wait
// RUN: landmark-opt %s --tile-overlap-launches=available | FileCheck %s --check-prefix=AHEAD

// CHECK-LABEL: @kernel
// AHEAD-LABEL: @kernel
// AHEAD: tile.grid_wait
gpu.module @kernels {
  gpu.func @kernel() kernel {
    tile.grid_wait
    gpu.return
  }
}
