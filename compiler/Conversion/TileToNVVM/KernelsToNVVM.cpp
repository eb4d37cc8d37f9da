// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's convert-gpu-to-nvvm but for what it does first: a greedy rewriting of the whole module, for operations that ours do not have (reductions of a block). It takes as long
// as the conversion itself, and of all it does we need the folding, for which one walk is enough.
#include "compiler/Conversion/Passes.h"

#include "mlir/Conversion/ConvertToLLVM/ToLLVMInterface.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Transforms/DialectConversion.h"

namespace landmark {
#define GEN_PASS_DEF_CONVERTKERNELSTONVVM
#include "compiler/Conversion/Passes.h.inc"
} // namespace landmark

using namespace mlir;

namespace landmark {
namespace {

struct ConvertKernelsToNVVM : impl::ConvertKernelsToNVVMBase<ConvertKernelsToNVVM> {
  /// Folds every operation once, in order, so that lowerings see the constants that they ask for.
  void fold() {
    IRRewriter rewriter(&getContext());
    getOperation().walk([&](Operation *op) {
      SmallVector<Value> folded;
      rewriter.setInsertionPoint(op);
      if (succeeded(rewriter.tryFold(op, folded)) && !folded.empty())
        rewriter.replaceOp(op, folded);
    });
  }

  void runOnOperation() override {
    fold();
    MLIRContext *context = &getContext();
    LLVMTypeConverter converter(context);
    configureGpuToNVVMTypeConverter(converter);
    LLVMConversionTarget target(*context);
    RewritePatternSet patterns(context);
    for (Dialect *dialect : context->getLoadedDialects())
      if (auto interface = dyn_cast<ConvertToLLVMPatternInterface>(dialect); interface && !isa<math::MathDialect>(dialect)) // the GPU has patterns for math
        interface->populateConvertToLLVMConversionPatterns(target, converter, patterns);
    populateGpuToNVVMConversionPatterns(converter, patterns);
    configureGpuToNVVMConversionLegality(target);
    ConversionConfig config;
    config.foldingMode = DialectConversionFoldingMode::Never; // all is folded
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
} // namespace landmark
