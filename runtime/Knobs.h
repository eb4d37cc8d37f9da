// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The environment variables that the project reads, all of them; nothing else reads the environment.
#ifndef LANDMARK_RUNTIME_KNOBS_H
#define LANDMARK_RUNTIME_KNOBS_H

#include "landmark/Compiler.h"

#include <string>

namespace landmark {

struct Knobs {
  /// LANDMARK_TEMPLATE_DIR. Changes code, so it is part of a kernel's cache key: a directory whose files replace
  /// embedded templates of the same name, where CompileOptions names none.
  std::string templateDir;
  /// LANDMARK_NUM_THREADS. Changes no code: how many threads the host target uses; the machine's if unset or not a
  /// number of 1 to 1024.
  int threads = 1;

  static Knobs fromEnvironment();

  /// `options` with what it leaves open taken from the knobs.
  CompileOptions complete(CompileOptions options) const;
};

} // namespace landmark
#endif
