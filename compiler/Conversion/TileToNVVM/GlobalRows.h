// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_CONVERSION_TILETONVVM_GLOBALROWS_H
#define LANDMARK_COMPILER_CONVERSION_TILETONVVM_GLOBALROWS_H

#include "compiler/Conversion/TileToNVVM/Lowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace landmark {

/// Rows of one head of a view in global memory.
class GlobalRows {
public:
  GlobalRows(ThreadBuilder &b, mlir::Value view, mlir::Value batch, mlir::Value head)
      : bytes(mlir::cast<mlir::MemRefType>(view.getType()).getElementTypeBitWidth() / 8) {
    auto metadata = mlir::memref::ExtractStridedMetadataOp::create(b, view);
    auto stride = [&](int64_t dim) { return b.mul(b.toI64(metadata.getStrides()[dim]), b.i64(bytes)); };
    mlir::Value start = b.toI64(mlir::memref::ExtractAlignedPointerAsIndexOp::create(b, view));
    mlir::Value batchStride = stride(0), headStride = stride(1);
    rowStride = stride(2);
    base = b.add(start, b.add(b.mul(b.toI64(batch), batchStride), b.mul(b.toI64(head), headStride)));
    addresses = b.bitOr(base, rowStride);
  }

  /// Whether every row starts on a multiple of `alignment` bytes, a power of two.
  mlir::Value alignedTo(ThreadBuilder &b, int64_t alignment) {
    mlir::Value low = b.bitAnd(addresses, b.i64(alignment - 1));
    return mlir::arith::CmpIOp::create(b, mlir::arith::CmpIPredicate::eq, low, b.i64(0));
  }

  /// Pointer to column `column` of row `row + further`, both i32: rows are fewer than 2^31, the offset is not (C8).
  mlir::Value pointer(ThreadBuilder &b, mlir::Value row, mlir::Value column, int64_t further = 0) {
    mlir::Value offset = mlir::arith::ExtUIOp::create(b, b.getI64Type(), b.mul(column, b.i32(bytes)));
    mlir::Value wideRow = mlir::arith::ExtSIOp::create(b, b.getI64Type(), row);
    mlir::Value address = b.add(b.add(base, b.mul(wideRow, rowStride)), offset);
    if (further)
      address = b.add(address, b.mul(rowStride, b.i64(further)));
    return mlir::LLVM::IntToPtrOp::create(b, mlir::LLVM::LLVMPointerType::get(b.getContext(), static_cast<unsigned>(mlir::NVVM::NVVMMemorySpace::Global)), address);
  }

  /// Columns further on in the row of a pointer: a constant of the instruction that uses it.
  mlir::Value further(ThreadBuilder &b, mlir::Value pointer, int64_t columns) {
    if (columns == 0)
      return pointer;
    return mlir::LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer, llvm::ArrayRef<mlir::LLVM::GEPArg>{static_cast<int32_t>(columns * bytes)});
  }

  const int64_t bytes; ///< of an element

private:
  mlir::Value base, rowStride, addresses;
};

} // namespace landmark
#endif
