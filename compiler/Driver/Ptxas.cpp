// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Driver/Ptxas.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <regex>
#include <unistd.h>

namespace landmark {
namespace {

/// A temporary file that goes away with the object.
struct TemporaryFile {
  llvm::SmallString<128> path;
  llvm::FileRemover remover;

  static Expected<std::unique_ptr<TemporaryFile>> create(llvm::StringRef suffix, llvm::StringRef contents = "") {
    auto file = std::make_unique<TemporaryFile>();
    int descriptor;
    if (std::error_code error = llvm::sys::fs::createTemporaryFile("landmark", suffix, descriptor, file->path))
      return Error{ErrorCode::IoError, fmt::format("cannot create a temporary file: {}", error.message())};
    file->remover.setFile(file->path);
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << contents;
    stream.close();
    if (stream.has_error()) {
      stream.clear_error();
      return Error{ErrorCode::IoError, fmt::format("cannot write '{}'", file->path.str().str())};
    }
    return file;
  }

  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }
};

/// A program of the CUDA toolkit, from PATH or the usual place, or where a path says; empty if it is not there.
std::string findTool(llvm::StringRef name) {
  if (name.contains('/'))
    return llvm::sys::fs::can_execute(name) ? name.str() : std::string();
  if (auto found = llvm::sys::findProgramByName(name))
    return *found;
  auto found = llvm::sys::findProgramByName(name, {"/usr/local/cuda/bin"});
  return found ? *found : std::string();
}

/// This process's environment, and that the C library asks for huge pages unless it was told about that: ptxas fills tens of megabytes once, and spends a
/// twentieth of its time on the faults of small ones.
llvm::SmallVector<llvm::StringRef> environmentWithHugePages() {
  llvm::SmallVector<llvm::StringRef> variables;
  for (char **variable = environ; *variable; ++variable)
    variables.push_back(*variable);
  if (llvm::none_of(variables, [](llvm::StringRef variable) { return variable.starts_with("GLIBC_TUNABLES="); }))
    variables.push_back("GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
  return variables;
}

/// Runs a program; its output on success, an error with its output otherwise.
Expected<std::string> run(const std::string &program, llvm::ArrayRef<std::string> arguments) {
  auto output = TemporaryFile::create("log");
  if (!output)
    return output.error();
  llvm::SmallVector<llvm::StringRef> argv = {program};
  argv.append(arguments.begin(), arguments.end());
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), (*output)->path.str(), (*output)->path.str()};
  std::string message;
  // Without a limit: LLVM keeps one by the process's alarm, which is the program's, and this may run in the background.
  int code = llvm::sys::ExecuteAndWait(program, argv, environmentWithHugePages(), redirects, /*SecondsToWait=*/0, 0, &message);
  std::string text = (*output)->read();
  if (code == 0)
    return text;
  Error error{ErrorCode::CompileFailed, fmt::format("{} failed ({}) {}", program, code, message)};
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n', -1, false);
  for (llvm::StringRef line : lines)
    error.notes.push_back(line.str());
  return error;
}

int64_t numberBefore(const std::string &text, const char *what) {
  std::smatch match;
  return std::regex_search(text, match, std::regex(fmt::format("([0-9]+) {}", what))) ? std::stoll(match[1]) : 0;
}

/// Why a function's products are serialized, as ptxas says in front of the paragraphs; empty if they are not.
std::string serialization(const std::string &log, const std::string &function) {
  static const std::regex line(R"(\((C\d+)\)[^\n]*wgmma\.mma_async instructions are serialized due to ([^\n]*) in the function '([^']*)')");
  for (std::sregex_iterator found(log.begin(), log.end(), line), end; found != end; ++found)
    if ((*found)[3] == function)
      return fmt::format("{} ({})", (*found)[2].str(), (*found)[1].str());
  return "";
}

/// ptxas prints a paragraph for each function, headed by its name.
std::vector<ResourceUse> parseUse(const std::string &log) {
  static const std::regex heading("Compiling entry function '([^']*)'");
  std::vector<ResourceUse> functions;
  for (std::sregex_iterator found(log.begin(), log.end(), heading), end; found != end; ++found) {
    std::string paragraph = found->suffix();
    paragraph.resize(std::min(paragraph.size(), paragraph.find("Compiling entry function")));
    ResourceUse use;
    use.function = (*found)[1];
    use.registers = numberBefore(paragraph, "registers");
    use.spillStoreBytes = numberBefore(paragraph, "bytes spill stores");
    use.spillLoadBytes = numberBefore(paragraph, "bytes spill loads");
    use.stackBytes = numberBefore(paragraph, "bytes stack frame");
    use.staticSharedBytes = numberBefore(paragraph, "bytes smem");
    use.serialized = serialization(log, use.function);
    functions.push_back(std::move(use));
  }
  return functions;
}

} // namespace

static std::string findPtxas(const std::string &program) { return findTool(program.empty() ? "ptxas" : llvm::StringRef(program)); }

bool hasPtxas(const std::string &program) { return program != "off" && !findPtxas(program).empty(); }

Expected<Assembled> assemble(const std::string &ptx, const std::string &chip, const std::string &program, Tier tier) {
  if (program == "off")
    return Error{ErrorCode::NotFound, "ptxas: switched off"};
  std::string ptxas = findPtxas(program);
  if (ptxas.empty() && !program.empty())
    return Error{ErrorCode::NotFound, fmt::format("ptxas: '{}' is no program", program)};
  if (ptxas.empty())
    return Error{ErrorCode::NotFound, "ptxas: not in PATH; install the CUDA toolkit's compiler to assemble PTX here"};
  auto source = TemporaryFile::create("ptx", ptx), object = TemporaryFile::create("cubin");
  if (!source || !object)
    return source ? object.error() : source.error();
  std::vector<std::string> arguments = {"-v", "-arch=" + chip, (*source)->path.str().str(), "-o", (*object)->path.str().str()};
  if (tier == Tier::Baseline)
    arguments.push_back("-O1"); // takes a sixth less
  auto log = run(ptxas, arguments);
  if (!log)
    return log.error();
  return Assembled{(*object)->read(), parseUse(*log)};
}

Expected<std::string> disassemble(const std::string &cubin) {
  auto object = TemporaryFile::create("cubin", cubin);
  if (!object)
    return object.error();
  std::string path = (*object)->path.str().str();
  if (std::string tool = findTool("nvdisasm"); !tool.empty())
    return run(tool, {"-c", path});
  if (std::string tool = findTool("cuobjdump"); !tool.empty())
    return run(tool, {"--dump-sass", path});
  return Error{ErrorCode::NotFound, "SASS: neither nvdisasm nor cuobjdump is in PATH; install one of the CUDA toolkit's binary utilities"};
}

} // namespace landmark
