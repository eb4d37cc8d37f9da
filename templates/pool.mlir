// Retrieval, step 2 where rows share a selection: the maximum of their softmax.                        (SPEC: docs/spec.md, section 5)
//
// The rows of a span share. For every block that they may choose from: the maximum over rows of logit - log-sum-exp, kept in POOLED, so that the rows of a
// chunk may come in several launches, and a list of the `top_k` best blocks of this program's part, for `select`.
//
// LOGITS and LSE are those of score.mlir, seen as [batch * tiles + tile, outer, inner, column] and [batch, outer, inner, split] with outer and inner as the sharing
// wants them, FEW_LSE the first 8 of those of a row; POOLED is [batch * tiles + tile, outer, span, column]; VALUES and IDS [batch, outer * list_stride + split, span, place].

gpu.module @kernels {
  gpu.func @landmark_pool(%LOGITS: !logits_view, %LSE: !logits_view, %FEW_LSE: !few_view, %SLOTS: !numbers, %LENGTHS: !numbers, %POOLED: !logits_view, %VALUES: !list_view, %IDS: !list_ids_view,
                          %span: index, %splits: index, %list_stride: index, %score_splits: index, %outer_step: index, %back: index, %window: index, %tiles: index,
                          %is_first: index, %scale: f32) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_landmarks" : index
    %keep = tile.param "top_k" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %minus_inf = arith.constant 0xFF800000 : f32

    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %LOGITS span %span tile %span splits %splits : !logits_view
    %slot_number = memref.load %SLOTS[%batch] : !numbers
    %slot = arith.index_cast %slot_number : i32 to index
    %length_number = memref.load %LENGTHS[%slot] : !numbers
    %length = arith.index_cast %length_number : i32 to index
    %base = arith.subi %length, %back : index
    %outer_position = arith.muli %outer, %outer_step : index
    %first = arith.addi %base, %outer_position : index
    %first_block = arith.divui %first, %L : index
    %limit_number = arith.subi %first_block, %window : index
    %end = arith.maxsi %limit_number, %zero : index
    %end_number = arith.index_cast %end : index to i32
    %limit = tensor.splat %end_number : !row_index
    %parts_number = arith.index_cast %score_splits : index to i32
    %parts = tensor.splat %parts_number : !row_index
    %few = arith.constant 8 : index
    %are_few = arith.cmpi sle, %score_splits, %few : index
    %begin, %stop = landmark.part %split of %splits to %end step %step

    tile.grid_wait
    %starts = arith.cmpi ne, %is_first, %zero : index
    %span_end = arith.addi %span_index, %one : index
    %first_tile = arith.muli %batch, %tiles : index
    %v0 = arith.constant dense<0xFF800000> : !list
    %i0 = arith.constant dense<2147483647> : !list_ids
    %v, %i = scf.for %b = %begin to %stop step %step iter_args(%v = %v0, %i = %i0) -> (!list, !list_ids) {
      %place = arith.divui %b, %step : index
      %logits_tile = arith.addi %first_tile, %place : index
      %none = arith.constant dense<0xFF800000> : !g_tile
      %most = scf.for %r = %row to %row_end step %tile iter_args(%most = %none) -> !g_tile {
        %s = tile.read_rows %LOGITS[%logits_tile, %outer, %r] below %row_end else %minus_inf : !logits_view -> !g_tile
        // The row's log-sum-exp, of its parts.
        %m0 = arith.constant dense<0xFF800000> : !row
        %l0 = arith.constant dense<0.0> : !row
        %unit = arith.constant 1.0 : f32
        %m, %l = scf.if %are_few -> (!row, !row) {
          %lse_parts = tile.read_rows %FEW_LSE[%batch, %outer, %r] below %row_end else %minus_inf : !few_view -> !few_tile
          %is_part = landmark.candidates at %zero below %parts : !row_index -> !few_gates
          %m_few, %l_few = landmark.stats %m0, %l0 add %lse_parts seen %is_part factor %unit exact : !row, !few_tile, !few_gates
          scf.yield %m_few, %l_few : !row, !row
        } else {
          %lse_parts = tile.read_rows %LSE[%batch, %outer, %r] below %row_end else %minus_inf : !logits_view -> !g_tile
          %is_part = landmark.candidates at %zero below %parts : !row_index -> !gates
          %m_all, %l_all = landmark.stats %m0, %l0 add %lse_parts seen %is_part factor %unit exact : !row, !g_tile, !gates
          scf.yield %m_all, %l_all : !row, !row
        }
        %lse = landmark.log_sum_exp %m, %l factor %unit : !row
        %lse_columns = tile.broadcast %lse to [0] : !row -> !g_tile
        %c_tile = tensor.splat %c : !g_tile
        %scaled = arith.mulf %s, %c_tile : !g_tile
        %share = arith.subf %scaled, %lse_columns : !g_tile
        %nothing = arith.cmpf oeq, %s, %none : !g_tile // a row that is not there, or a logit of -inf
        %counted = arith.select %nothing, %none, %share : !gates, !g_tile
        %most_next = arith.maxnumf %most, %counted : !g_tile
        scf.yield %most_next : !g_tile
      }
      %columns = tile.reduce max %most along [0] : !g_tile -> !columns
      %here = tile.broadcast %columns to [1] : !columns -> !g_tile
      %before = tile.read_rows %POOLED[%logits_tile, %outer, %span_index] below %span_end else %minus_inf : !logits_view -> !g_tile
      %both = arith.maxnumf %before, %here : !g_tile
      %pooled = arith.select %starts, %here, %both : !g_tile
      tile.store %pooled, %POOLED[%logits_tile, %outer, %span_index] below %span_end : !g_tile, !logits_view
      %seen = landmark.candidates at %b below %limit : !row_index -> !gates
      %candidates = arith.select %seen, %pooled, %none : !gates, !g_tile
      %ids = landmark.numbers at %b seen %seen : !gates -> !gate_ids
      %v_next, %i_next = landmark.top_k %v, %i add %candidates, %ids keep %keep : !list, !list_ids, !g_tile, !gate_ids
      scf.yield %v_next, %i_next : !list, !list_ids
    }

    %outer_list = arith.muli %outer, %list_stride : index
    %list = arith.addi %outer_list, %split : index
    tile.store %v, %VALUES[%batch, %list, %span_index] below %span_end : !list, !list_view
    tile.store %i, %IDS[%batch, %list, %span_index] below %span_end : !list_ids, !list_ids_view
    gpu.return
  }
}
