// Retrieval, step 1 where rows share a selection: each row's log-sum-exp over the landmarks.                 (SPEC: docs/spec.md, section 5)
//
// What rows share is the maximum of their softmax over the blocks that they may choose from, so every row's normaliser is needed first; `pool` multiplies once more and takes
// the maximum, which is cheaper than to write all logits and to read them again.
//
// Rows, steps and landmark pages are those of score_top.mlir. LSE receives the log-sum-exp (base 2) of every part: row `outer * lse_outer + split * lse_split` of a batch, then
// the inner row. `row_offset` is the number of rows of a chunk that came in earlier launches.

gpu.module @kernels {
  gpu.func @landmark_score(%Q: !view, %LANDMARKS: !pages, %SLOTS: !numbers, %LENGTHS: !numbers, %LANDMARK_PAGES: !table, %LSE: !rows_view, %FREQUENCIES: !frequencies,
                           %span: index, %splits: index, %lse_outer: index, %lse_split: index, %outer_step: index, %inner_step: index, %select_step: index,
                           %group: index, %back: index, %window: index, %row_offset: index, %half: index, %compact: index, %scale: f32) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_landmarks" : index
    %top_k = tile.param "top_k" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index

    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %Q span %span tile %tile splits %splits : !view
    tile.grid_wait behind %batch, %row // sequences, tables and queries may have been written just before
    %q_raw = tile.load %Q[%batch, %outer, %row] in [%zero, %row_end) : !view -> !q_tile
    %slot_number = memref.load %SLOTS[%batch] : !numbers
    %slot = arith.index_cast %slot_number : i32 to index
    %length_number = memref.load %LENGTHS[%slot] : !numbers
    %length = arith.index_cast %length_number : i32 to index

    // The head that the rows read, and the blocks that they may choose from: those before the window, which reaches back from a row's own block.
    %outer_head = arith.muli %outer, %inner_step : index
    %row_head = arith.muli %row, %outer_step : index
    %head = arith.addi %outer_head, %row_head : index
    %kv_head = arith.divui %head, %group : index
    %base = arith.subi %length, %back : index
    %outer_position = arith.muli %outer, %outer_step : index
    %row_position = arith.muli %row, %select_step : index
    %in_step = arith.addi %outer_position, %row_position : index
    %first = arith.addi %base, %in_step : index
    %block, %token = landmark.locate %first step %select_step phase %zero block %L : !row_index, !row_index
    %window_number = arith.index_cast %window : index to i32
    %window_row = tensor.splat %window_number : !row_index
    %limit = arith.subi %block, %window_row : !row_index
    %rows = arith.subi %row_end, %row : index
    %others = arith.subi %rows, %one : index
    %reach = arith.muli %others, %select_step : index
    %last = arith.addi %first, %reach : index
    %last_block = arith.divui %last, %L : index
    %last_limit = arith.subi %last_block, %window : index
    %end = arith.maxsi %last_limit, %zero : index
    %begin, %stop = landmark.part %split of %splits to %end step %step

    // Rotary embedding, if any: rows of a tile that rotates share the blocks that they may choose from.
    %rotates_number = tile.param "rotates" : index
    %rotates = arith.cmpi ne, %rotates_number, %zero : index
    %is_half = arith.cmpi ne, %half, %zero : index
    %shift, %landmark_shift, %lowest, %far = landmark.positions of %end keep %top_k block %L compact %compact
    %own_row_position = arith.muli %row, %inner_step : index
    %own_row = arith.addi %outer_position, %own_row_position : index
    %with_offset = arith.addi %own_row, %row_offset : index
    %own_position = arith.addi %base, %with_offset : index
    %q_position = arith.addi %own_position, %shift : index
    %nowhere = arith.constant -4611686018427387904 : index
    %q = scf.if %rotates -> !q_tile {
      %turned = tile.rotate %q_raw at %q_position step %inner_step low %nowhere by %FREQUENCIES half %is_half : !q_tile, !frequencies -> !q_tile
      scf.yield %turned : !q_tile
    } else {
      scf.yield %q_raw : !q_tile
    }
    %landmark_place = arith.subi %L, %one : index
    %landmark_first = arith.addi %landmark_place, %landmark_shift : index

    %s0 = arith.constant dense<0.0> : !g_tile
    %m0 = arith.constant dense<0xFF800000> : !row
    %l0 = arith.constant dense<0.0> : !row
    // Every row may choose from the whole tiles before the first row's limit.
    %first_block = arith.divui %first, %L : index
    %first_limit = arith.subi %first_block, %window : index
    %least = arith.maxsi %first_limit, %begin : index
    %least_here = arith.minsi %least, %stop : index
    %least_tiles = arith.divui %least_here, %step : index
    %whole_end = arith.muli %least_tiles, %step : index
    %whole = arith.maxsi %whole_end, %begin : index
    %m, %l = scf.for %b = %begin to %stop step %step iter_args(%m = %m0, %l = %l0) -> (!row, !row) {
      %edge = tile.edge %b interior(%begin, %whole)
      %place = arith.divui %b, %step : index
      %page_number = memref.load %LANDMARK_PAGES[%slot, %place] : !table
      %page = arith.index_cast %page_number : i32 to index
      %k_raw = tile.load %LANDMARKS[%page, %kv_head, %zero] in [%zero, %step) : !pages -> !gate_tile
      %block_position = arith.muli %b, %L : index
      %k_position = arith.addi %block_position, %landmark_first : index
      %k = scf.if %rotates -> !gate_tile {
        %turned = tile.rotate %k_raw at %k_position step %L low %lowest by %FREQUENCIES half %is_half : !gate_tile, !frequencies -> !gate_tile
        scf.yield %turned : !gate_tile
      } else {
        scf.yield %k_raw : !gate_tile
      }
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !gate_tile -> !g_tile
      %seen = scf.if %edge -> !gates {
        %some = landmark.candidates at %b below %limit : !row_index -> !gates
        scf.yield %some : !gates
      } else {
        %all = arith.constant dense<true> : !gates
        scf.yield %all : !gates
      }
      %m_next, %l_next = landmark.stats %m, %l add %s seen %seen factor %c exact : !row, !g_tile, !gates
      scf.yield %m_next, %l_next : !row, !row
    }

    %lse = landmark.log_sum_exp %m, %l factor %c : !row
    %of_outer = arith.muli %outer, %lse_outer : index
    %of_split = arith.muli %split, %lse_split : index
    %list = arith.addi %of_outer, %of_split : index
    tile.store %lse, %LSE[%batch, %list, %row] below %row_end : !row, !rows_view
    gpu.return
  }
}
