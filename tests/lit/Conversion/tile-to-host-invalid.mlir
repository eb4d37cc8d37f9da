// RUN: landmark-opt %s --convert-tile-to-host --split-input-file --verify-diagnostics

gpu.module @kernels {
  gpu.func @narrow(%V: memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %x = tile.load %V[%zero, %zero, %zero] in [%zero, %n) : memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>> -> tensor<8x4xf32>
    %acc = arith.constant dense<0.0> : tensor<8x8xf32>
    %y = tile.load %V[%zero, %zero, %zero] in [%zero, %n) : memref<?x?x?x4xf32, strided<[?, ?, ?, 1]>> -> tensor<8x4xf32>
    // expected-error @below {{needs rows of at least 8 columns to be lowered for the host}}
    %s = tile.dot %x, %y transpose into %acc : tensor<8x4xf32>, tensor<8x4xf32> -> tensor<8x8xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @dimension() kernel {
    // expected-error @below {{numbers programs in dimension x only}}
    %y = gpu.block_id y
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @unknown(%x: f32) kernel {
    // expected-error @below {{cannot be lowered for the host}}
    %t = tensor.from_elements %x : tensor<1xf32>
    gpu.return
  }
}
