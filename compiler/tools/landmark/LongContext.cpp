// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "LongContext.h"

#include "Knobs.h"
#include "Random.h"
#include "ThreadPool.h"
#include "landmark/Version.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace landmark::tool {

namespace {

const std::map<std::string, Granularity> granularities = {{"query-head", Granularity::QueryHead},
                                                          {"kv-head", Granularity::KvHead},
                                                          {"head-chunk", Granularity::HeadChunk},
                                                          {"query", Granularity::Query}};

CacheOptions cacheOptionsOf(const ContextOptions &options, DType dtype) {
  CacheOptions cache;
  cache.blockSize = options.blockSize;
  cache.kvHeads = options.kvHeads;
  cache.headDim = options.headDim;
  cache.dtype = dtype;
  cache.maxSequences = options.batch;
  cache.maxTokens = options.context;
  cache.placement = options.placement;
  cache.hotBytes = options.hotBytes;
  // Whole pages of keys and values and of landmark keys, and a page more of these.
  int64_t blocks = (options.context + options.blockSize - 1) / options.blockSize;
  int64_t rows = 2 * blocks * options.blockSize + blocks + 2 * Problem::landmarksPerPage;
  cache.budgetBytes = options.batch * rows * options.kvHeads * options.headDim * byteSize(dtype);
  return cache;
}

} // namespace

void ContextOptions::addTo(CLI::App &app) {
  CLI::Range count(int64_t(1), int64_t(1) << 16);
  app.add_option("--context,-N", context, "Tokens of each sequence")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->capture_default_str();
  app.add_option("--heads,-H", heads, "Query heads")->check(count)->capture_default_str();
  app.add_option("--kv-heads,-G", kvHeads, "Key/value heads; must divide the query heads")
      ->check(count)
      ->capture_default_str();
  app.add_option("--head-dim,-D", headDim, "Head dimension: a multiple of 8 from 16 to 256")->capture_default_str();
  app.add_option("--block-size,-L", blockSize, "Tokens of a block, its landmark included: 2 to 256")
      ->capture_default_str();
  app.add_option("--dtype", dtype, "bf16, f16 or f32")->capture_default_str();
  addDevice(app, device);
  app.add_option("--seed", seed, "Seed of the inputs")->capture_default_str();
}

Expected<DType> ContextOptions::parseDType() const { return landmark::parseDType(dtype); }

std::string nameOf(Granularity granularity) {
  for (const auto &[name, value] : granularities)
    if (value == granularity)
      return name;
  return {};
}

void addGranularity(CLI::App &app, Granularity &granularity) {
  app.add_option("--granularity", granularity, "Which rows share a choice")
      ->transform(CLI::CheckedTransformer(granularities))
      ->default_str(nameOf(granularity));
}

nlohmann::ordered_json describe(const char *operation, const ContextOptions &options, const RetrievalOptions &retrieval,
                                const Device &device) {
  return {
      {"version", landmark::version()},
      {"operation", operation},
      {"context", options.context},
      {"heads", options.heads},
      {"kv_heads", options.kvHeads},
      {"head_dim", options.headDim},
      {"block_size", options.blockSize},
      {"top_k", retrieval.topK},
      {"window", retrieval.window},
      {"granularity", nameOf(retrieval.granularity)},
      {"dtype", options.dtype},
      {"seed", options.seed},
      {"device", device.name()},
      {"target", device.target().chip},
  };
}

ContextBase::ContextBase(const ContextOptions &options, DType dtype)
    : blockSize(options.blockSize), pieceRows(std::min<int64_t>(options.context, 65536)) {
  std::vector<int64_t> shape = {1, options.kvHeads, pieceRows + blockSize, options.headDim};
  k = randomTensor(dtype, shape, 2 * options.seed);
  v = randomTensor(dtype, shape, 2 * options.seed + 1);
}

HostTensor ContextBase::tokens(const HostTensor &of, int64_t sequence, int64_t head, int64_t heads,
                               int64_t count) const {
  HostTensor all = HostTensor::zeros(of.dtype, {1, heads, count, of.shape[3]});
  int64_t row = of.shape[3] * byteSize(of.dtype), rows = of.shape[2];
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t token = 0; token < count; token += pieceRows)
      std::memcpy(all.bytes.data() + (h * count + token) * row,
                  of.bytes.data() + ((head + h) * rows + shift(sequence, token)) * row,
                  size_t(std::min(pieceRows, count - token) * row));
  return all;
}

HostTensor headsOf(const HostTensor &of, int64_t sequence, int64_t head, int64_t heads) {
  std::vector<int64_t> shape = of.shape;
  shape[0] = 1;
  shape[1] = heads;
  HostTensor result = HostTensor::zeros(of.dtype, shape);
  size_t each = result.bytes.size() / size_t(heads);
  std::memcpy(result.bytes.data(), of.bytes.data() + size_t(sequence * of.shape[1] + head) * each, result.bytes.size());
  return result;
}

Expected<RetrievalOutputs> RetrievalOutputs::allocate(const Device &device, DType dtype, std::array<int64_t, 4> shape) {
  RetrievalOutputs made;
  made.o = HostTensor::zeros(dtype, {shape.begin(), shape.end()});
  made.lse = HostTensor::zeros(DType::F32, {shape[0], shape[1], shape[2]});
  for (auto [buffer, tensor] : {std::pair{&made.oThere, &made.o}, std::pair{&made.lseThere, &made.lse}}) {
    auto there = DeviceBuffer::allocate(device, tensor->bytes.size());
    if (!there)
      return there.error();
    if (auto poisoned = there->fill(0xff); !poisoned)
      return poisoned.error();
    *buffer = std::move(*there);
  }
  return made;
}

Expected<void> RetrievalOutputs::download() {
  auto done = oThere.download(o.bytes.data(), o.bytes.size());
  return done ? lseThere.download(lse.bytes.data(), lse.bytes.size()) : done;
}

TensorView RetrievalOutputs::oView() const {
  TensorView view = viewOf(o);
  view.data = oThere.data();
  return view;
}

RowsView RetrievalOutputs::lseView() const {
  return denseRows(static_cast<float *>(lseThere.data()), {lse.shape[0], lse.shape[1], lse.shape[2]});
}

Expected<ContextPlace> ContextPlace::of(const ContextOptions &options) {
  auto dtype = options.parseDType();
  if (!dtype)
    return dtype.error();
  auto device = Device::parse(options.device);
  return device ? Expected<ContextPlace>(ContextPlace{*dtype, std::move(*device)}) : device.error();
}

Expected<RetrievalTensors> RetrievalTensors::create(const Device &device, DType dtype, std::array<int64_t, 4> shape, uint64_t seed) {
  HostTensor q = randomTensor(dtype, {shape.begin(), shape.end()}, seed);
  auto there = upload(device, q);
  if (!there)
    return there.error();
  auto outputs = RetrievalOutputs::allocate(device, dtype, shape);
  return outputs ? Expected<RetrievalTensors>(RetrievalTensors{std::move(q), std::move(*there), std::move(*outputs)}) : outputs.error();
}

TensorView RetrievalTensors::qView() const {
  TensorView view = viewOf(q);
  view.data = qThere.data();
  return view;
}

HostTensor randomTensor(DType dtype, std::vector<int64_t> shape, uint64_t seed) {
  HostTensor tensor = HostTensor::zeros(dtype, shape);
  int64_t parts = shape[0] * shape[1], each = shape[2] * shape[3], size = byteSize(dtype);
  ThreadPool(Knobs::fromEnvironment().threads).run(parts, [&](int64_t part) {
    Random random(seed * 1000003 + uint64_t(part));
    std::byte *element = tensor.bytes.data() + part * each * size;
    for (int64_t i = 0; i < each; ++i, element += size)
      fromDouble(random.normal(), element, dtype);
  });
  return tensor;
}

Expected<LongContext> LongContext::create(const Device &device, const ContextBase &base,
                                          const ContextOptions &options) {
  auto cache = LandmarkCache::create(device, cacheOptionsOf(options, base.k.dtype));
  if (!cache)
    return cache.error();
  LongContext made(std::move(*cache), base);
  for (auto [buffer, tensor] : {std::pair{&made.k, &base.k}, std::pair{&made.v, &base.v}}) {
    auto there = upload(device, *tensor);
    if (!there)
      return there.error();
    *buffer = std::move(*there);
  }
  for (int64_t sequence = 0; sequence < options.batch; ++sequence) {
    auto id = made.cache.open();
    if (!id)
      return id.error();
    made.ids.push_back(*id);
  }
  return made;
}

Expected<void> LongContext::appendTo(int64_t length) {
  const std::vector<int64_t> &shape = base->k.shape;
  for (size_t sequence = 0; sequence < ids.size(); ++sequence)
    for (int64_t token = *cache.length(ids[sequence]); token < length;) {
      int64_t inPiece = token % base->piece(), count = std::min(base->piece() - inPiece, length - token);
      auto rows = [&](const DeviceBuffer &buffer) {
        TensorView view = denseView(buffer.data(), base->k.dtype, {1, shape[1], shape[2], shape[3]});
        view.data = static_cast<std::byte *>(view.data) +
                    (base->shift(int64_t(sequence), token) + inPiece) * shape[3] * byteSize(view.dtype);
        view.shape[2] = count;
        return view;
      };
      if (auto done = cache.append(ids[sequence], rows(k), rows(v)); !done)
        return done;
      token += count;
    }
  return {};
}

} // namespace landmark::tool
