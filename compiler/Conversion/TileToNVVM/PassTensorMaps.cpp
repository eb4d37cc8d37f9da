// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Conversion/Passes.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"

namespace landmark {
#define GEN_PASS_DEF_PASSTENSORMAPS
#include "compiler/Conversion/Passes.h.inc"
} // namespace landmark

using namespace mlir;

namespace landmark {
namespace {

struct PassTensorMaps : impl::PassTensorMapsBase<PassTensorMaps> {
  void runOnOperation() override {
    Builder b(&getContext());
    auto bytes = LLVM::LLVMArrayType::get(b.getI8Type(), tile::tensorMapBytes);
    for (auto kernel : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      auto maps = kernel->getAttrOfType<ArrayAttr>(tile::tensorMapsName);
      if (!maps)
        continue;
      for (unsigned argument = kernel.getNumArguments() - maps.size(); argument < kernel.getNumArguments(); ++argument) {
        kernel.setArgAttr(argument, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(bytes));
        kernel.setArgAttr(argument, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(64));
        kernel.setArgAttr(argument, NVVM::NVVMDialect::getGridConstantAttrName(), b.getUnitAttr());
      }
    }
  }
};

} // namespace
} // namespace landmark
