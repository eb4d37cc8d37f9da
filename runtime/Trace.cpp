// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Trace.h"

#include "Knobs.h"
#include "Log.h"

#include <dlfcn.h>
#include <nlohmann/json.hpp>

namespace landmark {

namespace {

/// The part of NVTX's C interface that ranges take. https://nvidia.github.io/NVTX
struct Nvtx {
  int (*push)(const char *name) = nullptr;
  int (*pop)() = nullptr;

  bool load(const char *library) {
    void *handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL); // profilers read it until the process ends
    if (!handle)
      return false;
    push = reinterpret_cast<decltype(push)>(::dlsym(handle, "nvtxRangePushA"));
    pop = reinterpret_cast<decltype(pop)>(::dlsym(handle, "nvtxRangePop"));
    if (push && pop)
      return true;
    ::dlclose(handle);
    return false;
  }
};

/// With null members where there are to be no ranges.
Nvtx loadNvtx() {
  Nvtx nvtx;
  std::string wanted = Knobs::fromEnvironment().nvtx;
  if (wanted == "off")
    return {};
  if (wanted != "on" && nvtx.load(wanted.c_str()))
    return nvtx;
  for (const char *usual : {"libnvToolsExt.so.1", "libnvtx3interop.so.1", "libnvtx3interop.so"})
    if (wanted == "on" && nvtx.load(usual))
      return nvtx;
  Log::get().write("nvtx.missing", {{"reason", "no library of NVTX was found: there are no ranges"}});
  return {};
}

const Nvtx &nvtx() {
  static const Nvtx loaded = loadNvtx();
  return loaded;
}

} // namespace

bool TraceRange::isOn() { return nvtx().push; }

TraceRange::TraceRange(const char *name) {
  if (isOn())
    nvtx().push(name);
}

TraceRange::~TraceRange() {
  if (isOn())
    nvtx().pop();
}

} // namespace landmark
