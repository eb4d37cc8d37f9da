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
#include <functional>
#include <span>
#include <vector>

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

/// One way to launch, and its microseconds a launch in every round.
struct Way {
  const char *name;
  std::function<void()> launch;
  std::vector<double> rounds = {};
};

/// Launches in turns, so that a round has all ways under the same conditions: as many as fit the driver's queue, each way first in its turn.
void timeInTurns(const Device &device, std::span<Way> ways) {
  constexpr std::size_t rounds = 400, launches = 100;
  for (std::size_t round = 0; round < rounds; ++round)
    for (std::size_t turn = 0; turn < ways.size(); ++turn) {
      Way &way = ways[(round + turn) % ways.size()];
      way.rounds.push_back(1000 / double(launches) * millisecondsOf([&] {
                             for (std::size_t i = 0; i < launches; ++i)
                               way.launch();
                           }));
      take(device.synchronize());
    }
}

double quantile(std::vector<double> values, double share) {
  auto place = values.begin() + std::ptrdiff_t(share * double(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

/// The median of a way, and of what its rounds take above those of the first.
void print(const Way &way, const Way &first) {
  std::printf("%-45s %8.2f us", way.name, quantile(way.rounds, 0.5));
  std::vector<double> above;
  for (std::size_t round = 0; round < way.rounds.size(); ++round)
    above.push_back(way.rounds[round] - first.rounds[round]);
  if (&way != &first)
    std::printf(", %5.2f above it (middle half of the rounds: %.2f to %.2f)", quantile(above, 0.5), quantile(above, 0.25), quantile(above, 0.75));
  std::printf("\n");
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
  const cuda::LaunchConfig config{1,       1, 1, unsigned(symbol.threads), 1, 1, unsigned(symbol.sharedBytes),
                                  nullptr, nullptr, 0};
  PackedArguments packed(call.arguments, sectionOf(call.arguments, device));
  take(packed.encodeMaps(driver, kernel.kernel().tensorMaps, call.arguments));
  Way ways[] = {{"a bare cuLaunchKernelEx", [&] { driver.launchKernelEx(&config, function, packed.pointers(), nullptr); }},
                {"a prepared launch", [&] { take(prepared.launch()); }},
                {"a prepared launch on other memory", [&] { take(prepared.launch(pointers)); }},
                {"a launch with all checks", [&] { take(kernel.launch(call.arguments)); }}};
  timeInTurns(device, ways);
  for (const Way &way : ways)
    print(way, ways[0]);
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
