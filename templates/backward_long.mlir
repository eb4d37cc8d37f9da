// Landmark attention, backward, for blocks longer than a key tile.                                   (SPEC: docs/spec.md, section 3)
//
// As backward.mlir, but a block takes several key tiles. What the gradients of a past block need of the whole block, its maximum, the sum of its exponentials and
// that of their products with do . v, is found in a pass of its own over the block's parts; of its own block a row needs none of that.
//
// A tile holds the tokens [from, from + key_tile) of one block; what is beyond the block reads as zero and is seen by no row. Aliases and parameters are those
// of backward.mlir, with one block a tile.

gpu.module @kernels {
  gpu.func @landmark_backward_queries(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                      %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view,
                                      %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %key_tile = tile.param "key_tile" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %dim = arith.constant 2 : index

    // The rows of this program, their positions, and the blocks that they see.
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_end = arith.addi %row, %tile : index
    %rows_end = arith.minsi %row_end, %queries : index
    %end_position = arith.addi %rows_end, %q_offset : index
    %last = arith.subi %end_position, %one : index
    %last_place = arith.addi %last, %phase : index
    %last_block = arith.divui %last_place, %L : index
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%one)

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
    %m0 = arith.constant dense<0xFF800000> : !row
    %n0 = arith.constant dense<0.0> : !row

    %dq = scf.for %b = %zero to %end step %one iter_args(%acc = %dq0) -> !o_tile {
      %edge = tile.edge %b interior(%begin, %past)
      %block_row = arith.muli %b, %L : index
      %block_key = arith.subi %block_row, %phase : index
      // Keys of the block that exist and do not come after all rows; no statistics where it is past for no row.
      %keys_left = arith.subi %keys, %block_key : index
      %seen_left = arith.subi %end_position, %block_key : index
      %there = arith.minsi %keys_left, %seen_left : index
      %parts_end = arith.minsi %L, %there : index
      %is_past = arith.cmpi sgt, %last_block, %b : index
      %stats_end = arith.select %is_past, %parts_end, %zero : index
      %m, %n, %total, %gate = scf.for %part = %zero to %stats_end step %key_tile iter_args(%mt = %m0, %nt = %n0, %tt = %n0, %gt = %n0) -> (!row, !row, !row, !row) {
        %part_key = arith.addi %block_key, %part : index
        %part_left = arith.subi %L, %part : index                  // tokens of the block from here on
        %part_ordinary = arith.subi %part_left, %one : index    // a landmark's value is never read
        %kp = tile.load %K[%batch, %kv_head, %part_key] stride %part_left in [%zero, %keys) : !view -> !kv_tile
        %vp = tile.load %V[%batch, %kv_head, %part_key] stride %part_left count %part_ordinary in [%zero, %keys) : !view -> !kv_tile
        %sp = tile.dot %q, %kp transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %ap = tile.dot %do, %vp transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %part : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = landmark.ordinary block(%L) from %part : !seen
          scf.yield %tokens : !seen
        }
        %m_next, %n_next, %t_next = landmark.product_stats %mt, %nt, %tt add %sp, %ap seen %seen factor %c : !row, !s_tile, !seen
        %g = landmark.gate_logit %sp block(%L) : !s_tile -> !row
        scf.yield %m_next, %n_next, %t_next, %g : !row, !row, !row, !row
      }
      %own = landmark.own %row_block at %b : !row_index -> !row_mask
      %acc_block = scf.for %from = %zero to %parts_end step %key_tile iter_args(%acc_tile = %acc) -> !o_tile {
        %key = arith.addi %block_key, %from : index
        %left = arith.subi %L, %from : index
        %ordinary = arith.subi %left, %one : index
        %k = tile.load %K[%batch, %kv_head, %key] stride %left in [%zero, %keys) : !view -> !kv_tile
        %v = tile.load %V[%batch, %kv_head, %key] stride %left count %ordinary in [%zero, %keys) : !view -> !kv_tile
        %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %a = tile.dot %do, %v transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = landmark.ordinary block(%L) from %from : !seen
          scf.yield %tokens : !seen
        }
        %p, %ds = landmark.part_gradients %s, %a seen %seen own %own stats %m, %n, %total gate %gate lse %lse delta %delta factor %c block(%L) from %from : !s_tile, !seen, !row_mask, !row
        %ds_in = tile.cast %ds : !s_tile -> !p_tile
        %acc_next = tile.dot %ds_in, %k into %acc_tile : !p_tile, !kv_tile -> !o_tile
        scf.yield %acc_next : !o_tile
      }
      scf.yield %acc_block : !o_tile
    }

    %scales = tensor.splat %scale : !o_tile
    %dq_scaled = arith.mulf %dq, %scales : !o_tile
    %out = tile.cast %dq_scaled : !o_tile -> !dq_tile
    tile.store %out, %DQ[%batch, %head, %row] below %queries : !dq_tile, !grad_view
    gpu.return
  }

  gpu.func @landmark_backward_keys(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                   %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view,
                                   %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %key_tile = tile.param "key_tile" : index
    %passes = tile.param "passes" : index           // 1: dk and dv together; 2: one after the other, where registers do not hold both
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %dim = arith.constant 2 : index
    %is_one_pass = arith.cmpi eq, %passes, %one : index

    // The part of a block that is this program's. The last block may have fewer parts.
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %places = arith.addi %keys, %phase : index
    %complete = arith.divui %places, %L : index
    %rest = arith.remui %places, %L : index
    %round_up = arith.subi %key_tile, %one : index
    %padded_block = arith.addi %L, %round_up : index
    %parts = arith.divui %padded_block, %key_tile : index
    %padded_rest = arith.addi %rest, %round_up : index
    %rest_parts = arith.divui %padded_rest, %key_tile : index
    %complete_parts = arith.muli %complete, %parts : index
    %key_tiles = arith.addi %complete_parts, %rest_parts : index
    %batch, %kv_head, %head, %heads, %number = landmark.key_program %Q, %K tiles %key_tiles section %section : !view, !view
    %b = arith.divui %number, %parts : index
    %own_part = arith.remui %number, %parts : index
    %from = arith.muli %own_part, %key_tile : index
    %block_row = arith.muli %b, %L : index
    %block_key = arith.subi %block_row, %phase : index
    %block_end = arith.addi %block_key, %L : index
    %keys_left = arith.subi %keys, %block_key : index
    %parts_end = arith.minsi %L, %keys_left : index
    %key = arith.addi %block_key, %from : index
    %left = arith.subi %L, %from : index
    %ordinary = arith.subi %left, %one : index      // a landmark's value is never read

    // The rows of all heads that read it, from the first tile of them that does; those that need masks first.
    %block_first, %block_edges, %block_tiles = landmark.row_range blocks(%b, %one) rows(%queries, %q_offset) keys(%keys) phase(%phase) block(%L) tile(%tile)
    %first_position = arith.addi %block_first, %q_offset : index
    %before = arith.subi %key, %first_position : index
    %unseeing = arith.maxsi %before, %zero : index
    %unseeing_tiles = arith.divui %unseeing, %tile : index
    %skipped = arith.minsi %unseeing_tiles, %block_edges : index
    %edges = arith.subi %block_edges, %skipped : index
    %row_tiles = arith.subi %block_tiles, %skipped : index
    %skipped_rows = arith.muli %skipped, %tile : index
    %first = arith.addi %block_first, %skipped_rows : index
    %inner_tiles = arith.subi %row_tiles, %edges : index
    %edge_rows = arith.muli %edges, %tile : index
    %inner_first = arith.addi %first, %edge_rows : index
    %begin = arith.muli %heads, %edges : index
    %end = arith.muli %heads, %row_tiles : index

    %k = tile.load %K[%batch, %kv_head, %key] stride %left in [%zero, %keys) : !view -> !kv_tile
    %v = tile.load %V[%batch, %kv_head, %key] stride %left count %ordinary in [%zero, %keys) : !view -> !kv_tile
    %s0 = arith.constant dense<0.0> : !s_tile
    %d0 = arith.constant dense<0.0> : !d_tile
    %m0 = arith.constant dense<0xFF800000> : !row
    %n0 = arith.constant dense<0.0> : !row
    %base = arith.constant dense<1.44269504> : !row

    %dv, %dk1 = scf.for %t = %zero to %end step %one iter_args(%dv_acc = %d0, %dk_acc = %d0) -> (!d_tile, !d_tile) {
      %edge = tile.edge %t interior(%begin, %end)
      %h, %row = scf.if %edge -> (index, index) {
        %edge_head, %edge_row = landmark.group_tile %t heads(%head) first(%first) tiles(%edges) tile(%tile)
        scf.yield %edge_head, %edge_row : index, index
      } else {
        %u = arith.subi %t, %begin : index
        %inner_head, %inner_row = landmark.group_tile %u heads(%head) first(%inner_first) tiles(%inner_tiles) tile(%tile)
        scf.yield %inner_head, %inner_row : index, index
      }
      %q = tile.load %Q[%batch, %h, %row] in [%zero, %queries) : !view -> !q_tile
      %do = tile.load %DO[%batch, %h, %row] in [%zero, %queries) : !view -> !q_tile
      %lse_e = tile.load %LSE[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !row
      %delta = tile.load %DELTA[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !row
      %lse = arith.mulf %lse_e, %base : !row
      %position = arith.addi %row, %q_offset : index
      %row_block, %row_token = landmark.locate %position phase %phase block %L : !row_index, !row_index
      %row_end = arith.addi %row, %tile : index
      %rows_end = arith.minsi %row_end, %queries : index
      %end_position = arith.addi %rows_end, %q_offset : index
      %is_past = arith.cmpi sgt, %end_position, %block_end : index
      %stats_end = arith.select %is_past, %parts_end, %zero : index
      %m, %n, %total, %gate = scf.for %part = %zero to %stats_end step %key_tile iter_args(%mt = %m0, %nt = %n0, %tt = %n0, %gt = %n0) -> (!row, !row, !row, !row) {
        %part_key = arith.addi %block_key, %part : index
        %part_left = arith.subi %L, %part : index                  // tokens of the block from here on
        %part_ordinary = arith.subi %part_left, %one : index    // a landmark's value is never read
        %kp = tile.load %K[%batch, %kv_head, %part_key] stride %part_left in [%zero, %keys) : !view -> !kv_tile
        %vp = tile.load %V[%batch, %kv_head, %part_key] stride %part_left count %part_ordinary in [%zero, %keys) : !view -> !kv_tile
        %sp = tile.dot %q, %kp transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %ap = tile.dot %do, %vp transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %part : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = landmark.ordinary block(%L) from %part : !seen
          scf.yield %tokens : !seen
        }
        %m_next, %n_next, %t_next = landmark.product_stats %mt, %nt, %tt add %sp, %ap seen %seen factor %c : !row, !s_tile, !seen
        %g = landmark.gate_logit %sp block(%L) : !s_tile -> !row
        scf.yield %m_next, %n_next, %t_next, %g : !row, !row, !row, !row
      }
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %a = tile.dot %do, %v transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %seen = scf.if %edge -> !seen {
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
        scf.yield %tokens : !seen
      } else {
        %tokens = landmark.ordinary block(%L) from %from : !seen
        scf.yield %tokens : !seen
      }
      %own = landmark.own %row_block at %b : !row_index -> !row_mask
      %p, %ds = landmark.part_gradients %s, %a seen %seen own %own stats %m, %n, %total gate %gate lse %lse delta %delta factor %c block(%L) from %from : !s_tile, !seen, !row_mask, !row
      %p_in = tile.cast %p : !s_tile -> !p_tile
      %dv_next = tile.dot %p_in transposed, %do into %dv_acc : !p_tile, !q_tile -> !d_tile
      %dk_next = scf.if %is_one_pass -> !d_tile {
        %ds_in = tile.cast %ds : !s_tile -> !p_tile
        %sum = tile.dot %ds_in transposed, %q into %dk_acc : !p_tile, !q_tile -> !d_tile
        scf.yield %sum : !d_tile
      } else {
        scf.yield %dk_acc : !d_tile
      }
      scf.yield %dv_next, %dk_next : !d_tile, !d_tile
    }
    %dv_out = tile.cast %dv : !d_tile -> !dkv_tile
    tile.store %dv_out, %DV[%batch, %kv_head, %key] blocks of %key_tile stride %left below %keys : !dkv_tile, !grad_view

    // The second pass, over nothing where there was one.
    %begin2 = arith.select %is_one_pass, %zero, %begin : index
    %end2 = arith.select %is_one_pass, %zero, %end : index
    %dk = scf.for %t = %zero to %end2 step %one iter_args(%dk_acc = %dk1) -> !d_tile {
      %edge = tile.edge %t interior(%begin2, %end2)
      %h, %row = scf.if %edge -> (index, index) {
        %edge_head, %edge_row = landmark.group_tile %t heads(%head) first(%first) tiles(%edges) tile(%tile)
        scf.yield %edge_head, %edge_row : index, index
      } else {
        %u = arith.subi %t, %begin2 : index
        %inner_head, %inner_row = landmark.group_tile %u heads(%head) first(%inner_first) tiles(%inner_tiles) tile(%tile)
        scf.yield %inner_head, %inner_row : index, index
      }
      %q = tile.load %Q[%batch, %h, %row] in [%zero, %queries) : !view -> !q_tile
      %do = tile.load %DO[%batch, %h, %row] in [%zero, %queries) : !view -> !q_tile
      %lse_e = tile.load %LSE[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !row
      %delta = tile.load %DELTA[%batch, %h, %row] in [%zero, %queries) : !rows_view -> !row
      %lse = arith.mulf %lse_e, %base : !row
      %position = arith.addi %row, %q_offset : index
      %row_block, %row_token = landmark.locate %position phase %phase block %L : !row_index, !row_index
      %row_end = arith.addi %row, %tile : index
      %rows_end = arith.minsi %row_end, %queries : index
      %end_position = arith.addi %rows_end, %q_offset : index
      %is_past = arith.cmpi sgt, %end_position, %block_end : index
      %stats_end = arith.select %is_past, %parts_end, %zero : index
      %m, %n, %total, %gate = scf.for %part = %zero to %stats_end step %key_tile iter_args(%mt = %m0, %nt = %n0, %tt = %n0, %gt = %n0) -> (!row, !row, !row, !row) {
        %part_key = arith.addi %block_key, %part : index
        %part_left = arith.subi %L, %part : index                  // tokens of the block from here on
        %part_ordinary = arith.subi %part_left, %one : index    // a landmark's value is never read
        %kp = tile.load %K[%batch, %kv_head, %part_key] stride %part_left in [%zero, %keys) : !view -> !kv_tile
        %vp = tile.load %V[%batch, %kv_head, %part_key] stride %part_left count %part_ordinary in [%zero, %keys) : !view -> !kv_tile
        %sp = tile.dot %q, %kp transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %ap = tile.dot %do, %vp transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %part : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = landmark.ordinary block(%L) from %part : !seen
          scf.yield %tokens : !seen
        }
        %m_next, %n_next, %t_next = landmark.product_stats %mt, %nt, %tt add %sp, %ap seen %seen factor %c : !row, !s_tile, !seen
        %g = landmark.gate_logit %sp block(%L) : !s_tile -> !row
        scf.yield %m_next, %n_next, %t_next, %g : !row, !row, !row, !row
      }
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %a = tile.dot %do, %v transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %seen = scf.if %edge -> !seen {
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
        scf.yield %tokens : !seen
      } else {
        %tokens = landmark.ordinary block(%L) from %from : !seen
        scf.yield %tokens : !seen
      }
      %own = landmark.own %row_block at %b : !row_index -> !row_mask
      %p, %ds = landmark.part_gradients %s, %a seen %seen own %own stats %m, %n, %total gate %gate lse %lse delta %delta factor %c block(%L) from %from : !s_tile, !seen, !row_mask, !row
      %ds_in = tile.cast %ds : !s_tile -> !p_tile
      %dk_next = tile.dot %ds_in transposed, %q into %dk_acc : !p_tile, !q_tile -> !d_tile
      scf.yield %dk_next : !d_tile
    }
    %scales = tensor.splat %scale : !d_tile
    %dk_scaled = arith.mulf %dk, %scales : !d_tile
    %dk_out = tile.cast %dk_scaled : !d_tile -> !dkv_tile
    tile.store %dk_out, %DK[%batch, %kv_head, %key] blocks of %key_tile stride %left below %keys : !dkv_tile, !grad_view
    gpu.return
  }
}
