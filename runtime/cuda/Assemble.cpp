// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cuda/Assemble.h"

#include <fmt/format.h>

namespace landmark::cuda {

namespace {

/// Where the driver's assembler writes what it has to say.
class JitLog {
public:
  unsigned count() const { return 2; }
  int *options() { return keys; }
  void **values() { return data; }

  /// The driver's verdict, with its log as a note.
  Error explain(Error error) const {
    if (text[0])
      error.notes.push_back(text.c_str());
    return error;
  }

private:
  static constexpr std::size_t bytes = 16384;
  std::string text = std::string(bytes, '\0');
  int keys[2] = {ErrorLogBuffer, ErrorLogBufferBytes};
  void *data[2] = {text.data(), reinterpret_cast<void *>(bytes)};
};

} // namespace

Expected<std::string> assemble(const Driver &driver, const std::string &ptx) {
  JitLog log;
  LinkState state = nullptr;
  if (auto made = driver.check(driver.linkCreate(log.count(), log.options(), log.values(), &state), "cuLinkCreate");
      !made)
    return made.error();
  void *cubin = nullptr;
  std::size_t bytes = 0;
  auto done = driver.check(driver.linkAddData(state, PtxInput, const_cast<char *>(ptx.c_str()), ptx.size() + 1,
                                              "kernel.ptx", 0, nullptr, nullptr),
                           "cuLinkAddData");
  if (done)
    done = driver.check(driver.linkComplete(state, &cubin, &bytes), "cuLinkComplete");
  // The cubin belongs to the link state.
  std::string code = done ? std::string(static_cast<const char *>(cubin), bytes) : std::string();
  driver.linkDestroy(state);
  if (!done)
    return log.explain(done.error());
  return code;
}

Expected<Module> load(const Driver &driver, const std::string &image) {
  JitLog log;
  Module module = nullptr;
  Result result = driver.moduleLoadDataEx(&module, image.c_str(), log.count(), log.options(), log.values());
  if (auto loaded = driver.check(result, "cuModuleLoadDataEx"); !loaded)
    return log.explain(loaded.error());
  return module;
}

std::string describeDriver(const Driver &driver) {
  int version = 0;
  driver.driverGetVersion(&version);
  return fmt::format("CUDA driver {}.{}", version / 1000, version % 1000 / 10);
}

} // namespace landmark::cuda
