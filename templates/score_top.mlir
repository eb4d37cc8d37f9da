// Retrieval, step 1: logits of landmarks, and the best of them for every row.                         (SPEC: docs/spec.md, section 5)
//
// A program takes one tile of rows and one part of the landmarks that they may choose from, and leaves a list of the `top_k` best of its part; `select` makes one of
// the lists of all parts. Nothing else of the logits is written.
//
// Rows are a view [batch, outer, inner, D] of the queries: inner rows are the query heads of a position, or the positions of a head. Steps say which: the position of a
// row is base + outer * outer_step + inner * inner_step, its head outer * inner_step + inner * outer_step. The block up to which a row may choose is that of position
// base + outer * outer_step + inner * select_step: its own, or, with a step of 0, that of the first row of its chunk. The base lies `back` tokens before the
// end of the sequence.
//
// Landmark keys stand in pages of `page_landmarks`, of which a tile is a part: LANDMARKS [page, key/value head, landmark, D], LANDMARK_PAGES [slot of the sequence, place] names them.
// VALUES and IDS hold the lists: [batch, outer * list_stride + split, inner, place].

gpu.module @kernels {
  gpu.func @landmark_score_top(%Q: !view, %LANDMARKS: !pages, %SLOTS: !numbers, %LENGTHS: !numbers, %LANDMARK_PAGES: !table, %VALUES: !list_view, %IDS: !list_ids_view, %FREQUENCIES: !frequencies,
                               %span: index, %splits: index, %list_stride: index, %outer_step: index, %inner_step: index, %select_step: index, %group: index,
                               %back: index, %window: index, %half: index, %compact: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_landmarks" : index
    %per_page = tile.param "page_landmarks" : index
    %keep = tile.param "top_k" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index

    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %Q span %span tile %tile splits %splits : !view
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
    tile.grid_wait behind %begin, %stop early %LANDMARKS, %LANDMARK_PAGES : !pages, !table // for queries alone: sequences, tables and landmarks are written by copies
    %q_raw = tile.load %Q[%batch, %outer, %row] in [%zero, %row_end) : !view -> !q_tile

    // Rotary embedding, if any: rows of a tile that rotates share the blocks that they may choose from.
    %rotates_number = tile.param "rotates" : index
    %rotates = arith.cmpi ne, %rotates_number, %zero : index
    %is_half = arith.cmpi ne, %half, %zero : index
    %shift, %landmark_shift, %lowest, %far = landmark.positions of %end keep %keep block %L compact %compact
    %own_row_position = arith.muli %row, %inner_step : index
    %own_row = arith.addi %outer_position, %own_row_position : index
    %own_position = arith.addi %base, %own_row : index
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
    %v0 = arith.constant dense<0xFF800000> : !list
    %i0 = arith.constant dense<2147483647> : !list_ids
    %v, %i = scf.for %b = %begin to %stop step %step iter_args(%v = %v0, %i = %i0) -> (!list, !list_ids) {
      %place = arith.divui %b, %per_page : index
      %in_page = arith.remui %b, %per_page : index
      %in_page_end = arith.addi %in_page, %step : index
      %page_number = memref.load %LANDMARK_PAGES[%slot, %place] : !table
      %page = arith.index_cast %page_number : i32 to index
      %k_raw = tile.load %LANDMARKS[%page, %kv_head, %in_page] in [%zero, %in_page_end) : !pages -> !gate_tile
      %block_position = arith.muli %b, %L : index
      %k_position = arith.addi %block_position, %landmark_first : index
      %k = scf.if %rotates -> !gate_tile {
        %turned = tile.rotate %k_raw at %k_position step %L low %lowest by %FREQUENCIES half %is_half : !gate_tile, !frequencies -> !gate_tile
        scf.yield %turned : !gate_tile
      } else {
        scf.yield %k_raw : !gate_tile
      }
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !gate_tile -> !g_tile
      %seen = landmark.candidates at %b below %limit : !row_index -> !gates
      %none = arith.constant dense<0xFF800000> : !g_tile
      %candidates = arith.select %seen, %s, %none : !gates, !g_tile
      %ids = landmark.numbers at %b seen %seen : !gates -> !gate_ids
      %v_next, %i_next = landmark.top_k %v, %i add %candidates, %ids keep %keep : !list, !list_ids, !g_tile, !gate_ids
      scf.yield %v_next, %i_next : !list, !list_ids
    }

    %outer_list = arith.muli %outer, %list_stride : index
    %list = arith.addi %outer_list, %split : index
    tile.store %v, %VALUES[%batch, %list, %row] below %row_end : !list, !list_view
    tile.store %i, %IDS[%batch, %list, %row] below %row_end : !list_ids, !list_ids_view
    gpu.return
  }
}
