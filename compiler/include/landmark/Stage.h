// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_STAGE_H
#define LANDMARK_STAGE_H

#include "landmark/Export.h"
#include "landmark/Expected.h"

#include <string_view>

namespace landmark {

/// The forms that a kernel passes through, in order. Names of --emit, of dump files and of resume points are those of `name`.
enum class Stage {
  Template,  ///< the text of the template file
  Landmark,  ///< what is to be computed: one `landmark.forward` request
  Tile,      ///< the template bound to the request: a target-free tile program
  Scheduled, ///< pipelined, with layouts and shared memory assigned (CUDA), or as loops over vectors (host)
  NVVM,      ///< the gpu/nvvm/llvm dialects (CUDA) or the llvm dialect (host), ready for translation
  LLVM,      ///< LLVM IR, optimised
  PTX,       ///< CUDA only
  Cubin,     ///< CUDA only; needs ptxas
  Sass,      ///< CUDA only; needs ptxas and nvdisasm or cuobjdump
  Asm,       ///< host only: the CPU's assembly
};

LANDMARK_API std::string_view name(Stage stage);
LANDMARK_API Expected<Stage> parseStage(std::string_view text);

} // namespace landmark
#endif
