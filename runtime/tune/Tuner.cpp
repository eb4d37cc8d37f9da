// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Tuner.h"

#include "Assembler.h"
#include "DeviceState.h"
#include "LoadedKernel.h"
#include "Timing.h"
#include "cuda/Assemble.h"
#include "landmark/Version.h"
#include "tune/Subject.h"

#include <algorithm>
#include <chrono>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <span>

namespace landmark::tune {

namespace {

/// After this many launches a config that is slower than the best by this factor is given up.
constexpr int firstLook = 3;
constexpr double hopeless = 1.25;
/// Of all legal configs one in so many is measured.
constexpr int sparseness = 8, fewest = 12;
/// So many of the fastest, and the default, are measured again, in so many turns.
constexpr std::size_t finalists = 4;
constexpr int turns = 5;

class Tuning {
public:
  Tuning(const Device &device, const Problem &problem, const Options &options, const Knobs &knobs,
         std::shared_ptr<ThreadPool> pool)
      : device(device), problem(problem), options(options), knobs(knobs), store(knobs), pool(std::move(pool)) {}

  Expected<Result> run() {
    if (auto ready = prepare(); !ready)
      return ready.error();
    if (auto done = search(); !done)
      return done.error();
    for (std::size_t i = 0; i < candidates.size(); ++i)
      if (!tried[i])
        result.rejections.push_back(
            {candidates[i], timeIsUp() ? "not tried: the time was up"
                                       : fmt::format("not tried: predicted to take {:.2f} times as long as the best "
                                                     "prediction",
                                                     costs[i] / costs.front())});
    if (result.timings.empty())
      return noneLeft();
    if (auto done = playOff(); !done)
      return done.error();
    result.best = result.finals.front().config;
    result.seconds = seconds();
    return std::move(result);
  }

private:
  Expected<void> prepare() {
    if (auto legal = validate(problem); !legal)
      return legal;
    auto made = Subject::make(device, problem, options.workload, pool,
                              [this](const RetrievalPlan &plan, Operation step) { return neighbour(plan, step); });
    if (!made)
      return made.error();
    subject = std::move(*made);
    if (device.l2Bytes() > 0) {
      auto memory = DeviceBuffer::allocate(device, std::size_t(2 * device.l2Bytes()));
      if (!memory)
        return memory.error();
      flushed = std::move(*memory);
    }
    rank();
    result.problem = problem;
    result.workload = options.workload;
    result.initial = subject->initial();
    result.candidates = int(candidates.size());
    result.version = version();
    result.driver = device.isHost() ? "" : cuda::describeDriver(*device.state()->driver);
    result.date = fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr)));
    return {};
  }

  /// A step of retrieval other than the one that is tuned.
  Expected<std::shared_ptr<const LoadedKernel>> neighbour(const RetrievalPlan &plan, Operation step) const {
    CompileOptions compile = options.compile;
    compile.templateFile.clear(); // that of the step that is tuned
    auto kernel = store.get({plan.problem(step), scheduleFor(plan, step, device, knobs), device.target(), compile,
                             assemblerOf(device, compile)});
    return kernel ? LoadedKernel::load(std::move(*kernel), device, pool) : kernel.error();
  }

  /// The candidates, most promising first, the default before all.
  void rank() {
    std::vector<std::pair<double, Config>> ranked;
    for (const Config &config : legalConfigs(problem, device.target(), subject->initial()))
      if (subject->takes(config))
        ranked.emplace_back(predictedCost(config, problem, options.workload, device), config);
    std::stable_sort(ranked.begin(), ranked.end(), [](auto &a, auto &b) { return a.first < b.first; });
    for (const auto &[cost, config] : ranked) {
      candidates.push_back(config);
      costs.push_back(cost);
    }
    tried.assign(candidates.size(), false);
    budget = options.exhaustive ? candidates.size() : std::max<std::size_t>(fewest, candidates.size() / sparseness);
    budget = std::min(budget, candidates.size());
  }

  /// Two thirds of the budget by prediction, the rest around the best.
  Expected<void> search() {
    std::vector<std::size_t> batch;
    auto initial = std::find(candidates.begin(), candidates.end(), subject->initial());
    batch.push_back(std::size_t(initial - candidates.begin()));
    std::size_t first = options.exhaustive ? budget : std::max<std::size_t>(1, 2 * budget / 3);
    for (std::size_t i = 0; i < candidates.size() && batch.size() < first; ++i)
      if (i != batch.front())
        batch.push_back(i);
    while (!batch.empty() && !timeIsUp()) {
      if (auto done = measure(batch); !done)
        return done;
      batch = neighbours();
    }
    return {};
  }

  /// Takes turns: the fastest of many was lucky, and what was measured seconds apart was measured on a card of another
  /// temperature.
  Expected<void> playOff() {
    std::vector<std::vector<double>> times(entrants.size());
    for (int turn = 0; turn < turns && (turn == 0 || !timeIsUp()); ++turn)
      for (std::size_t i = 0; i < entrants.size(); ++i)
        if (auto done = repeat(options.repeats, entrants[i].call, times[i]); !done)
          return done;
    for (std::size_t i = 0; i < entrants.size(); ++i)
      insert(timingOf(entrants[i].timing.config, times[i]), result.finals);
    return {};
  }

  std::vector<std::size_t> neighbours() const {
    std::vector<std::size_t> found;
    std::size_t left = budget - std::min(budget, measured), most = std::max<std::size_t>(2, std::size_t(threads()));
    for (std::size_t i = 0; i < candidates.size() && found.size() < std::min(left, most); ++i)
      if (!tried[i] && !result.timings.empty() && areNeighbours(candidates[i], result.timings.front().config))
        found.push_back(i);
    return found;
  }

  int threads() const { return std::max(1, int(Device::host().multiprocessors())); }

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  bool timeIsUp() const { return options.seconds > 0 && seconds() > options.seconds; }

  Expected<void> measure(std::span<const std::size_t> batch) {
    while (!batch.empty() && !timeIsUp()) {
      std::size_t next = std::min(batch.size(), std::size_t(2 * threads()));
      if (auto done = measureTogether(batch.first(next)); !done)
        return done;
      batch = batch.subspan(next);
    }
    return {};
  }

  /// Compiles some side by side, then checks and times one after the other.
  Expected<void> measureTogether(std::span<const std::size_t> batch) {
    std::vector<std::optional<Expected<Kernel>>> kernels(batch.size());
    ThreadPool(threads()).run(int64_t(batch.size()), [&](int64_t i) {
      KernelRequest request{problem, candidates[batch[i]], device.target(), options.compile, assemblerOf(device, options.compile)};
      kernels[i] = store.get(request);
    });
    for (std::size_t i = 0; i < batch.size() && !timeIsUp(); ++i) {
      tried[batch[i]] = true;
      ++measured;
      const Config &config = candidates[batch[i]];
      auto entrant = *kernels[i] ? time(config, std::move(**kernels[i])) : kernels[i]->error();
      if (entrant)
        enter(std::move(*entrant));
      else
        result.rejections.push_back({config, reasonOf(entrant.error())});
      if (options.onProgress)
        options.onProgress(int(measured), int(budget), best());
      // A kernel that failed may have taken the context with it.
      if (auto alive = device.synchronize(); !alive)
        return alive;
    }
    return {};
  }

  using Call = std::function<Expected<void>()>;
  struct Entrant {
    Timing timing;
    Call call;
  };

  Expected<Entrant> time(const Config &config, Kernel kernel) {
    auto call = subject->load(std::move(kernel));
    if (!call)
      return call.error();
    if (auto warm = (*call)(); !warm)
      return warm.error();
    std::vector<double> times;
    for (int repeats : {firstLook, std::max(0, options.repeats - firstLook)}) {
      if (auto done = repeat(repeats, *call, times); !done)
        return done.error();
      if (best() > 0 && median(times) > hopeless * best())
        break;
    }
    return Entrant{timingOf(config, times), std::move(*call)};
  }

  /// Adds the milliseconds of an operation in each of some calls.
  Expected<void> repeat(int repeats, const Call &call, std::vector<double> &times) {
    auto more = timeCalls(device, repeats, call, [this] { return coolDown(); });
    if (!more)
      return more.error();
    for (double time : *more)
      times.push_back(time / subject->timesInCall());
    return {};
  }

  static Timing timingOf(const Config &config, const std::vector<double> &times) {
    return {config, median(times), *std::min_element(times.begin(), times.end()), int(times.size())};
  }

  /// Writes over the whole L2 cache.
  Expected<void> coolDown() {
    if (!flushed.data())
      return {};
    const cuda::Driver &driver = *device.state()->driver;
    return driver.check(driver.memsetD8(reinterpret_cast<cuda::Address>(flushed.data()), 0, flushed.size()),
                        "cuMemsetD8");
  }

  static void insert(const Timing &timing, std::vector<Timing> &timings) {
    auto place = std::find_if(timings.begin(), timings.end(),
                              [&](const Timing &other) { return timing.medianMs < other.medianMs; });
    timings.insert(place, timing);
  }

  /// Notes a time; the fastest so far, and the default, stay loaded.
  void enter(Entrant entrant) {
    insert(entrant.timing, result.timings);
    entrants.push_back(std::move(entrant));
    double last = result.timings[std::min(result.timings.size(), finalists) - 1].medianMs;
    std::erase_if(entrants, [&](const Entrant &one) {
      return one.timing.medianMs > last && one.timing.config != result.initial;
    });
  }

  double best() const { return result.timings.empty() ? 0 : result.timings.front().medianMs; }

  static std::string reasonOf(const Error &error) {
    return error.notes.empty() ? error.message : fmt::format("{} ({})", error.message, error.notes.front());
  }

  Error noneLeft() const {
    Error error{ErrorCode::CompileFailed, fmt::format("tuning of '{}' for {}: none of {} configs survived",
                                                      describe(problem), device.label(), measured)};
    for (const Rejection &rejection : result.rejections)
      error.notes.push_back(fmt::format("{}: {}", describe(rejection.config), rejection.reason));
    return error;
  }

  const Device device;
  const Problem problem;
  const Options &options;
  const Knobs &knobs;
  const KernelStore store;
  const std::shared_ptr<ThreadPool> pool;
  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  std::unique_ptr<Subject> subject;
  DeviceBuffer flushed;
  std::vector<Config> candidates; ///< by predicted cost
  std::vector<double> costs;
  std::vector<bool> tried;
  std::size_t budget = 0, measured = 0;
  std::vector<Entrant> entrants; ///< of the play-off
  Result result;
};

} // namespace

Expected<Result> tune(const Device &device, const Problem &problem, const Options &options, const Knobs &knobs,
                      std::shared_ptr<ThreadPool> pool) {
  // What is compiled to be measured is looked at once; only the winner is asked for again.
  Knobs quiet = knobs;
  quiet.strict = false;
  return Tuning(device, problem, options, quiet, std::move(pool)).run();
}

} // namespace landmark::tune
