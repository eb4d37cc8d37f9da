// Landmark attention, forward, for blocks longer than a key tile.                                     (SPEC: docs/spec.md, section 2)
//
// As forward.mlir, but a block takes several parts. Its softmax runs over them: what they draw from their values is gathered in an accumulator of the block's own, and joins the output
// when the block's statistics are known. Rows of more than 128 columns have no registers for that; forward_long_wide.mlir multiplies their keys twice.
//
// A part holds the tokens [from, from + key_tile) of one block, the last one, which ends with the landmark, as many as are left. Aliases and parameters are those of
// forward.mlir, with one block a tile, and for the last part
//   !tail_tile [1, tokens, D]  !tail_s, !tail_p, !tail_seen [rows, 1, tokens]

gpu.module @kernels {
  gpu.func @landmark_forward(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view,
                             %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %key_tile = tile.param "key_tile" : index
    %tail = tile.param "tail_tokens" : index
    %ordinary = tile.param "tail_ordinary" : index  // tail_tokens - 1: a landmark's value is never read
    %gate_step = tile.param "tile_landmarks" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32            // exponentials are powers of 2
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %dim = arith.constant 2 : index
    %whole = arith.subi %L, %tail : index           // tokens before the last part

    // The rows of this program, their positions, and the blocks that they see.
    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_end = arith.addi %row, %tile : index
    %rows_end = arith.minsi %row_end, %queries : index
    %end_position = arith.addi %rows_end, %q_offset : index
    %last = arith.subi %end_position, %one : index
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%one)

    %q = tile.load %Q[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %s0 = arith.constant dense<0.0> : !s_tile
    %t0 = arith.constant dense<0.0> : !tail_s
    %g0 = arith.constant dense<0.0> : !g_tile
    %o0 = arith.constant dense<0.0> : !o_tile
    %m0 = arith.constant dense<0xFF800000> : !row
    %l0 = arith.constant dense<0.0> : !row

    // Phase A. Landmarks of the blocks that a row has behind it.
    %places = arith.addi %keys, %phase : index
    %complete = arith.divui %places, %L : index
    %gates_end = arith.minsi %end, %complete : index
    %gm, %gl = scf.for %b = %zero to %gates_end step %gate_step iter_args(%m_in = %m0, %l_in = %l0) -> (!row, !row) {
      %next = arith.addi %b, %one : index
      %block_row = arith.muli %next, %L : index
      %landmark_row = arith.subi %block_row, %one : index
      %key = arith.subi %landmark_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !gate_tile
      %s = tile.dot %q, %k transpose into %g0 : !q_tile, !gate_tile -> !g_tile
      %seen = landmark.gates rows(%row_block) at %b keys(%keys) phase(%phase) block(%L) : !row_index -> !gates
      %m_next, %l_next = landmark.stats %m_in, %l_in add %s seen %seen factor %c : !row, !g_tile, !gates
      scf.yield %m_next, %l_next : !row, !row
    }
    %lse_past = landmark.log_sum_exp %gm, %gl factor %c : !row

    // Phase B. Iteration i stands for the block i before the last one. The first is always an edge; between `from` and `to` every row sees whole blocks, none of them
    // its own.
    %blocks = arith.maxsi %end, %one : index
    %past_from = arith.subi %blocks, %past : index
    %from_block = arith.maxsi %past_from, %one : index
    %past_to = arith.subi %blocks, %begin : index
    %to_block = arith.maxsi %past_to, %from_block : index
    %last_block = arith.subi %blocks, %one : index
    %seen_end = arith.minsi %end_position, %keys : index
    %o, %lse = scf.for %i = %zero to %blocks step %one iter_args(%acc = %o0, %lse_in = %lse_past) -> (!o_tile, !row) {
      %edge = tile.edge %i interior(%from_block, %to_block)
      %b = arith.subi %last_block, %i : index
      %block_row = arith.muli %b, %L : index
      %block_key = arith.subi %block_row, %phase : index

      // The parts before the last one, as far as some row sees them.
      %seen_tokens = arith.subi %seen_end, %block_key : index
      %seen_whole = arith.minsi %seen_tokens, %whole : index
      %parts_end = arith.select %edge, %seen_whole, %whole : index
      %m1, %n1, %o1 = scf.for %from = %zero to %parts_end step %key_tile iter_args(%m = %m0, %n = %l0, %part = %o0) -> (!row, !row, !o_tile) {
        %key = arith.addi %block_key, %from : index
        %k = tile.load %K[%batch, %kv_head, %key] stride %key_tile in [%zero, %keys) : !view -> !kv_tile
        %v = tile.load %V[%batch, %kv_head, %key] stride %key_tile in [%zero, %keys) : !view -> !kv_tile
        %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = arith.constant dense<true> : !seen
          scf.yield %tokens : !seen
        }
        %w, %m_next, %n_next, %kept = landmark.part_weights %m, %n add %s seen %seen factor %c : !row, !s_tile, !seen
        %p = tile.cast %w : !s_tile -> !p_tile
        %kept_row = tile.broadcast %kept to [0] : !row -> !o_tile
        %part_kept = arith.mulf %part, %kept_row : !o_tile
        %part_next = tile.dot %p, %v into %part_kept : !p_tile, !kv_tile -> !o_tile
        scf.yield %m_next, %n_next, %part_next : !row, !row, !o_tile
      }

      // The last part, with the landmark.
      %key = arith.addi %block_key, %whole : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %tail in [%zero, %keys) : !view -> !tail_tile
      %v = tile.load %V[%batch, %kv_head, %key] stride %tail count %ordinary in [%zero, %keys) : !view -> !tail_tile
      %s = tile.dot %q, %k transpose into %t0 : !q_tile, !tail_tile -> !tail_s
      %seen = scf.if %edge -> !tail_seen {
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %whole : !row_index, !row_index -> !tail_seen
        scf.yield %tokens : !tail_seen
      } else {
        %tokens = landmark.ordinary block(%tail) : !tail_seen
        scf.yield %tokens : !tail_seen
      }
      %w, %m2, %n2, %kept = landmark.part_weights %m1, %n1 add %s seen %seen factor %c : !row, !tail_s, !tail_seen
      %p = tile.cast %w : !tail_s -> !tail_p
      %kept_row = tile.broadcast %kept to [0] : !row -> !o_tile
      %o1_kept = arith.mulf %o1, %kept_row : !o_tile
      %o2 = tile.dot %p, %v into %o1_kept : !tail_p, !tail_tile -> !o_tile

      // What the block is worth. A row's own block completes its log-sum-exp.
      %own, %lse_out = scf.if %edge -> (!row_mask, !row) {
        %own_block = landmark.own %row_block at %b : !row_index -> !row_mask
        %block_lse = landmark.log_sum_exp %m2, %n2 factor %c : !row
        %joined = landmark.join %lse_in, %block_lse : !row
        %with_own = arith.select %own_block, %joined, %lse_in : !row_mask, !row
        scf.yield %own_block, %with_own : !row_mask, !row
      } else {
        %own_block = arith.constant dense<false> : !row_mask
        scf.yield %own_block, %lse_in : !row_mask, !row
      }
      %gate = landmark.gate_logit %s block(%tail) : !tail_s -> !row
      %factor = landmark.block_factor %m2, %n2 own %own gate %gate lse %lse_out factor %c : !row, !row_mask
      %factor_row = tile.broadcast %factor to [0] : !row -> !o_tile
      %share = arith.mulf %o2, %factor_row : !o_tile
      %acc_next = arith.addf %acc, %share : !o_tile
      scf.yield %acc_next, %lse_out : !o_tile, !row
    }

    %out = tile.cast %o : !o_tile -> !q_tile
    %out_rows = memref.dim %O, %dim : !view
    tile.store %out, %O[%batch, %head, %row] below %out_rows : !q_tile, !view
    %ln2 = arith.constant dense<0.693147181> : !row
    %lse_e = arith.mulf %lse, %ln2 : !row           // natural logarithm
    tile.store %lse_e, %LSE[%batch, %head, %row] below %queries : !row, !rows_view
    gpu.return
  }
}
