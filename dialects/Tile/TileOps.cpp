// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialects/Tile/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace landmark::tile;

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.cpp.inc"

/// Shape and element type of a dot's operand, whether it is a tile or stands in shared memory.
static std::pair<ArrayRef<int64_t>, Type> operandShape(Type type) {
  if (auto slot = dyn_cast<SlotType>(type))
    return {slot.getBuffer().getShape(), slot.getBuffer().getElementType()};
  auto tile = cast<RankedTensorType>(type);
  return {tile.getShape(), tile.getElementType()};
}

static FragmentAttr layoutOf(RankedTensorType type) { return dyn_cast_if_present<FragmentAttr>(type.getEncoding()); }

/// Checks that `part`, which has the dimensions `dims` of `whole`, lies as they do: what a thread needs of one tile it holds of the other.
static LogicalResult verifySameLayout(Operation *op, RankedTensorType whole, RankedTensorType part, ArrayRef<int64_t> dims) {
  FragmentAttr wholeLayout = layoutOf(whole), partLayout = layoutOf(part);
  if (!wholeLayout && !partLayout)
    return success();
  SmallVector<Role> roles;
  if (wholeLayout)
    for (int64_t dim : dims)
      roles.push_back(wholeLayout.getRoles()[dim]);
  // What has no part of a sliced tile's columns is the same in all of its warps.
  int64_t warps = !wholeLayout ? 0 : wholeLayout.isSliced() && !llvm::is_contained(roles, Role::Slice) ? 1 : wholeLayout.getWarps();
  if (!wholeLayout || !partLayout || partLayout.getRoles() != ArrayRef(roles) || partLayout.getWarps() != warps ||
      partLayout.getSplit() != wholeLayout.getSplit())
    return op->emitOpError("needs its tiles in one layout, got ") << whole << " and " << part;
  return success();
}

/// Checks that a tile with a layout is one of rows and columns, as matrices and their accumulators are.
static LogicalResult verifyMatrixLayout(Operation *op, RankedTensorType type) {
  FragmentAttr layout = layoutOf(type);
  Role columns = layout && layout.isSliced() ? Role::Slice : Role::Column;
  const Role matrix[] = {Role::Row, columns}, blocks[] = {Role::Row, Role::Block, columns};
  if (layout && layout.getRoles() != (type.getRank() == 3 ? ArrayRef(blocks) : ArrayRef(matrix)))
    return op->emitOpError("needs rows, blocks and columns in this order, got ") << type;
  return success();
}

LogicalResult EdgeOp::verify() {
  auto loop = dyn_cast_if_present<LoopLikeOpInterface>((*this)->getParentOp());
  if (!loop || loop.getSingleInductionVar() != getIv())
    return emitOpError("must stand directly in the loop whose induction variable it asks about");
  return success();
}

LogicalResult GridWaitOp::verify() {
  auto kernel = (*this)->getParentOfType<FunctionOpInterface>();
  if (!kernel || (*this)->getParentOfType<LoopLikeOpInterface>())
    return emitOpError("must stand in a kernel, outside of loops");
  int64_t waits = 0;
  kernel->walk([&](GridWaitOp) { ++waits; });
  return waits > 1 ? emitOpError("stands once in a kernel") : success();
}

/// Checks that a tile's rows can be found in a view: strides, and columns side by side where a row has several.
static LogicalResult verifyView(Operation *op, MemRefType view, bool hasColumns) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (view.getMemorySpace() || failed(view.getStridesAndOffset(strides, offset)))
    return op->emitOpError("needs a strided view in global memory, got ") << view;
  if (hasColumns && strides.back() != 1)
    return op->emitOpError("needs a view whose rows are contiguous, got ") << view;
  return success();
}

/// Checks shared by what reads a tile of rows from a view.
static LogicalResult verifyRows(Operation *op, MemRefType view, ArrayRef<int64_t> shape, Type elementType) {
  if (shape.size() < 2 || shape.size() > 3 || view.getRank() != 4)
    return op->emitOpError("reads tiles of rank 2 or 3 from views of rank 4, got ranks ") << shape.size() << " and " << view.getRank();
  if (view.getElementType() != elementType)
    return op->emitOpError("element type of the view is ") << view.getElementType() << ", of the tile " << elementType;
  if (view.getShape().back() != shape.back())
    return op->emitOpError("rows of the view have ") << view.getShape().back() << " columns, rows of the tile " << shape.back();
  return verifyView(op, view, /*hasColumns=*/true);
}

LogicalResult LoadOp::verify() {
  if (getResult().getType().getRank() == 1) {
    if (getStride() || getCount() || getView().getType().getRank() != 3)
      return emitOpError("reads a tile of rank 1 from consecutive rows of a view of rank 3");
    if (getView().getType().getElementType() != getResult().getType().getElementType())
      return emitOpError("element type of the view is ") << getView().getType().getElementType() << ", of the tile " << getResult().getType().getElementType();
    return verifyView(*this, getView().getType(), /*hasColumns=*/false);
  }
  if (getCount() && getResult().getType().getRank() != 3)
    return emitOpError("counts the tokens of blocks: of a tile of rank 3");
  auto type = getResult().getType();
  if (type.getRank() == 3 && !getStride())
    return emitOpError("of a tile of rank 3 needs the stride of its blocks");
  return verifyRows(*this, getView().getType(), type.getShape(), type.getElementType());
}

LogicalResult CopyOp::verify() {
  if (getCount() && getBuffer().getType().getShape().size() != 3)
    return emitOpError("counts the tokens of blocks: of a tile of rank 3");
  BufferType type = getBuffer().getType();
  if (type.getShape().size() == 3 && !getStride())
    return emitOpError("of a tile of rank 3 needs the stride of its blocks");
  return verifyRows(*this, getView().getType(), type.getShape(), type.getElementType());
}

/// Checks shared by what moves rows between registers and a view: a tile of rank 1 has one element a row.
static LogicalResult verifyRegisterRows(Operation *op, MemRefType view, RankedTensorType type, StringRef verb) {
  if (type.getRank() < 1 || type.getRank() > 2 || view.getRank() != type.getRank() + 2)
    return op->emitOpError(verb) << " a view of rank 2 higher, got ranks " << type.getRank() << " and " << view.getRank();
  if (view.getElementType() != type.getElementType())
    return op->emitOpError("element type of the view is ") << view.getElementType() << ", of the tile " << type.getElementType();
  bool isHalf = type.getRank() == 2 && view.getShape().back() == 4 && type.getShape().back() == 8;
  if (type.getRank() == 2 && view.getShape().back() != type.getShape().back() && !isHalf)
    return op->emitOpError("rows of the view have ") << view.getShape().back() << " columns, rows of the tile " << type.getShape().back();
  if (isHalf && !type.getElementType().isF32() && !type.getElementType().isInteger(32))
    return op->emitOpError("of half as many columns in memory has elements of 32 bits, got ") << type;
  if (FragmentAttr layout = layoutOf(type); layout && type.getRank() == 1 && layout.getRoles().front() != Role::Row)
    return op->emitOpError("takes a value for every row, got ") << type;
  if (type.getRank() == 2 && failed(verifyMatrixLayout(op, type)))
    return failure();
  return verifyView(op, view, /*hasColumns=*/type.getRank() == 2);
}

LogicalResult StoreOp::verify() {
  if (getTokens() && getValue().getType().getRank() != 2)
    return emitOpError("writes blocks of rows of a tile of rank 2");
  return verifyRegisterRows(*this, getView().getType(), getValue().getType(), "writes a tile of rank 1 or 2 to");
}

LogicalResult ReadRowsOp::verify() {
  return verifyRegisterRows(*this, getView().getType(), getResult().getType(), "reads a tile of rank 1 or 2 from");
}

/// Rows in pieces of 16 rows and 8 columns.
static LogicalResult verifyFragmentTile(Operation *op, RankedTensorType type) {
  if (type.getRank() != 2 || !type.getElementType().isF32() || type.getDimSize(0) % 16 != 0 || type.getDimSize(1) % 8 != 0)
    return op->emitOpError("moves tiles of f32 of 16 rows or a multiple, 8 columns or a multiple, got ") << type;
  return verifyMatrixLayout(op, type);
}

/// And the rows of a view that lie one after the other.
static LogicalResult verifyFragments(Operation *op, MemRefType view, RankedTensorType type) {
  if (failed(verifyFragmentTile(op, type)))
    return failure();
  int64_t offset;
  SmallVector<int64_t> strides;
  if (view.getShape().back() != type.getDimSize(1) || failed(view.getStridesAndOffset(strides, offset)) || strides[3] != 1 ||
      strides[2] != type.getDimSize(1))
    return op->emitOpError("needs a view of rows of the tile's ") << type.getDimSize(1) << " columns that lie one after the other, got " << view;
  return success();
}

LogicalResult HandOverOp::verify() {
  RankedTensorType type = getValue().getType();
  BufferType tile = getSlot().getType().getBuffer();
  if (tile.getShape() != type.getShape() || tile.getElementType() != type.getElementType())
    return emitOpError("needs a slot of the tile's shape and elements, got ") << type << " and " << tile;
  return verifyFragmentTile(*this, type);
}

LogicalResult AddFragmentsOp::verify() {
  BufferType tile = getSlot().getType().getBuffer();
  return verifyFragments(*this, getView().getType(), RankedTensorType::get(tile.getShape(), tile.getElementType()));
}

LogicalResult WriteFragmentsOp::verify() { return verifyFragments(*this, getView().getType(), getValue().getType()); }
LogicalResult ReadFragmentsOp::verify() { return verifyFragments(*this, getView().getType(), getResult().getType()); }

/// Rows with pairs of columns, in one block.
static LogicalResult verifyPairs(Operation *op, ArrayRef<int64_t> shape, Type elementType) {
  if (shape.size() < 2 || (shape.size() == 3 && shape.front() != 1) || shape.back() % 2 != 0)
    return op->emitOpError("turns rows of an even number of columns, in one block");
  return isa<FloatType>(elementType) ? success() : op->emitOpError("turns floats, got ") << elementType;
}

LogicalResult RotateOp::verify() {
  auto [shape, elementType] = operandShape(getSource().getType());
  if (shape != getResult().getType().getShape() || elementType != getResult().getType().getElementType())
    return emitOpError("keeps shape and element type");
  return verifyPairs(*this, shape, elementType);
}

LogicalResult RotateRowsOp::verify() {
  if (getSource().getType().getBuffer().getShape() != getTarget().getType().getBuffer().getShape() ||
      getSource().getType().getBuffer().getElementType() != getTarget().getType().getBuffer().getElementType())
    return emitOpError("keeps shape and element type");
  return verifyPairs(*this, getSource().getType().getBuffer().getShape(), getSource().getType().getBuffer().getElementType());
}

/// What wgmma asks of its operands. Rows of the right operand's tile are multiplied in steps of 16 elements.
static LogicalResult verifyWgmma(DotOp op) {
  auto right = dyn_cast<SlotType>(op.getB().getType());
  if (!right || right.getBuffer().getSwizzle().getPanel() == 0)
    return op.emitOpError("by wgmma reads its right operand from panels in shared memory");
  auto left = dyn_cast<SlotType>(op.getA().getType());
  FragmentAttr layout = layoutOf(op.getResult().getType());
  // Weights that are not transposed are the warps' own rows, but where groups share out the columns, or one alone multiplies what others wrote.
  bool isShared = op.getTranspose() || op.getTransposed() || op.getGroup() || (layout && layout.isSliced());
  if (left ? left.getBuffer().getSwizzle().getPanel() == 0 || !isShared : isShared)
    return op.emitOpError("by wgmma reads queries, transposed weights and those of groups that share the columns, or of one alone, from panels in shared memory, others from registers");
  if (op.getTransposed() && left.getBuffer().getSwizzle().getPanel() != 8)
    return op.emitOpError("by wgmma reads transposed weights from panels of 64, one for each group of four warps");
  if (right.getBuffer().getElementType().getIntOrFloatBitWidth() != 16)
    return op.emitOpError("by wgmma multiplies 16-bit elements, got ") << right.getBuffer().getElementType();
  if (!layout || layout.getRowWarps() % 4 != 0 || op.getResult().getType().getDimSize(0) != 16 * layout.getRowWarps())
    return op.emitOpError("by wgmma takes 16 rows a warp and warps in groups of four");
  int64_t columns = op.getTranspose() ? right.getBuffer().getRows() / layout.getSplit() : right.getBuffer().getColumns() / layout.getSlices();
  int64_t depth = op.getTranspose() ? right.getBuffer().getColumns() : right.getBuffer().getRows();
  if (columns % 8 != 0 || columns > 256 || depth % 16 != 0)
    return op.emitOpError("by wgmma takes 8 to 256 columns in steps of 8 and a depth in steps of 16, got ") << columns << " and " << depth;
  int64_t chunks = columns / 8, panel = right.getBuffer().getSwizzle().getPanel();
  if (layout.isSliced() && (op.getTranspose() || (chunks % panel != 0 && panel % chunks != 0)))
    return op.emitOpError("by wgmma shares out columns in whole panels of ") << 8 * panel << ", or in equal parts of one, got " << columns;
  return success();
}

/// What a product asks of the columns of its left operand that it finds in registers.
static LogicalResult verifyLead(DotOp op) {
  if (op.getUnit() != MatrixUnit::Wgmma || !op.getTranspose() || !isa<SlotType>(op.getA().getType()))
    return op.emitOpError("has a lead by wgmma, of a left operand in shared memory and beside a right one that is transposed");
  RankedTensorType lead = op.getLead().getType();
  BufferType left = cast<SlotType>(op.getA().getType()).getBuffer();
  if (lead.getElementType() != left.getElementType() || lead.getRank() != 2 || lead.getDimSize(0) != left.getRows() || lead.getDimSize(1) % 16 != 0 ||
      lead.getDimSize(1) > left.getColumns())
    return op.emitOpError("leads with the first columns of its left operand, a multiple of 16, got ") << lead;
  FragmentAttr layout = layoutOf(op.getResult().getType()), leadLayout = layoutOf(lead);
  if (!leadLayout || !layout || layout.getSplit() != 1 || layout.isSliced() || leadLayout.getWarps() != layout.getWarps())
    return op.emitOpError("needs its lead over the warps that its rows are spread over, got ") << lead;
  return verifyMatrixLayout(op, lead);
}

LogicalResult DotOp::verify() {
  auto [a, aType] = operandShape(getA().getType());
  auto [b, bType] = operandShape(getB().getType());
  auto result = getResult().getType();
  if (aType != bType)
    return emitOpError("multiplies operands of one element type, got ") << aType << " and " << bType;
  if (!isa<BFloat16Type, Float16Type, Float32Type>(aType))
    return emitOpError("multiplies bf16, f16 or f32, got ") << aType;
  if (a.size() < 2 || b.size() < 2)
    return emitOpError("multiplies tiles of rank 2 or 3, got ranks ") << a.size() << " and " << b.size();
  if (!result.getElementType().isF32())
    return emitOpError("accumulates in f32, got ") << result.getElementType();
  SmallVector<int64_t> expected = {a.front()};
  if (getTransposed()) {
    if (getTranspose() || b.size() != 2)
      return emitOpError("with its left operand transposed takes a right operand of rank 2, not transposed");
    if (a.front() != b.front())
      return emitOpError("contracts the first dimensions, got sizes ") << a.front() << " and " << b.front();
    expected = {llvm::product_of(a.drop_front()), b.back()};
  } else if (getTranspose()) {
    if (a.size() != 2)
      return emitOpError("takes a left operand of rank 2 where it is transposed, got rank ") << a.size();
    if (a.back() != b.back())
      return emitOpError("contracts the last dimensions, got sizes ") << a.back() << " and " << b.back();
    expected.append(b.begin(), b.end() - 1);
  } else {
    // In shared memory the columns of all blocks lie side by side.
    bool isFlat = isa<SlotType>(getA().getType()) && a.size() == 2 && a.back() == llvm::product_of(b.drop_back());
    if (a.drop_front() != b.drop_back() && !isFlat)
      return emitOpError("contracts all but the first dimension of the left operand with all but the last of the right one; they differ");
    expected.push_back(b.back());
  }
  if (result.getShape() != ArrayRef<int64_t>(expected))
    return emitOpError("result has the wrong shape");
  if (auto left = dyn_cast<RankedTensorType>(getA().getType())) {
    if (bool(layoutOf(left)) != bool(layoutOf(result)) || (layoutOf(left) && layoutOf(left).getWarps() != layoutOf(result).getRowWarps()))
      return emitOpError("needs its tiles over the same warps, got ") << left << " and " << result;
    if (failed(verifyMatrixLayout(*this, left)))
      return failure();
  }
  if (failed(verifyMatrixLayout(*this, result)))
    return failure();
  if (getJoined() && !getAsync())
    return emitOpError("is joined with the next product if it is asynchronous, like that");
  if (getGroup() && (getTranspose() || getTransposed() || getAnew()))
    return emitOpError("of a group alone has neither operand transposed, and is not computed anew");
  int64_t group = getGroup().value_or(0);
  if (FragmentAttr layout = layoutOf(result); layout && (layout.getFirst() != 4 * group || (getGroup() && layout.getWarps() != 4)))
    return emitOpError("of group ") << group << " leaves its result to that group's four warps, got " << result;
  if (getAnew() && getUnit() == MatrixUnit::Wgmma)
    return emitOpError("by wgmma is that of four warps, where a product computed anew is each warp's own");
  if (getLead() && failed(verifyLead(*this)))
    return failure();
  if (getUnit() == MatrixUnit::Wgmma)
    return verifyWgmma(*this);
  return getAsync() ? emitOpError("is asynchronous by wgmma only") : success();
}

LogicalResult DotWaitOp::verify() {
  if (getPending() > 7)
    return emitOpError("leaves 0 to 7 products under way, got ") << static_cast<int64_t>(getPending());
  return success();
}

void DotOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  // An operand in shared memory is read here, so that the product cannot move across the copies that fill it.
  for (OpOperand *operand : {&getAMutable(), &getBMutable()})
    if (isa<SlotType>(operand->get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), operand);
}

LogicalResult StaggeredExp2Op::verify() {
  auto logits = getLogits().getType(), offset = getOffset().getType();
  if (!logits.getElementType().isF32() || !layoutOf(logits) || logits.getRank() < 2)
    return emitOpError("takes logits of f32 in a layout, got ") << logits;
  if (offset.getElementType() != logits.getElementType() || offset.getShape() != logits.getShape().take_front())
    return emitOpError("takes an offset of f32 for each row, got ") << offset;
  if (getParts() < 1 || getParts() > 16 || logits.getNumElements() / logits.getDimSize(0) % (8 * getParts()) != 0)
    return emitOpError("cuts a row into 1 to 16 parts of 8 columns or a multiple, got ") << static_cast<int64_t>(getParts()) << " parts of " << logits;
  return verifySameLayout(*this, logits, offset, {0});
}

LogicalResult AllOp::verify() {
  if (!getMask().getType().getElementType().isInteger(1))
    return emitOpError("takes a tile of i1, got ") << getMask().getType().getElementType();
  return success();
}

LogicalResult ReduceOp::verify() {
  auto source = getSource().getType(), result = getResult().getType();
  if (!isa<FloatType>(source.getElementType()) && !source.getElementType().isInteger(32))
    return emitOpError("combines floats or i32, got ") << source.getElementType();
  llvm::SmallBitVector reduced(source.getRank());
  for (int64_t dim : getDims()) {
    if (dim < 0 || dim >= source.getRank() || reduced.test(dim))
      return emitOpError("reduces distinct dimensions of a tile of rank ") << source.getRank() << ", got " << dim;
    reduced.set(dim);
  }
  SmallVector<int64_t> kept, expected;
  for (int64_t dim = 0; dim < source.getRank(); ++dim)
    if (!reduced.test(dim)) {
      kept.push_back(dim);
      expected.push_back(source.getDimSize(dim));
    }
  if (result.getShape() != ArrayRef<int64_t>(expected) || result.getElementType() != source.getElementType())
    return emitOpError("result must be the source without the reduced dimensions");
  return verifySameLayout(*this, source, result, kept);
}

LogicalResult BroadcastOp::verify() {
  auto source = getSource().getType(), result = getResult().getType();
  if (static_cast<int64_t>(getDims().size()) != source.getRank() || !llvm::is_sorted(getDims(), [](int64_t a, int64_t b) { return a <= b; }))
    return emitOpError("names one dimension of the result for each of the source, in ascending order");
  for (auto [index, dim] : llvm::enumerate(getDims()))
    if (dim < 0 || dim >= result.getRank() || result.getDimSize(dim) != source.getDimSize(index))
      return emitOpError("dimension ") << index << " of the source does not fit dimension " << dim << " of the result";
  if (source.getElementType() != result.getElementType())
    return emitOpError("keeps the element type");
  return verifySameLayout(*this, result, source, getDims());
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getSource()))
    return SplatElementsAttr::get(getResult().getType(), splat.getSplatValue<Attribute>());
  return {};
}

LogicalResult CastOp::verify() {
  auto source = getSource().getType(), result = getResult().getType();
  if (source.getShape() != result.getShape() || source.getEncoding() != result.getEncoding())
    return emitOpError("keeps shape and layout");
  if (!isa<FloatType>(source.getElementType()) || !isa<FloatType>(result.getElementType()))
    return emitOpError("converts between float types");
  return success();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return getSource().getType() == getResult().getType() ? OpFoldResult(getSource()) : OpFoldResult();
}

LogicalResult IotaOp::verify() {
  if (getResult().getType().getRank() != 1 || !getResult().getType().getElementType().isInteger(32))
    return emitOpError("yields a tile of rank 1 of i32");
  return success();
}

LogicalResult TopKOp::verify() {
  auto values = getValues().getType(), ids = getIds().getType(), candidates = getCandidates().getType(), candidateIds = getCandidateIds().getType();
  auto isList = [](RankedTensorType of, RankedTensorType numbers) {
    return of.getRank() == 2 && of.getElementType().isF32() && numbers.getShape() == of.getShape() && numbers.getElementType().isInteger(32) &&
           numbers.getEncoding() == of.getEncoding();
  };
  if (!isList(values, ids) || !isList(candidates, candidateIds) || values.getDimSize(0) != candidates.getDimSize(0))
    return emitOpError("takes an f32 and an i32 for every row and place, and for every row and candidate");
  if (values.getEncoding() != candidates.getEncoding() || failed(verifyMatrixLayout(*this, values)) || (layoutOf(values) && layoutOf(values).isSliced()))
    return emitOpError("needs list and candidates by rows and columns, in one layout of whole rows");
  int64_t keep = getKeep();
  if (keep < 1 || keep > 8 || keep > values.getDimSize(1))
    return emitOpError("keeps 1 to 8, no more than the list has places, got ") << keep;
  if (getById() && !getAcross())
    return emitOpError("puts ids in order where all rows are one");
  return success();
}

LogicalResult ClusterSumOp::verify() {
  RankedTensorType exponent = getExponent().getType();
  if (exponent.getRank() != 1 || !exponent.getElementType().isF32())
    return emitOpError("takes an f32 exponent for every row, got ") << exponent;
  for (Value source : getSources()) {
    auto type = cast<RankedTensorType>(source.getType());
    if (!type.getElementType().isF32() || type.getRank() < 1 || type.getRank() > 2 || type.getDimSize(0) != exponent.getDimSize(0))
      return emitOpError("adds tiles of f32, with the rows that have exponents, got ") << type;
    FragmentAttr layout = layoutOf(type), rows = layoutOf(exponent);
    if (layout && (!rows || layout.getRoles().front() != Role::Row || layout.getSplit() != 1 || layout.getRowWarps() != rows.getRowWarps()))
      return emitOpError("needs tiles whose rows lie as their exponents do, and which no groups of warps share, got ") << type << " and " << exponent;
  }
  auto kernel = dyn_cast_if_present<FunctionOpInterface>((*this)->getParentOp());
  if (kernel && llvm::count_if((*this)->getBlock()->getOperations(), llvm::IsaPred<ClusterSumOp>) > 1)
    return emitOpError("stands once in a kernel");
  return (*this)->getParentOfType<LoopLikeOpInterface>() ? emitOpError("must not stand in a loop") : success();
}

int64_t ClusterSumOp::getThreadBytes() {
  auto registers = [](RankedTensorType type) {
    FragmentAttr layout = layoutOf(type);
    bool hasColumns = type.getRank() == 2;
    return type.getNumElements() * (hasColumns ? 1 : 4) / (32 * layout.getWarps()); // four lanes hold a value by row
  };
  int64_t all = registers(getExponent().getType());
  for (Value source : getSources())
    all += registers(cast<RankedTensorType>(source.getType()));
  return (4 * all + pieceBytes - 1) / pieceBytes * pieceBytes;
}

LogicalResult ColumnOp::verify() {
  auto source = getSource().getType(), result = getResult().getType();
  if (source.getRank() < 2 || source.getShape().drop_back() != result.getShape() || source.getElementType() != result.getElementType())
    return emitOpError("result must be the source without its last dimension");
  if (getColumn() >= static_cast<uint64_t>(source.getShape().back()))
    return emitOpError("column must be in [0, ") << source.getShape().back() << "), got " << static_cast<int64_t>(getColumn());
  return verifySameLayout(*this, source, result, llvm::to_vector(llvm::seq<int64_t>(0, source.getRank() - 1)));
}

LogicalResult WaitOp::verify() {
  if (getPending() > INT32_MAX)
    return emitOpError("waits until 0 to 2^31 - 1 groups are under way, got ") << static_cast<int64_t>(getPending());
  return success();
}

LogicalResult SlotOp::verify() {
  BufferType ring = getBuffer().getType(), tile = getResult().getType().getBuffer();
  if (tile.getStages() != ring.getStages() || tile.getElementType() != ring.getElementType() || tile.getSwizzle() != ring.getSwizzle() ||
      tile.getColumns() != ring.getColumns() || tile.getRows() > ring.getRows())
    return emitOpError("result must be a slot of the ring, or of one that differs in having fewer rows");
  return success();
}

/// What shared memory allows of a place.
static LogicalResult verifyOffset(Operation *op, std::optional<uint64_t> offset) {
  if (offset && (*offset > INT32_MAX || *offset % 16 != 0))
    return op->emitOpError("offset must be a multiple of 16 below 2^31");
  return success();
}

LogicalResult AllocOp::verify() { return verifyOffset(*this, getOffset()); }
LogicalResult AllocBarriersOp::verify() { return verifyOffset(*this, getOffset()); }

LogicalResult InitBarriersOp::verify() {
  if (getConsumers() < 1 || getConsumers() > 32)
    return emitOpError("takes 1 to 32 consumers, got ") << static_cast<int64_t>(getConsumers());
  if (getProducers() < 1 || getProducers() > 32)
    return emitOpError("takes 1 to 32 producers, got ") << static_cast<int64_t>(getProducers());
  return success();
}

LogicalResult ClearOp::verify() {
  int64_t rows = getBuffer().getType().getRows(), every = getEvery(), from = getFrom();
  if (every < 1 || rows % every != 0)
    return emitOpError("cuts the ") << rows << " rows of a tile into equal runs, got runs of " << every;
  if (from < 0 || from >= every)
    return emitOpError("clears from a row of a run on, 0 to ") << every - 1 << ", got " << from;
  return success();
}

static LogicalResult verifyGroups(Operation *op, uint64_t groups) {
  if (groups < 2 || groups > 8)
    return op->emitOpError("is for 2 to 8 groups of four warps, got ") << static_cast<int64_t>(groups);
  return success();
}

LogicalResult BarrierOp::verify() {
  int64_t warps = getWarps();
  if (warps < 2 || warps > 16)
    return emitOpError("is for groups of 2 to 16 warps, got ") << warps;
  return success();
}

LogicalResult FirstTurnOp::verify() { return verifyGroups(*this, getGroups()); }
LogicalResult BeginTurnOp::verify() { return verifyGroups(*this, getGroups()); }
LogicalResult EndTurnOp::verify() { return verifyGroups(*this, getGroups()); }

LogicalResult FetchOp::verify() {
  BufferType tile = getSlot().getType().getBuffer();
  int64_t boxes = getBoxes(), boxRows = getBoxRows();
  if (tile.getSwizzle().getPanel() == 0)
    return emitOpError("fills panels, got a slot without");
  if (boxes < 1 || tile.getRows() % boxes != 0)
    return emitOpError("cuts the ") << tile.getRows() << " rows of a slot into equal parts, got " << boxes;
  if (boxRows < 1 || boxRows > 256 || boxRows > tile.getRows() / boxes)
    return emitOpError("takes boxes of 1 to 256 rows that fit their part of the slot, got ") << boxRows;
  if (tile.getRows() / boxes % 8 != 0)
    return emitOpError("starts boxes on multiples of 8 rows");
  if (getBarriers().getType().getStages() != tile.getStages())
    return emitOpError("needs as many barriers as the ring has stages");
  return success();
}

/// Whether a slot holds one f32 for each of `rows` rows, side by side.
static bool isRowOf(BufferType buffer, int64_t rows) { return buffer.getElementType().isF32() && buffer.getRows() == 1 && buffer.getColumns() == rows; }

LogicalResult FetchRowsOp::verify() {
  BufferType tile = getSlot().getType().getBuffer();
  if (!isRowOf(tile, tile.getColumns()) || tile.getColumns() % 16 != 0)
    return emitOpError("fills a slot of one row of f32, a multiple of 16 of them");
  if (getBarriers().getType().getStages() != tile.getStages())
    return emitOpError("needs as many barriers as the ring has stages");
  return success();
}

LogicalResult BulkStoreOp::verify() {
  BufferType tile = getSlot().getType().getBuffer();
  if (tile.getSwizzle().getPanel() == 0)
    return emitOpError("copies panels, got a slot without");
  if (tile.getRows() % groupRows != 0)
    return emitOpError("copies ") << groupRows << " rows for each group of four warps, got a slot of " << tile.getRows();
  return success();
}

LogicalResult WriteOp::verify() {
  BufferType buffer = getSlot().getType().getBuffer();
  auto value = getValue().getType();
  if (value.getRank() < 2 || buffer.getShape().size() != 2 || buffer.getElementType() != value.getElementType() ||
      buffer.getRows() != value.getDimSize(0) || buffer.getColumns() != value.getNumElements() / value.getDimSize(0))
    return emitOpError("needs a slot of the tile's rows, with its other dimensions as columns, got ") << value << " and " << buffer;
  return verifyMatrixLayout(*this, value);
}

LogicalResult ReadOp::verify() {
  BufferType buffer = getSlot().getType().getBuffer();
  auto result = getResult().getType();
  if (result.getRank() == 1) {
    if (!result.getElementType().isF32() || !isRowOf(buffer, result.getDimSize(0)))
      return emitOpError("of rows alone takes a slot of one row of f32, a number for each");
    return success();
  }
  if (result.getElementType() != buffer.getElementType() || result.getRank() < 2 || buffer.getShape().size() != 2 ||
      result.getDimSize(0) != buffer.getRows() || result.getNumElements() > buffer.getRows() * buffer.getColumns())
    return emitOpError("result must have the rows and the element type of the slot, and its columns, or the first of them, in the other dimensions");
  return verifyMatrixLayout(*this, result);
}
