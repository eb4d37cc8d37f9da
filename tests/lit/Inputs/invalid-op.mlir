gpu.module @kernels {
  gpu.func @landmark_forward(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %zero = arith.constant 0 : index
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %zero) : !view -> !kv_tile
    gpu.return
  }
}
