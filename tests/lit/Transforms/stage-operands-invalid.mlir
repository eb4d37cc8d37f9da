// RUN: landmark-opt %s --tile-stage-operands --split-input-file --verify-diagnostics

!p = tensor<16x4xbf16>
!slot = !tile.slot<!tile.buffer<1, [16, 8], bf16, <bits = 0, shift = 0>>>
gpu.module @kernels {
  gpu.func @narrow(%p: !p, %do: !slot) kernel {
    %acc = arith.constant dense<0.0> : tensor<4x8xf32>
    // expected-error @below {{cannot have its left operand in shared memory: a buffer's row must be a multiple of 16 bytes}}
    %x = tile.dot %p transposed, %do into %acc : !p, !slot -> tensor<4x8xf32>
    gpu.return
  }
}
