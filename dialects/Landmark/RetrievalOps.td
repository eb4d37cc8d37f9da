// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the templates of retrieval say (docs/spec.md, section 5). Included by LandmarkOps.td.
#ifndef LANDMARK_DIALECTS_RETRIEVAL_OPS
#define LANDMARK_DIALECTS_RETRIEVAL_OPS

def Landmark_RetrieveOp : Landmark_Op<"retrieve", [Symbol]> {
  let summary = "request for a kernel of retrieval";
  let description = [{
    Names what a kernel is specialised on: which step of retrieval it does (`score_top`, `score`, `pool`, `pool_top`, `select`, `attend`, `attend_part`, `attend_join` or `merge`: the template
    of that name, `attend_part` being `attend` with a float32 result for `merge`, `attend_join` with parts that are programs of a cluster and are joined there), block size, head dimension, how many blocks are selected, element type, and the schedule.
    With `rotary` queries and keys are rotated on load. `landmark-bind-template` replaces it by a `gpu.module` that holds the template bound to it.

    Constraints: as of `landmark.forward`, with `block_size` up to 256; `top_k` is 1 to 128.

    Example: `landmark.retrieve @landmark_attend step "attend" block_size 64 head_dim 128 top_k 4 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$step, I64Attr:$block_size, I64Attr:$head_dim, I64Attr:$top_k, TypeAttr:$type, UnitAttr:$rotates,
                       Landmark_ConfigAttr:$config);
  let assemblyFormat = [{
    $sym_name `step` $step `block_size` custom<Integer>($block_size) `head_dim` custom<Integer>($head_dim) `top_k` custom<Integer>($top_k) `type` $type
    (`rotary` $rotates^)? `config` $config attr-dict
  }];
  let hasVerifier = 1;
}

//===-- Geometry ----------------------------------------------------------------------------------------------------===//

def Landmark_TaskOp : Landmark_Op<"task", [Pure]> {
  let summary = "which rows, and which part of the work on them, this program has";
  let description = [{
    For a view [batch, outer, inner, D] whose inner rows fall into spans of `span` rows that share what they read (the query heads of a group, or the positions of a
    chunk): a program takes up to `tile` rows of one span, from `row` to `row_end`, and part `split` of `splits` of what they read. Parts of the same rows are numbered
    side by side. `span` divides the inner rows.

    Example: `%batch, %outer, %span, %row, %row_end, %split = landmark.task %Q span %n tile %rows splits %splits : !view`
  }];
  let arguments = (ins MemRefRankOf<[AnyFloat, I32], [4]>:$view, Index:$span, Index:$tile, Index:$splits);
  let results = (outs Index:$batch, Index:$outer, Index:$span_index, Index:$row, Index:$row_end, Index:$split);
  let assemblyFormat = "$view `span` $span `tile` $tile `splits` $splits attr-dict `:` type($view)";
}

def Landmark_PartOp : Landmark_Op<"part", [Pure]> {
  let summary = "part `split` of `splits` of the steps of a range";
  let description = [{
    Cuts [0, `end`), walked in steps of `step`, into `splits` parts of as equal a number of steps as can be; a part may be empty.

    Example: `%begin, %stop = landmark.part %split of %splits to %end step %n`
  }];
  let arguments = (ins Index:$split, Index:$splits, Index:$end, Index:$step);
  let results = (outs Index:$begin, Index:$stop);
  let assemblyFormat = "$split `of` $splits `to` $end `step` $step attr-dict";
}

def Landmark_PositionsOp : Landmark_Op<"positions", [Pure]> {
  let summary = "where tokens stand for a rotary embedding (C13)";
  let description = [{
    For a row that may choose `keep` of `blocks` blocks. True positions are the tokens' own. `compact` ones (not 0) leave no room for blocks that are not retrieved: with
    `r = min(keep, blocks)`,

    - `shift` is what is added to the position of a token behind those blocks,
    - a landmark of block c is scored at `max(lowest, c * L + L - 1 + landmark_shift)`,
    - the retrieved block c that is x-th in time begins at slot x if `c < far`, else at slot x + 1, of L positions each.

    With true positions shifts are 0 and `lowest` is below any position.

    Example: `%shift, %landmark_shift, %lowest, %far = landmark.positions of %n keep %k block %L compact %compact`
  }];
  let arguments = (ins Index:$blocks, Index:$keep, Index:$block_size, Index:$compact);
  let results = (outs Index:$shift, Index:$landmark_shift, Index:$lowest, Index:$far);
  let assemblyFormat = "`of` $blocks `keep` $keep `block` $block_size `compact` $compact attr-dict";
}

//===-- Selection ---------------------------------------------------------------------------------------------------===//

def Landmark_CandidatesOp : Landmark_Op<"candidates", [Pure]> {
  let summary = "which columns of a tile of landmarks a row may choose from";
  let description = [{
    Columns are blocks `block`, `block + 1`, ...: true for those below the row's limit.

    Example: `%seen = landmark.candidates at %b below %limit : tensor<16xi32> -> tensor<16x64xi1>`
  }];
  let arguments = (ins Index:$block, Tile_Tile:$limit);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "`at` $block `below` $limit attr-dict `:` type($limit) `->` type($result)";
  let hasVerifier = 1;
}

def Landmark_NumbersOp : Landmark_Op<"numbers", [Pure]> {
  let summary = "block numbers of a tile's columns";
  let description = [{
    Column `c` holds `block + c` where `seen`, and 2^31 - 1, the number of no block, elsewhere.

    Example: `%ids = landmark.numbers at %b seen %seen : tensor<16x64xi1> -> tensor<16x64xi32>`
  }];
  let arguments = (ins Index:$block, Tile_Tile:$seen);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "`at` $block `seen` $seen attr-dict `:` type($seen) `->` type($result)";
  let hasVerifier = 1;
}

def Landmark_TopKOp : Landmark_Op<"top_k", [Pure, AllTypesMatch<["values", "new_values"]>, AllTypesMatch<["ids", "new_ids"]>]> {
  let summary = "the highest of a row's list and of new candidates";
  let description = [{
    Keeps the `keep` highest of both, the highest first; of equal ones the lower id comes first (C12). Places beyond hold -inf and the id 2^31 - 1, as absent
    candidates do. No value is NaN; -inf may be the value of a candidate that is there. Ids of both together are distinct.

    With `across` the candidates of all rows are one row's, and so is the list, whose rows but the first hold nothing: rows are then a way to have more threads at one list.

    Example: `%v1, %i1 = landmark.top_k %v, %i add %s, %ids keep 4 : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>`
  }];
  let arguments = (ins Tile_Tile:$values, Tile_Tile:$ids, Tile_Tile:$candidates, Tile_Tile:$candidate_ids, Index:$keep, UnitAttr:$across);
  let results = (outs Tile_Tile:$new_values, Tile_Tile:$new_ids);
  let assemblyFormat = [{
    $values `,` $ids `add` $candidates `,` $candidate_ids `keep` $keep (`across` $across^)? attr-dict
    `:` type($values) `,` type($ids) `,` type($candidates) `,` type($candidate_ids)
  }];
  let hasVerifier = 1;
}

def Landmark_ChooseOp : Landmark_Op<"choose"> {
  let summary = "the best of a row's lists, in the order of their ids";
  let description = [{
    The lists of a row stand side by side in memory: `candidates` values and ids, cut into pieces that stand under each other as rows of a view [batch, row, piece, column], so
    that all threads share the one list; what lies beyond the candidates is read, and not used. The result's first row holds the ids of the `keep` highest, as of
    `landmark.top_k`, in ascending order, then -1; other rows hold -1.

    Example: `%ids = landmark.choose %VALUES, %IDS[%batch, %row] candidates %n keep %k : !candidates_view, !candidate_ids_view -> tensor<8x8xi32>`
  }];
  let arguments = (ins Arg<MemRefRankOf<[F32], [4]>, "values", [MemRead]>:$values, Arg<MemRefRankOf<[I32], [4]>, "ids", [MemRead]>:$ids, Index:$batch, Index:$row,
                       Index:$candidates, Index:$keep);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $values `,` $ids `[` $batch `,` $row `]` `candidates` $candidates `keep` $keep attr-dict `:` type($values) `,` type($ids) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Landmark_EntryOp : Landmark_Op<"entry", [Pure]> {
  let summary = "one id of a list";
  let description = [{
    The id at `place` of the first row, -1 where there is none; the tile's other rows hold -1.

    Example: `%block = landmark.entry %ids at %j : tensor<8x8xi32>`
  }];
  let arguments = (ins Tile_Tile:$ids, Index:$place);
  let results = (outs Index:$result);
  let assemblyFormat = "$ids `at` $place attr-dict `:` type($ids)";
  let hasVerifier = 1;
}

//===-- Softmax over blocks in any order ------------------------------------------------------------------------------===//

def Landmark_OnlineOp : Landmark_Op<"online", [Pure, AllTypesMatch<["logits", "weights"]>, AllTypesMatch<["max", "sum", "new_max", "new_sum", "kept"]>]> {
  let summary = "weights of a tile of blocks before the log-sum-exp is known";
  let description = [{
    Every block is one term of a row's softmax: with `m` and `n` the maximum and the sum of the exponentials of its `seen` logits, its logarithm (base 2) is

        own block    t = m * factor + log2(n)
        past block   t = landmark logit * factor

    and -inf where nothing of the block is seen. `max` and `sum` are the running maximum of the terms and the sum of `exp2(t - max)`. What was accumulated before must be
    multiplied by `kept`; `weights` is what the block adds, so that after the last block `acc / sum` is the result and `max + log2(sum)` its log-sum-exp.

    Example: `%w, %m1, %l1, %kept = landmark.online %m, %l add %s seen %seen own %own factor %c block(%L) : ...`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum, Tile_Tile:$logits, Tile_Tile:$seen, Tile_Tile:$own, F32:$factor, Index:$block_size);
  let results = (outs Tile_Tile:$weights, Tile_Tile:$new_max, Tile_Tile:$new_sum, Tile_Tile:$kept);
  let assemblyFormat = [{
    $max `,` $sum `add` $logits `seen` $seen `own` $own `factor` $factor `block` `(` $block_size `)` attr-dict
    `:` type($max) `,` type($logits) `,` type($seen) `,` type($own)
  }];
  let hasVerifier = 1;
}

def Landmark_FinishOp : Landmark_Op<"finish", [Pure, AllTypesMatch<["max", "sum", "inverse", "lse"]>]> {
  let summary = "what ends a running softmax";
  let description = [{
    `inverse` is `1 / sum`, 0 where nothing was seen (C3); `lse` the log-sum-exp, in base 2.

    Example: `%inverse, %lse = landmark.finish %m, %l : tensor<16xf32>`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum);
  let results = (outs Tile_Tile:$inverse, Tile_Tile:$lse);
  let assemblyFormat = "$max `,` $sum attr-dict `:` type($max)";
  let hasVerifier = 1;
}

def Landmark_JoinOp : Landmark_Op<"join", [Pure, SameOperandsAndResultType]> {
  let summary = "log-sum-exp of two log-sum-exps, in base 2";
  let description = [{
    `log2(2^a + 2^b)`, of every element; -inf where both are.

    Example: `%lse = landmark.join %a, %b : tensor<16xf32>`
  }];
  let arguments = (ins Tile_Tile:$a, Tile_Tile:$b);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a)";
  let hasVerifier = 1;
}

def Landmark_ShareOp : Landmark_Op<"share", [Pure, AllTypesMatch<["part", "whole", "result"]>]> {
  let summary = "2^(part - whole), the share that one log-sum-exp has in another; 0 where the part is -inf";
  let description = "Example: `%w = landmark.share %part of %whole : tensor<16xf32>`";
  let arguments = (ins Tile_Tile:$part, Tile_Tile:$whole);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$part `of` $whole attr-dict `:` type($part)";
  let hasVerifier = 1;
}

#endif
