// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialects/Tile/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace landmark::tile;

/// No thread has more registers, and code for a tile grows with its elements.
static constexpr int64_t maxElements = 1024;
/// More than any device's shared memory.
static constexpr int64_t maxBufferBytes = 1 << 20;

bool landmark::tile::isTile(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() <= 3 && llvm::all_of(tensor.getShape(), [](int64_t size) { return size >= 1 && size <= maxTileSize; });
}

/// `[row, block, column]`: parses and prints the roles of a fragment.
static ParseResult parseRoles(AsmParser &parser, SmallVector<Role> &roles) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&]() -> ParseResult {
    StringRef keyword;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&keyword))
      return failure();
    std::optional<Role> role = symbolizeRole(keyword);
    if (!role)
      return parser.emitError(loc, "expected row, block, column or slice, got '") << keyword << "'";
    roles.push_back(*role);
    return success();
  });
}
static void printRoles(AsmPrinter &printer, ArrayRef<Role> roles) {
  printer << '[';
  llvm::interleaveComma(roles, printer, [&](Role role) { printer << stringifyRole(role); });
  printer << ']';
}

#include "dialects/Tile/TileDialect.cpp.inc"
#include "dialects/Tile/TileEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/TileTypes.cpp.inc"

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tile/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Tile/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/TileOps.cpp.inc"
      >();
}

static constexpr Role rowsAndBlocks[] = {Role::Row, Role::Block};

LogicalResult FragmentAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Role> roles, int64_t warps, int64_t split,
                                   bool dealt, int64_t first) {
  // Strictly ascending.
  if (!llvm::is_sorted(roles, [](Role a, Role b) { return a <= b; }))
    return emitError() << "roles of a fragment must be distinct and in the order row, block, column";
  if (llvm::is_contained(roles, Role::Column) && llvm::is_contained(roles, Role::Slice))
    return emitError() << "columns of a fragment are whole or slices, not both";
  if (warps < 1 || warps > 32)
    return emitError() << "a fragment is spread over 1 to 32 warps, got " << warps;
  if (split < 1 || warps % split != 0)
    return emitError() << "a split makes equal groups of the " << warps << " warps, got " << split;
  if (split > 1 && llvm::is_contained(roles, Role::Slice) && llvm::is_contained(roles, Role::Block))
    return emitError() << "groups of warps share the blocks of a fragment or its columns, not both";
  if (dealt && roles != ArrayRef(rowsAndBlocks))
    return emitError() << "what is dealt out to the lanes of a quad has rows and blocks";
  if (first < 0 || first % 4 != 0 || (first > 0 && (warps != 4 || split != 1 || dealt || llvm::is_contained(roles, Role::Slice))))
    return emitError() << "warps that are not the first ones are a group of four from a multiple of 4 on, without split, slices or dealing, got " << warps << " from " << first;
  return success();
}

bool FragmentAttr::canDeal(ArrayRef<int64_t> shape, ArrayRef<Role> roles, int64_t warps) {
  return roles == ArrayRef(rowsAndBlocks) && shape.size() == 2 && shape[0] * shape[1] % (4 * 8 * warps) == 0;
}

LogicalResult FragmentAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType, function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getRoles().size())
    return emitError() << "layout names " << getRoles().size() << " roles for a tile of rank " << shape.size();
  int64_t elements = 1;
  for (auto [size, role] : llvm::zip(shape, getRoles())) {
    int64_t rowUnit = getRowWarps() == 1 && size == 8 ? 8 : 16 * getRowWarps(); // one warp may have half a matrix tile
    int64_t unit = role == Role::Row ? rowUnit : role == Role::Column ? 8 : role == Role::Slice ? 8 * getSlices() : getSplit();
    if (size < 1 || size > maxTileSize || size % unit != 0)
      return emitError() << "has a tile whose " << stringifyRole(role) << "s must be a multiple of " << unit << " up to " << maxTileSize << ", got "
                         << size;
    elements *= size / (role == Role::Row ? 8 * getRowWarps() : role == Role::Column ? 4 : role == Role::Slice ? 4 * getSlices() : getSplit());
  }
  if (elements > maxElements)
    return emitError() << "has a tile of which a thread holds " << elements << " elements, at most " << maxElements << " are allowed";
  if (getDealt() && !canDeal(shape, getRoles(), getWarps()))
    return emitError() << "deals out a tile of which a thread holds " << elements << " elements, which is no multiple of 4";
  return success();
}

LogicalResult SwizzleAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t bits, int64_t shift, int64_t panel) {
  if (bits < 0 || shift < 0 || bits > 3 || shift > 3 || bits + shift > 3)
    return emitError() << "bits and shift of a swizzle are not negative and at most 3 together, got bits = " << bits << ", shift = " << shift;
  if (panel != 0 && (bits == 0 || panel != int64_t(1) << bits || shift != 3 - bits))
    return emitError() << "a panel takes 2^bits chunks, with 1 to 3 bits and a shift of 3 - bits, got panel = " << panel << ", bits = " << bits
                       << ", shift = " << shift;
  return success();
}

LogicalResult TensorMapAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t argument, int64_t rows, int64_t columns, int64_t swizzleBytes,
                                    int64_t every) {
  if (argument < 0 || rows < 1 || rows > 256 || columns < 1 || columns > 256 || every < 1)
    return emitError() << "a tensor map has boxes of 1 to 256 rows and columns, of an argument, of every or every so manyth row";
  if (swizzleBytes != 32 && swizzleBytes != 64 && swizzleBytes != 128)
    return emitError() << "a tensor map's order repeats every 32, 64 or 128 bytes, got " << swizzleBytes;
  return success();
}

LogicalResult BarriersType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t stages, int64_t lanes) {
  if (lanes != 1 && lanes != allLanes)
    return emitError() << "a stage is given back by 1 lane or all " << allLanes << " of a warp, got " << lanes;
  if (stages < 1 || stages > 64)
    return emitError() << "a ring has barriers for 1 to 64 stages, got " << stages;
  return success();
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t stages, ArrayRef<int64_t> shape,
                                 Type elementType, SwizzleAttr swizzle) {
  if (stages < 1 || stages > maxBufferBytes)
    return emitError() << "a buffer has at least one stage, got " << stages;
  if (shape.size() < 2 || shape.size() > 3 || llvm::any_of(shape, [](int64_t size) { return size < 1 || size > maxTileSize; }))
    return emitError() << "a buffer's tile has rank 2 or 3 and sizes of 1 to " << maxTileSize;
  if (!isa<BFloat16Type, Float16Type, Float32Type>(elementType))
    return emitError() << "a buffer holds bf16, f16 or f32, got " << elementType;
  if ((shape.back() * elementType.getIntOrFloatBitWidth()) % 128 != 0)
    return emitError() << "a buffer's row must be a multiple of 16 bytes, got " << shape.back() << " x " << elementType;
  int64_t chunks = shape.back() * elementType.getIntOrFloatBitWidth() / 128;
  if (chunks % (int64_t(1) << swizzle.getBits()) != 0)
    return emitError() << "a swizzle of " << swizzle.getBits() << " bits does not fit rows of " << chunks << " chunks";
  int64_t stageBytes = 16 * chunks;
  for (int64_t size : shape.drop_back())
    stageBytes *= size;
  if (stageBytes > maxBufferBytes / stages)
    return emitError() << "a buffer takes at most " << maxBufferBytes << " bytes";
  return success();
}

BufferType BufferType::inPanels(int64_t stages, ArrayRef<int64_t> shape, Type elementType) {
  int64_t chunks = shape.back() * elementType.getIntOrFloatBitWidth() / 128;
  return get(elementType.getContext(), stages, shape, elementType, SwizzleAttr::panels(elementType.getContext(), chunks));
}

SwizzleAttr SwizzleAttr::panels(MLIRContext *context, int64_t chunks) {
  int64_t bits = std::min<int64_t>(3, llvm::countr_zero(static_cast<uint64_t>(chunks)));
  return get(context, bits, 3 - bits, bits > 0 ? int64_t(1) << bits : 0);
}

int64_t BufferType::getRows() const {
  int64_t rows = 1;
  for (int64_t size : getShape().drop_back())
    rows *= size;
  return rows;
}

int64_t BufferType::getRowBytes() const { return getColumns() * getElementType().getIntOrFloatBitWidth() / 8; }
