// RUN: landmark-opt %s -split-input-file -verify-diagnostics

gpu.module @kernels {
  gpu.func @dot(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{reads its right operand from panels}}
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{reads queries, transposed weights and those of groups that share the columns, or of one alone, from panels in shared memory, others from registers}}
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{reads queries, transposed weights and those of groups that share the columns, or of one alone, from panels in shared memory, others from registers}}
    %s = tile.dot %a, %b transpose into %acc by wgmma : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: !tile.slot<!tile.buffer<1, [64, 16], bf16, <bits = 1, shift = 2, panel = 2>>>, %b: !tile.slot<!tile.buffer<1, [16, 16], bf16, <bits = 1, shift = 2, panel = 2>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{reads queries, transposed weights and those of groups that share the columns, or of one alone, from panels in shared memory, others from registers}}
    %s = tile.dot %a, %b  into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 16], bf16, <bits = 1, shift = 2, panel = 2>>>, !tile.slot<!tile.buffer<1, [16, 16], bf16, <bits = 1, shift = 2, panel = 2>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: !tile.slot<!tile.buffer<1, [64, 64], f32, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], f32, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{multiplies 16-bit elements, got}}
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], f32, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], f32, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: tensor<64x8xbf16, #tile.fragment<[row, column], 4>>, %b: !tile.slot<!tile.buffer<1, [8, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{a depth in steps of 16, got 64 and 8}}
    %s = tile.dot %a, %b  into %acc by wgmma : tensor<64x8xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [8, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x64xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<128x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{takes 16 rows a warp}}
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [128, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<128x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dot(%a: !tile.slot<!tile.buffer<1, [32, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<32x16xf32, #tile.fragment<[row, column], 2>>) kernel {
    // expected-error@+1 {{warps in groups of four}}
    %s = tile.dot %a, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [32, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<32x16xf32, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

// expected-error@+2 {{a panel takes 2^bits chunks}}
// expected-error@+1 {{failed to parse Tile_BufferType parameter 'swizzle'}}
func.func private @panel(!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 4>>)

// -----

// expected-error@+2 {{a panel takes 2^bits chunks}}
// expected-error@+1 {{failed to parse Tile_BufferType parameter 'swizzle'}}
func.func private @panel(!tile.buffer<1, [16, 64], bf16, <bits = 2, shift = 0, panel = 4>>)

// -----

// 48 columns of rows in panels of 32 end within one.
gpu.module @kernels {
  gpu.func @share(%a: !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [2, 64, 96], bf16, <bits = 2, shift = 1, panel = 4>>>, %acc: tensor<64x96xf32, #tile.fragment<[row, slice], 8, split = 2>>) kernel {
    // expected-error@+1 {{by wgmma shares out columns in whole panels of 32, or in equal parts of one, got 48}}
    %s = tile.dot %a, %b into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [2, 64, 96], bf16, <bits = 2, shift = 1, panel = 4>>> -> tensor<64x96xf32, #tile.fragment<[row, slice], 8, split = 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @alone(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{is joined with the next product if it is asynchronous, like that}}
    %s = tile.dot %a, %b transpose into %acc by wgmma joined : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @anew(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{by wgmma is that of four warps, where a product computed anew is each warp's own}}
    %s = tile.dot %a, %b transpose into %acc by wgmma anew : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

!weights = !tile.buffer<2, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!first = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
gpu.module @kernels {
  gpu.func @other_group(%ds: !tile.slot<!weights>, %k: !tile.slot<!keys>, %acc: !first) kernel {
    // expected-error@+1 {{of group 2 leaves its result to that group's four warps, got}}
    %dq = tile.dot %ds, %k into %acc by wgmma in group 2 : !tile.slot<!weights>, !tile.slot<!keys> -> !first
    gpu.return
  }
}

// -----

!weights = !tile.buffer<2, [64, 128], bf16, <bits = 3, shift = 0, panel = 8>>
!keys = !tile.buffer<1, [2, 64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!other = tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
gpu.module @kernels {
  gpu.func @no_group(%ds: !tile.slot<!weights>, %k: !tile.slot<!keys>, %acc: !other) kernel {
    // expected-error@+1 {{of group 0 leaves its result to that group's four warps, got}}
    %dq = tile.dot %ds, %k into %acc by wgmma : !tile.slot<!weights>, !tile.slot<!keys> -> !other
    gpu.return
  }
}

// -----

!queries = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
!other = tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>
gpu.module @kernels {
  gpu.func @keys_of_a_group(%q: !tile.slot<!queries>, %k: !tile.slot<!queries>, %acc: !other) kernel {
    // expected-error@+1 {{of a group alone has neither operand transposed, and is not computed anew}}
    %s = tile.dot %q, %k transpose into %acc by wgmma in group 2 : !tile.slot<!queries>, !tile.slot<!queries> -> !other
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x32xf16, #tile.fragment<[row, column], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{leads with the first columns of its left operand, a multiple of 16}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x32xf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x24xbf16, #tile.fragment<[row, column], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{leads with the first columns of its left operand, a multiple of 16}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x24xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x80xbf16, #tile.fragment<[row, column], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{leads with the first columns of its left operand, a multiple of 16}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x80xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<128x32xbf16, #tile.fragment<[row, column], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{leads with the first columns of its left operand, a multiple of 16}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<128x32xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x32xbf16, #tile.fragment<[row, column], 2>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{needs its lead over the warps that its rows are spread over}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x32xbf16, #tile.fragment<[row, column], 2>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x32xbf16>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{needs its lead over the warps that its rows are spread over}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x32xbf16>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x32xbf16, #tile.fragment<[row, block], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{needs rows, blocks and columns in this order}}
    %s = tile.dot %a lead %lead, %b transpose into %acc by wgmma : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x32xbf16, #tile.fragment<[row, block], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x32xbf16, #tile.fragment<[row, column], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>) kernel {
    // expected-error@+1 {{has a lead by wgmma, of a left operand in shared memory and beside a right one that is transposed}}
    %s = tile.dot %a lead %lead, %b transpose into %acc : !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>> lead tensor<64x32xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @lead(%a: !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %b: !tile.slot<!tile.buffer<1, [16, 64], bf16, <bits = 3, shift = 0, panel = 8>>>, %lead: tensor<64x32xbf16, #tile.fragment<[row, column], 4>>, %acc: tensor<64x16xf32, #tile.fragment<[row, column], 4>>, %p: tensor<64x32xbf16, #tile.fragment<[row, column], 4>>, %v: !tile.slot<!tile.buffer<1, [32, 16], bf16, <bits = 1, shift = 2, panel = 2>>>) kernel {
    // expected-error@+1 {{has a lead by wgmma, of a left operand in shared memory and beside a right one that is transposed}}
    %s = tile.dot %p lead %lead, %v into %acc by wgmma : tensor<64x32xbf16, #tile.fragment<[row, column], 4>> lead tensor<64x32xbf16, #tile.fragment<[row, column], 4>>, !tile.slot<!tile.buffer<1, [32, 16], bf16, <bits = 1, shift = 2, panel = 2>>> -> tensor<64x16xf32, #tile.fragment<[row, column], 4>>
    gpu.return
  }
}
