// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_TILE_OPS
#define LANDMARK_DIALECTS_TILE_OPS

include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "dialects/Tile/TileDialect.td"
include "dialects/Tile/TileAttrs.td"
include "dialects/Tile/TileTypes.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;

//===-- Specialisation ----------------------------------------------------------------------------------------------===//

def Tile_ParamOp : Tile_Op<"param", [Pure]> {
  let summary = "a constant that specialisation supplies";
  let description = [{
    Stands for the value of a parameter of the template. Binding a template to a problem replaces it by an `arith.constant`.

    Example: `%L = tile.param "block_size" : index`
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs AnyTypeOf<[Index, I32, F32]>:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Tile_EdgeOp : Tile_Op<"edge", [Pure]> {
  let summary = "whether an iteration needs masks";
  let description = [{
    True where `iv` lies outside the interior [`begin`, `end`) of the enclosing loop, the stretch in which every mask is known. Writing
    it says two things of the loop: its iterations may run in any order, and `begin` and `end` are multiples of its step away from its
    lower bound, between its bounds. `tile-peel-edges` splits such a loop into one without masks and one with.

    Example: `%edge = tile.edge %b interior(%begin, %end)`
  }];
  let arguments = (ins Index:$iv, Index:$begin, Index:$end);
  let results = (outs I1:$result);
  let assemblyFormat = "$iv `interior` `(` $begin `,` $end `)` attr-dict";
  let hasVerifier = 1;
}

def Tile_ProgramOp : Tile_Op<"program", [Pure]> {
  let summary = "number of this program";
  let description = [{
    One of 0 .. `count` - 1. A thread block runs one program, or, once `tile-loop-programs` was there, several in turn.

    Example: `%program = tile.program of %count`
  }];
  let arguments = (ins Index:$count);
  let results = (outs Index:$result);
  let assemblyFormat = "`of` $count attr-dict";
}

def Tile_GridWaitOp : Tile_Op<"grid_wait", [AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until the kernel before this one has ended, and let the next one begin";
  let description = [{
    A kernel that says this may be launched before the one before it in its stream has ended. What that one writes may be read, and what it reads be written, from here on; what
    earlier ones wrote may be read before, as all of them wait here before they let the next one begin. Stands once, outside of loops. Where kernels of a stream run one after the other (the host, and GPUs before
    `sm_90`) it does nothing. Follows PTX ISA, "griddepcontrol".

    Numbers named `behind`, which are not negative, are known before the kernel waits: an assembler may move arithmetic behind the wait otherwise, where it takes time that it need not.
    Views named `early` are written by no kernel, but by copies, which a kernel never overtakes: `tile-pipeline-loads` may begin a loop's first copies from them before the kernel waits.

    Example: `tile.grid_wait behind %batch, %row early %K : !view`
  }];
  let arguments = (ins Variadic<Index>:$numbers, Variadic<AnyMemRef>:$early);
  let assemblyFormat = "(`behind` $numbers^)? (`early` $early^ `:` type($early))? attr-dict";
  let hasVerifier = 1;
}

//===-- Memory ------------------------------------------------------------------------------------------------------===//

class Tile_ViewAccess<string mnemonic, list<Trait> traits> : Tile_Op<mnemonic, traits> {
  code accessDescription = [{
    The tile's last dimension runs along a row of the view. Of its other dimensions

    - a tile of rank 2 takes rows `row + r * stride` (`stride` is 1 where it is not given);
    - a tile of rank 3 takes blocks of rows: element [s, t] is row `row + s * stride + t`, and is there only for `t < count`
      (`stride` where it is not given): blocks do not run into each other, and a count of one less leaves the values of landmarks unread (C2).

    - a tile of rank 1, of a view of one element a row, takes rows `row + r` (`tile.load` only).

    Rows outside [`low`, `high`) of the view, and what is not there, read as zero.
  }];
}

def Tile_LoadOp : Tile_ViewAccess<"load", [AttrSizedOperandSegments]> {
  let summary = "read a tile of rows from a view in global memory";
  let description = !strconcat(accessDescription, [{

    Of a `whole` tile it is known that the view has all rows.

    Example: `%k = tile.load %K[%batch, %head, %row] stride %L in [%zero, %keys) : !view -> tensor<2x64x128xbf16>`
  }]);
  let arguments = (ins Arg<MemRefRankOf<[BF16, F16, F32], [3, 4]>, "view", [MemRead]>:$view, Index:$batch, Index:$head, Index:$row,
                       Optional<Index>:$stride, Optional<Index>:$count, Index:$low, Index:$high, UnitAttr:$whole);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $view `[` $batch `,` $head `,` $row `]` (`stride` $stride^)? (`count` $count^)? `in` `[` $low `,` $high `)` (`whole` $whole^)? attr-dict
    `:` type($view) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [AttrSizedOperandSegments]> {
  let summary = "write a tile of rows to a view in global memory";
  let description = [{
    Row `r` of the tile goes to row `row + r` of the view where that is below `high`; other rows are not written. A tile of rank 1
    holds one element a row.

    A tile of 8 columns of 32 bits, the fewest that there are, may go to a view of 4: the others are not written.

    With `blocks` the tile's rows are blocks of `tokens` rows each, of which the first `stride` count: row `s * tokens + t` goes to row `row + s * stride + t`
    where `t < stride` and that row is in [0, `high`).

    Examples:

        tile.store %o, %O[%batch, %head, %row] below %rows : tensor<128x128xbf16>, !view
        tile.store %dk, %DK[%batch, %head, %key] blocks of %tokens stride %L below %keys : tensor<64x128xbf16>, !view
  }];
  let arguments = (ins Tile_Tile:$value, Arg<MemRefRankOf<[BF16, F16, F32, I32], [3, 4]>, "view", [MemWrite]>:$view, Index:$batch, Index:$head, Index:$row,
                       Optional<Index>:$tokens, Optional<Index>:$stride, Index:$high);
  let assemblyFormat = [{
    $value `,` $view `[` $batch `,` $head `,` $row `]` (`blocks` `of` $tokens^ `stride` $stride)? `below` $high attr-dict `:` type($value) `,` type($view)
  }];
  let hasVerifier = 1;
}

def Tile_ReadRowsOp : Tile_Op<"read_rows", [TypesMatchWith<"the fill has the element type of the tile", "result", "fill",
                                                     "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType()">]> {
  let summary = "read a tile of rows from a view into registers";
  let description = [{
    As `tile.store` writes: row `r` of the tile is row `row + r` of the view where that is below `high`, and `fill` elsewhere, as in columns that the view has not; a tile of rank 1 holds one element a row. For
    what is computed on, not multiplied: operands of `tile.dot` are loaded.

    Example: `%v = tile.read_rows %V[%batch, %head, %row] below %rows else %none : !view -> tensor<16x8xf32>`
  }];
  let arguments = (ins Arg<MemRefRankOf<[F32, I32], [3, 4]>, "view", [MemRead]>:$view, Index:$batch, Index:$head, Index:$row, Index:$high,
                       AnyTypeOf<[F32, I32]>:$fill);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $view `[` $batch `,` $head `,` $row `]` `below` $high `else` $fill attr-dict `:` type($view) `->` type($result)
  }];
  let hasVerifier = 1;
}

class Tile_FragmentAccess {
  code fragmentDescription = [{
    The view holds floats that kernels keep for themselves, rows in pieces: 16 rows from a multiple of 16 on are D/8 pieces of 16 rows and 8 columns, one after the other,
    and a piece is four numbers of each lane of a warp, in the order of a matrix accumulator (`#tile.fragment`): lane 4*g + t has rows g and g + 8 of columns 2*t and
    2*t + 1. So a warp moves 512 bytes in one piece, whichever warps share a tile. `row` must be a multiple of 16, and the view starts on 16 bytes with all strides
    multiples of 4. Pieces of rows that the view has not are not there.
  }];
}

def Tile_WriteFragmentsOp : Tile_Op<"write_fragments">, Tile_FragmentAccess {
  let summary = "write a tile of rows to a view of fragments, or add it to what is there";
  let description = !strconcat(fragmentDescription, [{

    With `add` every number is added to the one in memory, whoever else adds to it: which sum comes out, of those that differ in rounding, depends on the order.
    Follows PTX ISA, "red".

    Example: `tile.write_fragments add %dq, %SUM[%batch, %head, %row] : tensor<64x128xf32>, memref<?x?x?x128xf32, strided<[?, ?, 128, 1]>>`
  }]);
  let arguments = (ins Tile_Tile:$value, Arg<MemRefRankOf<[F32], [4]>, "view", [MemRead, MemWrite]>:$view, Index:$batch, Index:$head, Index:$row, UnitAttr:$add);
  let assemblyFormat = "(`add` $add^)? $value `,` $view `[` $batch `,` $head `,` $row `]` attr-dict `:` type($value) `,` type($view)";
  let hasVerifier = 1;
}

def Tile_ReadFragmentsOp : Tile_Op<"read_fragments">, Tile_FragmentAccess {
  let summary = "read a tile of rows from a view of fragments";
  let description = !strconcat(fragmentDescription, [{
    They read as zero.

    Example: `%dq = tile.read_fragments %SUM[%batch, %head, %row] : memref<?x?x?x128xf32, strided<[?, ?, 128, 1]>> -> tensor<128x128xf32>`
  }]);
  let arguments = (ins Arg<MemRefRankOf<[F32], [4]>, "view", [MemRead]>:$view, Index:$batch, Index:$head, Index:$row);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$view `[` $batch `,` $head `,` $row `]` attr-dict `:` type($view) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_RotateOp : Tile_Op<"rotate", [Pure]> {
  let summary = "turn pairs of columns by an angle for each row";
  let description = [{
    Row `r` stands at position `max(low, first + r * step)` and has its pair p, columns (x, y), turned by position * frequency[p]: x becomes x cos - y sin, y x sin + y cos.
    Pairs are columns (p, p + D/2) where `half`, else (2p, 2p + 1). Frequencies are turns, as fractions of 2^64: a product modulo 2^64 is an angle, whatever the position. A tile
    of rank 3 is one block of rows. `tile-pipeline-loads` makes a rotation of a loaded tile `tile.rotate_rows`.

    Example: `%r = tile.rotate %k at %first step %one low %none by %F half %half : tensor<1x64x128xbf16>, memref<?xi64>`
  }];
  let arguments = (ins Tile_TileOrSlot:$source, Index:$first, Index:$step, Index:$low, MemRefRankOf<[I64], [1]>:$frequencies, I1:$half);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $source `at` $first `step` $step `low` $low `by` $frequencies `half` $half attr-dict `:` type($source) `,` type($frequencies) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===-- Computation -------------------------------------------------------------------------------------------------===//

def Tile_DotOp : Tile_Op<"dot", [AllTypesMatch<["acc", "result"]>, AlwaysSpeculatable,
                                 DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "matrix product of two tiles, added to a third";
  let description = [{
    With `transpose` the right operand holds keys as rows, and the last dimensions are contracted:
    `result[m, n...] = acc[m, n...] + sum_d a[m, d] * b[n..., d]`. Without it all dimensions of the left operand but its first are contracted
    with all of the right operand but its last: `result[m, d] = acc[m, d] + sum_n... a[m, n...] * b[n..., d]`. With `transposed` it is the left operand that holds
    the contracted dimension first, and its other dimensions, flattened, are the rows: `result[n, d] = acc[n, d] + sum_m a[m, n...] * b[m, d]`. Products and sums are float32;
    on CUDA targets float32 operands go through the tensor cores as tf32, rounded to nearest. In the scheduled form an operand may be a slot
    of shared memory, and `unit` says which instruction multiplies: `mma` (PTX ISA, "mma.sync", "ldmatrix") or `wgmma` (PTX ISA, "wgmma.mma_async"),
    which needs 16-bit operands in panels, 16 rows a warp, and warps in groups of four. Of one that names its `group` it is that group of four warps alone that multiplies. A product of `wgmma` may be `async`: it is only begun, its operands may not
    change and its result may not be used but by a `tile.dot_wait`. One that is `joined` is finished with the next one begun: waits count them as one. A product is computed `anew` where it stands, though an equal one
    may be known: by each warp for itself, so that it may stand in a branch that not all warps take. Of a left operand in shared memory `wgmma` may find the first columns in registers, its `lead`, beside a transposed
    right operand.

    Examples:

        %s = tile.dot %q, %k transpose into %zero : tensor<128x64xbf16>, tensor<1x64x64xbf16> -> tensor<128x1x64xf32>
        %o = tile.dot %p, %v into %acc : tensor<128x1x64xbf16>, tensor<1x64x64xbf16> -> tensor<128x64xf32>
        %dv = tile.dot %p transposed, %do into %acc : tensor<128x1x64xbf16>, tensor<128x64xbf16> -> tensor<64x64xf32>
        %s = tile.dot %q lead %q_head, %k transpose into %zero by wgmma : !tile.slot<...> lead tensor<128x64xbf16, ...>, !tile.slot<...> -> tensor<128x2x64xf32, ...>
  }];
  let arguments = (ins Tile_TileOrSlot:$a, Tile_TileOrSlot:$b, Tile_Tile:$acc, Optional<Tile_Tile>:$lead, UnitAttr:$transposed, UnitAttr:$transpose, UnitAttr:$async, UnitAttr:$joined, UnitAttr:$anew,
                       OptionalAttr<I64Attr>:$group, DefaultValuedAttr<Tile_MatrixUnitAttr, "::landmark::tile::MatrixUnit::Mma">:$unit);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $a (`transposed` $transposed^)? (`lead` $lead^)? `,` $b (`transpose` $transpose^)? `into` $acc (`by` $unit^)? (`in` `group` $group^)? (`async` $async^)? (`joined` $joined^)? (`anew` $anew^)? attr-dict
    `:` type($a) (`lead` type($lead)^)? `,` type($b) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_DotWaitOp : Tile_Op<"dot_wait", [AllTypesMatch<["product", "result"]>, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until at most `pending` of the products begun later than this one are under way";
  let description = [{
    Yields the product, now finished; any other tile it yields as it is, for what must not be computed earlier. Follows PTX ISA, "wgmma.wait_group".

    Example: `%s = tile.dot_wait %begun pending 1 : tensor<128x1x64xf32, ...>`
  }];
  let arguments = (ins Tile_Tile:$product, I64Attr:$pending);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$product `pending` $pending attr-dict `:` type($product)";
  let hasVerifier = 1;
}

def Tile_StaggeredExp2Op : Tile_Op<"staggered_exp2", [Pure, AllTypesMatch<["logits", "result"]>]> {
  let summary = "powers of 2 of `logits * factor + offset`, a part of each row's columns after another";
  let description = [{
    `result[m, n...] = 2 ^ (logits[m, n...] * factor + offset[m])`, approximated as by PTX ISA, "ex2.approx.ftz". What a thread has of a row, in order, is cut into `parts` of equal size. The exponents of a part depend on a power of
    the part before, of which 0 times is added, so that they are not computed before it is: which instructions lie between powers is the assembler's choice otherwise. Where that power overflows, the parts behind it are NaN.

    Constraints: the logits are f32 and have a layout; the offset has their rows; a thread has whole pairs of columns in each of 1 to 16 parts.

    Example: `%e = tile.staggered_exp2 %s times %c plus %minus_lse parts 2 : tensor<128x2x64xf32, ...>, tensor<128xf32, ...>`
  }];
  let arguments = (ins Tile_Tile:$logits, F32:$factor, Tile_Tile:$offset, I64Attr:$parts);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$logits `times` $factor `plus` $offset `parts` $parts attr-dict `:` type($logits) `,` type($offset)";
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "combine a tile along dimensions";
  let description = [{
    Elements are f32, or i32, whose order is the signed one. A thread combines what it has of them in chains side by side, `in_order` in one, from the first to the last.

    Example: `%m = tile.reduce max %s along [1, 2] : tensor<128x1x64xf32> -> tensor<128xf32>`
  }];
  let arguments = (ins Tile_ReductionKindAttr:$kind, Tile_Tile:$source, DenseI64ArrayAttr:$dims, UnitAttr:$in_order);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$kind $source `along` $dims (`in_order` $in_order^)? attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_AllOp : Tile_Op<"all", [Pure]> {
  let summary = "whether all elements of a mask are set";
  let description = [{
    Of those rows that a warp has: warps may get different answers. Follows PTX ISA, "vote.sync".

    Example: `%fits = tile.all %mask : tensor<128x1xi1>`
  }];
  let arguments = (ins Tile_Tile:$mask);
  let results = (outs I1:$result);
  let assemblyFormat = "$mask attr-dict `:` type($mask)";
  let hasVerifier = 1;
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "repeat a tile along new dimensions";
  let description = [{
    Dimension `i` of the source becomes dimension `dims[i]` of the result.

    Example: `%x = tile.broadcast %row to [0] : tensor<128xf32> -> tensor<128x1x64xf32>`
  }];
  let arguments = (ins Tile_Tile:$source, DenseI64ArrayAttr:$dims);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$source `to` $dims attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_CastOp : Tile_Op<"cast", [Pure]> {
  let summary = "convert a tile to another float type";
  let description = [{
    A narrower one is rounded to: to nearest, ties to even. A cast to the same type is the tile itself, which lets one template serve every input type.

    Example: `%p = tile.cast %w : tensor<128x64xf32> -> tensor<128x64xbf16>`
  }];
  let arguments = (ins Tile_Tile:$source);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_IotaOp : Tile_Op<"iota", [Pure]> {
  let summary = "0, 1, 2, ...";
  let description = "Example: `%t = tile.iota : tensor<64xi32>`";
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_ColumnOp : Tile_Op<"column", [Pure]> {
  let summary = "one column of a tile";
  let description = [{
    The elements whose last index is `column`; the result lacks the last dimension.

    Example: `%landmark = tile.column %s at 63 : tensor<128x1x64xf32> -> tensor<128x1xf32>`
  }];
  let arguments = (ins Tile_Tile:$source, I64Attr:$column);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$source `at` $column attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_TopKOp : Tile_Op<"top_k", [Pure, AllTypesMatch<["values", "new_values"]>, AllTypesMatch<["ids", "new_ids"]>]> {
  let summary = "the highest of a short list and of new candidates";
  let description = [{
    For every row the `keep` (1 to 8) highest of the list and the candidates, the highest first; of equal ones that with the lower id. Places beyond hold -inf and the id 2^31 - 1,
    as what is absent does. No value is NaN. Along the candidates' columns (and then rows, with `across`) ids of equal values ascend, and those of the list are below them; absent candidates stand behind the others
    of their row.

    With `across` the candidates of all rows are one row's, and so is the list, whose rows but the first hold nothing; absent ones may stand anywhere. With `by_id` places are in ascending order of ids.

    A thread keeps the best of its columns by insertion, then threads merge what they kept: no round of reductions for each place.

    Example: `%v1, %i1 = tile.top_k %v, %i add %s, %n keep 4 : tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>`
  }];
  let arguments = (ins Tile_Tile:$values, Tile_Tile:$ids, Tile_Tile:$candidates, Tile_Tile:$candidate_ids, I64Attr:$keep, UnitAttr:$across, UnitAttr:$by_id);
  let results = (outs Tile_Tile:$new_values, Tile_Tile:$new_ids);
  let assemblyFormat = [{
    $values `,` $ids `add` $candidates `,` $candidate_ids `keep` $keep (`across` $across^)? (`by_id` $by_id^)? attr-dict
    `:` type($values) `,` type($ids) `,` type($candidates) `,` type($candidate_ids)
  }];
  let hasVerifier = 1;
}

//===-- Clusters ------------------------------------------------------------------------------------------------------===//

def Tile_ClusterOpenOp : Tile_Op<"cluster_open", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "be ready for what the other programs of the cluster send";
  let description = [{
    Up to 8 programs side by side may be launched as a cluster (PTX ISA, "Cluster of cooperative thread arrays"). Once in a kernel that has a `tile.cluster_sum`, as far before it as can be: programs
    wait for one another between the two. `offset` is that of the sum, set by `tile-allocate-shared`. Follows PTX ISA, "mbarrier.init", "barrier.cluster".

    Example: `tile.cluster_open`
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let assemblyFormat = "attr-dict";
}

def Tile_ClusterSumOp : Tile_Op<"cluster_sum", [MemoryEffects<[MemRead, MemWrite]>, AllTypesMatch<["exponent", "most"]>,
    RangedTypesMatchWith<"sums have the types of the sources", "sources", "sums", "$_self">]> {
  let summary = "sum, over the programs of a cluster, of tiles whose rows have exponents";
  let description = [{
    Every program has tiles whose rows stand for `source * 2^exponent`. `most` is the largest exponent of a row in all programs, and a sum that of `source * 2^(exponent - most)`: 0 for an exponent
    of -inf. Programs come here once, all of them, and send what they have to the first, which alone has the results; the others' are what they brought. Rows from `high` on have none.

    What is sent goes to shared memory of the first, at `offset` bytes, set by `tile-allocate-shared`: a barrier, then for each of 8 programs what its threads hold, the same thread reads it. Follows PTX ISA,
    "st.async", "mapa", "mbarrier".

    Example: `%most, %sums:2 = tile.cluster_sum exponent %m of %l, %o below %rows : tensor<8xf32>, tensor<8xf32>, tensor<8x128xf32>`
  }];
  let arguments = (ins Tile_Tile:$exponent, Variadic<Tile_Tile>:$sources, Index:$high, OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_Tile:$most, Variadic<Tile_Tile>:$sums);
  let assemblyFormat = "`exponent` $exponent `of` $sources `below` $high attr-dict `:` type($exponent) `,` type($sources)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t mostPrograms = 8, barrierBytes = 16, pieceBytes = 16;
    /// Bytes that a thread sends, in pieces. Tiles have their layouts.
    int64_t getThreadBytes();
    /// Bytes that it takes of the shared memory of programs of so many threads.
    int64_t getSharedBytes(int64_t threads) { return barrierBytes + mostPrograms * threads * getThreadBytes(); }
  }];
}

//===-- Shared memory (scheduled form) --------------------------------------------------------------------------------===//

def Tile_AllocOp : Tile_Op<"alloc", [MemoryEffects<[MemAlloc]>]> {
  let summary = "a ring of tiles in shared memory";
  let description = [{
    `offset` is its place in the block's dynamic shared memory, in bytes, set by `tile-allocate-shared`.

    Example: `%ring = tile.alloc {offset = 0 : i64} : !tile.buffer<2, [1, 64, 128], bf16, <bits = 3, shift = 0>>`
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$offset);
  let results = (outs Tile_BufferType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_CopyOp : Tile_ViewAccess<"copy", [AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "start copying rows of a view into shared memory";
  let description = !strconcat(accessDescription, [{
    Asynchronous: the data is there after a `tile.wait` that covers the copy and a barrier. Follows PTX ISA, "cp.async".

    Example: `tile.copy %K[%batch, %head, %row] stride %L in [%zero, %keys) to %ring[%stage] : !view, !tile.buffer<...>`
  }]);
  let arguments = (ins MemRefRankOf<[BF16, F16, F32], [4]>:$view, Index:$batch, Index:$head, Index:$row,
                       Optional<Index>:$stride, Optional<Index>:$count, Index:$low, Index:$high, Tile_BufferType:$buffer, Index:$stage);
  let assemblyFormat = [{
    $view `[` $batch `,` $head `,` $row `]` (`stride` $stride^)? (`count` $count^)? `in` `[` $low `,` $high `)` `to` $buffer `[` $stage `]` attr-dict
    `:` type($view) `,` type($buffer)
  }];
  let hasVerifier = 1;
}

def Tile_CommitOp : Tile_Op<"commit", [MemoryEffects<[MemWrite]>]> {
  let summary = "close a group of copies";
  let description = "Follows PTX ISA, \"cp.async.commit_group\".";
  let assemblyFormat = "attr-dict";
}

def Tile_WaitOp : Tile_Op<"wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until at most `pending` of this thread's groups of copies are under way";
  let description = "Follows PTX ISA, \"cp.async.wait_group\".";
  let arguments = (ins I64Attr:$pending);
  let assemblyFormat = "$pending attr-dict";
  let hasVerifier = 1;
}

def Tile_FenceOp : Tile_Op<"fence", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "order this thread's writes to shared memory before reads of it by matrix units";
  let description = "Follows PTX ISA, \"membar/fence\": `fence.proxy.async`.";
  let assemblyFormat = "attr-dict";
}

def Tile_SlotOp : Tile_Op<"slot", [Pure]> {
  let summary = "one tile of a ring";
  let description = [{
    A ring may hold tiles of several shapes: the slot's has the ring's element type and order of chunks, and no more bytes than a stage.

    Example: `%k = tile.slot %ring[%stage] : !tile.buffer<...> -> !tile.slot<...>`
  }];
  let arguments = (ins Tile_BufferType:$buffer, Index:$stage);
  let results = (outs Tile_SlotType:$result);
  let assemblyFormat = "$buffer `[` $stage `]` attr-dict `:` type($buffer) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_WriteOp : Tile_Op<"write", [MemoryEffects<[MemWrite]>]> {
  let summary = "write a tile from registers to one of a ring";
  let description = [{
    Rows stay rows, the tile's other dimensions lie side by side: a slot of rank 2. Other threads see it after a barrier.

    Example: `tile.write %p to %slot : tensor<64x1x64xbf16, #tile.fragment<[row, block, column], 4>>, !tile.slot<!tile.buffer<1, [64, 64], bf16, <bits = 3, shift = 0>>>`
  }];
  let arguments = (ins Tile_Tile:$value, Tile_SlotType:$slot);
  let assemblyFormat = "$value `to` $slot attr-dict `:` type($value) `,` type($slot)";
  let hasVerifier = 1;
}

def Tile_RotateRowsOp : Tile_Op<"rotate_rows", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "write a tile of one ring, rotated, to another";
  let description = [{
    As `tile.rotate`. Other threads see it after a barrier.

    Example: `tile.rotate_rows %k to %slot at %first step %one low %none by %F half %half : !tile.slot<...>, !tile.slot<...>, memref<?xi64>`
  }];
  let arguments = (ins Tile_SlotType:$source, Tile_SlotType:$target, Index:$first, Index:$step, Index:$low, MemRefRankOf<[I64], [1]>:$frequencies, I1:$half);
  let assemblyFormat = [{
    $source `to` $target `at` $first `step` $step `low` $low `by` $frequencies `half` $half attr-dict `:` type($source) `,` type($target) `,` type($frequencies)
  }];
  let hasVerifier = 1;
}

def Tile_ReadOp : Tile_Op<"read", [MemoryEffects<[MemRead]>]> {
  let summary = "read a tile of a ring into registers";
  let description = [{
    Rows are rows, a row's columns the tile's other dimensions, the first of them if the tile has fewer; a tile of rows alone is a slot of one row. 16-bit elements follow PTX ISA, "ldmatrix": their operand fragments are those of an accumulator.

    Example: `%q = tile.read %slot : !tile.slot<...> -> tensor<128x128xbf16, #tile.fragment<[row, column], 4>>`
  }];
  let arguments = (ins Tile_SlotType:$slot);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$slot attr-dict `:` type($slot) `->` type($result)";
  let hasVerifier = 1;
}

include "dialects/Tile/RingOps.td"

#endif
