// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TOOLS_BUNDLE_H
#define LANDMARK_TOOLS_BUNDLE_H

#include "KernelStore.h"

namespace landmark::tool {

/// Compiles every kernel that a list names into the folder `bundle`, side by side, and prints what it did. What the
/// folder holds already is kept.
///
/// The list is a JSON array of objects with the members "target" and, with the command line's defaults, "operation",
/// "block_size", "head_dim", "dtype" and "config". A member may be an array: then its object stands for all
/// combinations.
Expected<void> compileBundle(const std::string &list, const std::string &bundle, const CompileOptions &options);

/// Assembles for a target that may be another machine's: by ptxas, else by the driver of a GPU of that kind. NotFound
/// where there is neither, or where that driver's code cannot be kept.
Expected<Cubin> assembleAnywhere(const Kernel &kernel, const CompileOptions &options);

} // namespace landmark::tool
#endif
