// RUN: landmark-opt %s --tile-specialize-warps -split-input-file -verify-diagnostics
// RUN: not landmark-opt %s --tile-specialize-warps=stages=0 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// RUN: not landmark-opt %s --tile-specialize-warps=stages=9 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// RUN: not landmark-opt %s --tile-specialize-warps=consumers=0 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// RUN: not landmark-opt %s --tile-specialize-warps=consumers=6 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// RUN: not landmark-opt %s --tile-specialize-warps=consumers=20 -split-input-file 2>&1 | FileCheck %s --check-prefix=OPTIONS
// OPTIONS: tile-specialize-warps takes 1 to 8 stages and 4, 8, 12 or 16 consumers

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @many_rows(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{cannot be fetched in boxes of at most 256 rows known at compile time}}
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<512x64xbf16>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @unknown_stride(%K: !view, %n: index, %L: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{cannot be fetched in boxes of at most 256 rows known at compile time}}
    %k = tile.load %K[%zero, %zero, %zero] stride %L in [%zero, %n) : !view -> tensor<64x64xbf16>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @unknown_count(%K: !view, %n: index, %tokens: index) kernel {
    %zero = arith.constant 0 : index
    %L = arith.constant 64 : index
    // expected-error @below {{cannot be fetched in boxes of at most 256 rows known at compile time}}
    %k = tile.load %K[%zero, %zero, %zero] stride %L count %tokens in [%zero, %n) : !view -> tensor<1x64x64xbf16>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @no_stride(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{cannot be fetched in boxes of at most 256 rows known at compile time}}
    %k = tile.load %K[%zero, %zero, %zero] stride %zero in [%zero, %n) : !view -> tensor<64x64xbf16>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @no_tokens(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    %L = arith.constant 64 : index
    // expected-error @below {{cannot be fetched in boxes of at most 256 rows known at compile time}}
    %k = tile.load %K[%zero, %zero, %zero] stride %L count %zero in [%zero, %n) : !view -> tensor<1x64x64xbf16>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @other_view(%K: !view, %L: !view, %which: i1, %n: index) kernel {
    %zero = arith.constant 0 : index
    %view = arith.select %which, %K, %L : !view
    // expected-error @below {{can be fetched from the kernel's arguments only}}
    %k = tile.load %view[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xf32, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @wide_elements(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{can be fetched if its rows are of 16-bit elements, a multiple of 16 of them}}
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xf32>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x72xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @odd_rows(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{can be fetched if its rows are of 16-bit elements, a multiple of 16 of them}}
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x72xbf16>
    gpu.return
  }
}

// -----

// The producer follows loops, not branches.
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @branch(%K: !view, %n: index, %is: i1) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{holds a load that no loop of the producer can follow}}
    scf.if %is {
      %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

// What comes from memory that the kernel writes is not known to the producer.
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @bound(%K: !view, %numbers: memref<?xindex>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %end = memref.load %numbers[%zero] : memref<?xindex>
    // expected-error @below {{loads a number of tiles that the producer cannot compute}}
    scf.for %b = %zero to %end step %one {
      %k = tile.load %K[%zero, %zero, %b] in [%zero, %n) : !view -> tensor<64x64xbf16>
    }
    memref.store %n, %numbers[%zero] : memref<?xindex>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @carried(%K: !view, %numbers: memref<?xindex>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    // expected-error @below {{carries a number that the producer cannot compute}}
    %last = scf.for %b = %zero to %n step %one iter_args(%row = %zero) -> index {
      %k = tile.load %K[%zero, %zero, %row] in [%zero, %n) : !view -> tensor<64x64xbf16>
      %next = memref.load %numbers[%b] : memref<?xindex>
      scf.yield %next : index
    }
    memref.store %n, %numbers[%zero] : memref<?xindex>
    gpu.return
  }
}

// -----

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @address(%K: !view, %numbers: memref<?xindex>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    scf.for %b = %zero to %n step %one {
      %row = memref.load %numbers[%b] : memref<?xindex>
      // expected-error @below {{has an address that the producer cannot compute}}
      %k = tile.load %K[%zero, %zero, %row] in [%zero, %n) : !view -> tensor<64x64xbf16>
    }
    memref.store %n, %numbers[%zero] : memref<?xindex>
    gpu.return
  }
}

// -----

// Boxes start on multiples of 8 rows, where the order of chunks begins anew.
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @few_rows(%K: !view, %n: index) kernel {
    %zero = arith.constant 0 : index
    // expected-error @below {{cannot be fetched in boxes of at most 256 rows known at compile time}}
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<4x64xbf16>
    gpu.return
  }
}
