// Retrieval, last step of the selection where attention does not merge lists itself: one list of block ids for every row, in ascending order.  (SPEC: docs/spec.md, section 5)
//
// A program makes the list of one row. VALUES and IDS hold `candidates` candidates a row, the lists of score_top or pool side by side, [batch, inner * outers + outer, piece,
// column]. TABLE, [batch, outer, inner, place], receives the ids, then -1.

gpu.module @kernels {
  gpu.func @landmark_select(%VALUES: !candidates_view, %IDS: !candidate_ids_view, %TABLE: !list_ids_view, %outers: index, %candidates: index) kernel {
    %keep = tile.param "top_k" : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %rows = memref.dim %TABLE, %two : !list_ids_view
    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %TABLE span %rows tile %one splits %one : !list_ids_view
    %inner_rows = arith.muli %row, %outers : index
    %list_row = arith.addi %inner_rows, %outer : index
    tile.grid_wait behind %batch, %row
    %ids = landmark.choose %VALUES, %IDS[%batch, %list_row] candidates %candidates keep %keep : !candidates_view, !candidate_ids_view -> !list_ids
    tile.store %ids, %TABLE[%batch, %outer, %row] below %row_end : !list_ids, !list_ids_view
    gpu.return
  }
}
