// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Assembler.h"

#include "DeviceState.h"
#include "Log.h"
#include "compiler/Driver/Ptxas.h"
#include "cuda/Assemble.h"

#include <charconv>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace landmark {

namespace {

/// Writes PTX that an assembler refused, and says how to have it refused again.
Error withReproducer(Error error, const Kernel &kernel, const CompileOptions &options, std::string_view command) {
  if (options.reproducerDir.empty())
    return error;
  std::filesystem::path folder = options.reproducerDir, path = folder / fmt::format("{}.reproducer.ptx", kernel.name);
  std::error_code failed; // then the file cannot be written either
  std::filesystem::create_directories(folder, failed);
  std::ofstream file(path, std::ios::binary);
  if (file << kernel.ptx << std::flush)
    error.notes.push_back(fmt::format("to replay it: {} '{}'", command, path.string()));
  return error;
}

Expected<Cubin> assembleByDriver(const Kernel &kernel, const Device &device, const CompileOptions &options) {
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context);
  if (!scope.status())
    return scope.status().error();
  // The linker assembles relocatable code, in which setmaxnreg means nothing: the kernel spills, at half of its speed.
  if (movesRegisters(kernel))
    return Cubin{"", cuda::describeDriver(*on.driver)};
  auto code = cuda::assemble(*on.driver, kernel.ptx);
  if (!code)
    return withReproducer(code.error(), kernel, options, fmt::format("ptxas -arch={}", kernel.target.chip));
  return Cubin{std::move(*code), cuda::describeDriver(*on.driver)};
}

} // namespace

static constexpr std::string_view setRegisters = "setmaxnreg.";

bool movesRegisters(const Kernel &kernel) { return kernel.ptx.find(setRegisters) != std::string::npos; }

/// The function's own text: to the next one, or the end.
static std::string_view textOf(const Kernel &kernel, const std::string &function) {
  std::string_view text = kernel.ptx;
  std::size_t begin = text.find(fmt::format(".entry {}(", function));
  return begin == std::string_view::npos ? text : text.substr(begin, text.find(".entry ", begin + 1) - begin);
}

Expected<void> checkRegisters(const Kernel &kernel, const Kernel::Function &function, int64_t registers) {
  constexpr int64_t group = 128, unit = 8; // threads of each group that gives registers away; a thread's come in eights
  std::string_view text = textOf(kernel, function.name);
  int64_t kept = 0, wanted = 0, takers = function.threads;
  for (std::size_t found = text.find(setRegisters); found != std::string_view::npos; found = text.find(setRegisters, found + 1)) {
    bool gives = text.substr(found + setRegisters.size(), 3) == "dec";
    std::size_t digits = text.find_first_of("0123456789;", text.find(".u32", found) + 4);
    int64_t count = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), count);
    gives ? kept += count * group : wanted = count;
    takers -= gives ? group : 0;
  }
  int64_t needed = wanted * takers + kept;
  int64_t there = (registers + unit - 1) / unit * unit * function.threads;
  if (wanted == 0 || needed <= there)
    return {};
  return Error{ErrorCode::Unsupported,
               fmt::format("{} with {}: its warps would wait for registers forever: they ask for {}, and the assembler has "
                           "a block start with {}; a larger key_tile, or fewer warps, makes it start with more",
                           describe(kernel.problem), describe(kernel.config), needed, there)};
}

Expected<Cubin> assembleByPtxas(const Kernel &kernel, const CompileOptions &options) {
  auto assembled = assemble(kernel.ptx, kernel.target.chip, options.ptxas, kernel.tier);
  if (assembled)
    return Cubin{std::move(assembled->cubin), "ptxas"};
  if (assembled.error().code != ErrorCode::CompileFailed)
    return assembled.error();
  return withReproducer(assembled.error(), kernel, options, fmt::format("ptxas -arch={}", kernel.target.chip));
}

std::function<Expected<Cubin>(const Kernel &)> assemblerOf(const Device &device, const CompileOptions &options) {
  if (device.isHost())
    return {};
  return [device, options](const Kernel &kernel) -> Expected<Cubin> {
    auto assembled = assembleByPtxas(kernel, options);
    if (assembled)
      return assembled;
    // An old toolkit's ptxas, perhaps, beside a newer driver.
    if (const Error &error = assembled.error(); error.code != ErrorCode::NotFound)
      Log::get().write("ptxas.failed", {{"reason", error.message}, {"notes", error.notes}});
    return assembleByDriver(kernel, device, options);
  };
}

} // namespace landmark
