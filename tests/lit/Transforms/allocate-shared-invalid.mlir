// RUN: landmark-opt %s --tile-allocate-shared -split-input-file -verify-diagnostics

gpu.module @kernels {
  // expected-error @below {{must be structured to have its shared memory placed}}
  gpu.func @branches(%c: i1) kernel {
    cf.cond_br %c, ^a, ^a
  ^a:
    gpu.return
  }
}

// -----

!p = !tile.buffer<1, [1, 8], bf16, <bits = 0, shift = 0>>
gpu.module @kernels {
  gpu.func @carried(%n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %a = tile.alloc : !p
    %b = scf.for %i = %zero to %n step %one iter_args(%c = %a) -> !p {
      // expected-error @below {{uses a ring of shared memory in another way than tile.copy, tile.slot and tile.clear}}
      scf.yield %c : !p
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_block_size(%m: tensor<8xf32, #tile.fragment<[row], 1>>, %n: index) kernel {
    // expected-error @below {{stands in a kernel of unknown block size; run tile-assign-layouts}}
    %most, %sum = tile.cluster_sum exponent %m of %m below %n : tensor<8xf32, #tile.fragment<[row], 1>>, tensor<8xf32, #tile.fragment<[row], 1>>
    gpu.return
  }
}
