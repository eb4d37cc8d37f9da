// RUN: landmark-opt %s --tile-assign-layouts=warps=4 -split-input-file -verify-diagnostics

gpu.module @kernels {
  gpu.func @undecided() kernel {
    // expected-error @below {{has a tile whose layout nothing decides}}
    %x = tile.iota : tensor<64xi32>
    %y = arith.addi %x, %x : tensor<64xi32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @two_layouts(%V: memref<?x?x?x64xf32>, %R: memref<?x?x?xf32>, %n: index, %x: f32) kernel {
    %zero = arith.constant 0 : index
    %s = tensor.splat %x : tensor<64xf32>
    %c = arith.negf %s : tensor<64xf32>
    // expected-error @below {{needs a tile in two layouts}}
    %m = tile.broadcast %c to [1] : tensor<64xf32> -> tensor<64x64xf32>
    tile.store %m, %V[%zero, %zero, %zero] below %n : tensor<64x64xf32>, memref<?x?x?x64xf32>
    tile.store %c, %R[%zero, %zero, %zero] below %n : tensor<64xf32>, memref<?x?x?xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @right_operand(%a: tensor<64x64xbf16>, %b: tensor<64x64xbf16>) kernel {
    %zero = arith.constant dense<0.0> : tensor<64x64xf32>
    // expected-error @below {{reads its right operand from shared memory}}
    %s = tile.dot %a, %b transpose into %zero : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @rows(%R: memref<?x?x?xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{has a tile whose rows must be a multiple of 64 up to 65536, got 32}}
    %x = arith.constant dense<1.0> : tensor<32xf32>
    tile.store %x, %R[%zero, %zero, %zero] below %n : tensor<32xf32>, memref<?x?x?xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @columns(%V: memref<?x?x?x12xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{has a tile whose columns must be a multiple of 8 up to 65536, got 12}}
    %x = arith.constant dense<1.0> : tensor<64x12xf32>
    tile.store %x, %V[%zero, %zero, %zero] below %n : tensor<64x12xf32>, memref<?x?x?x12xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @registers(%V: memref<?x?x?x8192xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{has a tile of which a thread holds 4096 elements, at most 1024 are allowed}}
    %x = arith.constant dense<1.0> : tensor<64x8192xf32>
    tile.store %x, %V[%zero, %zero, %zero] below %n : tensor<64x8192xf32>, memref<?x?x?x8192xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_splat(%R: memref<?x?x?x8xf32>, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{must be a splat}}
    %x = arith.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : tensor<8xf32>
    %m = tile.broadcast %x to [1] : tensor<8xf32> -> tensor<64x8xf32>
    tile.store %m, %R[%zero, %zero, %zero] below %n : tensor<64x8xf32>, memref<?x?x?x8xf32>
    gpu.return
  }
}

// -----

// A constant that nothing uses has no layout to take and needs none but its own.
gpu.module @kernels {
  gpu.func @unused() kernel {
    // expected-error @below {{has a tile whose layout nothing decides}}
    %x = arith.constant dense<1.0> : tensor<64x64xf32>
    gpu.return
  }
}
