// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark info: what this build and machine can do.
#include "Command.h"
#include "Knobs.h"
#include "landmark/Compiler.h"
#include "landmark/Version.h"

#include <fmt/ranges.h>

namespace landmark::tool {

namespace {

void printDevices() {
  Device host = Device::host();
  constexpr double gib = double(1 << 30);
  fmt::print("Devices\n  {:8} {}, {} threads, {:.0f} GiB\n", host.label(), host.name(), host.multiprocessors(),
             host.memoryBytes() / gib);
  for (int ordinal = 0, count = Device::cudaCount(); ordinal < count; ++ordinal) {
    auto device = Device::cuda(ordinal);
    if (device)
      fmt::print("  {:8} {}, {}, {} multiprocessors, {:.0f} MiB of L2 cache, {:.0f} GiB\n", device->label(),
                 device->name(), device->target().chip, device->multiprocessors(), device->l2Bytes() / double(1 << 20),
                 device->memoryBytes() / gib);
    else
      fmt::print("  cuda:{}   cannot be used: {}\n", ordinal, device.error().message);
  }
  if (auto device = Device::cuda(0); !device && Device::cudaCount() == 0)
    fmt::print("  no GPU: {}\n", device.error().message);
}

/// The page docs/knobs.md.
void printKnobs() {
  fmt::print("# Knobs\n\nThe environment variables that the library and the tool read, all of them; "
             "`runtime/Knobs.cpp` reads them. "
             "This page is what `landmark info --knobs` prints.\nA value that means nothing is refused in the log, and "
             "by the tool on stderr; the "
             "default holds in its place.\n\n"
             "| variable | values | default | changes code | |\n| --- | --- | --- | --- | --- |\n");
  for (const KnobInfo &knob : Knobs::table())
    fmt::print("| `{}` | {} | {} | {} | {} |\n", knob.name, knob.values, knob.fallback.empty() ? "none" : knob.fallback,
               knob.changesCode ? "yes" : "no", knob.text);
}

Expected<void> info() {
  fmt::print("Landmark JIT {}\n\n", landmark::version());
  printDevices();
  fmt::print("\nTargets\n"
             "  sm_80 and up   mma.sync, ldmatrix and cp.async (sm_80, 86, 87, 89, 90, 100, 103, 110, 120, 121; a, f)\n"
             "  sm_90a         wgmma for bf16 and f16 with head dimensions that are multiples of 16 (fed by tensor maps: the forward up to D = 128 or where blocks fit a key tile, the backward where they do), else as sm_80\n"
             "  host           this machine's CPU, vectorised\n"
             "\nSupported\n"
             "  operations     forward (with a gate threshold for blocks up to 128), backward; retrieval, for blocks of 2 to 256 tokens: score_top, score, pool, pool_top, select, attend, merge\n"
             "  deterministic  all but a backward that is not asked to be: it adds dq up in any order, in five products a tile, where blocks fit a key tile, one pass over\n"
             "                 the rows does and groups of warps can share the columns (with wgmma D = 16, 32, 64, 128); elsewhere, and on the host, it is deterministic too\n"
             "  types          bf16, f16, f32 (logits, statistics and accumulators are f32)\n"
             "  block size     2 .. {}, any integer\n"
             "  head dimension 16 .. 256, multiples of 8\n"
             "  heads          grouped: key/value heads divide query heads\n"
             "  lengths        any, history (more keys than queries) and a partial last block included; schedules are chosen for those that are {} or {}\n"
             "  strides        any, columns side by side; 64-bit offsets\n",
             Problem::maxBlockSize, landmark::describe(LengthClass::Short), landmark::describe(LengthClass::Long));
  return {};
}

} // namespace

Command addInfo(CLI::App &app) {
  auto knobs = std::make_shared<bool>(false), passes = std::make_shared<bool>(false);
  CLI::App *command = app.add_subcommand("info", "Show version, devices, targets and what is supported");
  command->add_flag("--knobs", *knobs, "Print the environment variables that are read, as Markdown");
  command->add_flag("--passes", *passes, "Print the passes of a GPU's schedule that --without takes, one a line");
  return {command, [knobs, passes]() -> Expected<void> {
            if (*knobs)
              printKnobs();
            if (*passes)
              fmt::print("{}\n", fmt::join(optionalPassNames(), "\n"));
            return *knobs || *passes ? Expected<void>() : info();
          }};
}

} // namespace landmark::tool
