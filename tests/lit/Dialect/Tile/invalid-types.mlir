// RUN: landmark-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{roles of a fragment must be distinct and in the order row, block, column}}
func.func private @roles_repeated(tensor<64x64xf32, #tile.fragment<[row, row], 4>>)

// -----

// expected-error @below {{roles of a fragment must be distinct and in the order row, block, column}}
func.func private @roles_out_of_order(tensor<64x64xf32, #tile.fragment<[column, row], 4>>)

// -----

// expected-error @below {{columns of a fragment are whole or slices, not both}}
func.func private @roles_both(tensor<64x64x64xf32, #tile.fragment<[row, column, slice], 4>>)

// -----

// expected-error @below {{has a tile whose slices must be a multiple of 32 up to}}
func.func private @narrow_slices(tensor<16x48xf32, #tile.fragment<[row, slice], 4>>)

// -----

// expected-error @below {{expected row, block, column or slice, got 'lane'}}
func.func private @role_unknown(tensor<64x64xf32, #tile.fragment<[row, lane], 4>>)

// -----

// expected-error @below {{a fragment is spread over 1 to 32 warps, got 0}}
func.func private @no_warps(tensor<64x64xf32, #tile.fragment<[row, column], 0>>)

// -----

// expected-error @below {{a fragment is spread over 1 to 32 warps, got 33}}
func.func private @many_warps(tensor<64x64xf32, #tile.fragment<[row, column], 33>>)

// -----

// expected-error @below {{bits and shift of a swizzle are not negative and at most 3 together, got bits = 4, shift = 0}}
func.func private @swizzle_bits() attributes {x = #tile.swizzle<bits = 4, shift = 0>}

// -----

// expected-error @below {{bits and shift of a swizzle are not negative and at most 3 together, got bits = 3, shift = -1}}
func.func private @swizzle_shift() attributes {x = #tile.swizzle<bits = 3, shift = -1>}

// -----

// expected-error @below {{bits and shift of a swizzle are not negative and at most 3 together, got bits = 2, shift = 2}}
func.func private @swizzle_sum() attributes {x = #tile.swizzle<bits = 2, shift = 2>}

// -----

// expected-error @below {{layout names 1 roles for a tile of rank 2}}
func.func private @layout_rank(tensor<64x64xf32, #tile.fragment<[row], 4>>)

// -----

// expected-error @below {{has a tile whose rows must be a multiple of 64 up to 65536, got 48}}
func.func private @layout_rows(tensor<48x64xf32, #tile.fragment<[row, column], 4>>)

// -----

// expected-error @below {{has a tile whose columns must be a multiple of 8 up to 65536, got 12}}
func.func private @layout_columns(tensor<64x12xf32, #tile.fragment<[row, column], 4>>)

// -----

// expected-error @below {{has a tile whose blocks must be a multiple of 1 up to 65536, got -9223372036854775808}}
func.func private @layout_dynamic(tensor<64x?xf32, #tile.fragment<[row, block], 4>>)

// -----

// expected-error @below {{has a tile of which a thread holds 2048 elements, at most 1024 are allowed}}
func.func private @layout_registers(tensor<256x1x256xf32, #tile.fragment<[row, block, column], 1>>)

// -----

// expected-error @below {{a buffer has at least one stage, got 0}}
func.func private @no_stages(!tile.buffer<0, [64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer has at least one stage, got 9223372036854775807}}
func.func private @many_stages(!tile.buffer<9223372036854775807, [64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_rank_1(!tile.buffer<1, [64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_rank_4(!tile.buffer<1, [1, 1, 64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_empty(!tile.buffer<1, [0, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer's tile has rank 2 or 3 and sizes of 1 to 65536}}
func.func private @buffer_size(!tile.buffer<1, [4611686018427387904, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer takes at most 1048576 bytes}}
func.func private @buffer_bytes(!tile.buffer<4, [65536, 64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer takes at most 1048576 bytes}}
func.func private @buffer_stage_bytes(!tile.buffer<129, [64, 64], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a buffer holds bf16, f16 or f32, got 'i8'}}
func.func private @buffer_element(!tile.buffer<1, [64, 64], i8, <bits = 0, shift = 0>>)

// -----

// expected-error @below {{a buffer's row must be a multiple of 16 bytes, got 4 x 'bf16'}}
func.func private @buffer_row(!tile.buffer<1, [64, 4], bf16, <bits = 0, shift = 0>>)

// -----

// expected-error @below {{a swizzle of 3 bits does not fit rows of 2 chunks}}
func.func private @buffer_swizzle(!tile.buffer<1, [64, 16], bf16, <bits = 3, shift = 0>>)

// -----

// expected-error @below {{a split makes equal groups of the 8 warps, got 3}}
func.func private @fragment_split(tensor<64x3x64xf32, #tile.fragment<[row, block, column], 8, split = 3>>)

// -----

// expected-error @below {{has a tile whose blocks must be a multiple of 2 up to 65536, got 3}}
func.func private @fragment_blocks(tensor<64x3x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>)

// -----

// expected-error @below {{has a tile whose rows must be a multiple of 64 up to 65536, got 32}}
func.func private @fragment_split_rows(tensor<32x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>)

// -----

// expected-error @below {{groups of warps share the blocks of a fragment or its columns, not both}}
func.func private @split_slices(tensor<64x2x64xf32, #tile.fragment<[row, block, slice], 8, split = 2>>)

// -----

// expected-error @below {{what is dealt out to the lanes of a quad has rows and blocks}}
func.func private @dealt_columns(tensor<64x64xf32, #tile.fragment<[row, column], 4, dealt = true>>)

// -----

// expected-error @below {{deals out a tile of which a thread holds 2 elements, which is no multiple of 4}}
func.func private @dealt_pairs(tensor<64x1xf32, #tile.fragment<[row, block], 4, dealt = true>>)

// -----

// expected-error @below {{warps that are not the first ones are a group of four from a multiple of 4 on, without split, slices or dealing, got 4 from 6}}
func.func private @group_between(tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 6>>)

// -----

// expected-error @below {{warps that are not the first ones are a group of four from a multiple of 4 on, without split, slices or dealing, got 8 from 8}}
func.func private @groups_behind(tensor<128x64xf32, #tile.fragment<[row, column], 8, first = 8>>)

// -----

// expected-error @below {{warps that are not the first ones are a group of four from a multiple of 4 on, without split, slices or dealing, got 4 from 8}}
func.func private @slices_behind(tensor<64x64xf32, #tile.fragment<[row, slice], 4, first = 8>>)
