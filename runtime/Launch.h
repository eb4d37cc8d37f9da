// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From checked arguments to what a kernel is given.
#ifndef LANDMARK_RUNTIME_LAUNCH_H
#define LANDMARK_RUNTIME_LAUNCH_H

#include "ArgumentTable.h"
#include "GateScratch.h"
#include "TensorMaps.h"
#include "cuda/Driver.h"
#include "landmark/Runtime.h"

#include <span>

namespace landmark {

/// The forward that a backward belongs to: what both are told alike.
ForwardArguments forwardOf(const BackwardArguments &arguments);

/// The values that the defaults of ForwardArguments stand for.
float scaleOf(const ForwardArguments &arguments);
int64_t qOffsetOf(const ForwardArguments &arguments);

/// Programs of a launch; an error if a grid cannot hold them (more than 2^31 - 1).
Expected<int64_t> launchPrograms(const ForwardArguments &arguments, const Config &config);
/// Programs of the functions of a backward, in the order of their launches.
struct BackwardPrograms {
  std::array<int64_t, 3> counts = {};
  std::size_t functions = 0;

  operator std::span<const int64_t>() const { return {counts.data(), functions}; }
};
Expected<BackwardPrograms> launchPrograms(const BackwardArguments &arguments, const Config &config, const Target &target);

/// How the scratch of a backward that adds dq up in memory is used: three arrays of float32, which templates/backward_add.mlir describes.
struct BackwardScratch {
  explicit BackwardScratch(const BackwardArguments &arguments);

  TensorView sum;
  RowsView lse, delta;
};
/// How the scratch of a backward with a gate threshold is used, behind the sums of dq where there are any.
struct GradientGates {
  GradientGates(const BackwardArguments &arguments, const Config &config, bool adds);

  int64_t bytes() const { return (queries ? *queries : keys).bytes(); }

  GateScratch keys;                   ///< of the kernel that goes by keys
  std::optional<GateScratch> queries; ///< of the one that goes by queries, where there is one
};
/// The forward that its marks and lists are made for: it is given the part of the scratch that they take.
ForwardArguments markingOf(const BackwardArguments &arguments, bool adds);

/// Scratch of a backward, in bytes.
Expected<int64_t> scratchBytesOf(const BackwardArguments &arguments, const Config &config, const Target &target);

/// Heads walked side by side: as many as have their keys and values in about a quarter of the L2 cache, so that the query
/// tiles of a head find them there, in either half of it.
int64_t sectionOf(const ForwardArguments &arguments, const Device &device);
/// Of a backward that adds dq up, key/value heads: as many as have a third of the L2 cache for what their programs, `programsOfHead` each, walk along: rows of q and dO and sums
/// of dq; but two, and as many as have a program for nearly every multiprocessor, which the last section would else leave idle.
int64_t sumSection(const BackwardArguments &arguments, int64_t programsOfHead, int64_t cacheBytes, int64_t multiprocessors);
/// Heads that the kernel walks side by side.
int64_t sectionOf(const BackwardArguments &arguments, const Kernel &kernel, const Device &device);

/// Puts a view on other memory of the same shape. What can be judged of a pointer in no time is: its alignment, and that
/// only an empty view has none.
Expected<void> moveTo(const char *name, TensorView &view, void *data);
Expected<void> moveTo(const char *name, RowsView &view, float *data);

/// A kernel's arguments in the order of `struct Kernel`. It points into itself. Kernels that take fewer do not see the last ones.
class PackedArguments {
public:
  PackedArguments(const ForwardArguments &arguments, int64_t section, const std::optional<GateScratch> &gates = std::nullopt);
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
  std::optional<GateViews> views; ///< of the scratch of a gate threshold
  int64_t phase, qOffset;
  float scale;
  int64_t section;
  float floor;
  int64_t listTile, listStep;

  std::array<cuda::TensorMapBytes, mostTensorMaps> maps;
  ArgumentTable<6 * ViewDescriptor<4>::fields + 2 * ViewDescriptor<3>::fields + 7 + mostTensorMaps> table;
};

/// The same for a backward.
class PackedBackwardArguments {
public:
  /// With `adds` for kernels that add dq up in memory; with `gates` for those that take lists.
  PackedBackwardArguments(const BackwardArguments &arguments, int64_t section, bool adds, const std::optional<GradientGates> &gates = std::nullopt);
  PackedBackwardArguments(const PackedBackwardArguments &) = delete;

  void **pointers() { return table.data(); }

  Expected<void> encodeMaps(const cuda::Driver &driver, const std::vector<TensorMap> &wanted, const BackwardArguments &arguments);

private:
  ViewDescriptor<4> q, k, v, o;
  ViewDescriptor<3> lse;
  ViewDescriptor<4> dO;
  ViewDescriptor<3> dlse, delta;
  ViewDescriptor<4> dq, dk, dv, sum;
  ViewDescriptor<3> rowLse, rowDelta;
  std::optional<GateViews> queryLists, keyLists;
  int64_t phase, qOffset;
  float scale;
  int64_t section;
  std::array<cuda::TensorMapBytes, mostTensorMaps> maps;
  ArgumentTable<13 * ViewDescriptor<4>::fields + 5 * ViewDescriptor<3>::fields + 4 + mostTensorMaps> table;
};

} // namespace landmark
#endif
