// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_TILE_ATTRS
#define LANDMARK_DIALECTS_TILE_ATTRS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/TensorEncoding.td"
include "dialects/Tile/TileDialect.td"

class Tile_Attr<string name, string mnem, list<Trait> traits = []> : AttrDef<Tile_Dialect, name, traits> {
  let mnemonic = mnem;
}

def Tile_ReductionKind : I32EnumAttr<"ReductionKind", "how a reduction combines", [
    I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Sum", 1, "sum">, I32EnumAttrCase<"Min", 2, "min">]> {
  let cppNamespace = "::landmark::tile";
  let genSpecializedAttr = 0;
}
def Tile_ReductionKindAttr : EnumAttr<Tile_Dialect, Tile_ReductionKind, "reduction"> {
  let assemblyFormat = "$value";
}

def Tile_Role : I32EnumAttr<"Role", "what a dimension of a tile is in the layout of a matrix accumulator", [
    I32EnumAttrCase<"Row", 0, "row">, I32EnumAttrCase<"Block", 1, "block">, I32EnumAttrCase<"Column", 2, "column">,
    I32EnumAttrCase<"Slice", 3, "slice">]> {
  let cppNamespace = "::landmark::tile";
  let genSpecializedAttr = 0;
}

def Tile_FragmentAttr : Tile_Attr<"Fragment", "fragment", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "which thread holds which element of a tile";
  let description = [{
    The layout of matrix accumulators of the `mma` family, and of everything derived from one by reducing or broadcasting. `roles` names,
    for every dimension of the tile, what it is in the accumulator. Within a warp, with lane = 4*g + t:

        row    = 16*(warp*rowTiles + i) + g + 8*h     i < rowTiles, h in {0, 1}, or h = 0 alone in a tile of 8 rows
        column = 8*n + 2*t + e                        e in {0, 1}
        block  = b

    Rows are spread over the warps. With `slice` in place of `column` every warp has all rows, and columns are spread: warp w has the w-th part of them.
    With a `split` it is groups of warps that have all rows and a part of the columns each, the first group the first ones.

    A thread holds the elements (i, h) x b x (n, e) of the dimensions present, in that order, row-major. Threads that differ only in a
    coordinate of an absent role hold copies: a tile of row sums is replicated over the four lanes of a quad, a tile of
    rank 0, one number, over all. Spread over one warp, a tile is the same in all warps of a larger block.

    With `split` the warps are so many equal groups, and what is said above of the warps holds in each: every group has all rows, and of the blocks an equal share, the
    first group the first ones.

    With `first` the warps are those from that one on, a multiple of 4, and what is said of warp 0 holds for it: others of the thread block have none of the tile.

    With `dealt` the four lanes of a quad, which would hold copies of a row's and block's number, hold a quarter of them each: of the elements of a thread, counted in
    the order above, lane t has those whose number leaves the rest t by 4.

    Constraints: rows are a multiple of `16 * warps / split`, or 8 of one warp, columns of 8, or of 8 for each slice, blocks of `split`, of which there are none beside
    slices of groups; warps that are not the first ones are a group of four, which shares out its tile by rows alone; a thread holds at most 1024 elements; dealt are rows and blocks, of which a thread would hold a multiple of 4.

    Examples: `tensor<128x1x64xf32, #tile.fragment<[row, block, column], 4>>` spreads 128 rows over 4 warps, 64 elements a thread;
    `tensor<64x2x64xf32, #tile.fragment<[row, block, column], 8, split = 2>>` gives each of 2 groups of 4 warps one of the blocks, 32 elements a thread;
    `tensor<64x128xf32, #tile.fragment<[row, slice], 8, split = 2>>` gives each of them 64 of the columns;
    `tensor<64x64xf32, #tile.fragment<[row, column], 4, first = 8>>` is spread over warps 8 to 11;
    `tensor<128x2xf32, #tile.fragment<[row, block], 8, dealt = true>>` leaves each thread one of the four numbers of its two rows and blocks.
  }];
  let parameters = (ins ArrayRefParameter<"::landmark::tile::Role">:$roles, "int64_t":$warps, DefaultValuedParameter<"int64_t", "1">:$split,
                        DefaultValuedParameter<"bool", "false">:$dealt, DefaultValuedParameter<"int64_t", "0">:$first);
  let assemblyFormat = "`<` custom<Roles>($roles) `,` $warps (`,` struct($split, $dealt, $first)^)? `>`";
  let extraClassDeclaration = [{
    /// Whether four lanes can share out the numbers of a tile's rows and blocks.
    static bool canDeal(::llvm::ArrayRef<int64_t> shape, ::llvm::ArrayRef<Role> roles, int64_t warps);
    bool isSliced() const { return ::llvm::is_contained(getRoles(), Role::Slice); }
    /// Parts of the columns: one for each group of warps, or for each warp.
    int64_t getSlices() const { return !isSliced() ? 1 : getSplit() > 1 ? getSplit() : getWarps(); }
    /// Warps that share the rows.
    int64_t getRowWarps() const { return getWarps() / (isSliced() ? getSlices() : getSplit()); }
  }];
  let genVerifyDecl = 1;
}

def Tile_MatrixUnit : I32EnumAttr<"MatrixUnit", "which instruction multiplies tiles", [
    I32EnumAttrCase<"Mma", 0, "mma">, I32EnumAttrCase<"Wgmma", 1, "wgmma">]> {
  let cppNamespace = "::landmark::tile";
  let genSpecializedAttr = 0;
}
def Tile_MatrixUnitAttr : EnumAttr<Tile_Dialect, Tile_MatrixUnit, "unit"> {
  let assemblyFormat = "$value";
}

def Tile_SwizzleAttr : Tile_Attr<"Swizzle", "swizzle"> {
  let summary = "order of the 16-byte chunks of a shared-memory tile";
  let description = [{
    Chunk `c` of row `r` is stored at chunk `c ^ ((r >> shift) & (2^bits - 1))`, so that the eight rows of one `ldmatrix` fall on
    different banks. `bits = 0` leaves rows as they are. Rows 8 apart are stored alike: `bits + shift` is at most 3.

    With `panel`, rows are cut into panels of that many chunks, each panel's rows lying together: the 128, 64 and 32-byte swizzle modes of `wgmma`
    (PTX ISA, "Asynchronous warpgroup level matrix shared memory layout") are panels of 8, 4 and 2 chunks with `bits` 3, 2 and 1 and `shift = 3 - bits`.

    Examples: `#tile.swizzle<bits = 3, shift = 0>`, `#tile.swizzle<bits = 3, shift = 0, panel = 8>`
  }];
  let parameters = (ins "int64_t":$bits, "int64_t":$shift, DefaultValuedParameter<"int64_t", "0">:$panel);
  let assemblyFormat = "`<` `bits` `=` $bits `,` `shift` `=` $shift (`,` `panel` `=` $panel^)? `>`";
  let extraClassDeclaration = [{
    /// The widest panels that rows of so many chunks are made of.
    static SwizzleAttr panels(::mlir::MLIRContext *context, int64_t chunks);
  }];
  let genVerifyDecl = 1;
}

def Tile_TensorMapAttr : Tile_Attr<"TensorMap", "tensor_map"> {
  let summary = "how a kernel's argument is cut into boxes";
  let description = [{
    What the runtime needs to encode one tensor map of a kernel (PTX ISA, "Tensor-maps"): boxes of `rows` x `columns` elements of the view that is argument
    `argument` of the template, in the order of `swizzle_bytes`. With `every` above 1 the map's rows are the landmark keys of blocks of that size: row `r` is the
    landmark of block `r`.

    Example: `#tile.tensor_map<argument = 1, rows = 128, columns = 64, swizzle_bytes = 128, every = 1>`
  }];
  let parameters = (ins "int64_t":$argument, "int64_t":$rows, "int64_t":$columns, "int64_t":$swizzleBytes, "int64_t":$every);
  let assemblyFormat = [{
    `<` `argument` `=` $argument `,` `rows` `=` $rows `,` `columns` `=` $columns `,` `swizzle_bytes` `=` $swizzleBytes `,` `every` `=` $every `>`
  }];
  let genVerifyDecl = 1;
}

#endif
