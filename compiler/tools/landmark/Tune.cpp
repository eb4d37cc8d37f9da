// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark tune: the fastest schedule for a problem on a device, by measurement.
#include "Command.h"
#include "Progress.h"
#include "tune/DecodeSubject.h"
#include "tune/Tuner.h"

#include <fmt/format.h>

namespace landmark::tool {

namespace {

struct Options {
  ProblemOptions problem;
  std::string device = "auto", templateFile, templateDir;
  TuneOptions measured;
  bool dry = false, rotates = false;
  int repeats = 20, top = 5;
};

void print(const tune::Result &result, const Device &device, int top) {
  const tune::Workload &sizes = result.workload;
  fmt::print("{} on {}, batch {}, heads {} over {}, {} queries, {} keys\n", landmark::describe(result.problem),
             tool::describe(device), sizes.batch, sizes.heads, sizes.kvHeads, sizes.queryLength, sizes.keyLength);
  fmt::print("{} of {} legal configs measured in {:.1f} s\n", result.timings.size(), result.candidates, result.seconds);
  for (const tune::Timing &timing : result.timings) {
    if (top-- == 0)
      break;
    fmt::print("  {:10.4f} ms  {}\n", timing.medianMs, describe(timing.config));
  }
  fmt::print("in turns:\n");
  for (const tune::Timing &timing : result.finals)
    fmt::print("  {:10.4f} ms  {}{}\n", timing.medianMs, describe(timing.config),
               timing.config == result.initial ? ", the default" : "");
}

Expected<void> tuneProblem(const Options &options, const Problem &problem, const Device &device) {
  Knobs knobs = Knobs::fromEnvironment();
  tune::Options how;
  how.workload = tune::workloadOf(options.measured, problem.operation, device);
  how.exhaustive = options.measured.exhaustive;
  how.repeats = options.repeats;
  how.seconds = options.measured.seconds;
  how.compile.templateFile = options.templateFile;
  how.compile.templateDir = options.templateDir;
  how.compile = knobs.complete(how.compile);
  auto result = [&] {
    Progress progress;
    how.onProgress = [&](int done, int total, double bestMs) {
      progress.show(done, total, bestMs > 0 ? fmt::format("best {:.4f} ms", bestMs) : "");
    };
    return tune::tune(device, problem, how, knobs, std::make_shared<ThreadPool>(knobs.threads));
  }();
  if (!result)
    return result.error();
  print(*result, device, options.top);
  if (options.dry)
    return {};
  if (knobs.cacheDir.empty())
    return Error{ErrorCode::NotFound, "the result is not kept: the cache is switched off (LANDMARK_CACHE)"};
  if (auto saved = tune::save(knobs.cacheDir, device, *result); !saved)
    return saved;
  fmt::print("kept in {}\n", (knobs.cacheDir / "tuning" / tune::fileNameOf(device)).string());
  return {};
}

/// A step after the other, each with what was found for those before it.
Expected<void> tuneDecode(const Options &options, const Problem &problem, const Device &device) {
  auto steps = tune::decodeSteps(device, problem, tune::workloadOf(options.measured, problem.operation, device));
  if (!steps)
    return steps.error();
  for (const Problem &step : *steps)
    if (auto done = tuneProblem(options, step, device); !done)
      return done;
  return {};
}

Expected<void> tuneOperation(const Options &options) {
  ProblemOptions named = options.problem;
  bool decodes = named.operation == "decode";
  if (decodes)
    named.operation = name(Operation::Attend);
  auto problem = named.parse();
  if (!problem)
    return problem.error();
  problem->rotates = options.rotates;
  if (auto legal = validate(*problem); !legal)
    return legal;
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  return decodes ? tuneDecode(options, *problem, *device) : tuneProblem(options, *problem, *device);
}

} // namespace

Command addTune(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("tune", "Find the fastest schedule for a problem on a device by measurement");
  CLI::Range count(int64_t(1), int64_t(1) << 20), length(int64_t(1), int64_t(1) << 30);
  options->problem.addTo(*command);
  addDevice(*command, options->device);
  command->add_option("--batch,-B", options->measured.batch, "Batch (default: 1)")->check(count);
  command->add_option("--heads,-H", options->measured.heads, "Query heads (default: 16, on the host 4; decode: 32 and 8)")->check(count);
  command->add_option("--kv-heads,-G", options->measured.kvHeads, "Key/value heads (default: as many as query heads are given; decode: 8, on the host 2)")->check(count);
  command->add_option("--length,-N", options->measured.keyLength, "Keys (default: 4096, on the host 1024; decode: 65536 and 16384)")->check(length);
  command->add_option("--query-length,-M", options->measured.queryLength, "Queries (default: as many as keys; decode: 1)")->check(length);
  command->add_option("--top-k,-k", options->problem.topK, "decode: blocks to choose, 1 to 128")->capture_default_str();
  command->add_flag("--rotary", options->rotates, "decode: queries and keys get their rotary embedding on load");
  command->add_option("--repeats", options->repeats, "Launches to time of a config; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--top", options->top, "Configs to print")->check(CLI::Range(1, 10000))->capture_default_str();
  command->add_option("--seconds", options->measured.seconds, "Try nothing more after this time (default: no limit)")
      ->check(CLI::Range(0.0, 1e6));
  command->add_flag("--exhaustive", options->measured.exhaustive, "Measure every legal config, not those that promise most");
  command->add_flag("--dry-run", options->dry, "Keep no result");
  command->add_option("--template", options->templateFile, "Template file to compile in place of the built-in one");
  command->add_option("--template-dir", options->templateDir,
                      "Directory whose files replace built-in templates of the same name");
  command->footer("Every config is checked against the float64 oracle before it is timed, with a cold L2 cache. The "
                  "result, with all\n"
                  "timings and the reason of every rejection, is kept beside the cache (landmark cache --help), and "
                  "later compilations\n"
                  "on this device use it unless LANDMARK_TUNE=off. 'decode' stands for the steps of retrieval that "
                  "read keys: score_top,\n"
                  "and attend, attend_part or attend_join, tuned one after the other and timed as one step in a CUDA graph.\n\n"
                  "Examples:\n"
                  "  landmark tune forward --head-dim 128 --block-size 64 --heads 16 --length 16384\n"
                  "  landmark tune forward --device host --head-dim 64 --dtype f32\n"
                  "  landmark tune decode --heads 32 --kv-heads 8 --length 262144 --top-k 4");
  return {command, [options] { return tuneOperation(*options); }};
}

} // namespace landmark::tool
