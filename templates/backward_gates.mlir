// Landmark attention, backward with a gate threshold, step 1: which tiles of rows matter to a tile of keys.       (SPEC: docs/spec.md, section 3)
//
// Two kernels, launched one after the other. The first goes by tiles of query rows and marks blocks as that of forward_gates.mlir does, with the log-sum-exp that the backward is given. The
// second goes by the programs of backward.mlir or backward_add.mlir that go by keys, and lists the tiles of rows of all heads that each of them takes: those at the edges, which need masks, and of the
// others those in which some row's gate of one of its blocks is marked. Tiles of rows begin where marks do.
//
//   MASKS  as in forward_gates.mlir
//   LISTS  [batch, key/value head, key tile, place], head and first row of each tile, two places
//   COUNTS [batch, key/value head, key tile]: tiles listed; edges of them, which come first; tiles listed, once more; how many others there were to choose from
//
// V and O are not touched. Specialisation supplies what forward_gates.mlir names.

gpu.module @kernels {
  gpu.func @landmark_backward_gates_masks(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %MASKS: !words, %LISTS: !lists, %COUNTS: !lists,
                                          %phase: index, %q_offset: index, %scale: f32, %section: index, %floor: f32, %list_tile: index, %list_step: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %width = tile.param "tile_landmarks" : index    // bits of a word
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32            // exponentials are powers of 2
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %dim = arith.constant 2 : index

    // The rows of this program and the complete blocks that they see.
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_end = arith.addi %row, %tile : index
    %rows_end = arith.minsi %row_end, %queries : index
    %end_position = arith.addi %rows_end, %q_offset : index
    %last = arith.subi %end_position, %one : index
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%one)

    %q = tile.load %Q[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %huge = arith.constant 0x7F800000 : f32         // gates of rows that are not there are 0
    %lse_e = tile.read_rows %LSE[%batch, %head, %row] below %queries else %huge : !rows_view -> !row
    %base = arith.constant dense<1.44269504> : !row
    %lse = arith.mulf %lse_e, %base : !row          // base 2
    %g0 = arith.constant dense<0.0> : !g_tile
    %lse_columns = tile.broadcast %lse to [0] : !row -> !g_tile
    %c_tile = tensor.splat %c : !g_tile
    %floor_tile = tensor.splat %floor : !g_tile
    %none = arith.constant dense<0xFF800000> : !g_tile
    %no_bit = arith.constant dense<0> : !gate_ids
    %unit = arith.constant dense<1> : !column_ids
    %column = tile.iota : !column_ids
    %bit = arith.shli %unit, %column : !column_ids
    %bits = tile.broadcast %bit to [1] : !column_ids -> !gate_ids

    // A word's blocks are those of whole key tiles.
    %places = arith.addi %keys, %phase : index
    %complete = arith.divui %places, %L : index
    %gates_end = arith.minsi %end, %complete : index
    %word_tiles = arith.divui %width, %list_step : index
    %word_blocks = arith.muli %word_tiles, %list_step : index
    %groups_up = arith.addi %queries, %tile : index
    %groups_less = arith.subi %groups_up, %one : index
    %groups = arith.divui %groups_less, %tile : index
    %group = arith.divui %row, %tile : index
    %last_place = scf.for %b = %zero to %gates_end step %word_blocks iter_args(%place = %group) -> index {
      %next = arith.addi %b, %one : index
      %block_row = arith.muli %next, %L : index
      %landmark_row = arith.subi %block_row, %one : index
      %key = arith.subi %landmark_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !gate_tile
      %s = tile.dot %q, %k transpose into %g0 : !q_tile, !gate_tile -> !g_tile
      %seen = landmark.gates rows(%row_block) at %b keys(%keys) phase(%phase) block(%L) : !row_index -> !gates
      %scaled = arith.mulf %s, %c_tile : !g_tile
      %gate = arith.subf %scaled, %lse_columns : !g_tile // logarithm, in base 2
      %counted = arith.select %seen, %gate, %none : !gates, !g_tile
      %most = tile.reduce max %counted along [0] : !g_tile -> !columns
      %most_rows = tile.broadcast %most to [1] : !columns -> !g_tile
      %matters = arith.cmpf oge, %most_rows, %floor_tile : !g_tile
      %marks = arith.select %matters, %bits, %no_bit : !gates, !gate_ids
      %word = tile.reduce sum %marks along [1] : !gate_ids -> !row_index
      %place_end = arith.addi %place, %one : index
      tile.store %word, %MASKS[%batch, %head, %place] below %place_end : !row_index, !words
      %place_next = arith.addi %place, %groups : index
      scf.yield %place_next : index
    }
    gpu.return
  }

  gpu.func @landmark_backward_gates_lists(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %MASKS: !words, %LISTS: !lists, %COUNTS: !lists,
                                          %phase: index, %q_offset: index, %scale: f32, %section: index, %floor: f32, %list_tile: index, %list_step: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index         // rows of a mask
    %width = tile.param "tile_landmarks" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %three = arith.constant 3 : index
    %dim = arith.constant 2 : index
    %no_bits = arith.constant 0 : i32
    %one_bit = arith.constant 1 : i32

    // The program of the next step with this number, and the tiles of rows that see its keys.
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %places = arith.addi %keys, %phase : index
    %before_last = arith.subi %places, %one : index
    %last_block = arith.divui %before_last, %L : index
    %last_tile = arith.divui %last_block, %list_step : index
    %key_tiles = arith.addi %last_tile, %one : index
    %batch, %kv_head, %head, %heads, %key_tile = landmark.key_program %Q, %K tiles %key_tiles section %section : !view, !view
    %b = arith.muli %key_tile, %list_step : index
    %first, %edges, %row_tiles = landmark.row_range blocks(%b, %list_step) rows(%queries, %q_offset) keys(%keys) phase(%phase) block(%L) tile(%list_tile) align 32
    %heads_end = arith.addi %head, %heads : index

    // Its bits in a word, and the first of the words.
    %word_tiles = arith.divui %width, %list_step : index
    %word = arith.divui %key_tile, %word_tiles : index
    %in_word = arith.remui %key_tile, %word_tiles : index
    %bit = arith.muli %in_word, %list_step : index
    %bit_number = arith.index_cast %bit : index to i32
    %tile_bits = arith.index_cast %list_step : index to i32
    %above = arith.shli %one_bit, %tile_bits : i32
    %lowest = arith.subi %above, %one_bit : i32
    %bits = arith.shli %lowest, %bit_number : i32
    %tile_less_one = arith.subi %tile, %one : index
    %queries_up = arith.addi %queries, %tile_less_one : index
    %groups = arith.divui %queries_up, %tile : index
    %word_row = arith.muli %word, %groups : index

    %edges_listed = scf.for %h = %head to %heads_end step %one iter_args(%of_heads = %zero) -> index {
      %h_number = arith.index_cast %h : index to i32
      %of_head = scf.for %t = %zero to %edges step %one iter_args(%n = %of_heads) -> index {
        %past_rows = arith.muli %t, %list_tile : index
        %row = arith.addi %first, %past_rows : index
        %row_number = arith.index_cast %row : index to i32
        %place = arith.muli %n, %two : index
        %next = arith.addi %place, %one : index
        memref.store %h_number, %LISTS[%batch, %kv_head, %key_tile, %place] : !lists
        memref.store %row_number, %LISTS[%batch, %kv_head, %key_tile, %next] : !lists
        %n_next = arith.addi %n, %one : index
        scf.yield %n_next : index
      }
      scf.yield %of_head : index
    }
    %listed = scf.for %h = %head to %heads_end step %one iter_args(%of_heads = %edges_listed) -> index {
      %h_number = arith.index_cast %h : index to i32
      %of_head = scf.for %t = %edges to %row_tiles step %one iter_args(%n = %of_heads) -> index {
        %past_rows = arith.muli %t, %list_tile : index
        %row = arith.addi %first, %past_rows : index
        %row_end = arith.addi %row, %list_tile : index
        %rows_end = arith.minsi %row_end, %queries : index
        %rows_up = arith.addi %rows_end, %tile_less_one : index
        %group = arith.divui %row, %tile : index
        %group_end = arith.divui %rows_up, %tile : index
        %union = scf.for %g = %group to %group_end step %one iter_args(%union_in = %no_bits) -> i32 {
          %mask_place = arith.addi %word_row, %g : index
          %mask = memref.load %MASKS[%batch, %h, %mask_place] : !words
          %union_next = arith.ori %union_in, %mask : i32
          scf.yield %union_next : i32
        }
        %here = arith.andi %union, %bits : i32
        %matters = arith.cmpi ne, %here, %no_bits : i32
        scf.if %matters {
          %row_number = arith.index_cast %row : index to i32
          %place = arith.muli %n, %two : index
          %next = arith.addi %place, %one : index
          memref.store %h_number, %LISTS[%batch, %kv_head, %key_tile, %place] : !lists
          memref.store %row_number, %LISTS[%batch, %kv_head, %key_tile, %next] : !lists
        }
        %more = arith.extui %matters : i1 to i32
        %more_index = arith.index_cast %more : i32 to index
        %n_next = arith.addi %n, %more_index : index
        scf.yield %n_next : index
      }
      scf.yield %of_head : index
    }

    %inner_of_head = arith.subi %row_tiles, %edges : index
    %inner = arith.muli %inner_of_head, %heads : index
    %listed_number = arith.index_cast %listed : index to i32
    %edges_number = arith.index_cast %edges_listed : index to i32
    %inner_number = arith.index_cast %inner : index to i32
    memref.store %listed_number, %COUNTS[%batch, %kv_head, %key_tile, %zero] : !lists
    memref.store %edges_number, %COUNTS[%batch, %kv_head, %key_tile, %one] : !lists
    memref.store %listed_number, %COUNTS[%batch, %kv_head, %key_tile, %two] : !lists
    memref.store %inner_number, %COUNTS[%batch, %kv_head, %key_tile, %three] : !lists
    gpu.return
  }
}
