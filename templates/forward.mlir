// Landmark attention, forward, for blocks that fit a key tile.                                       (SPEC: docs/spec.md, section 2)
//
// One program computes one tile of query rows of one head, in two phases. Phase A scores landmarks alone, one key in L: what a row's past adds to its
// log-sum-exp. Phase B takes blocks from the last to the first, every one on its own. A row's own block is the first that it sees; it completes the row's
// log-sum-exp before any weight of the row is computed. So there is no running maximum, no rescaling of the accumulator, and no division at the end.
//
// With a gate threshold ("listed") this is phase B alone: forward_gates.mlir has left the log-sum-exp in LSE and the key tiles to take in LISTS and COUNTS. What is left out lacks in the
// output and nowhere else: weights are not normalised again. Without one the kernel has no lists.
//
// Specialisation supplies the type aliases and the parameters:
//   !view, !rows_view   global memory, [batch, head, row, D] and [batch, head, row]
//   !q_tile [rows, D]  !kv_tile [blocks, tokens, D]  !gate_tile [landmarks, D]           in the input type
//   !s_tile, !p_tile, !seen [rows, blocks, tokens]  !g_tile, !gates [rows, landmarks]  !own, !factors [rows, blocks]  !o_tile [rows, D]  !row, !row_index, !row_mask [rows]
// "tokens" is L rounded up to the 8 columns of a matrix instruction; what is beyond L reads as zero and is seen by no row.

gpu.module @kernels {
  gpu.func @landmark_forward(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view,
                             %MASKS: !words {tile.when = "listed"}, %LISTS: !lists {tile.when = "listed"}, %COUNTS: !lists {tile.when = "listed"},
                             %phase: index, %q_offset: index, %scale: f32, %section: index,
                             %floor: f32 {tile.when = "listed"}, %list_tile: index {tile.when = "listed"}, %list_step: index {tile.when = "listed"}) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %ordinary = tile.param "ordinary_tokens" : index // L - 1: a landmark's value is never read
    %step = tile.param "tile_blocks" : index        // blocks of a key tile
    %gate_step = tile.param "tile_landmarks" : index
    %has_lists = tile.param "listed" : index
    %weight_exponent = tile.param "weight_exponent" : index // weights are rounded times 2 to this: those of float16 would be below its normal numbers
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32            // exponentials are powers of 2
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %dim = arith.constant 2 : index
    %listed = arith.cmpi eq, %has_lists, %one : index

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
    %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%step)

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
    %program = arith.divui %row, %tile : index

    // Phase A, what a row's past adds to its log-sum-exp, and the tiles of phase B. Iteration i stands for the tile that ends i blocks before the last one, or the i-th of the list. The first
    // is always an edge; between `from` and `to` every row sees whole blocks, none of them its own.
    %lse_past, %from, %to, %tiles_end, %stride, %last_tile = scf.if %listed -> (!row, index, index, index, index, index) {
      %listed_number = memref.load %COUNTS[%batch, %head, %program, %zero] : !lists
      %from_number = memref.load %COUNTS[%batch, %head, %program, %one] : !lists
      %to_number = memref.load %COUNTS[%batch, %head, %program, %two] : !lists
      %listed_tiles = arith.index_cast %listed_number : i32 to index
      %from_index = arith.index_cast %from_number : i32 to index
      %listed_to = arith.index_cast %to_number : i32 to index
      %listed_from = arith.maxsi %from_index, %one : index
      %nothing = arith.constant 0xFF800000 : f32
      %lse_e = tile.read_rows %LSE[%batch, %head, %row] below %queries else %nothing : !rows_view -> !row
      %base = arith.constant dense<1.44269504> : !row
      %lse_known = arith.mulf %lse_e, %base : !row    // base 2
      scf.yield %lse_known, %listed_from, %listed_to, %listed_tiles, %one, %zero : !row, index, index, index, index, index
    } else { // landmarks of the blocks that a row has behind it
      %places = arith.addi %keys, %phase : index
      %complete = arith.divui %places, %L : index
      %gates_end = arith.minsi %end, %complete : index
      %m, %l = scf.for %b = %zero to %gates_end step %gate_step iter_args(%m_in = %m0, %l_in = %l0) -> (!row, !row) {
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
      %lse_of_past = landmark.log_sum_exp %m, %l factor %c : !row
      %step_less_one = arith.subi %step, %one : index
      %end_up = arith.addi %end, %step_less_one : index
      %tiles = arith.divui %end_up, %step : index
      %some_tiles = arith.maxsi %tiles, %one : index
      %all = arith.muli %some_tiles, %step : index
      %past_from = arith.subi %all, %past : index
      %first_past = arith.maxsi %past_from, %step : index
      %past_to = arith.subi %all, %begin : index
      %past_end = arith.maxsi %past_to, %first_past : index
      %final_tile = arith.subi %all, %step : index
      scf.yield %lse_of_past, %first_past, %past_end, %all, %step, %final_tile : !row, index, index, index, index, index
    }

    %o, %lse = scf.for %i = %zero to %tiles_end step %stride iter_args(%acc = %o0, %lse_in = %lse_past) -> (!o_tile, !row) {
      %edge = tile.edge %i interior(%from, %to)
      %b = scf.if %listed -> index {
        %entry = memref.load %LISTS[%batch, %head, %program, %i] : !lists
        %listed_block = arith.index_cast %entry : i32 to index
        scf.yield %listed_block : index
      } else {
        %block = arith.subi %last_tile, %i : index
        scf.yield %block : index
      }
      %block_row = arith.muli %b, %L : index
      %key = arith.subi %block_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !kv_tile
      %v = tile.load %V[%batch, %kv_head, %key] stride %L count %ordinary in [%zero, %keys) : !view -> !kv_tile
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      // Each branch rounds its weights itself: past ones may be rounded before they are scaled.
      %p, %lse_out = scf.if %edge -> (!p_tile, !row) {
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !row_index, !row_index -> !seen
        %own_block = landmark.own %row_block at %b : !row_index -> !own
        %with_own = scf.if %listed -> !row {
          scf.yield %lse_in : !row
        } else {
          %completed = landmark.add_own %lse_in add %s seen %tokens own %own_block factor %c : !row, !s_tile, !seen, !own
          scf.yield %completed : !row
        }
        %lse_edge = arith.subf %with_own, %raise : !row
        %e_edge, %f_edge = landmark.weights %s seen %tokens own %own_block lse %lse_edge factor %c block(%L) : !s_tile, !seen, !own, !row -> !factors
        %f_edge_tile = tile.broadcast %f_edge to [0, 1] : !factors -> !s_tile
        %w_edge = arith.mulf %e_edge, %f_edge_tile : !s_tile
        %p_edge = tile.cast %w_edge : !s_tile -> !p_tile
        scf.yield %p_edge, %with_own : !p_tile, !row
      } else {
        %lse_past_rows = arith.subf %lse_in, %raise : !row
        %e_quick, %f_quick, %fits, %holds = landmark.past_weights %s lse %lse_past_rows factor %c block(%L) keys(%end_position) : !s_tile, !row -> !factors
        %e_past, %f_past = scf.if %holds -> (!s_tile, !factors) {
          scf.yield %e_quick, %f_quick : !s_tile, !factors
        } else {
          %e_far, %f_far = scf.if %fits -> (!s_tile, !factors) { // too far for float16 alone: weights are scaled before they are rounded
            %f_quick_tile = tile.broadcast %f_quick to [0, 1] : !factors -> !s_tile
            %w_quick = arith.mulf %e_quick, %f_quick_tile : !s_tile
            %scaled = arith.constant dense<1.0> : !factors
            scf.yield %w_quick, %scaled : !s_tile, !factors
          } else { // logits far from the row's log-sum-exp: once more, with the maximum of every block
            %again = tile.dot %q, %k transpose into %s0 anew : !q_tile, !kv_tile -> !s_tile
            %tokens = landmark.ordinary block(%L) : !seen
            %none = arith.constant dense<false> : !own
            %e_exact, %f_exact = landmark.weights %again seen %tokens own %none lse %lse_past_rows factor %c block(%L) : !s_tile, !seen, !own, !row -> !factors
            scf.yield %e_exact, %f_exact : !s_tile, !factors
          }
          scf.yield %e_far, %f_far : !s_tile, !factors
        }
        %f_past_tile = tile.broadcast %f_past to [0, 1] : !factors -> !s_tile
        %w_past = arith.mulf %e_past, %f_past_tile : !s_tile
        %p_past = tile.cast %w_past : !s_tile -> !p_tile
        scf.yield %p_past, %lse_in : !p_tile, !row
      }
      %acc_next = tile.dot %p, %v into %acc : !p_tile, !kv_tile -> !o_tile
      scf.yield %acc_next, %lse_out : !o_tile, !row
    }

    %o_down = arith.mulf %o, %lower : !o_tile
    %out = tile.cast %o_down : !o_tile -> !q_tile
    %out_rows = memref.dim %O, %dim : !view
    tile.store %out, %O[%batch, %head, %row] below %out_rows : !q_tile, !view
    scf.if %listed {
    } else {
      %ln2 = arith.constant dense<0.693147181> : !row
      %lse_e = arith.mulf %lse, %ln2 : !row         // natural logarithm
      tile.store %lse_e, %LSE[%batch, %head, %row] below %queries : !row, !rows_view
    }
    gpu.return
  }
}
