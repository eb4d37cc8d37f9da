// Retrieval, step 3 where rows share a selection: the best of their maxima.                             (SPEC: docs/spec.md, section 5)
//
// The rows of a span share. For every block that they may choose from: the maximum over the tiles of rows that pool.mlir took, kept in POOLED, so that the rows of a
// chunk may come in several launches, and a list of the `top_k` best blocks of this program's part, for `select`.
//
// PARTS is that of pool.mlir, seen as [batch * tiles + tile, outer, part, column], `span` parts a span; POOLED is [batch * tiles + tile, outer, span, column], and not touched
// where the launch is the first and the last; VALUES and IDS [batch, outer * list_stride + split, span, place].

gpu.module @kernels {
  gpu.func @landmark_pool_top(%PARTS: !logits_view, %SLOTS: !numbers, %LENGTHS: !numbers, %POOLED: !logits_view, %VALUES: !list_view, %IDS: !list_ids_view,
                              %span: index, %splits: index, %list_stride: index, %outer_step: index, %back: index, %window: index, %tiles: index,
                              %is_first: index, %is_last: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_landmarks" : index
    %keep = tile.param "top_k" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %minus_inf = arith.constant 0xFF800000 : f32

    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %PARTS span %span tile %span splits %splits : !logits_view
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
    %begin, %stop = landmark.part %split of %splits to %end step %step

    tile.grid_wait
    %starts = arith.cmpi ne, %is_first, %zero : index
    %ends = arith.cmpi ne, %is_last, %zero : index
    %span_end = arith.addi %span_index, %one : index
    %carried_in = arith.select %starts, %span_index, %span_end : index
    %carried_out = arith.select %ends, %span_index, %span_end : index
    %none = arith.constant dense<0xFF800000> : !g_tile
    %first_tile = arith.muli %batch, %tiles : index
    %v0 = arith.constant dense<0xFF800000> : !list
    %i0 = arith.constant dense<2147483647> : !list_ids
    %v, %i = scf.for %b = %begin to %stop step %step iter_args(%v = %v0, %i = %i0) -> (!list, !list_ids) {
      %place = arith.divui %b, %step : index
      %parts_tile = arith.addi %first_tile, %place : index
      %most = scf.for %r = %row to %row_end step %tile iter_args(%most = %none) -> !g_tile {
        %of_tiles = tile.read_rows %PARTS[%parts_tile, %outer, %r] below %row_end else %minus_inf : !logits_view -> !g_tile
        %most_next = arith.maxnumf %most, %of_tiles : !g_tile
        scf.yield %most_next : !g_tile
      }
      %columns = tile.reduce max %most along [0] : !g_tile -> !columns
      %here = tile.broadcast %columns to [1] : !columns -> !g_tile
      %before = tile.read_rows %POOLED[%parts_tile, %outer, %span_index] below %carried_in else %minus_inf : !logits_view -> !g_tile
      %pooled = arith.maxnumf %before, %here : !g_tile
      tile.store %pooled, %POOLED[%parts_tile, %outer, %span_index] below %carried_out : !g_tile, !logits_view
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
