// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/DecodeSubject.h"

#include "Graph.h"
#include "LoadedKernel.h"
#include "RandomProblem.h"
#include "RetrievalReference.h"
#include "landmark/Retrieval.h"
#include "tune/Tensors.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>

namespace landmark::tune {

namespace {

constexpr int stepsOfGraph = 20; ///< so that the time between launches of graphs does not count

CacheOptions cacheOptionsOf(const Problem &problem, const Workload &sizes) {
  CacheOptions cache;
  cache.blockSize = problem.blockSize;
  cache.kvHeads = sizes.kvHeads;
  cache.headDim = problem.headDim;
  cache.dtype = problem.dtype;
  cache.maxSequences = sizes.batch + 1; // one to check with
  cache.maxTokens = sizes.keyLength;
  // Whole pages of keys and values and of landmark keys, and a slab for each.
  int64_t blocks = (sizes.keyLength + problem.blockSize - 1) / problem.blockSize;
  int64_t rows = 2 * blocks * problem.blockSize + blocks + 2 * Problem::landmarksPerPage;
  cache.budgetBytes =
      cache.maxSequences * rows * sizes.kvHeads * problem.headDim * byteSize(problem.dtype) + 2 * cache.slabBytes;
  return cache;
}

RetrievalOptions retrievalOptionsOf(const Problem &problem, const Workload &sizes) {
  RetrievalOptions options;
  options.queryHeads = sizes.heads;
  options.topK = problem.topK;
  options.maxBatch = sizes.batch;
  options.maxQueries = sizes.queryLength;
  options.rotary.layout = problem.rotates ? RotaryLayout::Half : RotaryLayout::None;
  return options;
}

bool isTuned(Operation step) { return step == Operation::ScoreTop || isAttention(step); }

} // namespace

Expected<std::vector<Problem>> decodeSteps(const Device &device, const Problem &problem, const Workload &workload) {
  auto plan =
      RetrievalPlan::make(cacheOptionsOf(problem, workload), retrievalOptionsOf(problem, workload), device);
  if (!plan)
    return plan.error();
  std::vector<Problem> problems;
  for (Operation step : plan->steps())
    if (isTuned(step))
      problems.push_back(plan->problem(step));
  return problems;
}

/// A cache of the workload's sequences, and one that is short, partial and compared with the oracle: by the same plan,
/// so by the same kernels.
class DecodeSubject : public Subject {
public:
  DecodeSubject(const Device &device, const Problem &problem, const Workload &sizes, std::shared_ptr<ThreadPool> pool)
      : device(device), problem(problem), sizes(sizes), pool(std::move(pool)) {}

  Config initial() const override { return plan.config(problem.operation, device.target()); }
  bool takes(const Config &config) const override { return plan.takes(config, problem.operation, device.target()); }
  int timesInCall() const override { return device.isHost() ? 1 : stepsOfGraph; }

  Expected<void> make(const StepSource &source) {
    CacheOptions options = cacheOptionsOf(problem, sizes);
    auto planned = RetrievalPlan::make(options, retrievalOptionsOf(problem, sizes), device);
    if (!planned)
      return planned.error();
    plan = *planned;
    auto steps = plan.steps();
    if (std::find(steps.begin(), steps.end(), problem.operation) == steps.end())
      return refuseStep();
    for (Operation step : steps)
      if (step != problem.operation) {
        auto kernel = source(plan, step);
        if (!kernel)
          return kernel.error();
        neighbours[step] = std::move(*kernel);
      }
    auto made = LandmarkCache::create(device, options);
    if (!made)
      return made.error();
    cache.emplace(std::move(*made));
    if (auto drawn = drawInputs(); !drawn)
      return drawn;
    return fill();
  }

  Expected<std::function<Expected<void>()>> load(Kernel kernel) override {
    auto loaded = LoadedKernel::load(std::move(kernel), device, pool);
    if (!loaded)
      return loaded.error();
    auto made = Retrieval::create(*cache, plan, [&](Operation step) -> Expected<std::shared_ptr<const LoadedKernel>> {
      return step == problem.operation ? *loaded : neighbours.at(step);
    });
    if (!made)
      return made.error();
    auto retrieval = std::make_shared<Retrieval>(std::move(*made));
    if (auto right = check(*retrieval); !right)
      return right.error();
    if (auto bound = retrieval->bind(sequences); !bound)
      return bound.error();
    auto graph = Graph::capture(device, [this, retrieval](void *stream) -> Expected<void> {
      for (int i = 0; i < timesInCall(); ++i)
        if (auto done = retrieval->attend(q.tensor(), o.tensor(), lse.rows(), stream); !done)
          return done;
      return {};
    });
    if (!graph)
      return graph.error();
    return std::function<Expected<void>()>(
        [retrieval, graph = std::make_shared<Graph>(std::move(*graph))] { return graph->launch(); });
  }

private:
  /// Tokens that are appended again and again, each time from a row later, so that landmarks differ.
  int64_t piece() const {
    return std::min(sizes.keyLength, std::max(80 * problem.blockSize, sizes.queryLength + problem.blockSize));
  }
  /// Of the sequence that is checked: more landmarks than a page has, and a block that is not full.
  int64_t checkedTokens() const { return std::max(sizes.queryLength, piece() - problem.blockSize / 2); }

  Error refuseStep() const {
    std::vector<std::string_view> names;
    for (Operation step : plan.steps())
      if (isTuned(step))
        names.push_back(name(step));
    return {ErrorCode::InvalidArgument,
            fmt::format("problem: got the step {}; with these sizes a call takes, of those that are tuned, {}",
                        name(problem.operation), fmt::join(names, " and "))};
  }

  Expected<void> drawInputs() {
    std::vector<int64_t> rows = {1, sizes.kvHeads, piece() + problem.blockSize, problem.headDim},
                         queries = {sizes.batch, sizes.heads, sizes.queryLength, problem.headDim};
    auto placed = place(device, {{&k, problem.dtype, rows},
                                 {&v, problem.dtype, rows},
                                 {&q, problem.dtype, queries},
                                 {&o, problem.dtype, queries},
                                 {&lse, DType::F32, {queries[0], queries[1], queries[2]}}});
    if (!placed)
      return placed;
    uint64_t seed = 1;
    for (auto [input, copy] : {std::pair{&q, &hostQ}, {&k, &hostK}, {&v, &hostV}}) {
      if (auto drawn = input->draw(seed++); !drawn)
        return drawn;
      auto same = input->download();
      if (!same)
        return same.error();
      *copy = std::move(*same);
    }
    return {};
  }

  Expected<void> fill() {
    for (int64_t i = 0; i <= sizes.batch; ++i) {
      auto id = cache->open();
      if (!id)
        return id.error();
      bool isChecked = i == sizes.batch;
      (isChecked ? checked : sequences).push_back(*id);
      int64_t tokens = isChecked ? checkedTokens() : sizes.keyLength;
      for (int64_t token = 0, shift = i; token < tokens; token += piece(), ++shift)
        if (auto done = cache->append(*id, rows(k, shift, std::min(piece(), tokens - token)),
                                      rows(v, shift, std::min(piece(), tokens - token)));
            !done)
          return done;
    }
    return device.synchronize();
  }

  TensorView rows(const Placed &of, int64_t shift, int64_t count) const {
    TensorView view = of.tensor();
    view.data = static_cast<std::byte *>(view.data) + first(shift) * problem.headDim * byteSize(problem.dtype);
    view.shape[2] = count;
    return view;
  }
  int64_t first(int64_t shift) const { return shift % problem.blockSize; }

  /// The call's first sequence alone.
  static TensorView head(TensorView view) {
    view.shape[0] = 1;
    return view;
  }

  Expected<void> check(Retrieval &retrieval) {
    for (Placed *output : {&o, &lse})
      if (auto done = output->poison(); !done)
        return done;
    if (auto bound = retrieval.bind(checked); !bound)
      return bound;
    RowsView sums = lse.rows();
    sums.shape[0] = 1;
    if (auto done = retrieval.attend(head(q.tensor()), head(o.tensor()), sums); !done)
      return done;
    if (auto done = device.synchronize(); !done)
      return done;
    auto table = retrieval.downloadSelection();
    auto output = o.download(), outputSums = lse.download();
    if (!table || !output || !outputSums)
      return !table ? table.error() : !output ? output.error() : outputSums.error();
    return compare(*table, *output, *outputSums);
  }

  Expected<void> compare(const std::vector<int32_t> &table, HostTensor &output, HostTensor &outputSums) {
    std::vector<std::vector<int64_t>> selections;
    for (auto row = table.begin(); row != table.end(); row += problem.topK)
      selections.emplace_back(row, std::find(row, row + problem.topK, -1));
    if (selections != known)
      computeReference(selections);
    double worst = 0;
    for (std::size_t row = 0; row < selections.size(); ++row)
      worst = std::max(worst, selectionError(reference.rows[row], selections[row], problem.topK));
    ReferenceForward comparable;
    for (int64_t row = 0; row < sizes.queryLength; ++row)
      comparable.rows.push_back(row);
    comparable.o = reference.o;
    comparable.lse = reference.lse;
    RowsView sums = rowsOf(outputSums);
    sums.shape[0] = 1;
    double error = relativeError(head(viewOf(output)), comparable), lseError = relativeError(sums, comparable);
    Tolerance tolerance = toleranceFor(problem.dtype, device.target().kind);
    if (worst <= selectionTolerance() && error <= tolerance.o && lseError <= tolerance.lse)
      return {};
    return Error{ErrorCode::Mismatch,
                 fmt::format("wrong result: a block left out beats one chosen by {:.1e}; relative error {:.1e} of o, "
                             "{:.1e} of lse",
                             worst, error, lseError)};
  }

  /// Scores are products of D elements each rounded to the type, summed in float32 or, by tensor cores, of tf32; with an
  /// embedding, of queries and keys rounded once more.
  double selectionTolerance() const { return problem.rotates ? 3e-2 : problem.dtype == DType::F32 ? 1e-2 : 1e-4; }

  void computeReference(const std::vector<std::vector<int64_t>> &selections) {
    TensorView keys = viewOf(hostK), values = viewOf(hostV);
    for (TensorView *view : {&keys, &values}) {
      view->data = static_cast<std::byte *>(view->data) +
                   first(sizes.batch) * problem.headDim * byteSize(problem.dtype);
      view->shape[2] = checkedTokens();
    }
    RetrievalSemantics semantics{problem.blockSize, problem.topK,       plan.window,
                                 plan.granularity,  double(plan.scale), plan.rotary};
    reference = referenceRetrieval(head(viewOf(hostQ)), keys, values, semantics, selections);
    known = selections;
  }

  const Device device;
  const Problem problem;
  const Workload sizes;
  const std::shared_ptr<ThreadPool> pool;
  RetrievalPlan plan{};
  std::map<Operation, std::shared_ptr<const LoadedKernel>> neighbours;
  std::optional<LandmarkCache> cache;
  std::vector<int64_t> sequences, checked;
  Placed q, k, v, o, lse;
  HostTensor hostQ, hostK, hostV;
  std::vector<std::vector<int64_t>> known; ///< the selections that `reference` is of
  ReferenceRetrieval reference;
};

Expected<std::unique_ptr<Subject>> makeDecodeSubject(const Device &device, const Problem &problem,
                                                     const Workload &workload, std::shared_ptr<ThreadPool> pool,
                                                     const StepSource &steps) {
  auto subject = std::make_unique<DecodeSubject>(device, problem, workload, std::move(pool));
  if (auto made = subject->make(steps); !made)
    return made.error();
  return std::unique_ptr<Subject>(std::move(subject));
}

} // namespace landmark::tune
