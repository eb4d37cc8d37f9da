// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark compile: the text of a kernel at any stage, without running it.
#include "Bundle.h"
#include "Command.h"
#include "Remarks.h"
#include "tune/Results.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace landmark::tool {

namespace {

struct Options {
  ProblemOptions problem;
  KernelOptions kernel;
  std::string target, emit, output, list;
  bool resources = false, explain = false;
  int64_t length = 0;
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

/// As tuned, if the target is that of this machine's device.
Config chooseConfig(const Problem &problem, const Target &target, const CompileOptions &options, const Knobs &knobs) {
  if (options.config)
    return *options.config;
  if (!tune::anyResults(knobs))
    return defaultConfig(problem, target, options.length); // without asking for a device, which takes a while
  Device device = target.isHost() ? Device::host() : Device::best();
  return device.target() == target ? tune::scheduleFor(problem, options.length, device, knobs) : defaultConfig(problem, target, options.length);
}

/// The kernel as a program would get it: from the bundle or the cache if they have it.
Expected<Kernel> getKernel(const Problem &problem, const Target &target, const CompileOptions &options, bool assembled,
                           KernelAccount *account) {
  Knobs knobs = Knobs::fromEnvironment();
  KernelRequest request{problem, chooseConfig(problem, target, options, knobs), target, options, {}};
  if (assembled)
    request.assemble = [&](const Kernel &kernel) { return assembleAnywhere(kernel, options); };
  return KernelStore(knobs).get(request, account);
}

Expected<void> explain(const Problem &problem, const Target &target, const CompileOptions &options, FILE *to) {
  KernelAccount account;
  auto kernel = getKernel(problem, target, options, false, &account);
  if (!kernel)
    return kernel.error();
  fmt::print(to, "{} {} {}\n", describe(problem), target.chip, describe(kernel->config));
  fmt::print(to, "lengths  {}{}\n", describe(options.length), options.config ? ", but the config is given" : "");
  fmt::print(to, "key      {}\n", account.digest);
  fmt::print(to, "from     {}, {:.1f} ms\n", name(account.source), account.milliseconds);
  for (const std::string &remark : remarks(*kernel))
    fmt::print(to, "remark   {}\n", remark);
  if (account.source != KernelAccount::Source::Compiler)
    return {};
  fmt::print(to, "miss     {}\n", account.miss);
  fmt::print(to, "stored   {}\n", account.notStored.empty() ? "yes" : fmt::format("no: {}", account.notStored));
  for (auto [stage, milliseconds] : account.stages)
    fmt::print(to, "  {:10} {:8.1f} ms\n", name(stage), milliseconds);
  return {};
}

/// Text of a stage. Machine code and what it is made of are kept on disk; the stages before are always made anew.
Expected<std::string> textOf(const Problem &problem, const Target &target, Stage stage, const CompileOptions &options) {
  if (target.isHost() || (stage != Stage::PTX && stage != Stage::Cubin))
    return Compiler().emit(problem, target, stage, options);
  auto kernel = getKernel(problem, target, options, stage == Stage::Cubin, nullptr);
  if (!kernel)
    return kernel.error();
  return stage == Stage::Cubin ? std::move(kernel->cubin) : std::move(kernel->ptx);
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
  auto text = textOf(problem, target, *stage, compileOptions);
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
  auto use = resourceUse(*kernel, options.ptxas);
  if (!use)
    return use.error();
  fmt::print(to, "{} {} {}\n", describe(problem), target.chip, describe(kernel->config));
  for (const ResourceUse &function : *use) {
    if (use->size() > 1)
      fmt::print(to, "{}\n", function.function);
    fmt::print(to, "registers        {}\n", function.registers);
    fmt::print(to, "spill stores     {} bytes\n", function.spillStoreBytes);
    fmt::print(to, "spill loads      {} bytes\n", function.spillLoadBytes);
    fmt::print(to, "stack            {} bytes\n", function.stackBytes);
    fmt::print(to, "shared memory    {} bytes dynamic, {} bytes static\n", function.dynamicSharedBytes,
               function.staticSharedBytes);
    fmt::print(to, "threads          {}\n", function.threads);
  }
  for (const std::string &remark : remarks(*kernel, *use))
    fmt::print(to, "remark           {}\n", remark);
  return {};
}

/// What a program waits for its kernel: every compilation by a compiler of its own.
Expected<void> printTimes(const Problem &problem, const Target &target, const CompileOptions &options, int times,
                          FILE *to) {
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
  fmt::print(to, "{} {}: first compilation {:.1f} ms, median of {} {:.1f} ms\n", describe(problem), target.chip, first,
             times, milliseconds[milliseconds.size() / 2]);
  return {};
}

Expected<void> compileList(const Options &options) {
  if (options.output.empty() || options.output == "-")
    return Error{ErrorCode::InvalidArgument, "--all-configs makes a folder: name it with -o"};
  CompileOptions compileOptions;
  compileOptions.templateFile = options.kernel.templateFile;
  compileOptions.templateDir = options.kernel.templateDir;
  return compileBundle(options.list, options.output, Knobs::fromEnvironment().complete(compileOptions));
}

Expected<void> compile(const Options &options) {
  if (!options.list.empty())
    return compileList(options);
  auto problem = options.problem.parse();
  if (!problem)
    return problem.error();
  auto target = chooseTarget(options.target);
  if (!target)
    return target.error();
  auto compileOptions = options.kernel.parse(*problem, *target, lengthClass(options.length));
  if (!compileOptions)
    return compileOptions.error();
  bool emits = (!options.resources && !options.explain && options.times == 0) || !options.emit.empty() ||
               !options.output.empty();
  if (options.times > 0)
    if (auto done = printTimes(*problem, *target, *compileOptions, options.times, emits ? stderr : stdout); !done)
      return done;
  if (options.explain)
    if (auto done = explain(*problem, *target, *compileOptions, emits ? stderr : stdout); !done)
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
  auto *list = command->add_option(
      "--all-configs", options->list,
      "JSON list of kernels to compile into the folder -o, a bundle for LANDMARK_BUNDLE: [{\"target\": \"sm_90a\", "
      "\"head_dim\": [64, 128], ...}], with operation, block_size, dtype, gradient_dtype, deterministic, top_k, and length or config (default: the schedules of all lengths)");
  list->excludes(command->get_option("operation"));
  command->get_option("operation")->required(false);
  command->add_option("--top-k,-k", options->problem.topK, "Blocks to select, for the steps of retrieval: 1 to 128")->capture_default_str();
  command->add_option(
      "--target", options->target,
      "sm_80, sm_86, sm_89, sm_90, sm_90a, sm_100a, sm_120a, ... or host (default: the first GPU's, else sm_80)");
  command->add_option("--length,-N", options->length, "Keys of the sequences that the schedule is chosen for, as tuned or shipped; the kernel runs all lengths (default: not known)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30));
  command->add_option("--emit", options->emit,
                      "Stage: template, landmark, tile, scheduled, nvvm, llvm, ptx, cubin, sass or, for the host, asm "
                      "(default: ptx, or asm for the host); cubin needs ptxas, sass a disassembler too");
  command->add_option("--output,-o", options->output, "File to write (default: stdout)");
  command->add_flag("--resources", options->resources,
                    "Assemble with ptxas and print registers, spills and shared memory; alone it prints nothing else");
  command->add_flag("--explain", options->explain,
                    "Get the kernel as a program would and print whether the cache had it, which field made a miss, "
                    "and how long every stage took; alone it prints nothing else");
  command
      ->add_option("--time", options->times,
                   "Compile this many times in this process and print how long it took; alone it prints nothing else")
      ->check(CLI::Range(1, 1000));
  options->kernel.addTo(*command);
  command->footer(
      "Examples:\n"
      "  landmark compile forward --head-dim 64 --block-size 51 --dtype f16 --target sm_90a -o forward.ptx\n"
      "  landmark compile forward --emit tile                 # the template bound to the problem\n"
      "  landmark compile forward --target sm_80 --resources  # what ptxas makes of it\n"
      "  landmark compile forward --template my.mlir --emit ptx\n"
      "  landmark compile forward --explain                   # did the cache have it, and if not, why\n"
      "  landmark compile --all-configs list.json -o bundle");
  return {command, [options, command]() -> Expected<void> {
            if (options->list.empty() && command->get_option("operation")->empty())
              return Error{ErrorCode::InvalidArgument, "operation is required, or --all-configs"};
            return compile(*options);
          }};
}

} // namespace landmark::tool
