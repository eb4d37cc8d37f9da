// Landmark attention, forward, for blocks longer than a key tile and rows of more than 128 columns.    (SPEC: docs/spec.md, section 2)
//
// As forward.mlir, but a block takes several key tiles, and there are no registers for an accumulator of its own (forward_long.mlir), so that phase B passes over each block twice: once for its maximum, the sum of its exponentials and
// its landmark's logit, once for its weights. That multiplies queries and keys once more and keeps no second accumulator.
//
// A tile holds the tokens [from, from + key_tile) of one block; what is beyond the block reads as zero and is seen by no row. Aliases and parameters are those
// of forward.mlir, with one block a tile.

gpu.module @kernels {
  gpu.func @landmark_forward(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view,
                             %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %key_tile = tile.param "key_tile" : index
    %gate_step = tile.param "tile_landmarks" : index
    %weight_exponent = tile.param "weight_exponent" : index
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
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%one)

    %q = tile.load %Q[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %s0 = arith.constant dense<0.0> : !s_tile
    %g0 = arith.constant dense<0.0> : !g_tile
    %o0 = arith.constant dense<0.0> : !o_tile
    %m0 = arith.constant dense<0xFF800000> : !row
    %l0 = arith.constant dense<0.0> : !row
    %exponent_number = arith.index_cast %weight_exponent : index to i32
    %exponent = arith.sitofp %exponent_number : i32 to f32
    %minus_exponent = arith.negf %exponent : f32
    %unscale = math.exp2 %minus_exponent : f32
    %raise = tensor.splat %exponent : !row
    %lower = tensor.splat %unscale : !o_tile

    // Phase A. Blocks that are some row's own: their tokens, and their landmarks for the rows of later blocks.
    %m1, %l1 = scf.for %b = %past to %end step %one iter_args(%mb = %m0, %lb = %l0) -> (!row, !row) {
      %block_row = arith.muli %b, %L : index
      %block_key = arith.subi %block_row, %phase : index
      %m_block, %l_block = scf.for %from = %zero to %L step %key_tile iter_args(%m = %mb, %l = %lb) -> (!row, !row) {
        %key = arith.addi %block_key, %from : index
        %left = arith.subi %L, %from : index                    // tokens of the block from here on
        %k = tile.load %K[%batch, %kv_head, %key] stride %left in [%zero, %keys) : !view -> !kv_tile
        %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %own = landmark.own %row_block at %b : !row_index -> !own
        %own_key = tile.broadcast %own to [0, 1] : !own -> !seen
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
        %gates = landmark.gates rows(%row_block) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index -> !seen
        %own_tokens = arith.andi %own_key, %tokens : !seen
        %seen = arith.ori %own_tokens, %gates : !seen
        %m_next, %l_next = landmark.stats %m, %l add %s seen %seen factor %c : !row, !s_tile, !seen
        scf.yield %m_next, %l_next : !row, !row
      }
      scf.yield %m_block, %l_block : !row, !row
    }
    // Blocks that are past for all rows: landmarks only.
    %m2, %l2 = scf.for %b = %zero to %past step %gate_step iter_args(%m = %m1, %l = %l1) -> (!row, !row) {
      %next = arith.addi %b, %one : index
      %block_row = arith.muli %next, %L : index
      %landmark_row = arith.subi %block_row, %one : index
      %key = arith.subi %landmark_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !gate_tile
      %s = tile.dot %q, %k transpose into %g0 : !q_tile, !gate_tile -> !g_tile
      %seen = landmark.past_gates at %b below %past phase(%phase) block(%L) : !gates
      %m_next, %l_next = landmark.stats %m, %l add %s seen %seen factor %c : !row, !g_tile, !gates
      scf.yield %m_next, %l_next : !row, !row
    }
    %lse = landmark.log_sum_exp %m2, %l2 factor %c : !row

    // Phase B: every block on its own. Only at the edges of [begin, past) does a row see less than whole blocks.
    %o = scf.for %b = %zero to %end step %one iter_args(%acc = %o0) -> !o_tile {
      %edge = tile.edge %b interior(%begin, %past)
      %block_row = arith.muli %b, %L : index
      %block_key = arith.subi %block_row, %phase : index

      // The block's statistics. The last tile leaves the landmark's logit behind.
      %m, %n, %gate = scf.for %from = %zero to %L step %key_tile iter_args(%mt = %m0, %nt = %l0, %gt = %l0) -> (!row, !row, !row) {
        %key = arith.addi %block_key, %from : index
        %left = arith.subi %L, %from : index
        %k = tile.load %K[%batch, %kv_head, %key] stride %left in [%zero, %keys) : !view -> !kv_tile
        %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = landmark.ordinary block(%L) from %from : !seen
          scf.yield %tokens : !seen
        }
        %m_next, %n_next = landmark.stats %mt, %nt add %s seen %seen factor %c : !row, !s_tile, !seen
        %g = landmark.gate_logit %s block(%L) : !s_tile -> !row
        scf.yield %m_next, %n_next, %g : !row, !row, !row
      }
      %own = landmark.own %row_block at %b : !row_index -> !row_mask
      %lse_raised = arith.subf %lse, %raise : !row
      %w = landmark.block_factor %m, %n own %own gate %gate lse %lse_raised factor %c : !row, !row_mask

      // Its weights, and what they draw from its values.
      %acc_block = scf.for %from = %zero to %L step %key_tile iter_args(%acc_tile = %acc) -> !o_tile {
        %key = arith.addi %block_key, %from : index
        %left = arith.subi %L, %from : index
        %k = tile.load %K[%batch, %kv_head, %key] stride %left in [%zero, %keys) : !view -> !kv_tile
        %ordinary = arith.subi %left, %one : index              // a landmark's value is never read
        %v = tile.load %V[%batch, %kv_head, %key] stride %left count %ordinary in [%zero, %keys) : !view -> !kv_tile
        %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
        %seen = scf.if %edge -> !seen {
          %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) from %from : !row_index, !row_index -> !seen
          scf.yield %tokens : !seen
        } else {
          %tokens = landmark.ordinary block(%L) from %from : !seen
          scf.yield %tokens : !seen
        }
        %spread = landmark.spread %s seen %seen max %m weight %w factor %c : !s_tile, !seen, !row
        %p = tile.cast %spread : !s_tile -> !p_tile
        %acc_next = tile.dot %p, %v into %acc_tile : !p_tile, !kv_tile -> !o_tile
        scf.yield %acc_next : !o_tile
      }
      scf.yield %acc_block : !o_tile
    }

    %o_down = arith.mulf %o, %lower : !o_tile
    %out = tile.cast %o_down : !o_tile -> !q_tile
    %out_rows = memref.dim %O, %dim : !view
    tile.store %out, %O[%batch, %head, %row] below %out_rows : !q_tile, !view
    %ln2 = arith.constant dense<0.693147181> : !row
    %lse_e = arith.mulf %lse, %ln2 : !row           // natural logarithm
    tile.store %lse_e, %LSE[%batch, %head, %row] below %queries : !row, !rows_view
    gpu.return
  }
}
