// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What decides a kernel's code, and the number that names it.
#ifndef LANDMARK_RUNTIME_CACHE_KEY_H
#define LANDMARK_RUNTIME_CACHE_KEY_H

#include "landmark/Compiler.h"

#include <string>
#include <string_view>
#include <vector>

namespace landmark::cache {

/// SHA-256 as 64 hexadecimal digits.
std::string sha256(std::string_view data);

/// SHA-256 of what the compiler is made of: its own code, the dialects and the templates, and LLVM's code generators.
const char *compilerHash();

struct Field {
  std::string name;
  std::string value;

  /// The value itself, or its hash where it is long: the same for two fields if and only if their values are.
  std::string shown() const;
};

/// The identity of a kernel's code.
struct Key {
  std::vector<Field> fields; ///< in an order that never changes
  std::string digest;        ///< of the fields; 64 hexadecimal digits

  /// Field by field: every name and value is preceded by its length, so that no two lists of fields read the same.
  explicit Key(std::vector<Field> fields);
};

/// The key of a compilation. Reads the template that it would start from, wherever it lies: the text counts, not the
/// place. Where things are dumped to, and how many threads run a host kernel, decide no code.
Expected<Key> keyOf(const Problem &problem, const Config &config, const Target &target, const CompileOptions &options);

} // namespace landmark::cache
#endif
