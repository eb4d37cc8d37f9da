// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RetrievalChecks.h"

#include "Graph.h"
#include "Random.h"
#include "RandomProblem.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

namespace landmark::test {

namespace {

TensorView viewOf(const HostTensor &tensor) {
  return denseView(const_cast<std::byte *>(tensor.bytes.data()), tensor.dtype,
                   {tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]});
}

/// Overwrites a row of every head.
void setRow(HostTensor &tensor, int64_t row, double value) {
  for (int64_t head = 0; head < tensor.shape[1]; ++head)
    for (int64_t column = 0; column < tensor.shape[3]; ++column)
      fromDouble(value,
                 tensor.bytes.data() +
                     ((head * tensor.shape[2] + row) * tensor.shape[3] + column) * byteSize(tensor.dtype),
                 tensor.dtype);
}

bool isFinite(const HostTensor &tensor) {
  for (int64_t i = 0; i < tensor.elements(); ++i)
    if (!std::isfinite(toDouble(tensor.bytes.data() + i * byteSize(tensor.dtype), tensor.dtype)))
      return false;
  return true;
}

} // namespace

void checkDense(Runtime &runtime) {
  for (int granularity = 0; granularity < 4; ++granularity)
    for (auto [splits, joins] : {std::pair{int64_t(1), false}, std::pair{int64_t(3), false}, std::pair{int64_t(3), true}}) {
      RetrievalCase problem;
      problem.options.joinsParts = joins;
      problem.blockSize = 13;
      problem.lengths = {13 * 20 + 5, 40};
      problem.queries = 30; // reaches over two borders of blocks
      problem.options.topK = 24;
      problem.options.granularity = Granularity(granularity);
      problem.options.attendSplits = splits;
      INFO(problem.description());
      RetrievalData data(problem);
      RetrievalSetup setup(runtime, data);
      Retrieval retrieval = setup.retrieval(problem.queries);
      RetrievalOutput output = setup.run(retrieval, 0, problem.queries);
      Tolerance tolerance = toleranceFor(problem.dtype, runtime.device().target().kind);
      for (size_t i = 0; i < data.q.size(); ++i) {
        ForwardSemantics semantics{problem.blockSize, 0, problem.lengths[i] - problem.queries,
                                   float(1 / std::sqrt(double(problem.headDim)))};
        auto reference = referenceForward(viewOf(data.q[i]), viewOf(data.k[i]), viewOf(data.v[i]), semantics);
        CHECK(relativeError(viewOf(output.o[i]), reference) <= tolerance.o);
        auto *lse = reinterpret_cast<float *>(output.lse[i].bytes.data());
        CHECK(relativeError(denseRows(lse, {1, problem.queryHeads, problem.queries}), reference) <= tolerance.lse);
      }
    }
}

void checkEverySplit(Runtime &runtime) {
  for (Granularity granularity : {Granularity::QueryHead, Granularity::KvHead, Granularity::Query}) {
    RetrievalCase problem;
    problem.blockSize = 7;
    problem.lengths = {150, 93};
    problem.queries = 60;
    problem.options.topK = 3;
    problem.options.window = 1;
    problem.options.granularity = granularity;
    INFO(problem.description());
    RetrievalData data(problem);
    RetrievalSetup whole(runtime, data);
    Retrieval once = whole.retrieval(problem.queries);
    RetrievalOutput expected = whole.run(once, 0, problem.queries);
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      Random random(seed);
      RetrievalSetup setup(runtime, data);
      Retrieval retrieval = setup.retrieval(problem.queries);
      for (int64_t first = 0; first < problem.queries;) {
        int64_t count = std::min(problem.queries - first, random.oneIn(2) ? 1 : random.integer(1, 25));
        RetrievalOutput part = setup.run(retrieval, first, count);
        for (size_t i = 0; i < data.q.size(); ++i) {
          REQUIRE(part.o[i].bytes == RetrievalData::rows(expected.o[i], first, count).bytes);
          for (int64_t head = 0; head < problem.queryHeads; ++head)
            for (int64_t query = 0; query < count; ++query)
              REQUIRE(part.selections[i][size_t(head * count + query)] ==
                      expected.selections[i][size_t(head * problem.queries + first + query)]);
        }
        first += count;
      }
    }
  }
}

void checkTies(Runtime &runtime) {
  for (int granularity = 0; granularity < 4; ++granularity) {
    RetrievalCase problem;
    problem.blockSize = 4;
    problem.lengths = {4 * 200 + 2};
    problem.options.topK = 5;
    problem.options.granularity = Granularity(granularity);
    problem.options.scoreSplits = 3;
    INFO(problem.description());
    RetrievalData data(problem);
    for (int64_t block = 0; block < 200; ++block) // all equal, then two classes
      setRow(data.k[0], 4 * block + 3, 0.25);
    {
      RetrievalSetup setup(runtime, data);
      Retrieval retrieval = setup.retrieval(1);
      RetrievalOutput output = setup.run(retrieval, 0, 1);
      for (const auto &list : output.selections[0])
        CHECK(list == std::vector<int64_t>{0, 1, 2, 3, 4});
    }
    setRow(data.q[0], 0, 1.0);
    for (int64_t block : {7, 70, 130, 131, 140, 150, 199})
      setRow(data.k[0], 4 * block + 3, 0.5);
    RetrievalSetup setup(runtime, data);
    Retrieval retrieval = setup.retrieval(1);
    RetrievalOutput output = setup.run(retrieval, 0, 1);
    for (const auto &list : output.selections[0])
      CHECK(list == std::vector<int64_t>{7, 70, 130, 131, 140});
  }
}

void checkExtremes(Runtime &runtime) {
  for (int granularity = 0; granularity < 4; ++granularity)
    for (double size : {0.0, 1e-30, 300.0, 1e6}) {
      RetrievalCase problem;
      problem.dtype = DType::BF16;
      problem.lengths = {8 * 30 + 3};
      problem.options.topK = 4;
      problem.options.granularity = Granularity(granularity);
      INFO(problem.description() << ", size " << size);
      RetrievalData data(problem);
      for (HostTensor *tensor : {&data.q[0], &data.k[0]})
        for (int64_t i = 0; i < tensor->elements(); ++i) {
          std::byte *element = tensor->bytes.data() + i * byteSize(tensor->dtype);
          fromDouble(size * toDouble(element, tensor->dtype), element, tensor->dtype);
        }
      RetrievalSetup setup(runtime, data);
      Retrieval retrieval = setup.retrieval(1);
      RetrievalOutput output = setup.run(retrieval, 0, 1);
      CHECK(isFinite(output.o[0]));
      CHECK(isFinite(output.lse[0]));
      RetrievalSemantics semantics{
          problem.blockSize, 4, 0, problem.options.granularity, float(1 / std::sqrt(double(problem.headDim))), {}};
      auto reference = referenceRetrieval(viewOf(data.q[0]), viewOf(data.k[0]), viewOf(data.v[0]), semantics);
      for (size_t row = 0; row < reference.rows.size(); ++row)
        CHECK(selectionError(reference.rows[row], output.selections[0][row], 4) <= 1e-5 * std::max(1.0, size * size));
    }
}

void checkForks(Runtime &runtime) {
  RetrievalCase problem;
  problem.lengths = {90, 90, 90};
  problem.options.topK = 2;
  RetrievalData data(problem);
  RetrievalSetup setup(runtime, data);
  // Sequence 1 goes on from 57 tokens of sequence 0, of which it then drops some; sequence 2 has its tokens to itself.
  constexpr int64_t common = 53;
  for (size_t head = 0; head < 2; ++head)
    for (auto tensors : {&data.k, &data.v}) {
      size_t row = size_t(problem.headDim * byteSize(problem.dtype));
      std::memcpy((*tensors)[1].bytes.data() + head * 90 * row, (*tensors)[0].bytes.data() + head * 90 * row,
                  common * row);
    }
  setup.appendTo(0, 57);
  REQUIRE(setup.cache.close(setup.ids[1]));
  auto forked = setup.cache.fork(setup.ids[0]);
  REQUIRE(forked);
  setup.adopt(1, *forked, 57);
  REQUIRE(setup.cache.truncate(*forked, common));
  setup.adopt(1, *forked, common);
  Retrieval retrieval = setup.retrieval(1);
  RetrievalOutput output = setup.run(retrieval, 0, 1);
  checkAgainstOracle(data, output, runtime.device().target().kind);
  CHECK(setup.cache.usage().sharedPages == common / problem.blockSize);
}

void checkPlacement(Runtime &runtime) {
  for (Granularity granularity : {Granularity::QueryHead, Granularity::HeadChunk, Granularity::Query}) {
    RetrievalCase problem;
    problem.lengths = {310, 170};
    problem.queries = 40;
    problem.options.topK = 3;
    problem.options.window = 1;
    problem.options.granularity = granularity;
    INFO(problem.description());
    auto inSteps = [&](const RetrievalData &data, CacheUsage &usage) {
      RetrievalSetup setup(runtime, data);
      Retrieval retrieval = setup.retrieval(5);
      std::vector<HostTensor> results;
      for (int64_t first = 0; first < problem.queries; first += first % 3 ? 1 : 5) {
        int64_t count = std::min<int64_t>(first % 3 ? 1 : 5, problem.queries - first);
        RetrievalOutput output = setup.run(retrieval, first, count);
        for (auto *part : {&output.o, &output.lse})
          std::move(part->begin(), part->end(), std::back_inserter(results));
      }
      usage = setup.cache.usage();
      return results;
    };
    CacheUsage usage;
    std::vector<HostTensor> expected = inSteps(RetrievalData(problem), usage);
    problem.placement = Placement::Host;
    for (int64_t pool : {0, 2, 70, 1000}) { // none, one that a step does not fit in, one that it just does, one for all
      problem.hotPages = pool;
      INFO("pool of " << pool << " pages");
      std::vector<HostTensor> results = inSteps(RetrievalData(problem), usage);
      REQUIRE(results.size() == expected.size());
      for (size_t i = 0; i < results.size(); ++i)
        REQUIRE(results[i].bytes == expected[i].bytes);
      CHECK(usage.hotCapacity == pool * problem.kvHeads);
      CHECK(usage.hotPages <= usage.hotCapacity);
      if (pool != 2)
        CHECK((usage.hotHits > 0) == (pool > 0));
    }
  }
}

void checkRing(Runtime &runtime) {
  for (Placement placement : {Placement::Device, Placement::Host}) {
    RetrievalCase problem;
    problem.blockSize = 4;
    problem.lengths = {1400, 500};
    problem.queries = 300;
    problem.options.topK = 3;
    problem.options.window = 1;
    problem.placement = placement;
    problem.hotPages = placement == Placement::Host ? 9 : 0;
    problem.ringTokens = 600;
    INFO(problem.description());
    RetrievalData data(problem);
    RetrievalSetup setup(runtime, data);
    for (int64_t length = 300; length <= 1100; length += 200)
      setup.appendTo(0, length);
    Retrieval retrieval = setup.retrieval(10);
    int64_t drops = 0;
    for (int64_t first = 0; first < problem.queries; first += 10) {
      int64_t count = first % 20 ? 1 : 10, end = first + count;
      RetrievalOutput output = setup.run(retrieval, first, count);
      // The oracle sees what is held.
      RetrievalCase now = problem;
      now.queries = count;
      RetrievalData held(now);
      for (size_t i = 0; i < data.q.size(); ++i) {
        int64_t dropped = *setup.cache.dropped(setup.ids[i]), length = *setup.cache.length(setup.ids[i]);
        REQUIRE(dropped + length == problem.lengths[i] - problem.queries + end);
        held.q[i] = RetrievalData::rows(data.q[i], first, count);
        held.k[i] = RetrievalData::rows(data.k[i], dropped, length);
        held.v[i] = RetrievalData::rows(data.v[i], dropped, length);
        drops = std::max(drops, dropped);
      }
      checkAgainstOracle(held, output, runtime.device().target().kind);
    }
    CHECK(drops == 1024);
  }
}

static void checkReplayOf(Runtime &runtime, RetrievalCase problem) {
  problem.lengths = {200, 120};
  problem.queries = 1;
  problem.options.topK = 3;
  RetrievalData data(problem);
  RetrievalSetup setup(runtime, data);
  setup.appendTo(0, 100);
  setup.appendTo(1, 20);
  Retrieval captured = setup.retrieval(1), direct = setup.retrieval(1);
  REQUIRE(captured.bind(setup.ids));
  REQUIRE(direct.bind(setup.ids));
  const Device &device = runtime.device();
  Random numbers(3);
  HostTensor zero = HostTensor::zeros(problem.dtype, {2, problem.queryHeads, 1, problem.headDim});
  DeviceTensor q = DeviceTensor::of(device, zero), o = DeviceTensor::of(device, zero),
               expected = DeviceTensor::of(device, zero);
  DeviceTensor lse = DeviceTensor::of(device, HostTensor::zeros(DType::F32, {2, problem.queryHeads, 1}));
  RowsView rows = denseRows(static_cast<float *>(lse.buffer.data()), {2, problem.queryHeads, 1});
  auto graph = Graph::capture(device, [&](void *stream) { return captured.attend(q.view, o.view, rows, stream); });
  INFO((graph ? "" : graph.error().message));
  REQUIRE(graph);
  for (int64_t step = 0; step < 40; ++step) {
    setup.appendTo(0, 101 + step);
    setup.appendTo(1, 21 + 2 * step);
    HostTensor fresh = zero;
    for (int64_t i = 0; i < fresh.elements(); ++i)
      fromDouble(numbers.normal(), fresh.bytes.data() + i * byteSize(fresh.dtype), fresh.dtype);
    REQUIRE(q.buffer.upload(fresh.bytes.data(), fresh.bytes.size()));
    REQUIRE(graph->launch());
    REQUIRE(direct.attend(q.view, expected.view, rows));
    REQUIRE(device.synchronize());
    REQUIRE(o.download().bytes == expected.download().bytes);
  }
}

void checkReplay(Runtime &runtime) {
  RetrievalCase problem;
  checkReplayOf(runtime, problem);
  problem.placement = Placement::Host;
  checkReplayOf(runtime, problem);
  problem.hotPages = 7; // which the direct calls change under the graph
  checkReplayOf(runtime, problem);
}

void checkLargeOffsets(Runtime &runtime) {
  // Pages of 2^16 elements: a sequence that is never read takes more than 2^31 elements and lies before those that are.
  RetrievalCase problem;
  problem.blockSize = 128;
  problem.headDim = 256;
  problem.kvHeads = problem.queryHeads = 1;
  problem.dtype = DType::BF16;
  problem.lengths = {128 * 6 + 11};
  problem.options.topK = 2;
  RetrievalData data(problem);
  CacheOptions options;
  options.blockSize = 128;
  options.headDim = 256;
  options.maxSequences = 2;
  constexpr int64_t away = (int64_t(1) << 23) + 512;
  options.maxTokens = away;
  options.budgetBytes = int64_t(12) << 30;
  options.slabBytes = int64_t(1) << 30;
  if (runtime.device().memoryBytes() < int64_t(24) << 30) {
    WARN("skipped: the device has no 24 GiB");
    return;
  }
  auto cache = LandmarkCache::create(runtime.device(), options);
  REQUIRE(cache);
  auto before = cache->open(), read = cache->open();
  REQUIRE(before);
  REQUIRE(read);
  constexpr int64_t step = int64_t(1) << 19;
  auto filler = DeviceBuffer::allocate(runtime.device(), size_t(step * 512));
  REQUIRE(filler);
  REQUIRE(filler->fill(0xff));
  TensorView rows = denseView(filler->data(), DType::BF16, {1, 1, step, 256});
  for (int64_t token = 0; token < away; token += step) {
    rows.shape[2] = std::min(step, away - token);
    auto done = cache->append(*before, rows, rows);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
  }
  DeviceTensor k = DeviceTensor::of(runtime.device(), data.k[0]), v = DeviceTensor::of(runtime.device(), data.v[0]),
               q = DeviceTensor::of(runtime.device(), data.q[0]), o = DeviceTensor::of(runtime.device(), data.q[0]),
               lse = DeviceTensor::of(runtime.device(), HostTensor::zeros(DType::F32, {1, 1, 1}));
  REQUIRE(cache->append(*read, k.view, v.view));
  RetrievalOptions retrievalOptions = problem.options;
  retrievalOptions.queryHeads = 1;
  auto retrieval = Retrieval::create(runtime, *cache, retrievalOptions);
  REQUIRE(retrieval);
  REQUIRE(retrieval->bind(std::vector<int64_t>{*read}));
  REQUIRE(retrieval->attend(q.view, o.view, denseRows(static_cast<float *>(lse.buffer.data()), {1, 1, 1})));
  auto table = retrieval->downloadSelection();
  REQUIRE(table);
  RetrievalOutput output;
  output.o.push_back(o.download());
  output.lse.push_back(lse.download());
  output.selections.push_back({std::vector<int64_t>(table->begin(), table->end())});
  checkAgainstOracle(data, output, runtime.device().target().kind);
}

} // namespace landmark::test
