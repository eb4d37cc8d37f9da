// RUN: landmark-opt %s -split-input-file -verify-diagnostics

func.func @param_type() {
  // expected-error @below {{result #0 must be index or 32-bit signless integer or 32-bit float}}
  %x = tile.param "block_size" : i64
  return
}

// -----

func.func @edge_of_no_loop(%begin: index, %end: index) {
  %iv = arith.constant 0 : index
  // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
  %edge = tile.edge %iv interior(%begin, %end)
  return
}

// -----

func.func @edge_in_a_branch(%begin: index, %end: index, %step: index, %c: i1) {
  scf.for %iv = %begin to %end step %step {
    scf.if %c {
      // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
      %edge = tile.edge %iv interior(%begin, %end)
    }
  }
  return
}

// -----

func.func @edge_of_the_function(%iv: index) {
  // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
  %edge = tile.edge %iv interior(%iv, %iv)
  return
}

// -----

func.func @edge_of_a_carried_value(%begin: index, %end: index, %step: index) -> index {
  %sum = scf.for %iv = %begin to %end step %step iter_args(%carried = %begin) -> index {
    // expected-error @below {{must stand directly in the loop whose induction variable it asks about}}
    %edge = tile.edge %carried interior(%begin, %end)
    scf.yield %carried : index
  }
  return %sum : index
}

// -----

func.func @dot_elements(%a: tensor<64x32xbf16>, %b: tensor<64x32xf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{multiplies operands of one element type, got 'bf16' and 'f16'}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xbf16>, tensor<64x32xf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_operand_type(%a: tensor<64x32xi32>, %b: tensor<64x32xi32>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{multiplies bf16, f16 or f32, got 'i32'}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xi32>, tensor<64x32xi32> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_accumulator(%a: tensor<64x32xbf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xbf16>) {
  // expected-error @below {{accumulates in f32, got 'bf16'}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xbf16>, tensor<64x32xbf16> -> tensor<64x64xbf16>
  return
}

// -----

func.func @dot_scalar(%a: tensor<bf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{multiplies tiles of rank 2 or 3, got ranks 0 and 2}}
  %s = tile.dot %a, %b transpose into %acc : tensor<bf16>, tensor<64x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_right_rank(%a: tensor<64xbf16>, %b: tensor<32xbf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{multiplies tiles of rank 2 or 3, got ranks 1 and 1}}
  %s = tile.dot %a, %b into %acc : tensor<64xbf16>, tensor<32xbf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @dot_depth(%a: tensor<64x16xbf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{contracts the last dimensions, got sizes 16 and 32}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x16xbf16>, tensor<64x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_transposed_left(%a: tensor<64x1x32xbf16>, %b: tensor<64x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{takes a left operand of rank 2 where it is transposed, got rank 3}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x1x32xbf16>, tensor<64x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_plain_depth(%a: tensor<64x1x32xbf16>, %b: tensor<1x64x32xbf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{contracts all but the first dimension of the left operand with all but the last of the right one; they differ}}
  %s = tile.dot %a, %b into %acc : tensor<64x1x32xbf16>, tensor<1x64x32xbf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @dot_result(%a: tensor<64x32xbf16>, %b: tensor<48x32xbf16>, %acc: tensor<64x64xf32>) {
  // expected-error @below {{result has the wrong shape}}
  %s = tile.dot %a, %b transpose into %acc : tensor<64x32xbf16>, tensor<48x32xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_plain_result(%a: tensor<64x32xbf16>, %b: tensor<32x64xbf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{result has the wrong shape}}
  %s = tile.dot %a, %b into %acc : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @reduce_unknown(%x: tensor<64x32xf32>) {
  // expected-error @below {{reduces distinct dimensions of a tile of rank 2, got 2}}
  %y = tile.reduce max %x along [2] : tensor<64x32xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @reduce_negative(%x: tensor<64x32xf32>) {
  // expected-error @below {{reduces distinct dimensions of a tile of rank 2, got -1}}
  %y = tile.reduce max %x along [-1] : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @reduce_twice(%x: tensor<64x32xf32>) {
  // expected-error @below {{reduces distinct dimensions of a tile of rank 2, got 1}}
  %y = tile.reduce max %x along [1, 1] : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @reduce_shape(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without the reduced dimensions}}
  %y = tile.reduce max %x along [1] : tensor<64x32xf32> -> tensor<32xf32>
  return
}

// -----

func.func @reduce_element(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without the reduced dimensions}}
  %y = tile.reduce sum %x along [1] : tensor<64x32xf32> -> tensor<64xf16>
  return
}

// -----

func.func @reduce_integers(%x: tensor<64x32xi64>) {
  // expected-error @below {{combines floats or i32, got 'i64'}}
  %y = tile.reduce sum %x along [1] : tensor<64x32xi64> -> tensor<64xi64>
  return
}

// -----

func.func @broadcast_count(%x: tensor<64xf32>) {
  // expected-error @below {{names one dimension of the result for each of the source, in ascending order}}
  %y = tile.broadcast %x to [0, 1] : tensor<64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_order(%x: tensor<32x64xf32>) {
  // expected-error @below {{names one dimension of the result for each of the source, in ascending order}}
  %y = tile.broadcast %x to [1, 0] : tensor<32x64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_twice(%x: tensor<64x64xf32>) {
  // expected-error @below {{names one dimension of the result for each of the source, in ascending order}}
  %y = tile.broadcast %x to [0, 0] : tensor<64x64xf32> -> tensor<64x64xf32>
  return
}

// -----

func.func @broadcast_size(%x: tensor<64xf32>) {
  // expected-error @below {{dimension 0 of the source does not fit dimension 1 of the result}}
  %y = tile.broadcast %x to [1] : tensor<64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_range(%x: tensor<64xf32>) {
  // expected-error @below {{dimension 0 of the source does not fit dimension 2 of the result}}
  %y = tile.broadcast %x to [2] : tensor<64xf32> -> tensor<64x32xf32>
  return
}

// -----

func.func @broadcast_element(%x: tensor<64xf32>) {
  // expected-error @below {{keeps the element type}}
  %y = tile.broadcast %x to [0] : tensor<64xf32> -> tensor<64x32xf16>
  return
}

// -----

func.func @cast_shape(%x: tensor<64x32xf32>) {
  // expected-error @below {{keeps shape and layout}}
  %y = tile.cast %x : tensor<64x32xf32> -> tensor<32x64xbf16>
  return
}

// -----

func.func @cast_layout(%x: tensor<64x32xf32>) {
  // expected-error @below {{keeps shape and layout}}
  %y = tile.cast %x : tensor<64x32xf32> -> tensor<64x32xbf16, #tile.fragment<[row, column], 4>>
  return
}

// -----

func.func @cast_element(%x: tensor<64x32xi32>) {
  // expected-error @below {{converts between float types}}
  %y = tile.cast %x : tensor<64x32xi32> -> tensor<64x32xf32>
  return
}

// -----

func.func @iota_rank() {
  // expected-error @below {{yields a tile of rank 1 of i32}}
  %y = tile.iota : tensor<64x32xi32>
  return
}

// -----

func.func @iota_element() {
  // expected-error @below {{yields a tile of rank 1 of i32}}
  %y = tile.iota : tensor<64xindex>
  return
}

// -----

func.func @column_rank(%x: tensor<64xf32>) {
  // expected-error @below {{result must be the source without its last dimension}}
  %y = tile.column %x at 3 : tensor<64xf32> -> tensor<64xf32>
  return
}

// -----

func.func @column_shape(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without its last dimension}}
  %y = tile.column %x at 3 : tensor<64x32xf32> -> tensor<32xf32>
  return
}

// -----

func.func @column_element(%x: tensor<64x32xf32>) {
  // expected-error @below {{result must be the source without its last dimension}}
  %y = tile.column %x at 3 : tensor<64x32xf32> -> tensor<64xf16>
  return
}

// -----

func.func @column_range(%x: tensor<64x32xf32>) {
  // expected-error @below {{column must be in [0, 32), got 32}}
  %y = tile.column %x at 32 : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

func.func @column_negative(%x: tensor<64x32xf32>) {
  // expected-error @below {{column must be in [0, 32), got -1}}
  %y = tile.column %x at -1 : tensor<64x32xf32> -> tensor<64xf32>
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!acc = tensor<64x64xf32, #tile.fragment<[block, column], 4>>
func.func @dot_layout(%a: !slot, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  %x = tile.dot %a, %b transpose into %acc : !slot, !slot -> !acc
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!left = tensor<64x64xbf16, #tile.fragment<[block, column], 4>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @dot_left_layout(%a: !left, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs rows, blocks and columns in this order}}
  %x = tile.dot %a, %b transpose into %acc : !left, !slot -> !acc
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!left = tensor<64x64xbf16, #tile.fragment<[row, column], 2>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @dot_warps(%a: !left, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs its tiles over the same warps}}
  %x = tile.dot %a, %b transpose into %acc : !left, !slot -> !acc
  return
}

// -----

!slot = !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>
!acc = tensor<64x64xf32, #tile.fragment<[row, column], 4>>
func.func @dot_unlaid(%a: tensor<64x64xbf16>, %b: !slot, %acc: !acc) {
  // expected-error @below {{needs its tiles over the same warps}}
  %x = tile.dot %a, %b transpose into %acc : tensor<64x64xbf16>, !slot -> !acc
  return
}

// -----

func.func @reduce_layout(%x: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.reduce sum %x along [1] : tensor<64x64xf32, #tile.fragment<[row, column], 4>> -> tensor<64xf32, #tile.fragment<[column], 4>>
  return
}

// -----

func.func @reduce_warps(%x: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.reduce sum %x along [1] : tensor<64x64xf32, #tile.fragment<[row, column], 4>> -> tensor<64xf32, #tile.fragment<[row], 2>>
  return
}

// -----

func.func @broadcast_layout(%x: tensor<64xf32, #tile.fragment<[column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.broadcast %x to [0] : tensor<64xf32, #tile.fragment<[column], 4>> -> tensor<64x64xf32, #tile.fragment<[row, column], 4>>
  return
}

// -----

func.func @column_layout(%x: tensor<64x64xf32, #tile.fragment<[row, column], 4>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %y = tile.column %x at 1 : tensor<64x64xf32, #tile.fragment<[row, column], 4>> -> tensor<64xf32>
  return
}

// -----

func.func @staggered_type(%x: tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, %c: f32, %r: tensor<64xbf16, #tile.fragment<[row], 4>>) {
  // expected-error @below {{takes logits of f32 in a layout}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 2 : tensor<64x64xbf16, #tile.fragment<[row, column], 4>>, tensor<64xbf16, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_plain(%x: tensor<64x64xf32>, %c: f32, %r: tensor<64xf32>) {
  // expected-error @below {{takes logits of f32 in a layout}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 2 : tensor<64x64xf32>, tensor<64xf32>
  return
}

// -----

func.func @staggered_rank(%x: tensor<64xf32, #tile.fragment<[row], 4>>, %c: f32, %r: tensor<64xf32, #tile.fragment<[row], 4>>) {
  // expected-error @below {{takes logits of f32 in a layout}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 1 : tensor<64xf32, #tile.fragment<[row], 4>>, tensor<64xf32, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_offset(%x: tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, %c: f32, %r: tensor<128xf32, #tile.fragment<[row], 4>>) {
  // expected-error @below {{takes an offset of f32 for each row}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 2 : tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, tensor<128xf32, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_offset_type(%x: tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, %c: f32, %r: tensor<64xi32, #tile.fragment<[row], 4>>) {
  // expected-error @below {{takes an offset of f32 for each row}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 2 : tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, tensor<64xi32, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_parts(%x: tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, %c: f32, %r: tensor<64xf32, #tile.fragment<[row], 4>>) {
  // expected-error @below {{cuts a row into 1 to 16 parts of 8 columns or a multiple, got 3}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 3 : tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, tensor<64xf32, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_none(%x: tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, %c: f32, %r: tensor<64xf32, #tile.fragment<[row], 4>>) {
  // expected-error @below {{cuts a row into 1 to 16 parts of 8 columns or a multiple, got 0}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 0 : tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, tensor<64xf32, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_many(%x: tensor<64x4x64xf32, #tile.fragment<[row, block, column], 4>>, %c: f32, %r: tensor<64xf32, #tile.fragment<[row], 4>>) {
  // expected-error @below {{cuts a row into 1 to 16 parts of 8 columns or a multiple, got 32}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 32 : tensor<64x4x64xf32, #tile.fragment<[row, block, column], 4>>, tensor<64xf32, #tile.fragment<[row], 4>>
  return
}

// -----

func.func @staggered_layout(%x: tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, %c: f32, %r: tensor<64xf32, #tile.fragment<[row], 2>>) {
  // expected-error @below {{needs its tiles in one layout}}
  %e = tile.staggered_exp2 %x times %c plus %r parts 2 : tensor<64x2x64xf32, #tile.fragment<[row, block, column], 4>>, tensor<64xf32, #tile.fragment<[row], 2>>
  return
}
