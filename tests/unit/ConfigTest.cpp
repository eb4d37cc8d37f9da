// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Schedules: what is refused, with a way out that works; what is shipped; their text.
#include "compiler/Driver/Shipped.h"
#include "landmark/Compiler.h"
#include "landmark/Config.h"

#include <catch2/catch.hpp>

#include <charconv>
#include <cstdint>
#include <limits>

using namespace landmark;

namespace {

Target target(std::string_view name) {
  auto parsed = parseTarget(name);
  REQUIRE(parsed);
  return *parsed;
}

const char *const targetNames[] = {"host", "sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100a", "sm_120a"};

/// The refusal of `config`: an invalid argument that names `field`, its value and what is allowed.
std::string refusal(const Config &config, const Problem &problem, const Target &target, const std::string &field) {
  auto valid = validate(config, problem, target);
  INFO(describe(config) << " for " << describe(problem) << " on " << target.chip);
  REQUIRE_FALSE(valid);
  CHECK(valid.error().code == ErrorCode::InvalidArgument);
  CHECK_THAT(valid.error().message, Catch::Contains(field + " = "));
  return valid.error().message;
}

/// The problem that describe() says so, of a grid.
std::optional<Problem> problemNamed(std::string_view text) {
  for (Operation operation : {Operation::Forward, Operation::Backward})
    for (DType dtype : {DType::BF16, DType::F16, DType::F32})
      for (bool floatGradients : {false, true})
        for (bool deterministic : {false, true})
          for (int64_t headDim = 16; headDim <= 256; headDim += 8)
            for (int64_t blockSize = 2; blockSize <= 512; ++blockSize)
              if (Problem problem{operation, blockSize, headDim, dtype, floatGradients, 0, false, deterministic}; describe(problem) == text)
                return problem;
  return std::nullopt;
}

int64_t *fieldOf(Config &config, std::string_view message) {
  std::pair<std::string_view, int64_t *> fields[] = {{"query_tile", &config.queryTile},
                                                     {"key_tile", &config.keyTile},
                                                     {"warps", &config.warps},
                                                     {"stages", &config.stages}};
  constexpr std::string_view prefix = "config: ";
  REQUIRE(message.substr(0, prefix.size()) == prefix);
  for (auto [name, value] : fields)
    if (message.substr(prefix.size(), name.size()) == name)
      return value;
  return nullptr;
}

int64_t nearestOf(std::string_view message) {
  constexpr std::string_view phrase = "nearest legal value is ";
  size_t start = message.find(phrase);
  REQUIRE(start != message.npos);
  int64_t value = 0;
  const char *first = message.data() + start + phrase.size();
  REQUIRE(std::from_chars(first, message.data() + message.size(), value).ec == std::errc());
  return value;
}

/// Takes every advice that `validate` gives; none may be given twice for a field without an end.
void followAdvice(Config config, const Problem &problem, const Target &target) {
  INFO(describe(config) << " for " << describe(problem) << " on " << target.chip);
  for (int step = 0; step < 16; ++step) {
    auto valid = validate(config, problem, target);
    if (valid)
      return;
    const std::string &message = valid.error().message;
    INFO(message);
    int64_t *field = fieldOf(config, message), advised = nearestOf(message);
    REQUIRE(field);
    REQUIRE(*field != advised);
    *field = advised;
  }
  FAIL("the advice does not lead to a legal config");
}

} // namespace

TEST_CASE("each limit of a config is refused by name", "[config]") {
  Problem problem;
  Target gpu = target("sm_80"), host = target("host");
  Config gpuConfig{64, 64, 4, 2}, hostConfig{64, 64, 1, 1};
  REQUIRE(validate(gpuConfig, problem, gpu));
  REQUIRE(validate(hostConfig, problem, host));
  auto with = [](Config config, int64_t Config::*field, int64_t value) {
    config.*field = value;
    return config;
  };
  const int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();

  for (int64_t value : {least, int64_t(-1), int64_t(0), int64_t(4), int64_t(65), int64_t(72), int64_t(136), most})
    refusal(with(gpuConfig, &Config::keyTile, value), problem, gpu, "key_tile");
  for (int64_t value : {least, int64_t(0), int64_t(17), int64_t(32), most})
    refusal(with(gpuConfig, &Config::warps, value), problem, gpu, "warps");
  for (int64_t value : {least, int64_t(0), int64_t(16), int64_t(65), int64_t(100), most})
    refusal(with(gpuConfig, &Config::queryTile, value), problem, gpu, "query_tile");
  for (int64_t value : {least, int64_t(0), int64_t(9), most})
    refusal(with(gpuConfig, &Config::stages, value), problem, gpu, "stages");
  for (int64_t value : {least, int64_t(0), int64_t(257), most})
    refusal(with(hostConfig, &Config::queryTile, value), problem, host, "query_tile");
  for (int64_t value : {least, int64_t(0), int64_t(2), most}) {
    refusal(with(hostConfig, &Config::warps, value), problem, host, "warps");
    refusal(with(hostConfig, &Config::stages, value), problem, host, "stages");
  }
}

TEST_CASE("a config that does not fit the device is refused", "[config]") {
  Problem wide;
  wide.headDim = 256;
  CHECK_THAT(refusal({128, 64, 1, 2}, wide, target("sm_80"), "query_tile"), Catch::Contains("registers"));
  CHECK_THAT(refusal({64, 128, 4, 8}, wide, target("sm_90"), "stages"), Catch::Contains("shared memory"));
  wide.dtype = DType::F32;
  CHECK_THAT(refusal({64, 64, 4, 2}, wide, target("sm_86"), "stages"), Catch::Contains("sm_86"));
  Config overlapped{128, 128, 8, 1, MatrixUnit::Wgmma, Loads::Tma, /*programs=*/1, /*overlap=*/true, /*pingPong=*/true};
  CHECK_THAT(refusal(overlapped, {Operation::Forward, 64, 128, DType::BF16}, target("sm_90a"), "stages"), Catch::Contains("value is 2"));
}

TEST_CASE("schedules that are shipped as data are legal, whole, and the default of their problem", "[config]") {
  for (const char *name : targetNames)
    for (const ShippedConfig &shipped : shippedConfigs(name)) {
      INFO(name << ": " << shipped.problem);
      std::optional<Problem> problem = problemNamed(shipped.problem);
      REQUIRE(problem);
      auto config = parseConfig(shipped.config, {});
      REQUIRE(config);
      CHECK(describe(*config) == shipped.config);
      CHECK(validate(*config, *problem, target(name)));
      bool any = shipped.lengths == "any";
      CHECK((any || shipped.lengths == "short" || shipped.lengths == "long"));
      CHECK((defaultConfig(*problem, target(name), LengthClass::Short) == *config) == (any || shipped.lengths == "short"));
      CHECK((defaultConfig(*problem, target(name), LengthClass::Long) == *config) == (any || shipped.lengths == "long"));
      CHECK_THAT(std::string(shipped.measured), Catch::Contains(" ms ") && Catch::Contains("NVIDIA") && Catch::Contains("20"));
      CHECK(defaultConfig(*problem, target(name), LengthClass::Any, Loads::Async).loads == Loads::Async);
    }
}

TEST_CASE("lengths have two classes, and what is not known is scheduled as long", "[config]") {
  CHECK(lengthClass(0) == LengthClass::Any);
  CHECK(lengthClass(-1) == LengthClass::Any);
  CHECK(lengthClass(1) == LengthClass::Short);
  CHECK(lengthClass(4096) == LengthClass::Short);
  CHECK(lengthClass(4097) == LengthClass::Long);
  CHECK(lengthClass(std::numeric_limits<int64_t>::max()) == LengthClass::Long);
  CHECK(describe(LengthClass::Any) == "any");
  CHECK_THAT(describe(LengthClass::Short), Catch::StartsWith("short") && Catch::Contains("4096"));
  CHECK_THAT(describe(LengthClass::Long), Catch::StartsWith("long") && Catch::Contains("4096"));
  for (const char *name : targetNames)
    for (Operation operation : {Operation::Forward, Operation::Backward})
      for (int64_t headDim = 16; headDim <= 256; headDim += 16)
        for (int64_t blockSize : {2, 51, 64, 128}) {
          Problem problem{operation, blockSize, headDim, DType::BF16};
          INFO(name << ": " << describe(problem));
          CHECK(defaultConfig(problem, target(name)) == defaultConfig(problem, target(name), LengthClass::Long));
          CHECK(validate(defaultConfig(problem, target(name), LengthClass::Short), problem, target(name)));
        }
}

TEST_CASE("short sequences have schedules of their own where they measured better", "[config]") {
  Target hopper = target("sm_90a");
  auto differ = [&](const Problem &problem) { return defaultConfig(problem, hopper, LengthClass::Short) != defaultConfig(problem, hopper, LengthClass::Long); };
  for (int64_t blockSize : {64, 128, 256})
    CHECK(differ({Operation::Forward, blockSize, 64, DType::BF16}));
  for (int64_t blockSize : {32, 51, 64, 128, 256})
    CHECK_FALSE(differ({Operation::Forward, blockSize, 128, DType::BF16}));
  CHECK_FALSE(differ({Operation::Backward, 64, 64, DType::BF16}));
  CHECK_FALSE(differ({Operation::ForwardListed, 64, 64, DType::BF16}));
}

TEST_CASE("wgmma is refused where it does not fit, by name", "[config]") {
  Problem problem;
  Config wgmma{128, 128, 8, 2, MatrixUnit::Wgmma};
  Target hopper = target("sm_90a");
  REQUIRE(validate(wgmma, problem, hopper));
  for (const char *name : {"host", "sm_80", "sm_90", "sm_100a"})
    refusal(name == std::string_view("host") ? Config{64, 64, 1, 1, MatrixUnit::Wgmma} : wgmma, problem, target(name), "unit");
  refusal(wgmma, {Operation::Forward, 64, 128, DType::F32}, hopper, "unit");
  refusal(wgmma, {Operation::Forward, 64, 72, DType::BF16}, hopper, "unit");
  refusal({128, 56, 8, 2, MatrixUnit::Wgmma}, {Operation::Forward, 51, 128, DType::BF16}, hopper, "key_tile");
  refusal({96, 128, 6, 2, MatrixUnit::Wgmma}, problem, hopper, "warps");
  refusal({256, 128, 8, 2, MatrixUnit::Wgmma}, problem, hopper, "query_tile");
  refusal({256, 128, 16, 2, MatrixUnit::Wgmma}, problem, hopper, "warps"); // 128 registers a thread hold no accumulators of 128
}

TEST_CASE("the default on sm_90a is wgmma wherever it fits", "[config]") {
  Target hopper = target("sm_90a");
  for (int64_t headDim = 16; headDim <= 192; headDim += 8)
    for (int64_t blockSize : {2, 32, 51, 64, 128, 256}) {
      INFO("D=" << headDim << " L=" << blockSize);
      Config config = defaultConfig({Operation::Forward, blockSize, headDim, DType::BF16}, hopper);
      CHECK((config.unit == MatrixUnit::Wgmma) == (headDim % 16 == 0));
    }
}

TEST_CASE("parts of a long block are multiples of 8 keys", "[config]") {
  Problem problem;
  problem.blockSize = 500;
  CHECK(isLongBlock(problem, {64, 64, 4, 2}));
  refusal({64, 60, 4, 2}, problem, target("sm_80"), "key_tile");
  CHECK(validate(Config{64, 56, 4, 2}, problem, target("sm_80")));
}

TEST_CASE("parts of a long block come by tensor maps where a second accumulator fits", "[config]") {
  Target hopper = target("sm_90a");
  Compiler compiler;
  for (int64_t blockSize : {129, 193, 200, 256, 512})
    for (int64_t headDim : {16, 64, 80, 128}) {
      Problem problem{Operation::Forward, blockSize, headDim, DType::BF16};
      INFO(describe(problem));
      CHECK(defaultConfig(problem, hopper).loads == Loads::Tma);
    }
  // The model's shared memory is what the kernel takes, whoever copies.
  Problem problem{Operation::Forward, 200, 128, DType::BF16};
  for (Config config : {Config{128, 64, 8, 2, MatrixUnit::Wgmma, Loads::Tma, 1, true, true}, Config{128, 96, 8, 1, MatrixUnit::Wgmma, Loads::Tma}, Config{128, 64, 8, 2, MatrixUnit::Wgmma}}) {
    INFO(describe(config));
    CompileOptions options;
    options.config = config;
    auto kernel = compiler.compile(problem, hopper, options);
    REQUIRE(kernel);
    CHECK(kernel->functions[0].sharedBytes == sharedBytes(config, problem, hopper));
    CHECK(kernel->tensorMaps.empty() == (config.loads == Loads::Async));
  }
  refusal({128, 64, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, {Operation::Forward, 193, 128, DType::BF16}, hopper, "key_tile"); // a part of one landmark
  auto wide = validate(Config{128, 64, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, {Operation::Forward, 256, 192, DType::BF16}, hopper);
  REQUIRE_FALSE(wide);
  CHECK_THAT(wide.error().message, Catch::Contains("loads = tma") && Catch::Contains("at most 128, got 192"));
  CHECK(defaultConfig({Operation::Forward, 256, 192, DType::BF16}, hopper).loads == Loads::Async);
}

TEST_CASE("a problem that is not valid has no legal config", "[config]") {
  Problem problem;
  problem.headDim = 20;
  auto valid = validate(Config{}, problem, target("sm_80"));
  REQUIRE_FALSE(valid);
  CHECK_THAT(valid.error().message, Catch::Contains("head dimension"));
}

TEST_CASE("advice leads to a legal config", "[config]") {
  const int64_t values[] = {
      std::numeric_limits<int64_t>::min(), -7, 0, 1, 2, 3, 8, 12, 17, 48, 60, 64, 96, 128, 200, 256, 1000,
      std::numeric_limits<int64_t>::max()};
  for (auto [name, operation] : {std::pair{"host", Operation::Forward}, std::pair{"sm_80", Operation::Forward}, std::pair{"sm_86", Operation::Forward},
                                 std::pair{"sm_90", Operation::Forward}, std::pair{"host", Operation::Backward}, std::pair{"sm_86", Operation::Backward}})
    for (int64_t blockSize : {2, 51, 64, 100, 128, 300})
      for (int64_t headDim : {16, 128}) {
        Problem problem;
        problem.operation = operation;
        problem.blockSize = blockSize;
        problem.headDim = headDim;
        Config base = defaultConfig(problem, target(name));
        for (int64_t Config::*field : {&Config::queryTile, &Config::keyTile, &Config::warps, &Config::stages})
          for (int64_t value : values) {
            Config config = base;
            config.*field = value;
            followAdvice(config, problem, target(name));
          }
      }
}

TEST_CASE("the shipped config is legal for every problem and target", "[config]") {
  for (const char *name : targetNames) {
    Target chip = target(name);
    for (auto [operation, dtype] : {std::pair{Operation::Forward, DType::BF16}, std::pair{Operation::Forward, DType::F16}, std::pair{Operation::Forward, DType::F32},
                                    std::pair{Operation::Backward, DType::BF16}, std::pair{Operation::Backward, DType::F32}})
      for (int64_t headDim = 16; headDim <= 256; headDim += 8)
        for (int64_t blockSize = 2; blockSize <= 300; ++blockSize) {
          Problem problem;
          problem.operation = operation;
          problem.dtype = dtype;
          problem.headDim = headDim;
          problem.blockSize = blockSize;
          Config config = defaultConfig(problem, chip);
          auto valid = validate(config, problem, chip);
          if (!valid)
            FAIL(describe(problem) << " on " << name << ": " << valid.error().message);
          if (sharedBytes(config, problem, chip) > chip.maxSharedBytes())
            FAIL(describe(problem) << " on " << name << " takes too much shared memory");
        }
  }
}

TEST_CASE("the output of several programs has a place of its own where there is room", "[config]") {
  Target hopper = target("sm_90a");
  Problem problem;
  problem.headDim = 128;
  Config one{128, 128, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, two = one, three = one, full = one;
  two.programs = full.programs = 2;
  three.stages = full.stages = 3;
  CHECK(sharedBytes(two, problem, hopper) == sharedBytes(one, problem, hopper) + 128 * 128 * 2);
  CHECK(sharedBytes(full, problem, hopper) == sharedBytes(three, problem, hopper));
  // As much as the kernel takes, which stores by a tensor map but in the last case.
  Compiler compiler;
  for (const Config &config : {one, two, three, full}) {
    CompileOptions options;
    options.config = config;
    auto kernel = compiler.compile(problem, hopper, options);
    REQUIRE(kernel);
    CHECK(kernel->functions[0].sharedBytes == sharedBytes(config, problem, hopper));
    bool storesByMap = kernel->tensorMaps.back() == TensorMap{3, 64, 64, 128, 1};
    CHECK(storesByMap == !(config == full));
  }
  problem.headDim = 64; // short rows are stored from registers
  CHECK(sharedBytes(two, problem, hopper) == sharedBytes(one, problem, hopper));
}

TEST_CASE("a backward's key tiles are rows of accumulators", "[config]") {
  Problem problem;
  problem.operation = Operation::Backward;
  Target gpu = target("sm_80");
  REQUIRE(validate(Config{64, 64, 4, 2}, problem, gpu));
  refusal({64, 96, 4, 2}, problem, gpu, "key_tile");
  refusal({64, 64, 4, 2, MatrixUnit::Wgmma}, problem, target("sm_90a"), "unit");
  // A block takes a divisor of the key tile, whatever its size.
  for (auto [blockSize, tokens] : {std::pair{2, 8}, std::pair{9, 16}, std::pair{17, 32}, std::pair{51, 64}, std::pair{64, 64}, std::pair{65, 64}}) {
    problem.blockSize = blockSize;
    CHECK(tileTokens(problem, {64, 64, 4, 2}) == tokens);
    CHECK(isLongBlock(problem, {64, 64, 4, 2}) == (blockSize == 65));
  }
  CHECK(keyPasses(problem, {64, 64, 4, 2}, gpu) == 1);
  problem.headDim = 256;
  CHECK(keyPasses(problem, {64, 64, 4, 2}, gpu) == 2);
  CHECK(keyPasses(problem, {64, 64, 1, 1}, target("host")) == 1);
}

TEST_CASE("a backward by wgmma lets groups of warps share the blocks of a tile", "[config]") {
  Problem problem;
  problem.operation = Operation::Backward;
  problem.headDim = 128;
  Target hopper = target("sm_90a");
  Config config{128, 128, 8, 2, MatrixUnit::Wgmma, Loads::Tma};
  CHECK(defaultConfig(problem, hopper).unit == MatrixUnit::Wgmma);
  CHECK(defaultConfig(problem, hopper, LengthClass::Any, Loads::Async).unit == MatrixUnit::Mma);
  REQUIRE(validate(config, problem, hopper));
  CHECK(keyQueryTile(problem, config) == 64);
  CHECK(keyPasses(problem, config, hopper) == 1);
  CHECK(keyQueryTile(problem, {128, 128, 8, 2}) == 128);
  refusal({128, 64, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, problem, hopper, "key_tile");
  refusal({64, 128, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, problem, hopper, "query_tile");
  refusal({128, 128, 8, 2, MatrixUnit::Wgmma, Loads::Async}, problem, hopper, "unit");
  config.programs = 2;
  CHECK_FALSE(validate(config, problem, hopper));
  config.programs = 1, config.pingPong = true;
  CHECK_FALSE(validate(config, problem, hopper));
  // One block is all of the tile: every group multiplies its rows by all of it, and dv and dk have a pass each.
  config.pingPong = false, problem.blockSize = 128;
  REQUIRE(validate(config, problem, hopper));
  CHECK(keyQueryTile(problem, config) == 128);
  CHECK(keyPasses(problem, config, hopper) == 2);
  // What wgmma does not multiply, and blocks longer than a tile, go another way.
  for (auto [blockSize, headDim, dtype] : {std::tuple{64, 72, DType::BF16}, std::tuple{64, 64, DType::F32}, std::tuple{200, 64, DType::BF16}}) {
    Problem other{Operation::Backward, blockSize, headDim, dtype};
    CHECK(defaultConfig(other, hopper).unit == MatrixUnit::Mma);
  }
  for (int64_t blockSize : {32, 51, 64, 128})
    for (int64_t headDim : {64, 96, 128})
      CHECK(defaultConfig({Operation::Backward, blockSize, headDim, DType::BF16}, hopper).unit == MatrixUnit::Wgmma);
  CHECK(defaultConfig({Operation::Backward, 64, 256, DType::BF16}, hopper).unit == MatrixUnit::Wgmma);
}

TEST_CASE("a group of its own multiplies dq where groups of warps share rows", "[config]") {
  Problem problem;
  problem.operation = Operation::Backward;
  problem.headDim = 64;
  Target hopper = target("sm_90a");
  Config one{128, 128, 8, 4, MatrixUnit::Wgmma, Loads::Tma, 1, true, false}, group = one;
  group.dqGroup = true;
  CHECK(queryGradientAdder(problem, one, hopper) == Adder::Warp);
  CHECK(queryGradientAdder(problem, group, hopper) == Adder::Group);
  REQUIRE(validate(group, problem, hopper));
  CHECK(threads(group, hopper) == threads(one, hopper) + 128);
  // A second place of the weights and of the gradients of logits, with two pairs of barriers, in place of the sums' with one.
  CHECK(sharedBytes(group, problem, hopper) == sharedBytes(one, problem, hopper) + 2 * 64 * 128 * 2 + 32 - (4 * 64 * 64 + 16));
  // Columns need not be shared out.
  problem.headDim = 96;
  CHECK_FALSE(addsQueryGradients(problem, one, hopper));
  CHECK(addsQueryGradients(problem, group, hopper));
  // Nothing is added, or warps have rows of their own.
  problem.headDim = 64, problem.deterministic = true;
  refusal(group, problem, hopper, "dq_group");
  problem.deterministic = false, problem.blockSize = 128;
  CHECK(queryGradientAdder(problem, one, hopper) == Adder::None);
  refusal(group, problem, hopper, "dq_group");
  refusal({128, 128, 8, 2, MatrixUnit::Mma, Loads::Async, 1, false, false, true}, problem, hopper, "dq_group");
  problem.operation = Operation::Forward;
  refusal(group, problem, hopper, "dq_group");
}

TEST_CASE("a backward takes no more shared memory than it is said to", "[config]") {
  // A kernel resumed behind its schedule is launched with what is said.
  Target hopper = target("sm_90a");
  Compiler compiler;
  for (auto [blockSize, headDim] : {std::pair{64, 64}, {51, 96}, {64, 128}, {51, 128}, {128, 64}}) {
    Problem problem{Operation::Backward, blockSize, headDim, DType::BF16};
    auto kernel = compiler.compile(problem, hopper);
    REQUIRE(kernel);
    for (const Kernel::Function &function : kernel->functions)
      CHECK(function.sharedBytes <= sharedBytes(kernel->config, problem, hopper));
  }
}

TEST_CASE("a kernel resumed from PTX is launched as the one that the PTX was made for", "[config]") {
  Compiler compiler;
  for (auto [operation, name] : {std::pair{Operation::Forward, "sm_90a"}, {Operation::Backward, "sm_90a"}, {Operation::Forward, "sm_80"}}) {
    Problem problem{operation, 64, 128, DType::BF16};
    auto made = compiler.compile(problem, target(name));
    REQUIRE(made);
    CompileOptions options;
    options.resumeStage = Stage::PTX;
    options.resumeText = "// edited\n" + made->ptx;
    auto resumed = compiler.compile(problem, target(name), options);
    REQUIRE(resumed);
    CHECK(resumed->ptx == options.resumeText);
    CHECK(resumed->tensorMaps == made->tensorMaps);
    CHECK(made->tensorMaps.empty() == (std::string_view(name) == "sm_80"));
    REQUIRE(resumed->functions.size() == made->functions.size());
    for (size_t i = 0; i < made->functions.size(); ++i) {
      const Kernel::Function &function = resumed->functions[i], &original = made->functions[i];
      CHECK(function.name == original.name);
      CHECK(function.threads == original.threads);
      CHECK(function.waitsForGrid == original.waitsForGrid);
      CHECK(function.sharedBytes >= original.sharedBytes); // the model's counts where none is said
    }
  }
}

TEST_CASE("the largest block has a legal shipped config", "[config]") {
  Problem problem;
  problem.blockSize = Problem::maxBlockSize;
  for (const char *name : targetNames)
    CHECK(validate(defaultConfig(problem, target(name)), problem, target(name)));
}

TEST_CASE("a padded block is the next multiple of 8", "[config]") {
  Problem problem;
  for (int64_t blockSize = 2; blockSize <= 300; ++blockSize) {
    problem.blockSize = blockSize;
    CHECK(paddedBlock(problem) >= blockSize);
    CHECK(paddedBlock(problem) < blockSize + 8);
    CHECK(paddedBlock(problem) % 8 == 0);
  }
}

TEST_CASE("wgmma multiplies blocks of every size", "[config]") {
  Problem problem;
  Target hopper = target("sm_90a");
  for (DType dtype : {DType::BF16, DType::F16})
    for (int64_t headDim = 16; headDim <= 256; headDim += 16)
      for (int64_t blockSize = 2; blockSize <= 128; ++blockSize) {
        problem.dtype = dtype;
        problem.headDim = headDim;
        problem.blockSize = blockSize;
        Config config = defaultConfig(problem, hopper);
        INFO("D = " << headDim << ", L = " << blockSize << ": " << describe(config));
        CHECK(config.unit == MatrixUnit::Wgmma);
        CHECK(validate(config, problem, hopper));
        // Steps of 16 keys: of a block of an odd number of eights two stand side by side, or one with 8 columns more.
        int64_t tokens = tileTokens(problem, config);
        CHECK((tokens == paddedBlock(problem) || tokens == paddedBlock(problem) + 8));
        CHECK(tileBlocks(problem, config) * tokens == config.keyTile);
      }
}

TEST_CASE("a block takes 8 columns more by wgmma alone", "[config]") {
  Problem problem;
  problem.headDim = 128;
  problem.blockSize = 72;
  Config config{128, 80, 8, 2, MatrixUnit::Wgmma, Loads::Tma};
  CHECK(validate(config, problem, target("sm_90a")));
  CHECK(tileTokens(problem, config) == 80);
  refusal({128, 80, 8, 2}, problem, target("sm_90a"), "key_tile");
  refusal({128, 96, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, problem, target("sm_90a"), "key_tile");
  refusal({64, 80, 1, 1}, problem, target("host"), "key_tile");
  // The next legal value holds two blocks of 40, not one of 48.
  problem.blockSize = 40;
  std::string message = refusal({128, 120, 8, 2, MatrixUnit::Wgmma, Loads::Tma}, problem, target("sm_90a"), "key_tile");
  CHECK(message.find("nearest legal value is 80") != std::string::npos);
}

TEST_CASE("the text of a config is read back", "[config]") {
  for (Config config : {Config{}, Config{1, 2, 3, 4}, Config{-5, 0, std::numeric_limits<int64_t>::max(), 1}}) {
    auto parsed = parseConfig(describe(config), Config{9, 9, 9, 9});
    REQUIRE(parsed);
    CHECK(*parsed == config);
  }
}

TEST_CASE("fields that a text does not name keep their values", "[config]") {
  Config base{1, 2, 3, 4};
  CHECK(*parseConfig("", base) == base);
  CHECK(*parseConfig("warps=8", base) == Config{1, 2, 8, 4});
  CHECK(*parseConfig("stages=1,query_tile=64", base) == Config{64, 2, 3, 1});
}

TEST_CASE("a text that is no config is refused", "[config]") {
  for (const char *text : {"rows=3", "warps", "warps=", "warps=x", "warps=4x", "warps= 4", "warps=99999999999999999999",
                           "=4", ",warps=4", "warps=4,,stages=2", "Warps=4", "warps=4;stages=2"}) {
    INFO(text);
    auto parsed = parseConfig(text, {});
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(parsed.error().message, Catch::StartsWith("config: "));
  }
}

TEST_CASE("dq is added up in memory where the schedule can") {
  Problem problem{Operation::Backward, 64, 128, DType::BF16};
  auto adds = [](const Problem &problem, std::string_view chip) {
    return addsQueryGradients(problem, defaultConfig(problem, target(chip)), target(chip));
  };
  CHECK(adds(problem, "sm_90a"));
  CHECK(adds(problem, "sm_80"));
  CHECK_FALSE(adds(problem, "host"));
  for (int64_t headDim : {16, 32, 64, 96}) // a group has all columns
    CHECK(adds({Operation::Backward, 64, headDim, DType::BF16}, "sm_90a"));
  CHECK_FALSE(adds({Operation::Backward, 64, 112, DType::BF16}, "sm_90a")); // half of it is no whole panel
  CHECK_FALSE(adds({Operation::Backward, 64, 256, DType::BF16}, "sm_90a")); // two passes
  CHECK_FALSE(adds({Operation::Backward, 200, 64, DType::BF16}, "sm_90a")); // longer than a key tile
  CHECK_FALSE(adds({Operation::Forward, 64, 128, DType::BF16}, "sm_90a"));
  problem.deterministic = true;
  CHECK_FALSE(adds(problem, "sm_90a"));
}
