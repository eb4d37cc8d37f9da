// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Compiler.h"

#include "compiler/Driver/Diagnostics.h"
#include "compiler/Driver/ForwardConfig.h"
#include "compiler/Driver/Ptxas.h"
#include "compiler/Driver/Reproducer.h"
#include "compiler/Driver/RetrievalConfig.h"
#include "compiler/Pipelines/Pipelines.h"
#include "compiler/Target/Host/HostTarget.h"
#include "compiler/Target/NVPTX/NVPTXTarget.h"
#include "compiler/Transforms/CheckDims.h"
#include "compiler/Transforms/Templates.h"
#include "dialects/Landmark/Landmark.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"

#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace landmark {
namespace {

std::string kernelName(const Problem &problem) { return fmt::format("landmark_{}", name(problem.operation)); }

mlir::Type elementType(mlir::MLIRContext *context, DType dtype) {
  switch (dtype) {
  case DType::BF16:
    return mlir::BFloat16Type::get(context);
  case DType::F16:
    return mlir::Float16Type::get(context);
  case DType::F32:
    return mlir::Float32Type::get(context);
  }
  return {};
}

std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text + "\n";
}

bool isStageOf(Stage stage, const Target &target) {
  if (target.isHost())
    return stage != Stage::PTX && stage != Stage::Cubin && stage != Stage::Sass;
  return stage != Stage::Asm;
}

Expected<void> writeFile(const std::filesystem::path &path, const std::string &text) {
  std::ofstream stream(path, std::ios::binary);
  if (!stream || !stream.write(text.data(), text.size()) || !stream.flush())
    return Error{ErrorCode::IoError, fmt::format("dump directory: cannot write '{}'", path.string())};
  return {};
}

} // namespace

struct Compiler::Impl {
  Impl() : context(registry(), mlir::MLIRContext::Threading::DISABLED) { context.loadAllAvailableDialects(); }

  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }

  mlir::MLIRContext context;
};

namespace {

/// Reports how long a stage took at the end of its scope.
class StageTimer {
public:
  StageTimer(const CompileOptions &options, Stage stage) : options(options), stage(stage) {}
  ~StageTimer() {
    if (options.onStage)
      options.onStage(stage, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  StageTimer(const StageTimer &) = delete;

private:
  const CompileOptions &options;
  const Stage stage;
  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

/// One compilation: a module on its way through the stages.
class Compilation {
public:
  /// Until the schedule is made, the model's shared memory counts: what a kernel resumed behind it needs.
  Compilation(mlir::MLIRContext &context, const Problem &problem, const Target &target, const CompileOptions &options, const Config &config)
      : context(context), problem(problem), target(target), options(options), config(config), diagnostics(&context),
        sharedBytesAtLeast(options.resumeStage > Stage::Scheduled ? sharedBytes(config, problem, target) : 0) {}

  /// Runs to `last`, a stage that is a module.
  Expected<mlir::ModuleOp> runTo(Stage last) {
    if (auto started = start(); !started)
      return started.error();
    while (stage < last) {
      Stage before = stage;
      stage = static_cast<Stage>(static_cast<int>(stage) + 1);
      StageTimer timer(options, stage);
      mlir::PassManager manager(&context);
      // Passes are checked by their tests: verifying after each takes longer than some of them. From a verified schedule on, tens of thousands of operations are not verified at all.
      bool verifies = stage != Stage::NVVM;
      manager.enableVerifier(verifies && isFromUser());
      addPasses(manager);
      if (mlir::failed(manager.run(*module)) || (verifies && mlir::failed(mlir::verify(*module)))) {
        Error error = diagnostics.failure(fmt::format("{} for {}: stage '{}' failed", describe(problem), target.chip, name(stage)));
        reproduce(before, manager, error);
        return error;
      }
      if (auto checked = checkSharedMemory(); !checked)
        return checked.error();
      if (auto dumped = dumpModule(); !dumped)
        return dumped.error();
    }
    return *module;
  }

  /// The text of a stage that comes after the modules.
  Expected<std::string> generate(Stage last) {
    if (options.resumeStage == Stage::PTX && last == Stage::PTX)
      return options.resumeText;
    auto lowered = runTo(Stage::NVVM);
    if (!lowered)
      return lowered.error();
    stage = last;
    StageTimer timer(options, stage);
    GenerationGuard guard(*lowered, stage, problem, target, config, options);
    llvm::Expected<std::string> text = generateText(*lowered);
    if (!text)
      return failure(guard, llvm::toString(text.takeError()));
    if (auto dumped = dump(*text); !dumped)
      return dumped.error();
    return std::move(*text);
  }

  /// The symbols of the kernels, in the order of their launches.
  std::vector<std::string> functions() const {
    return kernelNames(kernelName(problem), problem.operation, addsQueryGradients(problem, config, target));
  }

  Expected<Kernel> finish() {
    Kernel kernel;
    kernel.problem = problem;
    kernel.target = target;
    kernel.config = config;
    kernel.tier = options.tier;
    kernel.name = kernelName(problem);
    for (const std::string &name : functions())
      kernel.functions.push_back({name});
    if (!target.isHost()) {
      auto ptx = generate(Stage::PTX);
      if (!ptx)
        return ptx.error();
      if (auto described = describeResumedPTX(); !described)
        return described.error();
      kernel.ptx = std::move(*ptx);
      for (Kernel::Function &function : kernel.functions) {
        auto found = threadsOf.find(function.name);
        function.threads = found == threadsOf.end() ? threads(config, target) : found->second;
        function.sharedBytes = std::max(sharedBytesAtLeast, sharedBytesOf[function.name]);
        function.waitsForGrid = waitingKernels.contains(function.name);
      }
      kernel.tensorMaps = tensorMaps;
      return kernel;
    }
    auto lowered = runTo(Stage::NVVM);
    if (!lowered)
      return lowered.error();
    stage = Stage::Asm;
    StageTimer timer(options, stage);
    GenerationGuard guard(*lowered, stage, problem, target, config, options);
    auto object = hostObject(*lowered, functions());
    if (!object)
      return failure(guard, llvm::toString(object.takeError()));
    kernel.hostObject = std::move(*object);
    if (auto loaded = loadHostObject(kernel); !loaded)
      return loaded.error();
    return kernel;
  }

private:
  /// The request, or the text to resume from.
  Expected<void> start() {
    if (options.resumeStage) {
      if (*options.resumeStage < Stage::Landmark || *options.resumeStage > Stage::NVVM)
        return Error{ErrorCode::InvalidArgument, fmt::format("resume stage: must be landmark, tile, scheduled, nvvm or ptx, got {}",
                                                             name(*options.resumeStage))};
      stage = *options.resumeStage;
      module = mlir::parseSourceString<mlir::ModuleOp>(options.resumeText, mlir::ParserConfig(&context), "resumed");
      if (!module || mlir::failed(checkDims(*module)))
        return diagnostics.failure(fmt::format("the text to resume from is no valid {} stage", name(stage)));
      return checkSharedMemory();
    }
    stage = Stage::Landmark;
    mlir::OpBuilder builder(&context);
    module = mlir::ModuleOp::create(builder.getUnknownLoc());
    builder.setInsertionPointToStart(module->getBody());
    auto schedule = ir::ConfigAttr::get(&context, config.queryTile, config.keyTile, config.warps, config.stages);
    mlir::Type element = elementType(&context, problem.dtype), gradient = elementType(&context, problem.gradientType());
    int64_t rowTile = keyQueryTile(problem, config);
    mlir::StringAttr step; // none of the whole
    if (isGated(problem.operation))
      step = builder.getStringAttr(marksTiles(problem.operation) ? "gates" : "listed");
    if (problem.operation == Operation::Forward || problem.operation == Operation::ForwardGates || problem.operation == Operation::ForwardListed) {
      ir::ForwardOp::create(builder, builder.getUnknownLoc(), kernelName(problem), step, problem.blockSize, problem.headDim, element,
                            config.unit == MatrixUnit::Wgmma, schedule);
    } else if (isBackward(problem.operation) || problem.operation == Operation::BackwardGates) {
      bool adds = addsQueryGradients(problem, config, target);
      // Beside masks of columns there are registers for the second way only where dq's are a group's own.
      bool isQuick = adds && config.unit == MatrixUnit::Wgmma && (config.dqGroup || tileTokens(problem, config) == problem.blockSize);
      ir::BackwardOp::create(builder, builder.getUnknownLoc(), kernelName(problem), step, problem.blockSize, problem.headDim, element, gradient,
                             keyPasses(problem, config, target), adds, rowTile == config.queryTile ? mlir::IntegerAttr() : builder.getI64IntegerAttr(rowTile),
                             isQuick, schedule);
    } else {
      ir::RetrieveOp::create(builder, builder.getUnknownLoc(), kernelName(problem), name(problem.operation), problem.blockSize, problem.headDim,
                             problem.topK, element, problem.rotates, schedule);
    }
    if (mlir::failed(mlir::verify(*module)))
      return diagnostics.failure("the request is not valid");
    return dumpModule();
  }

  /// Whether passes meet what the library does not hold, so that no test may have.
  bool isFromUser() const { return options.resumeStage || !options.templateFile.empty() || !options.templateDir.empty(); }

  /// PTX says nothing of the tensor maps, threads and shared memory that it is launched with: a schedule made for it does.
  Expected<void> describeResumedPTX() {
    if (options.resumeStage != Stage::PTX)
      return {};
    CompileOptions scheduled = options;
    scheduled.resumeStage.reset();
    scheduled.dumpDir.clear();
    scheduled.onStage = nullptr;
    Compilation compilation(context, problem, target, scheduled, config);
    if (auto done = compilation.runTo(Stage::Scheduled); !done)
      return done.error();
    tensorMaps = std::move(compilation.tensorMaps);
    waitingKernels = std::move(compilation.waitingKernels);
    threadsOf = std::move(compilation.threadsOf);
    sharedBytesOf = std::move(compilation.sharedBytesOf);
    return {};
  }

  /// Takes what the schedule allocated, which a template of one's own may have made more than the model says.
  Expected<void> checkSharedMemory() {
    int64_t sharedBytesUsed = sharedBytesAtLeast;
    auto add = [&](mlir::Operation *op, std::optional<uint64_t> offset, int64_t size) {
      auto function = op->getParentOfType<mlir::gpu::GPUFuncOp>();
      int64_t &bytes = sharedBytesOf[function ? function.getName() : ""];
      bytes = std::max<int64_t>(bytes, offset.value_or(0) + size);
      sharedBytesUsed = std::max(sharedBytesUsed, bytes);
    };
    module->walk([&](tile::AllocOp op) { add(op, op.getOffset(), op.getResult().getType().getBytes()); });
    module->walk([&](tile::AllocBarriersOp op) { add(op, op.getOffset(), op.getResult().getType().getBytes()); });
    if (stage == Stage::Scheduled)
      module->walk([&](tile::ClusterSumOp op) { add(op, op.getOffset(), op.getSharedBytes(threads(config, target))); });
    readTensorMaps();
    readGridWaits();
    readThreads();
    if (!target.isHost() && sharedBytesUsed > target.maxSharedBytes())
      return Error{ErrorCode::CompileFailed, fmt::format("the kernel takes {} bytes of shared memory, {} has {}", sharedBytesUsed, target.chip,
                                                         target.maxSharedBytes())};
    return {};
  }

  void readGridWaits() {
    if (stage == Stage::Scheduled) // what the target does not need is dropped there
      module->walk([&](tile::GridWaitOp op) {
        if (auto kernel = op->getParentOfType<mlir::gpu::GPUFuncOp>())
          waitingKernels.insert(kernel.getName());
      });
  }

  /// What passes gave each kernel.
  void readThreads() {
    module->walk([&](mlir::Operation *op) {
      if (auto kernel = mlir::dyn_cast<mlir::gpu::GPUFuncOp>(op); kernel && kernel.getKnownBlockSize())
        threadsOf[kernel.getName()] = kernel.getKnownBlockSize()->front();
      else if (auto size = op->getAttrOfType<mlir::DenseI32ArrayAttr>(mlir::NVVM::NVVMDialect::getReqntidAttrName()))
        threadsOf[mlir::SymbolTable::getSymbolName(op)] = size[0];
    });
  }

  void readTensorMaps() {
    module->walk([&](mlir::Operation *kernel) {
      auto maps = kernel->getAttrOfType<mlir::ArrayAttr>(tile::tensorMapsName);
      if (!maps)
        return;
      tensorMaps.clear();
      for (auto map : maps.getAsRange<tile::TensorMapAttr>())
        tensorMaps.push_back({map.getArgument(), map.getRows(), map.getColumns(), map.getSwizzleBytes(), map.getEvery()});
    });
  }

  /// The passes that make the current stage of the one before.
  void addPasses(mlir::PassManager &manager) {
    if (stage == Stage::Tile) {
      TilePipelineOptions tile;
      tile.templateFile = options.templateFile;
      tile.templateDir = options.templateDir;
      tile.peel = options.tier == Tier::Optimized;
      buildTilePipeline(manager, tile);
    } else if (stage == Stage::Scheduled && target.isHost()) {
      buildHostSchedulePipeline(manager);
    } else if (stage == Stage::Scheduled) {
      SchedulePipelineOptions schedule;
      schedule.warps = config.warps;
      schedule.stages = config.stages;
      schedule.specialize = config.loads == Loads::Tma;
      Adder adder = queryGradientAdder(problem, config, target);
      schedule.adder = name(adder);
      schedule.stageStores = stagesOutput(config, problem, target);
      schedule.programs = config.programs;
      schedule.slices = hasSlices(config, problem);
      schedule.launchAhead = target.computeCapability() >= 90;
      schedule.overlap = config.overlap && options.tier == Tier::Optimized;
      schedule.pingPong = config.pingPong && options.tier == Tier::Optimized;
      if (tileTokens(problem, config) != problem.blockSize && adder != Adder::Group)
        schedule.postpones = false; // masks of columns take registers, which there are where the accumulators of dq are another group's
      if (isBackward(problem.operation))
        schedule.maxResidentRegisters = 16; // queries and dO both want to stay, beside more accumulators
      if (isRetrieval(problem.operation))
        schedule.maxResidentRegisters = 0; // few tiles follow: not to wait for queries before they are asked for is worth more
      bool weighsByWgmma = config.unit == MatrixUnit::Wgmma && isForward(problem.operation);
      schedule.roundEarly = weighsByWgmma && problem.dtype != DType::F32;
      schedule.deal = weighsByWgmma;
      schedule.leadColumns = leadColumns(problem, config);
      schedule.exponentialParts = exponentialParts(problem, config);
      schedule.chainSums = chainsSums(problem, config);
      schedule.unit = config.unit == MatrixUnit::Wgmma ? "wgmma" : "mma";
      schedule.without = options.without;
      buildCudaSchedulePipeline(manager, schedule);
    } else if (target.isHost()) {
      buildHostLLVMPipeline(manager);
    } else {
      NVVMPipelineOptions options;
      options.vectorAdds = target.computeCapability() >= 90;
      buildNVVMPipeline(manager, options);
    }
  }

  llvm::Expected<std::string> generateText(mlir::ModuleOp lowered) {
    if (target.isHost())
      return stage == Stage::LLVM ? hostLLVMIR(lowered, functions()) : hostAssembly(lowered, functions());
    auto modules = lowered.getOps<mlir::gpu::GPUModuleOp>();
    if (modules.empty())
      return llvm::createStringError("there is no gpu.module to translate");
    return stage == Stage::LLVM ? nvptxLLVMIR(*modules.begin(), target.chip) : nvptxAssembly(*modules.begin(), target.chip, options.tier);
  }

  Error failure(const GenerationGuard &guard, const std::string &reason) {
    Error error = diagnostics.failure(fmt::format("{}: {}", target.chip, reason));
    if (std::string replay = guard.reproduce(); !replay.empty())
      error.notes.push_back(std::move(replay));
    return error;
  }

  /// Makes the stage before the failure once more, as passes change a module in place, and writes it with the pipeline that failed.
  void reproduce(Stage before, mlir::PassManager &failed, Error &error) {
    if (options.reproducerDir.empty())
      return;
    CompileOptions again = options;
    again.dumpDir.clear();
    again.reproducerDir.clear();
    again.onStage = nullptr;
    Compilation compilation(context, problem, target, again, config);
    auto intact = compilation.runTo(before);
    if (!intact)
      return;
    if (llvm::sys::fs::create_directories(options.reproducerDir, /*IgnoreExisting=*/true, llvm::sys::fs::owner_all))
      return;
    std::filesystem::path path = std::filesystem::path(options.reproducerDir) / fmt::format("{}.{}.reproducer.mlir", kernelName(problem), name(stage));
    mlir::makeReproducer(mlir::ModuleOp::getOperationName(), failed.getPasses(), *intact, path.string());
    if (llvm::sys::fs::exists(path.string()))
      error.notes.push_back(fmt::format("to replay it: landmark-opt --run-reproducer '{}'", path.string()));
  }

  Expected<void> dumpModule() { return options.dumpDir.empty() ? Expected<void>() : dump(print(*module)); }

  Expected<void> dump(const std::string &text) {
    if (options.dumpDir.empty())
      return {};
    return writeFile(std::filesystem::path(options.dumpDir) / fmt::format("{}.{}", kernelName(problem), name(stage)), text);
  }

  mlir::MLIRContext &context;
  const Problem &problem;
  const Target &target;
  const CompileOptions &options;
  const Config &config;
  DiagnosticCollector diagnostics;
  int64_t sharedBytesAtLeast; ///< of every function
  llvm::StringMap<int64_t> sharedBytesOf, threadsOf;
  llvm::StringSet<> waitingKernels; ///< which may be launched ahead
  std::vector<TensorMap> tensorMaps;
  Stage stage = Stage::Landmark;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Whether what is to be left out can be.
Expected<void> checkWithout(const Target &target, const std::vector<std::string> &without) {
  for (const std::string &pass : without) {
    if (target.isHost())
      return Error{ErrorCode::InvalidArgument, fmt::format("without: got '{}'; the host's schedule needs all of its passes", pass)};
    if (std::vector<std::string> names = optionalPasses(); !llvm::is_contained(names, pass))
      return Error{ErrorCode::InvalidArgument, fmt::format("without: got '{}', allowed: {}", pass, fmt::join(names, ", "))};
  }
  return {};
}

/// The config to use, judged.
Expected<Config> chooseConfig(const Problem &problem, const Target &target, const CompileOptions &options) {
  if (auto valid = validate(problem); !valid)
    return valid.error();
  Config config = options.config.value_or(defaultConfig(problem, target, options.length));
  if (auto valid = validate(config, problem, target); !valid)
    return valid.error();
  if (options.tier == Tier::Baseline && !hasBaseline(problem, config))
    return Error{ErrorCode::Unsupported, fmt::format("tier: got baseline; '{}' with {} has the optimized tier alone", describe(problem), describe(config))};
  if (auto known = checkWithout(target, options.without); !known)
    return known.error();
  return config;
}

} // namespace

std::string_view name(Tier tier) { return tier == Tier::Baseline ? "baseline" : "optimized"; }

Expected<Tier> parseTier(std::string_view text) {
  for (Tier tier : {Tier::Baseline, Tier::Optimized})
    if (text == name(tier))
      return tier;
  return Error{ErrorCode::InvalidArgument, fmt::format("tier: got '{}', allowed: baseline, optimized", text)};
}

std::vector<std::string> optionalPassNames() { return optionalPasses(); }

bool hasBaseline(const Problem &problem, const Config &config) {
  return isForward(problem.operation) && config.loads == Loads::Tma && !isLongBlock(problem, config);
}

Compiler::Compiler() : impl(std::make_unique<Impl>()) {}
Compiler::~Compiler() = default;
Compiler::Compiler(Compiler &&) noexcept = default;
Compiler &Compiler::operator=(Compiler &&) noexcept = default;

int64_t programs(const Config &config, int64_t batch, int64_t queryHeads, int64_t queryLength) {
  return (queryLength + config.queryTile - 1) / config.queryTile * queryHeads * batch;
}

int64_t keyPrograms(const Config &config, const Problem &problem, int64_t batch, int64_t kvHeads, int64_t keyLength, int64_t phase) {
  auto ceiling = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t blockSize = problem.blockSize, places = keyLength + phase, tokens = tileTokens(problem, config);
  // A long block takes several tiles, the last of which ends with the block.
  int64_t tiles = isLongBlock(problem, config) ? places / blockSize * ceiling(blockSize, tokens) + ceiling(places % blockSize, tokens)
                                               : ceiling(ceiling(places, blockSize), config.keyTile / tokens);
  return keyLength == 0 ? 0 : tiles * kvHeads * batch;
}

Expected<Kernel> Compiler::compile(const Problem &problem, const Target &target, const CompileOptions &options) {
  auto config = chooseConfig(problem, target, options);
  if (!config)
    return config.error();
  return Compilation(impl->context, problem, target, options, *config).finish();
}

Expected<std::string> Compiler::emit(const Problem &problem, const Target &target, Stage stage, const CompileOptions &options) {
  auto config = chooseConfig(problem, target, options);
  if (!config)
    return config.error();
  if (!isStageOf(stage, target))
    return Error{ErrorCode::InvalidArgument, fmt::format("stage: {} has no stage '{}'", target.chip, name(stage))};
  if (stage == Stage::Template)
    return templateText(problem, *config, target, options);
  if (options.resumeStage && stage < *options.resumeStage)
    return Error{ErrorCode::InvalidArgument, fmt::format("stage: '{}' comes before '{}', where the compilation resumes", name(stage),
                                                         name(*options.resumeStage))};
  Compilation compilation(impl->context, problem, target, options, *config);
  if (stage <= Stage::NVVM) {
    auto module = compilation.runTo(stage);
    return module ? Expected<std::string>(print(*module)) : module.error();
  }
  if (stage == Stage::LLVM || stage == Stage::PTX || stage == Stage::Asm)
    return compilation.generate(stage);
  auto ptx = compilation.generate(Stage::PTX);
  if (!ptx)
    return ptx.error();
  auto cubin = assemble(*ptx, target.chip, options.ptxas, options.tier);
  if (!cubin)
    return cubin.error();
  return stage == Stage::Cubin ? Expected<std::string>(std::move(cubin->cubin)) : disassemble(cubin->cubin);
}

Expected<std::string> templateText(const Problem &problem, const Config &config, const Target &target, const CompileOptions &options) {
  auto source = findTemplate(templateName(problem, config, addsQueryGradients(problem, config, target)), options.templateFile, options.templateDir);
  return source ? Expected<std::string>(std::move(source->text)) : source.error();
}

Expected<void> loadHostObject(Kernel &kernel) {
  std::vector<std::string> names;
  for (const Kernel::Function &function : kernel.functions)
    names.push_back(function.name);
  auto code = linkHostObject(kernel.hostObject, names);
  if (!code)
    return Error{ErrorCode::CompileFailed, fmt::format("host: {}", llvm::toString(code.takeError()))};
  for (auto [function, entry] : llvm::zip_equal(kernel.functions, code->entries))
    function.hostEntry = entry;
  kernel.hostCode = std::move(code->owner);
  return {};
}

Expected<std::vector<ResourceUse>> resourceUse(const Kernel &kernel, const std::string &ptxas) {
  if (kernel.target.isHost())
    return Error{ErrorCode::InvalidArgument, "resource use: the host has no registers to report; name a CUDA target"};
  auto assembled = assemble(kernel.ptx, kernel.target.chip, ptxas, kernel.tier);
  if (!assembled)
    return assembled.error();
  for (ResourceUse &use : assembled->functions)
    for (const Kernel::Function &function : kernel.functions)
      if (function.name == use.function) {
        use.dynamicSharedBytes = function.sharedBytes;
        use.threads = function.threads;
      }
  return std::move(assembled->functions);
}

} // namespace landmark
