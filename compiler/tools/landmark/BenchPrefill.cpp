// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark bench prefill: the time of a long prompt in chunks, each of which chooses its own blocks, checked.
#include "BenchDecode.h"
#include "Knobs.h"
#include "LongContext.h"
#include "RetrievalReference.h"
#include "ThreadPool.h"
#include "Verify.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace landmark::tool {

namespace {

struct Options : ContextOptions {
  int64_t chunk = 8192;
  RetrievalOptions retrieval;
  std::string json;

  int64_t lastChunk() const { return (context - 1) % chunk + 1; }
};

struct Result {
  double milliseconds = 0, lastMs = 0;
  int64_t scratchBytes = 0;
  Errors errors;
};

/// What the blocks before `end` are worth to a chunk of one head: the most, over its queries, of their landmarks'
/// softmax; as logarithms. In float64, from the definition (docs/spec.md, section 5).
std::vector<double> scoresOfChunk(const HostTensor &q, const HostTensor &k, int64_t blockSize, int64_t blocks,
                                  double scale) {
  int64_t rows = q.shape[2], dim = q.shape[3], size = byteSize(q.dtype);
  std::vector<double> keys(size_t(blocks * dim));
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t d = 0; d < dim; ++d)
      keys[size_t(block * dim + d)] =
          scale * toDouble(k.bytes.data() + ((block * blockSize + blockSize - 1) * dim + d) * size, k.dtype);
  constexpr int64_t rowsOfPart = 64;
  int64_t parts = (rows + rowsOfPart - 1) / rowsOfPart;
  std::vector<std::vector<double>> most(size_t(parts), std::vector<double>(size_t(blocks), -INFINITY));
  ThreadPool(Knobs::fromEnvironment().threads).run(parts, [&](int64_t part) {
    std::vector<double> logits(static_cast<size_t>(blocks)), query(static_cast<size_t>(dim));
    for (int64_t row = part * rowsOfPart; row < std::min(rows, (part + 1) * rowsOfPart); ++row) {
      for (int64_t d = 0; d < dim; ++d)
        query[size_t(d)] = toDouble(q.bytes.data() + (row * dim + d) * size, q.dtype);
      double highest = -INFINITY, sum = 0;
      for (int64_t block = 0; block < blocks; ++block) {
        const double *key = &keys[size_t(block * dim)];
        double parts[4] = {}; // chains of their own
        for (int64_t d = 0; d < dim; d += 4)
          for (int i = 0; i < 4; ++i)
            parts[i] += query[size_t(d + i)] * key[d + i];
        logits[size_t(block)] = parts[0] + parts[1] + parts[2] + parts[3];
        highest = std::max(highest, logits[size_t(block)]);
      }
      for (double logit : logits)
        sum += std::exp(logit - highest);
      double lse = highest + std::log(sum);
      for (int64_t block = 0; block < blocks; ++block) {
        double &value = most[size_t(part)][size_t(block)];
        value = std::max(value, logits[size_t(block)] - lse);
      }
    }
  });
  std::vector<double> scores(size_t(blocks), -INFINITY);
  for (const auto &of : most)
    for (int64_t block = 0; block < blocks; ++block)
      scores[size_t(block)] = std::max(scores[size_t(block)], of[size_t(block)]);
  return scores;
}

/// Rows [first, first + count) of a tensor of one head.
HostTensor rowsOfHead(const HostTensor &of, int64_t first, int64_t count) {
  HostTensor part = HostTensor::zeros(of.dtype, {1, 1, count, of.shape[3]});
  auto row = of.shape[3] * byteSize(of.dtype);
  std::copy_n(of.bytes.begin() + first * row, count * row, part.bytes.begin());
  return part;
}

/// Compares head 0 of the last chunk with the oracle: all of its selection, and attention for some rows.
Errors check(const Options &options, const ContextBase &base, const HostTensor &q, const RetrievalOutputs &outputs,
             const std::vector<int32_t> &table) {
  int64_t rows = q.shape[2], L = options.blockSize, before = options.context - rows;
  HostTensor k = base.tokens(base.k, 0, 0, 1, options.context), v = base.tokens(base.v, 0, 0, 1, options.context);
  HostTensor head = headsOf(q, 0, 0, 1), result = headsOf(outputs.o, 0, 0, 1);
  double scale = 1 / std::sqrt(double(options.headDim));
  int64_t blocks = std::max<int64_t>(0, before / L - options.retrieval.window);
  std::vector<int64_t> selection(table.begin(), std::find(table.begin(), table.begin() + options.retrieval.topK, -1));
  RowRetrieval chosen{blocks, scoresOfChunk(head, k, L, blocks, scale), {}};
  // As for a step of decoding: sums of products in float32.
  if (!(selectionError(chosen, selection, options.retrieval.topK) <= (options.dtype == "f32" ? 1e-2 : 1e-4)))
    return {INFINITY, INFINITY};
  Errors worst;
  constexpr int64_t checked = 8;
  for (int64_t end : {std::min(rows, checked), rows / 2 + 1, rows}) {
    int64_t count = std::min(end, checked), first = end - count, position = before + first;
    TensorView keys = viewOf(k), values = viewOf(v);
    keys.shape[2] = values.shape[2] = before + end;
    // A window that reaches back to where the chunk's choice ended.
    RetrievalSemantics semantics{L, options.retrieval.topK, position / L - blocks, Granularity::HeadChunk, scale, {}};
    HostTensor queries = rowsOfHead(head, first, count), o = rowsOfHead(result, first, count),
               lse = rowsOfHead(HostTensor{outputs.lse.dtype, {1, 1, rows, 1}, headsOf(outputs.lse, 0, 0, 1).bytes},
                                first, count);
    auto reference = referenceRetrieval(viewOf(queries), keys, values, semantics,
                                        std::vector<std::vector<int64_t>>(size_t(count), selection));
    ReferenceForward comparable;
    for (int64_t row = 0; row < count; ++row)
      comparable.rows.push_back(row);
    comparable.o = reference.o;
    comparable.lse = reference.lse;
    auto *sums = reinterpret_cast<float *>(lse.bytes.data());
    worst.o = std::max(worst.o, relativeError(viewOf(o), comparable));
    worst.lse = std::max(worst.lse, relativeError(denseRows(sums, {1, 1, count}), comparable));
  }
  return worst;
}

/// Appends the chunks one after the other and attends to each; `times` are those at their ends.
Expected<void> run(const Options &options, LongContext &context, Retrieval &retrieval, const TensorView &q,
                   const RetrievalOutputs &outputs, std::vector<double> &times) {
  const Device &device = context.cache.device();
  Stopwatch watch;
  for (int64_t token = 0; token < options.context; token += options.chunk) {
    int64_t count = std::min(options.chunk, options.context - token);
    if (auto done = context.appendTo(token + count); !done)
      return done;
    TensorView queries = q, o = outputs.oView();
    RowsView lse = outputs.lseView();
    queries.shape[2] = o.shape[2] = lse.shape[2] = count;
    if (auto done = retrieval.attend(queries, o, lse); !done)
      return done;
    if (auto done = device.synchronize(); !done)
      return done;
    times.push_back(watch.milliseconds());
  }
  return {};
}

Expected<Result> benchmark(const Options &options, DType dtype, const Device &device) {
  ContextBase base(options, dtype);
  auto context = LongContext::create(device, base, options);
  if (!context)
    return context.error();
  Runtime runtime(device, withoutTiers());
  RetrievalOptions retrievalOptions = options.retrieval;
  retrievalOptions.queryHeads = options.heads;
  retrievalOptions.maxQueries = options.chunk;
  auto retrieval = Retrieval::create(runtime, context->cache, retrievalOptions);
  if (!retrieval)
    return retrieval.error();
  if (auto done = retrieval->bind(context->ids); !done)
    return done.error();
  std::array<int64_t, 4> shape = {1, options.heads, options.chunk, options.headDim};
  auto tensors = RetrievalTensors::create(device, dtype, shape, options.seed + 7);
  if (!tensors)
    return tensors.error();
  std::vector<double> times;
  if (auto done = run(options, *context, *retrieval, tensors->qView(), tensors->outputs, times); !done)
    return done.error();
  if (auto done = tensors->outputs.download(); !done)
    return done.error();
  auto table = retrieval->downloadSelection();
  if (!table)
    return table.error();
  Result result;
  result.milliseconds = times.back();
  result.scratchBytes = retrieval->scratchBytes();
  result.lastMs = times.back() - (times.size() > 1 ? times[times.size() - 2] : 0);
  // The last chunk may be a shorter one; its rows come first in each head.
  int64_t rows = options.lastChunk();
  HostTensor lastQ = HostTensor::zeros(dtype, {1, 1, rows, options.headDim});
  std::copy_n(tensors->q.bytes.begin(), lastQ.bytes.size(), lastQ.bytes.begin());
  result.errors = check(options, base, lastQ, tensors->outputs, *table);
  return result;
}

double denseFlops(const Options &options) {
  return 2 * double(options.heads * options.headDim) * double(options.context) * double(options.context);
}

Expected<void> writeJson(const Options &options, const Device &device, const Result &result) {
  nlohmann::ordered_json json = describe("prefill", options, options.retrieval, device);
  json.update({
      {"chunk", options.chunk},
      {"total_ms", result.milliseconds},
      {"last_chunk_ms", result.lastMs},
      {"scratch_bytes", result.scratchBytes},
      {"dense_flops", denseFlops(options)},
      {"relative_error", result.errors.o},
      {"relative_error_lse", result.errors.lse},
  });
  return writeFile(options.json, json.dump(2) + "\n");
}

Expected<void> bench(Options options) {
  auto place = ContextPlace::of(options);
  if (!place)
    return place.error();
  const auto &[dtype, device] = *place;
  options.chunk = std::min(options.chunk, options.context);
  auto result = benchmark(options, dtype, device);
  if (!result)
    return result.error();
  fmt::print("prefill: {} tokens in chunks of {}, {} query and {} key/value heads, D={}, L={}, {} blocks chosen by {}, "
             "window {}, {}\n",
             options.context, options.chunk, options.heads, options.kvHeads, options.headDim, options.blockSize,
             options.retrieval.topK, nameOf(options.retrieval.granularity), options.retrieval.window, name(dtype));
  fmt::print("on {}: {:.1f} ms, the last chunk {:.2f} ms, {:.0f} MiB between kernels; dense causal attention would take {:.3g} FLOP, as many as "
             "{:.0f} TFLOP/s in that time\n",
             tool::describe(device), result->milliseconds, result->lastMs, double(result->scratchBytes) / (1 << 20), denseFlops(options),
             denseFlops(options) * 1e-9 / result->milliseconds);
  if (!options.json.empty())
    if (auto written = writeJson(options, device, *result); !written)
      return written;
  return judge(result->errors, "the float64 oracle, in the last chunk", dtype, device);
}

} // namespace

Command addBenchPrefill(CLI::App &app) {
  auto options = std::make_shared<Options>();
  options->context = 1 << 20;
  options->retrieval.topK = 16;
  options->retrieval.granularity = Granularity::HeadChunk;
  CLI::App *command = app.add_subcommand("prefill", "Measure a long prompt in chunks, each of which chooses its blocks");
  options->addTo(*command);
  command->add_option("--chunk", options->chunk, "Tokens of a chunk")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str();
  command->add_option("--top-k,-k", options->retrieval.topK, "Blocks to choose: 1 to 128")->capture_default_str();
  command->add_option("--window,-W", options->retrieval.window, "Blocks before a chunk that it always sees")
      ->capture_default_str();
  command->add_option("--json", options->json, "File to write the result to, as JSON");
  command->footer("Keys, values and queries are normal numbers; appending counts. A chunk's queries share a choice of each "
                  "head, and see all of the chunk before them.\n"
                  "Head 0 of the last chunk is compared with the float64 oracle: its choice whole, its attention in some "
                  "rows (exit code 3 above the tolerance).\n\nExamples:\n"
                  "  landmark bench prefill --context 1048576 --chunk 8192 --heads 32 --kv-heads 8 --top-k 16\n"
                  "  landmark bench prefill --device host --context 8192 --chunk 1024 --heads 4 --kv-heads 2 --head-dim 64");
  return {command, [options] { return bench(*options); }};
}

} // namespace landmark::tool
