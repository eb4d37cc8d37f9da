// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' -split-input-file -verify-diagnostics

gpu.module @kernels {
  gpu.func @no_layout() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    // expected-error @below {{has a tile without a layout; run tile-assign-layouts}}
    %x = tile.iota : tensor<64xi32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_layout_argument(%x: tensor<64xf32>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    // expected-error @below {{has a tile without a layout; run tile-assign-layouts}}
    %y = arith.negf %x : tensor<64xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_place() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    // expected-error @below {{has no place in shared memory; run tile-allocate-shared}}
    // expected-error @below {{failed to legalize operation}}
    %x = tile.alloc : !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x32xbf16, strided<[?, ?, ?, 1]>>
!ring = !tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>
gpu.module @kernels {
  gpu.func @no_block_size(%K: !view) kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !ring
    // expected-error @below {{stands in a kernel of unknown block size; run tile-assign-layouts}}
    // expected-error @below {{failed to legalize operation}}
    tile.copy %K[%zero, %zero, %zero] in [%zero, %zero) to %ring[%zero] : !view, !ring
    gpu.return
  }
}

// -----

!view = memref<?x?x?x32xbf16, strided<[?, ?, ?, 1]>>
!ring = !tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>
gpu.module @kernels {
  func.func @no_kernel(%K: !view, %ring: !ring, %zero: index) {
    // expected-error @below {{stands in a kernel of unknown block size; run tile-assign-layouts}}
    // expected-error @below {{failed to legalize operation}}
    tile.copy %K[%zero, %zero, %zero] in [%zero, %zero) to %ring[%zero] : !view, !ring
    return
  }
}

// -----

gpu.module @kernels {
  gpu.func @reduce_rows() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32x8xf32, #tile.fragment<[row, column], 2>>
    // expected-error @below {{lowers reductions of f32 and i32, along rows within one warp and along blocks within one group only}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.reduce sum %x along [0] : tensor<32x8xf32, #tile.fragment<[row, column], 2>> -> tensor<8xf32, #tile.fragment<[column], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @reduce_f16() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32x8xf16, #tile.fragment<[row, column], 2>>
    // expected-error @below {{lowers reductions of f32 and i32, along rows within one warp and along blocks within one group only}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.reduce sum %x along [1] : tensor<32x8xf16, #tile.fragment<[row, column], 2>> -> tensor<32xf16, #tile.fragment<[row], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @column_f16() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32x8xf16, #tile.fragment<[row, column], 2>>
    // expected-error @below {{lowers columns of f32 tiles}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.column %x at 1 : tensor<32x8xf16, #tile.fragment<[row, column], 2>> -> tensor<32xf16, #tile.fragment<[row], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @broadcast_f16() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32xf16, #tile.fragment<[row], 2>>
    // expected-error @below {{of 16-bit elements is not lowered}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.broadcast %x to [0] : tensor<32xf16, #tile.fragment<[row], 2>> -> tensor<32x8xf16, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @splat_f16(%c: f16) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    // expected-error @below {{of 16-bit elements is not lowered}}
    // expected-error @below {{failed to legalize operation}}
    %x = tensor.splat %c : tensor<32x8xf16, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @cast_row() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = arith.constant dense<1.0> : tensor<32xf16, #tile.fragment<[row], 2>>
    // expected-error @below {{converts f32 to 16 bits and back in tiles with columns}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.cast %x : tensor<32xf16, #tile.fragment<[row], 2>> -> tensor<32xf32, #tile.fragment<[row], 2>>
    gpu.return
  }
}

// -----

!place = !tile.buffer<1, [32, 32], f16, <bits = 2, shift = 1>>
!half = tensor<32x32xf16, #tile.fragment<[row, column], 2>>
gpu.module @kernels {
  gpu.func @mixed_widths() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !place
    %slot = tile.slot %ring[%zero] : !place -> !tile.slot<!place>
    %x = tile.read %slot : !tile.slot<!place> -> !half
    // expected-error @below {{mixes 16-bit tiles with others; cast them first}}
    // expected-error @below {{failed to legalize operation}}
    %y = arith.extf %x : !half to tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @right_operand() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : tensor<32x32xbf16, #tile.fragment<[row, column], 2>>
    %acc = arith.constant dense<0.0> : tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    // expected-error @below {{reads its right operand from shared memory}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.dot %x, %x transpose into %acc : tensor<32x32xbf16, #tile.fragment<[row, column], 2>>, tensor<32x32xbf16, #tile.fragment<[row, column], 2>> -> tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

!slot = !tile.slot<!tile.buffer<1, [32, 32], f32, <bits = 2, shift = 1>>>
gpu.module @kernels {
  gpu.func @f32_queries() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [32, 32], f32, <bits = 2, shift = 1>>
    %b = tile.slot %ring[%zero] : !tile.buffer<1, [32, 32], f32, <bits = 2, shift = 1>> -> !slot
    %x = arith.constant dense<1.0> : tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    %acc = arith.constant dense<0.0> : tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    // expected-error @below {{reads f32 queries from shared memory}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.dot %x, %b transpose into %acc : tensor<32x32xf32, #tile.fragment<[row, column], 2>>, !slot -> tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

!slot = !tile.slot<!tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>>
gpu.module @kernels {
  gpu.func @weights() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>
    %b = tile.slot %ring[%zero] : !tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>> -> !slot
    %acc = arith.constant dense<0.0> : tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    // expected-error @below {{takes weights from registers}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.dot %b, %b into %acc : !slot, !slot -> tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

!slot = !tile.slot<!tile.buffer<1, [32, 4], f32, <bits = 0, shift = 3>>>
gpu.module @kernels {
  gpu.func @f32_depth() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !tile.buffer<1, [32, 4], f32, <bits = 0, shift = 3>>
    %b = tile.slot %ring[%zero] : !tile.buffer<1, [32, 4], f32, <bits = 0, shift = 3>> -> !slot
    %acc = arith.constant dense<0.0> : tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    // expected-error @below {{multiplies f32 rows of a multiple of 8 columns}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.dot %b, %b transpose into %acc : !slot, !slot -> tensor<32x32xf32, #tile.fragment<[row, column], 2>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @mixed_layouts() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = tile.iota : tensor<32xi32, #tile.fragment<[row], 2>>
    %c = arith.constant dense<1.0> : tensor<32xf32, #tile.fragment<[column], 2>>
    // expected-error @below {{needs its tiles in one layout}}
    // expected-error @below {{failed to legalize operation}}
    %y = math.fpowi %c, %x : tensor<32xf32, #tile.fragment<[column], 2>>, tensor<32xi32, #tile.fragment<[row], 2>>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @load_blocks(%K: !view, %n: index) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error @below {{into registers reads tiles of consecutive rows, or of rows and columns}}
    // expected-error @below {{failed to legalize operation}}
    %x = tile.load %K[%n, %n, %n] stride %n in [%n, %n) : !view -> tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
    gpu.return
  }
}

// -----

!slot = !tile.slot<!tile.buffer<1, [32, 32], bf16, <bits = 2, shift = 1>>>
!acc = tensor<32x32xf32, #tile.fragment<[row, column], 2>>
gpu.module @kernels {
  gpu.func @transposed_registers(%p: tensor<32x32xbf16, #tile.fragment<[row, column], 2>>, %do: !slot, %acc: !acc) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error @below {{takes weights from registers, transposed ones from shared memory}}
    // expected-error @below {{failed to legalize operation}}
    %x = tile.dot %p transposed, %do into %acc : tensor<32x32xbf16, #tile.fragment<[row, column], 2>>, !slot -> !acc
    gpu.return
  }
}

// -----

!slot = !tile.slot<!tile.buffer<1, [24, 32], bf16, <bits = 2, shift = 1>>>
!acc = tensor<32x32xf32, #tile.fragment<[row, column], 2>>
gpu.module @kernels {
  gpu.func @transposed_depth(%p: !slot, %do: !slot, %acc: !acc) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error @below {{contracts rows in steps of 16 where its left operand is transposed}}
    // expected-error @below {{failed to legalize operation}}
    %x = tile.dot %p transposed, %do into %acc : !slot, !slot -> !acc
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @reduce_blocks() kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    %x = arith.constant dense<1.0> : tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>>
    // expected-error @below {{lowers reductions of f32 and i32, along rows within one warp and along blocks within one group only}}
    // expected-error @below {{failed to legalize operation}}
    %y = tile.reduce sum %x along [1] : tensor<64x2xf32, #tile.fragment<[row, block], 8, split = 2>> -> tensor<64xf32, #tile.fragment<[row], 8, split = 2>>
    gpu.return
  }
}

// -----

!weights = !tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0, panel = 8>>
gpu.module @kernels {
  gpu.func @write_half_panels() kernel {
    %zero = arith.constant 0 : index
    %ring = tile.alloc {offset = 0 : i64} : !weights
    %slot = tile.slot %ring[%zero] : !weights -> !tile.slot<!weights>
    %x = arith.constant dense<1.0> : tensor<64x2x32xbf16, #tile.fragment<[row, block, column], 8, split = 2>>
    // expected-error @below {{lets groups write whole panels of 8 chunks, not 4 chunks each}}
    // expected-error @below {{failed to legalize operation}}
    tile.write %x to %slot : tensor<64x2x32xbf16, #tile.fragment<[row, block, column], 8, split = 2>>, !tile.slot<!weights>
    gpu.return
  }
}
