// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From checked arguments to what a kernel is given.
#ifndef LANDMARK_RUNTIME_LAUNCH_H
#define LANDMARK_RUNTIME_LAUNCH_H

#include "cuda/Driver.h"
#include "landmark/Runtime.h"

#include <array>

namespace landmark {

/// The values that the defaults of ForwardArguments stand for.
float scaleOf(const ForwardArguments &arguments);
int64_t qOffsetOf(const ForwardArguments &arguments);

/// Programs of a launch; an error if a grid cannot hold them (more than 2^31 - 1).
Expected<int64_t> launchPrograms(const ForwardArguments &arguments, const Config &config);

/// Heads walked side by side: as many as have their keys and values in half of the L2 cache, so that the query tiles of
/// a head find them there.
int64_t sectionOf(const ForwardArguments &arguments, const Device &device);

/// A kernel's arguments in the order of `struct Kernel`. It points into itself.
class PackedArguments {
public:
  PackedArguments(const ForwardArguments &arguments, int64_t section);
  PackedArguments(const PackedArguments &) = delete;

  void **pointers() { return table.data(); }

  /// Adds the kernel's tensor maps.
  Expected<void> encodeMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted,
                            const ForwardArguments &arguments);
  /// The same, made of those that were encoded for the same shapes and strides.
  Expected<void> moveMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted,
                          const ForwardArguments &arguments, const PackedArguments &encoded);

private:
  template <std::size_t Rank> struct Descriptor {
    void *base, *aligned;
    int64_t offset;
    std::array<int64_t, Rank> sizes, strides;
  };

  Descriptor<4> q, k, v, o;
  Descriptor<3> lse;
  int64_t phase, qOffset;
  float scale;
  int64_t section;

  static constexpr std::size_t count = 4 * (3 + 2 * 4) + (3 + 2 * 3) + 4;
  static constexpr std::size_t mostMaps = 8;
  std::array<cuda::TensorMapBytes, mostMaps> maps;
  std::array<void *, count + mostMaps> table;
};

} // namespace landmark
#endif
