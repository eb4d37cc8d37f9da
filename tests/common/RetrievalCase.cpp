// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RetrievalCase.h"

#include "Random.h"
#include "RandomProblem.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark::test {

namespace {

HostTensor randomTensor(Random &random, DType dtype, std::vector<int64_t> shape, int64_t blockSize = 0) {
  HostTensor tensor = HostTensor::zeros(dtype, shape);
  std::byte *element = tensor.bytes.data();
  for (int64_t head = 0; head < shape[1]; ++head)
    for (int64_t row = 0; row < shape[2]; ++row)
      for (int64_t column = 0; column < shape[3]; ++column, element += byteSize(dtype))
        fromDouble(blockSize && row % blockSize == blockSize - 1 ? NAN : random.normal(), element, dtype);
  return tensor;
}

TensorView viewOf(const HostTensor &tensor) {
  return denseView(const_cast<std::byte *>(tensor.bytes.data()), tensor.dtype,
                   {tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]});
}

} // namespace

std::string RetrievalCase::description() const {
  return fmt::format("L={} D={} H={}/{} {} lengths=[{}] queries={} k={} W={} granularity={} splits={}/{} scratch={} "
                     "sharpness={} rotary={}/{} joins={} seed={}",
                     blockSize, headDim, queryHeads, kvHeads, name(dtype), fmt::join(lengths, ","), queries,
                     options.topK, options.window, int(options.granularity), options.scoreSplits.value_or(0),
                     options.attendSplits.value_or(0), options.scratchBytes, sharpness,
                     int(options.rotary.layout), int(options.rotary.positions), options.joinsParts, seed);
}

RetrievalCase randomCase(uint64_t seed) {
  Random random(seed * 7919 + 17);
  auto pick = [&](std::initializer_list<int64_t> choices) {
    return choices.begin()[random.integer(0, int64_t(choices.size()) - 1)];
  };
  RetrievalCase problem;
  problem.seed = seed;
  problem.blockSize = pick({2, 3, 5, 8, 8, 13, 16, 51, 64, 100});
  problem.headDim = pick({16, 24, 64, 80, 128});
  problem.kvHeads = pick({1, 2, 3});
  problem.queryHeads = problem.kvHeads * pick({1, 2, 4, 5});
  problem.dtype = random.oneIn(2) ? DType::F32 : random.oneIn(3) ? DType::F16 : DType::BF16;
  problem.queries = pick({1, 1, 1, 2, 5, 17, 40, 150});
  problem.lengths.clear();
  for (int64_t sequences = pick({1, 1, 2, 3}); sequences > 0; --sequences)
    problem.lengths.push_back(
        problem.queries + (random.oneIn(6) ? 0 : random.integer(0, std::min<int64_t>(problem.blockSize * 150, 1500))));
  problem.options.topK = pick({1, 2, 4, 4, 7, 16, 30});
  problem.options.window = pick({0, 0, 1, 3});
  problem.options.granularity = Granularity(random.integer(0, 3));
  if (random.oneIn(2))
    problem.options.scoreSplits = random.integer(1, 9);
  if (random.oneIn(2))
    problem.options.attendSplits = random.integer(1, 5);
  if (random.oneIn(3))
    problem.options.scratchBytes = random.integer(0, 200000);
  problem.sharpness = random.oneIn(3) ? 6 : 1;
  if (random.oneIn(3)) {
    problem.options.rotary = {random.oneIn(2) ? RotaryLayout::Half : RotaryLayout::Interleaved,
                              random.oneIn(2) ? Positions::True : Positions::Stingy, random.oneIn(2) ? 10000.0 : 500000.0,
                              random.oneIn(2) ? 1.0 : 4.0};
    problem.sharpness = 1; // rotated 16-bit queries and keys are rounded once more
  }
  problem.options.joinsParts = seed % 3 != 0;
  return problem;
}

DeviceTensor DeviceTensor::of(const Device &device, const HostTensor &tensor) {
  auto buffer = DeviceBuffer::allocate(device, tensor.bytes.size());
  REQUIRE(buffer);
  REQUIRE(buffer->upload(tensor.bytes.data(), tensor.bytes.size()));
  std::vector<int64_t> shape = tensor.shape;
  shape.resize(4, 1);
  TensorView view = denseView(buffer->data(), tensor.dtype, {shape[0], shape[1], shape[2], shape[3]});
  return {std::move(*buffer), view};
}

HostTensor DeviceTensor::download() const {
  HostTensor tensor = HostTensor::zeros(view.dtype, {view.shape.begin(), view.shape.end()});
  REQUIRE(buffer.download(tensor.bytes.data(), tensor.bytes.size()));
  return tensor;
}

RetrievalData::RetrievalData(const RetrievalCase &problem) : problem(problem) {
  Random random(problem.seed);
  for (int64_t length : problem.lengths) {
    q.push_back(randomTensor(random, problem.dtype, {1, problem.queryHeads, problem.queries, problem.headDim}));
    k.push_back(randomTensor(random, problem.dtype, {1, problem.kvHeads, length, problem.headDim}));
    v.push_back(randomTensor(random, problem.dtype, {1, problem.kvHeads, length, problem.headDim}, problem.blockSize));
  }
}

HostTensor RetrievalData::rows(const HostTensor &tensor, int64_t first, int64_t count) {
  HostTensor part = HostTensor::zeros(tensor.dtype, {1, tensor.shape[1], count, tensor.shape[3]});
  size_t row = size_t(tensor.shape[3] * byteSize(tensor.dtype));
  for (int64_t head = 0; head < tensor.shape[1]; ++head)
    if (count)
      std::memcpy(part.bytes.data() + size_t(head * count) * row,
                  tensor.bytes.data() + size_t(head * tensor.shape[2] + first) * row, size_t(count) * row);
  return part;
}

static LandmarkCache makeCache(const Device &device, const RetrievalCase &problem) {
  CacheOptions options;
  options.blockSize = problem.blockSize;
  options.kvHeads = problem.kvHeads;
  options.headDim = problem.headDim;
  options.dtype = problem.dtype;
  options.maxSequences = int64_t(problem.lengths.size()) + 1;
  options.maxTokens = *std::max_element(problem.lengths.begin(), problem.lengths.end()) + 1;
  if (problem.ringTokens) {
    options.eviction = Eviction::Ring;
    options.maxTokens = problem.ringTokens;
  }
  options.budgetBytes = int64_t(1) << 30;
  options.slabBytes = 1 << 16;
  options.placement = problem.placement;
  options.hotBytes =
      problem.hotPages * 2 * problem.kvHeads * problem.blockSize * problem.headDim * byteSize(problem.dtype);
  auto cache = LandmarkCache::create(device, options);
  INFO((cache ? "" : cache.error().message));
  REQUIRE(cache);
  return std::move(*cache);
}

RetrievalSetup::RetrievalSetup(Runtime &runtime, const RetrievalData &data)
    : cache(makeCache(runtime.device(), data.problem)), runtime(runtime), data(data),
      lengths(data.problem.lengths.size(), 0) {
  const RetrievalCase &problem = data.problem;
  HostTensor nans = HostTensor::zeros(problem.dtype, {1, problem.kvHeads, cache.options().maxTokens, problem.headDim});
  std::fill(nans.bytes.begin(), nans.bytes.end(), std::byte(0xff));
  auto used = cache.open();
  REQUIRE(used);
  DeviceTensor there = DeviceTensor::of(runtime.device(), nans);
  REQUIRE(cache.append(*used, there.view, there.view));
  REQUIRE(runtime.device().synchronize());
  REQUIRE(cache.close(*used));
  for (size_t i = 0; i < lengths.size(); ++i) {
    auto opened = cache.open();
    REQUIRE(opened);
    ids.push_back(*opened);
  }
}

void RetrievalSetup::appendTo(size_t index, int64_t length) {
  if (length <= lengths[index])
    return;
  DeviceTensor k =
      DeviceTensor::of(runtime.device(), RetrievalData::rows(data.k[index], lengths[index], length - lengths[index]));
  DeviceTensor v =
      DeviceTensor::of(runtime.device(), RetrievalData::rows(data.v[index], lengths[index], length - lengths[index]));
  auto done = cache.append(ids[index], k.view, v.view);
  INFO((done ? "" : done.error().message));
  REQUIRE(done);
  REQUIRE(runtime.device().synchronize());
  lengths[index] = length;
}

Retrieval RetrievalSetup::retrieval(int64_t maxQueries) {
  const RetrievalCase &problem = data.problem;
  RetrievalOptions options = problem.options;
  options.queryHeads = problem.queryHeads;
  options.maxBatch = int64_t(ids.size());
  options.maxQueries = maxQueries;
  options.scale = float(problem.sharpness / std::sqrt(double(problem.headDim)));
  auto made = Retrieval::create(runtime, cache, options);
  INFO((made ? "" : made.error().message));
  for (const std::string &note : made ? std::vector<std::string>() : made.error().notes)
    UNSCOPED_INFO(note);
  REQUIRE(made);
  return std::move(*made);
}

RetrievalOutput RetrievalSetup::run(Retrieval &retrieval, int64_t first, int64_t count) {
  const RetrievalCase &problem = data.problem;
  int64_t batch = int64_t(ids.size()), heads = problem.queryHeads, dim = problem.headDim;
  HostTensor q = HostTensor::zeros(problem.dtype, {batch, heads, count, dim});
  for (int64_t i = 0; i < batch; ++i) {
    appendTo(size_t(i), problem.lengths[size_t(i)] - problem.queries + first + count);
    HostTensor part = RetrievalData::rows(data.q[size_t(i)], first, count);
    std::copy(part.bytes.begin(), part.bytes.end(), q.bytes.begin() + i * int64_t(part.bytes.size()));
  }
  DeviceTensor there = DeviceTensor::of(runtime.device(), q), o = DeviceTensor::of(runtime.device(), q);
  DeviceTensor lse = DeviceTensor::of(runtime.device(), HostTensor::zeros(DType::F32, {batch, heads, count}));
  REQUIRE(o.buffer.fill(0xff));
  REQUIRE(lse.buffer.fill(0xff));
  REQUIRE(retrieval.bind(ids));
  auto done =
      retrieval.attend(there.view, o.view, denseRows(static_cast<float *>(lse.buffer.data()), {batch, heads, count}));
  INFO((done ? "" : done.error().message));
  REQUIRE(done);
  REQUIRE(runtime.device().synchronize());

  RetrievalOutput output;
  HostTensor all = o.download(), allLse = lse.download();
  SelectionView view = retrieval.selection();
  auto table = retrieval.downloadSelection();
  REQUIRE(table);
  for (int64_t i = 0; i < batch; ++i) {
    HostTensor part = HostTensor::zeros(problem.dtype, {1, heads, count, dim}),
               partLse = HostTensor::zeros(DType::F32, {1, heads, count});
    std::copy_n(all.bytes.begin() + i * int64_t(part.bytes.size()), part.bytes.size(), part.bytes.begin());
    std::copy_n(allLse.bytes.begin() + i * int64_t(partLse.bytes.size()), partLse.bytes.size(), partLse.bytes.begin());
    output.o.push_back(std::move(part));
    output.lse.push_back(std::move(partLse));
    std::vector<std::vector<int64_t>> lists;
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t query = 0; query < count; ++query) {
        int64_t tableHead = head / (heads / view.shape[1]), tableQuery = view.shape[2] == 1 ? 0 : query;
        const int32_t *entry =
            table->data() + ((i * view.shape[1] + tableHead) * view.shape[2] + tableQuery) * view.shape[3];
        std::vector<int64_t> list;
        for (int64_t place = 0; place < view.shape[3] && entry[place] != -1; ++place)
          list.push_back(entry[place]);
        lists.push_back(list);
      }
    output.selections.push_back(std::move(lists));
  }
  return output;
}

void checkAgainstOracle(const RetrievalData &data, const RetrievalOutput &output, Target::Kind kind) {
  const RetrievalCase &problem = data.problem;
  Tolerance tolerance = toleranceFor(problem.dtype, kind);
  // Scores are float32 sums of D products, on tensor cores of tf32 for float32.
  double scoreTolerance = (kind == Target::Kind::Host || problem.dtype != DType::F32 ? 1e-5 : 1e-2) * problem.sharpness;
  if (problem.options.rotary.layout != RotaryLayout::None)
    scoreTolerance = kind == Target::Kind::Host ? 1e-4 : 2e-2;
  for (size_t i = 0; i < output.o.size(); ++i) {
    RetrievalSemantics semantics{problem.blockSize,
                                 problem.options.topK,
                                 problem.options.window,
                                 problem.options.granularity,
                                 float(problem.sharpness / std::sqrt(double(problem.headDim))),
                                 problem.options.rotary,
                                 /*roundsRotated=*/kind != Target::Kind::Host};
    auto reference =
        referenceRetrieval(viewOf(data.q[i]), viewOf(data.k[i]), viewOf(data.v[i]), semantics, output.selections[i]);
    for (size_t row = 0; row < reference.rows.size(); ++row) {
      INFO("sequence " << i << ", row " << row << " of (head, query)");
      REQUIRE(selectionError(reference.rows[row], output.selections[i][row], problem.options.topK) <= scoreTolerance);
    }
    ReferenceForward comparable;
    for (int64_t row = 0; row < problem.queries; ++row)
      comparable.rows.push_back(row);
    comparable.o = reference.o;
    comparable.lse = reference.lse;
    INFO("sequence " << i);
    CHECK(relativeError(viewOf(output.o[i]), comparable) <= tolerance.o);
    auto *lse = reinterpret_cast<float *>(const_cast<std::byte *>(output.lse[i].bytes.data()));
    CHECK(relativeError(denseRows(lse, {1, problem.queryHeads, problem.queries}), comparable) <= tolerance.lse);
  }
}

void checkCase(Runtime &runtime, const RetrievalCase &problem) {
  INFO(problem.description());
  RetrievalData data(problem);
  RetrievalSetup setup(runtime, data);
  Retrieval retrieval = setup.retrieval(problem.queries);
  checkAgainstOracle(data, setup.run(retrieval, 0, problem.queries), runtime.device().target().kind);
}

} // namespace landmark::test
