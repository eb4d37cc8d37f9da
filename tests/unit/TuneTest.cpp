// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tuner, on the host.
#include "TemporaryFolder.h"
#include "landmark/Runtime.h"
#include "tune/DecodeSubject.h"
#include "tune/Tuner.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace landmark;
using namespace landmark::tune;
using Catch::Matchers::Contains;
using landmark::test::readWhole;
using landmark::test::TemporaryFolder;
using landmark::test::writeWhole;

namespace {

const Problem problem{Operation::Forward, 16, 16, DType::F32};
const Target sm80 = *parseTarget("sm_80"), sm90a = *parseTarget("sm_90a");

Knobs knobsFor(const std::filesystem::path &cacheDir) {
  Knobs knobs;
  knobs.cacheDir = cacheDir;
  knobs.cacheLimit = INT64_MAX;
  return knobs;
}

Options quick() {
  Options options;
  options.workload = {1, 2, 1, 64, 64};
  options.repeats = 3;
  return options;
}

Expected<Result> run(const Options &options, const Knobs &knobs, const Problem &of = problem) {
  return tune::tune(Device::host(), of, options, knobs, std::make_shared<ThreadPool>(2));
}

} // namespace

TEST_CASE("candidates are legal, different, and hold the shipped default") {
  for (const Target &target : {Target{}, sm80, sm90a})
    for (int64_t blockSize : {2, 51, 64, 200, 1 << 20})
      for (int64_t headDim : {16, 72, 128, 256})
        for (auto [operation, dtype] : {std::pair{Operation::Forward, DType::BF16},
                                        {Operation::Forward, DType::F32},
                                        {Operation::Backward, DType::F16}}) {
          Problem one{operation, blockSize, headDim, dtype};
          INFO(describe(one) << " " << target.chip);
          auto configs = legalConfigs(one, target, defaultConfig(one, target));
          REQUIRE_FALSE(configs.empty());
          for (std::size_t i = 0; i < configs.size(); ++i) {
            REQUIRE(validate(configs[i], one, target));
            REQUIRE(std::find(configs.begin() + i + 1, configs.end(), configs[i]) == configs.end());
          }
          CHECK(std::find(configs.begin(), configs.end(), defaultConfig(one, target)) != configs.end());
        }
}

TEST_CASE("neighbours are one step apart") {
  Config base{128, 64, 8, 2};
  CHECK(areNeighbours(base, {128, 64, 8, 3}));
  CHECK(areNeighbours(base, {128, 128, 8, 2}));
  CHECK(areNeighbours(base, {192, 64, 12, 2}));
  CHECK(areNeighbours(base, {64, 64, 8, 2}));
  CHECK_FALSE(areNeighbours(base, base));
  CHECK_FALSE(areNeighbours(base, {192, 128, 12, 2}));
  CHECK_FALSE(areNeighbours(base, {128, 128, 8, 3}));
  Config tma{128, 64, 8, 2, MatrixUnit::Wgmma, Loads::Tma, true, true, false}, other = tma;
  CHECK(areNeighbours(base, tma));
  other.pingPong = true;
  CHECK(areNeighbours(tma, other));
  CHECK(areNeighbours(base, other));
  other.overlap = false;
  CHECK_FALSE(areNeighbours(tma, other));
}

TEST_CASE("tuning measures some configs, names the reason for the others, and is used afterwards") {
  TemporaryFolder folder;
  Knobs knobs = knobsFor(folder.path);
  int last = 0;
  Options options = quick();
  options.onProgress = [&](int done, int total, double) {
    CHECK(done == last + 1);
    CHECK(done <= total);
    last = done;
  };
  auto result = run(options, knobs);
  REQUIRE(result);
  CHECK(int(result->timings.size()) == last);
  CHECK(result->candidates == int(legalConfigs(problem, Target{}, defaultConfig(problem, Target{})).size()));
  CHECK(int(result->timings.size() + result->rejections.size()) == result->candidates);
  CHECK(int(result->timings.size()) < result->candidates);
  CHECK(result->best == result->finals.front().config);
  CHECK(result->finals.size() >= 4);
  CHECK(result->finals.size() <= 5);
  CHECK(std::any_of(result->finals.begin(), result->finals.end(),
                    [&](const Timing &timing) { return timing.config == result->initial; }));
  for (std::size_t i = 1; i < result->timings.size(); ++i)
    CHECK(result->timings[i - 1].medianMs <= result->timings[i].medianMs);
  for (const Rejection &rejection : result->rejections)
    CHECK_THAT(rejection.reason, Contains("predicted"));

  Device host = Device::host();
  CHECK_FALSE(tune::find(folder.path, host, problem));
  result->best = Config{8, 32, 1, 1};
  REQUIRE(save(folder.path, host, *result));
  CHECK(tune::find(folder.path, host, problem) == result->best);
  CHECK(scheduleFor(problem, LengthClass::Any, host, knobs) == result->best);
  knobs.tune = TuneMode::Off;
  CHECK(scheduleFor(problem, LengthClass::Any, host, knobs) == defaultConfig(problem, Target{}));
  RuntimeOptions runtimeOptions;
  runtimeOptions.cacheDir = folder.path;
  auto kernel = Runtime(host, runtimeOptions).forward(problem);
  REQUIRE(kernel);
  CHECK(kernel->kernel().config == result->best);
}

TEST_CASE("a runtime tunes, and gives what it found from then on") {
  TemporaryFolder folder;
  RuntimeOptions runtimeOptions;
  runtimeOptions.cacheDir = folder.path;
  Runtime runtime(Device::host(), runtimeOptions);
  auto before = runtime.forward(problem);
  REQUIRE(before);
  CHECK(before->kernel().config == defaultConfig(problem, Target{}));
  TuneOptions options;
  options.heads = 2;
  options.keyLength = 64;
  auto result = runtime.tune(problem, options);
  REQUIRE(result);
  CHECK(result->kept);
  CHECK(result->milliseconds > 0);
  CHECK(result->measured > 0);
  CHECK(result->measured < result->legal);
  auto after = runtime.forward(problem);
  REQUIRE(after);
  CHECK(after->kernel().config == result->config);
  CHECK(Runtime(Device::host(), runtimeOptions).forward(problem)->kernel().config == result->config);
  options.keyLength = -1; // the default
  options.kvHeads = 3;
  CHECK_FALSE(runtime.tune(problem, options));
}

TEST_CASE("tuning ends when its time is up") {
  TemporaryFolder folder;
  Options options = quick();
  options.exhaustive = true;
  options.seconds = 1e-9; // up before anything is compiled
  auto none = run(options, knobsFor(folder.path));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::CompileFailed);
  CHECK_THAT(none.error().notes.front(), Contains("the time was up"));
  options.onProgress = [&](int, int, double) { options.seconds = 1e-9; }; // after the first
  options.seconds = 1000;
  auto some = run(options, knobsFor(folder.path));
  REQUIRE(some);
  CHECK(some->timings.size() == 1);
  CHECK(int(some->timings.size() + some->rejections.size()) == some->candidates);
  CHECK(some->rejections.front().reason == "not tried: the time was up");
}

TEST_CASE("results of other problems and workloads stay, the latest counts") {
  TemporaryFolder folder;
  Device host = Device::host();
  Problem other = problem;
  other.headDim = 64;
  auto keep = [&](const Problem &of, int64_t rows, int64_t length) {
    Result result{};
    result.problem = of;
    result.workload.keyLength = length;
    result.best = {rows, 32, 1, 1};
    REQUIRE(save(folder.path, host, result));
  };
  keep(problem, 8, 100);
  keep(other, 16, 100);
  keep(problem, 32, 200);
  CHECK(tune::find(folder.path, host, problem)->queryTile == 32);
  CHECK(tune::find(folder.path, host, other)->queryTile == 16);
  keep(problem, 64, 100);
  CHECK(tune::find(folder.path, host, problem)->queryTile == 64);
  keep(problem, 7777, 100); // not legal: the next best that was found
  CHECK(tune::find(folder.path, host, problem)->queryTile == 32);
}

TEST_CASE("a result counts for its class of lengths alone, or where the length is not known") {
  TemporaryFolder folder;
  Device host = Device::host();
  Knobs knobs = knobsFor(folder.path);
  auto keep = [&](int64_t rows, int64_t length) {
    Result result{};
    result.problem = problem;
    result.workload.queryLength = result.workload.keyLength = length;
    result.best = {rows, 32, 1, 1};
    REQUIRE(save(folder.path, host, result));
  };
  auto rowsFor = [&](LengthClass length) { return scheduleFor(problem, length, host, knobs).queryTile; };
  int64_t shipped = defaultConfig(problem, Target{}).queryTile;
  REQUIRE(shipped > 16);
  keep(8, 4096);
  CHECK(rowsFor(LengthClass::Short) == 8);
  CHECK(rowsFor(LengthClass::Long) == shipped);
  CHECK(rowsFor(LengthClass::Any) == 8);
  keep(16, 4097);
  CHECK(rowsFor(LengthClass::Short) == 8);
  CHECK(rowsFor(LengthClass::Long) == 16);
  CHECK(rowsFor(LengthClass::Any) == 16);

  // A workload that does not tell its length is of no class; that of nobody is none.
  auto file = folder.path / "tuning" / fileNameOf(host);
  std::string text = readWhole(file);
  for (std::size_t at; (at = text.find("\"key_length\"")) != text.npos;)
    text.replace(at, std::strlen("\"key_length\""), "\"length\"");
  writeWhole(file, text);
  CHECK(rowsFor(LengthClass::Short) == shipped);
  CHECK(rowsFor(LengthClass::Long) == shipped);
  CHECK(rowsFor(LengthClass::Any) == 16);
}

TEST_CASE("a call takes what was tuned for its length, and lengths of one schedule share a kernel") {
  TemporaryFolder folder;
  Device host = Device::host();
  RuntimeOptions options;
  options.cacheDir = folder.path;
  auto kernelFor = [&](Runtime &runtime, LengthClass length) {
    CompileOptions compile;
    compile.length = length;
    auto kernel = runtime.forward(problem, compile);
    REQUIRE(kernel);
    return &kernel->kernel();
  };
  {
    Runtime runtime(host, options);
    CHECK(kernelFor(runtime, LengthClass::Short) == kernelFor(runtime, LengthClass::Long));
  }
  Result result{};
  result.problem = problem;
  result.workload.keyLength = 100;
  result.best = {8, 32, 1, 1};
  REQUIRE(save(folder.path, host, result));
  Runtime runtime(host, options);
  CHECK(kernelFor(runtime, LengthClass::Short)->config == result.best);
  CHECK(kernelFor(runtime, LengthClass::Long)->config == defaultConfig(problem, Target{}));

  // Of a call the keys decide; what the cache holds afterwards tells which kernels there were.
  constexpr int64_t rows = 4, D = 16;
  RuntimeOptions elsewhere = options;
  elsewhere.cacheDir = folder.path / "calls";
  REQUIRE(save(*elsewhere.cacheDir, host, result));
  Runtime calls(host, elsewhere);
  for (auto [keys, kernels] : {std::pair{100, 1}, {4096, 1}, {4097, 2}, {9, 2}}) {
    INFO(keys << " keys");
    std::vector<float> q(rows * D, 1), k(std::size_t(keys * D), 1), o(rows * D), lse(rows);
    TensorView keysView = denseView(k.data(), DType::F32, {1, 1, keys, D});
    ForwardArguments arguments{denseView(q.data(), DType::F32, {1, 1, rows, D}), keysView, keysView,
                               denseView(o.data(), DType::F32, {1, 1, rows, D}), denseRows(lse.data(), {1, 1, rows}), problem.blockSize};
    REQUIRE(calls.forward(arguments));
    CHECK_THAT(o, Catch::Matchers::Approx(std::vector<float>(o.size(), 1)).margin(1e-4));
    auto entries = std::filesystem::directory_iterator(folder.path / "calls/kernels");
    CHECK(std::distance(begin(entries), end(entries)) == kernels);
  }
}

TEST_CASE("workloads are of the class that they are to measure") {
  for (Operation operation : {Operation::Forward, Operation::Backward})
    for (LengthClass length : {LengthClass::Short, LengthClass::Long})
      CHECK(lengthClass(tune::defaultWorkload(operation, Device::host(), length).keyLength) == length);
}

TEST_CASE("a results file that is not to be believed is none") {
  TemporaryFolder folder;
  Device host = Device::host();
  Result result{};
  result.problem = problem;
  result.best = {8, 32, 1, 1};
  REQUIRE(save(folder.path, host, result));
  auto file = folder.path / "tuning" / fileNameOf(host);
  std::string whole = readWhole(file);
  for (const std::string &text :
       {std::string(), std::string("[]"), std::string("{\"results\": 3}"), whole.substr(0, whole.size() / 2),
        std::string("{\"results\": [7, {\"problem\": 1}]}")}) {
    writeWhole(file, text);
    CHECK_FALSE(tune::find(folder.path, host, problem));
  }
  REQUIRE(save(folder.path, host, result)); // in place of the damaged one
  CHECK(tune::find(folder.path, host, problem));
  std::filesystem::permissions(file, std::filesystem::perms::all);
  CHECK_FALSE(tune::find(folder.path, host, problem));
}

TEST_CASE("a config with a wrong result never wins, and nobody winning is an error") {
  // A base of logarithms that is none.
  for (auto [operation, part, wrong] : {std::tuple{Operation::Forward, "0.693147181", "0.5"},
                                        {Operation::Backward, "dense<1.44269504>", "dense<1.0>"}}) {
    Problem one = problem;
    one.operation = operation;
    TemporaryFolder folder;
    Options options = quick();
    options.compile.templateFile = folder.path / "wrong.mlir";
    std::string text = *templateText(one, defaultConfig(one, Target{}), Target{}, {});
    REQUIRE(text.find(part) != text.npos);
    text.replace(text.find(part), std::strlen(part), wrong);
    writeWhole(options.compile.templateFile, text);
    auto result = run(options, knobsFor(folder.path / "cache"), one);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::CompileFailed);
    REQUIRE_FALSE(result.error().notes.empty());
    CHECK_THAT(result.error().notes.front(), Contains("query_tile=") && Contains("wrong result"));
  }
}

TEST_CASE("the backward is tuned too, apart from the forward and by the type of its gradients") {
  TemporaryFolder folder;
  Problem gradients{Operation::Backward, 16, 16, DType::BF16, /*floatGradients=*/true};
  auto result = run(quick(), knobsFor(folder.path), gradients);
  INFO((result ? std::string() : result.error().message));
  REQUIRE(result);
  CHECK_FALSE(result->timings.empty());
  for (const Rejection &rejection : result->rejections)
    CHECK_THAT(rejection.reason, Contains("predicted"));
  REQUIRE(save(folder.path, Device::host(), *result));
  CHECK(tune::find(folder.path, Device::host(), gradients) == result->best);
  CHECK_FALSE(tune::find(folder.path, Device::host(), problem));
  gradients.floatGradients = false;
  CHECK_FALSE(tune::find(folder.path, Device::host(), gradients));
}

TEST_CASE("the steps of decoding are tuned as one step, and used by a retrieval with as many rows") {
  TemporaryFolder folder;
  Knobs knobs = knobsFor(folder.path);
  Device host = Device::host();
  Problem decode{Operation::Attend, 16, 32, DType::F32, /*floatGradients=*/false, /*topK=*/3};
  Options options = quick();
  options.workload = {.batch = 2, .heads = 4, .kvHeads = 2, .queryLength = 1, .keyLength = 1500};
  auto steps = decodeSteps(host, decode, options.workload);
  REQUIRE(steps);
  REQUIRE(steps->size() == 2);
  CHECK(steps->front().operation == Operation::ScoreTop);
  CHECK(isRetrieval(steps->back().operation));

  CacheOptions cacheOptions;
  cacheOptions.blockSize = 16, cacheOptions.kvHeads = 2, cacheOptions.headDim = 32, cacheOptions.dtype = DType::F32;
  cacheOptions.maxSequences = 2, cacheOptions.maxTokens = 1500, cacheOptions.budgetBytes = 64 << 20;
  RetrievalOptions retrievalOptions;
  retrievalOptions.queryHeads = 4, retrievalOptions.topK = 3, retrievalOptions.maxBatch = 2;
  auto plan = RetrievalPlan::make(cacheOptions, retrievalOptions, host);
  REQUIRE(plan);
  for (const Problem &step : *steps)
    for (bool rotates : {false, true}) {
      Problem one = step;
      one.rotates = rotates;
      INFO(describe(one));
      auto result = run(options, knobs, one);
      INFO((result ? std::string() : result.error().message + "; " + result.error().notes.front()));
      REQUIRE(result);
      CHECK(result->initial == plan->config(one.operation, Target{}));
      for (const Rejection &rejection : result->rejections)
        CHECK_THAT(rejection.reason, Contains("predicted"));
      if (rotates)
        continue;
      CHECK(scheduleFor(*plan, one.operation, host, knobs) == plan->config(one.operation, Target{}));
      result->best.queryTile = 16; // not the plan's
      REQUIRE(save(folder.path, host, *result));
      CHECK(scheduleFor(*plan, one.operation, host, knobs) == result->best);
    }

  Problem foreign = steps->back(); // the step that these sizes do not take
  foreign.operation = foreign.operation == Operation::Attend ? Operation::AttendPart : Operation::Attend;
  auto refused = run(options, knobs, foreign);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("got the step") && Contains("score_top and attend"));

  RetrievalPlan other = *plan; // a result holds for its rows alone
  other.maxQueries = 2;
  CHECK(scheduleFor(other, Operation::ScoreTop, host, knobs) == other.config(Operation::ScoreTop, Target{}));
  other = *plan;
  other.queryHeads = 8;
  CHECK(scheduleFor(other, Operation::ScoreTop, host, knobs) == other.config(Operation::ScoreTop, Target{}));

  RuntimeOptions runtimeOptions;
  runtimeOptions.cacheDir = folder.path / "of runtime";
  Runtime runtime(host, runtimeOptions);
  TuneOptions sizes{.batch = 2, .heads = 4, .kvHeads = 2, .keyLength = 1500};
  auto tuned = runtime.tune(steps->front(), sizes);
  REQUIRE(tuned);
  CHECK(tuned->kept);
}

TEST_CASE("a retrieval takes only schedules that its plan can count on") {
  CacheOptions cacheOptions;
  cacheOptions.kvHeads = 8, cacheOptions.maxTokens = 65536;
  RetrievalOptions options;
  options.queryHeads = 32;
  auto plan = RetrievalPlan::make(cacheOptions, options, Device::host());
  REQUIRE(plan);
  Operation attend = plan->attendStep();
  Config planned = plan->config(attend, sm90a), other = planned;
  CHECK(plan->takes(planned, attend, sm90a));
  other.keyTile = 8; // not legal
  CHECK_FALSE(plan->takes(other, attend, sm90a));
  other = planned;
  other.warps = 4, other.queryTile = 64; // rows that hold no list
  plan->selects = false;
  CHECK_FALSE(plan->takes(other, attend, sm90a));
  plan->selects = true;
  CHECK(plan->takes(other, attend, sm90a));
}

TEST_CASE("a step of decoding with a wrong result never wins") {
  TemporaryFolder folder;
  Problem one{Operation::ScoreTop, 16, 32, DType::F32, /*floatGradients=*/false, /*topK=*/3};
  Options options = quick();
  options.workload = {.batch = 1, .heads = 2, .kvHeads = 1, .queryLength = 1, .keyLength = 1500};
  options.compile.templateFile = folder.path / "wrong.mlir";
  std::string text = *templateText(one, defaultConfig(one, Target{}), Target{}, {}), right = "%end = arith.maxsi";
  REQUIRE(text.find(right) != text.npos);
  text.replace(text.find(right), right.size(), "%end = arith.minsi"); // nothing may be chosen
  writeWhole(options.compile.templateFile, text);
  auto result = run(options, knobsFor(folder.path / "cache"), one);
  REQUIRE_FALSE(result);
  CHECK_THAT(result.error().notes.front(), Contains("query_tile=") && Contains("wrong result"));
}

TEST_CASE("sizes that nobody can run are refused") {
  Options options = quick();
  options.workload.kvHeads = 3;
  auto result = run(options, knobsFor(""));
  REQUIRE_FALSE(result);
  CHECK_THAT(result.error().message, Contains("3 heads"));
}

TEST_CASE("tuning when first needed happens once") {
  TemporaryFolder folder;
  RuntimeOptions options;
  options.cacheDir = folder.path;
  options.tune = TuneMode::On;
  auto first = Runtime(Device::host(), options).forward(problem);
  REQUIRE(first);
  auto file = folder.path / "tuning" / fileNameOf(Device::host());
  std::string results = readWhole(file);
  CHECK_THAT(results, Contains("\"timings\""));
  auto second = Runtime(Device::host(), options).forward(problem);
  REQUIRE(second);
  CHECK(readWhole(file) == results);
  CHECK(second->kernel().config == first->kernel().config);
}
