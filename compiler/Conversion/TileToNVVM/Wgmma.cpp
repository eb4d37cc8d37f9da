// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products by wgmma.mma_async (PTX ISA, "Asynchronous warpgroup level matrix multiply-accumulate instructions"): four warps multiply 64 rows by up to 256
// columns, the right operand straight from shared memory, the left one from there or from registers.
//
// One product is one piece of inline assembly: the fence, the instructions of all depths, commit and wait. Between them nothing may touch the accumulators, and nothing
// can, since they are the operands of that piece. An asynchronous product leaves the wait to another piece, which takes the accumulators and yields them, so that
// nothing can use them before. (The nvvm dialect's wgmma takes no left operand from registers.)
#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace mlir;

namespace landmark {
namespace {

/// Descriptors of an operand in panels (PTX ISA, "Matrix descriptor format"): addresses and strides count 16 bytes.
class PanelDescriptor {
public:
  PanelDescriptor(ThreadBuilder &b, Value slot, tile::BufferType type, bool isTransposed) : b(b), type(type) {
    int64_t panelBytes = 16 * type.getSwizzle().getPanel();
    int64_t rowGroup = 8 * panelBytes;                // 8 rows, the unit of the swizzle
    int64_t panelStride = type.getRows() * panelBytes; // from one panel to the next
    int64_t mode = 4 - type.getSwizzle().getBits();   // 1, 2, 3: 128, 64, 32 bytes
    // Operands that run along the depth never leave their panel by the leading stride; transposed ones step from panel to panel by it.
    int64_t leading = isTransposed ? panelStride : 16;
    int64_t constant = (leading >> 4) << 16 | (rowGroup >> 4) << 32 | mode << 62;
    Value address = LLVM::PtrToIntOp::create(b, b.getI32Type(), slot);
    Value units = b.bitAnd(b.shiftRight(address, 4), b.i32(0x3fff));
    base = b.add(arith::ExtUIOp::create(b, b.getI64Type(), units), b.i64(constant));
  }

  /// For the operand that begins `bytes` further on.
  Value at(int64_t bytes) { return bytes == 0 ? base : b.add(base, b.i64(bytes >> 4)); }

  /// Bytes from the start of a tile to the 16 elements of depth `step`, for operands that run along the depth.
  int64_t depthOffset(int64_t step) const {
    int64_t chunk = 2 * step, panel = type.getSwizzle().getPanel();
    return chunk / panel * type.getRows() * panel * 16 + chunk % panel * 16;
  }
  /// The same for transposed ones: 16 rows.
  int64_t rowOffset(int64_t step) const { return step * 16 * type.getSwizzle().getPanel() * 16; }

private:
  ThreadBuilder &b;
  tile::BufferType type;
  Value base;
};

/// A number that is the same in all lanes of a warp, told so to the assembler: descriptors made of it stay in uniform registers. Made where the kernel begins, since an
/// exchange between lanes is not moved out of loops.
template <typename Number> Value uniform(ThreadBuilder &b, mlir::Operation *op, Number number) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&op->getParentOfType<gpu::GPUFuncOp>().getBody().front());
  Value value = number();
  return NVVM::ShflOp::create(b, value.getType(), b.i32(-1), value, b.i32(0), b.i32(31), NVVM::ShflKind::idx, UnitAttr());
}

/// Operands of one instruction, as numbers of the inline assembly's operands.
struct Instruction {
  SmallVector<Value> left; ///< a descriptor, or four registers
  Value right;
};

/// How a product reads its operands and treats its result.
struct ProductForm {
  int64_t columns;
  bool isLeftTransposed, isRightTransposed; ///< their depth does not run along their rows
  bool startsAtZero, isAsync, isJoined;
};

bool isZero(Value tile) {
  auto constant = tile.getDefiningOp<arith::ConstantOp>();
  auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : SplatElementsAttr();
  return splat && splat.getSplatValue<APFloat>().isPosZero();
}

/// Inline assembly with `count` results of f32.
SmallVector<Value> callAssembly(ThreadBuilder &b, StringRef text, StringRef constraints, ValueRange operands, int64_t count, Type type) {
  Type result = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, type));
  auto assembly = LLVM::InlineAsmOp::create(b, result, operands, text, constraints, /*has_side_effects=*/true, /*is_align_stack=*/false,
                                            LLVM::TailCallKind::None, LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
  SmallVector<Value> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(b.extract(assembly.getRes(), i));
  return values;
}

/// The text and constraints of a whole product: results first, then tied accumulators unless they are zero, then the operands of each instruction.
class ProductAssembly {
public:
  ProductAssembly(ThreadBuilder &b, StringRef element, ProductForm form) : b(b), element(element), form(form) {}

  SmallVector<Value> emit(ArrayRef<Instruction> instructions, ValueRange accumulators) {
    int64_t count = form.columns / 2, next = form.startsAtZero ? count : 2 * count;
    std::string text = "{ .reg .pred add; setp.ne.b32 add, 1, 0; .reg .pred start; setp.ne.b32 start, 1, " + std::string(form.startsAtZero ? "1" : "0") +
                       "; wgmma.fence.sync.aligned;";
    SmallVector<Value> operands;
    for (int64_t i = 0; i < (form.startsAtZero ? 0 : count); ++i)
      operands.push_back(accumulators[place(i)]);
    SmallVector<std::string> inputs;
    for (auto [number, instruction] : llvm::enumerate(instructions)) {
      text += " " + format(instruction, next, number == 0 ? "start" : "add");
      next += instruction.left.size() + 1;
      llvm::append_range(operands, instruction.left);
      operands.push_back(instruction.right);
      inputs.append(instruction.left.size(), instruction.left.size() == 1 ? "l" : "r");
      inputs.push_back("l");
    }
    if (!form.isJoined)
      text += " wgmma.commit_group.sync.aligned;";
    text += form.isAsync ? " }" : " wgmma.wait_group.sync.aligned 0; }";
    SmallVector<Value> values(count);
    for (auto [number, value] : llvm::enumerate(callAssembly(b, text, constraints(count, inputs), operands, count, b.getF32Type())))
      values[place(number)] = value;
    return values;
  }

private:
  /// The instruction goes through a column tile's two rows before the next column tile, a fragment through a row's columns before the next row.
  int64_t place(int64_t number) const { return number / 2 % 2 * (form.columns / 4) + number / 4 * 2 + number % 2; }

  std::string format(const Instruction &instruction, int64_t first, StringRef scale) {
    std::string results, left;
    for (int64_t i = 0; i < form.columns / 2; ++i)
      results += fmt::format("{}${}", i ? "," : "", i);
    int64_t lefts = instruction.left.size();
    for (int64_t i = 0; i < lefts; ++i)
      left += fmt::format("{}${}", i ? "," : "", first + i);
    bool inRegisters = lefts > 1;
    return fmt::format("wgmma.mma_async.sync.aligned.m64n{0}k16.f32.{1}.{1} {{{2}}}, {3}, ${4}, {5}, 1, 1{6}, {7:d};", form.columns, element.str(), results,
                       inRegisters ? "{" + left + "}" : left, first + lefts, scale.str(), inRegisters ? "" : fmt::format(", {:d}", form.isLeftTransposed),
                       form.isRightTransposed);
  }

  std::string constraints(int64_t count, ArrayRef<std::string> inputs) {
    SmallVector<std::string> parts(count, "=f");
    for (int64_t i = 0; i < (form.startsAtZero ? 0 : count); ++i)
      parts.push_back(fmt::format("{}", i));
    llvm::append_range(parts, inputs);
    parts.push_back("~{memory}");
    return llvm::join(parts, ",");
  }

  ThreadBuilder &b;
  StringRef element;
  ProductForm form;
};

struct LowerWgmma : OpConversionPattern<tile::DotOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::DotOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    if (op.getUnit() != tile::MatrixUnit::Wgmma)
      return failure();
    ThreadBuilder b(op.getLoc(), rewriter);
    tile::BufferType rightType = cast<tile::SlotType>(op.getB().getType()).getBuffer();
    FragmentLayout layout = layoutOf(op.getType());
    int64_t columns = op.getTranspose() ? rightType.getRows() / layout.split : rightType.getColumns() / layout.slices();
    // Values lie with their columns side by side, keys with their depth.
    ProductForm form{columns, op.getTransposed(), /*isRightTransposed=*/!op.getTranspose(), isZero(op.getAcc()), op.getAsync(), op.getJoined()};
    bool isLeftShared = isa<tile::SlotType>(op.getA().getType());
    SmallVector<Instruction> instructions = op.getTranspose()    ? multiplyKeys(b, op, adaptor, columns)
                                            : op.getTransposed() ? multiplyTransposed(b, op, adaptor)
                                            : isLeftShared       ? multiplyShared(b, op, adaptor, columns)
                                                                 : multiplyValues(b, op, adaptor);
    ProductAssembly assembly(b, rightType.getElementType().isF16() ? "f16" : "bf16", form);
    SmallVector<Value> results = assembly.emit(instructions, adaptor.getAcc());
    rewriter.replaceOpWithMultiple(op, {ValueRange(results)});
    return success();
  }

  static tile::BufferType bufferOf(Value operand) { return cast<tile::SlotType>(operand.getType()).getBuffer(); }

  /// Queries from shared memory, the first columns from registers perhaps, 64 rows for each group of four warps; where the layout is split, its share of the keys as well.
  static SmallVector<Instruction> multiplyKeys(ThreadBuilder &b, tile::DotOp op, OneToNOpAdaptor adaptor, int64_t columns) {
    tile::BufferType type = bufferOf(op.getA());
    FragmentLayout layout = layoutOf(op.getType());
    // A group's part of an operand that groups share out, `rows` rows of it.
    auto partOf = [&](Value slot, tile::BufferType type, int64_t rows, auto number) {
      return b.sharedOffset(slot, b.mul(uniform(b, op, number), b.i32(rows * rowPitch(type))));
    };
    Value leftSlot = adaptor.getA().front(), rightSlot = adaptor.getB().front();
    if (layout.rowWarps() > 4)
      leftSlot = partOf(leftSlot, type, 64, [&] { return b.shiftRight(b.rowWarp(layout), 2); });
    if (layout.split > 1)
      rightSlot = partOf(rightSlot, bufferOf(op.getB()), columns, [&] { return b.splitGroup(layout); });
    PanelDescriptor left(b, leftSlot, type, false), right(b, rightSlot, bufferOf(op.getB()), false);
    SmallVector<SmallVector<Value>> lead = registersOf(b, adaptor.getLead());
    SmallVector<Instruction> instructions;
    for (int64_t step = 0; step < type.getColumns() / 16; ++step) {
      SmallVector<Value> operand = step < static_cast<int64_t>(lead.size()) ? lead[step] : SmallVector<Value>{left.at(left.depthOffset(step))};
      instructions.push_back({operand, right.at(right.depthOffset(step))});
    }
    return instructions;
  }

  /// A left operand's registers, as accumulators leave them, for each depth of 16: two column tiles of two rows.
  static SmallVector<SmallVector<Value>> registersOf(ThreadBuilder &b, ValueRange pairs) {
    int64_t perRow = pairs.size() / 2;
    auto word = [&](int64_t row, int64_t pair) -> Value { return LLVM::BitcastOp::create(b, b.getI32Type(), pairs[row * perRow + pair]); };
    SmallVector<SmallVector<Value>> registers;
    for (int64_t step = 0; step < perRow / 2; ++step)
      registers.push_back({word(0, 2 * step), word(1, 2 * step), word(0, 2 * step + 1), word(1, 2 * step + 1)});
    return registers;
  }

  /// Weights from registers.
  static SmallVector<Instruction> multiplyValues(ThreadBuilder &b, tile::DotOp op, OneToNOpAdaptor adaptor) {
    PanelDescriptor right(b, adaptor.getB().front(), bufferOf(op.getB()), true);
    SmallVector<Instruction> instructions;
    for (auto [step, weights] : llvm::enumerate(registersOf(b, adaptor.getA())))
      instructions.push_back({weights, right.at(right.rowOffset(step))});
    return instructions;
  }

  /// Weights from shared memory, all rows for each group of four warps, and its share of the columns where groups share them out.
  static SmallVector<Instruction> multiplyShared(ThreadBuilder &b, tile::DotOp op, OneToNOpAdaptor adaptor, int64_t columns) {
    tile::BufferType leftType = bufferOf(op.getA()), rightType = bufferOf(op.getB());
    FragmentLayout layout = layoutOf(op.getType());
    int64_t chunks = columns / 8, panel = rightType.getSwizzle().getPanel();
    int64_t bytes = chunks % panel == 0 ? chunks / panel * rightType.getRows() * rowPitch(rightType) : 16 * chunks;
    Value rightSlot = adaptor.getB().front();
    if (layout.isSliced)
      rightSlot = b.sharedOffset(rightSlot, b.mul(uniform(b, op, [&] { return b.slice(layout); }), b.i32(bytes)));
    PanelDescriptor left(b, adaptor.getA().front(), leftType, false), right(b, rightSlot, rightType, true);
    SmallVector<Instruction> instructions;
    for (int64_t step = 0; step < leftType.getColumns() / 16; ++step)
      instructions.push_back({{left.at(left.depthOffset(step))}, right.at(right.rowOffset(step))});
    return instructions;
  }

  /// Weights from shared memory, the depth in their rows: 64 columns, a panel, for each group of four warps.
  static SmallVector<Instruction> multiplyTransposed(ThreadBuilder &b, tile::DotOp op, OneToNOpAdaptor adaptor) {
    tile::BufferType type = bufferOf(op.getA());
    Value panel = b.mul(uniform(b, op, [&] { return b.shiftRight(b.warp(), 2); }), b.i32(type.getRows() * rowPitch(type)));
    PanelDescriptor left(b, b.sharedOffset(adaptor.getA().front(), panel), type, true);
    PanelDescriptor right(b, adaptor.getB().front(), bufferOf(op.getB()), true);
    SmallVector<Instruction> instructions;
    for (int64_t step = 0; step < type.getRows() / 16; ++step)
      instructions.push_back({{left.at(left.rowOffset(step))}, right.at(right.rowOffset(step))});
    return instructions;
  }
};

struct LowerDotWait : OpConversionPattern<tile::DotWaitOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::DotWaitOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    int64_t count = adaptor.getProduct().size();
    bool paired = isPaired(op.getResult().getType()); // two numbers a register
    Type held = adaptor.getProduct().front().getType(), type = paired ? b.getI32Type() : held;
    SmallVector<Value> registers = llvm::map_to_vector(adaptor.getProduct(), [&](Value value) -> Value { return LLVM::BitcastOp::create(b, type, value); });
    SmallVector<std::string> constraints(count, paired ? "=r" : "=f");
    for (int64_t i = 0; i < count; ++i)
      constraints.push_back(fmt::format("{}", i));
    constraints.push_back("~{memory}");
    std::string text = fmt::format("wgmma.wait_group.sync.aligned {};", op.getPending());
    SmallVector<Value> values = callAssembly(b, text, llvm::join(constraints, ","), registers, count, type);
    for (Value &value : values)
      value = LLVM::BitcastOp::create(b, held, value);
    rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
    return success();
  }
};

} // namespace

void populateWgmmaPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerWgmma, LowerDotWait>(converter, patterns.getContext());
}

} // namespace landmark
