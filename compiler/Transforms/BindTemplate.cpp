// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a request to the template bound to it: type aliases before the text, constants for its parameters.
#include "compiler/Transforms/CheckDims.h"
#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/RetrievalTemplates.h"
#include "compiler/Transforms/Templates.h"
#include "dialects/Landmark/Landmark.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

namespace landmark {
#define GEN_PASS_DEF_LANDMARKBINDTEMPLATE
#include "compiler/Transforms/Passes.h.inc"
} // namespace landmark

using namespace mlir;
using namespace landmark;

namespace {

DType dtypeOf(Type type) { return type.isBF16() ? DType::BF16 : type.isF16() ? DType::F16 : DType::F32; }

Problem problemOf(ir::ForwardOp request) {
  Problem problem;
  problem.blockSize = request.getBlockSize();
  problem.headDim = request.getHeadDim();
  problem.dtype = dtypeOf(request.getType());
  return problem;
}

Problem problemOf(ir::RetrieveOp request) {
  Problem problem;
  problem.operation = *parseOperation(request.getStep().str()); // the verifier knows the steps
  problem.blockSize = request.getBlockSize();
  problem.headDim = request.getHeadDim();
  problem.topK = request.getTopK();
  problem.dtype = dtypeOf(request.getType());
  return problem;
}

Config configOf(ir::ConfigAttr config) {
  return {config.getQueryTile(), config.getKeyTile(), config.getWarps(), config.getStages()};
}

/// The types that the runtime passes, in order; a template of another signature would read garbage.
LogicalResult verifySignature(gpu::GPUFuncOp kernel, const Problem &problem) {
  if (isRetrieval(problem.operation))
    return verifyRetrievalSignature(kernel, problem);
  MLIRContext *context = kernel.getContext();
  int64_t any = ShapedType::kDynamic;
  Type element = problem.dtype == DType::BF16  ? Type(BFloat16Type::get(context))
                 : problem.dtype == DType::F16 ? Type(Float16Type::get(context))
                                               : Type(Float32Type::get(context));
  Type index = IndexType::get(context), f32 = Float32Type::get(context);
  auto view = MemRefType::get({any, any, any, problem.headDim}, element, StridedLayoutAttr::get(context, 0, {any, any, any, 1}));
  auto rows = MemRefType::get({any, any, any}, f32, StridedLayoutAttr::get(context, 0, {any, any, any}));
  Type expected[] = {view, view, view, view, rows, index, index, f32, index};
  if (!llvm::equal(kernel.getArgumentTypes(), expected))
    return kernel.emitError("a forward kernel takes Q, K, V, O, LSE, phase, q_offset, scale, section; this one takes ")
           << kernel.getFunctionType();
  return success();
}

LogicalResult bindParameters(ModuleOp module, const Problem &problem, const Config &config) {
  WalkResult result = module.walk([&](tile::ParamOp op) {
    Expected<int64_t> value = parameter(op.getName().str(), problem, config);
    if (!value) {
      op.emitError(value.error().message);
      return WalkResult::interrupt();
    }
    if (!op.getType().isIntOrIndex()) {
      op.emitError("parameter '") << op.getName() << "' is an integer, not " << op.getType();
      return WalkResult::interrupt();
    }
    OpBuilder builder(op);
    op.replaceAllUsesWith(arith::ConstantOp::create(builder, op.getLoc(), builder.getIntegerAttr(op.getType(), *value)).getResult());
    op.erase();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

struct BindTemplate : landmark::impl::LandmarkBindTemplateBase<BindTemplate> {
  using Base::Base;

  /// The template, parsed with the request's aliases before it.
  OwningOpRef<ModuleOp> parse(mlir::Operation *request, const Problem &problem, const Config &config) {
    Expected<Template> source = findTemplate(templateName(problem, config), templateFile, templateDir);
    if (!source) {
      request->emitError(source.error().message);
      return nullptr;
    }
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(typeAliases(problem, config) + source->text, source->name), {});
    return parseSourceFile<ModuleOp>(sources, ParserConfig(&getContext()));
  }

  /// What the shapes of a template's tiles take for granted.
  static LogicalResult verifyTiles(mlir::Operation *request, const Problem &problem, const Config &config) {
    if (isRetrieval(problem.operation)) {
      int64_t columns = retrievalColumns(problem);
      return config.keyTile == columns ? success() : request->emitError("key_tile must be ") << columns << ", got " << config.keyTile;
    }
    if (!isLongBlock(problem, config) && config.keyTile % paddedBlock(problem) != 0)
      return request->emitError("key_tile must be a multiple of the padded block size ") << paddedBlock(problem) << ", got " << config.keyTile;
    return success();
  }

  template <typename Request> LogicalResult bind(Request request) {
    Problem problem = problemOf(request);
    Config config = configOf(request.getConfig());
    if (failed(verifyTiles(request, problem, config)))
      return failure();
    OwningOpRef<ModuleOp> bound = parse(request, problem, config);
    if (!bound)
      return failure();
    SmallVector<gpu::GPUFuncOp> kernels;
    bound->walk([&](gpu::GPUFuncOp function) {
      if (function.isKernel())
        kernels.push_back(function);
    });
    if (kernels.size() != 1)
      return bound->emitError("a template holds one kernel, this one ") << kernels.size();
    if (failed(verifySignature(kernels.front(), problem)) || failed(bindParameters(*bound, problem, config)) || failed(checkDims(*bound)))
      return failure();
    kernels.front().setName(request.getSymName());
    for (mlir::Operation &op : llvm::make_early_inc_range(*bound->getBody()))
      op.moveBefore(request);
    request.erase();
    return success();
  }

  void runOnOperation() override {
    bindAll<ir::ForwardOp>();
    bindAll<ir::RetrieveOp>();
  }

  template <typename Request> void bindAll() {
    SmallVector<Request> requests(getOperation().getOps<Request>());
    for (Request request : requests)
      if (failed(bind(request)))
        return signalPassFailure();
  }
};

} // namespace
