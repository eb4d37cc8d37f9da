// Retrieval, step 4 where attention was split: one result of the parts.                                (SPEC: docs/spec.md, section 2)
//
// A program merges one row. PARTS and PART_LSE are what attend.mlir left of it, seen as rows of a tile: [batch, outer * inners + inner, split, D] in float32 and the same
// without the D, natural logarithms; O and LSE are [batch, outer, inner, D] and [batch, outer, inner].

gpu.module @kernels {
  gpu.func @landmark_merge(%PARTS: !out_view, %PART_LSE: !rows_view, %O: !view, %LSE: !rows_view, %splits: index) kernel {
    %tile = tile.param "query_tile" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %nothing = arith.constant 0.0 : f32
    %minus_inf = arith.constant 0xFF800000 : f32
    %inners = memref.dim %O, %two : !view
    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %O span %inners tile %one splits %one : !view
    %rows_before = arith.muli %outer, %inners : index
    %part_row = arith.addi %rows_before, %row : index
    tile.grid_wait behind %batch, %row

    %log2e = arith.constant dense<1.44269504> : !row
    %o0 = arith.constant dense<0.0> : !o_row
    %lse0 = arith.constant dense<0xFF800000> : !number
    %o, %lse = scf.for %s = %zero to %splits step %tile iter_args(%acc = %o0, %lse = %lse0) -> (!o_row, !number) {
      %parts = tile.read_rows %PARTS[%batch, %part_row, %s] below %splits else %nothing : !out_view -> !o_tile
      %part_lse_e = tile.read_rows %PART_LSE[%batch, %part_row, %s] below %splits else %minus_inf : !rows_view -> !row
      %part_lse = arith.mulf %part_lse_e, %log2e : !row
      // The log-sum-exp of these parts, then of these and those before.
      %most = tile.reduce max %part_lse along [0] : !row -> !number
      %most_row = tile.broadcast %most to [] : !number -> !row
      %terms = landmark.share %part_lse of %most_row : !row
      %sum = tile.reduce sum %terms along [0] : !row -> !number
      %log = math.log2 %sum fastmath<afn> : !number
      %these = arith.addf %most, %log : !number
      %both = landmark.join %lse, %these : !number
      %both_row = tile.broadcast %both to [] : !number -> !row
      %weights = landmark.share %part_lse of %both_row : !row
      %weight_tile = tile.broadcast %weights to [0] : !row -> !o_tile
      %weighted = arith.mulf %parts, %weight_tile : !o_tile
      %added = tile.reduce sum %weighted along [0] : !o_tile -> !o_row
      %old = landmark.share %lse of %both : !number
      %old_row = tile.broadcast %old to [] : !number -> !o_row
      %kept = arith.mulf %acc, %old_row : !o_row
      %next = arith.addf %kept, %added : !o_row
      scf.yield %next, %both : !o_row, !number
    }

    %o_rows = tile.broadcast %o to [1] : !o_row -> !o_tile
    %out = tile.cast %o_rows : !o_tile -> !q_tile
    tile.store %out, %O[%batch, %outer, %row] below %row_end : !q_tile, !view
    %lse_row = tile.broadcast %lse to [] : !number -> !row
    %ln2 = arith.constant dense<0.693147181> : !row
    %lse_e = arith.mulf %lse_row, %ln2 : !row
    tile.store %lse_e, %LSE[%batch, %outer, %row] below %row_end : !row, !rows_view
    gpu.return
  }
}
