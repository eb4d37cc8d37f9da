// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between global memory and shared memory or registers. A view's rows may start at any address: rows of 16-byte pieces are copied asynchronously where every
// row starts on 16 bytes, and element by element otherwise. That is decided at run time; strides never make another kernel.
#include "compiler/Conversion/TileToNVVM/GlobalRows.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace landmark {
namespace {

/// Column of a thread's register number `columnRegister` of a row; 0 where rows have but one.
Value columnOf(ThreadBuilder &b, const FragmentLayout &layout, int64_t columnRegister) {
  if (!layout.columns)
    return b.i32(0);
  return b.add(b.firstColumn(layout), b.i32(FragmentLayout::columnConstant(columnRegister)));
}

Value both(ThreadBuilder &b, Value left, Value right) { return left ? (right ? b.bitAnd(left, right) : left) : right; }

/// Where a view has half of a tile's 8 columns: whether this lane's are among them. Otherwise null.
Value hasColumns(ThreadBuilder &b, MemRefType view, RankedTensorType tile) {
  return tile.getRank() == 2 && view.getShape().back() < tile.getShape().back() ? b.less(b.inQuad(), b.i32(2)) : Value();
}

/// One tile.copy: `threads` threads take the tile's pieces in turn.
class CopyEmitter {
public:
  CopyEmitter(ThreadBuilder &b, tile::CopyOp op, Value buffer, int64_t threads)
      : b(b), op(op), type(op.getBuffer().getType()), threads(threads), rows(b, op.getView(), op.getBatch(), op.getHead()),
        slot(b.sharedOffset(buffer, b.mul(b.toI32(op.getStage()), b.i32(type.getStageBytes())))) {}

  /// Pieces of 16 bytes, asynchronously; what is not there is filled with zeros.
  void emitAsync() {
    int64_t chunks = type.getRowBytes() / 16, pieces = type.getRows() * chunks;
    for (int64_t start = 0; start < pieces; start += threads) {
      Value piece = b.add(b.thread(), b.i32(start));
      // Where a row's pieces divide the threads the compiler sees one row and chunk a thread, and constants on top.
      bool isRegular = threads % chunks == 0;
      Value row = b.divide(isRegular ? b.thread() : piece, chunks), chunk = b.remainder(isRegular ? b.thread() : piece, chunks);
      int64_t further = isRegular ? start / chunks : 0;
      auto copy = [&](ThreadBuilder &b) { emitPiece(row, further, chunk); };
      if (start + threads <= pieces)
        copy(b);
      else
        guarded(b.less(piece, b.i32(pieces)), copy);
    }
  }

  /// Element by element through registers, for rows that start anywhere.
  void emitElements() {
    int64_t columns = type.getColumns();
    Value begin = b.thread(), end = b.i32(type.getRows() * columns);
    auto loop = scf::ForOp::create(b, begin, end, b.i32(threads));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value row = b.divide(loop.getInductionVar(), columns), column = b.remainder(loop.getInductionVar(), columns);
    auto [source, isThere] = locate(row);
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type.getElementType()));
    auto read = scf::IfOp::create(
        b, isThere,
        [&](OpBuilder &builder, Location loc) {
          ThreadBuilder inner(loc, builder);
          Value element = LLVM::LoadOp::create(inner, type.getElementType(), rows.pointer(inner, source, column));
          scf::YieldOp::create(inner, element);
        },
        [&](OpBuilder &builder, Location loc) { scf::YieldOp::create(builder, loc, zero); });
    int64_t perChunk = 16 / rows.bytes;
    Value inChunk = b.mul(b.remainder(column, perChunk), b.i32(rows.bytes));
    LLVM::StoreOp::create(b, read.getResult(0), b.sharedOffset(destination(row, b.divide(column, perChunk)), inChunk));
  }

  Value isAligned() { return rows.alignedTo(b, 16); }

private:
  template <typename Body> void guarded(Value condition, Body body) {
    auto branch = scf::IfOp::create(b, condition);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    body(b);
  }

  /// Chunk `chunk` of row `row + further`.
  void emitPiece(Value row, int64_t further, Value chunk) {
    auto [source, isThere] = locate(b.add(row, b.i32(further)));
    Value size = arith::SelectOp::create(b, isThere, b.i32(16), b.i32(0)), column = b.mul(chunk, b.i32(16 / rows.bytes));
    // Rows of one run lie a constant number of rows from the thread's first, and rows 8 apart are swizzled alike.
    bool isRun = type.getShape().size() == 2 ? !op.getStride() : type.getShape().front() == 1;
    Value pointer = isRun ? rows.pointer(b, locate(row).first, column, further) : rows.pointer(b, source, column);
    Value place = b.sharedOffset(destination(b.add(row, b.i32(further % 8)), chunk), b.i32((further - further % 8) * rowPitch(type)));
    NVVM::CpAsyncOp::create(b, place, pointer, b.getI32IntegerAttr(16),
                            NVVM::LoadCacheModifierKindAttr::get(b.getContext(), NVVM::LoadCacheModifierKind::CG), size);
  }

  /// Row of the view that row `row` of the tile takes, and whether it is there.
  std::pair<Value, Value> locate(Value row) {
    Value stride = op.getStride() ? b.toI32(op.getStride()) : b.i32(1);
    Value offset, inBlock;
    if (type.getShape().size() == 2) {
      offset = b.mul(row, stride);
    } else {
      int64_t tokens = type.getShape()[1];
      Value token = b.remainder(row, tokens);
      offset = b.add(b.mul(b.divide(row, tokens), stride), token);
      inBlock = b.less(token, op.getCount() ? b.toI32(op.getCount()) : stride);
    }
    Value source = b.add(b.toI32(op.getRow()), offset);
    Value fromLow = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, source, b.toI32(op.getLow()));
    return {source, both(b, inBlock, b.bitAnd(fromLow, b.less(source, b.toI32(op.getHigh()))))};
  }

  /// Where chunk `chunk` of row `row` goes.
  Value destination(Value row, Value chunk) {
    tile::SwizzleAttr swizzle = type.getSwizzle();
    Value order = b.bitAnd(b.shiftRight(row, swizzle.getShift()), b.i32((int64_t(1) << swizzle.getBits()) - 1));
    auto bytesOf = [&](Value chunks) { return b.shiftLeft(chunks, 4); };
    int64_t panel = swizzle.getPanel();
    if (panel == 0)
      return b.sharedOffset(slot, b.add(b.mul(row, b.i32(type.getRowBytes())), bytesOf(b.bitXor(chunk, order))));
    Value panelStart = b.mul(b.divide(chunk, panel), b.i32(type.getRows() * panel * 16));
    Value inPanel = b.add(b.mul(row, b.i32(panel * 16)), bytesOf(b.bitXor(b.remainder(chunk, panel), order)));
    return b.sharedOffset(slot, b.add(panelStart, inPanel));
  }

  ThreadBuilder &b;
  tile::CopyOp op;
  tile::BufferType type;
  int64_t threads;
  GlobalRows rows;
  Value slot;
};

struct LowerCopy : OpConversionPattern<tile::CopyOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::CopyOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
    auto size = kernel ? kernel.getKnownBlockSize() : std::nullopt;
    if (!size || size->front() < 32)
      return op.emitOpError("stands in a kernel of unknown block size; run tile-assign-layouts");
    ThreadBuilder b(op.getLoc(), rewriter);
    CopyEmitter emitter(b, op, adaptor.getBuffer(), size->front());
    auto branch = scf::IfOp::create(b, emitter.isAligned(), /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    emitter.emitAsync();
    b.setInsertionPointToStart(branch.elseBlock());
    emitter.emitElements();
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCommit : OpConversionPattern<tile::CommitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::CommitOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncCommitGroupOp>(op);
    return success();
  }
};

struct LowerWait : OpConversionPattern<tile::WaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::WaitOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncWaitGroupOp>(op, static_cast<uint32_t>(op.getPending()));
    return success();
  }
};

/// As assembly, which no access to memory is moved across; upstream's operation says nothing of memory. A condition that always holds, of the numbers that are
/// to be known, keeps the assembler from waiting before it has them.
struct LowerGridWait : OpConversionPattern<tile::GridWaitOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::GridWaitOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    Value known;
    for (Value number : op.getNumbers())
      known = known ? b.bitOr(known, b.toI32(number)) : b.toI32(number);
    StringRef text = known ? "{\n\t.reg .pred holds;\n\tsetp.ge.s32 holds, $0, 0;\n\t@holds griddepcontrol.wait;\n\t}\n\tgriddepcontrol.launch_dependents;"
                           : "griddepcontrol.wait;\n\tgriddepcontrol.launch_dependents;";
    LLVM::InlineAsmOp::create(b, TypeRange(), known ? ValueRange(known) : ValueRange(), text, known ? "r,~{memory}" : "~{memory}", /*has_side_effects=*/true,
                              /*is_align_stack=*/false, LLVM::TailCallKind::None, LLVM::AsmDialectAttr::get(op.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerFence : OpConversionPattern<tile::FenceOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::FenceOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    auto space = NVVM::SharedSpaceAttr::get(op.getContext(), NVVM::SharedSpace::shared_cta);
    rewriter.replaceOpWithNewOp<NVVM::FenceProxyOp>(op, NVVM::ProxyKindAttr::get(op.getContext(), NVVM::ProxyKind::async_shared), space);
    return success();
  }
};

/// Columns of a row from global memory, two neighbours in one piece where `pairsFit`; it is there for all tiles of pairs.
SmallVector<Value> loadRow(ThreadBuilder &b, GlobalRows &rows, Value row, const FragmentLayout &layout, TypeRange types, Value pairsFit) {
  auto column = [&](int64_t number) { return columnOf(b, layout, number); };
  SmallVector<Value> values;
  if (!pairsFit) {
    assert(!isa<VectorType>(types.front()));
    for (auto [number, type] : llvm::enumerate(types))
      values.push_back(LLVM::LoadOp::create(b, type, rows.pointer(b, row, column(number)), rows.bytes));
    return values;
  }
  if (!isa<VectorType>(types.front())) { // elements of 32 bits, two neighbours in one piece
    auto together = [&](OpBuilder &builder, Location loc) {
      ThreadBuilder inner(loc, builder);
      SmallVector<Value> elements;
      for (size_t number = 0; number < types.size(); number += 2) {
        Value pair = LLVM::LoadOp::create(inner, VectorType::get({2}, types.front()), rows.pointer(inner, row, columnOf(inner, layout, number)), 8);
        for (int64_t e = 0; e < 2; ++e)
          elements.push_back(vector::ExtractOp::create(inner, pair, e));
      }
      scf::YieldOp::create(inner, elements);
    };
    auto apart = [&](OpBuilder &builder, Location loc) {
      ThreadBuilder inner(loc, builder);
      scf::YieldOp::create(inner, loadRow(inner, rows, row, layout, types, Value()));
    };
    auto branch = scf::IfOp::create(b, pairsFit, together, apart);
    llvm::append_range(values, branch.getResults());
    return values;
  }
  auto inPairs = [&](OpBuilder &builder, Location loc) {
    ThreadBuilder inner(loc, builder);
    SmallVector<Value> pairs;
    for (auto [number, type] : llvm::enumerate(types))
      pairs.push_back(LLVM::LoadOp::create(inner, type, rows.pointer(inner, row, columnOf(inner, layout, 2 * number)), 4));
    scf::YieldOp::create(inner, pairs);
  };
  auto byElement = [&](OpBuilder &builder, Location loc) {
    ThreadBuilder inner(loc, builder);
    SmallVector<Value> pairs;
    for (auto [number, type] : llvm::enumerate(types)) {
      SmallVector<Value> elements;
      for (int64_t e = 0; e < 2; ++e)
        elements.push_back(LLVM::LoadOp::create(inner, cast<VectorType>(type).getElementType(),
                                                rows.pointer(inner, row, columnOf(inner, layout, 2 * number + e)), rows.bytes));
      pairs.push_back(vector::FromElementsOp::create(inner, cast<VectorType>(type), elements));
    }
    scf::YieldOp::create(inner, pairs);
  };
  auto branch = scf::IfOp::create(b, pairsFit, inPairs, byElement);
  llvm::append_range(values, branch.getResults());
  return values;
}

/// Whether two neighbours of a row are one piece.
Value pairsFit(ThreadBuilder &b, RankedTensorType type, const FragmentLayout &layout, GlobalRows &rows) {
  return isPaired(type) ? rows.alignedTo(b, 4) : layout.columns && rows.bytes == 4 ? rows.alignedTo(b, 8) : Value();
}

/// Rows and columns of a tile from global memory to registers: those for which `isThere(row)` holds, and `absent` in place of the others.
template <typename IsThere>
SmallVector<Value> readRows(ThreadBuilder &b, RankedTensorType type, ArrayRef<Type> types, GlobalRows &rows, Value first, IsThere isThere, Value absent,
                            Value pairsFit) {
  FragmentLayout layout = layoutOf(type);
  Value firstRow = b.add(b.toI32(first), b.firstRow(layout));
  int64_t perRow = types.size() / layout.rowRegisters();
  SmallVector<Value> values;
  for (int64_t i = 0; i < layout.rowRegisters(); ++i) {
    Value row = b.add(firstRow, b.i32(FragmentLayout::rowConstant(i)));
    auto read = [&](OpBuilder &builder, Location loc) {
      ThreadBuilder inner(loc, builder);
      scf::YieldOp::create(inner, loadRow(inner, rows, row, layout, ArrayRef(types).take_front(perRow), pairsFit));
    };
    auto skip = [&](OpBuilder &builder, Location loc) {
      Value value = absent ? absent : Value(arith::ConstantOp::create(builder, loc, builder.getZeroAttr(types.front())));
      scf::YieldOp::create(builder, loc, SmallVector<Value>(perRow, value));
    };
    auto branch = scf::IfOp::create(b, isThere(b, row), read, skip);
    llvm::append_range(values, branch.getResults());
  }
  return values;
}

/// Four words of a lane, one of each of four column tiles, for the four words of one of those tiles: lane t of a quad gets tile t, 16 bytes side by side. Two
/// exchanges, with the lane whose number differs in bit 0 and in bit 1.
SmallVector<Value> transposeQuad(ThreadBuilder &b, ArrayRef<Value> words) {
  SmallVector<Value> result(words);
  for (int64_t distance : {1, 2}) {
    Value isUpper = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, b.bitAnd(b.inQuad(), b.i32(distance)), b.i32(0));
    for (int64_t low = 0; low < 4; ++low) {
      int64_t high = low + distance;
      if (low & distance)
        continue;
      Value given = arith::SelectOp::create(b, isUpper, result[low], result[high]);
      Value taken = NVVM::ShflOp::create(b, b.getI32Type(), b.i32(-1), given, b.i32(distance), b.i32(31), NVVM::ShflKind::bfly, UnitAttr());
      Value kept = arith::SelectOp::create(b, isUpper, result[high], result[low]);
      result[low] = arith::SelectOp::create(b, isUpper, taken, kept);
      result[high] = arith::SelectOp::create(b, isUpper, kept, taken);
    }
  }
  return result;
}

/// Rows and columns of a tile from global memory to registers, what is not there as zeros.
struct LowerLoad : OpConversionPattern<tile::LoadOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::LoadOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    auto type = op.getResult().getType();
    FragmentLayout layout = layoutOf(type);
    if (!layout.rows || layout.blocks || op.getStride())
      return op.emitOpError("into registers reads tiles of consecutive rows, or of rows and columns");
    SmallVector<Type> types;
    if (failed(getTypeConverter()->convertType(type, types)))
      return failure();
    GlobalRows rows(b, op.getView(), op.getBatch(), op.getHead());
    auto isThere = [&](ThreadBuilder &b, Value row) {
      Value fromLow = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, row, b.toI32(op.getLow()));
      return b.bitAnd(fromLow, b.less(row, b.toI32(op.getHigh())));
    };
    int64_t perRow = types.size() / layout.rowRegisters();
    SmallVector<Value> values;
    if (isPaired(type) && perRow % 4 == 0)
      values = readWideRows(b, op, types, rows, isThere);
    else
      values = readRows(b, type, types, rows, op.getRow(), isThere, /*absent=*/{}, pairsFit(b, type, layout, rows));
    rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
    return success();
  }

private:
  /// Where rows start on 16 bytes, all of a tile's pieces are asked for before the first is waited for. Pairs are words until both ways join: LLVM would take them
  /// apart there.
  template <typename IsThere>
  static SmallVector<Value> readWideRows(ThreadBuilder &b, tile::LoadOp op, ArrayRef<Type> types, GlobalRows &rows, IsThere isThere) {
    FragmentLayout layout = layoutOf(op.getResult().getType());
    int64_t perRow = types.size() / layout.rowRegisters();
    auto wide = [&](OpBuilder &builder, Location loc) {
      ThreadBuilder inner(loc, builder);
      Value firstRow = inner.add(inner.toI32(op.getRow()), inner.firstRow(layout)), column = inner.shiftLeft(inner.inQuad(), 3);
      if (layout.isSliced)
        column = inner.add(inner.mul(inner.slice(layout), inner.i32(layout.sliceColumns())), column);
      SmallVector<SmallVector<Value>> pieces;
      for (int64_t i = 0; i < layout.rowRegisters(); ++i) {
        Value row = inner.add(firstRow, inner.i32(FragmentLayout::rowConstant(i))), start = rows.pointer(inner, row, column), there = isThere(inner, row);
        for (int64_t piece = 0; piece < perRow / 4; ++piece)
          pieces.push_back(loadIf(inner, there, rows.further(inner, start, 32 * piece)));
      }
      SmallVector<Value> words;
      for (ArrayRef<Value> piece : pieces)
        llvm::append_range(words, transposeQuad(inner, piece));
      scf::YieldOp::create(inner, words);
    };
    auto narrow = [&](OpBuilder &builder, Location loc) {
      ThreadBuilder inner(loc, builder);
      SmallVector<Value> words;
      RankedTensorType type = op.getResult().getType();
      for (Value pair : readRows(inner, type, types, rows, op.getRow(), isThere, /*absent=*/{}, pairsFit(inner, type, layout, rows))) {
        auto half = [&](int64_t e) {
          Value bits = LLVM::BitcastOp::create(inner, inner.getI16Type(), vector::ExtractOp::create(inner, pair, e));
          return arith::ExtUIOp::create(inner, inner.getI32Type(), bits);
        };
        words.push_back(inner.bitOr(half(0), inner.shiftLeft(half(1), 16)));
      }
      scf::YieldOp::create(inner, words);
    };
    auto branch = scf::IfOp::create(b, rows.alignedTo(b, 16), wide, narrow);
    return llvm::map_to_vector(llvm::zip_equal(types, branch.getResults()), [&](auto pair) -> Value {
      return LLVM::BitcastOp::create(b, std::get<0>(pair), std::get<1>(pair));
    });
  }

  /// Four words, zeros if they are not there.
  static SmallVector<Value> loadIf(ThreadBuilder &b, Value there, Value pointer) {
    Type result = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, b.getI32Type()));
    auto load = LLVM::InlineAsmOp::create(b, result, ValueRange{arith::ExtUIOp::create(b, b.getI32Type(), there), pointer},
                                          "{ .reg .pred there; setp.ne.b32 there, $4, 0; mov.b32 $0, 0; mov.b32 $1, 0; mov.b32 $2, 0; mov.b32 $3, 0; "
                                          "@there ld.global.v4.b32 {$0, $1, $2, $3}, [$5]; }",
                                          "=&r,=&r,=&r,=&r,r,l,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                          LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
    SmallVector<Value> words;
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(b.extract(load.getRes(), i));
    return words;
  }
};

/// Rows and columns of a tile from registers to global memory.
struct LowerStore : OpConversionPattern<tile::StoreOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::StoreOp op, OneToNOpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    auto type = op.getValue().getType();
    FragmentLayout layout = layoutOf(type);
    if (!layout.rows || layout.blocks)
      return op.emitOpError("lowers tiles of rows, or of rows and columns");
    GlobalRows rows(b, op.getView(), op.getBatch(), op.getHead());
    // Lanes of a quad hold copies of a value by row: the first one writes it.
    Value writes = layout.columns ? Value() : arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.inQuad(), b.i32(0));
    auto size = op->getParentOfType<gpu::GPUFuncOp>().getKnownBlockSize();
    if (layout.warps == 1 && size && size->front() > 32) // of copies in all warps, the first one's
      writes = both(b, writes, b.less(b.thread(), b.i32(32)));
    writes = both(b, writes, hasColumns(b, op.getView().getType(), type));
    Value pairsFit = isPaired(type) ? rows.alignedTo(b, 4) : layout.columns && rows.bytes == 4 ? rows.alignedTo(b, 8) : Value();
    int64_t perRow = adaptor.getValue().size() / layout.rowRegisters();
    auto storeRows = [&](ThreadBuilder &b, auto store) {
      for (int64_t i = 0; i < layout.rowRegisters(); ++i)
        store(b.add(b.firstRow(layout), b.i32(FragmentLayout::rowConstant(i))), adaptor.getValue().slice(i * perRow, perRow));
    };
    auto storeNarrow = [&](ThreadBuilder &b, Value pairsFit) {
      storeRows(b, [&](Value inTile, ValueRange values) {
        auto [row, isThere] = locate(b, op, inTile);
        guarded(b, both(b, writes, isThere), [&] { storeRow(b, rows, row, layout, values, pairsFit); });
      });
    };
    if (isPaired(type) && perRow % 4 == 0) {
      auto branch = scf::IfOp::create(b, rows.alignedTo(b, 16), /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      storeRows(b, [&](Value inTile, ValueRange values) { storeWideRow(b, op, rows, inTile, layout, values, writes); });
      b.setInsertionPointToStart(branch.elseBlock());
      storeNarrow(b, Value()); // rare: code that assembles fast is worth more than pairs
    } else {
      storeNarrow(b, pairsFit);
    }
    rewriter.eraseOp(op);
    return success();
  }

  template <typename Body> static void guarded(ThreadBuilder &b, Value condition, Body body) {
    auto branch = scf::IfOp::create(b, condition);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    body();
  }

  /// A row whose pairs of columns go out in pieces of 16 bytes. All lanes take part in the exchange, whether their row is there or not.
  static void storeWideRow(ThreadBuilder &b, tile::StoreOp op, GlobalRows &rows, Value inTile, const FragmentLayout &layout, ValueRange pairs, Value writes) {
    SmallVector<Value> pieces;
    for (size_t first = 0; first < pairs.size(); first += 4) {
      SmallVector<Value> words;
      for (Value pair : pairs.slice(first, 4))
        words.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair));
      pieces.push_back(vector::FromElementsOp::create(b, VectorType::get({4}, b.getI32Type()), transposeQuad(b, words)));
    }
    auto [row, isThere] = locate(b, op, inTile);
    guarded(b, both(b, writes, isThere), [&, row = row] {
      Value column = b.shiftLeft(b.inQuad(), 3);
      if (layout.isSliced)
        column = b.add(b.mul(b.slice(layout), b.i32(layout.sliceColumns())), column);
      Value start = rows.pointer(b, row, column);
      for (auto [number, piece] : llvm::enumerate(pieces))
        LLVM::StoreOp::create(b, piece, rows.further(b, start, 32 * number), 16);
    });
  }

  /// Row of the view that row `row` of the tile goes to, and whether it is there.
  static std::pair<Value, Value> locate(ThreadBuilder &b, tile::StoreOp op, Value row) {
    if (!op.getTokens()) {
      Value target = b.add(b.toI32(op.getRow()), row);
      return {target, b.less(target, b.toI32(op.getHigh()))};
    }
    Value tokens = b.toI32(op.getTokens()), stride = b.toI32(op.getStride());
    Value token = arith::RemUIOp::create(b, row, tokens);
    Value target = b.add(b.toI32(op.getRow()), b.add(b.mul(arith::DivUIOp::create(b, row, tokens), stride), token));
    Value fromLow = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, target, b.i32(0));
    Value belowHigh = b.less(target, b.toI32(op.getHigh())), inBlock = b.less(token, stride);
    return {target, b.bitAnd(inBlock, b.bitAnd(fromLow, belowHigh))};
  }

  static void storeRow(ThreadBuilder &b, GlobalRows &rows, Value row, const FragmentLayout &layout, ValueRange values, Value pairsFit) {
    Value start = rows.pointer(b, row, columnOf(b, layout, 0));
    auto at = [&](int64_t number) { return rows.further(b, start, FragmentLayout::columnConstant(number)); };
    auto storeElements = [&] {
      for (auto [number, value] : llvm::enumerate(values)) {
        int64_t elements = isa<VectorType>(value.getType()) ? 2 : 1;
        for (int64_t e = 0; e < elements; ++e) {
          Value element = elements == 1 ? value : vector::ExtractOp::create(b, value, e);
          LLVM::StoreOp::create(b, element, at(elements * number + e), rows.bytes);
        }
      }
    };
    if (!pairsFit)
      return storeElements();
    auto branch = scf::IfOp::create(b, pairsFit, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    if (rows.bytes == 4) { // two neighbours in one piece
      for (size_t number = 0; number < values.size(); number += 2) {
        auto type = VectorType::get({2}, values.front().getType());
        LLVM::StoreOp::create(b, vector::FromElementsOp::create(b, type, values.slice(number, 2)), rows.pointer(b, row, columnOf(b, layout, number)), 8);
      }
      b.setInsertionPointToStart(branch.elseBlock());
      storeRow(b, rows, row, layout, values, Value());
      return;
    }
    for (auto [number, pair] : llvm::enumerate(values))
      LLVM::StoreOp::create(b, pair, at(2 * number), 4);
    b.setInsertionPointToStart(branch.elseBlock());
    storeElements();
  }
};

/// The same, what is not there as a value of the caller's.
struct LowerReadRows : OpConversionPattern<tile::ReadRowsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(tile::ReadRowsOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder b(op.getLoc(), rewriter);
    auto type = op.getResult().getType();
    FragmentLayout layout = layoutOf(type);
    if (!layout.rows || layout.blocks)
      return op.emitOpError("lowers tiles of rows, or of rows and columns");
    GlobalRows rows(b, op.getView(), op.getBatch(), op.getHead());
    Value hasThem = hasColumns(b, op.getView().getType(), type);
    auto isThere = [&](ThreadBuilder &b, Value row) { return both(b, b.less(row, b.toI32(op.getHigh())), hasThem); };
    SmallVector<Type> types;
    if (failed(getTypeConverter()->convertType(type, types)))
      return failure();
    SmallVector<Value> values = readRows(b, type, types, rows, op.getRow(), isThere, adaptor.getFill(), pairsFit(b, type, layout, rows));
    rewriter.replaceOpWithMultiple(op, {ValueRange(values)});
    return success();
  }
};

} // namespace

void populateMemoryPatterns(RewritePatternSet &patterns, const FragmentTypeConverter &converter) {
  patterns.add<LowerLoad, LowerReadRows, LowerCopy, LowerCommit, LowerWait, LowerGridWait, LowerFence, LowerStore>(converter, patterns.getContext());
}

} // namespace landmark
