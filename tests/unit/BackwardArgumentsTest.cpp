// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The judge of a backward's arguments, and how they are packed.
#include "Launch.h"
#include "TensorMaps.h"
#include "landmark/Runtime.h"

#include <catch2/catch.hpp>

using namespace landmark;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// A good call on the host: 2 x 4 heads over 2, 100 queries, 130 keys, D = 64, bf16.
struct Call {
  std::vector<uint16_t> q = std::vector<uint16_t>(2 * 4 * 100 * 64), k = std::vector<uint16_t>(2 * 2 * 130 * 64), v = k, o = q, dO = q, dq = q, dk = k, dv = k;
  std::vector<float> lse = std::vector<float>(2 * 4 * 100), delta = lse, dlse = lse;
  BackwardArguments arguments{queries(q), keys(k), keys(v), queries(o), rows(lse), queries(dO), queries(dq), keys(dk), keys(dv), rows(delta), 64};

  static TensorView queries(std::vector<uint16_t> &data) { return denseView(data.data(), DType::BF16, {2, 4, 100, 64}); }
  static TensorView keys(std::vector<uint16_t> &data) { return denseView(data.data(), DType::BF16, {2, 2, 130, 64}); }
  static RowsView rows(std::vector<float> &data) { return denseRows(data.data(), {2, 4, 100}); }
};

/// The message with which a good call is refused after `change`; "" if it is not.
template <typename Change> std::string refusal(Change change) {
  Call call;
  change(call);
  auto judged = validate(call.arguments, Device::host());
  if (judged)
    return "";
  CHECK(judged.error().code == ErrorCode::InvalidArgument);
  return judged.error().message;
}

} // namespace

TEST_CASE("good arguments of a backward pass") {
  CHECK(refusal([](Call &) {}) == "");
  CHECK(refusal([](Call &call) { call.arguments.dlse = Call::rows(call.dlse); }) == "");
  CHECK(refusal([](Call &call) { call.arguments.dO.strides[1] = 0; }) == "");
  CHECK(refusal([](Call &call) { call.arguments.o = call.arguments.dO; }) == ""); // inputs may share memory
}

TEST_CASE("views of a backward that tensor maps cannot describe are told apart") {
  auto fits = [](auto change) {
    // The data is never read.
    alignas(16) static char memory[16];
    Call call;
    for (TensorView *view : {&call.arguments.q, &call.arguments.k, &call.arguments.v, &call.arguments.dO})
      view->data = memory;
    change(call.arguments);
    return bool(checkTensorMaps(call.arguments));
  };
  CHECK(fits([](BackwardArguments &) {}));
  CHECK_FALSE(fits([](BackwardArguments &a) { a.dO.strides[2] = 68; }));
  CHECK_FALSE(fits([](BackwardArguments &a) { a.q.shape[2] = a.dO.shape[2] = 0; }));
  CHECK_FALSE(fits([](BackwardArguments &a) { a.k.shape[2] = a.v.shape[2] = 0; }));
}

TEST_CASE("arguments that a backward does not take are refused by name") {
  CHECK_THAT(refusal([](Call &call) { call.arguments.o.shape[2] = 99; }), StartsWith("o: got shape"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dO.shape[3] = 32; }), StartsWith("dO: got shape"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dO.dtype = DType::F16; }), StartsWith("dO: got f16 elements"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dq.shape[1] = 2; }), StartsWith("dq: got shape"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dk.shape[2] = 100; }), StartsWith("dk: got shape"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dv.strides[3] = 2; }), StartsWith("dv: got column stride 2"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dq.dtype = DType::F16; }), StartsWith("dq: got f16 elements; they must be bf16"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dk.dtype = DType::F32; }), StartsWith("dk: got f32 elements while dq has bf16"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.delta.shape[2] = 1; }), StartsWith("delta: got shape"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.delta.data = nullptr; }), StartsWith("delta: got null data"));
  CHECK_THAT(refusal([](Call &call) {
               call.arguments.dlse = Call::rows(call.dlse);
               call.arguments.dlse->shape[0] = 1;
             }),
             StartsWith("dlse: got shape"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.phase = 64; }), StartsWith("phase: got 64"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.scale = 0.0f; }), StartsWith("scale: got 0"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.blockSize = 1; }), StartsWith("block size: got 1"));
}

TEST_CASE("gradients that share memory are refused") {
  CHECK_THAT(refusal([](Call &call) { call.arguments.dq.data = call.arguments.q.data; }), StartsWith("dq: got memory that it shares with q"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dv.data = call.arguments.dk.data; }), StartsWith("dv: got memory that it shares with dk"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.delta.data = call.arguments.lse.data; }), StartsWith("delta: got memory that it shares with lse"));
  CHECK_THAT(refusal([](Call &call) { call.arguments.dk.strides[1] = 0; }), StartsWith("dk: got strides with which elements lie over one another"));
}

TEST_CASE("a kernel launches on its own problem only") {
  Runtime runtime(Device::host());
  auto kernel = runtime.backward(Problem{Operation::Backward, 64, 64, DType::F16});
  REQUIRE(kernel);
  Call call;
  auto launched = kernel->launch(call.arguments);
  REQUIRE_FALSE(launched);
  CHECK_THAT(launched.error().message, Contains("backward L=64 D=64 bf16") && Contains("backward L=64 D=64 f16"));
  CHECK_FALSE(runtime.backward(Problem{Operation::Forward, 64, 64, DType::F16}));
  CHECK_FALSE(runtime.forward(Problem{Operation::Backward, 64, 64, DType::F16}));
}

TEST_CASE("a backward's arguments are packed in the order of the kernels' interface") {
  Call call;
  call.arguments.phase = 5;
  PackedBackwardArguments packed(call.arguments, 3, /*adds=*/false);
  auto integer = [&](int index) { return *static_cast<int64_t *>(packed.pointers()[index]); };
  auto pointer = [&](int index) { return *static_cast<void **>(packed.pointers()[index]); };
  CHECK(pointer(0) == call.q.data());
  CHECK(pointer(33) == call.o.data());
  CHECK(pointer(44) == call.lse.data());
  CHECK(pointer(53) == call.dO.data());
  CHECK(pointer(64) == nullptr); // no dlse,
  CHECK(integer(64 + 5) == 0);   // and no rows of it
  CHECK(pointer(73) == call.delta.data());
  CHECK(pointer(82) == call.dq.data());
  CHECK(pointer(93) == call.dk.data());
  CHECK(pointer(104) == call.dv.data());
  CHECK(integer(115) == 5);
  CHECK(integer(116) == 30);
  CHECK(*static_cast<float *>(packed.pointers()[117]) == 0.125f);
  CHECK(integer(118) == 3);
}

TEST_CASE("a backward with a gate threshold has its lists behind the gradients") {
  Call call;
  call.arguments.gateThreshold = 0.5f;
  Config config{64, 64, 4, 2}; // rows and keys of tiles; one block each
  Target target{Target::Kind::NVPTX, "sm_80"};
  std::vector<float> scratch(size_t(*scratchBytesOf(call.arguments, config, target)) / sizeof(float));
  call.arguments.scratch = scratch.data();
  // 8 heads of 4 groups of 32 rows, whose words hold 32 blocks; 4 heads of 3 key tiles with lists of 2 heads by 2 tiles of rows, two numbers each; 8 heads of 2 tiles of rows with 3 key tiles.
  int64_t sums = 2 * 4 * (112 * 64 + 2 * 224), marks = 8 * 4, keyCounts = 4 * 3 * 4, keyLists = 4 * 3 * 8, counts = 8 * 2 * 4, lists = 8 * 2 * 3;
  CHECK(int64_t(scratch.size()) == sums + marks + keyCounts + keyLists);
  GradientGates adding(call.arguments, config, /*adds=*/true), repeating(call.arguments, config, /*adds=*/false);
  PackedBackwardArguments packed(call.arguments, 3, /*adds=*/true, adding), both(call.arguments, 3, /*adds=*/false, repeating);
  auto pointer = [](PackedBackwardArguments &packed, int index) { return *static_cast<void **>(packed.pointers()[index]); };
  CHECK(pointer(packed, 144) == scratch.data() + sums + marks + keyCounts);
  CHECK(pointer(packed, 155) == scratch.data() + sums + marks);
  CHECK(*static_cast<int64_t *>(packed.pointers()[144 + 6]) == 8);
  CHECK(*static_cast<int64_t *>(packed.pointers()[166 + 3]) == 3); // section
  CHECK(repeating.bytes() == int64_t(sizeof(int32_t)) * (marks + keyCounts + keyLists + counts + lists));
  CHECK(pointer(both, 115) == scratch.data() + marks + keyCounts + keyLists + counts);
  CHECK(pointer(both, 126) == scratch.data() + marks + keyCounts + keyLists);
  CHECK(pointer(both, 137) == scratch.data() + marks + keyCounts);
  CHECK(pointer(both, 148) == scratch.data() + marks);
}

TEST_CASE("a backward that adds dq up has its scratch behind the gradients") {
  Call call;
  std::vector<float> scratch(2 * 4 * (112 * 64 + 2 * 224)); // 100 rows are 112, and 112 more of the numbers of rows
  call.arguments.scratch = scratch.data();
  PackedBackwardArguments packed(call.arguments, 3, /*adds=*/true);
  auto integer = [&](int index) { return *static_cast<int64_t *>(packed.pointers()[index]); };
  auto pointer = [&](int index) { return *static_cast<void **>(packed.pointers()[index]); };
  CHECK(pointer(104) == call.dv.data());
  CHECK(pointer(115) == scratch.data());
  CHECK(integer(115 + 5) == 112);
  CHECK(integer(115 + 7) == 4 * 112 * 64);
  CHECK(pointer(126) == scratch.data() + 2 * 4 * 112 * 64);
  CHECK(integer(126 + 5) == 224);
  CHECK(pointer(135) == scratch.data() + 2 * 4 * (112 * 64 + 224));
  CHECK(integer(135 + 5) == 224);
  CHECK(integer(144) == 0); // phase
  CHECK(integer(147) == 3);
  Config config{64, 64, 4, 2};
  Target target{Target::Kind::NVPTX, "sm_80"};
  CHECK(*scratchBytesOf(call.arguments, config, target) == int64_t(scratch.size() * sizeof(float)));
  CHECK(launchPrograms(call.arguments, config, target)->functions == 3);
  CHECK(launchPrograms(call.arguments, config, target)->counts == std::array<int64_t, 3>{2 * 4 * 2, 2 * 2 * 3, 2 * 4 * 2});
  call.arguments.deterministic = true;
  CHECK(*scratchBytesOf(call.arguments, config, target) == 0);
  CHECK(launchPrograms(call.arguments, config, target)->functions == 2);
  call.arguments.deterministic = false;
  call.arguments.q.shape[2] = int64_t(1) << 62;
  CHECK_FALSE(scratchBytesOf(call.arguments, config, target));
}

TEST_CASE("the scratch of a backward is judged") {
  alignas(16) static float scratch[64];
  auto with = [](void *data, int64_t bytes) {
    return refusal([=](Call &call) {
      call.arguments.scratch = data;
      call.arguments.scratchBytes = bytes;
    });
  };
  CHECK(with(scratch, sizeof(scratch)) == "");
  CHECK(with(nullptr, 0) == "");
  CHECK_THAT(with(scratch, -1), StartsWith("scratch: got -1 bytes"));
  CHECK_THAT(with(scratch + 1, 64), StartsWith("scratch: got data at") && Contains("16 bytes"));
  CHECK_THAT(refusal([](Call &call) {
               call.arguments.scratch = call.arguments.dq.data;
               call.arguments.scratchBytes = 64;
             }),
             StartsWith("scratch: got memory that it shares with dq"));
}

TEST_CASE("programs of a backward cover the rows and the keys") {
  Problem problem{Operation::Backward, 51, 64, DType::BF16};
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 2, 3, 102, 0) == 2 * 3 * 2);
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 2, 3, 102, 1) == 2 * 3 * 3);
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 2, 3, 0, 50) == 0);
  problem.blockSize = 16; // four blocks a tile
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 1, 1, 65, 0) == 2);
  problem.blockSize = 200; // a block takes four tiles, the last one only its rest
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 1, 1, 300, 0) == 4 + 2);
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 1, 1, 400, 0) == 8);
  problem.blockSize = Problem::maxBlockSize;
  CHECK(keyPrograms({64, 64, 4, 2}, problem, 1, 1, 100, 7) == 2);
}
