// RUN: landmark-opt %s --split-input-file --verify-diagnostics

func.func @integer_exponents(%m: tensor<8xi32>, %l: tensor<8xf32>, %rows: index) {
  // expected-error @below {{takes an f32 exponent for every row}}
  %most, %sum = tile.cluster_sum exponent %m of %l below %rows : tensor<8xi32>, tensor<8xf32>
  return
}

// -----

func.func @other_rows(%m: tensor<8xf32>, %l: tensor<16xf32>, %rows: index) {
  // expected-error @below {{adds tiles of f32, with the rows that have exponents}}
  %most, %sum = tile.cluster_sum exponent %m of %l below %rows : tensor<8xf32>, tensor<16xf32>
  return
}

// -----

func.func @other_results(%m: tensor<8xf32>, %l: tensor<8xf32>, %rows: index) {
  // expected-error @below {{sums have the types of the sources}}
  %most, %sum = "tile.cluster_sum"(%m, %l, %rows) : (tensor<8xf32>, tensor<8xf32>, index) -> (tensor<8xf32>, tensor<16xf32>)
  return
}

// -----

#one = #tile.fragment<[row], 1>
#four = #tile.fragment<[row], 4>
func.func @rows_apart(%m: tensor<64xf32, #one>, %l: tensor<64xf32, #four>, %rows: index) {
  // expected-error @below {{needs tiles whose rows lie as their exponents do, and which no groups of warps share}}
  %most, %sum = tile.cluster_sum exponent %m of %l below %rows : tensor<64xf32, #one>, tensor<64xf32, #four>
  return
}

// -----

func.func @in_a_loop(%m: tensor<8xf32>, %n: index) {
  scf.for %i = %n to %n step %n {
    // expected-error @below {{must not stand in a loop}}
    %most, %sum = tile.cluster_sum exponent %m of %m below %n : tensor<8xf32>, tensor<8xf32>
  }
  return
}

// -----

gpu.module @kernels {
  gpu.func @twice(%m: tensor<8xf32>, %n: index) kernel {
    // expected-error @below {{stands once in a kernel}}
    %a, %b = tile.cluster_sum exponent %m of %m below %n : tensor<8xf32>, tensor<8xf32>
    %c, %d = tile.cluster_sum exponent %a of %b below %n : tensor<8xf32>, tensor<8xf32>
    gpu.return
  }
}
