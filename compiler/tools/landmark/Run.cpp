// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark run: a kernel on the tensors of a file.
#include "Command.h"
#include "Verify.h"

#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark::tool {

namespace {

struct Options {
  std::string operation, input, output;
  std::string device = "auto";
  std::optional<int64_t> blockSize, phase, qOffset;
  std::optional<double> scale;
  bool verify = false;
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
  inputs.qOffset = *qOffset;
  if (*scale)
    inputs.scale = float(**scale);
  return {};
}

Expected<Inputs> takeInputs(const Options &options, TensorFile &file) {
  Inputs inputs;
  for (auto [name, tensor] : {std::pair{"q", &inputs.q}, std::pair{"k", &inputs.k}, std::pair{"v", &inputs.v}}) {
    auto found = file.tensors.find(name);
    if (found == file.tensors.end())
      return Error{ErrorCode::InvalidArgument, fmt::format("{}: the file has no tensor of this name", name)};
    *tensor = std::move(found->second);
  }
  if (auto chosen = chooseScalars(options, file, inputs); !chosen)
    return chosen.error();
  return inputs;
}

/// Compiles and launches on poisoned outputs.
Expected<Outputs> runForward(const Options &options, const Device &device, const Inputs &inputs) {
  auto space = Workspace::create(device, inputs);
  if (!space)
    return space.error();
  if (auto done = space->poison(); !done)
    return done.error();
  Problem problem = problemOf(space->arguments());
  auto compileOptions = options.kernel.parse(problem, device.target());
  if (!compileOptions)
    return compileOptions.error();
  Runtime runtime(device);
  Stopwatch compiling;
  auto kernel = runtime.forward(problem, *compileOptions);
  if (!kernel)
    return kernel.error();
  double compileTime = compiling.milliseconds();
  Stopwatch running;
  if (auto done = kernel->launch(space->arguments()); !done)
    return done.error();
  if (auto done = device.synchronize(); !done)
    return done.error();
  fmt::print("{} on {}, {}\n", landmark::describe(problem), tool::describe(device), describe(kernel->kernel().config));
  fmt::print("q [{}], k [{}]: compiled in {:.1f} ms, ran in {:.3f} ms (first launch)\n",
             fmt::join(inputs.q.shape, ", "), fmt::join(inputs.k.shape, ", "), compileTime, running.milliseconds());
  return space->download();
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
  auto doubles = [](const HostTensor &tensor) {
    std::vector<double> values(tensor.elements());
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = toDouble(tensor.bytes.data() + i * byteSize(tensor.dtype), tensor.dtype);
    return values;
  };
  ReferenceForward expected{{}, doubles(o->second), doubles(lse->second)};
  for (int64_t row = 0; row < rowShape[2]; ++row)
    expected.rows.push_back(row);
  return std::optional(std::move(expected));
}

Expected<void> verify(const TensorFile &file, const Inputs &inputs, const Outputs &outputs, const Device &device) {
  auto expected = expectedIn(file, inputs);
  if (!expected)
    return expected.error();
  auto judged = judge(compareWithOracle(inputs, outputs), "the float64 oracle", inputs.q.dtype, device);
  if (!*expected)
    return judged;
  Errors errors{relativeError(viewOf(outputs.o), **expected), relativeError(rowsOf(outputs.lse), **expected)};
  auto same = judge(errors, "the file", inputs.q.dtype, device);
  return judged ? same : judged;
}

Expected<void> save(const std::string &path, Outputs outputs, const Inputs &inputs) {
  ForwardSemantics semantics = semanticsOf(inputs);
  TensorFile file;
  file.tensors["o"] = std::move(outputs.o);
  file.tensors["lse"] = std::move(outputs.lse);
  file.metadata = {{"block_size", std::to_string(semantics.blockSize)},
                   {"phase", std::to_string(semantics.phase)},
                   {"q_offset", std::to_string(semantics.qOffset)},
                   {"scale", fmt::format("{}", semantics.scale)}};
  return writeSafetensors(path, file);
}

Expected<void> run(const Options &options) {
  auto operation = parseOperation(options.operation);
  if (!operation)
    return operation.error();
  if (auto allowed = requireForward(*operation); !allowed)
    return allowed;
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  auto file = readSafetensors(options.input);
  if (!file)
    return file.error();
  auto inputs = takeInputs(options, *file);
  if (!inputs)
    return inputs.error();
  auto outputs = runForward(options, *device, *inputs);
  if (!outputs)
    return outputs.error();
  auto verified = options.verify ? verify(*file, *inputs, *outputs, *device) : Expected<void>();
  if (options.output.empty())
    return verified;
  auto saved = save(options.output, std::move(*outputs), *inputs);
  return verified ? saved : verified;
}

} // namespace

Command addRun(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("run", "Run a kernel on the tensors of a safetensors file");
  addOperation(*command, options->operation);
  command->add_option("--input,-i", options->input, "File with q, k and v, each [batch, head, row, column]")
      ->required();
  command->add_option("--output,-o", options->output, "File to write o and lse to");
  command->add_option("--block-size,-L", options->blockSize, "Tokens of a block (default: block_size of the metadata)");
  command->add_option("--phase", options->phase,
                      "Tokens of the first block that precede key 0 (default: phase of the metadata, else 0)");
  command->add_option("--scale", options->scale,
                      "Factor of the logits (default: scale of the metadata, else 1/sqrt(D))");
  command->add_option("--q-offset", options->qOffset,
                      "Position of query row 0 (default: q_offset of the metadata, else keys - queries)");
  addDevice(*command, options->device);
  command->add_flag(
      "--verify", options->verify,
      "Compare with the float64 oracle, and with o and lse of the file if it has them; exit code 3 above the "
      "tolerance");
  options->kernel.addTo(*command);
  command->footer(
      "Examples:\n"
      "  landmark run forward --input in.safetensors --verify\n"
      "  landmark run forward --input in.safetensors --block-size 64 --device host --output out.safetensors\n"
      "  landmark run forward --input in.safetensors --template my.mlir --verify   # a kernel of your own");
  return {command, [options] { return run(*options); }};
}

} // namespace landmark::tool
