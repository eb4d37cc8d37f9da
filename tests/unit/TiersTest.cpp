// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Baselines and what takes their place. Which kernel is which does not matter to that, so that host kernels serve.
#include "Background.h"
#include "LoadedKernel.h"
#include "TemporaryFolder.h"
#include "Tiers.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace landmark;
using Catch::Matchers::Contains;
using landmark::test::TemporaryFolder;
using namespace std::chrono_literals;

namespace {

const Problem problem{Operation::Forward, 16, 64, DType::F32};

Kernel compiled(const Problem &which = problem) {
  auto kernel = Compiler().compile(which, Target{});
  REQUIRE(kernel);
  return *kernel;
}

std::shared_ptr<const LoadedKernel> loaded(Kernel kernel, bool awaitsSuccessor) {
  auto made = LoadedKernel::load(std::move(kernel), Device::host(), std::make_shared<ThreadPool>(2), awaitsSuccessor);
  REQUIRE(made);
  return *made;
}

/// One head of 40 rows, every value 1.
struct OnesCall {
  std::vector<float> in = std::vector<float>(40 * 64, 1.0f), o = std::vector<float>(40 * 64), lse = std::vector<float>(40);
  ForwardArguments arguments{view(in), view(in), view(in), view(o), denseRows(lse.data(), {1, 1, 40}), 16};

  static TensorView view(std::vector<float> &values) { return denseView(values.data(), DType::F32, {1, 1, 40, 64}); }
};

/// Runs a hidden test in a process of its own; its status, as of waitpid.
int statusOf(const char *test, const std::string &file) {
  ::setenv("LANDMARK_TEST_FILE", file.c_str(), 1);
  std::string program = "/proc/self/exe";
  char *arguments[] = {program.data(), const_cast<char *>(test), nullptr};
  pid_t child = 0;
  int status = -1;
  REQUIRE(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

} // namespace

TEST_CASE("a baseline launches its successor as soon as it is there") {
  auto baseline = loaded(compiled(), true);
  auto kernel = KernelHandle::of<ForwardKernel>(baseline);
  OnesCall prepared;
  auto call = kernel.prepare(prepared.arguments);
  REQUIRE(call);
  CHECK(&kernel.kernel() == &baseline->kernel);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      OnesCall own;
      while (!stop) {
        wrong += !kernel.launch(own.arguments) || std::abs(own.o.back() - 1) > 1e-5;
        wrong += kernel.kernel().problem != problem;
      }
    });
  threads.emplace_back([&] { wrong += !kernel.settle() || &kernel.kernel() == &baseline->kernel; });
  std::this_thread::sleep_for(20ms);
  baseline->successor->settle(compiled());
  threads.back().join();
  threads.pop_back();
  std::this_thread::sleep_for(20ms);
  stop = true;
  for (std::thread &thread : threads)
    thread.join();
  CHECK(wrong == 0);
  REQUIRE(baseline->successor->get());
  CHECK(&kernel.kernel() == &baseline->successor->get()->kernel);
  REQUIRE(call->launch());
  CHECK(prepared.o.back() == Approx(1));
}

TEST_CASE("a baseline runs on where its successor cannot be made") {
  auto baseline = loaded(compiled(), true);
  auto kernel = KernelHandle::of<ForwardKernel>(baseline);
  SECTION("it does not compile") {
    baseline->successor->settle(Error{ErrorCode::CompileFailed, "no"});
    CHECK_THAT(kernel.settle().error().message, Contains("no"));
  }
  SECTION("it is launched differently") {
    baseline->successor->settle(compiled({Operation::Forward, 8, 64, DType::F32}));
    CHECK_THAT(kernel.settle().error().message, Contains("launched differently"));
  }
  OnesCall call;
  CHECK(kernel.launch(call.arguments));
  CHECK(call.o.back() == Approx(1));
  CHECK(&kernel.kernel() == &baseline->kernel);
}

TEST_CASE("a successor that comes too late is nobody's") {
  auto baseline = loaded(compiled(), true);
  auto successor = baseline->successor;
  SECTION("the baseline was gone before") {
    baseline.reset();
    successor->settle(compiled());
  }
  SECTION("the baseline goes with it") {
    successor->settle(compiled());
    baseline.reset();
  }
  CHECK_FALSE(successor->get());
}

TEST_CASE("kernels that await nothing are settled") {
  auto kernel = KernelHandle::of<ForwardKernel>(loaded(compiled(), false));
  CHECK(kernel.settle());
  Runtime runtime(Device::host());
  REQUIRE(runtime.forward(problem));
  CHECK(runtime.settle());
}

TEST_CASE("baselines are for programs that want a kernel soon and watch nothing") {
  TemporaryFolder folder;
  auto file = folder.path / "ptxas";
  std::ofstream(file) << "#!/bin/sh\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  Problem wanted{Operation::Forward, 64, 128, DType::BF16};
  Target target = *parseTarget("sm_90a");
  KernelRequest request{wanted, defaultConfig(wanted, target), target, {}, {}};
  request.options.ptxas = file;
  Knobs knobs;
  CHECK(startsWithBaseline(request, knobs));
  auto without = [&](auto change) {
    KernelRequest changed = request;
    Knobs changedKnobs = knobs;
    change(changed, changedKnobs);
    return startsWithBaseline(changed, changedKnobs);
  };
  CHECK_FALSE(without([](KernelRequest &, Knobs &knobs) { knobs.tiers = false; }));
  CHECK_FALSE(without([](KernelRequest &, Knobs &knobs) { knobs.strict = true; }));
  CHECK_FALSE(without([](KernelRequest &, Knobs &knobs) { knobs.dumpDir = "stages"; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.options.dumpDir = "stages"; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.options.ptxas = "off"; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.options.templateFile = "mine.mlir"; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.options.templateDir = "mine"; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.options.resumeStage = Stage::Tile; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.options.tier = Tier::Baseline; }));
  CHECK_FALSE(without([](KernelRequest &request, Knobs &) { request.problem.operation = Operation::Backward; }));
  CHECK_FALSE(without([&](KernelRequest &request, Knobs &) { request.config = defaultConfig(wanted, target, LengthClass::Any, Loads::Async); }));
}

TEST_CASE("the end of a process waits for its background") {
  TemporaryFolder folder;
  auto file = folder.path / "made";
  int status = statusOf("ends beside a job", file);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("a forked process has no background to wait for") {
  TemporaryFolder folder;
  CHECK(statusOf("forks beside a job", folder.path / "made") == 0);
}

TEST_CASE("ends beside a job", "[.]") {
  REQUIRE(runInBackground([] {
    std::this_thread::sleep_for(300ms);
    std::ofstream(std::getenv("LANDMARK_TEST_FILE")) << "made";
  }));
}

TEST_CASE("forks beside a job", "[.]") {
  REQUIRE(runInBackground([] { std::this_thread::sleep_for(1s); }));
  pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20); // ends a process that waits
    std::exit(0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
}
