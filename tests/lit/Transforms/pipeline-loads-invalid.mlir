// RUN: landmark-opt %s --tile-pipeline-loads -split-input-file -verify-diagnostics

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @address_of_an_iteration(%Q: !view, %K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    %last = scf.for %b = %zero to %n step %one iter_args(%row = %zero) -> index {
      // expected-error @below {{computes the address of a load from what only its iteration knows}}
      %next = arith.addi %row, %b : index
      %k = tile.load %K[%zero, %zero, %next] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      scf.yield %next : index
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @address_from_memory(%Q: !view, %K: !view, %rows: memref<?xindex>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    %q = tile.load %Q[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    scf.for %b = %zero to %n step %one {
      // expected-error @below {{computes the address of a load from what only its iteration knows}}
      %row = memref.load %rows[%b] : memref<?xindex>
      memref.store %b, %rows[%zero] : memref<?xindex>
      %k = tile.load %K[%zero, %zero, %row] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @in_a_branch(%K: !view, %n: index, %c: i1) kernel {
    %zero = arith.constant 0 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    scf.if %c {
      // expected-error @below {{must stand directly in a loop or in the kernel}}
      %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %s = tile.dot %k, %k transpose into %s0 : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    }
    gpu.return
  }
}

// -----

!view = memref<?x?x?x4xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @short_rows(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    %s0 = arith.constant dense<0.0> : tensor<64x64xf32>
    // expected-error @below {{cannot stand in shared memory: a buffer's row must be a multiple of 16 bytes}}
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x4xbf16>
    %s = tile.dot %k, %k transpose into %s0 : tensor<64x4xbf16>, tensor<64x4xbf16> -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @huge_ring(%K: !view, %q: tensor<64x64xbf16>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %s0 = arith.constant dense<0.0> : tensor<64x65536xf32>
    scf.for %b = %zero to %n step %one {
      // expected-error @below {{cannot stand in shared memory: a buffer takes at most 1048576 bytes}}
      %k = tile.load %K[%zero, %zero, %b] in [%zero, %n) : !view -> tensor<65536x64xbf16>
      %s = tile.dot %q, %k transpose into %s0 : tensor<64x64xbf16>, tensor<65536x64xbf16> -> tensor<64x65536xf32>
    }
    gpu.return
  }
}
