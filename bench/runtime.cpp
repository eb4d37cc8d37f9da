// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program waits for on a GPU: the context, the first kernel, a second one, until each is the optimized one, one from
// the disk, and the host's time for a launch beside a bare cuLaunchKernelEx loop. CUDA_CACHE_DISABLE=1 keeps the driver
// from remembering; LANDMARK_TIERS=off compiles no baseline first.
#include "Launch.h"
#include "LoadedKernel.h"
#include "cuda/Assemble.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>

using namespace landmark;

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const Error &error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  for (const std::string &note : error.notes)
    std::fprintf(stderr, "  %s\n", note.c_str());
  std::exit(1);
}

template <typename T> T take(Expected<T> value) {
  if (!value)
    fail(value.error());
  return std::move(*value);
}
void take(const Expected<void> &done) {
  if (!done)
    fail(done.error());
}

template <typename Body> double millisecondsOf(Body body) {
  auto start = Clock::now();
  body();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A call of one head and one row of queries, so that the host and not the GPU is what takes time.
struct Call {
  explicit Call(const Device &device, int64_t headDim) : memory(take(DeviceBuffer::allocate(device, 1 << 20))) {
    take(memory.fill(0));
    auto *bytes = static_cast<char *>(memory.data());
    auto view = [&](int64_t at, int64_t rows) { return denseView(bytes + at, DType::BF16, {1, 1, rows, headDim}); };
    arguments = {view(0, 1),
                 view(1 << 18, 64),
                 view(2 << 18, 64),
                 view(3 << 18, 1),
                 denseRows(reinterpret_cast<float *>(bytes + (1 << 17)), {1, 1, 1}),
                 64};
  }
  DeviceBuffer memory;
  ForwardArguments arguments;
};

/// Microseconds of a launch, the best of several rounds that fit the driver's queue.
template <typename Launch> double microseconds(const Device &device, Launch launch) {
  constexpr int rounds = 50, launches = 500;
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < rounds; ++round) {
    best = std::min(best, 1000 / double(launches) * millisecondsOf([&] {
                            for (int i = 0; i < launches; ++i)
                              launch();
                          }));
    take(device.synchronize());
  }
  return best;
}

/// A first launch, and until the kernel is the optimized one, counted from the same beginning.
template <typename Launch> void timeFirst(const char *name, Runtime &runtime, Launch launch) {
  auto start = Clock::now();
  double launched = millisecondsOf([&] {
    take(launch());
    take(runtime.device().synchronize());
  });
  take(runtime.settle());
  std::printf("%-45s %8.2f ms, optimized after %8.2f ms\n", name, launched, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
}

void timeKernels(const Device &device, const std::string &cache) {
  RuntimeOptions options;
  options.cacheDir = cache;
  const Problem first{Operation::Forward, 64, 128, DType::BF16};
  Call call(device, 128), second(device, 64);
  Runtime runtime(device, options);
  timeFirst("first forward, D=128 L=64, compiled and done", runtime, [&] { return runtime.forward(call.arguments); });
  timeFirst("second kernel, D=64", runtime, [&] { return runtime.forward(second.arguments); });
  Runtime later(device, options);
  std::printf("first kernel again, from the disk             %8.2f ms\n",
              millisecondsOf([&] { take(later.forward(first)); }));
}

void timeLaunches(const Device &device, const std::string &cache) {
  RuntimeOptions options;
  options.cacheDir = cache;
  Call call(device, 128);
  auto kernel = take(Runtime(device, options).forward(problemOf(call.arguments)));
  take(kernel.settle());
  auto prepared = take(kernel.prepare(call.arguments));
  ForwardPointers pointers{call.arguments.q.data, call.arguments.k.data, call.arguments.v.data, call.arguments.o.data,
                           call.arguments.lse.data};
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  cuda::Module module = take(cuda::load(driver, kernel.kernel().cubin));
  cuda::Function function = nullptr;
  const Kernel::Function &symbol = kernel.kernel().functions.front();
  take(driver.check(driver.moduleGetFunction(&function, module, symbol.name.c_str()), "cuModuleGetFunction"));
  take(driver.check(driver.funcSetAttribute(function, cuda::MaxDynamicSharedBytes, int(symbol.sharedBytes)),
                    "cuFuncSetAttribute"));
  const cuda::LaunchConfig config{1,       1, 1, unsigned(kernel.kernel().threads), 1, 1, unsigned(symbol.sharedBytes),
                                  nullptr, nullptr, 0};
  PackedArguments packed(call.arguments, sectionOf(call.arguments, device));
  take(packed.encodeMaps(driver, kernel.kernel().tensorMaps, call.arguments));
  double bare = std::numeric_limits<double>::infinity(), same = bare, other = bare, whole = bare;
  for (int round = 0; round < 3; ++round) {
    bare = std::min(bare, microseconds(device, [&] {
                      driver.launchKernelEx(&config, function, packed.pointers(), nullptr);
                    }));
    same = std::min(same, microseconds(device, [&] { take(prepared.launch()); }));
    other = std::min(other, microseconds(device, [&] { take(prepared.launch(pointers)); }));
    whole = std::min(whole, microseconds(device, [&] { take(kernel.launch(call.arguments)); }));
  }
  std::printf("a bare cuLaunchKernelEx                       %8.2f us\n", bare);
  std::printf("a prepared launch                             %8.2f us\n", same);
  std::printf("a prepared launch on other memory             %8.2f us\n", other);
  std::printf("a launch with all checks                      %8.2f us\n", whole);
  driver.moduleUnload(module);
}

} // namespace

int main() {
  std::string cache = (std::filesystem::temp_directory_path() / "landmark-bench-XXXXXX").string();
  if (!::mkdtemp(cache.data()))
    return std::perror("mkdtemp"), 1;
  std::optional<Device> device;
  double context = millisecondsOf([&] { device = take(Device::cuda(0)); });
  std::printf("%s\ncontext                                       %8.2f ms\n", device->name().c_str(), context);
  timeKernels(*device, cache);
  timeLaunches(*device, cache);
  std::filesystem::remove_all(cache);
}
