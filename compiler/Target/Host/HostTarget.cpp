// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Target/Host/HostTarget.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

using namespace mlir;

namespace landmark {

int64_t hostLanes() {
  static const int64_t lanes = [] {
    llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    return features.lookup("avx512f") ? 16 : features.lookup("avx2") ? 8 : 4;
  }();
  return lanes;
}

void buildHostLoweringPipeline(OpPassManager &manager) {
  OpPassManager &function = manager.nest<func::FuncOp>();
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  function.addPass(createLoopInvariantCodeMotionPass());
  arith::ArithExpandOpsPassOptions expansion;
  expansion.includeBf16 = true; // not every CPU has instructions for it
  function.addPass(arith::createArithExpandOpsPass(expansion));
  function.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createFinalizeMemRefToLLVMConversionPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createUBToLLVMConversionPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
}

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static llvm::Expected<llvm::orc::JITTargetMachineBuilder> hostBuilder() {
  static const bool initialized = !llvm::InitializeNativeTarget() && !llvm::InitializeNativeTargetAsmPrinter();
  if (!initialized)
    return failure("this build has no code generator for this CPU");
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  // Code and constants are linked next to each other, so constants need no 64-bit addresses.
  builder->setCodeModel(llvm::CodeModel::Small);
  builder->setRelocationModel(llvm::Reloc::PIC_);
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  // What is to be one FMA says so. Fused as the target likes, a logit's product may be rounded where its maximum's is not, and of large logits their difference has no meaning.
  builder->getOptions().AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return builder;
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> hostMachine() {
  auto builder = hostBuilder();
  return builder ? builder->createTargetMachine() : builder.takeError();
}

static std::string entryName(llvm::StringRef kernelName) { return (kernelName + "_entry").str(); }

/// `void entry(void **arguments, int64_t program)`: calls the kernel with what the pointers point to.
static llvm::Error addEntry(llvm::Module &module, llvm::StringRef kernelName) {
  llvm::Function *kernel = module.getFunction(kernelName);
  if (!kernel || kernel->isDeclaration() || kernel->arg_empty())
    return failure("no kernel named '" + kernelName + "'");
  llvm::IRBuilder<> b(module.getContext());
  auto *type = llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy(), b.getInt64Ty()}, /*isVarArg=*/false);
  auto *entry = llvm::Function::Create(type, llvm::Function::ExternalLinkage, entryName(kernelName), module);
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", entry));
  llvm::SmallVector<llvm::Value *> arguments;
  for (llvm::Argument &parameter : llvm::drop_end(kernel->args())) {
    llvm::Value *slot = b.CreateConstInBoundsGEP1_64(b.getPtrTy(), entry->getArg(0), arguments.size());
    arguments.push_back(b.CreateLoad(parameter.getType(), b.CreateLoad(b.getPtrTy(), slot)));
  }
  arguments.push_back(entry->getArg(1));
  b.CreateCall(kernel, arguments);
  b.CreateRetVoid();
  kernel->setLinkage(llvm::Function::InternalLinkage);
  for (llvm::Function *function : {kernel, entry}) {
    function->addFnAttr(llvm::Attribute::NoUnwind);
    function->addFnAttr("prefer-vector-width", "512"); // vectors are as wide as hostLanes says
  }
  return llvm::Error::success();
}

/// The loops are as they should be already, so the pipeline of -O3 would only take longer: twice to four times the
/// compile time, and the longer code that unrolling makes is slower too. What is left is to move loads and comparisons
/// out of loops and to combine instructions.
static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PassBuilder passes(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);

  llvm::FunctionPassManager pipeline;
  pipeline.addPass(llvm::SimplifyCFGPass());
  pipeline.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  pipeline.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  pipeline.addPass(llvm::InstCombinePass());
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      pipeline.run(function, functions);
}

static llvm::Expected<std::unique_ptr<llvm::Module>>
optimizedModule(ModuleOp source, llvm::ArrayRef<std::string> names, llvm::LLVMContext &context, llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(source, context, names.front());
  if (!module)
    return failure("translation to LLVM IR failed");
  module->setDataLayout(machine.createDataLayout());
  module->setTargetTriple(machine.getTargetTriple());
  for (const std::string &name : names)
    if (llvm::Error error = addEntry(*module, name))
      return error;
  optimize(*module, machine);
  return module;
}

llvm::Expected<HostCode> linkHostObject(llvm::StringRef object, llvm::ArrayRef<std::string> names) {
  auto builder = hostBuilder();
  if (!builder)
    return builder.takeError();
  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(*builder)).create();
  if (!jit)
    return jit.takeError();
  // memcpy and memset, which the code generator calls on its own.
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess((*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  if (llvm::Error error = (*jit)->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object, names.front())))
    return error;
  HostCode code;
  for (const std::string &name : names) {
    auto address = (*jit)->lookup(entryName(name));
    if (!address)
      return address.takeError();
    code.entries.push_back(address->toPtr<Kernel::HostEntry>());
  }
  code.owner = std::shared_ptr<llvm::orc::LLJIT>(std::move(*jit));
  return code;
}

std::string hostCpu() {
  static const std::string text = [] {
    std::vector<std::string> features;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      if (feature.second)
        features.push_back("+" + feature.first().str());
    std::sort(features.begin(), features.end());
    return llvm::sys::getHostCPUName().str() + " " + llvm::join(features, ",");
  }();
  return text;
}

llvm::Expected<std::string> hostLLVMIR(ModuleOp source, llvm::ArrayRef<std::string> names) {
  auto machine = hostMachine();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto module = optimizedModule(source, names, context, **machine);
  if (!module)
    return module.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream, nullptr);
  return text;
}

static llvm::Expected<std::string> generate(ModuleOp source, llvm::ArrayRef<std::string> names, llvm::CodeGenFileType form) {
  auto machine = hostMachine();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto module = optimizedModule(source, names, context, **machine);
  if (!module)
    return module.takeError();
  llvm::SmallString<0> code;
  llvm::raw_svector_ostream stream(code);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, form))
    return failure("this CPU's code generator cannot write what was asked for");
  passes.run(**module);
  return code.str().str();
}

llvm::Expected<std::string> hostAssembly(ModuleOp source, llvm::ArrayRef<std::string> names) {
  return generate(source, names, llvm::CodeGenFileType::AssemblyFile);
}

llvm::Expected<std::string> hostObject(ModuleOp source, llvm::ArrayRef<std::string> names) {
  return generate(source, names, llvm::CodeGenFileType::ObjectFile);
}

} // namespace landmark
