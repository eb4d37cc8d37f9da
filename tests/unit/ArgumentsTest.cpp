// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The judge of arguments: every refusal, its message, and what must pass.
#include "Launch.h"
#include "TensorMaps.h"
#include "Views.h"
#include "landmark/Runtime.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace landmark;

namespace {

/// A good call on the host: 2 x 4 heads over 2, 100 queries, 130 keys, D = 64, bf16.
struct Call {
  std::vector<uint16_t> q = std::vector<uint16_t>(2 * 4 * 100 * 64), k = std::vector<uint16_t>(2 * 2 * 130 * 64), v = k,
                        o = q;
  std::vector<float> lse = std::vector<float>(2 * 4 * 100);
  ForwardArguments arguments{denseView(q.data(), DType::BF16, {2, 4, 100, 64}),
                             denseView(k.data(), DType::BF16, {2, 2, 130, 64}),
                             denseView(v.data(), DType::BF16, {2, 2, 130, 64}),
                             denseView(o.data(), DType::BF16, {2, 4, 100, 64}),
                             denseRows(lse.data(), {2, 4, 100}),
                             64};
};

/// The message with which a good call is refused after `change`; "" if it is not.
template <typename Change> std::string refusal(Change change) {
  Call call;
  change(call.arguments);
  auto judged = validate(call.arguments, Device::host());
  if (judged)
    return "";
  CHECK(judged.error().code == ErrorCode::InvalidArgument);
  return judged.error().message;
}

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using A = ForwardArguments;

} // namespace

TEST_CASE("good arguments pass") {
  CHECK(refusal([](A &) {}) == "");
  CHECK(refusal([](A &a) { a.phase = 63; }) == "");
  CHECK(refusal([](A &a) { a.qOffset = 0; }) == "");
  CHECK(refusal([](A &a) { a.blockSize = 51; }) == "");
  CHECK(refusal([](A &a) { a.blockSize = 2; }) == "");
}

TEST_CASE("strides of inputs are free") {
  CHECK(refusal([](A &a) { a.k.strides[1] = 0; }) == "");
  CHECK(refusal([](A &a) { a.q.strides[0] = 0; }) == "");
  CHECK(refusal([](A &a) {
          a.v.data = static_cast<uint16_t *>(a.v.data) + 129 * 64;
          a.v.strides[2] = -64;
        }) == "");
}

TEST_CASE("views that tensor maps cannot describe are told apart") {
  auto fits = [](auto change) {
    // The data is never read.
    alignas(16) static char memory[16];
    Call call;
    for (TensorView *view : {&call.arguments.q, &call.arguments.k, &call.arguments.v, &call.arguments.o})
      view->data = memory;
    change(call.arguments);
    return bool(checkTensorMaps(call.arguments));
  };
  CHECK(fits([](ForwardArguments &) {}));
  CHECK(fits([](ForwardArguments &a) { a.k.strides[1] = 72; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.k.strides[1] = 68; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.k.strides[2] = -64; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.v.strides[0] = 0; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.v.strides[0] = int64_t(1) << 40; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.q.data = static_cast<char *>(a.q.data) + 2; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.o.strides[1] = 68; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.o.data = static_cast<char *>(a.o.data) + 2; }));
  CHECK_FALSE(fits([](ForwardArguments &a) { a.k.shape[2] = a.v.shape[2] = 0; }));
  // The stride of a dimension of one element leads nowhere.
  CHECK(fits([](ForwardArguments &a) {
    a.k.shape[0] = 1;
    a.k.strides[0] = 3;
  }));
}

TEST_CASE("the gradient of the output has a tensor map of its own") {
  alignas(16) static char memory[16];
  Call call;
  for (TensorView *view : {&call.arguments.q, &call.arguments.k, &call.arguments.v})
    view->data = memory;
  const ForwardArguments &a = call.arguments;
  CHECK(&mappedView(a, 3).view == &a.o);
  BackwardArguments backward{a.q, a.k, a.v, a.o, a.lse, a.q, a.q, a.k, a.v, a.lse, a.blockSize};
  CHECK(checkTensorMaps(backward));
  CHECK(&mappedView(backward, 0).view == &backward.q);
  CHECK(&mappedView(backward, 1).view == &backward.k);
  CHECK(&mappedView(backward, 2).view == &backward.v);
  CHECK(&mappedView(backward, 5).view == &backward.dO);
  // The output of the forward is read without one.
  backward.o.strides[1] = 68;
  CHECK(checkTensorMaps(backward));
  backward.dO.strides[1] = 68;
  auto refused = checkTensorMaps(backward);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, StartsWith("dO: "));
}

TEST_CASE("empty calls pass, without data too") {
  CHECK(refusal([](A &a) {
          for (TensorView *view : {&a.q, &a.k, &a.v, &a.o})
            *view = denseView(nullptr, DType::BF16, {0, 4, 100, 64});
          a.k.shape[1] = a.v.shape[1] = 2;
          a.lse = denseRows(nullptr, {0, 4, 100});
        }) == "");
  CHECK(refusal([](A &a) {
          a.q.shape[2] = a.o.shape[2] = a.lse.shape[2] = 0;
          a.q.data = a.o.data = a.lse.data = nullptr;
        }) == "");
  CHECK(refusal([](A &a) {
          a.k.shape[2] = a.v.shape[2] = 0;
          a.k.data = a.v.data = nullptr;
          a.qOffset = 0;
        }) == "");
}

TEST_CASE("tensors are refused") {
  CHECK_THAT(refusal([](A &a) { a.k.dtype = DType::F16; }), StartsWith("k: got f16") && Contains("q has bf16"));
  CHECK_THAT(refusal([](A &a) { a.o.dtype = DType::F32; }), StartsWith("o: got f32"));
  CHECK_THAT(refusal([](A &a) { a.q.dtype = DType(7); }), StartsWith("q: got element type number 7"));
  CHECK_THAT(refusal([](A &a) { a.v.strides[3] = 2; }), StartsWith("v: got column stride 2") && Contains("stride 1"));
  CHECK_THAT(refusal([](A &a) { a.q.data = nullptr; }), StartsWith("q: got null data for shape [2, 4, 100, 64]"));
  CHECK_THAT(refusal([](A &a) { a.lse.data = nullptr; }), StartsWith("lse: got null data"));
  CHECK_THAT(refusal([](A &a) { a.k.data = static_cast<char *>(a.k.data) + 1; }),
             StartsWith("k: got data at") && Contains("2 bytes"));
  CHECK_THAT(refusal([](A &a) { a.lse.data = reinterpret_cast<float *>(reinterpret_cast<char *>(a.lse.data) + 2); }),
             StartsWith("lse: got data at") && Contains("4 bytes"));
  CHECK_THAT(refusal([](A &a) { a.q.shape[0] = -1; }),
             StartsWith("q: got shape [-1, 4, 100, 64]") && Contains("at least 0"));
}

TEST_CASE("shapes that do not agree are refused") {
  CHECK_THAT(refusal([](A &a) { a.q.shape[1] = 0; }), StartsWith("q: got 0 heads"));
  CHECK_THAT(refusal([](A &a) { a.k.shape[1] = 0; }), StartsWith("k: got 0 heads"));
  CHECK_THAT(refusal([](A &a) { a.k.shape[1] = 3; }), StartsWith("k: got 3 heads for 4") && Contains("divide"));
  CHECK_THAT(refusal([](A &a) { a.k.shape[1] = 8; }), StartsWith("k: got 8 heads for 4"));
  CHECK_THAT(refusal([](A &a) { a.k.shape[0] = 1; }),
             StartsWith("k: got shape [1, 2, 130, 64]; it must be [2, 2, 130, 64]"));
  CHECK_THAT(refusal([](A &a) { a.k.shape[3] = 32; }), StartsWith("k: got shape"));
  CHECK_THAT(refusal([](A &a) { a.v.shape[2] = 129; }),
             StartsWith("v: got shape [2, 2, 129, 64]; it must be [2, 2, 130, 64]"));
  CHECK_THAT(refusal([](A &a) { a.o.shape[2] = 99; }),
             StartsWith("o: got shape [2, 4, 99, 64]; it must be [2, 4, 100, 64]"));
  CHECK_THAT(refusal([](A &a) { a.lse.shape[1] = 2; }),
             StartsWith("lse: got shape [2, 2, 100]; it must be [2, 4, 100]"));
}

TEST_CASE("what no kernel is made for is refused") {
  CHECK(refusal([](A &a) { a.blockSize = 0; }) != "");
  CHECK(refusal([](A &a) { a.blockSize = 1; }) != "");
  CHECK(refusal([](A &a) { a.blockSize = Problem::maxBlockSize + 1; }) != "");
  auto columns = [](int64_t count) {
    return [count](A &a) { a.q.shape[3] = a.k.shape[3] = a.v.shape[3] = a.o.shape[3] = count; };
  };
  CHECK(refusal(columns(8)) != "");
  CHECK(refusal(columns(20)) != "");
  CHECK(refusal(columns(264)) != "");
}

TEST_CASE("scalars are refused") {
  CHECK_THAT(refusal([](A &a) { a.phase = -1; }), StartsWith("phase: got -1") && Contains("0 .. 63"));
  CHECK_THAT(refusal([](A &a) { a.phase = 64; }), StartsWith("phase: got 64"));
  CHECK_THAT(refusal([](A &a) { a.scale = -0.5f; }), StartsWith("scale: got -0.5"));
  CHECK_THAT(refusal([](A &a) { a.scale = 0.0f; }), StartsWith("scale: got 0"));
  CHECK_THAT(refusal([](A &a) { a.scale = std::numeric_limits<float>::infinity(); }), StartsWith("scale: got inf"));
  CHECK_THAT(refusal([](A &a) { a.scale = std::numeric_limits<float>::quiet_NaN(); }), StartsWith("scale: got nan"));
  CHECK_THAT(refusal([](A &a) { a.qOffset = -1; }), StartsWith("q_offset: got -1") && Contains("at least 0"));
  CHECK_THAT(refusal([](A &a) { a.k.shape[2] = a.v.shape[2] = 99; }),
             StartsWith("q_offset: not given, with 100 queries and 99 keys"));
  CHECK(refusal([](A &a) {
          a.k.shape[2] = a.v.shape[2] = 99;
          a.qOffset = 0;
        }) == "");
}

TEST_CASE("positions and sizes beyond what kernels count are refused") {
  CHECK_THAT(refusal([](A &a) { a.qOffset = INT32_MAX; }),
             StartsWith("q_offset: got 2147483647") && Contains("2147483647"));
  CHECK(refusal([](A &a) { a.qOffset = INT32_MAX - 100; }) == "");
  CHECK_THAT(refusal([](A &a) { a.qOffset = INT64_MAX; }), StartsWith("q_offset: got"));
  CHECK_THAT(refusal([](A &a) {
               a.k.shape[2] = a.v.shape[2] = int64_t(1) << 31;
               a.k.strides[2] = a.v.strides[2] = 0;
             }),
             StartsWith("k: got 2147483648 keys"));
  CHECK_THAT(refusal([](A &a) { a.q.strides[0] = INT64_MAX / 2; }), StartsWith("q: got shape") && Contains("overflow"));
  CHECK_THAT(refusal([](A &a) { a.k.strides[2] = INT64_MIN; }), StartsWith("k: got shape") && Contains("overflow"));
  CHECK_THAT(refusal([](A &a) { a.q.shape = {int64_t(1) << 40, int64_t(1) << 40, 100, 64}; }), Contains("overflow"));
  CHECK_THAT(refusal([](A &a) { a.lse.strides[2] = int64_t(1) << 60; }), StartsWith("lse:") && Contains("overflow"));
}

TEST_CASE("a launch of too many programs is refused") {
  Call call;
  Config config;
  config.queryTile = 64;
  auto programs = launchPrograms(call.arguments, config);
  REQUIRE(programs);
  CHECK(*programs == 2 * 4 * 2);
  call.arguments.q.shape = {1 << 16, 1 << 16, 1, 64};
  auto refused = launchPrograms(call.arguments, config);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, StartsWith("q: got 65536 x 65536 heads") && Contains("2147483647"));
  call.arguments.q.shape = {int64_t(1) << 40, int64_t(1) << 40, 1, 64};
  CHECK_FALSE(launchPrograms(call.arguments, config));
}

TEST_CASE("outputs that overlap are refused") {
  CHECK_THAT(refusal([](A &a) { a.o.strides[0] = 0; }), StartsWith("o: got strides") && Contains("over one another"));
  CHECK_THAT(refusal([](A &a) { a.o.strides[2] = 63; }), StartsWith("o: got strides"));
  CHECK_THAT(refusal([](A &a) { a.lse.strides[1] = 0; }), StartsWith("lse: got strides"));
  CHECK_THAT(refusal([](A &a) { a.o.data = a.q.data; }), StartsWith("o: got memory that it shares with q"));
  CHECK_THAT(refusal([](A &a) { a.o.data = static_cast<uint16_t *>(a.q.data) + 64; }), Contains("shares with q"));
  CHECK_THAT(refusal([](A &a) { a.lse.data = static_cast<float *>(a.k.data); }),
             StartsWith("lse: got memory that it shares with k"));
  CHECK_THAT(refusal([](A &a) { a.lse.data = static_cast<float *>(a.o.data); }),
             StartsWith("o: got memory that it shares with lse"));
}

TEST_CASE("parts of one packed tensor do not overlap") {
  constexpr int64_t rows = 50, heads = 3, columns = 32;
  std::vector<uint16_t> packed(2 * rows * 4 * heads * columns);
  std::vector<float> lse(2 * heads * rows);
  auto part = [&](int64_t index, int64_t shift = 0) {
    return TensorView{packed.data() + index * heads * columns + shift,
                      DType::F16,
                      {2, heads, rows, columns},
                      {rows * 4 * heads * columns, columns, 4 * heads * columns, 1}};
  };
  ForwardArguments a{part(0), part(1), part(2), part(3), denseRows(lse.data(), {2, heads, rows}), 16};
  CHECK(validate(a, Device::host()));
  a.o = part(2, columns);
  auto refused = validate(a, Device::host());
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("shares with v"));
}

TEST_CASE("rows of two types side by side do not overlap") {
  // A row of 64 bf16 and, right behind it, one float32: o and lse in one buffer.
  std::vector<std::byte> memory(4 * 132);
  TensorView o{memory.data(), DType::BF16, {1, 1, 4, 64}, {0, 0, 66, 1}};
  RowsView beside{reinterpret_cast<float *>(memory.data() + 128), {1, 1, 4}, {0, 0, 33}};
  RowsView inside{reinterpret_cast<float *>(memory.data() + 124), {1, 1, 4}, {0, 0, 33}};
  CHECK_FALSE(overlaps(*footprint(o), *footprint(beside)));
  CHECK_FALSE(overlaps(*footprint(beside), *footprint(o)));
  CHECK(overlaps(*footprint(o), *footprint(inside)));
  CHECK(overlaps(*footprint(inside), *footprint(o)));
}

TEST_CASE("overlap agrees with counting") {
  // All small views of two dimensions against one fixed view, bytes counted one by one.
  std::vector<std::byte> memory(4096);
  TensorView fixed{memory.data() + 2048, DType::BF16, {1, 3, 4, 2}, {0, 24, 6, 1}};
  auto bytes = [&](const TensorView &view) {
    std::vector<int> owners(memory.size());
    for (int64_t h = 0; h < view.shape[1]; ++h)
      for (int64_t r = 0; r < view.shape[2]; ++r)
        for (int64_t c = 0; c < 2 * view.shape[3]; ++c)
          ++owners[static_cast<std::byte *>(view.data) - memory.data() +
                   2 * (h * view.strides[1] + r * view.strides[2]) + c];
    return owners;
  };
  std::vector<int> fixedBytes = bytes(fixed);
  for (int64_t shift = -80; shift <= 80; ++shift)
    for (int64_t headStride : {-24, 24})
      for (int64_t heads = 1; heads <= 3; ++heads) {
        TensorView view{memory.data() + 2048 + 2 * shift, DType::BF16, {1, heads, 3, 2}, {0, headStride, 6, 1}};
        std::vector<int> viewBytes = bytes(view);
        bool shared = false;
        for (std::size_t i = 0; i < memory.size(); ++i)
          shared |= viewBytes[i] && fixedBytes[i];
        INFO("shift " << shift << " stride " << headStride << " heads " << heads);
        CHECK(overlaps(*footprint(view), *footprint(fixed)) == shared);
        CHECK(overlaps(*footprint(fixed), *footprint(view)) == shared);
        CHECK_FALSE(overlapsItself(*footprint(view)));
      }
}

TEST_CASE("defaults of scale and query offset") {
  Call call;
  CHECK(scaleOf(call.arguments) == 0.125f);
  CHECK(qOffsetOf(call.arguments) == 30);
  call.arguments.scale = 2.0f;
  call.arguments.qOffset = 7;
  CHECK(scaleOf(call.arguments) == 2.0f);
  CHECK(qOffsetOf(call.arguments) == 7);
}

TEST_CASE("arguments are packed in the order of the kernel's interface") {
  Call call;
  call.arguments.phase = 5;
  PackedArguments packed(call.arguments, 3);
  auto integer = [&](int index) { return *static_cast<int64_t *>(packed.pointers()[index]); };
  auto pointer = [&](int index) { return *static_cast<void **>(packed.pointers()[index]); };
  CHECK(pointer(0) == call.q.data());
  CHECK(pointer(1) == call.q.data());
  CHECK(integer(2) == 0);
  CHECK(integer(5) == 100); // q rows
  CHECK(integer(9) == 64);  // q row stride
  CHECK(pointer(11) == call.k.data());
  CHECK(integer(11 + 5) == 130); // k rows
  CHECK(pointer(33) == call.o.data());
  CHECK(pointer(44) == call.lse.data());
  CHECK(integer(47 + 2) == 100); // lse rows
  CHECK(integer(50 + 1) == 100); // lse head stride
  CHECK(integer(53) == 5);
  CHECK(integer(54) == 30);
  CHECK(*static_cast<float *>(packed.pointers()[55]) == 0.125f);
  CHECK(integer(56) == 3);
}
