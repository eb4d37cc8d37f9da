// RUN: landmark-opt %s --tile-alternate-groups -verify-diagnostics

// Without a producer there is no branch of consumers: a first turn elsewhere would be given by warps that take none, and all would wait.
!k = !tile.slot<!tile.buffer<2, [1, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!s = tensor<128x1x64xf32, #tile.fragment<[row, block, column], 8>>
gpu.module @kernels {
  gpu.func @kernel(%q: !q, %k: !k, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : !s
    // expected-error @below {{is not in the consumers' branch of the kernel; run tile-specialize-warps}}
    scf.for %i = %zero to %n step %one {
      %a = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !k -> !s
      %b = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !k -> !s
      %c = tile.dot_wait %a pending 1 : !s
      %d = tile.dot_wait %b pending 0 : !s
    }
    gpu.return
  }
}
