// RUN: landmark-opt %s --landmark-expand-ops -split-input-file -verify-diagnostics

func.func @variable_block_size(%s: tensor<64x1x8xf32>, %seen: tensor<64x1x8xi1>, %own: tensor<64x1xi1>, %lse: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{needs a constant block size of 1 to 8}}
  %w, %f = landmark.weights %s seen %seen own %own lse %lse factor %c block(%L) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @block_beyond_tile(%s: tensor<64x1x8xf32>, %seen: tensor<64x1x8xi1>, %own: tensor<64x1xi1>, %lse: tensor<64xf32>, %c: f32) {
  %L = arith.constant 9 : index
  // expected-error @below {{needs a constant block size of 1 to 8}}
  %w, %f = landmark.weights %s seen %seen own %own lse %lse factor %c block(%L) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @negative_block_size(%s: tensor<64x1x8xf32>, %seen: tensor<64x1x8xi1>, %own: tensor<64x1xi1>, %lse: tensor<64xf32>, %c: f32) {
  %L = arith.constant -1 : index
  // expected-error @below {{needs a constant block size of 1 to 8}}
  %w, %f = landmark.weights %s seen %seen own %own lse %lse factor %c block(%L) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @past_block_beyond_tile(%s: tensor<64x1x8xf32>, %lse: tensor<64xf32>, %c: f32) {
  %L = arith.constant 9 : index
  // expected-error @below {{needs a constant block size of 1 to 8}}
  %w, %f, %fits, %holds = landmark.past_weights %s lse %lse factor %c block(%L) keys(%L) : tensor<64x1x8xf32>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @variable_gate(%s: tensor<64x1x8xf32>, %L: index) {
  // expected-error @below {{needs a constant block size of 1 to 1048576}}
  %g = landmark.gate_logit %s block(%L) : tensor<64x1x8xf32> -> tensor<64xf32>
  return
}
