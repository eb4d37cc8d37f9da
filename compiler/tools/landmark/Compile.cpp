// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark compile: the text of a kernel at any stage, without running it.
#include "Command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace landmark::tool {

namespace {

struct Options {
  ProblemOptions problem;
  KernelOptions kernel;
  std::string target, emit, output;
  bool resources = false;
  int times = 0;
};

/// The first GPU's target, or that of the oldest GPUs supported.
Expected<Target> chooseTarget(const std::string &text) {
  if (!text.empty())
    return parseTarget(text);
  if (Device device = Device::best(); !device.isHost())
    return device.target();
  return parseTarget("sm_80");
}

Expected<void> emitStage(const Options &options, const Problem &problem, const Target &target,
                         const CompileOptions &compileOptions) {
  auto stage =
      options.emit.empty() ? Expected<Stage>(target.isHost() ? Stage::Asm : Stage::PTX) : parseStage(options.emit);
  if (!stage)
    return stage.error();
  bool toStdout = options.output.empty() || options.output == "-";
  if (*stage == Stage::Cubin && options.output.empty())
    return Error{ErrorCode::InvalidArgument,
                 "--emit cubin writes binary data: name a file with -o ('-o -' for stdout)"};
  auto text = Compiler().emit(problem, target, *stage, compileOptions);
  if (!text)
    return text.error();
  if (!toStdout)
    return writeFile(options.output, *text);
  std::fwrite(text->data(), 1, text->size(), stdout);
  return {};
}

Expected<void> printResources(const Problem &problem, const Target &target, const CompileOptions &options, FILE *to) {
  auto kernel = Compiler().compile(problem, target, options);
  if (!kernel)
    return kernel.error();
  if (target.isHost())
    return Error{ErrorCode::Unsupported,
                 "--resources: got target host; registers and shared memory are those of a GPU kernel"};
  auto use = resourceUse(*kernel);
  if (!use)
    return use.error();
  fmt::print(to, "{} {} {}\n", describe(problem), target.chip, describe(kernel->config));
  fmt::print(to, "registers        {}\n", use->registers);
  fmt::print(to, "spill stores     {} bytes\n", use->spillStoreBytes);
  fmt::print(to, "spill loads      {} bytes\n", use->spillLoadBytes);
  fmt::print(to, "stack            {} bytes\n", use->stackBytes);
  fmt::print(to, "shared memory    {} bytes dynamic, {} bytes static\n", use->dynamicSharedBytes,
             use->staticSharedBytes);
  fmt::print(to, "threads          {}\n", kernel->threads);
  return {};
}

/// What a program waits for its kernel: every compilation by a compiler of its own.
Expected<void> printTimes(const Problem &problem, const Target &target, const CompileOptions &options, int times, FILE *to) {
  std::vector<double> milliseconds;
  for (int i = 0; i < times; ++i) {
    auto start = std::chrono::steady_clock::now();
    auto kernel = Compiler().compile(problem, target, options);
    if (!kernel)
      return kernel.error();
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  double first = milliseconds.front();
  std::sort(milliseconds.begin(), milliseconds.end());
  fmt::print(to, "{} {}: first compilation {:.1f} ms, median of {} {:.1f} ms\n", describe(problem), target.chip, first, times,
             milliseconds[milliseconds.size() / 2]);
  return {};
}

Expected<void> compile(const Options &options) {
  auto problem = options.problem.parse();
  if (!problem)
    return problem.error();
  auto target = chooseTarget(options.target);
  if (!target)
    return target.error();
  auto compileOptions = options.kernel.parse(*problem, *target);
  if (!compileOptions)
    return compileOptions.error();
  bool emits = (!options.resources && options.times == 0) || !options.emit.empty() || !options.output.empty();
  if (options.times > 0)
    if (auto done = printTimes(*problem, *target, *compileOptions, options.times, emits ? stderr : stdout); !done)
      return done;
  if (emits)
    if (auto done = emitStage(options, *problem, *target, *compileOptions); !done)
      return done;
  if (options.resources)
    return printResources(*problem, *target, *compileOptions, emits ? stderr : stdout);
  return {};
}

} // namespace

Command addCompile(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("compile", "Compile a kernel and print it at any stage; needs no GPU");
  options->problem.addTo(*command);
  command->add_option("--top-k,-k", options->problem.topK, "Blocks to select, for the steps of retrieval: 1 to 128")->capture_default_str();
  command->add_option(
      "--target", options->target,
      "sm_80, sm_86, sm_89, sm_90, sm_90a, sm_100a, sm_120a, ... or host (default: the first GPU's, else sm_80)");
  command->add_option("--emit", options->emit,
                      "Stage: template, landmark, tile, scheduled, nvvm, llvm, ptx, cubin, sass or, for the host, asm "
                      "(default: ptx, or asm for the host); cubin needs ptxas, sass a disassembler too");
  command->add_option("--output,-o", options->output, "File to write (default: stdout)");
  command->add_flag("--resources", options->resources,
                    "Assemble with ptxas and print registers, spills and shared memory; alone it prints nothing else");
  command->add_option("--time", options->times, "Compile this many times in this process and print how long it took; alone it prints nothing else")
      ->check(CLI::Range(1, 1000));
  options->kernel.addTo(*command);
  command->footer(
      "Examples:\n"
      "  landmark compile forward --head-dim 64 --block-size 51 --dtype f16 --target sm_90a -o forward.ptx\n"
      "  landmark compile forward --emit tile                 # the template bound to the problem\n"
      "  landmark compile forward --target sm_80 --resources  # what ptxas makes of it\n"
      "  landmark compile forward --template my.mlir --emit ptx");
  return {command, [options] { return compile(*options); }};
}

} // namespace landmark::tool
