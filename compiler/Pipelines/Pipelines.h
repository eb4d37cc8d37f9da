// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the JIT runs, as registered pipelines: `landmark-opt` runs exactly the same.
#ifndef LANDMARK_COMPILER_PIPELINES_H
#define LANDMARK_COMPILER_PIPELINES_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassManager.h"

#include <string>
#include <vector>

namespace landmark {

/// Options of the step from a request to a tile program.
struct TilePipelineOptions : mlir::PassPipelineOptions<TilePipelineOptions> {
  Option<std::string> templateFile{*this, "template-file", llvm::cl::desc("Template to use in place of the embedded one")};
  Option<std::string> templateDir{*this, "template-dir", llvm::cl::desc("Folder whose files replace embedded templates")};
  Option<bool> peel{*this, "peel", llvm::cl::desc("Split loops at the edges of what needs no mask"), llvm::cl::init(true)};
};

/// Options of the schedule for CUDA targets.
struct SchedulePipelineOptions : mlir::PassPipelineOptions<SchedulePipelineOptions> {
  Option<int64_t> warps{*this, "warps", llvm::cl::desc("Warps of a thread block"), llvm::cl::init(4)};
  Option<int64_t> stages{*this, "stages", llvm::cl::desc("Tiles of a shared-memory ring"), llvm::cl::init(2)};
  Option<int64_t> maxResidentRegisters{*this, "max-resident-registers", llvm::cl::desc("Registers a thread may spend on a resident operand"),
                                       llvm::cl::init(32)};
  Option<std::string> unit{*this, "unit", llvm::cl::desc("Instruction that multiplies: mma or wgmma"), llvm::cl::init("mma")};
  Option<bool> specialize{*this, "specialize", llvm::cl::desc("Let a warp of its own load, by tensor maps"), llvm::cl::init(false)};
  Option<std::string> adder{*this, "adder", llvm::cl::desc("Who adds to memory what loops make: none, warp or group"), llvm::cl::init("none")};
  Option<bool> stageStores{*this, "stage-stores", llvm::cl::desc("Store by tensor maps what a warp of its own loads by them"), llvm::cl::init(false)};
  Option<int64_t> programs{*this, "programs", llvm::cl::desc("Programs that a thread block runs in turn at most"), llvm::cl::init(1)};
  Option<bool> roundEarly{*this, "round-early", llvm::cl::desc("Weights are scaled in 16 bits"), llvm::cl::init(false)};
  Option<bool> deal{*this, "deal", llvm::cl::desc("Lanes share out the numbers of rows and blocks"), llvm::cl::init(false)};
  Option<bool> slices{*this, "slices", llvm::cl::desc("Warps have all rows, and a part of a product's columns"), llvm::cl::init(false)};
  Option<bool> launchAhead{*this, "launch-ahead", llvm::cl::desc("The target launches kernels before the ones before them have ended"),
                           llvm::cl::init(false)};
  Option<bool> overlap{*this, "overlap", llvm::cl::desc("Multiply the next tile's logits beside this one's values"), llvm::cl::init(false)};
  Option<int64_t> leadColumns{*this, "lead-columns", llvm::cl::desc("Columns of a left operand that stays which are kept in registers"), llvm::cl::init(0)};
  Option<int64_t> exponentialParts{*this, "exponential-parts", llvm::cl::desc("Parts of a row whose exponents are computed one behind the other"), llvm::cl::init(2)};
  Option<bool> chainSums{*this, "chain-sums", llvm::cl::desc("Exponentials are summed in the order in which they come"), llvm::cl::init(false)};
  Option<bool> postpones{*this, "postpones", llvm::cl::desc("Products of weights are begun in the next iteration"), llvm::cl::init(true)};
  Option<bool> pingPong{*this, "ping-pong", llvm::cl::desc("Warp groups multiply in turns"), llvm::cl::init(false)};
  ListOption<std::string> without{*this, "without", llvm::cl::desc("Passes to leave out, of those that only make a kernel faster")};
};

/// The passes of the schedule for CUDA targets that `without` may name. Others make what later ones need, or are options of a config.
std::vector<std::string> optionalPasses();

/// Options of the way from a schedule to the nvvm dialect.
struct NVVMPipelineOptions : mlir::PassPipelineOptions<NVVMPipelineOptions> {
  Option<bool> vectorAdds{*this, "vector-adds", llvm::cl::desc("The target adds four floats to memory at once"), llvm::cl::init(true)};
};

/// landmark-to-tile: request -> bound, target-free tile program.
void buildTilePipeline(mlir::OpPassManager &manager, const TilePipelineOptions &options);
/// landmark-schedule-cuda: tile program -> pipelined, laid out, in shared memory.
void buildCudaSchedulePipeline(mlir::OpPassManager &manager, const SchedulePipelineOptions &options);
/// landmark-to-nvvm: scheduled program -> nvvm and llvm dialects.
void buildNVVMPipeline(mlir::OpPassManager &manager, const NVVMPipelineOptions &options);
/// landmark-schedule-host: tile program -> loops over vectors (the host's scheduled form).
void buildHostSchedulePipeline(mlir::OpPassManager &manager);
/// landmark-to-host-llvm: loops over vectors -> llvm dialect.
void buildHostLLVMPipeline(mlir::OpPassManager &manager);

/// Every dialect, interface and translation that the compiler uses.
void registerDialects(mlir::DialectRegistry &registry);
/// Every pass and pipeline of the project, and the upstream passes that they are made of.
void registerPasses();

} // namespace landmark
#endif
