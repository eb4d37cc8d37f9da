// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark demo: the whole of the project on a text file.
#include "Command.h"
#include "Gates.h"
#include "TextInput.h"
#include "Timing.h"
#include "Verify.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <numeric>

namespace landmark::tool {

namespace {

constexpr int64_t lastBytes = 8; // rows whose gates are shown
constexpr std::size_t shownBlocks = 5;
constexpr std::size_t shownBytes = 40;

struct Options {
  std::string text, dtype = "bf16", device = "auto", ptx = "landmark_forward.ptx";
  TextOptions input{.headDim = 64};
  int64_t maxBytes = 32768;
  KernelOptions kernel;
};

Expected<std::string> readText(const Options &options) {
  std::ifstream file(options.text, std::ios::binary);
  std::string text(std::size_t(options.maxBytes), '\0');
  file.read(text.data(), std::streamsize(text.size()));
  if (!file.is_open() || file.bad())
    return Error{ErrorCode::IoError, fmt::format("{}: cannot be read", options.text)};
  text.resize(std::size_t(file.gcount()));
  if (text.empty())
    return Error{ErrorCode::IoError, fmt::format("{}: holds no text", options.text)};
  if (file.peek() != std::ifstream::traits_type::eof())
    fmt::print("(only the first {} bytes are used: --max-bytes)\n", options.maxBytes);
  return text;
}

std::string shown(const uint16_t *tokens, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < std::min(count, shownBytes); ++i)
    text += tokens[i] >= 0x20 && tokens[i] < 0x7f ? char(tokens[i]) : tokens[i] == '\n' ? ' ' : '.';
  return text;
}

void printGates(const Inputs &inputs, const std::vector<uint16_t> &tokens) {
  Gates gates = lastRowsGates(inputs, lastBytes);
  std::vector<std::size_t> order(gates.past.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return gates.past[a] > gates.past[b]; });
  order.resize(std::min(order.size(), shownBlocks));
  std::size_t length = std::size_t(inputs.blockSize);
  std::size_t tail = std::min(tokens.size(), shownBytes);
  fmt::print("\nThe last {} positions look at (mean over heads); the text ends on '{}'\n", lastBytes,
             shown(tokens.data() + tokens.size() - tail, tail));
  fmt::print("  {:>6.1f}%  their own block\n", 100 * gates.own);
  for (std::size_t block : order)
    if (gates.past[block] > 0)
      fmt::print("  {:>6.1f}%  block {:<5} '{}'\n", 100 * gates.past[block], block,
                 shown(tokens.data() + block * length, length - 1));
}

/// PTX of the same problem: the kernel's own on a GPU, that for sm_80 where there is none.
Expected<std::string> ptxOf(const ForwardKernel &kernel, const CompileOptions &options) {
  if (!kernel.kernel().ptx.empty())
    return kernel.kernel().ptx;
  auto target = parseTarget("sm_80");
  if (!target)
    return target.error();
  CompileOptions gpuOptions = options;
  gpuOptions.config.reset(); // these two are for the host
  gpuOptions.resumeStage.reset();
  return Compiler().emit(kernel.kernel().problem, *target, Stage::PTX, gpuOptions);
}

Expected<void> writePtx(const Options &options, const ForwardKernel &kernel, const CompileOptions &compileOptions) {
  auto ptx = ptxOf(kernel, compileOptions);
  if (!ptx)
    return ptx.error();
  if (auto written = writeFile(options.ptx, *ptx); !written)
    return written;
  std::error_code ignored;
  fmt::print("\nPTX written to {}\n", std::filesystem::absolute(options.ptx, ignored).string());
  return {};
}

/// Poisons, launches once, verifies; then times.
Expected<void> runAndVerify(const Inputs &inputs, Workspace &space, const ForwardKernel &kernel) {
  const Device &device = kernel.device();
  auto launch = [&] { return kernel.launch(space.arguments()); };
  if (auto done = space.poison(); !done)
    return done;
  if (auto done = launch(); !done)
    return done;
  auto outputs = space.download();
  if (!outputs)
    return outputs.error();
  auto times = timeCalls(device, 5, launch);
  if (!times)
    return times.error();
  fmt::print("ran in {:.3f} ms (median of {})\n", median(*times), times->size());
  Errors errors = compareSample(inputs, *outputs, 64, inputs.q.shape[1]);
  return judge(errors, "the float64 oracle on sampled rows", inputs.q.dtype, device);
}

Expected<void> demo(const Options &options) {
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  auto dtype = parseDType(options.dtype);
  if (!dtype)
    return dtype.error();
  auto text = readText(options);
  if (!text)
    return text.error();
  TextOptions textOptions = options.input;
  textOptions.dtype = *dtype;
  auto made = textInput(*text, textOptions);
  if (!made)
    return made.error();
  Inputs inputs{std::move(made->q), std::move(made->k), std::move(made->v), textOptions.blockSize};
  auto space = Workspace::create(*device, inputs);
  if (!space)
    return space.error();
  Problem problem = problemOf(space->arguments());
  auto compileOptions = options.kernel.parse(problem, device->target(), lengthClass(space->arguments().k.shape[2]));
  if (!compileOptions)
    return compileOptions.error();
  fmt::print("{}: {} bytes, {} tokens with landmarks, {} query and {} key/value heads\n", options.text, text->size(),
             made->tokens.size(), textOptions.heads, textOptions.kvHeads);
  Runtime runtime(*device, withoutTiers());
  Stopwatch compiling;
  auto kernel = runtime.forward(problem, *compileOptions);
  if (!kernel)
    return kernel.error();
  fmt::print("{} on {}, {}\ncompiled in {:.1f} ms\n", landmark::describe(problem), tool::describe(*device),
             describe(kernel->kernel().config), compiling.milliseconds());
  if (auto done = runAndVerify(inputs, *space, *kernel); !done)
    return done;
  printGates(inputs, made->tokens);
  return writePtx(options, *kernel, *compileOptions);
}

} // namespace

Command addDemo(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("demo", "Run landmark attention over the bytes of a text file");
  command->add_option("--text", options->text, "Text file")->required();
  command
      ->add_option("--block-size,-L", options->input.blockSize,
                   "Tokens of a block: a landmark follows every L - 1 bytes")
      ->capture_default_str();
  command->add_option("--head-dim,-D", options->input.headDim, "Head dimension")->capture_default_str();
  command->add_option("--heads,-H", options->input.heads, "Query heads")->capture_default_str();
  command->add_option("--kv-heads,-G", options->input.kvHeads, "Key/value heads")->capture_default_str();
  command->add_option("--dtype", options->dtype, "bf16, f16 or f32")->capture_default_str();
  command->add_option("--seed", options->input.seed, "Seed of the byte embeddings")->capture_default_str();
  command->add_option("--max-bytes", options->maxBytes, "How much of the text to use")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24))
      ->capture_default_str();
  addDevice(*command, options->device);
  command->add_option("--ptx", options->ptx, "File to write the kernel's PTX to")->capture_default_str();
  options->kernel.addTo(*command);
  command->footer("The text becomes q, k and v (bytes, a fixed random embedding, rotary positions), the kernel is "
                  "compiled for the\n"
                  "block size and head dimension, run, checked against the float64 oracle (exit code 3 above the "
                  "tolerance), and the\n"
                  "past blocks that the last bytes look at are shown.\n\nExamples:\n"
                  "  landmark demo --text README.md\n"
                  "  landmark demo --text book.txt --block-size 51 --head-dim 128 --device host");
  return {command, [options] { return demo(*options); }};
}

} // namespace landmark::tool
