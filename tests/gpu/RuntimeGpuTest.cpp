// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime on a GPU: machine code on disk, prepared launches, graphs, tuning.
#include "../unit/TemporaryFolder.h"
#include "Assembler.h"
#include "Gpu.h"
#include "LoadedKernel.h"
#include "OnDevice.h"
#include "TensorMaps.h"
#include "cuda/Assemble.h"
#include "tune/Tuner.h"

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>

using namespace landmark;
using Catch::Matchers::StartsWith;
using landmark::test::checkResult;
using landmark::test::driver;
using landmark::test::gpu;
using landmark::test::OnDevice;
using landmark::test::Stream;
using landmark::test::TemporaryFolder;

namespace {

RuntimeOptions cachedIn(const TemporaryFolder &folder) {
  RuntimeOptions options;
  options.cacheDir = folder.path;
  return options;
}

/// The first random problem whose default kernel loads by tensor maps and whose views they can describe, or cannot.
/// Where no kernel does so, the first of all.
uint64_t seedWith(bool maps) {
  Device device = gpu();
  for (uint64_t seed = 1; seed < 300; ++seed) {
    RandomForward random = randomForward(seed);
    if (defaultConfig(random.problem, device.target()).loads != Loads::Tma)
      continue;
    OnDevice there(device, random);
    if (bool(checkTensorMaps(there.arguments())) == maps)
      return seed;
  }
  return 1;
}

/// An environment variable with a value of its own while it lives.
class Variable {
public:
  Variable(const char *name, const char *value) : name(name) {
    if (const char *before = std::getenv(name))
      kept = before;
    ::setenv(name, value, 1);
  }
  ~Variable() { kept ? ::setenv(name, kept->c_str(), 1) : ::unsetenv(name); }
  Variable(const Variable &) = delete;

private:
  const char *name;
  std::optional<std::string> kept;
};

/// Local memory of a thread, as the driver loads the kernel: what spills.
int localBytes(const Kernel &kernel, const Device &device) {
  cuda::ContextScope scope(driver(), device.state()->context);
  REQUIRE(scope.status());
  auto module = cuda::load(driver(), kernel.cubin.empty() ? kernel.ptx : kernel.cubin);
  REQUIRE(module);
  cuda::Function function = nullptr;
  int bytes = -1;
  REQUIRE(driver().moduleGetFunction(&function, *module, kernel.functions.front().name.c_str()) == cuda::success);
  REQUIRE(driver().funcGetAttribute(&bytes, cuda::LocalBytes, function) == cuda::success);
  driver().moduleUnload(*module);
  return bytes;
}

ForwardPointers pointersOf(const ForwardArguments &call) {
  return {call.q.data, call.k.data, call.v.data, call.o.data, call.lse.data};
}

/// An entry point that only this test needs.
template <typename... Parameters> cuda::Result call(const char *name, Parameters... parameters) {
  static void *library = ::dlopen("libcuda.so.1", RTLD_NOW);
  auto function = reinterpret_cast<cuda::Result (*)(Parameters...)>(::dlsym(library, name));
  REQUIRE(function);
  return function(parameters...);
}

} // namespace

TEST_CASE("machine code is kept and loaded again") {
  // By ptxas where there is one, and by the driver alone.
  auto ptxas = GENERATE(as<const char *>(), "", "off");
  Variable chosen("LANDMARK_PTXAS", ptxas);
  TemporaryFolder folder;
  Device device = gpu();
  RandomForward random = randomForward(11);
  CompileOptions options; // a kernel that every assembler makes code of to keep
  options.config = defaultConfig(random.problem, device.target(), LengthClass::Any, Loads::Async);
  for (int round = 0; round < 2; ++round) {
    Runtime runtime(device, cachedIn(folder));
    RandomForward drawn = randomForward(11);
    OnDevice there(device, drawn);
    auto kernel = runtime.forward(drawn.problem, options);
    REQUIRE(kernel);
    REQUIRE(kernel->launch(there.arguments()));
    there.download(drawn);
    checkResult(drawn);
  }
  auto cache = cache::DiskCache::open(folder.path, cache::Trust::Own);
  REQUIRE(cache);
  auto entries = cache->list(true);
  REQUIRE(entries);
  REQUIRE(entries->size() == 1);
  CHECK(entries->front().damage.empty());
  CHECK(entries->front().manifest->files.contains("kernel.cubin"));
  bool byPtxas = *ptxas == 0 && resourceUse(*Compiler().compile(random.problem, device.target(), options));
  CHECK_THAT(entries->front().manifest->assembler, StartsWith(byPtxas ? "ptxas" : "CUDA driver"));
}

TEST_CASE("a kernel that moves registers runs without ptxas as with it") {
  Device device = gpu();
  uint64_t seed = seedWith(true);
  RandomForward byPtxas = randomForward(seed), byDriver = randomForward(seed);
  if (defaultConfig(byPtxas.problem, device.target()).loads != Loads::Tma)
    return; // no GPU of that kind
  TemporaryFolder folder;
  for (auto [ptxas, random] : {std::pair{"", &byPtxas}, std::pair{"off", &byDriver}})
    for (int round = 0; round < 2; ++round) {
      Variable chosen("LANDMARK_PTXAS", ptxas);
      TemporaryFolder own;
      Runtime runtime(device, cachedIn(round ? folder : own));
      OnDevice there(device, *random);
      auto kernel = runtime.forward(random->problem);
      REQUIRE(kernel);
      CHECK(movesRegisters(kernel->kernel()));
      // Through the driver's linker it would spill.
      CHECK(localBytes(kernel->kernel(), device) == 0);
      REQUIRE(kernel->launch(there.arguments()));
      there.download(*random);
      checkResult(*random);
    }
}

TEST_CASE("machine code that the driver refuses is assembled from the PTX") {
  Device device = gpu();
  RandomForward random = randomForward(12);
  OnDevice there(device, random);
  CompileOptions anyStrides;
  anyStrides.config = defaultConfig(random.problem, device.target(), LengthClass::Any, Loads::Async);
  auto compiled = Compiler().compile(random.problem, device.target(), anyStrides);
  REQUIRE(compiled);
  compiled->cubin = "no machine code at all";
  auto kernel = KernelHandle::load<ForwardKernel>(*compiled, device, nullptr);
  REQUIRE(kernel);
  REQUIRE(kernel->launch(there.arguments()));
  there.download(random);
  checkResult(random);
}

TEST_CASE("the assembler's words are in the error") {
  Device device = gpu();
  cuda::ContextScope scope(driver(), device.state()->context);
  auto refused = cuda::assemble(driver(), ".version 8.0\n.target sm_80\n.address_size 64\nnonsense\n");
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().notes.empty());
}

TEST_CASE("prepared calls run on their memory and on other memory, from many threads and streams") {
  Device device = gpu();
  Runtime runtime(device);
  // With tensor maps, and with strides that they cannot describe.
  uint64_t seed = GENERATE(seedWith(true), seedWith(false));
  RandomForward first = randomForward(seed);
  OnDevice there(device, first);
  auto prepared = runtime.prepare(there.arguments());
  REQUIRE(prepared);
  REQUIRE(prepared->launch());
  there.download(first);
  checkResult(first);

  std::vector<RandomForward> others;
  std::vector<OnDevice> elsewhere;
  for (int i = 0; i < 4; ++i) {
    others.push_back(randomForward(seed));
    elsewhere.emplace_back(device, others.back());
  }
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (const OnDevice &one : elsewhere)
    threads.emplace_back([&] {
      Stream stream(device);
      for (int repeat = 0; repeat < 20; ++repeat)
        failed += !prepared->launch(pointersOf(one.arguments()), stream.handle);
      failed += driver().streamSynchronize(stream.handle) != cuda::success;
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failed == 0);
  for (int i = 0; i < 4; ++i) {
    elsewhere[i].download(others[i]);
    checkResult(others[i]);
  }
}

TEST_CASE("a prepared call is captured in a graph") {
  Device device = gpu();
  Runtime runtime(device);
  RandomForward random = randomForward(14);
  OnDevice there(device, random);
  auto prepared = runtime.prepare(there.arguments());
  REQUIRE(prepared);
  Stream stream(device);
  void *graph = nullptr, *executable = nullptr;
  constexpr int global = 0;
  REQUIRE(call("cuStreamBeginCapture_v2", stream.handle, global) == cuda::success);
  Expected<void> launched = prepared->launch(stream.handle);
  REQUIRE(call("cuStreamEndCapture", stream.handle, &graph) == cuda::success);
  REQUIRE(launched);
  REQUIRE(call("cuGraphInstantiateWithFlags", &executable, graph, 0ull) == cuda::success);
  REQUIRE(call("cuGraphLaunch", executable, stream.handle) == cuda::success);
  REQUIRE(driver().streamSynchronize(stream.handle) == cuda::success);
  there.download(random);
  checkResult(random);
  call("cuGraphExecDestroy", executable);
  call("cuGraphDestroy", graph);
}

TEST_CASE("several devices work side by side") {
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  std::vector<RandomForward> problems(Device::cudaCount());
  std::vector<std::unique_ptr<OnDevice>> there;
  std::vector<Device> devices;
  for (int ordinal = 0; ordinal < Device::cudaCount(); ++ordinal) {
    auto device = Device::cuda(ordinal);
    REQUIRE(device);
    devices.push_back(*device);
    problems[ordinal] = randomForward(15);
    there.push_back(std::make_unique<OnDevice>(*device, problems[ordinal]));
  }
  for (std::size_t i = 0; i < devices.size(); ++i)
    threads.emplace_back([&, i] { failed += !Runtime(devices[i]).forward(there[i]->arguments()); });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failed == 0);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    there[i]->download(problems[i]);
    checkResult(problems[i]);
  }
}

TEST_CASE("tuning finds a schedule that is right and used") {
  TemporaryFolder folder;
  Device device = gpu();
  Problem problem{Operation::Forward, 64, 64, DType::BF16};
  Knobs knobs;
  knobs.cacheDir = folder.path;
  knobs.cacheLimit = INT64_MAX;
  tune::Options options;
  options.workload = {1, 4, 4, 1024, 1024};
  options.seconds = 20;
  auto result = tune::tune(device, problem, options, knobs, nullptr);
  REQUIRE(result);
  CHECK(result->timings.size() >= 4);
  REQUIRE(tune::save(folder.path, device, *result));
  auto kernel = Runtime(device, cachedIn(folder)).forward(problem);
  REQUIRE(kernel);
  CHECK(kernel->kernel().config == result->best);
}
