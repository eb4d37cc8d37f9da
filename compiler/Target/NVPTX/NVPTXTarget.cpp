// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Target/NVPTX/NVPTXTarget.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

namespace landmark {
namespace {

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(llvm::StringRef chip) {
  static std::once_flag initialised;
  std::call_once(initialised, [] {
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    // Addresses in shared memory fit 32 bits; the backend takes that as an option of its command line only. It halves the registers they take.
    auto options = llvm::cl::getRegisteredOptions();
    if (auto option = options.find("nvptx-short-ptr"); option != options.end())
      static_cast<llvm::cl::opt<bool> *>(option->second)->setValue(true);
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError(error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  // Vectors in red (tile.store of fragments that adds) and st.async (tile.cluster_sum) came with PTX ISA 8.1, a version after the chip.
  llvm::StringRef features = chip.starts_with("sm_90") ? "+ptx81" : "";
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, chip, features, options, std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Less));
  if (!machine || !machine->getMCSubtargetInfo()->isCPUStringValid(chip))
    return llvm::createStringError("this build's NVPTX backend does not know " + chip);
  return machine;
}

/// What pays on straight-line tile code: folding and common subexpressions. ptxas hoists addresses out of loops itself, and knows how many registers are left
/// for them; hoisting here makes it spill. The full pipeline takes several times as long for the same instructions.
void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  llvm::ModulePassManager pipeline;
  pipeline.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  pipeline.run(module, modules);
}

/// The backend's passes but for one that takes a quarter of a kernel's compilation and does what ptxas does again, and for those that a baseline does without: they find next
/// to nothing in it.
class EmissionPasses : public llvm::legacy::PassManager {
public:
  explicit EmissionPasses(Tier tier) : tier(tier) {}

  void add(llvm::Pass *pass) override {
    if (isWanted(pass->getPassName()))
      llvm::legacy::PassManager::add(pass);
    else
      delete pass;
  }

private:
  bool isWanted(llvm::StringRef name) const {
    constexpr llvm::StringLiteral optional[] = {"Early CSE", "Nary reassociation", "Loop Strength Reduction", "Canonicalize Freeze Instructions in Loops"};
    return name != "Straight line strength reduction" && !(tier == Tier::Baseline && llvm::is_contained(optional, name));
  }

  const Tier tier;
};

struct Translated {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
};

llvm::Expected<Translated> translate(mlir::gpu::GPUModuleOp module, llvm::TargetMachine &machine) {
  Translated result{std::make_unique<llvm::LLVMContext>(), nullptr};
  result.module = mlir::translateModuleToLLVMIR(module, *result.context, "landmark");
  if (!result.module)
    return llvm::createStringError("translation to LLVM IR failed");
  result.module->setTargetTriple(machine.getTargetTriple());
  result.module->setDataLayout(machine.createDataLayout());
  optimise(*result.module, machine);
  return result;
}

} // namespace

llvm::Expected<std::string> nvptxLLVMIR(mlir::gpu::GPUModuleOp module, llvm::StringRef chip) {
  auto machine = createTargetMachine(chip);
  if (!machine)
    return machine.takeError();
  auto translated = translate(module, **machine);
  if (!translated)
    return translated.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << *translated->module;
  return text;
}

llvm::Expected<std::string> nvptxAssembly(mlir::gpu::GPUModuleOp module, llvm::StringRef chip, Tier tier) {
  auto machine = createTargetMachine(chip);
  if (!machine)
    return machine.takeError();
  auto translated = translate(module, **machine);
  if (!translated)
    return translated.takeError();
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  EmissionPasses emitter(tier);
  if ((*machine)->addPassesToEmitFile(emitter, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return llvm::createStringError("the NVPTX backend cannot emit assembly");
  emitter.run(*translated->module);
  return text.str().str();
}

} // namespace landmark
