// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"

#include <fmt/format.h>

namespace landmark {

/// Whether the kernel adds dq up in the call's scratch.
static bool adds(const LoadedKernel &kernel) { return addsQueryGradients(kernel.kernel.problem, kernel.kernel.config, kernel.kernel.target); }

/// How a kernel that takes lists uses its scratch; nothing for one without a gate threshold.
static std::optional<GradientGates> gatesOf(const LoadedKernel &kernel, const BackwardArguments &arguments) {
  return arguments.gateThreshold > 0 ? std::optional<GradientGates>(std::in_place, arguments, kernel.kernel.config, adds(kernel)) : std::nullopt;
}

namespace {

/// Arguments of all kernels of a call.
struct Packed {
  Packed(const LoadedKernel &kernel, const BackwardArguments &arguments, int64_t section)
      : gates(gatesOf(kernel, arguments)), backward(arguments, section, adds(kernel), gates) {
    if (!gates)
      return;
    ForwardArguments marking = markingOf(arguments, adds(kernel));
    keyLists.emplace(marking, section, gates->keys);
    if (gates->queries)
      queryLists.emplace(marking, section, gates->queries);
  }

  std::optional<GradientGates> gates;
  PackedBackwardArguments backward;
  std::optional<PackedArguments> keyLists, queryLists; ///< of what makes them
};

} // namespace

/// A call ready to go.
struct PreparedBackward::State {
  State(const BackwardKernel &kernel, const BackwardArguments &arguments, BackwardPrograms programs, int64_t section)
      : kernel(kernel), arguments(arguments), programs(programs), section(section), packed(*kernel.shared, arguments, section) {}

  BackwardKernel kernel;
  BackwardArguments arguments;
  BackwardPrograms programs;
  int64_t section;
  mutable Packed packed; ///< only ever read: what takes pointers to it does not say so
};

namespace {

/// Judges a call and counts the programs of its functions.
Expected<BackwardPrograms> check(const BackwardArguments &arguments, const Kernel &kernel, const Device &device) {
  if (auto legal = validate(arguments, device); !legal)
    return legal.error();
  if (auto fits = checkFits(problemOf(arguments), kernel); !fits)
    return fits.error();
  auto scratch = scratchBytesOf(arguments, kernel.config, kernel.target);
  if (!scratch)
    return scratch.error();
  if (*scratch > 0 && (!arguments.scratch || arguments.scratchBytes < *scratch))
    return Error{ErrorCode::InvalidArgument, fmt::format("scratch: got {} bytes at {}; this call needs {}{}", arguments.scratchBytes, arguments.scratch, *scratch,
                                                         arguments.gateThreshold > 0 ? "" : ", or deterministic")};
  return launchPrograms(arguments, kernel.config, kernel.target);
}

/// The same call on other memory.
Expected<BackwardArguments> replace(BackwardArguments arguments, const BackwardPointers &pointers) {
  for (auto [name, view, data] : {std::tuple{"q", &arguments.q, pointers.q},
                                  {"k", &arguments.k, pointers.k},
                                  {"v", &arguments.v, pointers.v},
                                  {"o", &arguments.o, pointers.o},
                                  {"dO", &arguments.dO, pointers.dO},
                                  {"dq", &arguments.dq, pointers.dq},
                                  {"dk", &arguments.dk, pointers.dk},
                                  {"dv", &arguments.dv, pointers.dv}})
    if (auto moved = moveTo(name, *view, data); !moved)
      return moved.error();
  for (auto [name, view, data] : {std::tuple{"lse", &arguments.lse, pointers.lse},
                                  {"delta", &arguments.delta, pointers.delta}})
    if (auto moved = moveTo(name, *view, data); !moved)
      return moved.error();
  if (arguments.dlse)
    if (auto moved = moveTo("dlse", *arguments.dlse, pointers.dlse); !moved)
      return moved.error();
  return arguments;
}

/// Queues the kernels of a call: marks and lists of tiles first, where there is a gate threshold.
Expected<void> launchAll(const LoadedKernel &kernel, const LoadedKernel *gates, const LoadedKernel *lists, const BackwardArguments &arguments, const BackwardPrograms &programs, Packed &packed,
                         void *stream) {
  if (gates) {
    auto groups = launchPrograms(forwardOf(arguments), gates->kernel.config);
    if (!groups)
      return groups.error();
    if (auto done = gates->launch(std::array{*groups, programs.counts[1]}, packed.keyLists->pointers(), stream); !done)
      return done;
    if (lists) // the marks are made
      if (auto done = lists->launch(std::array{int64_t(0), programs.counts[0]}, packed.queryLists->pointers(), stream); !done)
        return done;
  }
  return kernel.launch(programs, packed.backward.pointers(), stream);
}

Expected<void> addMaps(PackedBackwardArguments &packed, const LoadedKernel &kernel, const BackwardArguments &arguments) {
  return addMaps(kernel, arguments, [&](const cuda::Driver &driver, const std::vector<TensorMap> &maps) {
    return packed.encodeMaps(driver, maps, arguments);
  });
}

} // namespace

const Kernel &BackwardKernel::kernel() const { return shared->current(); }
Expected<void> BackwardKernel::settle() const { return shared->settle(); }
const Device &BackwardKernel::device() const { return shared->device; }

Expected<int64_t> BackwardKernel::scratchBytes(const BackwardArguments &arguments) const {
  if (auto fits = checkFits(problemOf(arguments), shared->kernel); !fits)
    return fits.error();
  return scratchBytesOf(arguments, shared->kernel.config, shared->kernel.target);
}

Expected<GatedTiles> BackwardKernel::gatedTiles(const BackwardArguments &arguments) const {
  if (auto legal = check(arguments, shared->kernel, shared->device); !legal)
    return legal.error();
  auto scratch = gatesOf(*shared, arguments);
  if (!scratch)
    return Error{ErrorCode::InvalidArgument, "gate_threshold: got 0, with which nothing is skipped"};
  return landmark::gatedTiles(shared->device, markingOf(arguments, adds(*shared)).gateScratch, scratch->keys);
}

Expected<void> BackwardKernel::launch(const BackwardArguments &arguments, void *stream) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  Packed packed(*shared, arguments, sectionOf(arguments, shared->kernel, shared->device));
  if (auto added = addMaps(packed.backward, *shared, arguments); !added)
    return added;
  return launchAll(*shared, gates.get(), lists.get(), arguments, *programs, packed, stream);
}

Expected<PreparedBackward> BackwardKernel::prepare(const BackwardArguments &arguments) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  auto prepared = std::make_shared<PreparedBackward::State>(*this, arguments, *programs, sectionOf(arguments, shared->kernel, shared->device));
  if (auto added = addMaps(prepared->packed.backward, *shared, arguments); !added)
    return added.error();
  return PreparedBackward(std::move(prepared));
}

Expected<void> PreparedBackward::launch(void *stream) const {
  const BackwardKernel &kernel = shared->kernel;
  return launchAll(*kernel.shared, kernel.gates.get(), kernel.lists.get(), shared->arguments, shared->programs, shared->packed, stream);
}

Expected<void> PreparedBackward::launch(const BackwardPointers &pointers, void *stream) const {
  const BackwardKernel &kernel = shared->kernel;
  auto arguments = replace(shared->arguments, pointers);
  if (!arguments)
    return arguments.error();
  Packed packed(*kernel.shared, *arguments, shared->section);
  if (auto added = addMaps(packed.backward, *kernel.shared, *arguments); !added)
    return added;
  return launchAll(*kernel.shared, kernel.gates.get(), kernel.lists.get(), *arguments, shared->programs, packed, stream);
}

} // namespace landmark
