// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From checked arguments to what a kernel is given.
#ifndef LANDMARK_RUNTIME_LAUNCH_H
#define LANDMARK_RUNTIME_LAUNCH_H

#include "ArgumentTable.h"
#include "TensorMaps.h"
#include "cuda/Driver.h"
#include "landmark/Runtime.h"

namespace landmark {

/// The forward that a backward belongs to: what both are told alike.
ForwardArguments forwardOf(const BackwardArguments &arguments);

/// The values that the defaults of ForwardArguments stand for.
float scaleOf(const ForwardArguments &arguments);
int64_t qOffsetOf(const ForwardArguments &arguments);

/// Programs of a launch; an error if a grid cannot hold them (more than 2^31 - 1).
Expected<int64_t> launchPrograms(const ForwardArguments &arguments, const Config &config);
/// Programs of the functions of a backward.
Expected<std::array<int64_t, 2>> launchPrograms(const BackwardArguments &arguments, const Config &config);

/// Heads walked side by side: as many as have their keys and values in half of the L2 cache, so that the query tiles of
/// a head find them there.
int64_t sectionOf(const ForwardArguments &arguments, const Device &device);

/// Puts a view on other memory of the same shape. What can be judged of a pointer in no time is: its alignment, and that
/// only an empty view has none.
Expected<void> moveTo(const char *name, TensorView &view, void *data);
Expected<void> moveTo(const char *name, RowsView &view, float *data);

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
  ViewDescriptor<4> q, k, v, o;
  ViewDescriptor<3> lse;
  int64_t phase, qOffset;
  float scale;
  int64_t section;

  std::array<cuda::TensorMapBytes, mostTensorMaps> maps;
  ArgumentTable<4 * ViewDescriptor<4>::fields + ViewDescriptor<3>::fields + 4 + mostTensorMaps> table;
};

/// The same for a backward.
class PackedBackwardArguments {
public:
  PackedBackwardArguments(const BackwardArguments &arguments, int64_t section);
  PackedBackwardArguments(const PackedBackwardArguments &) = delete;

  void **pointers() { return table.data(); }

  Expected<void> encodeMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted, const BackwardArguments &arguments);

private:
  ViewDescriptor<4> q, k, v, o;
  ViewDescriptor<3> lse;
  ViewDescriptor<4> dO;
  ViewDescriptor<3> dlse, delta;
  ViewDescriptor<4> dq, dk, dv;
  int64_t phase, qOffset;
  float scale;
  int64_t section;
  std::array<cuda::TensorMapBytes, mostTensorMaps> maps;
  ArgumentTable<8 * ViewDescriptor<4>::fields + 3 * ViewDescriptor<3>::fields + 4 + mostTensorMaps> table;
};

} // namespace landmark
#endif
