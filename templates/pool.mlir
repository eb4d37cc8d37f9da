// Retrieval, step 2 where rows share a selection: the maximum of their softmax.                        (SPEC: docs/spec.md, section 5)
//
// For every landmark and tile of rows that share: the maximum over the rows of logit - log-sum-exp. Logits are multiplied anew, transposed: landmarks are the rows of the
// product, so that a thread takes the maximum over what it holds.
//
// Rows, steps and landmark pages are those of score_top.mlir. LSE holds what score.mlir left, `lse_splits` parts of every row, seen as rows of a tile's columns that begin
// anywhere: [batch, outer * lse_outer + part * lse_split + row, 0, column], whatever the third index. PARTS is [batch * tiles + tile, outer * parts + part, landmark], a part
// being a tile of rows of a span, for `pool_top`.

gpu.module @kernels {
  gpu.func @landmark_pool(%Q: !view, %LANDMARKS: !pages, %SLOTS: !numbers, %LENGTHS: !numbers, %LANDMARK_PAGES: !table, %LSE: !lse_view, %PARTS: !rows_view, %FREQUENCIES: !frequencies,
                          %span: index, %splits: index, %lse_splits: index, %lse_outer: index, %lse_split: index, %outer_step: index, %inner_step: index,
                          %group: index, %back: index, %window: index, %tiles: index, %row_offset: index, %half: index, %compact: index, %scale: f32) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_landmarks" : index
    %top_k = tile.param "top_k" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index

    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %Q span %span tile %tile splits %splits : !view
    %q_raw = tile.load %Q[%batch, %outer, %row] in [%zero, %row_end) : !view -> !q_tile
    %slot_number = memref.load %SLOTS[%batch] : !numbers
    %slot = arith.index_cast %slot_number : i32 to index
    %length_number = memref.load %LENGTHS[%slot] : !numbers
    %length = arith.index_cast %length_number : i32 to index

    // The head that the rows read, and the blocks that they may choose from.
    %outer_head = arith.muli %outer, %inner_step : index
    %row_head = arith.muli %row, %outer_step : index
    %head = arith.addi %outer_head, %row_head : index
    %kv_head = arith.divui %head, %group : index
    %base = arith.subi %length, %back : index
    %outer_position = arith.muli %outer, %outer_step : index
    %first = arith.addi %base, %outer_position : index
    %first_block = arith.divui %first, %L : index
    %limit = arith.subi %first_block, %window : index
    %end = arith.maxsi %limit, %zero : index
    %begin, %stop = landmark.part %split of %splits to %end step %step

    // Rotary embedding, if any: rows of a tile that rotates are of one position, or share a chunk's choice.
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

    // The log-sum-exps of the rows, of all parts; infinite for rows that are not there, which takes them out of every maximum.
    tile.grid_wait
    %minus_inf = arith.constant 0xFF800000 : f32
    %lse_first = arith.muli %outer, %lse_outer : index
    %lse_place = arith.addi %lse_first, %row : index
    %lse0 = tile.read_rows %LSE[%batch, %lse_place, %zero] below %step else %minus_inf : !lse_view -> !share_tile
    %lse_all = scf.for %part = %one to %lse_splits step %one iter_args(%sum = %lse0) -> !share_tile {
      %further = arith.muli %part, %lse_split : index
      %there = arith.addi %lse_place, %further : index
      %added = tile.read_rows %LSE[%batch, %there, %zero] below %step else %minus_inf : !lse_view -> !share_tile
      %both = landmark.join %sum, %added : !share_tile
      scf.yield %both : !share_tile
    }
    %rows = arith.subi %row_end, %row : index
    %rows_number = arith.index_cast %rows : index to i32
    %rows_here = tensor.splat %rows_number : !landmark_index
    %is_row = landmark.candidates at %zero below %rows_here : !landmark_index -> !is_row
    %infinite = arith.constant dense<0x7F800000> : !share_tile
    %lse = arith.select %is_row, %lse_all, %infinite : !is_row, !share_tile

    %inner_rows = memref.dim %Q, %two : !view
    %spans = arith.divui %inner_rows, %span : index
    %tile_less_one = arith.subi %tile, %one : index
    %span_up = arith.addi %span, %tile_less_one : index
    %span_parts = arith.divui %span_up, %tile : index
    %parts = arith.muli %spans, %span_parts : index
    %span_first = arith.muli %span_index, %span : index
    %in_span = arith.subi %row, %span_first : index
    %span_part = arith.divui %in_span, %tile : index
    %outer_parts = arith.muli %outer, %parts : index
    %before = arith.muli %span_index, %span_parts : index
    %in_outer = arith.addi %before, %span_part : index
    %part_row = arith.addi %outer_parts, %in_outer : index

    %s0 = arith.constant dense<0.0> : !share_tile
    %c_tile = tensor.splat %c : !share_tile
    %first_tile = arith.muli %batch, %tiles : index
    scf.for %b = %begin to %stop step %step {
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
      %s = tile.dot %k, %q transpose into %s0 : !gate_tile, !q_tile -> !share_tile
      %scaled = arith.mulf %s, %c_tile : !share_tile
      %share = arith.subf %scaled, %lse : !share_tile
      %most = tile.reduce max %share along [1] : !share_tile -> !columns
      %parts_tile = arith.addi %first_tile, %place : index
      tile.store %most, %PARTS[%parts_tile, %part_row, %zero] below %step : !columns, !rows_view
    }
    gpu.return
  }
}
