// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark bench decode: the time of a step of retrieval over a long context, checked.
#include "BenchDecode.h"

#include "DecodeSteps.h"
#include "Graph.h"
#include "RetrievalReference.h"
#include "Timing.h"
#include "Verify.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark::tool {

namespace {

constexpr int stepsOfGraph = 20; ///< so that the time between launches of graphs does not count

const std::map<std::string, RotaryLayout> rotaryLayouts = {
    {"none", RotaryLayout::None}, {"half", RotaryLayout::Half}, {"interleaved", RotaryLayout::Interleaved}};
const std::map<std::string, Positions> positionRules = {{"true", Positions::True}, {"stingy", Positions::Stingy}};

struct Options : ContextOptions {
  int64_t queries = 1, poolBytes = int64_t(256) << 20;
  RetrievalOptions retrieval;
  std::string pages = "device", rotary = "none", positions = "true", json;
  double hitRate = 0.9;
  int repeats = 20, steps = 0;
};

/// Compares the last sequence, as many heads as share a selection, with the oracle at the blocks that were chosen; a
/// selection that is wrong is an infinite error.
Errors check(const Options &options, const ContextBase &base, const HostTensor &q, const RetrievalOutputs &outputs,
             const std::vector<int32_t> &table, const Device &device, const SelectionView &view) {
  int64_t sequence = options.batch - 1, group = options.heads / options.kvHeads;
  int64_t kvHeads = options.retrieval.granularity == Granularity::Query ? options.kvHeads : 1, heads = kvHeads * group;
  HostTensor k = base.tokens(base.k, sequence, 0, kvHeads, options.context),
             v = base.tokens(base.v, sequence, 0, kvHeads, options.context), queries = headsOf(q, sequence, 0, heads),
             result = headsOf(outputs.o, sequence, 0, heads), sums = headsOf(outputs.lse, sequence, 0, heads);
  RetrievalSemantics semantics{options.blockSize,
                               options.retrieval.topK,
                               options.retrieval.window,
                               options.retrieval.granularity,
                               float(1 / std::sqrt(double(options.headDim))),
                               options.retrieval.rotary,
                               /*roundsRotated=*/!device.isHost()};
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
  uint64_t checksum = 0;
  std::optional<Stepwise> steps;
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

/// FNV-1a of what a call gave.
uint64_t checksumOf(const RetrievalOutputs &outputs, const std::vector<int32_t> &table) {
  uint64_t sum = 0xcbf29ce484222325;
  auto add = [&](const void *data, size_t size) {
    for (size_t i = 0; i < size; ++i)
      sum = (sum ^ static_cast<const unsigned char *>(data)[i]) * 0x100000001b3;
  };
  add(outputs.o.bytes.data(), outputs.o.bytes.size());
  add(outputs.lse.bytes.data(), outputs.lse.bytes.size());
  add(table.data(), table.size() * sizeof(int32_t));
  return sum;
}

/// The time of a call in graphs.
Expected<void> timeGraph(const Options &options, const Device &device, const Graph::Work &step, Result &result) {
  int steps = device.isHost() ? 1 : stepsOfGraph;
  auto graph = Graph::capture(device, [&](void *stream) -> Expected<void> {
    for (int i = 0; i < steps; ++i)
      if (auto done = step(stream); !done)
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
  return {};
}

/// One call, downloaded: the checksum.
Expected<uint64_t> callOnce(Retrieval &retrieval, const Graph::Work &attend, RetrievalOutputs &outputs) {
  if (auto done = attend(nullptr); !done)
    return done.error();
  if (auto done = outputs.download(); !done)
    return done.error();
  auto table = retrieval.downloadSelection();
  return table ? Expected<uint64_t>(checksumOf(outputs, *table)) : table.error();
}

/// Everything that is measured of a context and its retrieval, bound.
Expected<void> measure(const Options &options, const ContextBase &base, LandmarkCache &cache, Retrieval &retrieval,
                       Result &result) {
  const Device &device = cache.device();
  DType dtype = base.k.dtype;
  std::array<int64_t, 4> shape = {options.batch, options.heads, options.queries, options.headDim};
  auto tensors = RetrievalTensors::create(device, dtype, shape, options.seed + 7);
  if (!tensors)
    return tensors.error();
  RetrievalOutputs &outputs = tensors->outputs;
  auto attend = [&](void *stream) { return retrieval.attend(tensors->qView(), outputs.oView(), outputs.lseView(), stream); };
  auto sum = callOnce(retrieval, attend, outputs);
  if (!sum)
    return sum.error();
  result.checksum = *sum;
  auto table = retrieval.downloadSelection();
  if (!table)
    return table.error();
  result.errors = check(options, base, tensors->q, outputs, *table, device, retrieval.selection());
  result.bytes = bytesOf(options, dtype);
  if (options.steps > 0) {
    StepwiseCall call{cache, retrieval, tensors->qThere, tensors->q, attend};
    auto steps = timeSteps(device, call, options.steps, options.hitRate);
    if (!steps)
      return steps.error();
    result.steps = *steps;
    if (auto done = tensors->qThere.upload(tensors->q.bytes.data(), tensors->q.bytes.size()); !done)
      return done;
  }
  // With a pool, the second call finds there what the first chose.
  for (int again = 0; again < 2; ++again) {
    auto same = callOnce(retrieval, attend, outputs);
    if (!same)
      return same.error();
    if (*same != result.checksum)
      return Error{ErrorCode::Mismatch, "the same call gave other bits"};
  }
  return timeGraph(options, device, attend, result);
}

Expected<Result> benchmark(const Options &options, DType dtype, const Device &device) {
  ContextBase base(options, dtype);
  Stopwatch filling;
  auto context = LongContext::create(device, base, options);
  if (!context)
    return context.error();
  if (auto done = context->appendTo(options.context); !done)
    return done.error();
  if (auto done = device.synchronize(); !done)
    return done.error();
  Result result;
  result.fillMs = filling.milliseconds();
  result.cacheBytes = context->cache.usage().bytesInUse;
  Runtime runtime(device, withoutTiers());
  RetrievalOptions retrievalOptions = options.retrieval;
  retrievalOptions.queryHeads = options.heads;
  retrievalOptions.maxBatch = options.batch;
  retrievalOptions.maxQueries = options.queries;
  auto retrieval = Retrieval::create(runtime, context->cache, retrievalOptions);
  if (!retrieval)
    return retrieval.error();
  result.launches = retrieval->launches(options.queries);
  if (auto done = retrieval->bind(context->ids); !done)
    return done.error();
  if (auto done = measure(options, base, context->cache, *retrieval, result); !done)
    return done.error();
  return result;
}

Expected<void> writeJson(const Options &options, const Device &device, const Result &result) {
  nlohmann::ordered_json json = describe("decode", options, options.retrieval, device);
  json.update({
      {"batch", options.batch},
      {"queries", options.queries},
      {"rotary", options.rotary},
      {"positions", options.positions},
      {"pages", options.pages},
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
      {"checksum", fmt::format("{:016x}", result.checksum)},
  });
  if (result.steps)
    json["steps"] = {{"count", options.steps},
                     {"median_us", result.steps->medianUs},
                     {"blocks", result.steps->blocks},
                     {"repeated_rate", result.steps->repeatedRate},
                     {"hit_rate", result.steps->hitRate},
                     {"bus_bytes", result.steps->busBytes},
                     {"bus_gb_per_s", result.steps->busRate},
                     {"bus_bound_us", result.steps->busBoundUs()}};
  return writeFile(options.json, json.dump(2) + "\n");
}

Expected<void> bench(Options options) {
  auto place = ContextPlace::of(options);
  if (!place)
    return place.error();
  const auto &[dtype, device] = *place;
  if (options.queries > options.context)
    return Error{ErrorCode::InvalidArgument, fmt::format("--queries: got {}; they are the last of --context, {} tokens",
                                                         options.queries, options.context)};
  options.placement = options.pages == "device" ? Placement::Device : Placement::Host;
  options.hotBytes = options.pages == "pool" ? options.poolBytes : 0;
  options.retrieval.rotary.layout = rotaryLayouts.at(options.rotary);
  options.retrieval.rotary.positions = positionRules.at(options.positions);
  auto result = benchmark(options, dtype, device);
  if (!result)
    return result.error();
  fmt::print("decode: context {}, batch {}, {} query and {} key/value heads, D={}, L={}, {} blocks chosen by {}, "
             "window {}, {} quer{} a sequence, {}\n",
             options.context, options.batch, options.heads, options.kvHeads, options.headDim, options.blockSize,
             options.retrieval.topK, nameOf(options.retrieval.granularity), options.retrieval.window, options.queries,
             options.queries == 1 ? "y" : "ies", name(dtype));
  fmt::print("on {}, {} kernels a step{}, cache of {:.1f} MiB, pages: {}, filled in {:.0f} ms; checksum {:016x}\n",
             tool::describe(device), result->launches, device.isHost() ? "" : " in a CUDA graph",
             double(result->cacheBytes) / (1 << 20), options.pages, result->fillMs, result->checksum);
  fmt::print("median {:.2f} us, fastest {:.2f} us of {}: {:.1f} MB that must be read, {:.1f} GB/s\n", result->medianUs,
             result->minUs, options.repeats, double(result->bytes) * 1e-6,
             double(result->bytes) * 1e-3 / result->medianUs);
  if (result->steps)
    print(*result->steps, options.steps);
  if (!options.json.empty())
    if (auto written = writeJson(options, device, *result); !written)
      return written;
  return judge(result->errors, "the float64 oracle for the blocks chosen", dtype, device);
}

} // namespace

Command addBenchDecode(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command =
      app.add_subcommand("decode", "Measure a step of retrieval: score, select and attend over a long context");
  CLI::Range count(int64_t(1), int64_t(1) << 16);
  options->addTo(*command);
  command->add_option("--batch,-B", options->batch, "Sequences")->check(count)->capture_default_str();
  command->add_option("--top-k,-k", options->retrieval.topK, "Blocks to choose: 1 to 128")->capture_default_str();
  command->add_option("--window,-W", options->retrieval.window, "Blocks before a query's own that it always sees")
      ->capture_default_str();
  command->add_option("--queries,-M", options->queries, "Queries of each sequence, its last tokens")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str();
  addGranularity(*command, options->retrieval.granularity);
  command->add_option("--rotary", options->rotary, "Pairs of a rotary embedding that is applied on load")
      ->check(CLI::IsMember(rotaryLayouts))
      ->capture_default_str();
  command->add_option("--positions", options->positions, "Where tokens stand for it: their own places, or compact ones")
      ->check(CLI::IsMember(positionRules))
      ->capture_default_str();
  command
      ->add_option("--pages", options->pages,
                   "Where keys and values lie: device, host (pinned memory), or pool (the same, hot ones on the device)")
      ->check(CLI::IsMember({"device", "host", "pool"}))
      ->capture_default_str();
  command->add_option("--pool-bytes", options->poolBytes, "Size of the pool")->capture_default_str();
  command
      ->add_option("--steps", options->steps,
                   "Also measure so many calls one by one, each with other queries, waiting for each")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command
      ->add_option("--hit-rate", options->hitRate, "Of the queries of those, the share that the call before had too")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_flag("--join-parts,!--merge-parts", options->retrieval.joinsParts, "Parts of attention are programs of a cluster, which join them (the default), or a kernel merges them");
  command->add_option("--score-splits", options->retrieval.scoreSplits,
                      "Parts of the landmarks, for as many programs: 1 to 64 (default: by the device)");
  command->add_option("--attend-splits", options->retrieval.attendSplits,
                      "Parts of the blocks that a row attends to: 1 to 64 (default: by the device)");
  command->add_option("--repeats", options->repeats, "Launches to time; the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--json", options->json, "File to write the result to, as JSON");
  command->footer(fmt::format(
      "Keys, values and queries are normal numbers. On a GPU {} steps are captured in a CUDA graph, and the graph's "
      "launches are timed. The last sequence's\n"
      "first heads are compared with the float64 oracle (exit code 3 above the tolerance).\n\nExamples:\n"
      "  landmark bench decode --context 1048576 --batch 1 --heads 32 --kv-heads 8 --top-k 4 --json decode.json\n"
      "  landmark bench decode --context 4194304 --pages pool --steps 200 --hit-rate 0.9\n"
      "  landmark bench decode --device host --context 16384 --heads 8 --kv-heads 2 --head-dim 64",
      stepsOfGraph));
  return {command, [options] { return bench(*options); }};
}

} // namespace landmark::tool
