// RUN: landmark-opt %s --tile-keep-leads=columns=32 -split-input-file | FileCheck %s

!q = !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!narrow = !tile.slot<!tile.buffer<1, [128, 32], bf16, <bits = 2, shift = 1, panel = 4>>>
!kv = !tile.slot<!tile.buffer<2, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>
!narrow_kv = !tile.slot<!tile.buffer<2, [2, 64, 32], bf16, <bits = 2, shift = 1, panel = 4>>>
!s = tensor<128x2x64xf32, #tile.fragment<[row, block, column], 8>>

// Read in front of the loop, for a product that is begun; what the loop brings itself, a product that it waits for at once, and an operand of no more columns are left alone.
// CHECK-LABEL: gpu.func @queries(
// CHECK-SAME: %[[Q:[^:]*]]: !tile.slot
// CHECK: %[[LEAD:.*]] = tile.read %[[Q]] : {{.*}} -> tensor<128x32xbf16, #tile.fragment<[row, column], 8>>
// CHECK-NOT: tile.read
// CHECK: scf.for
// CHECK:   tile.dot %[[Q]] lead %[[LEAD]], %{{.*}} transpose into %{{.*}} by  wgmma async
// CHECK-NOT: lead %
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @queries(%q: !q, %ring: !tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>, %narrow: !narrow, %k: !kv, %narrow_k: !narrow_kv, %s0: !s, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    scf.for %i = %zero to %n step %one {
      %a = tile.dot %q, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %x = tile.dot_wait %a pending 0 : !s
      %b = tile.dot %q, %k transpose into %s0 by wgmma : !q, !kv -> !s
      %own = tile.slot %ring[%zero] : !tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>> -> !q
      %c = tile.dot %own, %k transpose into %s0 by wgmma async : !q, !kv -> !s
      %y = tile.dot_wait %c pending 0 : !s
      %d = tile.dot %narrow, %narrow_k transpose into %s0 by wgmma async : !narrow, !narrow_kv -> !s
      %z = tile.dot_wait %d pending 0 : !s
    }
    gpu.return
  }
}
