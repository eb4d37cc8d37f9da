// Landmark attention, forward with a gate threshold, step 2: the key tiles of a list.                  (SPEC: docs/spec.md, section 2)
//
// Phase B of forward.mlir, with the log-sum-exp that forward_gates.mlir found, over the tiles that it listed. What is left out lacks in the output and nowhere
// else: weights are not normalised again.
//
// LISTS and COUNTS are those of forward_gates.mlir, the type aliases and parameters those of forward.mlir.

gpu.module @kernels {
  gpu.func @landmark_forward_listed(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %MASKS: !words, %LISTS: !lists, %COUNTS: !lists,
                                    %phase: index, %q_offset: index, %scale: f32, %section: index, %floor: f32, %list_tile: index, %list_step: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %ordinary = tile.param "ordinary_tokens" : index // L - 1: a landmark's value is never read
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32            // exponentials are powers of 2
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %dim = arith.constant 2 : index

    %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %tile section %section : !view, !view
    %queries = memref.dim %Q, %dim : !view
    %keys = memref.dim %K, %dim : !view
    %first = arith.addi %row, %q_offset : index
    %row_block, %row_token = landmark.locate %first phase %phase block %L : !row_index, !row_index

    // The list: edges, tiles that need no masks, edges. The first is always an edge.
    %program = arith.divui %row, %tile : index
    %listed_number = memref.load %COUNTS[%batch, %head, %program, %zero] : !lists
    %from_number = memref.load %COUNTS[%batch, %head, %program, %one] : !lists
    %to_number = memref.load %COUNTS[%batch, %head, %program, %two] : !lists
    %listed = arith.index_cast %listed_number : i32 to index
    %from_index = arith.index_cast %from_number : i32 to index
    %to = arith.index_cast %to_number : i32 to index
    %from = arith.maxsi %from_index, %one : index

    %q = tile.load %Q[%batch, %head, %row] in [%zero, %queries) : !view -> !q_tile
    %nothing = arith.constant 0xFF800000 : f32
    %lse_e = tile.read_rows %LSE[%batch, %head, %row] below %queries else %nothing : !rows_view -> !row
    %base = arith.constant dense<1.44269504> : !row
    %lse = arith.mulf %lse_e, %base : !row          // base 2
    %s0 = arith.constant dense<0.0> : !s_tile
    %o0 = arith.constant dense<0.0> : !o_tile
    %o = scf.for %i = %zero to %listed step %one iter_args(%acc = %o0) -> !o_tile {
      %edge = tile.edge %i interior(%from, %to)
      %block = memref.load %LISTS[%batch, %head, %program, %i] : !lists
      %b = arith.index_cast %block : i32 to index
      %block_row = arith.muli %b, %L : index
      %key = arith.subi %block_row, %phase : index
      %k = tile.load %K[%batch, %kv_head, %key] stride %L in [%zero, %keys) : !view -> !kv_tile
      %v = tile.load %V[%batch, %kv_head, %key] stride %L count %ordinary in [%zero, %keys) : !view -> !kv_tile
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      // Each branch rounds its weights itself: past ones may be rounded before they are scaled.
      %p = scf.if %edge -> !p_tile {
        %tokens = landmark.tokens rows(%row_block, %row_token) at %b keys(%keys) phase(%phase) block(%L) : !row_index, !row_index -> !seen
        %own_block = landmark.own %row_block at %b : !row_index -> !own
        %e_edge, %f_edge = landmark.weights %s seen %tokens own %own_block lse %lse factor %c block(%L) : !s_tile, !seen, !own, !row -> !factors
        %f_edge_tile = tile.broadcast %f_edge to [0, 1] : !factors -> !s_tile
        %w_edge = arith.mulf %e_edge, %f_edge_tile : !s_tile
        %p_edge = tile.cast %w_edge : !s_tile -> !p_tile
        scf.yield %p_edge : !p_tile
      } else {
        %e_quick, %f_quick, %fits = landmark.past_weights %s lse %lse factor %c block(%L) : !s_tile, !row -> !factors
        %e_past, %f_past = scf.if %fits -> (!s_tile, !factors) {
          scf.yield %e_quick, %f_quick : !s_tile, !factors
        } else { // logits far from the row's log-sum-exp: once more, with the maximum of every block
          %again = tile.dot %q, %k transpose into %s0 anew : !q_tile, !kv_tile -> !s_tile
          %tokens = landmark.ordinary block(%L) : !seen
          %none = arith.constant dense<false> : !own
          %e_exact, %f_exact = landmark.weights %again seen %tokens own %none lse %lse factor %c block(%L) : !s_tile, !seen, !own, !row -> !factors
          scf.yield %e_exact, %f_exact : !s_tile, !factors
        }
        %f_past_tile = tile.broadcast %f_past to [0, 1] : !factors -> !s_tile
        %w_past = arith.mulf %e_past, %f_past_tile : !s_tile
        %p_past = tile.cast %w_past : !s_tile -> !p_tile
        scf.yield %p_past : !p_tile
      }
      %acc_next = tile.dot %p, %v into %acc : !p_tile, !kv_tile -> !o_tile
      scf.yield %acc_next : !o_tile
    }

    %out = tile.cast %o : !o_tile -> !q_tile
    %out_rows = memref.dim %O, %dim : !view
    tile.store %out, %O[%batch, %head, %row] below %out_rows : !q_tile, !view
    gpu.return
  }
}
