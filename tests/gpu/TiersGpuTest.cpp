// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Baselines on a GPU: the bits of the optimized kernel, which takes their place.
#include "../unit/TemporaryFolder.h"
#include "Gpu.h"
#include "OnDevice.h"
#include "landmark/Runtime.h"

#include <atomic>
#include <fstream>
#include <thread>

using namespace landmark;
using namespace landmark::test;
using Catch::Matchers::Contains;

namespace {

const Problem problem{Operation::Forward, 64, 64, DType::BF16};

/// Whether this GPU has baselines, and somebody to assemble them.
bool hasBaselines() {
  auto kernel = Compiler().compile(problem, gpu().target());
  REQUIRE(kernel);
  return hasBaseline(problem, kernel->config) && resourceUse(*kernel);
}

Runtime tiered(const std::filesystem::path &cache = {}) {
  RuntimeOptions options;
  options.tiers = true;
  options.cacheDir = cache.string();
  return Runtime(gpu(), options);
}

/// One batch and head of dense rows, of which all is there once more.
struct Call {
  explicit Call(int64_t rows = 500) : random(denseBackward({Operation::Backward, 64, 64, DType::BF16}, rows, 1).forward), there(gpu(), random) {}

  const ForwardArguments &arguments() const { return there.arguments(); }
  void check() {
    there.download(random);
    checkResult(random);
  }

  RandomForward random;
  OnDevice there;
};

/// The drawn problem's outputs by a kernel of one tier; none where its views do not fit the kernel.
std::optional<RandomForward> resultOf(Runtime &runtime, uint64_t seed, const RandomLimits &limits, LengthClass length, float gateThreshold, Tier tier) {
  RandomForward random = randomForward(seed, limits);
  OnDevice there(runtime.device(), random);
  ForwardArguments arguments = there.arguments();
  arguments.gateThreshold = gateThreshold;
  CompileOptions options;
  options.tier = tier;
  options.config = defaultConfig(problemOf(arguments), runtime.device().target(), length);
  if (!hasBaseline(problemOf(arguments), *options.config))
    return std::nullopt;
  auto kernel = runtime.forward(problemOf(arguments), options);
  REQUIRE(kernel);
  CHECK(kernel->kernel().tier == tier);
  auto bytes = kernel->gateScratchBytes(arguments);
  REQUIRE(bytes);
  auto scratch = DeviceBuffer::allocate(runtime.device(), std::size_t(*bytes));
  REQUIRE(scratch);
  arguments.gateScratch = scratch->data();
  arguments.gateScratchBytes = *bytes;
  if (!kernel->launch(arguments)) // strides that tensor maps do not know
    return std::nullopt;
  there.download(random);
  return random;
}

} // namespace

TEST_CASE("a baseline computes the bits of the optimized kernel", "[sweep]") {
  Runtime runtime(gpu());
  int compared = 0;
  for (auto [blockSize, headDim, dtype] : {std::tuple{64, 128, DType::BF16}, {64, 64, DType::BF16}, {51, 128, DType::BF16}, {51, 64, DType::F16}, {32, 128, DType::F16},
                                           {32, 64, DType::BF16}, {128, 128, DType::BF16}, {64, 96, DType::BF16}, {64, 256, DType::BF16}, {16, 32, DType::F16}})
    for (auto [length, gateThreshold] : {std::pair{LengthClass::Short, 0.0f}, {LengthClass::Long, 0.0f}, {LengthClass::Long, 0.03f}})
      for (uint64_t seed = 1; seed <= 8; ++seed) {
        RandomLimits limits{.maxKeys = 1500, .problem = Problem{Operation::Forward, blockSize, headDim, dtype}};
        auto baseline = resultOf(runtime, seed, limits, length, gateThreshold, Tier::Baseline);
        auto optimized = resultOf(runtime, seed, limits, length, gateThreshold, Tier::Optimized);
        if (!baseline || !optimized)
          continue;
        INFO(baseline->description << ", lengths " << describe(length) << ", gate threshold " << gateThreshold);
        CHECK(baseline->oBuffer.bytes == optimized->oBuffer.bytes);
        CHECK(baseline->lseBuffer.bytes == optimized->lseBuffer.bytes);
        ++compared;
      }
  CHECK((compared >= 60 || !hasBaselines()));
}

TEST_CASE("the optimized kernel takes the baseline's place, in prepared calls too, and is kept") {
  if (!hasBaselines())
    return;
  TemporaryFolder folder;
  Runtime runtime = tiered(folder.path);
  Call call;
  auto kernel = runtime.forward(problem);
  REQUIRE(kernel);
  CHECK(kernel->kernel().tier == Tier::Baseline);
  auto prepared = kernel->prepare(call.arguments());
  REQUIRE(prepared);
  std::atomic<bool> settled = false;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!settled)
        failed += !prepared->launch() || !runtime.device().synchronize();
    });
  CHECK(runtime.settle());
  settled = true;
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failed == 0);
  call.check();
  CHECK(kernel->kernel().tier == Tier::Optimized);
  REQUIRE(prepared->launch());
  call.check();
  CHECK(tiered(folder.path).forward(problem)->kernel().tier == Tier::Optimized);
}

TEST_CASE("many threads that want a kernel get one baseline") {
  if (!hasBaselines())
    return;
  Runtime runtime = tiered();
  std::vector<const Kernel *> kernels(8);
  std::vector<std::thread> threads;
  for (const Kernel *&kernel : kernels)
    threads.emplace_back([&] {
      if (auto made = runtime.forward(problem))
        kernel = &made->kernel();
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const Kernel *kernel : kernels)
    CHECK((kernel && kernel == kernels.front()));
}

TEST_CASE("a graph captures the optimized kernel") {
  if (!hasBaselines())
    return;
  Runtime runtime = tiered();
  Call call;
  auto kernel = runtime.forward(problem);
  REQUIRE(kernel);
  auto prepared = kernel->prepare(call.arguments());
  REQUIRE(prepared);
  Stream stream(runtime.device());
  constexpr int global = 0; // forbids other threads to load, but for those that say that they may
  cuda::GraphHandle graph = nullptr;
  cuda::GraphExec executable = nullptr;
  REQUIRE(driver().streamBeginCapture(stream.handle, global) == cuda::success);
  CHECK(kernel->kernel().tier == Tier::Baseline);
  Expected<void> launched = prepared->launch(stream.handle);
  CHECK(kernel->kernel().tier == Tier::Optimized);
  REQUIRE(driver().streamEndCapture(stream.handle, &graph) == cuda::success);
  REQUIRE(launched);
  REQUIRE(driver().graphInstantiate(&executable, graph, 0) == cuda::success);
  REQUIRE(driver().graphLaunch(executable, stream.handle) == cuda::success);
  REQUIRE(driver().streamSynchronize(stream.handle) == cuda::success);
  call.check();
  driver().graphExecDestroy(executable);
  driver().graphDestroy(graph);
}

TEST_CASE("handles may go before the optimized kernel comes") {
  if (!hasBaselines())
    return;
  TemporaryFolder folder;
  {
    Runtime runtime = tiered(folder.path);
    Call call;
    REQUIRE(runtime.forward(call.arguments()));
    call.check();
  }
  Runtime later = tiered(folder.path); // a baseline once more, or what the first one left by now
  REQUIRE(later.forward(problem));
  CHECK(later.settle());
}

TEST_CASE("a baseline runs on where the optimized kernel cannot be assembled") {
  if (!hasBaselines())
    return;
  TemporaryFolder folder;
  auto ptxas = folder.path / "ptxas"; // of two calls it refuses the second
  std::ofstream(ptxas) << "#!/bin/sh\n[ -e " << folder.path / "called" << " ] && exit 1\ntouch " << folder.path / "called"
                       << "\nexec \"$(command -v ptxas || echo /usr/local/cuda/bin/ptxas)\" \"$@\"\n";
  std::filesystem::permissions(ptxas, std::filesystem::perms::owner_all);
  Runtime runtime = tiered();
  CompileOptions options;
  options.ptxas = ptxas;
  auto kernel = runtime.forward(problem, options);
  REQUIRE(kernel);
  auto settled = kernel->settle();
  REQUIRE_FALSE(settled);
  CHECK_THAT(settled.error().message, Contains("ptxas"));
  CHECK_FALSE(runtime.settle());
  CHECK(kernel->kernel().tier == Tier::Baseline);
  Call call;
  REQUIRE(kernel->launch(call.arguments()));
  call.check();
}
