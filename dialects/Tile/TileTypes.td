// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_TILE_TYPES
#define LANDMARK_DIALECTS_TILE_TYPES

include "mlir/IR/AttrTypeBase.td"
include "dialects/Tile/TileDialect.td"
include "dialects/Tile/TileAttrs.td"

class Tile_Type<string name, string mnem> : TypeDef<Tile_Dialect, name> {
  let mnemonic = mnem;
}

def Tile_BufferType : Tile_Type<"Buffer", "buffer"> {
  let summary = "a ring of tiles in shared memory";
  let description = [{
    `stages` tiles of one shape, each stored row after row (the last dimension is the row), its 16-byte chunks in the order of
    `swizzle`. All stages together take at most 1 MiB. Example: `!tile.buffer<2, [1, 64, 128], bf16, <bits = 3, shift = 0>>`.
  }];
  let parameters = (ins "int64_t":$stages, ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        "::landmark::tile::SwizzleAttr":$swizzle);
  let assemblyFormat = "`<` $stages `,` `[` $shape `]` `,` $elementType `,` $swizzle `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Rows of one tile: the product of all dimensions but the last.
    int64_t getRows() const;
    int64_t getColumns() const { return getShape().back(); }
    int64_t getRowBytes() const;
    int64_t getStageBytes() const { return getRows() * getRowBytes(); }
    int64_t getBytes() const { return getStages() * getStageBytes(); }
    /// The ring whose rows lie in the panels that matrix units and tensor maps know.
    static BufferType inPanels(int64_t stages, ::llvm::ArrayRef<int64_t> shape, ::mlir::Type elementType);
  }];
}

def Tile_SlotType : Tile_Type<"Slot", "slot"> {
  let summary = "one tile of a ring in shared memory";
  let parameters = (ins "::landmark::tile::BufferType":$buffer);
  let assemblyFormat = "`<` $buffer `>`";
}

def Tile_BarriersType : Tile_Type<"Barriers", "barriers"> {
  let summary = "full and empty barriers of the stages of a ring";
  let description = [{
    Two mbarriers for each of `stages` stages (PTX ISA, "mbarrier"): the producer fills a stage that is empty, consumers read one that is full. Both sides count
    the tiles that went through the ring, its turns: turn `n` goes through stage `n % stages`, and is that stage's phase `n / stages`. A stage is given back by the first lane of each
    warp that reads it, for the warp, or by each of 32 `lanes`.
  }];
  let parameters = (ins "int64_t":$stages, DefaultValuedParameter<"int64_t", "1">:$lanes);
  let assemblyFormat = "`<` $stages (`,` `lanes` `=` $lanes^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getBytes() const { return 16 * getStages(); }
    static constexpr int64_t allLanes = 32;
  }];
}

// Not AnyStaticShapeTensor: encodings are welcome, empty tiles are not, and sizes are small enough that no product of them overflows.
def Tile_Tile : Type<CPred<"::landmark::tile::isTile($_self)">, "tile (ranked tensor with sizes of 1 to 65536)", "::mlir::RankedTensorType">;
def Tile_TileOrSlot : AnyTypeOf<[Tile_Tile, Tile_SlotType]>;

#endif
