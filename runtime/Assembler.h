// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who makes machine code of a kernel's PTX.
#ifndef LANDMARK_RUNTIME_ASSEMBLER_H
#define LANDMARK_RUNTIME_ASSEMBLER_H

#include "KernelStore.h"
#include "landmark/Device.h"

namespace landmark {

/// Assembles with ptxas; NotFound where there is none, or none is wanted (CompileOptions::ptxas).
Expected<Cubin> assembleByPtxas(const Kernel &kernel, const CompileOptions &options);

/// Assembles for a GPU, with ptxas or else by the linker of the GPU's driver; empty for the host. A kernel that the
/// linker would make slow gets no code: LoadedKernel has the driver assemble it whole, which nobody can keep but the
/// driver.
std::function<Expected<Cubin>(const Kernel &)> assemblerOf(const Device &device, const CompileOptions &options);

/// Whether warps of a kernel hand registers to others.
bool movesRegisters(const Kernel &kernel);

/// Whether a block that starts with so many registers a thread has those that its warps ask for later. They would wait
/// for the others forever: how many it starts with is the assembler's choice.
Expected<void> checkRegisters(const Kernel &kernel, const Kernel::Function &function, int64_t registers);

} // namespace landmark
#endif
