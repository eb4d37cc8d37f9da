// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Pipelines/Pipelines.h"

#include "compiler/Conversion/Passes.h"
#include "compiler/Target/Host/HostTarget.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Landmark/Landmark.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace landmark {

void buildTilePipeline(OpPassManager &manager, const TilePipelineOptions &options) {
  manager.addPass(createLandmarkBindTemplate({options.templateFile, options.templateDir}));
  manager.addPass(createLandmarkExpandOps());
  manager.addPass(createTilePeelEdges({options.peel}));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

/// Gives `addOptional` the passes that a kernel is right without.
static void addSchedulePasses(OpPassManager &manager, const SchedulePipelineOptions &options, llvm::function_ref<void(std::unique_ptr<Pass>)> addOptional) {
  // wgmma reads queries from shared memory as fast as from registers.
  int64_t residentRegisters = options.unit == "wgmma" ? 0 : options.maxResidentRegisters;
  manager.addPass(createTileLoopPrograms({options.programs}));
  manager.addPass(createTileOverlapLaunches({options.launchAhead}));
  if (options.specialize) {
    addOptional(createTileCarryDivisions());
    manager.addPass(createTileSpecializeWarps({options.stages, options.warps, options.adder}));
    if (options.stageStores)
      addOptional(createTileStageStores({options.warps}));
    manager.addPass(createCanonicalizerPass());
  } else {
    manager.addPass(createTilePipelineLoads({options.stages, options.slices ? 1 : options.warps, residentRegisters}));
  }
  manager.addPass(createTileStageOperands({options.warps, options.specialize}));
  if (options.slices)
    manager.addPass(createTileShareProducts());
  if (options.roundEarly)
    addOptional(createTileRoundEarly());
  if (options.chainSums)
    addOptional(createTileChainSums());
  manager.addPass(createTileAssignLayouts({options.warps, options.unit, options.slices, options.deal}));
  if (options.overlap) {
    manager.addPass(createTileOverlapProducts());
    if (options.pingPong) // groups of warps that take no turns have each other's products meanwhile
      addOptional(createTileScaleLate());
    addOptional(createTileStaggerExponentials({options.exponentialParts}));
    if (options.leadColumns > 0)
      addOptional(createTileKeepLeads({options.leadColumns}));
    addOptional(createTileLagFetches());
    addOptional(createTilePollEarly());
    addOptional(createTileAdvanceProducts({options.postpones}));
    addOptional(createTileDeferWaits());
  }
  if (options.pingPong)
    manager.addPass(createTileAlternateGroups({options.warps}));
  manager.addPass(createTileAllocateShared());
  manager.addPass(createTileInsertFences());
  manager.addPass(createCSEPass());
}

void buildCudaSchedulePipeline(OpPassManager &manager, const SchedulePipelineOptions &options) {
  addSchedulePasses(manager, options, [&](std::unique_ptr<Pass> pass) {
    if (!llvm::is_contained(options.without, pass->getArgument()))
      manager.addPass(std::move(pass));
  });
}

std::vector<std::string> optionalPasses() {
  SchedulePipelineOptions everything;
  for (auto *option : {&everything.specialize, &everything.stageStores, &everything.roundEarly, &everything.overlap, &everything.pingPong, &everything.chainSums})
    *option = true;
  everything.leadColumns = 16;
  OpPassManager manager;
  std::vector<std::string> names;
  addSchedulePasses(manager, everything, [&](std::unique_ptr<Pass> pass) { names.push_back(pass->getArgument().str()); });
  return names;
}

void buildNVVMPipeline(OpPassManager &manager, const NVVMPipelineOptions &options) {
  OpPassManager &module = manager.nest<gpu::GPUModuleOp>();
  module.addPass(createConvertTileToNVVM({options.vectorAdds}));
  module.addPass(createCSEPass());
  module.addPass(createSCFToControlFlowPass());
  module.addPass(createConvertKernelsToNVVM());
  module.addPass(createConvertNVVMToLLVMPass());
  module.addPass(createPassTensorMaps());
  module.addPass(createReconcileUnrealizedCastsPass());
}

void buildHostSchedulePipeline(OpPassManager &manager) {
  manager.addPass(createTileLoopPrograms());
  manager.addPass(createConvertTileToHost({hostLanes()}));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void buildHostLLVMPipeline(OpPassManager &manager) { buildHostLoweringPipeline(manager); }

void registerDialects(DialectRegistry &registry) {
  registry.insert<ir::LandmarkDialect, tile::TileDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, gpu::GPUDialect,
                  LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, NVVM::NVVMDialect, scf::SCFDialect, tensor::TensorDialect,
                  ub::UBDialect, vector::VectorDialect>();
  // What convert-kernels-to-nvvm finds its patterns by.
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  registerConvertNVVMToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

void registerPasses() {
  registerLandmarkTransformsPasses();
  registerLandmarkConversionPasses();
  registerTransformsPasses();
  PassPipelineRegistration<TilePipelineOptions>("landmark-to-tile", "Request to target-free tile program", buildTilePipeline);
  PassPipelineRegistration<SchedulePipelineOptions>("landmark-schedule-cuda", "Tile program to its schedule for a CUDA target",
                                                    buildCudaSchedulePipeline);
  PassPipelineRegistration<>("landmark-schedule-host", "Tile program to loops over vectors", buildHostSchedulePipeline);
  PassPipelineRegistration<>("landmark-to-host-llvm", "Loops over vectors to the llvm dialect", buildHostLLVMPipeline);
  PassPipelineRegistration<NVVMPipelineOptions>("landmark-to-nvvm", "Scheduled program to the nvvm and llvm dialects", buildNVVMPipeline);
}

} // namespace landmark
