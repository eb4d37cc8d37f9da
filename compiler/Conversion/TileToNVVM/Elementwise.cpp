// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic, reductions and changes of shape: what needs no memory. Registers are renamed, scalars computed one by one.
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace landmark {
Value combine(ThreadBuilder &b, tile::ReductionKind kind, Value left, Value right) {
  bool isFloat = isa<FloatType>(left.getType());
  switch (kind) {
  case tile::ReductionKind::Max:
    return isFloat ? Value(LLVM::MaxNumOp::create(b, left, right)) : Value(arith::MaxSIOp::create(b, left, right));
  case tile::ReductionKind::Min:
    return isFloat ? Value(LLVM::MinNumOp::create(b, left, right)) : Value(arith::MinSIOp::create(b, left, right));
  case tile::ReductionKind::Sum:
    break;
  }
  return isFloat ? Value(arith::AddFOp::create(b, left, right)) : b.add(left, right);
}

Value shuffle(ThreadBuilder &b, NVVM::ShflKind kind, Value value, int64_t operand, int64_t maskAndClamp) {
  return NVVM::ShflOp::create(b, value.getType(), b.i32(-1), value, b.i32(operand), b.i32(maskAndClamp), kind, UnitAttr());
}

// Chains, in which a product goes into its sum in one instruction, and a tree.
Value combineAll(ThreadBuilder &b, tile::ReductionKind kind, SmallVector<Value> values, size_t chains) {
  for (size_t i = chains; i < values.size(); ++i)
    values[i % chains] = combine(b, kind, values[i % chains], values[i]);
  values.truncate(std::min(chains, values.size()));
  while (values.size() > 1) {
    SmallVector<Value> next;
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      next.push_back(combine(b, kind, values[i], values[i + 1]));
    if (values.size() % 2)
      next.push_back(values.back());
    values = std::move(next);
  }
  return values.front();
}

namespace {

template <typename Op> struct TilePattern : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;
  using OneToNOpAdaptor = typename OpConversionPattern<Op>::OneToNOpAdaptor;

  /// The scalars of the result, or none if the operation cannot be lowered (a diagnostic was emitted).
  virtual FailureOr<SmallVector<Value>> lower(Op op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const = 0;

  LogicalResult matchAndRewrite(Op op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    FailureOr<SmallVector<Value>> values = lower(op, adaptor, b);
    if (failed(values))
      return failure();
    rewriter.replaceOpWithMultiple(op, {ValueRange(*values)});
    return success();
  }
};

/// Any elementwise operation: once for each scalar.
struct LowerElementwise : ConversionPattern {
  LowerElementwise(const TypeConverter &converter, MLIRContext *context) : ConversionPattern(converter, MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(mlir::Operation *op, ArrayRef<ValueRange> operands, ConversionPatternRewriter &rewriter) const override {
    auto type = op->getNumResults() == 1 ? dyn_cast<RankedTensorType>(op->getResult(0).getType()) : RankedTensorType();
    if (!type || !OpTrait::hasElementwiseMappableTraits(op) || isa<arith::ConstantOp>(op))
      return failure();
    SmallVector<Type> types;
    if (failed(getTypeConverter()->convertType(type, types)))
      return failure();
    if (llvm::any_of(op->getOperandTypes(), [&](Type operand) {
          auto tile = dyn_cast<RankedTensorType>(operand);
          return tile && tile.getEncoding() != type.getEncoding();
        }))
      return op->emitOpError("needs its tiles in one layout");
    if (llvm::any_of(operands, [&](ValueRange range) { return range.size() != types.size() && range.size() != 1; }))
      return op->emitOpError("mixes 16-bit tiles with others; cast them first");
    SmallVector<Value> results;
    for (auto [number, scalar] : llvm::enumerate(types)) {
      SmallVector<Value> scalars;
      for (ValueRange range : operands)
        scalars.push_back(range.size() == 1 ? range.front() : range[number]);
      results.push_back(rewriter.create(op->getLoc(), op->getName().getIdentifier(), scalars, scalar, op->getAttrs())->getResult(0));
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(results)});
    return success();
  }
};

/// Column numbers, plus a number perhaps: what masks compare with a bound for each row.
struct ColumnNumbers {
  tile::IotaOp iota;
  Value offset; // a number, or null

  static std::optional<ColumnNumbers> match(Value tile) {
    auto broadcast = tile.getDefiningOp<tile::BroadcastOp>();
    if (!broadcast)
      return std::nullopt;
    ColumnNumbers numbers{broadcast.getSource().getDefiningOp<tile::IotaOp>(), Value()};
    if (auto sum = broadcast.getSource().getDefiningOp<arith::AddIOp>()) {
      auto splat = sum.getLhs().getDefiningOp<tensor::SplatOp>();
      numbers = {sum.getRhs().getDefiningOp<tile::IotaOp>(), splat ? splat.getInput() : Value()};
      if (!splat)
        return std::nullopt;
    }
    if (!numbers.iota || !layoutOf(numbers.iota.getResult().getType()).columns)
      return std::nullopt;
    return numbers;
  }
};

/// `2*t + constant < bound` as `constant < bound - 2*t`: one subtraction a bound in place of a register a column, which the assembler would keep across the
/// loop.
struct LowerColumnCompare : OpConversionPattern<arith::CmpIOp> {
  LowerColumnCompare(const TypeConverter &converter, MLIRContext *context) : OpConversionPattern(converter, context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(arith::CmpIOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    bool isSigned = op.getPredicate() == arith::CmpIPredicate::slt || op.getPredicate() == arith::CmpIPredicate::sge;
    if (!type || !isSigned || !op.getRhs().getDefiningOp<tile::BroadcastOp>())
      return failure();
    std::optional<ColumnNumbers> numbers = ColumnNumbers::match(op.getLhs());
    if (!numbers)
      return failure();
    ThreadBuilder b(op.getLoc(), rewriter);
    FragmentLayout layout = layoutOf(cast<RankedTensorType>(op.getLhs().getType()));
    Value lanePart = b.firstColumn(layout);
    if (numbers->offset)
      lanePart = b.add(lanePart, rewriter.getRemappedValue(numbers->offset));
    llvm::DenseMap<Value, Value> bounds;
    SmallVector<Value> results;
    for (auto [number, bound] : llvm::enumerate(adaptor.getRhs())) {
      Value &moved = bounds[bound];
      if (!moved)
        moved = arith::SubIOp::create(b, bound, lanePart);
      int64_t constant = FragmentLayout::columnConstant(layout.placeOf(number).column);
      results.push_back(arith::CmpIOp::create(b, op.getPredicate(), b.i32(constant), moved));
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(results)});
    return success();
  }
};

/// Whether a tile is the same in all columns.
bool isColumnless(Value tile) {
  if (auto broadcast = tile.getDefiningOp<tile::BroadcastOp>())
    return !layoutOf(broadcast.getSource().getType()).columns || isColumnless(broadcast.getSource());
  return tile.getDefiningOp<tensor::SplatOp>();
}

/// Whether a tile holds column numbers, moved by what is the same in all columns.
bool countsColumns(Value tile) {
  if (auto broadcast = tile.getDefiningOp<tile::BroadcastOp>())
    return countsColumns(broadcast.getSource());
  if (auto iota = tile.getDefiningOp<tile::IotaOp>())
    return layoutOf(iota.getResult().getType()).columns;
  if (auto sum = tile.getDefiningOp<arith::AddIOp>())
    return isColumnless(sum.getLhs()) && countsColumns(sum.getRhs());
  auto difference = tile.getDefiningOp<arith::SubIOp>();
  return difference && countsColumns(difference.getLhs()) && isColumnless(difference.getRhs());
}

/// A column's number in a range as the first one's, where the range begins, and a constant: for the same reason.
struct LowerColumnRange : OpConversionPattern<arith::CmpIOp> {
  LowerColumnRange(const TypeConverter &converter, MLIRContext *context) : OpConversionPattern(converter, context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(arith::CmpIOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    bool isRange = isa<RankedTensorType>(op.getType()) && op.getPredicate() == arith::CmpIPredicate::ult && op.getRhs().getDefiningOp<tile::BroadcastOp>();
    if (!isRange || !countsColumns(op.getLhs()))
      return failure();
    ThreadBuilder b(op.getLoc(), rewriter);
    FragmentLayout layout = layoutOf(cast<RankedTensorType>(op.getLhs().getType()));
    SmallVector<Value> results;
    for (auto [number, bound] : llvm::enumerate(adaptor.getRhs())) {
      int64_t column = layout.placeOf(number).column;
      Value first = adaptor.getLhs()[number - column];
      results.push_back(arith::CmpIOp::create(b, op.getPredicate(), b.add(first, b.i32(FragmentLayout::columnConstant(column))), bound));
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(results)});
    return success();
  }
};

constexpr StringRef exp2Intrinsic = "llvm.nvvm.ex2.approx.ftz.f32";

/// The unit for special functions computes powers and logarithms of 2 to about 2^-22 (PTX ISA, "ex2", "lg2"); subnormal numbers count as 0, which
/// saves three instructions an element.
template <typename Op> struct LowerApproximation : TilePattern<Op> {
  LowerApproximation(const TypeConverter &converter, MLIRContext *context, StringRef intrinsic)
      : TilePattern<Op>(converter, context, /*benefit=*/2), intrinsic(intrinsic) {}
  FailureOr<SmallVector<Value>> lower(Op op, typename TilePattern<Op>::OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    if (!cast<RankedTensorType>(op.getType()).getElementType().isF32())
      return failure(); // computed as other elementwise operations are
    SmallVector<Value> values;
    for (Value value : adaptor.getOperand())
      values.push_back(LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(intrinsic), value).getResult(0));
    return values;
  }
  StringRef intrinsic;
};

/// Quotients that may be approximated, by the reciprocal of the same unit (PTX ISA, "rcp.approx.ftz").
struct LowerDivision : TilePattern<arith::DivFOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(arith::DivFOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    if (!cast<RankedTensorType>(op.getType()).getElementType().isF32() || !bitEnumContainsAny(op.getFastmath(), arith::FastMathFlags::afn))
      return failure();
    SmallVector<Value> values;
    for (auto [left, right] : llvm::zip(adaptor.getLhs(), adaptor.getRhs())) {
      Value reciprocal = LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr("llvm.nvvm.rcp.approx.ftz.f"), right).getResult(0);
      values.push_back(arith::MulFOp::create(b, left, reciprocal));
    }
    return values;
  }
};

/// fma.f32 rather than the call that the upstream lowering makes of it.
struct LowerFma : TilePattern<math::FmaOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(math::FmaOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    SmallVector<Value> values;
    for (auto [left, right, sum] : llvm::zip(adaptor.getA(), adaptor.getB(), adaptor.getC()))
      values.push_back(LLVM::FMAOp::create(b, left, right, sum));
    return values;
  }
};

struct LowerStaggeredExp2 : TilePattern<tile::StaggeredExp2Op> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tile::StaggeredExp2Op op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    ValueRange logits = adaptor.getLogits();
    SmallVector<Value> offsets(adaptor.getOffset()), powers(logits.size());
    int64_t rows = offsets.size(), perRow = logits.size() / rows, perPart = perRow / op.getParts();
    Value zero = LLVM::ConstantOp::create(b, b.getF32FloatAttr(0));
    for (int64_t first = 0; first < perRow; first += perPart) {
      SmallVector<int64_t> numbers; // of the part's registers, in both rows
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t i = row * perRow + first; i < row * perRow + first + perPart; ++i)
          numbers.push_back(i);
      for (int64_t row = 0; row < rows && first > 0; ++row)
        offsets[row] = LLVM::FMAOp::create(b, powers[row * perRow + first - perPart], zero, offsets[row]);
      for (int64_t i : numbers)
        powers[i] = LLVM::FMAOp::create(b, logits[i], adaptor.getFactor().front(), offsets[i / perRow]);
      for (int64_t i : numbers)
        powers[i] = LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(exp2Intrinsic), powers[i]).getResult(0);
    }
    return powers;
  }
};

/// max.f32 rather than the call that the upstream lowering makes of it.
struct LowerMaximum : TilePattern<arith::MaxNumFOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(arith::MaxNumFOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    SmallVector<Value> values;
    for (auto [left, right] : llvm::zip(adaptor.getLhs(), adaptor.getRhs()))
      values.push_back(LLVM::MaxNumOp::create(b, left, right));
    return values;
  }
};

struct LowerConstant : TilePattern<arith::ConstantOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(arith::ConstantOp op, OneToNOpAdaptor, ThreadBuilder &b) const override {
    auto splat = dyn_cast<SplatElementsAttr>(op.getValue());
    SmallVector<Type> types;
    if (!splat || failed(getTypeConverter()->convertType(op.getType(), types)))
      return failure();
    TypedAttr value = cast<TypedAttr>(splat.getSplatValue<Attribute>());
    if (isa<VectorType>(types.front()))
      value = SplatElementsAttr::get(cast<ShapedType>(types.front()), value);
    return SmallVector<Value>(types.size(), arith::ConstantOp::create(b, value));
  }
};

struct LowerSplat : TilePattern<tensor::SplatOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tensor::SplatOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    auto type = cast<RankedTensorType>(op.getType());
    if (isPaired(type))
      return op.emitOpError("of 16-bit elements is not lowered");
    return SmallVector<Value>(layoutOf(type).registers(), adaptor.getInput().front());
  }
};

/// One element, for all threads: of a tile of rank 0 they have it, of rows and columns in one warp the lane that holds it gives it to the others.
struct LowerExtract : OpConversionPattern<tensor::ExtractOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ValueRange held = adaptor.getTensor();
    if (op.getIndices().empty()) {
      rewriter.replaceOp(op, held.front());
      return success();
    }
    RankedTensorType type = op.getTensor().getType();
    FragmentLayout layout = layoutOf(type);
    if (!layout.rows || !layout.columns || layout.blocks || layout.warps != 1 || isPaired(type))
      return op.emitOpError("takes the number of a tile of rank 0, or one of 32 bits of rows and columns in one warp");
    ThreadBuilder b(op.getLoc(), rewriter);
    Value row = b.toI32(op.getIndices()[0]), column = b.toI32(op.getIndices()[1]);
    Value number = b.add(b.mul(b.divide(row, 8), b.i32(layout.columnRegisters())), b.add(b.shiftLeft(b.divide(column, 8), 1), b.remainder(column, 2)));
    Value value = held.front();
    for (auto [i, other] : llvm::enumerate(held.drop_front()))
      value = arith::SelectOp::create(b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number, b.i32(i + 1)), other, value);
    Value lane = b.add(b.shiftLeft(b.remainder(row, 8), 2), b.divide(b.remainder(column, 8), 2));
    rewriter.replaceOp(op, NVVM::ShflOp::create(b, value.getType(), b.i32(-1), value, lane, b.i32(31), NVVM::ShflKind::idx, UnitAttr()).getResult());
    return success();
  }
};

struct LowerIota : TilePattern<tile::IotaOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tile::IotaOp op, OneToNOpAdaptor, ThreadBuilder &b) const override {
    FragmentLayout layout = layoutOf(op.getResult().getType());
    SmallVector<Value> values;
    Value lanePart = layout.rows ? b.firstRow(layout) : layout.columns ? b.firstColumn(layout) : b.i32(0);
    if (layout.blocks && layout.split > 1)
      lanePart = b.mul(b.splitGroup(layout), b.i32(layout.blockRegisters()));
    for (int64_t i = 0; i < layout.registers(); ++i) {
      int64_t constant = layout.rows ? FragmentLayout::rowConstant(i) : layout.columns ? FragmentLayout::columnConstant(i) : i;
      values.push_back(b.add(lanePart, b.i32(constant)));
    }
    return values;
  }
};

/// To and from 16 bits in pairs, one instruction each.
struct LowerCast : TilePattern<tile::CastOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tile::CastOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    auto type = op.getResult().getType();
    if (isPaired(op.getSource().getType()) && type.getElementType().isF32())
      return widen(adaptor, b);
    if (!isPaired(type) || !op.getSource().getType().getElementType().isF32())
      return op.emitOpError("converts f32 to 16 bits and back in tiles with columns, got ") << op.getSource().getType() << " to " << type;
    // By the intrinsic: LLVM would move a truncation behind a loop's entry, and have the loop carry twice the registers.
    auto intrinsic = b.getStringAttr(type.getElementType().isF16() ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn");
    auto pair = VectorType::get({2}, type.getElementType());
    SmallVector<Value> values;
    for (size_t i = 0; i < adaptor.getSource().size(); i += 2) // the first operand becomes the upper half
      values.push_back(
          LLVM::CallIntrinsicOp::create(b, pair, intrinsic, ValueRange{adaptor.getSource()[i + 1], adaptor.getSource()[i]}).getResult(0));
    return values;
  }

  static SmallVector<Value> widen(OneToNOpAdaptor adaptor, ThreadBuilder &b) {
    SmallVector<Value> values;
    for (Value pair : adaptor.getSource()) {
      Value wide = arith::ExtFOp::create(b, VectorType::get({2}, b.getF32Type()), pair);
      for (int64_t e = 0; e < 2; ++e)
        values.push_back(vector::ExtractOp::create(b, wide, e));
    }
    return values;
  }
};

struct LowerBroadcast : TilePattern<tile::BroadcastOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tile::BroadcastOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    if (isPaired(op.getResult().getType()))
      return op.emitOpError("of 16-bit elements is not lowered");
    FragmentLayout from = layoutOf(op.getSource().getType()), to = layoutOf(op.getResult().getType());
    SmallVector<Value> source = from.isDealt ? collectDealt(b, adaptor.getSource()) : llvm::to_vector(adaptor.getSource()), values;
    for (int64_t i = 0; i < to.whole().registers(); ++i) {
      auto place = to.placeOf(i);
      values.push_back(source[from.registerOf({from.rows ? place.row : 0, from.blocks ? place.block : 0, from.columns ? place.column : 0})]);
    }
    return to.isDealt ? dealCopies(b, values) : values;
  }
};

struct LowerReduce : TilePattern<tile::ReduceOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tile::ReduceOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    FragmentLayout from = layoutOf(op.getSource().getType()), to = layoutOf(op.getResult().getType());
    Type element = op.getSource().getType().getElementType();
    bool dropsRows = from.rows && !to.rows;
    if (from.isSliced && !to.columns)
      return op.emitOpError("has a warp that holds a slice of the columns alone");
    bool crossesGroups = from.blocks && !to.blocks && from.split != 1;
    if ((dropsRows && from.warps != 1) || crossesGroups || !(element.isF32() || element.isInteger(32)))
      return op.emitOpError("lowers reductions of f32 and i32, along rows within one warp and along blocks within one group only");
    SmallVector<Value> source = from.isDealt ? collectDealt(b, adaptor.getSource()) : llvm::to_vector(adaptor.getSource());
    SmallVector<SmallVector<Value>> parts(to.whole().registers());
    for (auto [i, value] : llvm::enumerate(source)) {
      auto place = from.placeOf(i);
      parts[to.registerOf({to.rows ? place.row : 0, to.blocks ? place.block : 0, to.columns ? place.column : 0})].push_back(value);
    }
    SmallVector<Value> values;
    for (SmallVector<Value> &part : parts) {
      Value value = combineAll(b, op.getKind(), part, op.getInOrder() ? 1 : chainsSideBySide);
      if (from.columns && !to.columns && !to.isDealt) // the other columns are in the other lanes of the quad
        for (int64_t distance : {1, 2})
          value = combine(b, op.getKind(), value, shuffle(b, NVVM::ShflKind::bfly, value, distance, 31));
      if (dropsRows) // and the other rows in the other quads
        for (int64_t distance : {4, 8, 16})
          value = combine(b, op.getKind(), value, shuffle(b, NVVM::ShflKind::bfly, value, distance, 31));
      values.push_back(value);
    }
    return to.isDealt ? dealCombined(b, op.getKind(), values) : values;
  }
};

/// Every thread's share, then those of the warp.
struct LowerAll : OpConversionPattern<tile::AllOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::AllOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    Value all = adaptor.getMask().front();
    for (Value one : adaptor.getMask().drop_front())
      all = arith::AndIOp::create(b, all, one);
    rewriter.replaceOpWithNewOp<NVVM::VoteSyncOp>(op, b.getI1Type(), b.i32(-1), all, NVVM::VoteSyncKind::all);
    return success();
  }
};

struct LowerColumn : TilePattern<tile::ColumnOp> {
  using TilePattern::TilePattern;
  FailureOr<SmallVector<Value>> lower(tile::ColumnOp op, OneToNOpAdaptor adaptor, ThreadBuilder &b) const override {
    FragmentLayout from = layoutOf(op.getSource().getType()), to = layoutOf(op.getResult().getType());
    if (!from.columns || from.isSliced || !op.getSource().getType().getElementType().isF32())
      return op.emitOpError("lowers columns of f32 tiles that every warp has");
    int64_t column = op.getColumn(), holder = FragmentLayout::columnLane(column);
    SmallVector<Value> values;
    for (int64_t i = 0; i < to.whole().registers(); ++i) {
      auto place = to.placeOf(i);
      values.push_back(adaptor.getSource()[from.registerOf({place.row, place.block, FragmentLayout::columnRegister(column)})]);
    }
    if (to.isDealt)
      return dealHeld(b, values, holder);
    for (Value &value : values) // everyone reads the lane of its quad that holds the column
      value = shuffle(b, NVVM::ShflKind::idx, value, holder, quads);
    return values;
  }
};

} // namespace

void populateElementwisePatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerApproximation<math::Exp2Op>>(converter, patterns.getContext(), exp2Intrinsic);
  patterns.add<LowerApproximation<math::Log2Op>>(converter, patterns.getContext(), "llvm.nvvm.lg2.approx.ftz.f");
  patterns.add<LowerFma, LowerStaggeredExp2, LowerMaximum, LowerDivision>(converter, patterns.getContext(), /*benefit=*/2);
  patterns.add<LowerColumnCompare, LowerColumnRange, LowerElementwise, LowerConstant, LowerSplat, LowerExtract, LowerIota, LowerCast, LowerBroadcast, LowerReduce,
               LowerAll, LowerColumn>(converter, patterns.getContext());
}

} // namespace landmark
