// Landmark attention, backward in five products, for blocks that fit a key tile.                     (SPEC: docs/spec.md, section 3)
//
// Three kernels, launched one after the other. The first goes by tiles of query rows: it leaves D = do . o of every row (less the gradient of the row's
// log-sum-exp) and the log-sum-exp in base 2, and zeroes the sums of dq. The second goes by tiles of keys, as that of backward.mlir does: it computes dk and dv, and adds what its keys give to dq
// to the sums, which those of other tiles do at the same time: in any order, so that runs differ in rounding. The third scales the sums and writes dq.
//
// Specialisation supplies what backward.mlir names, and
//   !sum_view   global memory, [batch, head, row, D] in float32, rows in the order of fragments (tile.write_fragments)
//   !packed_rows  global memory, [batch, head, row], rows side by side, more than there are by a tile less 16: tiles of rows begin at multiples of 16
//   !key_o_tile [rows, D]
//
// With a gate threshold ("listed") the second takes the tiles of rows that backward_gates.mlir lists (KEY_LISTS and KEY_COUNTS are its LISTS and COUNTS). What is left out lacks in
// dq, dk and dv and nowhere else. Without one the kernels have no lists.

gpu.module @kernels {
  gpu.func @landmark_backward_prepare(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                      %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view, %SUM: !sum_view, %ROW_LSE: !packed_rows, %ROW_DELTA: !packed_rows,
                                      %KEY_LISTS: !lists {tile.when = "listed"}, %KEY_COUNTS: !lists {tile.when = "listed"},
                                      %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %tile = tile.param "query_tile" : index
    %zero = arith.constant 0 : index
    %dim = arith.constant 2 : index
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view

    tile.grid_wait // for who wrote the inputs, and for the last call, whose sums lie where these will
    %dq0 = arith.constant dense<0.0> : !o_tile
    tile.write_fragments %dq0, %SUM[%batch, %head, %row] : !o_tile, !sum_view

    // D of every row. Without a gradient of the log-sum-exp its view has no rows, and all of them read as zero.
    %o_in = tile.load %O[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %do_in = tile.load %DO[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %o_rows = tile.cast %o_in : !q_tile -> !o_tile
    %do_rows = tile.cast %do_in : !q_tile -> !o_tile
    %do_o = arith.mulf %do_rows, %o_rows : !o_tile
    %d = tile.reduce sum %do_o along [1] : !o_tile -> !row
    %dlse_rows = memref.dim %DLSE, %dim : !rows_view
    %dlse = tile.load %DLSE[%batch, %head, %row] in [%zero, %dlse_rows) : !rows_view -> !row
    %delta = arith.subf %d, %dlse : !row
    %lse_e = tile.load %LSE[%batch, %head, %row] in [%zero, %queries) : !rows_view -> !row
    %base = arith.constant dense<1.44269504> : !row
    %lse = arith.mulf %lse_e, %base : !row          // base 2
    %rows = memref.dim %ROW_LSE, %dim : !packed_rows
    tile.store %lse, %ROW_LSE[%batch, %head, %row] below %rows : !row, !packed_rows
    tile.store %delta, %ROW_DELTA[%batch, %head, %row] below %rows : !row, !packed_rows

    // Behind the last row there are zeros, for tiles that end there.
    %behind = arith.addi %row, %tile : index
    %is_last = arith.cmpi sge, %behind, %queries : index
    scf.if %is_last {
      %none = arith.constant dense<0.0> : !row
      tile.store %none, %ROW_LSE[%batch, %head, %behind] below %rows : !row, !packed_rows
      tile.store %none, %ROW_DELTA[%batch, %head, %behind] below %rows : !row, !packed_rows
    }
    gpu.return
  }

  gpu.func @landmark_backward_keys(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                   %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view, %SUM: !sum_view, %ROW_LSE: !packed_rows, %ROW_DELTA: !packed_rows,
                                   %KEY_LISTS: !lists {tile.when = "listed"}, %KEY_COUNTS: !lists {tile.when = "listed"},
                                   %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "key_query_tile" : index
    %ordinary = tile.param "ordinary_tokens" : index
    %step = tile.param "tile_blocks" : index
    %block_rows = tile.param "tile_tokens" : index
    %has_lists = tile.param "listed" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %dim = arith.constant 2 : index
    %listed = arith.cmpi eq, %has_lists, %one : index

    // The blocks of this program, and the rows of all heads that read them: first the tiles of rows that need masks, those of all heads, then the others. So are lists.
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %places = arith.addi %keys, %phase : index
    %before_last = arith.subi %places, %one : index
    %last_block = arith.divui %before_last, %L : index
    %last_tile = arith.divui %last_block, %step : index
    %key_tiles = arith.addi %last_tile, %one : index
    %batch, %kv_head, %head, %heads, %key_tile = landmark.key_program %Q, %K tiles %key_tiles section %section : !view, !view
    %b = arith.muli %key_tile, %step : index
    %block_row = arith.muli %b, %L : index
    %key = arith.subi %block_row, %phase : index
    %first, %edges, %row_tiles = landmark.row_range blocks(%b, %step) rows(%queries, %q_offset) keys(%keys) phase(%phase) block(%L) tile(%tile) align 16
    %inner_tiles = arith.subi %row_tiles, %edges : index
    %edge_rows = arith.muli %edges, %tile : index
    %inner_first = arith.addi %first, %edge_rows : index
    %begin, %end = scf.if %listed -> (index, index) {
      %edges_number = memref.load %KEY_COUNTS[%batch, %kv_head, %key_tile, %one] : !lists
      %listed_number = memref.load %KEY_COUNTS[%batch, %kv_head, %key_tile, %zero] : !lists
      %listed_edges = arith.index_cast %edges_number : i32 to index
      %listed_tiles = arith.index_cast %listed_number : i32 to index
      scf.yield %listed_edges, %listed_tiles : index, index
    } else {
      %all_edges = arith.muli %heads, %edges : index
      %all_tiles = arith.muli %heads, %row_tiles : index
      scf.yield %all_edges, %all_tiles : index, index
    }

    %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !kv_tile
    %v = tile.load %V[%batch, %kv_head, %key] stride %L count %ordinary in [%zero, %keys) : !view -> !kv_tile
    %s0 = arith.constant dense<0.0> : !key_s_tile
    %d0 = arith.constant dense<0.0> : !d_tile
    %q0 = arith.constant dense<0.0> : !key_o_tile
    %rows = memref.dim %ROW_LSE, %dim : !packed_rows

    tile.grid_wait // what is fetched until here, the kernel before does not write
    %dv, %dk = scf.for %t = %zero to %end step %one iter_args(%dv_acc = %d0, %dk_acc = %d0) -> (!d_tile, !d_tile) {
      %edge = tile.edge %t interior(%begin, %end)
      %h, %row = scf.if %listed -> (index, index) {
        %head_place = arith.muli %t, %two : index
        %row_place = arith.addi %head_place, %one : index
        %head_number = memref.load %KEY_LISTS[%batch, %kv_head, %key_tile, %head_place] : !lists
        %row_number = memref.load %KEY_LISTS[%batch, %kv_head, %key_tile, %row_place] : !lists
        %listed_head = arith.index_cast %head_number : i32 to index
        %listed_row = arith.index_cast %row_number : i32 to index
        scf.yield %listed_head, %listed_row : index, index
      } else {
        %edge_or_inner:2 = scf.if %edge -> (index, index) {
          %edge_head, %edge_row = landmark.group_tile %t heads(%head) first(%first) tiles(%edges) tile(%tile)
          scf.yield %edge_head, %edge_row : index, index
        } else {
          %u = arith.subi %t, %begin : index
          %inner_head, %inner_row = landmark.group_tile %u heads(%head) first(%inner_first) tiles(%inner_tiles) tile(%tile)
          scf.yield %inner_head, %inner_row : index, index
        }
        scf.yield %edge_or_inner#0, %edge_or_inner#1 : index, index
      }
      %q = tile.load %Q[%batch, %h, %row] in [%zero, %queries) : !view -> !key_q_tile
      %do = tile.load %DO[%batch, %h, %row] in [%zero, %queries) : !view -> !key_q_tile
      %lse = tile.load %ROW_LSE[%batch, %h, %row] in [%zero, %rows) whole : !packed_rows -> !key_row
      %delta = tile.load %ROW_DELTA[%batch, %h, %row] in [%zero, %rows) whole : !packed_rows -> !key_row
      %s = tile.dot %q, %k transpose into %s0 : !key_q_tile, !kv_tile -> !key_s_tile
      %a = tile.dot %do, %v transpose into %s0 : !key_q_tile, !kv_tile -> !key_s_tile
      %p_in, %ds_in = scf.if %edge -> (!key_p_tile, !key_p_tile) {
        %position = arith.addi %row, %q_offset : index
        %row_block, %row_token = landmark.locate %position phase %phase block %L : !key_row_index, !key_row_index
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !key_row_index, !key_row_index -> !key_seen
        %own = landmark.own %row_block at %b : !key_row_index -> !key_own
        %p, %ds = landmark.gradients %s, %a seen %tokens own %own lse %lse delta %delta factor %c block(%L) : !key_s_tile, !key_seen, !key_own, !key_row
        %p_edge = tile.cast %p : !key_s_tile -> !key_p_tile
        %ds_edge = tile.cast %ds : !key_s_tile -> !key_p_tile
        scf.yield %p_edge, %ds_edge : !key_p_tile, !key_p_tile
      } else {
        %p_quick, %ds_quick, %fits = landmark.past_gradients %s, %a lse %lse delta %delta factor %c block(%L) : !key_s_tile, !key_row
        %p_early = tile.cast %p_quick : !key_s_tile -> !key_p_tile // before the branch, where they mix with other work
        %ds_early = tile.cast %ds_quick : !key_s_tile -> !key_p_tile
        %p_past, %ds_past = scf.if %fits -> (!key_p_tile, !key_p_tile) {
          scf.yield %p_early, %ds_early : !key_p_tile, !key_p_tile
        } else { // logits far from the row's log-sum-exp: once more, with the maximum of every block
          %s_again = tile.dot %q, %k transpose into %s0 anew : !key_q_tile, !kv_tile -> !key_s_tile
          %a_again = tile.dot %do, %v transpose into %s0 anew : !key_q_tile, !kv_tile -> !key_s_tile
          %tokens = landmark.ordinary block(%L) : !key_seen
          %none = arith.constant dense<false> : !key_own
          %p_exact, %ds_exact = landmark.gradients %s_again, %a_again seen %tokens own %none lse %lse delta %delta factor %c block(%L)
              : !key_s_tile, !key_seen, !key_own, !key_row
          %p = tile.cast %p_exact : !key_s_tile -> !key_p_tile
          %ds = tile.cast %ds_exact : !key_s_tile -> !key_p_tile
          scf.yield %p, %ds : !key_p_tile, !key_p_tile
        }
        scf.yield %p_past, %ds_past : !key_p_tile, !key_p_tile
      }
      %dq = tile.dot %ds_in, %k into %q0 : !key_p_tile, !kv_tile -> !key_o_tile
      %dv_next = tile.dot %p_in transposed, %do into %dv_acc : !key_p_tile, !key_q_tile -> !d_tile
      %dk_next = tile.dot %ds_in transposed, %q into %dk_acc : !key_p_tile, !key_q_tile -> !d_tile
      tile.write_fragments add %dq, %SUM[%batch, %h, %row] : !key_o_tile, !sum_view
      scf.yield %dv_next, %dk_next : !d_tile, !d_tile
    }
    %dv_out = tile.cast %dv : !d_tile -> !dkv_tile
    tile.store %dv_out, %DV[%batch, %kv_head, %key] blocks of %block_rows stride %L below %keys : !dkv_tile, !grad_view

    %scales = tensor.splat %scale : !d_tile
    %dk_scaled = arith.mulf %dk, %scales : !d_tile
    %dk_out = tile.cast %dk_scaled : !d_tile -> !dkv_tile
    tile.store %dk_out, %DK[%batch, %kv_head, %key] blocks of %block_rows stride %L below %keys : !dkv_tile, !grad_view
    gpu.return
  }

  gpu.func @landmark_backward_finish(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                      %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view, %SUM: !sum_view, %ROW_LSE: !packed_rows, %ROW_DELTA: !packed_rows,
                                      %KEY_LISTS: !lists {tile.when = "listed"}, %KEY_COUNTS: !lists {tile.when = "listed"},
                                      %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %tile = tile.param "query_tile" : index
    %zero = arith.constant 0 : index
    %dim = arith.constant 2 : index
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view

    tile.grid_wait
    %dq = tile.read_fragments %SUM[%batch, %head, %row] : !sum_view -> !o_tile
    %scales = tensor.splat %scale : !o_tile
    %dq_scaled = arith.mulf %dq, %scales : !o_tile
    %out = tile.cast %dq_scaled : !o_tile -> !dq_tile
    tile.store %out, %DQ[%batch, %head, %row] below %queries : !dq_tile, !grad_view
    gpu.return
  }
}
