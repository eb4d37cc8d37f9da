// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <landmark/Problem.h>
#include <landmark/Stage.h>
#include <landmark/Target.h>
#include <landmark/Tensor.h>

#include <catch2/catch.hpp>

using namespace landmark;
using Catch::Matchers::Contains;

TEST_CASE("element types are read in every usual spelling") {
  for (auto [text, dtype] : {std::pair("bf16", DType::BF16),
                             {"bfloat16", DType::BF16},
                             {"f16", DType::F16},
                             {"fp16", DType::F16},
                             {"float16", DType::F16},
                             {"f32", DType::F32},
                             {"fp32", DType::F32},
                             {"float32", DType::F32}}) {
    INFO(text);
    auto parsed = parseDType(text);
    REQUIRE(parsed);
    CHECK(*parsed == dtype);
    CHECK(*parseDType(name(*parsed)) == dtype);
  }
  for (const char *text : {"", "BF16", "f8", "bf16 ", "int8", "float64"}) {
    INFO(text);
    auto parsed = parseDType(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(parsed.error().message, Contains(std::string("'") + text + "'") && Contains("bf16"));
  }
  CHECK(byteSize(DType::BF16) == 2);
  CHECK(byteSize(DType::F16) == 2);
  CHECK(byteSize(DType::F32) == 4);
}

TEST_CASE("operations are read by name") {
  CHECK(*parseOperation("forward") == Operation::Forward);
  CHECK(*parseOperation("backward") == Operation::Backward);
  CHECK_THAT(parseOperation("sideways").error().message, Contains("'sideways'") && Contains("forward"));
}

TEST_CASE("a problem's ranges are checked at both ends") {
  auto message = [](Problem problem) {
    Expected<void> valid = validate(problem);
    return valid ? std::string() : valid.error().message;
  };
  for (int64_t blockSize : {int64_t{2}, int64_t{51}, int64_t{64}, Problem::maxBlockSize})
    CHECK(message({.blockSize = blockSize}) == "");
  for (int64_t blockSize : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}, Problem::maxBlockSize + 1, INT64_MAX})
    CHECK_THAT(message({.blockSize = blockSize}), Contains("block size: got " + std::to_string(blockSize)));
  for (int64_t headDim = 16; headDim <= 256; headDim += 8)
    CHECK(message({.headDim = headDim}) == "");
  for (int64_t headDim : {INT64_MIN, int64_t{-16}, int64_t{0}, int64_t{8}, int64_t{60}, int64_t{127}, int64_t{264}})
    CHECK_THAT(message({.headDim = headDim}), Contains("head dimension: got " + std::to_string(headDim)));
  CHECK_THAT(message({.dtype = static_cast<DType>(7)}), Contains("dtype"));
  CHECK_THAT(message({.operation = static_cast<Operation>(99)}), Contains("operation"));
  CHECK(message({.operation = Operation::Backward, .floatGradients = true}) == "");
  CHECK_THAT(message({.floatGradients = true}), Contains("gradients"));
  CHECK(message({.operation = Operation::Backward, .deterministic = true}) == "");
  CHECK_THAT(message({.deterministic = true}), Contains("deterministic: forward always is"));
  CHECK(describe(Problem{.operation = Operation::Backward, .deterministic = true}) == "backward L=64 D=128 bf16 deterministic");
}

TEST_CASE("a problem describes itself") {
  CHECK(describe(Problem{}) == "forward L=64 D=128 bf16");
  CHECK(describe({Operation::Forward, 51, 80, DType::F32}) == "forward L=51 D=80 f32");
  CHECK(describe({Operation::Backward, 51, 80, DType::F16, true}) == "backward L=51 D=80 f16 gradients f32");
}

TEST_CASE("targets are named as the assembler names them") {
  Target host = *parseTarget("host");
  CHECK(host.isHost());
  CHECK(host == Target{});
  CHECK(host.computeCapability() == 0);
  CHECK(host.maxSharedBytes() == 0);
  for (const char *text : {"sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_100a", "sm_100f",
                           "sm_103a", "sm_120", "sm_120a", "sm_120f", "sm_121a"}) {
    INFO(text);
    auto target = parseTarget(text);
    REQUIRE(target);
    CHECK(!target->isHost());
    CHECK(target->chip == text);
    CHECK(target->computeCapability() == std::stoi(std::string(text).substr(3)));
  }
}

TEST_CASE("unknown and too old targets are refused") {
  for (const char *text : {"", "Host", "sm_", "sm_75", "sm_080", "sm_-80", "sm_ 80", "sm_80a", "sm_90f", "sm_90aa",
                           "sm_90 ", "sm_81", "sm_999", "sm_99999999999999999999", "compute_80", "80"}) {
    INFO(text);
    auto target = parseTarget(text);
    REQUIRE(!target);
    CHECK_THAT(target.error().message, Contains(std::string("'") + text + "'") && Contains("sm_80"));
  }
  CHECK(parseTarget("sm_75").error().code == ErrorCode::Unsupported);
}

TEST_CASE("targets know their shared memory") {
  auto kib = [](const char *text) {
    Target target = *parseTarget(text);
    return std::pair(target.maxSharedBytes() / 1024, target.sharedBytesPerMultiprocessor() / 1024);
  };
  CHECK(kib("sm_80") == std::pair<int64_t, int64_t>(163, 164));
  CHECK(kib("sm_87") == std::pair<int64_t, int64_t>(163, 164));
  for (const char *text : {"sm_86", "sm_89", "sm_120", "sm_120a", "sm_121f"})
    CHECK(kib(text) == std::pair<int64_t, int64_t>(99, 100));
  for (const char *text : {"sm_90", "sm_90a", "sm_100f", "sm_103", "sm_101a"})
    CHECK(kib(text) == std::pair<int64_t, int64_t>(227, 228));
}

TEST_CASE("a device's capability gives the plain target, or the nearest older one of its major version") {
  auto chip = [](int major, int minor) { return targetForCapability(major, minor)->chip; };
  CHECK(chip(8, 0) == "sm_80");
  CHECK(chip(8, 6) == "sm_86");
  CHECK(chip(8, 8) == "sm_87");
  CHECK(chip(9, 0) == "sm_90a");
  CHECK(chip(9, 7) == "sm_90");
  CHECK(chip(10, 2) == "sm_101");
  CHECK(chip(12, 0) == "sm_120");
  CHECK(chip(12, 5) == "sm_121");
  for (auto [major, minor] : {std::pair(7, 5), {7, 0}, {99, 0}, {0, 0}, {-1, 0}, {8, -1}}) {
    auto target = targetForCapability(major, minor);
    REQUIRE(!target);
    CHECK(target.error().code == ErrorCode::Unsupported);
    CHECK_THAT(target.error().message, Contains(std::to_string(major) + "." + std::to_string(minor)));
  }
}

TEST_CASE("stages round trip through their names") {
  for (int index = 0; index <= static_cast<int>(Stage::Asm); ++index) {
    auto stage = static_cast<Stage>(index);
    CHECK(*parseStage(name(stage)) == stage);
  }
  CHECK(name(Stage::Template) == "template");
  CHECK(name(Stage::NVVM) == "nvvm");
  CHECK(name(Stage::Asm) == "asm");
  CHECK_THAT(parseStage("binary").error().message, Contains("'binary'") && Contains("template, landmark, tile"));
}

TEST_CASE("dense views are row-major") {
  TensorView view = denseView(nullptr, DType::F16, {2, 3, 5, 7});
  CHECK(view.strides == std::array<int64_t, 4>{105, 35, 7, 1});
  CHECK(view.dtype == DType::F16);
  CHECK(denseRows(nullptr, {2, 3, 5}).strides == std::array<int64_t, 3>{15, 5, 1});
}

TEST_CASE("steps of retrieval have limits of their own") {
  Problem step{Operation::Attend, 64, 128, DType::BF16, /*floatGradients=*/false, /*topK=*/4};
  CHECK(validate(step));
  for (int64_t topK : {0, 129}) {
    Problem wrong = step;
    wrong.topK = topK;
    CHECK_THAT(validate(wrong).error().message, Contains("top k"));
  }
  step.blockSize = 257;
  CHECK_THAT(validate(step).error().message, Contains("block size"));
  for (Operation operation : {Operation::ScoreTop, Operation::Score, Operation::Pool, Operation::PoolTop, Operation::Select, Operation::Attend,
                              Operation::AttendPart, Operation::AttendJoin, Operation::Merge, Operation::NamePages})
    CHECK(*parseOperation(name(operation)) == operation);
}

TEST_CASE("steps with a gate threshold take blocks of a key tile") {
  for (Operation operation : {Operation::ForwardGates, Operation::ForwardListed, Operation::BackwardGates, Operation::BackwardListed}) {
    CHECK(*parseOperation(name(operation)) == operation);
    CHECK(isGated(operation));
    CHECK_FALSE(isRetrieval(operation));
    CHECK(validate(Problem{operation, 128, 64, DType::BF16}));
    CHECK_THAT(validate(Problem{operation, 129, 64, DType::BF16}).error().message, Contains("block size: got 129"));
    CHECK(isBackward(operation) == (operation == Operation::BackwardListed));
    CHECK(bool(validate(Problem{operation, 64, 64, DType::BF16, /*floatGradients=*/true})) == isBackward(operation));
  }
}
