gpu.module @kernels {
  gpu.func @one() kernel {
    gpu.return
  }
  gpu.func @two() kernel {
    gpu.return
  }
}
