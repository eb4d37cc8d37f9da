// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the commands of the tool share. Each command has a file and an add function that declares its options.
#ifndef LANDMARK_TOOLS_COMMAND_H
#define LANDMARK_TOOLS_COMMAND_H

#include "landmark/Compiler.h"
#include "landmark/Device.h"
#include "landmark/RuntimeOptions.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <string>

namespace landmark::tool {

struct Command {
  CLI::App *app;
  std::function<Expected<void>()> run;
};

Command addRun(CLI::App &app);
Command addCompile(CLI::App &app);
Command addCache(CLI::App &app);
Command addBench(CLI::App &app);
Command addTune(CLI::App &app);
Command addInfo(CLI::App &app);
Command addDemo(CLI::App &app);
Command addDecodeDemo(CLI::App &app);

/// How the tool ends.
enum ExitCode : int {
  Success = 0,
  Failed = 1,   ///< a compilation, a file or a device failed, or something is missing
  Usage = 2,    ///< the command line or an argument was refused
  Mismatch = 3, ///< a verification found an error above its tolerance
};

/// Prints what went wrong to stderr and says how to end.
ExitCode report(const Error &error);

/// --block-size, --head-dim, --dtype and the operation, as text until parsed.
struct ProblemOptions {
  std::string operation = "forward";
  int64_t blockSize = 64;
  int64_t headDim = 128;
  std::string dtype = "bf16";
  std::string gradientType;
  bool deterministic = false;
  int64_t topK = 4; ///< of the steps of retrieval

  void addTo(CLI::App &app);
  Expected<Problem> parse() const;
};

/// Refuses the steps of retrieval, for commands that run a kernel on inputs of its own.
Expected<void> refuseSteps(Operation operation);

/// Declares the positional argument that names the operation.
void addOperation(CLI::App &app, std::string &operation);

/// Declares --deterministic.
void addDeterministic(CLI::App &app, bool &deterministic);

/// Declares --gradient-dtype.
void addGradientType(CLI::App &app, std::string &type);
/// Whether gradients are to be float32 beside inputs of `dtype`; `type` is the option's text, empty for none.
Expected<bool> parseGradientType(const std::string &type, Operation operation, DType dtype);

/// --config, --tier, --template, --template-dir, --dump and --resume.
struct KernelOptions {
  std::string config, tier{name(Tier::Optimized)}, templateFile, templateDir, dumpDir, resume;
  std::vector<std::string> without;

  void addTo(CLI::App &app);
  Expected<CompileOptions> parse(const Problem &problem, const Target &target, LengthClass length) const;
};

/// For commands that time and verify kernels: each is the optimized one, or that of --tier, from its first launch on.
RuntimeOptions withoutTiers();

/// Declares --device.
void addDevice(CLI::App &app, std::string &device);

/// "NVIDIA H200 (cuda:0, sm_90)"
std::string describe(const Device &device);

Expected<void> writeFile(const std::string &path, std::string_view contents);

/// Milliseconds since `start`.
class Stopwatch {
public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

} // namespace landmark::tool
#endif
