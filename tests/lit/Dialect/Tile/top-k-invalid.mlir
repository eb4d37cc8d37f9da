// RUN: landmark-opt %s --split-input-file --verify-diagnostics

func.func @ids_of_another_shape(%v: tensor<8x8xf32>, %i: tensor<8x16xi32>, %s: tensor<8x64xf32>, %n: tensor<8x64xi32>) {
  // expected-error @below {{takes an f32 and an i32 for every row and place, and for every row and candidate}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 4 : tensor<8x8xf32>, tensor<8x16xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return
}

// -----

func.func @integers(%v: tensor<8x8xi32>, %i: tensor<8x8xi32>, %s: tensor<8x64xf32>, %n: tensor<8x64xi32>) {
  // expected-error @below {{takes an f32 and an i32 for every row and place, and for every row and candidate}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 4 : tensor<8x8xi32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return
}

// -----

func.func @other_rows(%v: tensor<8x8xf32>, %i: tensor<8x8xi32>, %s: tensor<16x64xf32>, %n: tensor<16x64xi32>) {
  // expected-error @below {{takes an f32 and an i32 for every row and place, and for every row and candidate}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 4 : tensor<8x8xf32>, tensor<8x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  return
}

// -----

#slices = #tile.fragment<[row, slice], 4>
func.func @slices(%v: tensor<8x32xf32, #slices>, %i: tensor<8x32xi32, #slices>, %s: tensor<8x64xf32, #slices>, %n: tensor<8x64xi32, #slices>) {
  // expected-error @below {{needs list and candidates by rows and columns, in one layout of whole rows}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 4 : tensor<8x32xf32, #slices>, tensor<8x32xi32, #slices>, tensor<8x64xf32, #slices>, tensor<8x64xi32, #slices>
  return
}

// -----

func.func @more_than_the_list_holds(%v: tensor<8x4xf32>, %i: tensor<8x4xi32>, %s: tensor<8x64xf32>, %n: tensor<8x64xi32>) {
  // expected-error @below {{keeps 1 to 8, no more than the list has places, got 5}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 5 : tensor<8x4xf32>, tensor<8x4xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return
}

// -----

func.func @too_many(%v: tensor<8x16xf32>, %i: tensor<8x16xi32>, %s: tensor<8x64xf32>, %n: tensor<8x64xi32>) {
  // expected-error @below {{keeps 1 to 8, no more than the list has places, got 9}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 9 : tensor<8x16xf32>, tensor<8x16xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return
}

// -----

func.func @order_of_rows(%v: tensor<8x8xf32>, %i: tensor<8x8xi32>, %s: tensor<8x64xf32>, %n: tensor<8x64xi32>) {
  // expected-error @below {{puts ids in order where all rows are one}}
  %a, %b = tile.top_k %v, %i add %s, %n keep 4 by_id : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return
}
