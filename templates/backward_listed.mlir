// Landmark attention, backward with a gate threshold, step 2: the tiles of lists.                          (SPEC: docs/spec.md, section 3)
//
// backward.mlir, but for which tiles its programs take: of keys those that the second kernel of forward_gates.mlir lists, of rows those that backward_gates.mlir lists.
// What is left out lacks in dq, or in dk and dv, and nowhere else.
//
// LISTS and COUNTS are those of forward_gates.mlir, KEY_LISTS and KEY_COUNTS the LISTS and COUNTS of backward_gates.mlir; the type aliases and parameters are those of backward.mlir.

gpu.module @kernels {
  gpu.func @landmark_backward_listed_queries(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                             %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view,
                                             %LISTS: !lists, %COUNTS: !lists, %KEY_LISTS: !lists, %KEY_COUNTS: !lists,
                                             %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %ordinary = tile.param "ordinary_tokens" : index // L - 1: a landmark's value is never read
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32            // exponentials are powers of 2
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %dim = arith.constant 2 : index

    // The rows of this program, their positions, and the list of key tiles: edges, tiles that need no masks, edges.
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index

    %program = arith.divui %row, %tile : index
    %listed_number = memref.load %COUNTS[%batch, %head, %program, %zero] : !lists
    %from_number = memref.load %COUNTS[%batch, %head, %program, %one] : !lists
    %to_number = memref.load %COUNTS[%batch, %head, %program, %two] : !lists
    %listed = arith.index_cast %listed_number : i32 to index
    %from = arith.index_cast %from_number : i32 to index
    %to = arith.index_cast %to_number : i32 to index

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
    tile.store %delta, %DELTA[%batch, %head, %row] below %queries : !row, !rows_view

    %lse_e = tile.load %LSE[%batch, %head, %row] in [%zero, %queries) : !rows_view -> !row
    %base = arith.constant dense<1.44269504> : !row
    %lse = arith.mulf %lse_e, %base : !row          // base 2
    %q = tile.load %Q[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %do = tile.load %DO[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %s0 = arith.constant dense<0.0> : !s_tile
    %dq0 = arith.constant dense<0.0> : !o_tile

    %dq = scf.for %i = %zero to %listed step %one iter_args(%acc = %dq0) -> !o_tile {
      %edge = tile.edge %i interior(%from, %to)
      %block = memref.load %LISTS[%batch, %head, %program, %i] : !lists
      %b = arith.index_cast %block : i32 to index
      %block_row = arith.muli %b, %L : index
      %key = arith.subi %block_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !kv_tile
      %v = tile.load %V[%batch, %kv_head, %key] stride %L count %ordinary in [%zero, %keys) : !view -> !kv_tile
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %a = tile.dot %do, %v transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %seen, %own = scf.if %edge -> (!seen, !own) {
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !row_index, !row_index -> !seen
        %own_block = landmark.own %row_block at %b : !row_index -> !own
        scf.yield %tokens, %own_block : !seen, !own
      } else {
        %tokens = landmark.ordinary block(%L) : !seen
        %own_block = arith.constant dense<false> : !own
        scf.yield %tokens, %own_block : !seen, !own
      }
      %p, %ds = landmark.gradients %s, %a seen %seen own %own lse %lse delta %delta factor %c block(%L) : !s_tile, !seen, !own, !row
      %ds_in = tile.cast %ds : !s_tile -> !p_tile
      %acc_next = tile.dot %ds_in, %k into %acc : !p_tile, !kv_tile -> !o_tile
      scf.yield %acc_next : !o_tile
    }

    %scales = tensor.splat %scale : !o_tile
    %dq_scaled = arith.mulf %dq, %scales : !o_tile
    %out = tile.cast %dq_scaled : !o_tile -> !dq_tile
    tile.store %out, %DQ[%batch, %head, %row] below %queries : !dq_tile, !grad_view
    gpu.return
  }

  gpu.func @landmark_backward_listed_keys(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                          %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view,
                                          %LISTS: !lists, %COUNTS: !lists, %KEY_LISTS: !lists, %KEY_COUNTS: !lists,
                                          %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %ordinary = tile.param "ordinary_tokens" : index
    %step = tile.param "tile_blocks" : index
    %block_rows = tile.param "tile_tokens" : index
    %passes = tile.param "passes" : index           // 1: dk and dv together; 2: one after the other, where registers do not hold both
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %dim = arith.constant 2 : index
    %is_one_pass = arith.cmpi eq, %passes, %one : index

    // The blocks of this program, and its list: tiles of rows that need masks, those of all heads, then the others.
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
    %listed_number = memref.load %KEY_COUNTS[%batch, %kv_head, %key_tile, %zero] : !lists
    %edges_number = memref.load %KEY_COUNTS[%batch, %kv_head, %key_tile, %one] : !lists
    %end = arith.index_cast %listed_number : i32 to index
    %begin = arith.index_cast %edges_number : i32 to index

    %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !kv_tile
    %v = tile.load %V[%batch, %kv_head, %key] stride %L count %ordinary in [%zero, %keys) : !view -> !kv_tile
    %s0 = arith.constant dense<0.0> : !key_s_tile
    %d0 = arith.constant dense<0.0> : !d_tile
    %base = arith.constant dense<1.44269504> : !key_row

    %dv, %dk1 = scf.for %t = %zero to %end step %one iter_args(%dv_acc = %d0, %dk_acc = %d0) -> (!d_tile, !d_tile) {
      %edge = tile.edge %t interior(%begin, %end)
      %head_place = arith.muli %t, %two : index
      %row_place = arith.addi %head_place, %one : index
      %head_number = memref.load %KEY_LISTS[%batch, %kv_head, %key_tile, %head_place] : !lists
      %row_number = memref.load %KEY_LISTS[%batch, %kv_head, %key_tile, %row_place] : !lists
      %h = arith.index_cast %head_number : i32 to index
      %row = arith.index_cast %row_number : i32 to index
      %q = tile.load %Q[%batch, %h, %row] in [%zero, %queries) : !view -> !key_q_tile
      %do = tile.load %DO[%batch, %h, %row] in [%zero, %queries) : !view -> !key_q_tile
      %lse_e = tile.load %LSE[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !key_row
      %delta = tile.load %DELTA[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !key_row
      %lse = arith.mulf %lse_e, %base : !key_row
      %s = tile.dot %q, %k transpose into %s0 : !key_q_tile, !kv_tile -> !key_s_tile
      %a = tile.dot %do, %v transpose into %s0 : !key_q_tile, !kv_tile -> !key_s_tile
      %seen, %own = scf.if %edge -> (!key_seen, !key_own) {
        %position = arith.addi %row, %q_offset : index
        %row_block, %row_token = landmark.locate %position phase %phase block %L : !key_row_index, !key_row_index
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !key_row_index, !key_row_index -> !key_seen
        %own_block = landmark.own %row_block at %b : !key_row_index -> !key_own
        scf.yield %tokens, %own_block : !key_seen, !key_own
      } else {
        %tokens = landmark.ordinary block(%L) : !key_seen
        %own_block = arith.constant dense<false> : !key_own
        scf.yield %tokens, %own_block : !key_seen, !key_own
      }
      %p, %ds = landmark.gradients %s, %a seen %seen own %own lse %lse delta %delta factor %c block(%L) : !key_s_tile, !key_seen, !key_own, !key_row
      %p_in = tile.cast %p : !key_s_tile -> !key_p_tile
      %dv_next = tile.dot %p_in transposed, %do into %dv_acc : !key_p_tile, !key_q_tile -> !d_tile
      %dk_next = scf.if %is_one_pass -> !d_tile {
        %ds_in = tile.cast %ds : !key_s_tile -> !key_p_tile
        %sum = tile.dot %ds_in transposed, %q into %dk_acc : !key_p_tile, !key_q_tile -> !d_tile
        scf.yield %sum : !d_tile
      } else {
        scf.yield %dk_acc : !d_tile
      }
      scf.yield %dv_next, %dk_next : !d_tile, !d_tile
    }
    %dv_out = tile.cast %dv : !d_tile -> !dkv_tile
    tile.store %dv_out, %DV[%batch, %kv_head, %key] blocks of %block_rows stride %L below %keys : !dkv_tile, !grad_view

    // The second pass, over nothing where there was one.
    %begin2 = arith.select %is_one_pass, %zero, %begin : index
    %end2 = arith.select %is_one_pass, %zero, %end : index
    %dk = scf.for %t = %zero to %end2 step %one iter_args(%dk_acc = %dk1) -> !d_tile {
      %edge = tile.edge %t interior(%begin2, %end2)
      %head_place = arith.muli %t, %two : index
      %row_place = arith.addi %head_place, %one : index
      %head_number = memref.load %KEY_LISTS[%batch, %kv_head, %key_tile, %head_place] : !lists
      %row_number = memref.load %KEY_LISTS[%batch, %kv_head, %key_tile, %row_place] : !lists
      %h = arith.index_cast %head_number : i32 to index
      %row = arith.index_cast %row_number : i32 to index
      %q = tile.load %Q[%batch, %h, %row] in [%zero, %queries) : !view -> !key_q_tile
      %do = tile.load %DO[%batch, %h, %row] in [%zero, %queries) : !view -> !key_q_tile
      %lse_e = tile.load %LSE[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !key_row
      %delta = tile.load %DELTA[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !key_row
      %lse = arith.mulf %lse_e, %base : !key_row
      %s = tile.dot %q, %k transpose into %s0 : !key_q_tile, !kv_tile -> !key_s_tile
      %a = tile.dot %do, %v transpose into %s0 : !key_q_tile, !kv_tile -> !key_s_tile
      %seen, %own = scf.if %edge -> (!key_seen, !key_own) {
        %position = arith.addi %row, %q_offset : index
        %row_block, %row_token = landmark.locate %position phase %phase block %L : !key_row_index, !key_row_index
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !key_row_index, !key_row_index -> !key_seen
        %own_block = landmark.own %row_block at %b : !key_row_index -> !key_own
        scf.yield %tokens, %own_block : !key_seen, !key_own
      } else {
        %tokens = landmark.ordinary block(%L) : !key_seen
        %own_block = arith.constant dense<false> : !key_own
        scf.yield %tokens, %own_block : !key_seen, !key_own
      }
      %p, %ds = landmark.gradients %s, %a seen %seen own %own lse %lse delta %delta factor %c block(%L) : !key_s_tile, !key_seen, !key_own, !key_row
      %ds_in = tile.cast %ds : !key_s_tile -> !key_p_tile
      %dk_next = tile.dot %ds_in transposed, %q into %dk_acc : !key_p_tile, !key_q_tile -> !d_tile
      scf.yield %dk_next : !d_tile
    }
    %scales = tensor.splat %scale : !d_tile
    %dk_scaled = arith.mulf %dk, %scales : !d_tile
    %dk_out = tile.cast %dk_scaled : !d_tile -> !dkv_tile
    tile.store %dk_out, %DK[%batch, %kv_head, %key] blocks of %block_rows stride %L below %keys : !dkv_tile, !grad_view
    gpu.return
  }
}
