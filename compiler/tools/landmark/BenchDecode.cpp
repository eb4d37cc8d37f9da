// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark bench decode: the time of a step of retrieval over a long context, checked.
#include "BenchDecode.h"

#include "Graph.h"
#include "Knobs.h"
#include "Random.h"
#include "RetrievalReference.h"
#include "ThreadPool.h"
#include "Timing.h"
#include "Verify.h"
#include "landmark/Retrieval.h"
#include "landmark/Version.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

namespace landmark::tool {

namespace {

constexpr int stepsOfGraph = 20; ///< so that the time between launches of graphs does not count

const std::map<std::string, Granularity> granularities = {{"query-head", Granularity::QueryHead},
                                                          {"kv-head", Granularity::KvHead},
                                                          {"head-chunk", Granularity::HeadChunk},
                                                          {"query", Granularity::Query}};

const std::map<std::string, RotaryLayout> rotaryLayouts = {
    {"none", RotaryLayout::None}, {"half", RotaryLayout::Half}, {"interleaved", RotaryLayout::Interleaved}};
const std::map<std::string, Positions> positionRules = {{"true", Positions::True}, {"stingy", Positions::Stingy}};

template <typename Value> std::vector<std::string> namesOf(const std::map<std::string, Value> &values) {
  std::vector<std::string> names;
  for (const auto &[name, value] : values)
    names.push_back(name);
  return names;
}

struct Options {
  int64_t context = 65536, batch = 1, heads = 32, kvHeads = 8, headDim = 128, blockSize = 64, queries = 1;
  RetrievalOptions retrieval;
  std::string dtype = "bf16", device = "auto", granularity = "query-head", rotary = "none", positions = "true", json;
  int repeats = 20;
  uint64_t seed = 1;
};

/// Keys and values of any number of tokens from a few: token j of sequence b is row `rowOf(b, j)` of a base, in pieces
/// of which each starts a row later, so that the landmarks of one piece are not those of another.
class Base {
public:
  Base(const Options &options, DType dtype)
      : blockSize(options.blockSize), pieceRows(std::min<int64_t>(options.context, 65536)) {
    for (HostTensor *tensor : {&k, &v})
      *tensor = HostTensor::zeros(dtype, {1, options.kvHeads, pieceRows + blockSize, options.headDim});
    ThreadPool(Knobs::fromEnvironment().threads).run(2 * options.kvHeads, [&](int64_t part) {
      HostTensor &tensor = part % 2 ? v : k;
      int64_t each = tensor.elements() / options.kvHeads;
      Random random(options.seed * 1000003 + uint64_t(part));
      std::byte *element = tensor.bytes.data() + part / 2 * each * byteSize(dtype);
      for (int64_t i = 0; i < each; ++i, element += byteSize(dtype))
        fromDouble(random.normal(), element, dtype);
    });
  }

  int64_t piece() const { return pieceRows; }
  int64_t shift(int64_t sequence, int64_t token) const { return (token / pieceRows + sequence) % blockSize; }

  /// The tokens of `heads` heads from `head` on, dense.
  HostTensor tokens(const HostTensor &of, int64_t sequence, int64_t head, int64_t heads, int64_t count) const {
    HostTensor all = HostTensor::zeros(of.dtype, {1, heads, count, of.shape[3]});
    int64_t row = of.shape[3] * byteSize(of.dtype), rows = of.shape[2];
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t token = 0; token < count; token += pieceRows)
        std::memcpy(all.bytes.data() + (h * count + token) * row,
                    of.bytes.data() + ((head + h) * rows + shift(sequence, token)) * row,
                    size_t(std::min(pieceRows, count - token) * row));
    return all;
  }

  HostTensor k, v;

private:
  int64_t blockSize, pieceRows;
};

Expected<DeviceBuffer> upload(const Device &device, const HostTensor &tensor) {
  auto buffer = DeviceBuffer::allocate(device, tensor.bytes.size());
  if (!buffer)
    return buffer;
  if (auto done = buffer->upload(tensor.bytes.data(), tensor.bytes.size()); !done)
    return done.error();
  return buffer;
}

Expected<LandmarkCache> makeCache(const Device &device, const Options &options, DType dtype) {
  CacheOptions cache;
  cache.blockSize = options.blockSize;
  cache.kvHeads = options.kvHeads;
  cache.headDim = options.headDim;
  cache.dtype = dtype;
  cache.maxSequences = options.batch;
  cache.maxTokens = options.context;
  // Whole pages of keys and values and of landmark keys, and a slab for each.
  int64_t blocks = (options.context + options.blockSize - 1) / options.blockSize;
  int64_t rows = 2 * blocks * options.blockSize + blocks + 2 * Problem::landmarksPerPage;
  cache.budgetBytes = options.batch * rows * options.kvHeads * options.headDim * byteSize(dtype);
  return LandmarkCache::create(device, cache);
}

Expected<std::vector<int64_t>> fill(LandmarkCache &cache, const Base &base, const Options &options) {
  const Device &device = cache.device();
  auto k = upload(device, base.k), v = upload(device, base.v);
  if (!k)
    return k.error();
  if (!v)
    return v.error();
  std::vector<int64_t> ids;
  for (int64_t sequence = 0; sequence < options.batch; ++sequence) {
    auto id = cache.open();
    if (!id)
      return id.error();
    ids.push_back(*id);
    for (int64_t token = 0; token < options.context; token += base.piece()) {
      auto piece = [&](const DeviceBuffer &buffer) {
        TensorView view =
            denseView(buffer.data(), base.k.dtype, {1, options.kvHeads, base.k.shape[2], options.headDim});
        view.data =
            static_cast<std::byte *>(view.data) + base.shift(sequence, token) * options.headDim * byteSize(view.dtype);
        view.shape[2] = std::min(base.piece(), options.context - token);
        return view;
      };
      if (auto done = cache.append(*id, piece(*k), piece(*v)); !done)
        return done.error();
    }
  }
  if (auto done = device.synchronize(); !done)
    return done.error();
  return ids;
}

/// One sequence's rows of a tensor [batch, heads, queries, D], heads from `head` on.
HostTensor part(const HostTensor &of, int64_t sequence, int64_t head, int64_t heads) {
  std::vector<int64_t> shape = of.shape;
  shape[0] = 1;
  shape[1] = heads;
  HostTensor result = HostTensor::zeros(of.dtype, shape);
  size_t each = result.bytes.size() / size_t(heads);
  std::memcpy(result.bytes.data(), of.bytes.data() + size_t(sequence * of.shape[1] + head) * each, result.bytes.size());
  return result;
}

/// Compares the last sequence, as many heads as share a selection, with the oracle at the blocks that were chosen; a
/// selection that is wrong is an infinite error.
Errors check(const Options &options, const Base &base, const HostTensor &q, const HostTensor &o, const HostTensor &lse,
             const std::vector<int32_t> &table, const SelectionView &view) {
  int64_t sequence = options.batch - 1, group = options.heads / options.kvHeads;
  int64_t kvHeads = options.retrieval.granularity == Granularity::Query ? options.kvHeads : 1, heads = kvHeads * group;
  HostTensor k = base.tokens(base.k, sequence, 0, kvHeads, options.context),
             v = base.tokens(base.v, sequence, 0, kvHeads, options.context), queries = part(q, sequence, 0, heads),
             result = part(o, sequence, 0, heads), sums = part(lse, sequence, 0, heads);
  RetrievalSemantics semantics{options.blockSize,
                               options.retrieval.topK,
                               options.retrieval.window,
                               options.retrieval.granularity,
                               float(1 / std::sqrt(double(options.headDim))),
                               options.retrieval.rotary};
  std::vector<std::vector<int64_t>> selections;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t query = 0; query < options.queries; ++query) {
      int64_t tableHead = head / (options.heads / view.shape[1]), tableQuery = view.shape[2] == 1 ? 0 : query;
      auto begin =
          table.begin() + ((sequence * view.shape[1] + tableHead) * view.shape[2] + tableQuery) * view.shape[3];
      selections.emplace_back(begin, std::find(begin, begin + view.shape[3], -1));
    }
  auto reference = referenceRetrieval(viewOf(queries), viewOf(k), viewOf(v), semantics, selections);
  // Scores are products of D elements each rounded to the type, summed in float32 or, by tensor cores, of tf32.
  double selectionTolerance = options.dtype == "f32" ? 1e-2 : 1e-4;
  if (semantics.rotary.layout != RotaryLayout::None)
    selectionTolerance = 3e-2; // of queries and keys rounded once more, after their rotation
  for (size_t row = 0; row < selections.size(); ++row)
    if (!(selectionError(reference.rows[row], selections[row], semantics.topK) <= selectionTolerance))
      return {INFINITY, INFINITY};
  ReferenceForward comparable;
  for (int64_t row = 0; row < options.queries; ++row)
    comparable.rows.push_back(row);
  comparable.o = reference.o;
  comparable.lse = reference.lse;
  return {relativeError(viewOf(result), comparable), relativeError(rowsOf(sums), comparable)};
}

struct Result {
  double medianUs = 0, minUs = 0, fillMs = 0;
  int64_t bytes = 0, cacheBytes = 0, launches = 0;
  Errors errors;
};

/// What a step must read: all landmark keys that may be chosen, the blocks chosen for every row that has a selection of
/// its own, and the local ones.
int64_t bytesOf(const Options &options, DType dtype) {
  int64_t row = options.headDim * byteSize(dtype), blocks = options.context / options.blockSize;
  int64_t selections =
      options.retrieval.granularity == Granularity::KvHead || options.retrieval.granularity == Granularity::Query
          ? options.kvHeads
          : options.heads;
  if (options.retrieval.granularity != Granularity::HeadChunk)
    selections *= options.queries;
  int64_t chosen = std::min(options.retrieval.topK, blocks),
          local = options.retrieval.window + 1 + options.queries / options.blockSize;
  int64_t rows = options.kvHeads * blocks + 2 * options.blockSize * (selections * chosen + options.kvHeads * local);
  return options.batch * rows * row;
}

Expected<Result> benchmark(const Options &options, DType dtype, const Device &device) {
  Base base(options, dtype);
  Stopwatch filling;
  auto cache = makeCache(device, options, dtype);
  if (!cache)
    return cache.error();
  auto ids = fill(*cache, base, options);
  if (!ids)
    return ids.error();
  Result result;
  result.fillMs = filling.milliseconds();
  result.cacheBytes = cache->usage().bytesInUse;
  Runtime runtime(device);
  RetrievalOptions retrievalOptions = options.retrieval;
  retrievalOptions.queryHeads = options.heads;
  retrievalOptions.maxBatch = options.batch;
  retrievalOptions.maxQueries = options.queries;
  auto retrieval = Retrieval::create(runtime, *cache, retrievalOptions);
  if (!retrieval)
    return retrieval.error();
  result.launches = retrieval->launches(options.queries);
  if (auto done = retrieval->bind(*ids); !done)
    return done.error();

  HostTensor q = HostTensor::zeros(dtype, {options.batch, options.heads, options.queries, options.headDim}), o = q;
  HostTensor lse = HostTensor::zeros(DType::F32, {options.batch, options.heads, options.queries});
  Random random(options.seed);
  for (int64_t i = 0; i < q.elements(); ++i)
    fromDouble(random.normal(), q.bytes.data() + i * byteSize(dtype), dtype);
  auto qThere = upload(device, q), oThere = upload(device, o), lseThere = upload(device, lse);
  for (auto *buffer : {&qThere, &oThere, &lseThere})
    if (!*buffer)
      return buffer->error();
  for (auto *buffer : {&oThere, &lseThere}) // poisoned
    if (auto done = (*buffer)->fill(0xff); !done)
      return done.error();
  std::array<int64_t, 4> shape = {options.batch, options.heads, options.queries, options.headDim};
  TensorView qView = denseView(qThere->data(), dtype, shape), oView = denseView(oThere->data(), dtype, shape);
  RowsView rows = denseRows(static_cast<float *>(lseThere->data()), {shape[0], shape[1], shape[2]});
  if (auto done = retrieval->attend(qView, oView, rows); !done)
    return done.error();
  if (auto done = oThere->download(o.bytes.data(), o.bytes.size()); !done)
    return done.error();
  if (auto done = lseThere->download(lse.bytes.data(), lse.bytes.size()); !done)
    return done.error();
  auto table = retrieval->downloadSelection();
  if (!table)
    return table.error();
  result.errors = check(options, base, q, o, lse, *table, retrieval->selection());
  result.bytes = bytesOf(options, dtype);

  int steps = device.isHost() ? 1 : stepsOfGraph;
  auto graph = Graph::capture(device, [&](void *stream) -> Expected<void> {
    for (int step = 0; step < steps; ++step)
      if (auto done = retrieval->attend(qView, oView, rows, stream); !done)
        return done;
    return {};
  });
  if (!graph)
    return graph.error();
  for (int warming = 0; warming < 3; ++warming)
    if (auto done = graph->launch(); !done)
      return done.error();
  auto times = timeCalls(device, options.repeats, [&] { return graph->launch(); });
  if (!times)
    return times.error();
  result.medianUs = median(*times) * 1000 / steps;
  result.minUs = *std::min_element(times->begin(), times->end()) * 1000 / steps;
  return result;
}

Expected<void> writeJson(const Options &options, DType dtype, const Device &device, const Result &result) {
  nlohmann::ordered_json json = {
      {"version", landmark::version()},
      {"operation", "decode"},
      {"context", options.context},
      {"batch", options.batch},
      {"heads", options.heads},
      {"kv_heads", options.kvHeads},
      {"head_dim", options.headDim},
      {"block_size", options.blockSize},
      {"top_k", options.retrieval.topK},
      {"window", options.retrieval.window},
      {"queries", options.queries},
      {"granularity", options.granularity},
      {"rotary", options.rotary},
      {"positions", options.positions},
      {"dtype", name(dtype)},
      {"seed", options.seed},
      {"device", device.name()},
      {"target", device.target().chip},
      {"config",
       {{"score_splits",
         options.retrieval.scoreSplits ? nlohmann::ordered_json(*options.retrieval.scoreSplits) : "auto"},
        {"attend_splits",
         options.retrieval.attendSplits ? nlohmann::ordered_json(*options.retrieval.attendSplits) : "auto"},
        {"launches", result.launches},
        {"graph", !device.isHost()}}},
      {"repeats", options.repeats},
      {"median_us", result.medianUs},
      {"min_us", result.minUs},
      {"bytes", result.bytes},
      {"cache_bytes", result.cacheBytes},
      {"relative_error", result.errors.o},
      {"relative_error_lse", result.errors.lse},
  };
  return writeFile(options.json, json.dump(2) + "\n");
}

Expected<void> bench(Options options) {
  auto dtype = parseDType(options.dtype);
  if (!dtype)
    return dtype.error();
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  if (options.queries > options.context)
    return Error{ErrorCode::InvalidArgument, fmt::format("--queries: got {}; they are the last of --context, {} tokens",
                                                         options.queries, options.context)};
  options.retrieval.granularity = granularities.at(options.granularity);
  options.retrieval.rotary.layout = rotaryLayouts.at(options.rotary);
  options.retrieval.rotary.positions = positionRules.at(options.positions);
  auto result = benchmark(options, *dtype, *device);
  if (!result)
    return result.error();
  fmt::print("decode: context {}, batch {}, {} query and {} key/value heads, D={}, L={}, {} blocks chosen by {}, "
             "window {}, {} quer{} a sequence, {}\n",
             options.context, options.batch, options.heads, options.kvHeads, options.headDim, options.blockSize,
             options.retrieval.topK, options.granularity, options.retrieval.window, options.queries,
             options.queries == 1 ? "y" : "ies", name(*dtype));
  fmt::print("on {}, {} kernels a step{}, cache of {:.1f} MiB filled in {:.0f} ms\n", tool::describe(*device),
             result->launches, device->isHost() ? "" : " in a CUDA graph", double(result->cacheBytes) / (1 << 20),
             result->fillMs);
  fmt::print("median {:.2f} us, fastest {:.2f} us of {}: {:.1f} MB that must be read, {:.1f} GB/s\n", result->medianUs,
             result->minUs, options.repeats, double(result->bytes) * 1e-6,
             double(result->bytes) * 1e-3 / result->medianUs);
  if (!options.json.empty())
    if (auto written = writeJson(options, *dtype, *device, *result); !written)
      return written;
  return judge(result->errors, "the float64 oracle for the blocks chosen", *dtype, *device);
}

} // namespace

Command addBenchDecode(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command =
      app.add_subcommand("decode", "Measure a step of retrieval: score, select and attend over a long context");
  CLI::Range count(int64_t(1), int64_t(1) << 16);
  command->add_option("--context,-N", options->context, "Tokens of each sequence")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->capture_default_str();
  command->add_option("--batch,-B", options->batch, "Sequences")->check(count)->capture_default_str();
  command->add_option("--heads,-H", options->heads, "Query heads")->check(count)->capture_default_str();
  command->add_option("--kv-heads,-G", options->kvHeads, "Key/value heads; must divide the query heads")
      ->check(count)
      ->capture_default_str();
  command->add_option("--head-dim,-D", options->headDim, "Head dimension: a multiple of 8 from 16 to 256")
      ->capture_default_str();
  command->add_option("--block-size,-L", options->blockSize, "Tokens of a block, its landmark included: 2 to 256")
      ->capture_default_str();
  command->add_option("--top-k,-k", options->retrieval.topK, "Blocks to choose: 1 to 128")->capture_default_str();
  command->add_option("--window,-W", options->retrieval.window, "Blocks before a query's own that it always sees")
      ->capture_default_str();
  command->add_option("--queries,-M", options->queries, "Queries of each sequence, its last tokens")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str();
  command->add_option("--granularity", options->granularity, "Which rows share a choice")
      ->check(CLI::IsMember(namesOf(granularities)))
      ->capture_default_str();
  command->add_option("--rotary", options->rotary, "Pairs of a rotary embedding that is applied on load")
      ->check(CLI::IsMember(namesOf(rotaryLayouts)))
      ->capture_default_str();
  command->add_option("--positions", options->positions, "Where tokens stand for it: their own places, or compact ones")
      ->check(CLI::IsMember(namesOf(positionRules)))
      ->capture_default_str();
  command->add_option("--dtype", options->dtype, "bf16, f16 or f32")->capture_default_str();
  command->add_option("--score-splits", options->retrieval.scoreSplits,
                      "Parts of the landmarks, for as many programs: 1 to 64 (default: by the device)");
  command->add_option("--attend-splits", options->retrieval.attendSplits,
                      "Parts of the blocks that a row attends to: 1 to 64 (default: by the device)");
  addDevice(*command, options->device);
  command->add_option("--repeats", options->repeats, "Launches to time; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the inputs")->capture_default_str();
  command->add_option("--json", options->json, "File to write the result to, as JSON");
  command->footer(fmt::format(
      "Keys, values and queries are normal numbers. On a GPU {} steps are captured in a CUDA graph, and the graph's "
      "launches are timed. The last sequence's\n"
      "first heads are compared with the float64 oracle (exit code 3 above the tolerance).\n\nExamples:\n"
      "  landmark bench decode --context 1048576 --batch 1 --heads 32 --kv-heads 8 --top-k 4 --json decode.json\n"
      "  landmark bench decode --device host --context 16384 --heads 8 --kv-heads 2 --head-dim 64",
      stepsOfGraph));
  return {command, [options] { return bench(*options); }};
}

} // namespace landmark::tool
