// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"

#include <fmt/format.h>

namespace landmark {

/// How a kernel that takes lists uses its scratch; nothing for one without a gate threshold.
static std::optional<GateScratch> scratchOf(const LoadedKernel &kernel, const ForwardArguments &arguments) {
  return arguments.gateThreshold > 0 ? std::optional(GateScratch::byQueries(arguments, kernel.kernel.problem, kernel.kernel.config)) : std::nullopt;
}

/// A call ready to go.
struct PreparedForward::State {
  State(std::shared_ptr<const LoadedKernel> kernel, std::shared_ptr<const LoadedKernel> gates,
        const ForwardArguments &arguments, int64_t programs)
      : kernel(std::move(kernel)), gates(std::move(gates)), arguments(arguments), programs(programs),
        section(sectionOf(arguments, this->kernel->device)), packed(arguments, section, scratchOf(*this->kernel, arguments)) {}

  std::shared_ptr<const LoadedKernel> kernel, gates;
  ForwardArguments arguments;
  int64_t programs, section;
  mutable PackedArguments packed; ///< only ever read: what takes pointers to it does not say so
};

namespace {

/// Queues the kernels of a call: marks and lists of tiles first, where there is a gate threshold.
Expected<void> launchAll(const LoadedKernel &kernel, const LoadedKernel *gates, const ForwardArguments &arguments, int64_t programs, void **packed,
                         void *stream) {
  if (gates) {
    auto groups = launchPrograms(arguments, gates->kernel.config);
    if (!groups)
      return groups.error();
    if (auto done = gates->launch(std::array{*groups, programs}, packed, stream); !done)
      return done;
  }
  return kernel.launch(programs, packed, stream);
}

/// The kernel's tensor maps: encoded, or made of those of a call with the same shapes and strides.
Expected<void> addMaps(PackedArguments &packed, const LoadedKernel &kernel, const ForwardArguments &arguments,
                       const PackedArguments *encoded = nullptr) {
  return addMaps(kernel, arguments, [&](const cuda::Driver &driver, const std::vector<TensorMap> &maps) {
    return encoded ? packed.moveMaps(driver, maps, arguments, *encoded) : packed.encodeMaps(driver, maps, arguments);
  });
}

/// The same call on other memory.
Expected<ForwardArguments> replace(ForwardArguments arguments, const ForwardPointers &pointers) {
  for (auto [name, view, data] : {std::tuple{"q", &arguments.q, pointers.q},
                                  {"k", &arguments.k, pointers.k},
                                  {"v", &arguments.v, pointers.v},
                                  {"o", &arguments.o, pointers.o}})
    if (auto moved = moveTo(name, *view, data); !moved)
      return moved.error();
  auto moved = moveTo("lse", arguments.lse, pointers.lse);
  return moved ? Expected<ForwardArguments>(arguments) : moved.error();
}

} // namespace

/// Judges a call and counts its programs.
Expected<int64_t> ForwardKernel::check(const ForwardArguments &arguments) const {
  auto scratch = gateScratchBytes(arguments);
  if (!scratch)
    return scratch.error();
  if (*scratch > 0 && (!arguments.gateScratch || arguments.gateScratchBytes < *scratch))
    return Error{ErrorCode::InvalidArgument, fmt::format("gate_scratch: got {} bytes at {}; this call with a gate threshold needs {}",
                                                         arguments.gateScratchBytes, arguments.gateScratch, *scratch)};
  return launchPrograms(arguments, shared->kernel.config);
}

Expected<int64_t> ForwardKernel::gateScratchBytes(const ForwardArguments &arguments) const {
  if (auto legal = validate(arguments, shared->device); !legal)
    return legal.error();
  if (auto fits = checkFits(problemOf(arguments), shared->kernel); !fits)
    return fits.error();
  auto scratch = scratchOf(*shared, arguments);
  return scratch ? scratch->bytes() : 0;
}

Expected<GatedTiles> ForwardKernel::gatedTiles(const ForwardArguments &arguments) const {
  if (auto programs = check(arguments); !programs)
    return programs.error();
  auto scratch = scratchOf(*shared, arguments);
  if (!scratch)
    return Error{ErrorCode::InvalidArgument, "gate_threshold: got 0, with which nothing is skipped"};
  return landmark::gatedTiles(shared->device, arguments.gateScratch, *scratch);
}

const Kernel &ForwardKernel::kernel() const { return shared->current(); }
Expected<void> ForwardKernel::settle() const { return shared->settle(); }
const Device &ForwardKernel::device() const { return shared->device; }

Expected<void> ForwardKernel::launch(const ForwardArguments &arguments, void *stream) const {
  auto programs = check(arguments);
  if (!programs)
    return programs.error();
  if (auto legal = checkStream(shared->device, stream); !legal || *programs == 0)
    return legal;
  PackedArguments packed(arguments, sectionOf(arguments, shared->device), scratchOf(*shared, arguments));
  if (auto added = addMaps(packed, *shared, arguments); !added)
    return added;
  return launchAll(*shared, gates.get(), arguments, *programs, packed.pointers(), stream);
}

Expected<PreparedForward> ForwardKernel::prepare(const ForwardArguments &arguments) const {
  auto programs = check(arguments);
  if (!programs)
    return programs.error();
  auto prepared = std::make_shared<PreparedForward::State>(shared, gates, arguments, *programs);
  if (*programs > 0)
    if (auto added = addMaps(prepared->packed, *shared, arguments); !added)
      return added.error();
  return PreparedForward(std::move(prepared));
}

Expected<void> PreparedForward::launch(void *stream) const {
  if (auto legal = checkStream(shared->kernel->device, stream); !legal || shared->programs == 0)
    return legal;
  return launchAll(*shared->kernel, shared->gates.get(), shared->arguments, shared->programs, shared->packed.pointers(), stream);
}

Expected<void> PreparedForward::launch(const ForwardPointers &pointers, void *stream) const {
  const LoadedKernel &kernel = *shared->kernel;
  if (auto legal = checkStream(kernel.device, stream); !legal || shared->programs == 0)
    return legal;
  auto arguments = replace(shared->arguments, pointers);
  if (!arguments)
    return arguments.error();
  PackedArguments packed(*arguments, shared->section, scratchOf(kernel, *arguments));
  if (auto added = addMaps(packed, kernel, *arguments, &shared->packed); !added)
    return added;
  return launchAll(kernel, shared->gates.get(), *arguments, shared->programs, packed.pointers(), stream);
}

} // namespace landmark
