// Retrieval, step 4 where attention was split: one result of the parts.                                (SPEC: docs/spec.md, section 2)
//
// PARTS and PART_LSE are what attend.mlir left, [batch * splits + split, outer, inner, D] in float32 and the same without the D, natural logarithms; O and LSE are
// [batch, outer, inner, D] and [batch, outer, inner].

gpu.module @kernels {
  gpu.func @landmark_merge(%PARTS: !out_view, %PART_LSE: !rows_view, %O: !view, %LSE: !rows_view, %splits: index) kernel {
    %tile = tile.param "query_tile" : index
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %nothing = arith.constant 0.0 : f32
    %minus_inf = arith.constant 0xFF800000 : f32
    %rows = memref.dim %O, %two : !view
    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %O span %rows tile %tile splits %one : !view
    %first_part = arith.muli %batch, %splits : index

    %log2e = arith.constant dense<1.44269504> : !row
    %o0 = arith.constant dense<0.0> : !o_tile
    %lse0 = arith.constant dense<0xFF800000> : !row
    %o, %lse = scf.for %s = %zero to %splits step %one iter_args(%acc = %o0, %lse = %lse0) -> (!o_tile, !row) {
      %part = arith.addi %first_part, %s : index
      %o_part = tile.read_rows %PARTS[%part, %outer, %row] below %row_end else %nothing : !out_view -> !o_tile
      %part_lse_e = tile.read_rows %PART_LSE[%part, %outer, %row] below %row_end else %minus_inf : !rows_view -> !row
      %part_lse = arith.mulf %part_lse_e, %log2e : !row
      %both = landmark.join %lse, %part_lse : !row
      %old = landmark.share %lse of %both : !row
      %new = landmark.share %part_lse of %both : !row
      %old_row = tile.broadcast %old to [0] : !row -> !o_tile
      %new_row = tile.broadcast %new to [0] : !row -> !o_tile
      %kept = arith.mulf %acc, %old_row : !o_tile
      %added = arith.mulf %o_part, %new_row : !o_tile
      %sum = arith.addf %kept, %added : !o_tile
      scf.yield %sum, %both : !o_tile, !row
    }

    %out = tile.cast %o : !o_tile -> !q_tile
    tile.store %out, %O[%batch, %outer, %row] below %row_end : !q_tile, !view
    %ln2 = arith.constant dense<0.693147181> : !row
    %lse_e = arith.mulf %lse, %ln2 : !row
    tile.store %lse_e, %LSE[%batch, %outer, %row] below %row_end : !row, !rows_view
    gpu.return
  }
}
