// Retrieval, last step of the selection: one list of block ids for every row, in ascending order.      (SPEC: docs/spec.md, section 5)
//
// A program makes the list of one row. VALUES and IDS hold `candidates` candidates a row, the lists of score_top or pool side by side, cut into pieces that stand under each
// other as rows of a tile, so that all threads share the one list: [batch, inner * outers + outer, piece, column]; what lies beyond the candidates is not read for its
// value. TABLE, [batch, outer, inner, place], receives the ids, then -1.

gpu.module @kernels {
  gpu.func @landmark_select(%VALUES: !candidates_view, %IDS: !candidate_ids_view, %TABLE: !list_ids_view, %outers: index, %candidates: index) kernel {
    %pieces = tile.param "query_tile" : index
    %columns = tile.param "tile_landmarks" : index
    %keep = tile.param "top_k" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %minus_inf = arith.constant 0xFF800000 : f32
    %no_block = arith.constant 2147483647 : i32

    %rows = memref.dim %TABLE, %two : !list_ids_view
    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %TABLE span %rows tile %one splits %one : !list_ids_view
    %inner_rows = arith.muli %row, %outers : index
    %list_row = arith.addi %inner_rows, %outer : index
    %column_number = arith.index_cast %columns : index to i32
    %column_row = tensor.splat %column_number : !row_index
    %piece_numbers = tile.iota : !row_index
    %before = arith.muli %piece_numbers, %column_row : !row_index
    %short = arith.subi %columns, %one : index
    %rounded = arith.addi %candidates, %short : index
    %end = arith.divui %rounded, %columns : index

    tile.grid_wait
    %v0 = arith.constant dense<0xFF800000> : !list
    %i0 = arith.constant dense<2147483647> : !list_ids
    %v, %i = scf.for %piece = %zero to %end step %pieces iter_args(%v = %v0, %i = %i0) -> (!list, !list_ids) {
      %values = tile.read_rows %VALUES[%batch, %list_row, %piece] below %end else %minus_inf : !candidates_view -> !g_tile
      %ids = tile.read_rows %IDS[%batch, %list_row, %piece] below %end else %no_block : !candidate_ids_view -> !gate_ids
      // How many candidates are left for each piece.
      %taken = arith.muli %piece, %columns : index
      %left = arith.subi %candidates, %taken : index
      %left_number = arith.index_cast %left : index to i32
      %left_row = tensor.splat %left_number : !row_index
      %limit = arith.subi %left_row, %before : !row_index
      %seen = landmark.candidates at %zero below %limit : !row_index -> !gates
      %none = arith.constant dense<0xFF800000> : !g_tile
      %no_ids = arith.constant dense<2147483647> : !gate_ids
      %there = arith.select %seen, %values, %none : !gates, !g_tile
      %there_ids = arith.select %seen, %ids, %no_ids : !gates, !gate_ids
      %v_next, %i_next = landmark.top_k %v, %i add %there, %there_ids keep %keep across : !list, !list_ids, !g_tile, !gate_ids
      scf.yield %v_next, %i_next : !list, !list_ids
    }

    %sorted = landmark.sort %i : !list_ids
    %next = arith.addi %row, %one : index
    tile.store %sorted, %TABLE[%batch, %outer, %row] below %next : !list_ids, !list_ids_view
    gpu.return
  }
}
