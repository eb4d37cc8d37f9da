// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Devices, buffers, threads, the kernel cache and launches on the host.
#include "landmark/Runtime.h"
#include "Launch.h"
#include "SingleFlight.h"
#include "ThreadPool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <numeric>
#include <thread>

using namespace landmark;
using Catch::Matchers::Contains;

TEST_CASE("devices are named and refused by name") {
  auto host = Device::parse("host");
  REQUIRE(host);
  CHECK(host->isHost());
  CHECK(host->label() == "host");
  CHECK(host->target().isHost());
  CHECK(host->multiprocessors() >= 1);
  CHECK(host->memoryBytes() > 0);
  CHECK(Device::parse("auto"));
  for (const char *text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "HOST"}) {
    auto refused = Device::parse(text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(refused.error().message, Contains(text) && Contains("cuda:N"));
  }
  auto missing = Device::cuda(Device::cudaCount());
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::NotFound);
}

TEST_CASE("buffers hold what they are given") {
  auto buffer = DeviceBuffer::allocate(Device::host(), 1000);
  REQUIRE(buffer);
  CHECK(reinterpret_cast<std::uintptr_t>(buffer->data()) % 256 == 0);
  std::vector<char> in(500), out(500);
  std::iota(in.begin(), in.end(), 0);
  CHECK(buffer->fill(0xff));
  CHECK(buffer->upload(in.data(), 500, 250));
  CHECK(buffer->download(out.data(), 500, 250));
  CHECK(in == out);
  CHECK(buffer->download(out.data(), 250));
  CHECK(out[0] == char(0xff));
  CHECK_FALSE(buffer->upload(in.data(), 500, 501));
  CHECK_FALSE(buffer->download(out.data(), 1, SIZE_MAX));
  DeviceBuffer moved = std::move(*buffer);
  CHECK(buffer->data() == nullptr);
  CHECK(buffer->size() == 0);
  CHECK(moved.size() == 1000);
  CHECK(DeviceBuffer::allocate(Device::host(), 0));
  CHECK_FALSE(DeviceBuffer::allocate(Device::host(), SIZE_MAX));
}

TEST_CASE("a thread pool runs every index once, for several callers at a time") {
  ThreadPool pool(4);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int64_t count : {0, 1, 2, 7, 1000}) {
        std::vector<std::atomic<int>> seen(count);
        pool.run(count, [&](int64_t index) { ++seen[index]; });
        for (auto &times : seen)
          wrong += times != 1;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("a flight is made once for all who wait") {
  SingleFlight<int, int> flights(100);
  std::atomic<int> made = 0, wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 16; ++thread)
    threads.emplace_back([&] {
      for (int key = 0; key < 8; ++key) {
        auto value = flights.get(key, [&]() -> Expected<int> {
          ++made;
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          return key * key;
        });
        wrong += !value || *value != key * key;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(made == 8);
  CHECK(wrong == 0);
}

TEST_CASE("a failed flight is forgotten") {
  SingleFlight<int, int> flights(100);
  auto failed = flights.get(1, []() -> Expected<int> { return Error{ErrorCode::CompileFailed, "no"}; });
  CHECK_FALSE(failed);
  auto made = flights.get(1, []() -> Expected<int> { return 5; });
  REQUIRE(made);
  CHECK(*made == 5);
}

TEST_CASE("a bounded cache forgets what was used longest ago") {
  SingleFlight<int, int> flights(2);
  int made = 0;
  auto get = [&](int key) { return *flights.get(key, [&]() -> Expected<int> { return ++made; }); };
  CHECK(get(1) == 1);
  CHECK(get(2) == 2);
  CHECK(get(1) == 1);
  CHECK(get(3) == 3); // 2 goes
  CHECK(flights.size() == 2);
  CHECK(get(1) == 1);
  CHECK(get(2) == 4);
}

TEST_CASE("a bounded cache keeps what is being made") {
  SingleFlight<int, int> flights(1);
  auto outer = flights.get(1, [&]() -> Expected<int> {
    REQUIRE(flights.get(2, []() -> Expected<int> { return 2; }));
    REQUIRE(flights.get(3, []() -> Expected<int> { return 3; }));
    return 1;
  });
  CHECK(*outer == 1);
  CHECK(flights.size() == 1);
}

namespace {

/// One head of `rows` rows, D = 64, float32, dense, on the host: every value 1.
struct OnesCall {
  std::vector<float> in, o, lse;
  ForwardArguments arguments;
  explicit OnesCall(int64_t rows, int64_t columns = 64)
      : in(rows * columns, 1.0f), o(rows * columns), lse(rows), arguments{view(in, rows, columns),
                                                                          view(in, rows, columns),
                                                                          view(in, rows, columns),
                                                                          view(o, rows, columns),
                                                                          denseRows(lse.data(), {1, 1, rows}),
                                                                          16} {}
  static TensorView view(std::vector<float> &values, int64_t rows, int64_t columns) {
    return denseView(values.data(), DType::F32, {1, 1, rows, columns});
  }
};

} // namespace

TEST_CASE("many threads share one compilation and launch side by side") {
  Runtime runtime(Device::host());
  std::vector<std::thread> threads;
  std::vector<const Kernel *> kernels(8);
  std::atomic<int> wrong = 0;
  for (std::size_t thread = 0; thread < kernels.size(); ++thread)
    threads.emplace_back([&, thread] {
      OnesCall call(40 + int64_t(thread));
      auto kernel = runtime.forward(problemOf(call.arguments));
      if (!kernel || !kernel->launch(call.arguments)) {
        ++wrong;
        return;
      }
      kernels[thread] = &kernel->kernel();
      for (float value : call.o)
        wrong += !(std::abs(value - 1) < 1e-5);
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(wrong == 0);
  for (const Kernel *kernel : kernels)
    CHECK(kernel == kernels[0]);
}

TEST_CASE("kernels refuse what they were not compiled for") {
  Runtime runtime(Device::host());
  OnesCall call(40);
  auto kernel = runtime.forward(problemOf(call.arguments));
  REQUIRE(kernel);
  int anything = 0;
  auto streamed = kernel->launch(call.arguments, &anything);
  REQUIRE_FALSE(streamed);
  CHECK_THAT(streamed.error().message, Contains("stream"));
  call.arguments.blockSize = 8;
  auto refused = kernel->launch(call.arguments);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("L=8") && Contains("L=16"));
}

TEST_CASE("a prepared call runs on its memory and on other memory, from many threads") {
  OnesCall call(40), other(40);
  auto kernel = Runtime(Device::host()).forward(problemOf(call.arguments));
  REQUIRE(kernel);
  auto prepared = kernel->prepare(call.arguments);
  REQUIRE(prepared);
  CHECK(prepared->launch());
  CHECK(call.o[39 * 64] == Approx(1));
  std::vector<std::thread> threads;
  std::vector<OnesCall> calls;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 4; ++i)
    calls.emplace_back(40);
  for (OnesCall &one : calls)
    threads.emplace_back([&] {
      std::fill(one.in.begin(), one.in.end(), 3.0f);
      failed += !prepared->launch({one.in.data(), one.in.data(), one.in.data(), one.o.data(), one.lse.data()});
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failed == 0);
  for (const OnesCall &one : calls)
    CHECK(one.o[39 * 64 + 63] == Approx(3));
  CHECK(call.o[39 * 64] == Approx(1));
  int anything = 0;
  CHECK_FALSE(prepared->launch(&anything));
  ForwardPointers null;
  auto refused = prepared->launch(null);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("q: got a null pointer"));
  char *odd = reinterpret_cast<char *>(call.in.data()) + 1;
  CHECK_FALSE(prepared->launch({odd, odd, odd, call.o.data(), call.lse.data()}));
  call.arguments.phase = -1;
  CHECK_FALSE(kernel->prepare(call.arguments));
}

TEST_CASE("kernels outlive their runtime") {
  OnesCall call(33);
  auto kernel = Runtime(Device::host()).forward(problemOf(call.arguments));
  REQUIRE(kernel);
  CHECK(kernel->launch(call.arguments));
  CHECK(call.o[32 * 64] == Approx(1));
}

TEST_CASE("illegal requests come back as errors") {
  Runtime runtime(Device::host());
  CHECK_FALSE(runtime.forward(Problem{Operation::Forward, 1, 64, DType::F32}));
  CHECK_FALSE(runtime.forward(Problem{Operation::Forward, 64, 20, DType::F32}));
  CompileOptions noTemplate;
  noTemplate.templateFile = "no/such/template.mlir";
  CHECK_FALSE(runtime.forward(Problem{}, noTemplate));
  CHECK_FALSE(runtime.forward(ForwardArguments{}));
}

TEST_CASE("a call that fails writes nothing") {
  Runtime runtime(Device::host());
  OnesCall call(40);
  call.arguments.phase = 16;
  CHECK_FALSE(runtime.forward(call.arguments));
  for (float value : call.o)
    REQUIRE(value == 0);
}

TEST_CASE("on the host heads are walked one by one") {
  OnesCall call(40);
  CHECK(sectionOf(call.arguments, Device::host()) == 1);
}

TEST_CASE("a backward that adds dq up walks as many heads as keep rows and sums in the cache, and the multiprocessors busy") {
  auto section = [](int64_t batch, int64_t heads, int64_t kvHeads, int64_t length, int64_t headDim, int64_t cacheBytes, int64_t multiprocessors) {
    BackwardArguments arguments;
    arguments.q = {nullptr, DType::BF16, {batch, heads, length, headDim}};
    arguments.k = {nullptr, DType::BF16, {batch, kvHeads, length, headDim}};
    return sumSection(arguments, length / 128, cacheBytes, multiprocessors);
  };
  constexpr int64_t cache = 60 << 20;
  CHECK(section(1, 16, 16, 16384, 128, cache, 132) == 2); // one of 16 MiB would do, but leaves its tail
  CHECK(section(2, 16, 16, 8192, 128, cache, 132) == 2);
  CHECK(section(4, 16, 16, 4096, 128, cache, 132) == 8); // 5 do not divide 64
  CHECK(section(1, 21, 21, 16384, 96, cache, 132) == 3);
  CHECK(section(1, 32, 8, 4096, 128, cache, 132) == 4); // four query heads each, and 32 programs
  CHECK(section(1, 13, 13, 4096, 128, cache, 132) == 5); // nothing near divides 13
  CHECK(section(1, 1, 1, 128, 64, cache, 132) == 1);
  CHECK(section(1, 16, 16, 16384, 128, 0, 1) == 2);
}
