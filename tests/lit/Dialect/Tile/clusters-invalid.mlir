// RUN: landmark-opt %s --split-input-file --verify-diagnostics

func.func @nothing() {
  // expected-error @below {{takes one tile at least}}
  "tile.cluster_reduce"() {kind = #tile<reduction max>} : () -> ()
  return
}

// -----

func.func @integers(%m: tensor<8xi32>) {
  // expected-error @below {{combines tiles of f32, of rows at least}}
  %most = tile.cluster_reduce max %m : tensor<8xi32>
  return
}

// -----

func.func @other_results(%m: tensor<8xf32>) {
  // expected-error @below {{results have the types of the sources}}
  %most = "tile.cluster_reduce"(%m) {kind = #tile<reduction max>} : (tensor<8xf32>) -> tensor<16xf32>
  return
}

// -----

func.func @columns_alone(%m: tensor<8xf32, #tile.fragment<[column], 1>>) {
  // expected-error @below {{needs tiles whose first dimension are rows, which no groups of warps share}}
  %most = tile.cluster_reduce max %m : tensor<8xf32, #tile.fragment<[column], 1>>
  return
}

// -----

func.func @shared_by_groups(%m: tensor<64xf32, #tile.fragment<[row], 8, split = 2>>) {
  // expected-error @below {{needs tiles whose first dimension are rows, which no groups of warps share}}
  %most = tile.cluster_reduce max %m : tensor<64xf32, #tile.fragment<[row], 8, split = 2>>
  return
}

// -----

func.func @in_a_loop(%m: tensor<8xf32>, %n: index) {
  scf.for %i = %n to %n step %n {
    // expected-error @below {{must not stand in a loop}}
    %most = tile.cluster_reduce max %m : tensor<8xf32>
  }
  return
}
