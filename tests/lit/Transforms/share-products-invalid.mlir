// RUN: landmark-opt %s --tile-share-products --verify-diagnostics

gpu.module @kernels {
  gpu.func @columns(%q: !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>, %k: !tile.slot<!tile.buffer<1, [7, 128], bf16, <bits = 3, shift = 0>>>) kernel {
    %s0 = arith.constant dense<0.0> : tensor<8x7xf32>
    // expected-error @below {{cannot have its result in shared memory: a buffer's row must be a multiple of 16 bytes, got 7 x 'f32'}}
    %s = tile.dot %q, %k transpose into %s0 : !tile.slot<!tile.buffer<1, [8, 128], bf16, <bits = 3, shift = 0>>>, !tile.slot<!tile.buffer<1, [7, 128], bf16, <bits = 3, shift = 0>>> -> tensor<8x7xf32>
    gpu.return
  }
}
