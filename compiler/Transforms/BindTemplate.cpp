// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a request to the template bound to it: type aliases before the text, constants for its parameters.
#include "compiler/Driver/Tiling.h"
#include "compiler/Transforms/CheckDims.h"
#include "compiler/Transforms/FewBlocks.h"
#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/RetrievalTemplates.h"
#include "compiler/Transforms/Templates.h"
#include "dialects/Landmark/Landmark.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
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

/// What is asked for, by whichever operation.
struct Request {
  mlir::Operation *op;
  Problem problem;
  Config config;
  Type element, gradient;
  KeyTiling tiling;
  bool adds = false;  ///< dq is added up in memory
  bool quick = false; ///< weights without a maximum, where that fits

  template <typename Op> static Request from(Op op) {
    auto dtype = [](Type type) { return type.isBF16() ? DType::BF16 : type.isF16() ? DType::F16 : DType::F32; };
    ir::ConfigAttr config = op.getConfig();
    Request request{.op = op, .problem = {}, .config = {}, .element = op.getType(), .gradient = op.getType(), .tiling = {}};
    request.config.queryTile = config.getQueryTile();
    request.config.keyTile = config.getKeyTile();
    request.config.warps = config.getWarps();
    request.config.stages = config.getStages();
    request.problem.blockSize = op.getBlockSize();
    request.problem.headDim = op.getHeadDim();
    request.problem.dtype = dtype(op.getType());
    return request;
  }
  static std::optional<Request> match(mlir::Operation *op) {
    if (auto forward = dyn_cast<ir::ForwardOp>(op)) {
      Request request = from(forward);
      if (auto step = forward.getStep())
        request.problem.operation = *step == "gates" ? landmark::Operation::ForwardGates : landmark::Operation::ForwardListed;
      request.quick = forward.getQuick();
      return request;
    }
    if (auto retrieve = dyn_cast<ir::RetrieveOp>(op)) {
      Request request = from(retrieve);
      request.problem.operation = *parseOperation(retrieve.getStep().str()); // the verifier knows the steps
      request.problem.topK = retrieve.getTopK();
      request.problem.rotates = retrieve.getRotates();
      return request;
    }
    auto backward = dyn_cast<ir::BackwardOp>(op);
    if (!backward)
      return std::nullopt;
    Request request = from(backward);
    std::optional<StringRef> step = backward.getStep();
    request.problem.operation = !step ? landmark::Operation::Backward : *step == "gates" ? landmark::Operation::BackwardGates : landmark::Operation::BackwardListed;
    request.problem.floatGradients = backward.getGradient() != backward.getType();
    request.gradient = backward.getGradient();
    request.adds = backward.getAdds();
    request.quick = backward.getQuick();
    request.tiling = {static_cast<int64_t>(backward.getPasses()), static_cast<int64_t>(backward.getRowTile().value_or(request.config.queryTile))};
    return request;
  }

  StringRef name() const { return op->getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName()); }
  /// Whether threads have registers for logits beside their exponentials: those of few warps, where exponentials are rounded soon (tile-round-early) and few blocks' factors are kept.
  bool keepsLogits() const { return !isBackward(problem.operation) && config.warps <= 8 && element.isBF16() && tileBlocks(problem, config) <= fewBlocks; }
  /// Names of the kernels, in the order of their launches.
  std::vector<std::string> kernels() const { return kernelNames(name().str(), problem.operation, adds); }
};

/// The types that the runtime passes, in order; a template of another signature would read garbage.
LogicalResult verifySignature(gpu::GPUFuncOp kernel, const Request &request) {
  if (isRetrieval(request.problem.operation))
    return verifyRetrievalSignature(kernel, request.problem, request.config);
  MLIRContext *context = kernel.getContext();
  int64_t any = ShapedType::kDynamic;
  Type index = IndexType::get(context), f32 = Float32Type::get(context);
  auto viewOf = [&](Type element) -> Type {
    return MemRefType::get({any, any, any, request.problem.headDim}, element, StridedLayoutAttr::get(context, 0, {any, any, any, 1}));
  };
  Type view = viewOf(request.element), gradient = viewOf(request.gradient);
  Type rows = MemRefType::get({any, any, any}, f32, StridedLayoutAttr::get(context, 0, {any, any, any}));
  SmallVector<Type> expected = {view, view, view, view, rows};
  landmark::Operation operation = request.problem.operation;
  bool computesGradients = isBackward(operation), takesLists = operation == landmark::Operation::BackwardListed;
  bool hasMasks = isGated(operation) && !takesLists;
  Type i32 = IntegerType::get(context, 32);
  Type lists = MemRefType::get({any, any, any, any}, i32, StridedLayoutAttr::get(context, 0, {any, any, any, any}));
  if (computesGradients)
    expected.append({view, rows, rows, gradient, gradient, gradient});
  if (request.adds) { // rows lie one after the other
    Type packed = MemRefType::get({any, any, any}, f32, StridedLayoutAttr::get(context, 0, {any, any, 1}));
    expected.append({MemRefType::get({any, any, any, request.problem.headDim}, f32, StridedLayoutAttr::get(context, 0, {any, any, request.problem.headDim, 1})),
                     packed, packed});
  }
  if (takesLists)
    expected.append(request.adds ? 2 : 4, lists);
  if (hasMasks)
    expected.append({MemRefType::get({any, any, any}, i32, StridedLayoutAttr::get(context, 0, {any, any, any})), lists, lists});
  expected.append({index, index, f32, index});
  if (hasMasks)
    expected.append({f32, index, index});
  if (!llvm::equal(kernel.getArgumentTypes(), expected))
    return kernel.emitError("a ") << name(request.problem.operation) << " kernel takes Q, K, V, O, LSE, "
                                  << (computesGradients ? "dO, dLSE, delta, dQ, dK, dV, " : "") << (request.adds ? "SUM, ROW_LSE, ROW_DELTA, " : "")
                                  << (hasMasks ? "MASKS, " : "") << (hasMasks || (takesLists && !request.adds) ? "LISTS, COUNTS, " : "") << (takesLists ? "KEY_LISTS, KEY_COUNTS, " : "")
                                  << "phase, q_offset, scale, section" << (hasMasks ? ", floor, list_tile, list_step" : "") << "; this one takes "
                                  << kernel.getFunctionType();
  return success();
}

/// Replaces the template's parameters, and takes the quick way out of it where that is not asked for.
LogicalResult bindParameters(ModuleOp module, const Request &request) {
  module.walk([&](ir::PastWeightsOp op) {
    op.setExact(op.getExact() || !request.quick);
    op.setHalf(!op.getExact() && request.element.isF16());
  });
  module.walk([&](ir::PastGradientsOp op) { op.setExact(op.getExact() || !request.quick); });
  if (request.keepsLogits())
    module.walk([](tile::DotOp op) { op.setAnew(false); });
  WalkResult result = module.walk([&](tile::ParamOp op) {
    Expected<int64_t> value = parameter(op.getName().str(), request.problem, request.config, request.tiling);
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

/// Takes the way that a parameter chose at every branch on one. (The patterns of scf.if do that among other things, and would rewrite the branches on edges as well.)
void takeBranches(ModuleOp module) {
  IRRewriter rewriter(module.getContext());
  module.walk([&](arith::CmpIOp comparison) {
    SmallVector<Value> folded;
    rewriter.setInsertionPoint(comparison);
    if (succeeded(rewriter.tryFold(comparison, folded)))
      rewriter.replaceOp(comparison, folded);
  });
  module.walk([&](scf::IfOp branch) {
    std::optional<int64_t> chosen = getConstantIntValue(branch.getCondition());
    if (!chosen)
      return;
    Block *taken = *chosen ? branch.thenBlock() : branch.elseBlock();
    if (!taken)
      return rewriter.eraseOp(branch);
    mlir::Operation *yield = taken->getTerminator();
    rewriter.inlineBlockBefore(taken, branch);
    rewriter.replaceOp(branch, yield->getOperands());
    rewriter.eraseOp(yield);
  });
}

/// Drops the arguments that are there for a parameter (`tile.when`) which is 0.
LogicalResult dropArguments(gpu::GPUFuncOp kernel, const Request &request) {
  llvm::BitVector dropped(kernel.getNumArguments());
  for (unsigned number = 0; number < kernel.getNumArguments(); ++number) {
    auto when = kernel.getArgAttrOfType<StringAttr>(number, tile::whenName);
    if (!when)
      continue;
    Expected<int64_t> value = parameter(when.str(), request.problem, request.config, request.tiling);
    if (!value)
      return kernel.emitError(value.error().message);
    if (*value == 0 && !kernel.getArgument(number).use_empty())
      return kernel.emitError("argument ") << number << " is used where '" << when.getValue() << "', which it is there for, is 0";
    dropped[number] = *value == 0;
    kernel.removeArgAttr(number, tile::whenName);
  }
  return kernel.eraseArguments(dropped);
}

struct BindTemplate : landmark::impl::LandmarkBindTemplateBase<BindTemplate> {
  using Base::Base;

  /// The template, parsed with the request's aliases before it.
  OwningOpRef<ModuleOp> parse(const Request &request) {
    Expected<Template> source = findTemplate(templateName(request.problem, request.config, request.adds), templateFile, templateDir);
    if (!source) {
      request.op->emitError(source.error().message);
      return nullptr;
    }
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(typeAliases(request.problem, request.config, request.tiling) + source->text, source->name), {});
    return parseSourceFile<ModuleOp>(sources, ParserConfig(&getContext()));
  }

  /// What the shapes of a template's tiles take for granted.
  static LogicalResult verifyTiles(const Request &request) {
    const Problem &problem = request.problem;
    const Config &config = request.config;
    if (isRetrieval(problem.operation))
      return isRetrievalTile(problem, config.keyTile) ? success()
                                                      : request.op->emitError("key_tile must be ") << retrievalColumns(problem) << ", got " << config.keyTile;
    if (isBackward(problem.operation) && config.keyTile % 8 != 0)
      return request.op->emitError("key_tile must be a multiple of 8, got ") << config.keyTile;
    if (!isTileOfBlocks(problem, config))
      return request.op->emitError("key_tile must be a multiple of the block size padded to 8 or 16, or of 8 and less, got ") << config.keyTile;
    return success();
  }

  LogicalResult bind(const Request &request) {
    if (failed(verifyTiles(request)))
      return failure();
    OwningOpRef<ModuleOp> bound = parse(request);
    if (!bound)
      return failure();
    SmallVector<gpu::GPUFuncOp> kernels;
    bound->walk([&](gpu::GPUFuncOp function) {
      if (function.isKernel())
        kernels.push_back(function);
    });
    std::vector<std::string> names = request.kernels();
    if (kernels.size() != names.size())
      return bound->emitError("a template holds ") << (names.size() == 1 ? std::string("one kernel") : (request.adds ? "the three kernels of a " : "the two kernels of a ") + std::string(landmark::name(request.problem.operation))) << ", this one " << kernels.size();
    if (failed(bindParameters(*bound, request)))
      return failure();
    takeBranches(*bound);
    for (auto [kernel, name] : llvm::zip_equal(kernels, names)) {
      if (failed(dropArguments(kernel, request)) || failed(verifySignature(kernel, request)))
        return failure();
      kernel.setName(name);
    }
    if (failed(checkDims(*bound)))
      return failure();
    for (mlir::Operation &op : llvm::make_early_inc_range(*bound->getBody()))
      op.moveBefore(request.op);
    request.op->erase();
    return success();
  }

  void runOnOperation() override {
    SmallVector<Request> requests;
    for (mlir::Operation &op : *getOperation().getBody())
      if (std::optional<Request> request = Request::match(&op))
        requests.push_back(*request);
    for (const Request &request : requests)
      if (failed(bind(request)))
        return signalPassFailure();
  }
};

} // namespace
