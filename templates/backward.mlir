// Landmark attention, backward, for blocks that fit a key tile.                                      (SPEC: docs/spec.md, section 3)
//
// Two kernels, launched one after the other. The first goes by tiles of query rows and computes dq; on its way it leaves D = do . o of every row (less the
// gradient of the row's log-sum-exp) for the second, which goes by tiles of keys and computes dk and dv. Both find the weights again from the log-sum-exp,
// block by block as in phase B of forward.mlir; nothing is added up between programs, so that results are the same in every run.
//
// Specialisation supplies the type aliases and the parameters:
//   !view, !rows_view   global memory, [batch, head, row, D] and [batch, head, row]; !grad_view that of dq, dk and dv
//   !q_tile [rows, D]  !kv_tile [blocks, tokens, D]                                          in the input type
//   !s_tile, !p_tile, !seen [rows, blocks, tokens]  !own [rows, blocks]  !o_tile [rows, D]  !d_tile [keys, D]  !row, !row_index [rows]
//   !key_q_tile, !key_s_tile, ...                       the same in the second kernel, whose tiles may have fewer rows
//   !dq_tile [rows, D]  !dkv_tile [keys, D]                                                  in the type of the gradients
// "tokens" is at least L; what is beyond L reads as zero and is seen by no row. "keys" is blocks * tokens.
//
// With a gate threshold ("listed") programs take the tiles of lists alone: of keys those that the second kernel of forward_gates.mlir lists in LISTS and COUNTS, of rows those that
// backward_gates.mlir lists (KEY_LISTS and KEY_COUNTS are its LISTS and COUNTS). What is left out lacks in dq, or in dk and dv, and nowhere else. Without one the kernels have no lists.

gpu.module @kernels {
  gpu.func @landmark_backward_queries(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                      %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view,
                                      %LISTS: !lists {tile.when = "listed"}, %COUNTS: !lists {tile.when = "listed"},
                                      %KEY_LISTS: !lists {tile.when = "listed"}, %KEY_COUNTS: !lists {tile.when = "listed"},
                                      %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "query_tile" : index
    %ordinary = tile.param "ordinary_tokens" : index // L - 1: a landmark's value is never read
    %step = tile.param "tile_blocks" : index        // blocks of a key tile
    %has_lists = tile.param "listed" : index        // whether lists say which tiles a program takes
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

    %program = arith.divui %row, %tile : index
    // Turns of the loop: from the first block to the last, or those of a list: edges, tiles that need no masks, edges.
    %begin, %past, %end, %stride = scf.if %listed -> (index, index, index, index) {
      %listed_number = memref.load %COUNTS[%batch, %head, %program, %zero] : !lists
      %from_number = memref.load %COUNTS[%batch, %head, %program, %one] : !lists
      %to_number = memref.load %COUNTS[%batch, %head, %program, %two] : !lists
      %all = arith.index_cast %listed_number : i32 to index
      %from = arith.index_cast %from_number : i32 to index
      %to = arith.index_cast %to_number : i32 to index
      scf.yield %from, %to, %all, %one : index, index, index, index
    } else {
      %from, %to, %all = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%step)
      scf.yield %from, %to, %all, %step : index, index, index, index
    }

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

    %dq = scf.for %i = %zero to %end step %stride iter_args(%acc = %dq0) -> !o_tile {
      %edge = tile.edge %i interior(%begin, %past)
      %b = scf.if %listed -> index {
        %block = memref.load %LISTS[%batch, %head, %program, %i] : !lists
        %listed_block = arith.index_cast %block : i32 to index
        scf.yield %listed_block : index
      } else {
        scf.yield %i : index
      }
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

  gpu.func @landmark_backward_keys(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %DO: !view, %DLSE: !rows_view, %DELTA: !rows_view,
                                   %DQ: !grad_view, %DK: !grad_view, %DV: !grad_view,
                                   %LISTS: !lists {tile.when = "listed"}, %COUNTS: !lists {tile.when = "listed"},
                                   %KEY_LISTS: !lists {tile.when = "listed"}, %KEY_COUNTS: !lists {tile.when = "listed"},
                                   %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %tile = tile.param "key_query_tile" : index
    %ordinary = tile.param "ordinary_tokens" : index
    %step = tile.param "tile_blocks" : index
    %block_rows = tile.param "tile_tokens" : index
    %passes = tile.param "passes" : index           // 1: dk and dv together; 2: one after the other, where registers do not hold both
    %has_lists = tile.param "listed" : index
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %dim = arith.constant 2 : index
    %listed = arith.cmpi eq, %has_lists, %one : index
    %is_one_pass = arith.cmpi eq, %passes, %one : index

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
    %first, %edges, %row_tiles = landmark.row_range blocks(%b, %step) rows(%queries, %q_offset) keys(%keys) phase(%phase) block(%L) tile(%tile)
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
    %base = arith.constant dense<1.44269504> : !key_row

    %dv, %dk1 = scf.for %t = %zero to %end step %one iter_args(%dv_acc = %d0, %dk_acc = %d0) -> (!d_tile, !d_tile) {
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
          %u = arith.subi %t, %begin2 : index
          %inner_head, %inner_row = landmark.group_tile %u heads(%head) first(%inner_first) tiles(%inner_tiles) tile(%tile)
          scf.yield %inner_head, %inner_row : index, index
        }
        scf.yield %edge_or_inner#0, %edge_or_inner#1 : index, index
      }
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
