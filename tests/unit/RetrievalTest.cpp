// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Retrieval on the host target against the oracle, through the public interface.
#include "tests/common/RetrievalChecks.h"

#include "Reference.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;
using namespace landmark::test;

TEST_CASE("120 random retrievals on the host agree with the oracle", "[sweep]") {
  Runtime runtime(Device::host());
  for (uint64_t seed = 1; seed <= 120; ++seed)
    checkCase(runtime, randomCase(seed));
}

TEST_CASE("retrieval of all blocks is dense landmark attention") {
  Runtime runtime(Device::host());
  checkDense(runtime);
}

TEST_CASE("a sequence in steps and chunks gives what it gives at once") {
  Runtime runtime(Device::host());
  checkEverySplit(runtime);
}

TEST_CASE("of equal landmarks the lower ids are selected") {
  Runtime runtime(Device::host());
  checkTies(runtime);
}

TEST_CASE("logits of any size are selected from without a NaN") {
  Runtime runtime(Device::host());
  checkExtremes(runtime);
}

TEST_CASE("pages on the host, with and without a pool of hot ones, change nothing") {
  Runtime runtime(Device::host());
  checkPlacement(runtime);
}

TEST_CASE("a ring attends to what it holds") {
  Runtime runtime(Device::host());
  checkRing(runtime);
}

TEST_CASE("a captured step follows later appends") {
  Runtime runtime(Device::host());
  checkReplay(runtime);
}

TEST_CASE("forked and truncated sequences attend to what they hold") {
  Runtime runtime(Device::host());
  checkForks(runtime);
}

TEST_CASE("retrieval refuses what it cannot do and says why") {
  Runtime runtime(Device::host());
  RetrievalCase problem;
  RetrievalData data(problem);
  RetrievalSetup setup(runtime, data);
  auto refused = [&](auto change, const char *what) {
    RetrievalOptions options;
    options.queryHeads = 4;
    change(options);
    auto made = Retrieval::create(runtime, setup.cache, options);
    REQUIRE(!made);
    INFO(made.error().message);
    CHECK(made.error().message.find(what) != std::string::npos);
  };
  refused([](auto &o) { o.queryHeads = 0; }, "queryHeads");
  refused([](auto &o) { o.queryHeads = 3; }, "queryHeads");
  refused([](auto &o) { o.topK = 0; }, "topK");
  refused([](auto &o) { o.topK = 129; }, "topK");
  refused([](auto &o) { o.window = -1; }, "window");
  refused([](auto &o) { o.granularity = Granularity(7); }, "granularity");
  refused([](auto &o) { o.scale = 0.0f; }, "scale");
  refused([](auto &o) { o.scale = INFINITY; }, "scale");
  refused([](auto &o) { o.maxBatch = 0; }, "maxBatch");
  refused([](auto &o) { o.maxQueries = 0; }, "maxQueries");
  refused([](auto &o) { o.scoreSplits = 65; }, "scoreSplits");
  refused([](auto &o) { o.attendSplits = 0; }, "attendSplits");
  refused([](auto &o) { o.maxBatch = 1 << 16, o.maxQueries = 1 << 20; }, "bytes");

  Retrieval retrieval = setup.retrieval(2);
  CHECK(!retrieval.bind(std::vector<int64_t>{setup.ids[0], setup.ids[0]})); // more than maxBatch
  CHECK(!retrieval.bind(std::vector<int64_t>{-1}));
  REQUIRE(retrieval.bind(setup.ids));
  HostTensor q = HostTensor::zeros(DType::F32, {1, 4, 1, 32}), o = q;
  std::vector<float> lse(4);
  TensorView qView = denseView(q.bytes.data(), DType::F32, {1, 4, 1, 32}),
             oView = denseView(o.bytes.data(), DType::F32, {1, 4, 1, 32});
  RowsView rows = denseRows(lse.data(), {1, 4, 1});
  auto attend = [&](TensorView q, TensorView o, RowsView lse, const char *what) {
    auto done = retrieval.attend(q, o, lse);
    REQUIRE(!done);
    INFO(done.error().message);
    CHECK(done.error().message.find(what) == 0);
  };
  auto with = [](auto view, auto change) {
    change(view);
    return view;
  };
  attend(qView, oView, rows, "q: got 1 queries; sequence"); // it has no tokens yet
  setup.appendTo(0, 50);
  CHECK(retrieval.attend(qView, oView, rows));
  attend(with(qView, [](auto &v) { v.shape[2] = 3; }), oView, rows, "q:");
  attend(with(qView, [](auto &v) { v.shape[1] = 2; }), oView, rows, "q:");
  attend(with(qView, [](auto &v) { v.shape[0] = 2; }), oView, rows, "q:");
  attend(with(qView, [](auto &v) { v.dtype = DType::F16; }), oView, rows, "q:");
  attend(with(qView, [](auto &v) { v.strides[3] = 2; }), oView, rows, "q:");
  attend(with(qView, [](auto &v) { v.data = nullptr; }), oView, rows, "q:");
  attend(qView, with(oView, [](auto &v) { v.shape[3] = 16; }), rows, "o:");
  attend(qView, with(oView, [](auto &v) { v.strides[1] = 0; }), rows, "o:");
  attend(qView, qView, rows, "o, lse:");
  attend(qView, oView, with(rows, [](auto &v) { v.shape[1] = 1; }), "lse:");
  attend(qView, oView, with(rows, [](auto &v) { v.data = nullptr; }), "lse:");
  int stream = 0;
  CHECK(!retrieval.attend(qView, oView, rows, &stream));
  REQUIRE(setup.cache.close(setup.ids[0]));
  attend(qView, oView, rows, "sequence:");
}
