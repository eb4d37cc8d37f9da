// Retrieval, last step of the selection: one list of block ids for every row, in ascending order.      (SPEC: docs/spec.md, section 5)
//
// VALUES and IDS hold `candidates` candidates a row, the lists of score_top or pool side by side, seen as [batch, outer * chunks + chunk, inner, column]; what lies beyond the
// candidates is not read for its value. TABLE, [batch, outer, inner, place], receives the ids, then -1.

gpu.module @kernels {
  gpu.func @landmark_select(%VALUES: !logits_view, %IDS: !logit_ids_view, %TABLE: !list_ids_view, %chunks: index, %candidates: index) kernel {
    %tile = tile.param "query_tile" : index
    %step = tile.param "tile_landmarks" : index
    %keep = tile.param "top_k" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %minus_inf = arith.constant 0xFF800000 : f32
    %no_block = arith.constant 2147483647 : i32

    %rows = memref.dim %TABLE, %two : !list_ids_view
    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %TABLE span %rows tile %tile splits %one : !list_ids_view
    %end_number = arith.index_cast %candidates : index to i32
    %limit = tensor.splat %end_number : !row_index
    %first_chunk = arith.muli %outer, %chunks : index

    %v0 = arith.constant dense<0xFF800000> : !list
    %i0 = arith.constant dense<2147483647> : !list_ids
    %v, %i = scf.for %b = %zero to %candidates step %step iter_args(%v = %v0, %i = %i0) -> (!list, !list_ids) {
      %place = arith.divui %b, %step : index
      %chunk = arith.addi %first_chunk, %place : index
      %values = tile.read_rows %VALUES[%batch, %chunk, %row] below %row_end else %minus_inf : !logits_view -> !g_tile
      %ids = tile.read_rows %IDS[%batch, %chunk, %row] below %row_end else %no_block : !logit_ids_view -> !gate_ids
      %seen = landmark.candidates at %b below %limit : !row_index -> !gates
      %none = arith.constant dense<0xFF800000> : !g_tile
      %no_ids = arith.constant dense<2147483647> : !gate_ids
      %there = arith.select %seen, %values, %none : !gates, !g_tile
      %there_ids = arith.select %seen, %ids, %no_ids : !gates, !gate_ids
      %v_next, %i_next = landmark.top_k %v, %i add %there, %there_ids keep %keep : !list, !list_ids, !g_tile, !gate_ids
      scf.yield %v_next, %i_next : !list, !list_ids
    }

    %sorted = landmark.sort %i : !list_ids
    tile.store %sorted, %TABLE[%batch, %outer, %row] below %row_end : !list_ids, !list_ids_view
    gpu.return
  }
}
