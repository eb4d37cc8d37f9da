// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Command.h"

#include "Knobs.h"

#include <cerrno>
#include <cstring>
#include <fmt/ranges.h>
#include <fstream>
#include <iterator>

namespace landmark::tool {

ExitCode report(const Error &error) {
  fmt::print(stderr, "landmark: error: {}\n", error.message);
  for (const std::string &note : error.notes)
    fmt::print(stderr, "  {}\n", note);
  switch (error.code) {
  case ErrorCode::InvalidArgument:
  case ErrorCode::Unsupported:
    return Usage;
  case ErrorCode::Mismatch:
    return Mismatch;
  default:
    return Failed;
  }
}

void addOperation(CLI::App &app, std::string &operation) {
  app.add_option("operation", operation, "What to compute: forward or backward")->required();
}

void addGradientType(CLI::App &app, std::string &type) {
  app.add_option("--gradient-dtype", type, "backward: type of dq, dk and dv, that of q or f32 (default: that of q)");
}

void addDeterministic(CLI::App &app, bool &deterministic) {
  app.add_flag("--deterministic", deterministic, "backward: the same bits in every run, where dq could be added up in any order");
}

Expected<bool> parseGradientType(const std::string &type, Operation operation, DType dtype) {
  if (type.empty())
    return false;
  if (!isBackward(operation))
    return Error{ErrorCode::InvalidArgument, fmt::format("--gradient-dtype: got '{}'; {} has no gradients", type, name(operation))};
  auto parsed = parseDType(type);
  if (!parsed)
    return parsed.error();
  if (*parsed != dtype && *parsed != DType::F32)
    return Error{ErrorCode::InvalidArgument, fmt::format("--gradient-dtype: got {}; allowed are {}, as q's, and f32", type, name(dtype))};
  return *parsed != dtype;
}

Expected<void> refuseSteps(Operation operation) {
  if (operation == Operation::Forward || operation == Operation::Backward)
    return {};
  return Error{ErrorCode::InvalidArgument, fmt::format("operation: got '{}', allowed here: forward, backward", name(operation))};
}

void ProblemOptions::addTo(CLI::App &app) {
  addOperation(app, operation);
  app.add_option("--head-dim,-D", headDim, "Head dimension: a multiple of 8 from 16 to 256")->capture_default_str();
  app.add_option("--block-size,-L", blockSize, "Tokens of a block, its landmark included: at least 2")
      ->capture_default_str();
  app.add_option("--dtype", dtype, "Type of q, k, v and o: bf16, f16 or f32")->capture_default_str();
  addGradientType(app, gradientType);
  addDeterministic(app, deterministic);
}

Expected<Problem> ProblemOptions::parse() const {
  auto parsedOperation = parseOperation(operation);
  if (!parsedOperation)
    return parsedOperation.error();
  auto parsedType = parseDType(dtype);
  if (!parsedType)
    return parsedType.error();
  auto floatGradients = parseGradientType(gradientType, *parsedOperation, *parsedType);
  if (!floatGradients)
    return floatGradients.error();
  Problem problem{*parsedOperation, blockSize, headDim, *parsedType, *floatGradients, isRetrieval(*parsedOperation) ? topK : 0, /*rotates=*/false, deterministic};
  if (auto legal = validate(problem); !legal)
    return legal.error();
  return problem;
}

void KernelOptions::addTo(CLI::App &app) {
  app.add_option(
      "--config", config,
      "Schedule: any of query_tile, key_tile, warps, stages, unit, loads, programs, overlap, ping_pong and dq_group, as in 'query_tile=64,warps=4'; what is not named "
      "keeps its default");
  app.add_option("--tier", tier, "How much is done for the kernel's speed: optimized, or baseline, which programs run first where nothing is kept")
      ->capture_default_str();
  app.add_option("--template", templateFile, "Template file to compile in place of the built-in one");
  app.add_option("--template-dir", templateDir,
                 "Directory whose files replace built-in templates of the same name (default: $LANDMARK_TEMPLATE_DIR)");
  app.add_option("--dump", dumpDir, "Directory to write the kernel's text at every stage to");
  app.add_option("--resume", resume, "STAGE=FILE: compile on from a stage's text, edited perhaps (see --dump)");
  app.add_option("--without", without, "Passes of a GPU's schedule to leave out, to measure what each gives: names that `landmark info --passes` prints")
      ->delimiter(',')
      ->type_name("PASS,...");
}

namespace {

/// "tile=FILE" into the options.
Expected<void> parseResume(const std::string &text, CompileOptions &options) {
  std::size_t equals = text.find('=');
  if (equals == std::string::npos)
    return Error{ErrorCode::InvalidArgument, fmt::format("--resume: got '{}'; it must be STAGE=FILE", text)};
  auto stage = parseStage(std::string_view(text).substr(0, equals));
  if (!stage)
    return stage.error();
  std::string path = text.substr(equals + 1);
  std::ifstream file(path, std::ios::binary);
  options.resumeText.assign(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad())
    return Error{ErrorCode::IoError, fmt::format("{}: cannot be read", path)};
  options.resumeStage = *stage;
  return {};
}

} // namespace

Expected<CompileOptions> KernelOptions::parse(const Problem &problem, const Target &target, LengthClass length) const {
  CompileOptions options;
  options.length = length;
  options.templateFile = templateFile;
  options.templateDir = templateDir;
  options.dumpDir = dumpDir;
  auto parsedTier = parseTier(tier);
  if (!parsedTier)
    return parsedTier.error();
  options.tier = *parsedTier;
  options.without = without;
  if (!resume.empty())
    if (auto parsed = parseResume(resume, options); !parsed)
      return parsed.error();
  if (!config.empty()) {
    auto parsed = parseConfig(config, defaultConfig(problem, target, length));
    if (!parsed)
      return parsed.error();
    options.config = *parsed;
  }
  return Knobs::fromEnvironment().complete(options);
}

RuntimeOptions withoutTiers() {
  RuntimeOptions options;
  options.tiers = false;
  return options;
}

void addDevice(CLI::App &app, std::string &device) {
  app.add_option("--device", device, "Where to run: auto (a GPU if there is one), host or cuda:N")
      ->capture_default_str();
}

std::string describe(const Device &device) {
  if (device.isHost())
    return device.name();
  return fmt::format("{} ({}, {})", device.name(), device.label(), device.target().chip);
}

Expected<void> writeFile(const std::string &path, std::string_view contents) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(contents.data(), std::streamsize(contents.size()));
  file.close();
  if (!file)
    return Error{ErrorCode::IoError, fmt::format("{}: cannot be written ({})", path, std::strerror(errno))};
  return {};
}

} // namespace landmark::tool
