// RUN: landmark-opt %s --landmark-expand-ops --split-input-file --verify-diagnostics

func.func @block_size(%s: tensor<16x1x8xf32>, %seen: tensor<16x1x8xi1>, %own: tensor<16x1xi1>, %r: tensor<16xf32>, %c: f32, %L: index) {
  // expected-error @below {{needs a constant block size of 1 to 8}}
  %p, %ds = landmark.gradients %s, %s seen %seen own %own lse %r delta %r factor %c block(%L) : tensor<16x1x8xf32>, tensor<16x1x8xi1>, tensor<16x1xi1>, tensor<16xf32>
  return
}

// -----

func.func @past_block_size(%s: tensor<16x1x8xf32>, %r: tensor<16xf32>, %c: f32) {
  %L = arith.constant 9 : index
  // expected-error @below {{needs a constant block size of 1 to 8}}
  %p, %ds, %fits = landmark.past_gradients %s, %s lse %r delta %r factor %c block(%L) : tensor<16x1x8xf32>, tensor<16xf32>
  return
}
