// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA toolkit's assembler and disassembler, run as programs where they are installed.
#ifndef LANDMARK_COMPILER_DRIVER_PTXAS_H
#define LANDMARK_COMPILER_DRIVER_PTXAS_H

#include "landmark/Compiler.h"

namespace landmark {

struct Assembled {
  std::string cubin;
  std::vector<ResourceUse> functions;
};

/// Runs `program`, which means what CompileOptions::ptxas does. NotFound where there is none, CompileFailed with its
/// messages where it refuses the text. A baseline is assembled at a lower level, which changes no bit of what it computes.
Expected<Assembled> assemble(const std::string &ptx, const std::string &chip, const std::string &program, Tier tier);

/// Whether there is such a program.
bool hasPtxas(const std::string &program);

/// SASS, by nvdisasm or cuobjdump; NotFound where there is neither.
Expected<std::string> disassemble(const std::string &cubin);

} // namespace landmark
#endif
