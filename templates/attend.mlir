// Retrieval, step 3: attention to the blocks selected, to the blocks of the window, and to a row's own.  (SPEC: docs/spec.md, sections 2 and 5)
//
// Blocks come one at a time, from pages that a table names; each is one term of an ordinary softmax, so that their order does not matter and several programs may
// take a part each: `merge` joins the parts, or, where they are programs of a cluster, they do so themselves.
//
// Rows and steps are those of score_top.mlir; the rows of a span share a selection, TABLE [batch, outer, span, place]. Where there are `candidates`, as of select.mlir, it is made
// here first, by every program for itself and of the same lists: row outer * list_outer + span * list_span of VALUES and IDS. Tiles of many rows take it as it is. From the block where a span's window begins, all
// blocks are visible; it reaches back from the block of the span's first position. K and V are pages [page, key/value head, token, D], BLOCKS [slot of the sequence, block, key/value head] names them; the last page of a sequence may be
// incomplete. O is [batch * splits + split, outer, inner, D], LSE without the D.

gpu.module @kernels {
  gpu.func @landmark_attend(%Q: !view, %K: !pages, %V: !pages, %SLOTS: !numbers, %LENGTHS: !numbers, %BLOCKS: !blocks, %VALUES: !candidates_view, %IDS: !candidate_ids_view,
                            %TABLE: !list_ids_view, %O: !out_view, %LSE: !rows_view, %FREQUENCIES: !frequencies,
                            %span: index, %splits: index, %outer_step: index, %inner_step: index, %group: index, %back: index, %window: index,
                            %list_outer: index, %list_span: index, %candidates: index, %half: index, %compact: index, %scale: f32) kernel {
    %L = tile.param "block_size" : index
    %ordinary = tile.param "ordinary_tokens" : index // L - 1: a landmark's value is never read
    %tile = tile.param "query_tile" : index
    %top_k = tile.param "top_k" : index
    %holds_list_number = tile.param "holds_list" : index // whether a program has its list in registers
    %log2e = arith.constant 1.44269504 : f32
    %c = arith.mulf %scale, %log2e : f32
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index

    %joins_number = tile.param "joins" : index
    %joins = arith.cmpi ne, %joins_number, %zero : index
    scf.if %joins {
      tile.cluster_open
    }
    %batch, %outer, %span_index, %row, %row_end, %split = landmark.task %Q span %span tile %tile splits %splits : !view
    %q_raw = tile.load %Q[%batch, %outer, %row] in [%zero, %row_end) : !view -> !q_tile
    %slot_number = memref.load %SLOTS[%batch] : !numbers
    %slot = arith.index_cast %slot_number : i32 to index
    %length_number = memref.load %LENGTHS[%slot] : !numbers
    %length = arith.index_cast %length_number : i32 to index

    // Heads, positions and the block of every row.
    %outer_head = arith.muli %outer, %inner_step : index
    %row_head = arith.muli %row, %outer_step : index
    %head = arith.addi %outer_head, %row_head : index
    %kv_head = arith.divui %head, %group : index
    %base = arith.subi %length, %back : index
    %outer_position = arith.muli %outer, %outer_step : index
    %outer_base = arith.addi %base, %outer_position : index
    %row_position = arith.muli %row, %inner_step : index
    %first = arith.addi %outer_base, %row_position : index
    %row_block, %row_token = landmark.locate %first step %inner_step phase %zero block %L : !row_index, !row_index
    %rows = arith.subi %row_end, %row : index
    %others = arith.subi %rows, %one : index
    %reach = arith.muli %others, %inner_step : index
    %last = arith.addi %first, %reach : index
    %last_block = arith.divui %last, %L : index

    // The blocks: those of the table, then all from the window on.
    %selecting_block = arith.divui %outer_base, %L : index
    %window_begin = arith.subi %selecting_block, %window : index
    %local = arith.maxsi %window_begin, %zero : index
    %selected = arith.minsi %top_k, %local : index
    %to_last = arith.subi %last_block, %local : index
    %locals = arith.addi %to_last, %one : index
    %blocks = arith.addi %selected, %locals : index
    %begin, %stop = landmark.part %split of %splits to %blocks step %one

    // Rotary embedding, if any: rows of a tile that rotates share the blocks that they may choose from.
    %rotates_number = tile.param "rotates" : index
    %rotates = arith.cmpi ne, %rotates_number, %zero : index
    %is_half = arith.cmpi ne, %half, %zero : index
    %is_compact = arith.cmpi ne, %compact, %zero : index
    %shift, %landmark_shift, %lowest, %far = landmark.positions of %local keep %top_k block %L compact %compact
    %q_position = arith.addi %first, %shift : index
    %nowhere = arith.constant -4611686018427387904 : index
    %q = scf.if %rotates -> !q_tile {
      %turned = tile.rotate %q_raw at %q_position step %inner_step low %nowhere by %FREQUENCIES half %is_half : !q_tile, !frequencies -> !q_tile
      scf.yield %turned : !q_tile
    } else {
      scf.yield %q_raw : !q_tile
    }

    tile.grid_wait // for lists and table alone
    %holds_list = arith.cmpi ne, %holds_list_number, %zero : index
    %list = scf.if %holds_list -> !list_ids {
      %makes_list = arith.cmpi ne, %candidates, %zero : index
      %made = scf.if %makes_list -> !list_ids {
        %list_row_outer = arith.muli %outer, %list_outer : index
        %list_row_span = arith.muli %span_index, %list_span : index
        %list_row = arith.addi %list_row_outer, %list_row_span : index
        %ids = landmark.choose %VALUES, %IDS[%batch, %list_row] candidates %candidates keep %top_k : !candidates_view, !candidate_ids_view -> !list_ids
        %is_first = arith.cmpi eq, %split, %zero : index
        %writes_end = arith.addi %span_index, %one : index
        %end = arith.select %is_first, %writes_end, %span_index : index
        tile.store %ids, %TABLE[%batch, %outer, %span_index] below %end : !list_ids, !list_ids_view
        scf.yield %ids : !list_ids
      } else {
        %no_block = arith.constant -1 : i32
        %end = arith.addi %span_index, %one : index
        %ids = tile.read_rows %TABLE[%batch, %outer, %span_index] below %end else %no_block : !list_ids_view -> !list_ids
        scf.yield %ids : !list_ids
      }
      scf.yield %made : !list_ids
    } else {
      %none = arith.constant dense<-1> : !list_ids
      scf.yield %none : !list_ids
    }
    %s0 = arith.constant dense<0.0> : !s_tile
    %o0 = arith.constant dense<0.0> : !o_tile
    %m0 = arith.constant dense<0xFF800000> : !row
    %l0 = arith.constant dense<0.0> : !row
    // Blocks before the first row's own need no masks. Where rows are few, one loop over all blocks is the shorter program.
    %first_block = arith.divui %first, %L : index
    %before_first = arith.subi %first_block, %local : index
    %past = arith.addi %selected, %before_first : index
    %past_here = arith.minsi %past, %stop : index
    %past_end = arith.maxsi %past_here, %begin : index
    %interior_end = arith.select %holds_list, %begin, %past_end : index
    %o, %m, %l = scf.for %j = %begin to %stop step %one iter_args(%acc = %o0, %m = %m0, %l = %l0) -> (!o_tile, !row, !row) {
      %edge = tile.edge %j interior(%begin, %interior_end)
      %is_selected = arith.cmpi slt, %j, %selected : index
      %place = arith.select %is_selected, %j, %zero : index
      %chosen = scf.if %holds_list -> index {
        %entry = landmark.entry %list at %place : !list_ids
        scf.yield %entry : index
      } else {
        %number = memref.load %TABLE[%batch, %outer, %span_index, %place] : !list_ids_view
        %entry = arith.index_cast %number : i32 to index
        scf.yield %entry : index
      }
      %behind = arith.subi %j, %selected : index
      %in_window = arith.addi %local, %behind : index
      %b = arith.select %is_selected, %chosen, %in_window : index
      %block_number = memref.load %BLOCKS[%slot, %b, %kv_head] : !blocks
      %page = arith.index_cast %block_number : i64 to index
      %block_row = arith.muli %b, %L : index
      %left = arith.subi %length, %block_row : index
      %tokens = arith.minsi %left, %L : index
      %k_raw = tile.load %K[%page, %kv_head, %zero] stride %L in [%zero, %tokens) : !pages -> !kv_tile
      // A retrieved block may stand in a slot; others are shifted.
      %is_far = arith.cmpi slt, %b, %far : index
      %next_slot = arith.addi %j, %one : index
      %slot_of = arith.select %is_far, %j, %next_slot : index
      %in_slot = arith.andi %is_compact, %is_selected : i1
      %unit = arith.select %in_slot, %slot_of, %b : index
      %unit_position = arith.muli %unit, %L : index
      %shift_here = arith.select %is_selected, %zero, %shift : index
      %k_position = arith.addi %unit_position, %shift_here : index
      %k = scf.if %rotates -> !kv_tile {
        %turned = tile.rotate %k_raw at %k_position step %one low %nowhere by %FREQUENCIES half %is_half : !kv_tile, !frequencies -> !kv_tile
        scf.yield %turned : !kv_tile
      } else {
        scf.yield %k_raw : !kv_tile
      }
      %v = tile.load %V[%page, %kv_head, %zero] stride %L count %ordinary in [%zero, %tokens) : !pages -> !kv_tile
      %s = tile.dot %q, %k transpose into %s0 : !q_tile, !kv_tile -> !s_tile
      %seen, %own = scf.if %edge -> (!seen, !own) {
        %some = landmark.tokens rows(%row_block, %row_token) at %b keys(%length) phase(%zero) block(%L) : !row_index, !row_index -> !seen
        %own_block = landmark.own %row_block at %b : !row_index -> !own
        scf.yield %some, %own_block : !seen, !own
      } else {
        %ordinary_tokens = landmark.ordinary block(%L) : !seen
        %none_own = arith.constant dense<false> : !own
        scf.yield %ordinary_tokens, %none_own : !seen, !own
      }
      %w, %m_next, %l_next, %kept = landmark.online %m, %l add %s seen %seen own %own factor %c block(%L) : !row, !s_tile, !seen, !own
      %kept_row = tile.broadcast %kept to [0] : !row -> !o_tile
      %acc_kept = arith.mulf %acc, %kept_row : !o_tile
      %p = tile.cast %w : !s_tile -> !p_tile
      %acc_next = tile.dot %p, %v into %acc_kept : !p_tile, !kv_tile -> !o_tile
      scf.yield %acc_next, %m_next, %l_next : !o_tile, !row, !row
    }

    // Parts that are programs of a cluster are joined here, in the first of them, which writes: sums that have the exponent %m.
    %m_all, %l_all, %o_all = scf.if %joins -> (!row, !row, !o_tile) {
      %most, %sums:2 = tile.cluster_sum exponent %m of %l, %o below %rows : !row, !row, !o_tile
      scf.yield %most, %sums#0, %sums#1 : !row, !row, !o_tile
    } else {
      scf.yield %m, %l, %o : !row, !row, !o_tile
    }
    %is_other = arith.cmpi ne, %split, %zero : index
    %is_silent = arith.andi %joins, %is_other : i1
    %end = arith.select %is_silent, %row, %row_end : index
    %parts = arith.select %joins, %one, %splits : index
    %own_part = arith.select %joins, %zero, %split : index

    %inverse, %lse = landmark.finish %m_all, %l_all : !row
    %inverse_row = tile.broadcast %inverse to [0] : !row -> !o_tile
    %result = arith.mulf %o_all, %inverse_row : !o_tile
    %out = tile.cast %result : !o_tile -> !out_tile
    %all_parts = arith.muli %batch, %parts : index
    %part = arith.addi %all_parts, %own_part : index
    tile.store %out, %O[%part, %outer, %row] below %end : !out_tile, !out_view
    %ln2 = arith.constant dense<0.693147181> : !row
    %lse_e = arith.mulf %lse, %ln2 : !row           // natural logarithm
    tile.store %lse_e, %LSE[%part, %outer, %row] below %end : !row, !rows_view
    gpu.return
  }
}
