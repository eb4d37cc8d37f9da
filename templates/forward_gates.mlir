// Landmark attention, forward with a gate threshold, step 1: which tiles of keys matter.                (SPEC: docs/spec.md, section 2)
//
// Two kernels, launched one after the other. The first goes by tiles of query rows: it finds the log-sum-exp of every row, as forward.mlir does, and marks the
// blocks whose gate reaches the threshold in some row of the tile, one bit a block. The second goes by the programs of forward.mlir that take its lists, whose tiles of rows are
// longer and whose tiles of keys hold several blocks, and lists the key tiles that each of them takes: those at the edges, which hold own blocks, and of the others
// those with a bit set.
//
//   MASKS  [batch, head, word * tiles of rows + tile of rows]; a word has the blocks of as many whole key tiles as it has bits for
//   LISTS  [batch, head, program, place], the first block of each key tile, from the last tile to the first
//   COUNTS [batch, head, program]: tiles listed; listed edges before the others; those and the others; how many others there were to choose from
//
// V and O are not touched. Specialisation supplies the type aliases and the parameters:
//   !view, !rows_view   global memory, [batch, head, row, D] and [batch, head, row]; !words, !lists numbers of rank 3 and 4
//   !q_tile [rows, D]  !kv_tile [blocks, tokens, D]  !gate_tile [landmarks, D]           in the input type
//   !s_tile, !seen [rows, blocks, tokens]  !g_tile, !gates, !gate_ids [rows, landmarks]  !columns, !column_ids [landmarks]
//   !own [rows, blocks]  !row, !row_index, !row_mask [rows]

gpu.module @kernels {
  gpu.func @landmark_forward_gates_masks(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %MASKS: !words, %LISTS: !lists, %COUNTS: !lists,
                                         %phase: index, %q_offset: index, %scale: f32, %section: index, %floor: f32, %list_tile: index, %list_step: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_blocks" : index
    %width = tile.param "tile_landmarks" : index    // bits of a word
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32            // exponentials are powers of 2
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %dim = arith.constant 2 : index

    // The rows of this program, their positions, and the blocks that they see.
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_end = arith.addi %row, %tile : index
    %rows_end = arith.minsi %row_end, %queries : index
    %end_position = arith.addi %rows_end, %q_offset : index
    %last = arith.subi %end_position, %one : index
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%step)

    %q = tile.load %Q[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %s0 = arith.constant dense<0.0> : !s_tile
    %g0 = arith.constant dense<0.0> : !g_tile
    %m0 = arith.constant dense<0xFF800000> : !row
    %l0 = arith.constant dense<0.0> : !row

    // The log-sum-exp: landmarks of the blocks that a row has behind it, then its own block.
    %places = arith.addi %keys, %phase : index
    %complete = arith.divui %places, %L : index
    %gates_end = arith.minsi %end, %complete : index
    %m, %l = scf.for %b = %zero to %gates_end step %width iter_args(%m_in = %m0, %l_in = %l0) -> (!row, !row) {
      %next = arith.addi %b, %one : index
      %block_row = arith.muli %next, %L : index
      %landmark_row = arith.subi %block_row, %one : index
      %key = arith.subi %landmark_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !gate_tile
      %s = tile.dot %q, %k transpose into %g0 : !q_tile, !gate_tile -> !g_tile
      %seen = landmark.gates rows(%row_block) at %b keys(%keys) phase(%phase) block(%L) : !row_index -> !gates
      %m_next, %l_next = landmark.stats %m_in, %l_in add %s seen %seen factor %c : !row, !g_tile, !gates
      scf.yield %m_next, %l_next : !row, !row
    }
    %lse_past = landmark.log_sum_exp %m, %l factor %c : !row
    %lse = scf.for %b = %past to %end step %step iter_args(%lse_in = %lse_past) -> !row {
      %block_row = arith.muli %b, %L : index
      %key = arith.subi %block_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !kv_tile
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %seen = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !row_index, !row_index -> !seen
      %own = landmark.own %row_block at %b : !row_index -> !own
      %lse_out = landmark.add_own %lse_in add %s seen %seen own %own factor %c : !row, !s_tile, !seen, !own
      scf.yield %lse_out : !row
    }
    %ln2 = arith.constant dense<0.693147181> : !row
    %lse_e = arith.mulf %lse, %ln2 : !row           // natural logarithm
    tile.store %lse_e, %LSE[%batch, %head, %row] below %queries : !row, !rows_view

    // Gates of rows that are not there are 0.
    %rows_left = arith.subi %queries, %row : index
    %rows_left_number = arith.index_cast %rows_left : index to i32
    %rows_left_row = tensor.splat %rows_left_number : !row_index
    %row_number = tile.iota : !row_index
    %is_there = arith.cmpi slt, %row_number, %rows_left_row : !row_index
    %huge = arith.constant dense<0x7F800000> : !row
    %lse_there = arith.select %is_there, %lse, %huge : !row_mask, !row
    %lse_columns = tile.broadcast %lse_there to [0] : !row -> !g_tile
    %c_tile = tensor.splat %c : !g_tile
    %floor_tile = tensor.splat %floor : !g_tile
    %none = arith.constant dense<0xFF800000> : !g_tile
    %no_bit = arith.constant dense<0> : !gate_ids
    %unit = arith.constant dense<1> : !column_ids
    %column = tile.iota : !column_ids
    %bit = arith.shli %unit, %column : !column_ids
    %bits = tile.broadcast %bit to [1] : !column_ids -> !gate_ids

    // Marks: a word's blocks are those of whole key tiles.
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

  gpu.func @landmark_forward_gates_lists(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %MASKS: !words, %LISTS: !lists, %COUNTS: !lists,
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
    %true = arith.constant true

    // The program of forward.mlir with this number, and its key tiles.
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %list_tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_end = arith.addi %row, %list_tile : index
    %rows_end = arith.minsi %row_end, %queries : index
    %end_position = arith.addi %rows_end, %q_offset : index
    %last = arith.subi %end_position, %one : index
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%list_step)
    %step_less_one = arith.subi %list_step, %one : index
    %end_up = arith.addi %end, %step_less_one : index
    %tiles = arith.divui %end_up, %list_step : index
    %some_tiles = arith.maxsi %tiles, %one : index
    %last_tile = arith.subi %some_tiles, %one : index
    %past_tile = arith.divui %past, %list_step : index
    %begin_tile = arith.divui %begin, %list_step : index
    %past_from = arith.subi %some_tiles, %past_tile : index
    %from = arith.maxsi %past_from, %one : index    // counted from the last tile, which always is an edge
    %past_to = arith.subi %some_tiles, %begin_tile : index
    %to = arith.maxsi %past_to, %from : index

    // Where their bits are. 32 bits hold all these numbers, and a GPU divides them several times faster.
    %word_tiles_index = arith.divui %width, %list_step : index
    %word_tiles = arith.index_cast %word_tiles_index : index to i32
    %tile_bits = arith.index_cast %list_step : index to i32
    %no_word = arith.constant -1 : i32
    %above = arith.shli %one_bit, %tile_bits : i32
    %all_bits = arith.subi %above, %one_bit : i32   // of one tile
    %tile_less_one = arith.subi %tile, %one : index
    %queries_up = arith.addi %queries, %tile_less_one : index
    %groups = arith.divui %queries_up, %tile : index
    %rows_up = arith.addi %rows_end, %tile_less_one : index
    %group = arith.divui %row, %tile : index
    %group_end = arith.divui %rows_up, %tile : index
    %program = arith.divui %row, %list_tile : index

    %listed, %word, %word_at = scf.for %i = %zero to %some_tiles step %one iter_args(%n = %zero, %word_in = %no_bits, %at = %no_word) -> (index, i32, i32) {
      %t = arith.subi %last_tile, %i : index
      %before = arith.cmpi slt, %i, %from : index
      %behind = arith.cmpi sge, %i, %to : index
      %edge = arith.ori %before, %behind : i1
      %t_number = arith.index_cast %t : index to i32
      %word_number = arith.divui %t_number, %word_tiles : i32
      %in_word = arith.remui %t_number, %word_tiles : i32
      %other = arith.cmpi ne, %word_number, %at : i32
      %at_next = arith.select %edge, %at, %word_number : i32
      %no_edge = arith.xori %edge, %true : i1
      %unread = arith.andi %other, %no_edge : i1
      %word_here = scf.if %unread -> i32 {
        %word_index = arith.index_cast %word_number : i32 to index
        %word_row = arith.muli %word_index, %groups : index
        %union = scf.for %g = %group to %group_end step %one iter_args(%union_in = %no_bits) -> i32 {
          %place = arith.addi %word_row, %g : index
          %mask = memref.load %MASKS[%batch, %head, %place] : !words
          %union_next = arith.ori %union_in, %mask : i32
          scf.yield %union_next : i32
        }
        scf.yield %union : i32
      } else {
        scf.yield %word_in : i32
      }
      %bit = arith.muli %in_word, %tile_bits : i32
      %shifted = arith.shrui %word_here, %bit : i32
      %here = arith.andi %shifted, %all_bits : i32
      %matters = arith.cmpi ne, %here, %no_bits : i32
      %kept = arith.ori %edge, %matters : i1
      scf.if %kept {
        %b = arith.muli %t, %list_step : index
        %entry = arith.index_cast %b : index to i32
        memref.store %entry, %LISTS[%batch, %head, %program, %n] : !lists
      }
      %more = arith.extui %kept : i1 to i32
      %more_index = arith.index_cast %more : i32 to index
      %n_next = arith.addi %n, %more_index : index
      scf.yield %n_next, %word_here, %at_next : index, i32, i32
    }

    %behind_all = arith.subi %some_tiles, %to : index
    %inner_end = arith.subi %listed, %behind_all : index
    %inner = arith.subi %to, %from : index
    %listed_number = arith.index_cast %listed : index to i32
    %from_number = arith.index_cast %from : index to i32
    %inner_end_number = arith.index_cast %inner_end : index to i32
    %inner_number = arith.index_cast %inner : index to i32
    memref.store %listed_number, %COUNTS[%batch, %head, %program, %zero] : !lists
    memref.store %from_number, %COUNTS[%batch, %head, %program, %one] : !lists
    memref.store %inner_end_number, %COUNTS[%batch, %head, %program, %two] : !lists
    memref.store %inner_number, %COUNTS[%batch, %head, %program, %three] : !lists
    gpu.return
  }
}
