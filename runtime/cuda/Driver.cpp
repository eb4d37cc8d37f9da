// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cuda/Driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace landmark::cuda {

namespace {

constexpr const char *libraryName = "libcuda.so.1";
constexpr int apiVersion = 12000, batchCopyVersion = 12080;

using GetProcAddress = Result (*)(const char *symbol, void **function, int version, unsigned long long flags,
                                  int *symbolStatus);

/// Fills one member of the table; remembers the first symbol that is missing.
struct Loader {
  GetProcAddress getProcAddress;
  const char *missing = nullptr;

  template <typename Function> void operator()(Function &member, const char *symbol, int version = apiVersion) {
    void *address = nullptr;
    if (getProcAddress(symbol, &address, version, 0, nullptr) != success || !address)
      missing = missing ? missing : symbol;
    member = reinterpret_cast<Function>(address);
  }

  /// Null where the driver lacks it.
  template <typename Function> void optional(Function &member, const char *symbol, int version) {
    const char *before = missing;
    (*this)(member, symbol, version);
    missing = before;
  }
};

void loadDevices(Loader &load, Driver &driver) {
  load(driver.init, "cuInit");
  load(driver.driverGetVersion, "cuDriverGetVersion");
  load(driver.getErrorName, "cuGetErrorName");
  load(driver.getErrorString, "cuGetErrorString");
  load(driver.deviceGetCount, "cuDeviceGetCount");
  load(driver.deviceGet, "cuDeviceGet");
  load(driver.deviceGetName, "cuDeviceGetName");
  load(driver.deviceGetAttribute, "cuDeviceGetAttribute");
  load(driver.deviceTotalMem, "cuDeviceTotalMem");
  load(driver.devicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  load(driver.devicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease");
  load(driver.ctxCreate, "cuCtxCreate", 3020); // later ones take another parameter
  load(driver.ctxDestroy, "cuCtxDestroy");
  load(driver.ctxGetCurrent, "cuCtxGetCurrent");
  load(driver.ctxGetDevice, "cuCtxGetDevice");
  load(driver.ctxPushCurrent, "cuCtxPushCurrent");
  load(driver.ctxPopCurrent, "cuCtxPopCurrent");
  load(driver.ctxSynchronize, "cuCtxSynchronize");
}

void loadExecution(Loader &load, Driver &driver) {
  load(driver.moduleLoadDataEx, "cuModuleLoadDataEx");
  load(driver.linkCreate, "cuLinkCreate");
  load(driver.linkAddData, "cuLinkAddData");
  load(driver.linkComplete, "cuLinkComplete");
  load(driver.linkDestroy, "cuLinkDestroy");
  load(driver.moduleUnload, "cuModuleUnload");
  load(driver.moduleGetFunction, "cuModuleGetFunction");
  load(driver.funcGetAttribute, "cuFuncGetAttribute");
  load(driver.funcSetAttribute, "cuFuncSetAttribute");
  load(driver.launchKernelEx, "cuLaunchKernelEx");
  load(driver.tensorMapEncodeTiled, "cuTensorMapEncodeTiled");
  load(driver.tensorMapReplaceAddress, "cuTensorMapReplaceAddress");
  load(driver.memAlloc, "cuMemAlloc");
  load(driver.memFree, "cuMemFree");
  load(driver.memcpyHtoD, "cuMemcpyHtoD");
  load(driver.memcpyDtoH, "cuMemcpyDtoH");
  load(driver.memsetD8, "cuMemsetD8");
  load(driver.memcpyAsync, "cuMemcpyAsync");
  load(driver.memcpyHtoDAsync, "cuMemcpyHtoDAsync");
  load(driver.memcpy2DAsync, "cuMemcpy2DAsync");
  load.optional(driver.memcpyBatchAsync, "cuMemcpyBatchAsync", batchCopyVersion);
  load(driver.memGetAllocationGranularity, "cuMemGetAllocationGranularity");
  load(driver.memAddressReserve, "cuMemAddressReserve");
  load(driver.memAddressFree, "cuMemAddressFree");
  load(driver.memCreate, "cuMemCreate");
  load(driver.memRelease, "cuMemRelease");
  load(driver.memMap, "cuMemMap");
  load(driver.memUnmap, "cuMemUnmap");
  load(driver.memSetAccess, "cuMemSetAccess");
  load(driver.memHostRegister, "cuMemHostRegister");
  load(driver.memHostUnregister, "cuMemHostUnregister");
  load(driver.pointerGetAttribute, "cuPointerGetAttribute");
  load(driver.streamCreate, "cuStreamCreate");
  load(driver.streamDestroy, "cuStreamDestroy");
  load(driver.streamSynchronize, "cuStreamSynchronize");
  load(driver.streamWaitEvent, "cuStreamWaitEvent");
  load(driver.streamIsCapturing, "cuStreamIsCapturing");
  load(driver.eventCreate, "cuEventCreate");
  load(driver.eventRecord, "cuEventRecord");
  load(driver.eventQuery, "cuEventQuery");
  load(driver.eventSynchronize, "cuEventSynchronize");
  load(driver.eventElapsedTime, "cuEventElapsedTime");
  load(driver.eventDestroy, "cuEventDestroy");
  load(driver.threadExchangeStreamCaptureMode, "cuThreadExchangeStreamCaptureMode");
  load(driver.streamBeginCapture, "cuStreamBeginCapture");
  load(driver.streamEndCapture, "cuStreamEndCapture");
  load(driver.graphInstantiate, "cuGraphInstantiateWithFlags");
  load(driver.graphLaunch, "cuGraphLaunch");
  load(driver.graphExecDestroy, "cuGraphExecDestroy");
  load(driver.graphDestroy, "cuGraphDestroy");
}

/// The library stays loaded for the life of the process: kernels and contexts outlive any scope of ours.
Expected<Driver> loadTable() {
  void *library = dlopen(libraryName, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Error{ErrorCode::NotFound, fmt::format("no CUDA driver: {}", dlerror())};
  auto getProcAddress = reinterpret_cast<GetProcAddress>(dlsym(library, "cuGetProcAddress_v2"));
  if (!getProcAddress)
    return Error{ErrorCode::NotFound,
                 "the CUDA driver is too old: it has no cuGetProcAddress_v2; CUDA 12.0 or newer is needed"};
  Loader load{getProcAddress};
  Driver driver;
  loadDevices(load, driver);
  loadExecution(load, driver);
  if (load.missing)
    return Error{ErrorCode::NotFound, fmt::format("the CUDA driver has no entry point {}", load.missing)};
  return driver;
}

const Expected<Driver> &table() {
  static const Expected<Driver> loaded = loadTable();
  return loaded;
}

Expected<const Driver *> initialise() {
  const Expected<Driver> &loaded = table();
  if (!loaded)
    return loaded.error();
  if (auto ready = loaded->check(loaded->init(0), "cuInit"); !ready)
    return Error{ErrorCode::NotFound, fmt::format("no usable CUDA device: {}", ready.error().message)};
  return &*loaded;
}

} // namespace

Expected<const Driver *> Driver::get() {
  static const Expected<const Driver *> driver = initialise();
  return driver;
}

const Driver *Driver::resident() {
  void *library = dlopen(libraryName, RTLD_NOW | RTLD_NOLOAD);
  if (!library)
    return nullptr;
  dlclose(library);
  const Expected<Driver> &loaded = table();
  return loaded ? &*loaded : nullptr;
}

Expected<void> Driver::check(Result result, std::string_view what) const {
  if (result == success)
    return {};
  const char *name = nullptr;
  const char *text = nullptr;
  getErrorName(result, &name);
  getErrorString(result, &text);
  return Error{
      ErrorCode::DeviceError,
      fmt::format("{} failed: {} ({})", what, name ? name : std::to_string(result).c_str(), text ? text : "no text")};
}

ContextScope::ContextScope(const Driver &driver, Context context) : driver(driver) {
  Context current = nullptr;
  state = driver.check(driver.ctxGetCurrent(&current), "cuCtxGetCurrent");
  if (!state || current == context)
    return;
  state = driver.check(driver.ctxPushCurrent(context), "cuCtxPushCurrent");
  pushed = bool(state);
}

ContextScope::~ContextScope() {
  Context popped = nullptr;
  if (pushed)
    driver.ctxPopCurrent(&popped);
}

} // namespace landmark::cuda
