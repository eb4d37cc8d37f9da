// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_LANDMARK_OPS
#define LANDMARK_DIALECTS_LANDMARK_OPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "dialects/Tile/TileTypes.td"

def Landmark_Dialect : Dialect {
  let name = "landmark";
  let cppNamespace = "::landmark::ir";
  let summary = "What landmark attention computes";
  let description = [{
    The `landmark` dialect holds the requests for kernels (`landmark.forward`, `landmark.backward`) and the operations in which kernel templates speak of landmark
    attention: where a query row stands, which keys it sees, how a row of logits turns into weights. `docs/spec.md` defines the terms;
    `landmark-expand-ops` turns everything but the requests into `tile`, `arith` and `math`.

    Blocks are counted from the block that holds key 0. Logits are raw products of queries and keys; `factor` is the logit scale times log2(e), so that
    `exp2(logit * factor)` is the exponential of a scaled logit. Log-sum-exps inside a program are in base 2.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::landmark::tile::TileDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

class Landmark_Op<string mnemonic, list<Trait> traits = []> : Op<Landmark_Dialect, mnemonic, traits>;

def Landmark_ConfigAttr : AttrDef<Landmark_Dialect, "Config"> {
  let mnemonic = "config";
  let summary = "how a kernel is scheduled; can never change what it computes";
  let parameters = (ins "int64_t":$query_tile, "int64_t":$key_tile, "int64_t":$warps, "int64_t":$stages);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Landmark_ForwardOp : Landmark_Op<"forward", [Symbol]> {
  let summary = "request for a forward kernel";
  let description = [{
    Names what a kernel is specialised on: block size, head dimension, element type, and the schedule it shall have.
    `landmark-bind-template` replaces it by a `gpu.module` that holds the template bound to it. With `step` it is one of the two steps of a forward with a gate
    threshold: `gates` or `listed`. A kernel that is `quick` subtracts no maximum where it need not (`landmark.past_weights`), and multiplies some logits twice for it.

    Constraints: `block_size` is 2 to 2^20 (C5), for a step at most 128; `head_dim` a multiple of 8 from 16 to 256; the type bf16, f16 or f32.

    Example: `landmark.forward @landmark_forward block_size 64 head_dim 128 type bf16 quick config <query_tile = 128, key_tile = 64, warps = 4, stages = 2>`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$step, I64Attr:$block_size, I64Attr:$head_dim, TypeAttr:$type, UnitAttr:$quick,
                       Landmark_ConfigAttr:$config);
  let assemblyFormat = [{
    $sym_name (`step` $step^)? `block_size` custom<Integer>($block_size) `head_dim` custom<Integer>($head_dim) `type` $type (`quick` $quick^)? `config` $config attr-dict
  }];
  let hasVerifier = 1;
}

def Landmark_BackwardOp : Landmark_Op<"backward", [Symbol]> {
  let summary = "request for the kernels of the backward";
  let description = [{
    As `landmark.forward`; `gradient` is the type of dq, dk and dv. Where `passes` is 2 a program passes over the query rows of a key tile once for dv and once for dk,
    where it is 1 it computes both together. With `step` it is one of the two steps of a backward with a gate threshold: `gates` or `listed`. With `adds` programs that go by keys add dq up in memory (`backward_add.mlir`). `row_tile` are the rows of a query tile of the kernel that goes by keys, `query_tile` where it is not given. `landmark-bind-template` replaces it by a `gpu.module` that holds the template's kernels,
    which are launched in their order. `quick` as in a forward (`landmark.past_gradients`).

    Constraints: those of `landmark.forward`; `gradient` is `type` or f32; `passes` is 1 or 2; `row_tile` is 1 to `query_tile`; a `gates` step neither `adds` nor has a `row_tile`.

    Example: `landmark.backward @landmark_backward block_size 64 head_dim 128 type bf16 gradient f32 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$step, I64Attr:$block_size, I64Attr:$head_dim, TypeAttr:$type, TypeAttr:$gradient, I64Attr:$passes,
                       UnitAttr:$adds, OptionalAttr<I64Attr>:$row_tile, UnitAttr:$quick, Landmark_ConfigAttr:$config);
  let assemblyFormat = [{
    $sym_name (`step` $step^)? `block_size` custom<Integer>($block_size) `head_dim` custom<Integer>($head_dim) `type` $type `gradient` $gradient
    `passes` custom<Integer>($passes) (`adds` $adds^)? (`row_tile` $row_tile^)? (`quick` $quick^)? `config` $config attr-dict
  }];
  let hasVerifier = 1;
}

//===-- Geometry ----------------------------------------------------------------------------------------------------===//

def Landmark_ProgramOp : Landmark_Op<"program", [Pure]> {
  let summary = "which rows this program computes";
  let description = [{
    Programs are numbered so that `section` heads are walked side by side (their keys and values share the cache), and within them the tiles
    with most work, the last rows, come first. `kv_head` is the key/value head that query head `head` reads (C1).

    Example: `%batch, %head, %kv_head, %row = landmark.program %Q, %K tile %rows section %section : !view, !view`
  }];
  let arguments = (ins MemRefRankOf<[AnyFloat], [4]>:$q, MemRefRankOf<[AnyFloat], [4]>:$k, Index:$tile, Index:$section);
  let results = (outs Index:$batch, Index:$head, Index:$kv_head, Index:$row);
  let assemblyFormat = "$q `,` $k `tile` $tile `section` $section attr-dict `:` type($q) `,` type($k)";
}

def Landmark_BlockRangeOp : Landmark_Op<"block_range", [Pure]> {
  let summary = "the blocks that a tile of query rows sees";
  let description = [{
    For the rows at positions `first` to `last`: blocks [0, `end`) hold every key that any of them sees. Blocks in
    [`begin`, `past`) are complete and past for all rows, and hold no key that does not exist (block 0, shortened by `phase`, is left out).
    `begin` and `past` are multiples of `step`; blocks [0, `past`) are past for every row.

    Example: `%begin, %past, %end = landmark.block_range rows(%first, %last) keys(%nk) phase(%phase) block(%L) step(%n)`
  }];
  let arguments = (ins Index:$first, Index:$last, Index:$keys, Index:$phase, Index:$block_size, Index:$step);
  let results = (outs Index:$begin, Index:$past, Index:$end);
  let assemblyFormat = [{
    `rows` `(` $first `,` $last `)` `keys` `(` $keys `)` `phase` `(` $phase `)` `block` `(` $block_size `)` `step` `(` $step `)` attr-dict
  }];
}

def Landmark_LocateOp : Landmark_Op<"locate", [Pure]> {
  let summary = "block of each query row, and place in it";
  let description = [{
    For the row at position `first + i * step` (`step` is 1 where it is not given): `blocks[i] = (first + i * step + phase) / L`, `tokens[i]` the remainder.

    Example: `%blocks, %tokens = landmark.locate %first phase %phase block %L : tensor<128xi32>`
  }];
  let arguments = (ins Index:$first, Optional<Index>:$step, Index:$phase, Index:$block_size);
  let results = (outs Tile_Tile:$blocks, Tile_Tile:$tokens);
  let assemblyFormat = "$first (`step` $step^)? `phase` $phase `block` $block_size attr-dict `:` type($blocks) `,` type($tokens)";
  let hasVerifier = 1;
}

def Landmark_KeyProgramOp : Landmark_Op<"key_program", [Pure]> {
  let summary = "which keys this program computes the gradients of";
  let description = [{
    For kernels whose programs go by tiles of keys, `tiles` of them a key/value head. As for `landmark.program`, `section` heads are walked side by side and the
    tiles with most work, the first keys, come first. Query heads [`head`, `head + heads`) read key/value head `kv_head` (C1).

    Example: `%batch, %kv_head, %head, %heads, %tile = landmark.key_program %Q, %K tiles %tiles section %section : !view, !view`
  }];
  let arguments = (ins MemRefRankOf<[AnyFloat], [4]>:$q, MemRefRankOf<[AnyFloat], [4]>:$k, Index:$tiles, Index:$section);
  let results = (outs Index:$batch, Index:$kv_head, Index:$head, Index:$heads, Index:$tile);
  let assemblyFormat = "$q `,` $k `tiles` $tiles `section` $section attr-dict `:` type($q) `,` type($k)";
}

def Landmark_RowRangeOp : Landmark_Op<"row_range", [Pure]> {
  let summary = "the query rows that see a tile of blocks";
  let description = [{
    Rows from `first` on may see a key of blocks [`block`, `block + step`); cut into tiles of `tile` rows there are `tiles` of them. From tile `edges` on every row
    sees these blocks as complete past ones, and no key of them is missing. `first` is a multiple of `align` where that is given, so that some rows before may see none.

    Example: `%first, %edges, %tiles = landmark.row_range blocks(%b, %step) rows(%nq, %q_offset) keys(%nk) phase(%phase) block(%L) tile(%rows)`
  }];
  let arguments = (ins Index:$block, Index:$step, Index:$queries, Index:$q_offset, Index:$keys, Index:$phase, Index:$block_size, Index:$tile,
                       OptionalAttr<I64Attr>:$align);
  let results = (outs Index:$first, Index:$edges, Index:$tiles);
  let assemblyFormat = [{
    `blocks` `(` $block `,` $step `)` `rows` `(` $queries `,` $q_offset `)` `keys` `(` $keys `)` `phase` `(` $phase `)` `block` `(` $block_size `)`
    `tile` `(` $tile `)` (`align` $align^)? attr-dict
  }];
}

def Landmark_GroupTileOp : Landmark_Op<"group_tile", [Pure]> {
  let summary = "head and first row of a tile of the rows of several heads";
  let description = [{
    Tile `number` of the heads from `head` on, each of which has `tiles` tiles of `tile` rows that begin at row `first`.

    Example: `%h, %row = landmark.group_tile %t heads(%head) first(%first) tiles(%tiles) tile(%rows)`
  }];
  let arguments = (ins Index:$number, Index:$first_head, Index:$first, Index:$tiles, Index:$tile);
  let results = (outs Index:$head, Index:$row);
  let assemblyFormat = "$number `heads` `(` $first_head `)` `first` `(` $first `)` `tiles` `(` $tiles `)` `tile` `(` $tile `)` attr-dict";
}

//===-- Visibility --------------------------------------------------------------------------------------------------===//

def Landmark_OwnOp : Landmark_Op<"own", [Pure]> {
  let summary = "which blocks of a tile are a row's own";
  let description = [{
    True where block `block + s` is the block of row `m`; of rank 1, where block `block` is.

    Example: `%own = landmark.own %blocks at %b : tensor<128xi32> -> tensor<128x1xi1>`
  }];
  let arguments = (ins Tile_Tile:$blocks, Index:$block);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$blocks `at` $block attr-dict `:` type($blocks) `->` type($result)";
  let hasVerifier = 1;
}

def Landmark_TokensOp : Landmark_Op<"tokens", [Pure]> {
  let summary = "which ordinary keys of a tile of blocks a row sees";
  let description = [{
    For row `m`, block `c = block + s` and its token `t`: true where the key is no landmark, exists (its index is in [0, `keys`)), and either `c` is a
    complete past block of the row, or it is the row's own block and the key does not come after the row (SPEC 2). A row sees itself.

    Example: `%seen = landmark.tokens rows(%blocks, %tokens) at %b keys(%nk) phase(%phase) block(%L) : tensor<128xi32> -> tensor<128x1x64xi1>`
  }];
  let arguments = (ins Tile_Tile:$row_blocks, Tile_Tile:$row_tokens, Index:$block, Index:$keys, Index:$phase, Index:$block_size, Optional<Index>:$first_token);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    `rows` `(` $row_blocks `,` $row_tokens `)` `at` $block `keys` `(` $keys `)` `phase` `(` $phase `)` `block` `(` $block_size `)` (`from` $first_token^)? attr-dict
    `:` type($row_blocks) `,` type($row_tokens) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Landmark_OrdinaryOp : Landmark_Op<"ordinary", [Pure]> {
  let summary = "which keys of a tile of whole past blocks are ordinary";
  let description = [{
    True for tokens `t < L - 1`: what `landmark.tokens` comes to where every block of the tile is complete and past for every row.

    Example: `%seen = landmark.ordinary block(%L) : tensor<128x1x64xi1>`
  }];
  let arguments = (ins Index:$block_size, Optional<Index>:$first_token);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "`block` `(` $block_size `)` (`from` $first_token^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Landmark_GatesOp : Landmark_Op<"gates", [Pure]> {
  let summary = "which landmarks of a tile of blocks a row sees";
  let description = [{
    True for the landmark, token `L - 1`, of a complete past block that has an ordinary key (C6). With a result of rank 2 the columns are the landmarks of blocks
    `block`, `block + 1`, ... and nothing else.

    Example: `%seen = landmark.gates rows(%blocks) at %b keys(%nk) phase(%phase) block(%L) : tensor<128xi32> -> tensor<128x1x64xi1>`
  }];
  let arguments = (ins Tile_Tile:$row_blocks, Index:$block, Index:$keys, Index:$phase, Index:$block_size, Optional<Index>:$first_token);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    `rows` `(` $row_blocks `)` `at` $block `keys` `(` $keys `)` `phase` `(` $phase `)` `block` `(` $block_size `)` (`from` $first_token^)? attr-dict
    `:` type($row_blocks) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Landmark_PastGatesOp : Landmark_Op<"past_gates", [Pure]> {
  let summary = "which columns of a tile of landmark keys count";
  let description = [{
    For a tile whose columns are the landmarks of blocks `block`, `block + 1`, ...: true for those below `past`, save block 0 where it holds nothing but its
    landmark (C6).

    Example: `%seen = landmark.past_gates at %b below %past phase(%phase) block(%L) : tensor<128x64xi1>`
  }];
  let arguments = (ins Index:$block, Index:$past, Index:$phase, Index:$block_size);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    `at` $block `below` $past `phase` `(` $phase `)` `block` `(` $block_size `)` attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

//===-- Softmax -----------------------------------------------------------------------------------------------------===//

def Landmark_StatsOp : Landmark_Op<"stats", [Pure, AllTypesMatch<["max", "sum", "new_max", "new_sum"]>]> {
  let summary = "add logits to running softmax statistics";
  let description = [{
    `max` is the running maximum of raw logits (-inf where none was seen yet), `sum` the sum of `exp2((logit - max) * factor)`. Logits that are not
    `seen` do not count. `factor` must be positive. With `exact` the maximum is subtracted before the product with the factor: an operation more for each logit, and no
    rounding error of a huge one is magnified.

    Example: `%m1, %l1 = landmark.stats %m0, %l0 add %s seen %mask factor %c : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum, Tile_Tile:$logits, Tile_Tile:$seen, F32:$factor, UnitAttr:$exact);
  let results = (outs Tile_Tile:$new_max, Tile_Tile:$new_sum);
  let assemblyFormat = [{
    $max `,` $sum `add` $logits `seen` $seen `factor` $factor (`exact` $exact^)? attr-dict `:` type($max) `,` type($logits) `,` type($seen)
  }];
  let hasVerifier = 1;
}

def Landmark_LogSumExpOp : Landmark_Op<"log_sum_exp", [Pure, AllTypesMatch<["max", "sum", "result"]>]> {
  let summary = "log-sum-exp, in base 2, of running statistics";
  let description = [{
    `max * factor + log2(sum)`; -inf where nothing was seen (C3).

    Example: `%lse = landmark.log_sum_exp %m, %l factor %c : tensor<128xf32>`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum, F32:$factor);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$max `,` $sum `factor` $factor attr-dict `:` type($max)";
  let hasVerifier = 1;
}

def Landmark_AddOwnOp : Landmark_Op<"add_own", [Pure, AllTypesMatch<["lse", "result"]>]> {
  let summary = "add a row's own block to its log-sum-exp";
  let description = [{
    `lse` is the log-sum-exp, in base 2, of what a row sees beyond its own block, -inf for nothing. For rows whose own block is one of the tile's the `seen` logits of
    that block are added; for others `lse` stays as it is. `factor` must be positive.

    Example: `%lse1 = landmark.add_own %lse0 add %s seen %seen own %own factor %c : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>`
  }];
  let arguments = (ins Tile_Tile:$lse, Tile_Tile:$logits, Tile_Tile:$seen, Tile_Tile:$own, F32:$factor);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $lse `add` $logits `seen` $seen `own` $own `factor` $factor attr-dict `:` type($lse) `,` type($logits) `,` type($seen) `,` type($own)
  }];
  let hasVerifier = 1;
}

def Landmark_GateLogitOp : Landmark_Op<"gate_logit", [Pure]> {
  let summary = "logit of the landmark in a tile that ends a block";
  let description = [{
    The column of token `L - 1` of the one block that the tile holds the last part of: column `(L - 1) % tokens`.

    Example: `%g = landmark.gate_logit %s block(%L) : tensor<128x1x64xf32> -> tensor<128xf32>`
  }];
  let arguments = (ins Tile_Tile:$logits, Index:$block_size);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$logits `block` `(` $block_size `)` attr-dict `:` type($logits) `->` type($result)";
  let hasVerifier = 1;
}

def Landmark_BlockFactorOp : Landmark_Op<"block_factor", [Pure, AllTypesMatch<["max", "sum", "gate", "lse", "result"]>]> {
  let summary = "factor that turns the exponentials of a block into weights";
  let description = [{
    With `max` and `sum` the statistics of a row's seen logits in the block, its weights are `exp2((logit - max) * factor)` times

        own block    exp2(max * factor - lse)
        past block   exp2(gate * factor - lse) / sum

    and 0 where nothing is seen (C3). `gate` is the landmark's logit.

    Example: `%w = landmark.block_factor %m, %n own %own gate %g lse %lse factor %c : tensor<128xf32>, tensor<128xi1>`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum, Tile_Tile:$own, Tile_Tile:$gate, Tile_Tile:$lse, F32:$factor);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $max `,` $sum `own` $own `gate` $gate `lse` $lse `factor` $factor attr-dict `:` type($max) `,` type($own)
  }];
  let hasVerifier = 1;
}

def Landmark_SpreadOp : Landmark_Op<"spread", [Pure, AllTypesMatch<["logits", "result"]>, AllTypesMatch<["max", "weight"]>]> {
  let summary = "weights of a part of a block";
  let description = [{
    `exp2((logit - max) * factor) * weight` where `seen`, else 0: what `landmark.weights` computes for a whole block, for one whose statistics
    are known.

    Example: `%p = landmark.spread %s seen %seen max %m weight %w factor %c : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128xf32>`
  }];
  let arguments = (ins Tile_Tile:$logits, Tile_Tile:$seen, Tile_Tile:$max, Tile_Tile:$weight, F32:$factor);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $logits `seen` $seen `max` $max `weight` $weight `factor` $factor attr-dict `:` type($logits) `,` type($seen) `,` type($max)
  }];
  let hasVerifier = 1;
}

def Landmark_PartWeightsOp : Landmark_Op<"part_weights", [Pure, AllTypesMatch<["logits", "weights"]>, AllTypesMatch<["max", "sum", "new_max", "new_sum", "kept"]>]> {
  let summary = "weights of a part of a block before the block's statistics are known";
  let description = [{
    Adds the part's `seen` logits to the block's running statistics, as `landmark.stats` does. `weights` is `exp2((logit - new max) * factor)`, 0 where not seen; what was accumulated of
    the block before must be multiplied by `kept`, `exp2((max - new max) * factor)`. After the last part `landmark.block_factor` says what the accumulated is worth.

    Example: `%w, %m1, %n1, %kept = landmark.part_weights %m, %n add %s seen %seen factor %c : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum, Tile_Tile:$logits, Tile_Tile:$seen, F32:$factor);
  let results = (outs Tile_Tile:$weights, Tile_Tile:$new_max, Tile_Tile:$new_sum, Tile_Tile:$kept);
  let assemblyFormat = [{
    $max `,` $sum `add` $logits `seen` $seen `factor` $factor attr-dict `:` type($max) `,` type($logits) `,` type($seen)
  }];
  let hasVerifier = 1;
}

def Landmark_WeightsOp : Landmark_Op<"weights", [Pure, AllTypesMatch<["logits", "exponentials"]>]> {
  let summary = "attention weights of a tile of blocks, as exponentials and a factor for each row and block";
  let description = [{
    Given the log-sum-exp of a row, its weights on a block do not depend on any other block (SPEC 2). With `m` and `n` the maximum and the sum of
    the exponentials of the `seen` logits of the block:

        own block    P = exp2(logit - lse)                                = exp2(logit - m) * exp2(m - lse)
        past block   P = exp2(logit - m) / n * exp2(landmark logit - lse)

    so that one factor a row and block is all that differs: `P` is `exponentials`, `exp2(logit - m)`, times `factors`. Column `block_size - 1` holds the landmark's logit.
    Where nothing of a block is seen its factor is 0 (C3).

    Example: `%e, %f = landmark.weights %s seen %seen own %own lse %lse factor %c block(%L) : tensor<128x1x64xf32>, ... -> tensor<128x1xf32>`
  }];
  let arguments = (ins Tile_Tile:$logits, Tile_Tile:$seen, Tile_Tile:$own, Tile_Tile:$lse, F32:$factor, Index:$block_size);
  let results = (outs Tile_Tile:$exponentials, Tile_Tile:$factors);
  let assemblyFormat = [{
    $logits `seen` $seen `own` $own `lse` $lse `factor` $factor `block` `(` $block_size `)` attr-dict
    `:` type($logits) `,` type($seen) `,` type($own) `,` type($lse) `->` type($factors)
  }];
  let hasVerifier = 1;
}

def Landmark_PastWeightsOp : Landmark_Op<"past_weights", [Pure, AllTypesMatch<["logits", "exponentials"]>]> {
  let summary = "attention weights of past blocks that all rows see whole, without a maximum";
  let description = [{
    What `landmark.weights` yields, by another shift: a row's log-sum-exp, which is known, in place of the maximum of each block.

        P = exp2(logit - lse) / n * exp2(landmark logit - lse)            with n the sum of the same exponentials

    That is the same as long as the exponentials stay in the range of float32. Whether they do shows in `n` and in the factor: `fits` says that for none of the rows of a warp and their
    blocks one of them is above 2^60. (A sum of less than 2^-60 makes the factor as large, unless the block's weight is below 2^-60 of its reciprocal, where it does not matter.) Where it does not fit the
    caller takes `landmark.weights`.

    With `exact` it is `landmark.weights`, and fits always: for schedules in which a second way is not worth its code.

    `holds` is for callers that round exponentials and factors to the input type before they multiply them. It is `fits`, but for `half`: float16 has fewer exponents, and what is less than its least normal
    number is wrong by up to 2^-25. With `lse` less 8, so that a row's weights add up to 2^8, it says that no exponential is above 65504, and that nowhere a weight is wrong by more than 2^-12 / `keys`
    of their sum for it, `keys` being how many a row sees at most: 64 times a factor, and the sum of a block's exponentials, are at most 2^27 / `keys`. (An exponential's error is multiplied by the
    factor, a factor's by the exponential, which is the sum's 64th or so.)

    Example: `%e, %f, %fits, %holds = landmark.past_weights %s lse %lse factor %c block(%L) keys(%n) : tensor<128x1x64xf32>, tensor<128xf32> -> tensor<128x1xf32>`
  }];
  let arguments = (ins Tile_Tile:$logits, Tile_Tile:$lse, F32:$factor, Index:$block_size, Index:$keys, UnitAttr:$exact, UnitAttr:$half);
  let results = (outs Tile_Tile:$exponentials, Tile_Tile:$factors, I1:$fits, I1:$holds);
  let assemblyFormat = [{
    $logits `lse` $lse `factor` $factor `block` `(` $block_size `)` `keys` `(` $keys `)` (`exact` $exact^)? (`half` $half^)? attr-dict
    `:` type($logits) `,` type($lse) `->` type($factors)
  }];
  let hasVerifier = 1;
}

//===-- Gradients ---------------------------------------------------------------------------------------------------===//

def Landmark_GradientsOp : Landmark_Op<"gradients", [Pure, AllTypesMatch<["logits", "products", "weights", "result"]>,
                                                     AllTypesMatch<["lse", "delta"]>]> {
  let summary = "attention weights of a tile of blocks, and the gradients of its logits";
  let description = [{
    `weights` is what `landmark.weights` yields. `products` holds `a = do . v`, `delta` a row's `D = do . o` (less the gradient of its log-sum-exp, where that is
    differentiated). With `inner` the softmax of a past block on its own, `N = sum(inner * a)` over the block and `gate` the weight of its landmark (SPEC 3):

        own block    ds = P * (a - D)
        past block   ds = P * (a - N), which is P * (a - D) - inner * gate * (N - D);     landmark: ds = gate * (N - D)

    so that one number a row and block is subtracted. `result` is 0 where nothing is seen (C3), and for the landmark of a block that is not past.

    Example: `%p, %ds = landmark.gradients %s, %a seen %seen own %own lse %lse delta %delta factor %c block(%L) : tensor<64x1x64xf32>, ...`
  }];
  let arguments = (ins Tile_Tile:$logits, Tile_Tile:$products, Tile_Tile:$seen, Tile_Tile:$own, Tile_Tile:$lse, Tile_Tile:$delta, F32:$factor,
                       Index:$block_size);
  let results = (outs Tile_Tile:$weights, Tile_Tile:$result);
  let assemblyFormat = [{
    $logits `,` $products `seen` $seen `own` $own `lse` $lse `delta` $delta `factor` $factor `block` `(` $block_size `)` attr-dict
    `:` type($logits) `,` type($seen) `,` type($own) `,` type($lse)
  }];
  let hasVerifier = 1;
}

def Landmark_PastGradientsOp : Landmark_Op<"past_gradients", [Pure, AllTypesMatch<["logits", "products", "weights", "result"]>,
                                                              AllTypesMatch<["lse", "delta"]>]> {
  let summary = "what `landmark.gradients` yields of past blocks that all rows see whole, without a maximum";
  let description = [{
    By the shift of `landmark.past_weights`: `fits` says whether the exponentials stay in the range of float32. Where they do not the caller takes `landmark.gradients`. With `exact` it is
    `landmark.gradients`, and fits always.

    Example: `%p, %ds, %fits = landmark.past_gradients %s, %a lse %lse delta %delta factor %c block(%L) : tensor<64x1x64xf32>, tensor<64xf32>`
  }];
  let arguments = (ins Tile_Tile:$logits, Tile_Tile:$products, Tile_Tile:$lse, Tile_Tile:$delta, F32:$factor, Index:$block_size, UnitAttr:$exact);
  let results = (outs Tile_Tile:$weights, Tile_Tile:$result, I1:$fits);
  let assemblyFormat = [{
    $logits `,` $products `lse` $lse `delta` $delta `factor` $factor `block` `(` $block_size `)` (`exact` $exact^)? attr-dict `:` type($logits) `,` type($lse)
  }];
  let hasVerifier = 1;
}

def Landmark_ProductStatsOp : Landmark_Op<"product_stats", [Pure, AllTypesMatch<["max", "sum", "total", "new_max", "new_sum", "new_total"]>,
                                                            AllTypesMatch<["logits", "products"]>]> {
  let summary = "add logits and their products to running statistics";
  let description = [{
    As `landmark.stats`; `total` is the sum of `exp2((logit - max) * factor) * product`, so that `total / sum` is `N` at last (see `landmark.gradients`).

    Example: `%m1, %n1, %t1 = landmark.product_stats %m0, %n0, %t0 add %s, %a seen %mask factor %c : tensor<64xf32>, tensor<64x1x64xf32>, tensor<64x1x64xi1>`
  }];
  let arguments = (ins Tile_Tile:$max, Tile_Tile:$sum, Tile_Tile:$total, Tile_Tile:$logits, Tile_Tile:$products, Tile_Tile:$seen, F32:$factor);
  let results = (outs Tile_Tile:$new_max, Tile_Tile:$new_sum, Tile_Tile:$new_total);
  let assemblyFormat = [{
    $max `,` $sum `,` $total `add` $logits `,` $products `seen` $seen `factor` $factor attr-dict `:` type($max) `,` type($logits) `,` type($seen)
  }];
  let hasVerifier = 1;
}

def Landmark_PartGradientsOp : Landmark_Op<"part_gradients", [Pure, AllTypesMatch<["logits", "products", "weights", "result"]>,
                                                              AllTypesMatch<["max", "sum", "total", "gate", "lse", "delta"]>]> {
  let summary = "attention weights of a part of a block, and the gradients of its logits";
  let description = [{
    What `landmark.gradients` computes for a whole block, for tokens `from`, `from + 1`, ... of one whose statistics (`landmark.product_stats`) and whose
    landmark's logit `gate` are known. Of a row's own block only `max` is used of them, and any value serves that no logit is far above of.

    Example: `%p, %ds = landmark.part_gradients %s, %a seen %seen own %own stats %m, %n, %t gate %g lse %lse delta %delta factor %c block(%L) from %from : ...`
  }];
  let arguments = (ins Tile_Tile:$logits, Tile_Tile:$products, Tile_Tile:$seen, Tile_Tile:$own, Tile_Tile:$max, Tile_Tile:$sum, Tile_Tile:$total,
                       Tile_Tile:$gate, Tile_Tile:$lse, Tile_Tile:$delta, F32:$factor, Index:$block_size, Index:$first_token);
  let results = (outs Tile_Tile:$weights, Tile_Tile:$result);
  let assemblyFormat = [{
    $logits `,` $products `seen` $seen `own` $own `stats` $max `,` $sum `,` $total `gate` $gate `lse` $lse `delta` $delta `factor` $factor
    `block` `(` $block_size `)` `from` $first_token attr-dict `:` type($logits) `,` type($seen) `,` type($own) `,` type($max)
  }];
  let hasVerifier = 1;
}

include "dialects/Landmark/RetrievalOps.td"

#endif
