// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"

#include <fmt/format.h>

namespace landmark {

/// Whether the kernel adds dq up in the call's scratch.
static bool adds(const LoadedKernel &kernel) { return addsQueryGradients(kernel.kernel.problem, kernel.kernel.config, kernel.kernel.target); }

/// A call ready to go.
struct PreparedBackward::State {
  State(std::shared_ptr<const LoadedKernel> kernel, const BackwardArguments &arguments,
        BackwardPrograms programs, int64_t section)
      : kernel(std::move(kernel)), arguments(arguments), programs(programs), section(section),
        packed(arguments, section, adds(*this->kernel)) {}

  std::shared_ptr<const LoadedKernel> kernel;
  BackwardArguments arguments;
  BackwardPrograms programs;
  int64_t section;
  mutable PackedBackwardArguments packed; ///< only ever read: what takes pointers to it does not say so
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
    return Error{ErrorCode::InvalidArgument, fmt::format("scratch: got {} bytes at {}; this call needs {}, or deterministic", arguments.scratchBytes,
                                                         arguments.scratch, *scratch)};
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

Expected<void> addMaps(PackedBackwardArguments &packed, const LoadedKernel &kernel, const BackwardArguments &arguments) {
  return addMaps(kernel, arguments, [&](const cuda::Driver &driver, const std::vector<TensorMap> &maps) {
    return packed.encodeMaps(driver, maps, arguments);
  });
}

} // namespace

const Kernel &BackwardKernel::kernel() const { return shared->kernel; }
const Device &BackwardKernel::device() const { return shared->device; }

Expected<int64_t> BackwardKernel::scratchBytes(const BackwardArguments &arguments) const {
  if (auto fits = checkFits(problemOf(arguments), shared->kernel); !fits)
    return fits.error();
  return scratchBytesOf(arguments, shared->kernel.config, shared->kernel.target);
}

Expected<void> BackwardKernel::launch(const BackwardArguments &arguments, void *stream) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  PackedBackwardArguments packed(arguments, sectionOf(forwardOf(arguments), shared->device), adds(*shared));
  if (auto added = addMaps(packed, *shared, arguments); !added)
    return added;
  return shared->launch(*programs, packed.pointers(), stream);
}

Expected<PreparedBackward> BackwardKernel::prepare(const BackwardArguments &arguments) const {
  auto programs = check(arguments, shared->kernel, shared->device);
  if (!programs)
    return programs.error();
  auto prepared = std::make_shared<PreparedBackward::State>(shared, arguments, *programs,
                                                            sectionOf(forwardOf(arguments), shared->device));
  if (auto added = addMaps(prepared->packed, *shared, arguments); !added)
    return added.error();
  return PreparedBackward(std::move(prepared));
}

Expected<void> PreparedBackward::launch(void *stream) const {
  return shared->kernel->launch(shared->programs, shared->packed.pointers(), stream);
}

Expected<void> PreparedBackward::launch(const BackwardPointers &pointers, void *stream) const {
  auto arguments = replace(shared->arguments, pointers);
  if (!arguments)
    return arguments.error();
  PackedBackwardArguments packed(*arguments, shared->section, adds(*shared->kernel));
  if (auto added = addMaps(packed, *shared->kernel, *arguments); !added)
    return added;
  return shared->kernel->launch(shared->programs, packed.pointers(), stream);
}

} // namespace landmark
