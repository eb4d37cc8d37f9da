// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark run: a kernel on the tensors of a file.
#include "Command.h"
#include "Verify.h"

#include <charconv>
#include <numeric>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark::tool {

namespace {

struct Options {
  std::string operation, input, output, gradientType;
  bool deterministic = false;
  std::string device = "auto";
  std::optional<int64_t> blockSize, phase, qOffset;
  std::optional<double> scale;
  bool verify = false;
  float gateThreshold = 0;
  KernelOptions kernel;
};

/// What the command line says, else what the file's metadata says, else nothing.
template <typename Number>
Expected<std::optional<Number>> choose(const std::optional<Number> &given, const TensorFile &file, const char *key) {
  auto entry = file.metadata.find(key);
  if (given || entry == file.metadata.end())
    return given;
  const std::string &text = entry->second;
  Number number = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size())
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{}: the file's metadata says '{}', which is no number", key, text)};
  return std::optional(number);
}

Expected<void> chooseScalars(const Options &options, const TensorFile &file, Inputs &inputs) {
  auto blockSize = choose(options.blockSize, file, "block_size");
  if (!blockSize)
    return blockSize.error();
  if (!*blockSize)
    return Error{ErrorCode::InvalidArgument, "block_size: the file's metadata has none: give --block-size"};
  auto phase = choose(options.phase, file, "phase");
  if (!phase)
    return phase.error();
  auto qOffset = choose(options.qOffset, file, "q_offset");
  if (!qOffset)
    return qOffset.error();
  auto scale = choose(options.scale, file, "scale");
  if (!scale)
    return scale.error();
  inputs.blockSize = **blockSize;
  inputs.phase = phase->value_or(0);
  inputs.gateThreshold = options.gateThreshold;
  inputs.qOffset = *qOffset;
  if (*scale)
    inputs.scale = float(**scale);
  return {};
}

Expected<void> take(const char *name, TensorFile &file, HostTensor &tensor) {
  auto found = file.tensors.find(name);
  if (found == file.tensors.end())
    return Error{ErrorCode::InvalidArgument, fmt::format("{}: the file has no tensor of this name", name)};
  tensor = std::move(found->second);
  return {};
}

Expected<Inputs> takeInputs(const Options &options, TensorFile &file) {
  Inputs inputs;
  for (auto [name, tensor] : {std::pair{"q", &inputs.q}, std::pair{"k", &inputs.k}, std::pair{"v", &inputs.v}})
    if (auto taken = take(name, file, *tensor); !taken)
      return taken.error();
  if (auto chosen = chooseScalars(options, file, inputs); !chosen)
    return chosen.error();
  return inputs;
}

/// Launches, waits and says what it took.
template <typename Kernel, typename Arguments>
Expected<void> launch(const Kernel &kernel, const Arguments &arguments, const Inputs &inputs, double compileTime) {
  const Device &device = kernel.device();
  Stopwatch running;
  if (auto done = kernel.launch(arguments); !done)
    return done.error();
  if (auto done = device.synchronize(); !done)
    return done.error();
  fmt::print("{} on {}, {}\n", landmark::describe(kernel.kernel().problem), tool::describe(device), describe(kernel.kernel().config));
  fmt::print("q [{}], k [{}]: compiled in {:.1f} ms, ran in {:.3f} ms (first launch)\n",
             fmt::join(inputs.q.shape, ", "), fmt::join(inputs.k.shape, ", "), compileTime, running.milliseconds());
  return {};
}

/// Says how many tiles were skipped, if there is a threshold.
template <typename Kernel, typename Arguments> Expected<void> tellSkipped(const Kernel &kernel, const Arguments &arguments) {
  if (arguments.gateThreshold == 0)
    return {};
  auto tiles = kernel.gatedTiles(arguments);
  if (!tiles)
    return tiles.error();
  fmt::print("gate threshold {}: skipped {} of {} tiles\n", arguments.gateThreshold, tiles->skipped, tiles->all);
  return {};
}

/// Compiles and launches on poisoned outputs.
Expected<Outputs> runForward(const Options &options, const Device &device, const Inputs &inputs) {
  auto space = Workspace::create(device, inputs);
  if (!space)
    return space.error();
  Problem problem = problemOf(space->arguments());
  auto compileOptions = options.kernel.parse(problem, device.target(), lengthClass(space->arguments().k.shape[2]));
  if (!compileOptions)
    return compileOptions.error();
  Runtime runtime(device, withoutTiers());
  Stopwatch compiling;
  auto kernel = runtime.forward(problem, *compileOptions);
  if (!kernel)
    return kernel.error();
  double compileTime = compiling.milliseconds();
  if (auto done = space->addScratch(*kernel); !done)
    return done.error();
  if (auto done = space->poison(); !done)
    return done.error();
  if (auto done = launch(*kernel, space->arguments(), inputs, compileTime); !done)
    return done.error();
  if (auto told = tellSkipped(*kernel, space->arguments()); !told)
    return told.error();
  return space->download();
}

std::vector<double> doubles(const HostTensor &tensor) {
  std::vector<double> values(tensor.elements());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = toDouble(tensor.bytes.data() + i * byteSize(tensor.dtype), tensor.dtype);
  return values;
}

/// The file's own results, if it has both: o of any type and lse in float32.
Expected<std::optional<ReferenceForward>> expectedIn(const TensorFile &file, const Inputs &inputs) {
  auto o = file.tensors.find("o"), lse = file.tensors.find("lse");
  if (o == file.tensors.end() || lse == file.tensors.end())
    return std::optional<ReferenceForward>();
  std::vector<int64_t> rowShape(inputs.q.shape.begin(), inputs.q.shape.end() - 1);
  if (o->second.shape != inputs.q.shape || lse->second.shape != rowShape)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("o, lse: the file has shapes [{}] and [{}]; q needs [{}] and [{}]",
                             fmt::join(o->second.shape, ", "), fmt::join(lse->second.shape, ", "),
                             fmt::join(inputs.q.shape, ", "), fmt::join(rowShape, ", "))};
  ReferenceForward expected{{}, doubles(o->second), doubles(lse->second)};
  for (int64_t row = 0; row < rowShape[2]; ++row)
    expected.rows.push_back(row);
  return std::optional(std::move(expected));
}

Expected<void> verify(const TensorFile &file, const Inputs &inputs, const Outputs &outputs, const Device &device) {
  auto expected = expectedIn(file, inputs);
  if (!expected)
    return expected.error();
  auto judged = judge(comparisonsOf(compareWithOracle(inputs, outputs), inputs, device), "the float64 oracle");
  if (!*expected)
    return judged;
  Errors errors{relativeError(viewOf(outputs.o), **expected), relativeError(rowsOf(outputs.lse), **expected)};
  auto same = judge(comparisonsOf(errors, inputs, device), "the file");
  return judged ? same : judged;
}

Expected<void> save(const std::string &path, std::map<std::string, HostTensor> tensors, const Inputs &inputs) {
  ForwardSemantics semantics = semanticsOf(inputs);
  TensorFile file;
  file.tensors = std::move(tensors);
  file.metadata = {{"block_size", std::to_string(semantics.blockSize)},
                   {"phase", std::to_string(semantics.phase)},
                   {"q_offset", std::to_string(semantics.qOffset)},
                   {"scale", fmt::format("{}", semantics.scale)}};
  return writeSafetensors(path, file);
}

/// Saves where that was asked for, and passes on what the verification said.
Expected<void> finish(const Options &options, std::map<std::string, HostTensor> tensors, const Inputs &inputs, Expected<void> verified) {
  if (options.output.empty())
    return verified;
  auto saved = save(options.output, std::move(tensors), inputs);
  return verified ? saved : verified;
}

/// What the file holds of a backward's inputs. o and lse are computed where it has neither.
Expected<GradientInputs> takeGradientInputs(const Options &options, TensorFile &file) {
  auto forward = takeInputs(options, file);
  if (!forward)
    return forward.error();
  GradientInputs inputs{std::move(*forward), {}};
  if (auto taken = take("do", file, inputs.dO); !taken)
    return taken.error();
  if (file.tensors.contains("dlse"))
    inputs.dlse = std::move(file.tensors["dlse"]);
  bool hasO = file.tensors.contains("o"), hasLse = file.tensors.contains("lse");
  if (hasO != hasLse)
    return Error{ErrorCode::InvalidArgument, fmt::format("o, lse: the file has only {}; give both, or none to have them computed", hasO ? "o" : "lse")};
  if (hasO)
    inputs.outputs = {std::move(file.tensors["o"]), std::move(file.tensors["lse"])};
  return inputs;
}

/// Compares with the oracle, and with dq, dk and dv of the file where it has them.
Expected<void> verify(const TensorFile &file, const GradientInputs &inputs, const Gradients &gradients, const Device &device) {
  std::vector<Comparison> errors = compareWithOracle(inputs, gradients, device), fileErrors;
  for (auto [comparison, gradient] : {std::pair{errors[0], &gradients.dq}, std::pair{errors[1], &gradients.dk}, std::pair{errors[2], &gradients.dv}}) {
    auto found = file.tensors.find(comparison.tensor);
    if (found == file.tensors.end())
      continue;
    if (found->second.shape != gradient->shape)
      return Error{ErrorCode::InvalidArgument, fmt::format("{}: the file has shape [{}]; the result has [{}]", comparison.tensor,
                                                           fmt::join(found->second.shape, ", "), fmt::join(gradient->shape, ", "))};
    std::vector<int64_t> rows(std::size_t(gradient->shape[2]));
    std::iota(rows.begin(), rows.end(), int64_t(0));
    fileErrors.push_back({comparison.tensor, relativeError(viewOf(*gradient), rows, doubles(found->second)), comparison.tolerance});
  }
  auto judged = judge(errors, "the float64 oracle"), same = judge(fileErrors, "the file");
  return judged ? same : judged;
}

Expected<void> runBackward(const Options &options, const Device &device, TensorFile &file) {
  auto inputs = takeGradientInputs(options, file);
  if (!inputs)
    return inputs.error();
  auto floatGradients = parseGradientType(options.gradientType, Operation::Backward, inputs->forward.q.dtype);
  if (!floatGradients)
    return floatGradients.error();
  Runtime runtime(device, withoutTiers());
  auto space = GradientWorkspace::create(runtime, *inputs, *floatGradients ? DType::F32 : inputs->forward.q.dtype, options.deterministic);
  if (!space)
    return space.error();
  Problem problem = problemOf(space->arguments());
  auto compileOptions = options.kernel.parse(problem, device.target(), lengthClass(space->arguments().k.shape[2]));
  if (!compileOptions)
    return compileOptions.error();
  Stopwatch compiling;
  auto kernel = runtime.backward(problem, *compileOptions);
  if (!kernel)
    return kernel.error();
  double compileTime = compiling.milliseconds();
  if (auto made = space->makeScratch(*kernel); !made)
    return made.error();
  if (auto done = space->poison(); !done)
    return done.error();
  if (auto done = launch(*kernel, space->arguments(), inputs->forward, compileTime); !done)
    return done.error();
  if (auto told = tellSkipped(*kernel, space->arguments()); !told)
    return told.error();
  auto gradients = space->download();
  if (!gradients)
    return gradients.error();
  auto verified = options.verify ? verify(file, *inputs, *gradients, device) : Expected<void>();
  return finish(options, {{"dq", std::move(gradients->dq)}, {"dk", std::move(gradients->dk)}, {"dv", std::move(gradients->dv)}}, inputs->forward,
                verified);
}

Expected<void> run(const Options &options) {
  auto operation = parseOperation(options.operation);
  if (!operation)
    return operation.error();
  if (auto allowed = refuseSteps(*operation); !allowed)
    return allowed;
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  auto file = readSafetensors(options.input);
  if (!file)
    return file.error();
  if (*operation == Operation::Backward)
    return runBackward(options, *device, *file);
  if (auto none = parseGradientType(options.gradientType, *operation, DType::F32); !none)
    return none.error();
  auto inputs = takeInputs(options, *file);
  if (!inputs)
    return inputs.error();
  auto outputs = runForward(options, *device, *inputs);
  if (!outputs)
    return outputs.error();
  auto verified = options.verify ? verify(*file, *inputs, *outputs, *device) : Expected<void>();
  return finish(options, {{"o", std::move(outputs->o)}, {"lse", std::move(outputs->lse)}}, *inputs, verified);
}

} // namespace

Command addRun(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("run", "Run a kernel on the tensors of a safetensors file");
  addOperation(*command, options->operation);
  command->add_option("--input,-i", options->input, "File with q, k and v, each [batch, head, row, column]; for backward do too, and o, lse (else computed) and dlse")
      ->required();
  command->add_option("--output,-o", options->output, "File to write o and lse, or dq, dk and dv to");
  addGradientType(*command, options->gradientType);
  addDeterministic(*command, options->deterministic);
  command->add_option("--block-size,-L", options->blockSize, "Tokens of a block (default: block_size of the metadata)");
  command->add_option("--phase", options->phase,
                      "Tokens of the first block that precede key 0 (default: phase of the metadata, else 0)");
  command->add_option("--scale", options->scale,
                      "Factor of the logits (default: scale of the metadata, else 1/sqrt(D))");
  command->add_option("--q-offset", options->qOffset,
                      "Position of query row 0 (default: q_offset of the metadata, else keys - queries)");
  command->add_option("--gate-threshold", options->gateThreshold,
                      "Skip past tiles in which every gate is below it; what they hold lacks in o, or in dq, dk and dv (default: 0, exact)");
  addDevice(*command, options->device);
  command->add_flag(
      "--verify", options->verify,
      "Compare with the float64 oracle, and with the results that the file has, if any; exit code 3 above the tolerance");
  options->kernel.addTo(*command);
  command->footer(
      "Examples:\n"
      "  landmark run forward --input in.safetensors --verify\n"
      "  landmark run forward --input in.safetensors --block-size 64 --device host --output out.safetensors\n"
      "  landmark run backward --input in.safetensors --output gradients.safetensors --verify\n"
      "  landmark run forward --input in.safetensors --template my.mlir --verify   # a kernel of your own");
  return {command, [options] { return run(*options); }};
}

} // namespace landmark::tool
