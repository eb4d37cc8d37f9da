// The third line does not parse.
gpu.module @kernels {
  gpu.func @landmark_forward(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %phase: index, %q_offset: index, %scale: f32, %section: index) kernel oops {
    gpu.return
  }
}
