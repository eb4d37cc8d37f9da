// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Command.h"
#include "Knobs.h"
#include "landmark/Version.h"

#include <fmt/format.h>
#include <new>

using namespace landmark;

namespace {

/// Runs the command that the command line chose.
int runChosen(const std::vector<tool::Command> &commands) {
  for (const tool::Command &command : commands)
    if (command.app->parsed())
      if (auto done = command.run(); !done)
        return tool::report(done.error());
  return tool::Success;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Compiles, runs and inspects landmark attention kernels."};
  app.require_subcommand(1);
  app.set_version_flag("--version", landmark::version());
  app.footer(
      "Examples:\n"
      "  landmark info\n"
      "  landmark compile forward --head-dim 128 --block-size 64 --target sm_90 --emit ptx\n"
      "  landmark run forward --input in.safetensors --output out.safetensors --verify\n"
      "  landmark bench forward --head-dim 128 --length 16384 --heads 16 --json result.json\n"
      "  landmark bench decode --context 1048576 --heads 32 --kv-heads 8 --top-k 4\n"
      "  landmark tune forward --head-dim 128 --length 16384\n"
      "  landmark demo --text README.md\n"
      "  landmark decode-demo --tokens 1000000\n\n"
      "'landmark COMMAND --help' says more.\n"
      "Exit codes: 0 success; 1 a compilation, a file or a device failed; 2 the command line or an argument was\n"
      "refused; 3 a verification found an error above its tolerance.");
  std::vector<tool::Command> commands;
  for (auto add : {tool::addRun, tool::addCompile, tool::addBench, tool::addTune, tool::addCache, tool::addInfo, tool::addDemo, tool::addDecodeDemo})
    commands.push_back(add(app));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &parsed) {
    return app.exit(parsed) == 0 ? tool::Success : tool::Usage;
  }
  try {
    for (const std::string &complaint : Knobs::fromEnvironment().refused)
      fmt::print(stderr, "landmark: warning: {}\n", complaint);
    return runChosen(commands);
  } catch (const std::bad_alloc &) {
    return tool::report({ErrorCode::DeviceError, "the host has not enough memory"});
  }
}
