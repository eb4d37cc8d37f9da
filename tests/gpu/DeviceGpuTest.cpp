// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Life in a process that uses the GPU for other things too: contexts, streams, threads, memory.
#include "OnDevice.h"
#include "cuda/Driver.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace landmark;
using landmark::test::OnDevice;

namespace {

const cuda::Driver &driver() { return **cuda::Driver::get(); }

cuda::Context currentContext() {
  cuda::Context context = nullptr;
  REQUIRE(driver().ctxGetCurrent(&context) == cuda::success);
  return context;
}

/// A whole run on what Device::cuda(0) is in this thread.
void runOnce(uint64_t seed) {
  auto device = Device::cuda(0);
  REQUIRE(device);
  Runtime runtime(*device);
  RandomForward random = randomForward(seed);
  OnDevice there(*device, random);
  REQUIRE(runtime.forward(there.arguments()));
  there.download(random);
  landmark::test::checkResult(random);
}

} // namespace

TEST_CASE("a thread without a context has none afterwards") {
  REQUIRE(currentContext() == nullptr);
  runOnce(1);
  CHECK(currentContext() == nullptr);
}

TEST_CASE("the context that is current is used and stays current") {
  cuda::Ordinal ordinal = 0;
  cuda::Context mine = nullptr;
  REQUIRE(driver().deviceGet(&ordinal, 0) == cuda::success);
  REQUIRE(driver().ctxCreate(&mine, 0, ordinal) == cuda::success);
  {
    runOnce(2);
    CHECK(currentContext() == mine);
  }
  REQUIRE(driver().ctxDestroy(mine) == cuda::success);
  runOnce(3);
}

TEST_CASE("launches follow the caller's stream") {
  auto device = Device::cuda(0);
  REQUIRE(device);
  Runtime runtime(*device);
  RandomForward random = randomForward(4);
  OnDevice there(*device, random);
  cuda::Context primary = nullptr;
  cuda::Ordinal ordinal = 0;
  REQUIRE(driver().deviceGet(&ordinal, 0) == cuda::success);
  REQUIRE(driver().devicePrimaryCtxRetain(&primary, ordinal) == cuda::success);
  {
    cuda::ContextScope scope(driver(), primary);
    REQUIRE(scope.status());
    constexpr unsigned nonBlocking = 1;
    cuda::StreamHandle stream = nullptr;
    REQUIRE(driver().streamCreate(&stream, nonBlocking) == cuda::success);
    REQUIRE(runtime.forward(there.arguments(), stream));
    REQUIRE(driver().streamSynchronize(stream) == cuda::success);
    there.download(random);
    landmark::test::checkResult(random);
    REQUIRE(driver().streamDestroy(stream) == cuda::success);
  }
  REQUIRE(driver().devicePrimaryCtxRelease(ordinal) == cuda::success);
}

TEST_CASE("many threads launch one runtime's kernels") {
  auto device = Device::cuda(0);
  REQUIRE(device);
  Runtime runtime(*device);
  std::vector<RandomForward> problems;
  std::vector<OnDevice> there;
  for (int i = 0; i < 8; ++i) {
    problems.push_back(randomForward(5));
    there.emplace_back(*device, problems.back());
  }
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (const OnDevice &one : there)
    threads.emplace_back([&] { failed += !runtime.forward(one.arguments()); });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failed == 0);
  for (int i = 0; i < 8; ++i) {
    there[i].download(problems[i]);
    landmark::test::checkResult(problems[i]);
  }
}

TEST_CASE("memory of the wrong place is refused") {
  auto device = Device::cuda(0);
  REQUIRE(device);
  RandomForward random = randomForward(6);
  OnDevice there(*device, random);
  ForwardArguments mixed = there.arguments();
  mixed.v.data = random.v.data;
  auto refused = validate(mixed, *device);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Matchers::StartsWith("v: got ordinary host memory"));
  auto onHost = validate(there.arguments(), Device::host());
  REQUIRE_FALSE(onHost);
  CHECK_THAT(onHost.error().message, Catch::Matchers::StartsWith("q: got memory of cuda:0"));
}

TEST_CASE("a GPU describes itself") {
  auto device = Device::cuda(0);
  REQUIRE(device);
  CHECK_FALSE(device->isHost());
  CHECK(device->label() == "cuda:0");
  CHECK(device->name() != "");
  CHECK_THAT(device->target().chip, Catch::Matchers::StartsWith("sm_"));
  CHECK(device->multiprocessors() > 0);
  CHECK(device->l2Bytes() > 0);
  CHECK(device->memoryBytes() > 0);
  CHECK(Device::best().label() == "cuda:0");
}
