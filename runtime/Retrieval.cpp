// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Retrieval.h"

#include "CacheState.h"
#include "KernelArguments.h"
#include "LoadedKernel.h"
#include "Places.h"
#include "RecentBlocks.h"
#include "RetrievalPlan.h"
#include "compiler/Driver/RetrievalConfig.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

namespace landmark {

namespace {

constexpr int64_t columns = Problem::landmarksPerPage;

template <typename... Values> Error refuse(fmt::format_string<Values...> format, Values &&...values) {
  return Error{ErrorCode::InvalidArgument, fmt::format(format, std::forward<Values>(values)...)};
}

template <typename View> Expected<Footprint> checkView(const char *name, const View &view, int64_t elementBytes) {
  auto covered = footprint(view);
  if (!covered)
    return refuse("{}: got shape [{}] with strides [{}]; sizes must be at least 0 and offsets at most 2^56 bytes", name,
                  fmt::join(view.shape, ", "), fmt::join(view.strides, ", "));
  if (!covered->data && !covered->empty)
    return refuse("{}: got null data for shape [{}]", name, fmt::join(view.shape, ", "));
  if (reinterpret_cast<std::uintptr_t>(view.data) % std::size_t(elementBytes) != 0)
    return refuse("{}: got data at {}; it must be aligned to the element's {} bytes", name,
                  static_cast<const void *>(view.data), elementBytes);
  return *covered;
}

Expected<Footprint> checkTensor(const char *name, const TensorView &view, const RetrievalPlan &plan, int64_t batch,
                                int64_t queries) {
  if (view.dtype != plan.dtype)
    return refuse("{}: got {} elements; the cache holds {}", name, landmark::name(view.dtype),
                  landmark::name(plan.dtype));
  std::array<int64_t, 4> expected = {batch, plan.queryHeads, queries, plan.headDim};
  if (view.shape != expected)
    return refuse("{}: got shape [{}]; it must be [{}]: the sequences bound, query heads, queries, D", name,
                  fmt::join(view.shape, ", "), fmt::join(expected, ", "));
  if (view.strides[3] != 1)
    return refuse("{}: got a stride of {} between columns; they must lie side by side (stride 1)", name,
                  view.strides[3]);
  return checkView(name, view, byteSize(view.dtype));
}

/// A tensor [batch, head, query, D] from query `first` on.
TensorView from(TensorView view, int64_t first, int64_t queries) {
  view.data = static_cast<std::byte *>(view.data) + first * view.strides[2] * byteSize(view.dtype);
  view.shape[2] = queries;
  return view;
}
RowsView from(RowsView view, int64_t first, int64_t queries) {
  view.data += first * view.strides[2];
  view.shape[2] = queries;
  return view;
}

} // namespace

/// Strides of the log-sum-exps that lie between score and pool: rows that share lie side by side.
struct LogSums {
  int64_t head, query, split;

  LogSums(const RetrievalPlan &plan, int64_t queries)
      : head(plan.sharesChunk() ? queries : 1), query(plan.sharesChunk() ? 1 : plan.queryHeads), split(plan.queryHeads * queries) {}
};

struct Retrieval::State {
  ~State() { static_cast<void>(recent.finish()); } // a device that fails has said so to who waits for a call

  RetrievalPlan plan;
  LandmarkCache::State *cache;
  std::map<Operation, std::shared_ptr<const LoadedKernel>> kernels;
  DeviceBuffer slots;             ///< int32 [batch]
  DeviceBuffer values, ids;       ///< lists: [batch, inner, outer, list, place]
  DeviceBuffer logSums;           ///< [batch, split, head, query], or query and head where heads share
  DeviceBuffer maxima;            ///< [batch, tile, outer, part, column], of tiles of rows
  DeviceBuffer pooled;            ///< [batch, tile, outer, span, column]
  DeviceBuffer table;             ///< [batch, head, query, place]
  DeviceBuffer parts, partLse;    ///< [batch, split, head, query, D] and without the D
  DeviceBuffer frequencies;       ///< int64, of a rotary embedding
  std::vector<int64_t> sequences; ///< bound
  int64_t lastQueries = 0;

  Expected<void> allocate();
  Expected<void> check(const TensorView &q, const TensorView &o, const RowsView &lse) const;

  int64_t batch() const { return int64_t(sequences.size()); }
  int64_t tableHead(int64_t queries) const { return plan.selectionQueries(queries) * plan.list; }
  int64_t tableBatch(int64_t queries) const { return plan.selectionHeads() * tableHead(queries); }

  Expected<void> launch(Operation step, int64_t programs, KernelArguments &arguments, void *stream, int64_t cluster = 1) const;
  /// Programs of a kernel that walks rows in this order.
  int64_t programs(Operation step, const RowOrder &order, int64_t splits) const {
    int64_t tile = kernels.at(step)->kernel.config.queryTile;
    return batch() * order.outer * order.spans() * ((order.span + tile - 1) / tile) * splits;
  }

  // What kernels are given.
  static void add(KernelArguments &to, const TensorView &view, const RowOrder &order) {
    to.view(view.data, {view.shape[0], order.outer, order.inner, view.shape[3]},
            {view.strides[0], order.outerOf(view.strides[1], view.strides[2]),
             order.innerOf(view.strides[1], view.strides[2]), 1});
  }
  static void add(KernelArguments &to, const RowsView &view, const RowOrder &order) {
    to.view(view.data, {view.shape[0], order.outer, order.inner},
            {view.strides[0], order.outerOf(view.strides[1], view.strides[2]),
             order.innerOf(view.strides[1], view.strides[2])});
  }
  void addLandmarks(KernelArguments &to) const {
    int64_t dim = plan.headDim;
    to.view(cache->landmarkKeys.buffer.data(), {INT32_MAX, plan.kvHeads, columns, dim},
            {plan.kvHeads * columns * dim, columns * dim, dim, 1});
  }
  /// Keys and values of blocks by their numbers, which are of a head where there is a pool.
  void addBlocks(KernelArguments &to) const {
    int64_t rows = plan.blockSize, dim = plan.headDim;
    for (int64_t part : {0, 1})
      to.view(cache->base + part * rows * cache->rowBytes(), {INT64_MAX, plan.kvHeads, rows, dim},
              {2 * rows * dim, cache->isPooled() ? 0 : 2 * rows * dim, dim, 1});
  }
  void addSequences(KernelArguments &to) const {
    to.view(slots.data(), {batch()}, {1});
    to.view(cache->lengths.data(), {cache->options.maxSequences}, {1});
  }
  void addFrequencies(KernelArguments &to) const {
    to.view(frequencies.data(), {plan.rotates() ? plan.headDim / 2 : 0}, {1});
  }
  void addRotary(KernelArguments &to) const {
    to.numbers({plan.rotary.layout == RotaryLayout::Half, plan.rotary.positions == Positions::Stingy});
  }
  void addTable(KernelArguments &to, const DeviceBuffer &buffer, int64_t width) const {
    to.view(buffer.data(), {cache->options.maxSequences, width}, {width, 1});
  }
  /// Lists of `inner` rows for each of `outer`, `width` columns of them side by side as one row.
  void addLists(KernelArguments &to, const DeviceBuffer &buffer, int64_t outer, int64_t inner, int64_t width) const {
    int64_t row = plan.candidateColumns();
    to.view(buffer.data(), {batch(), outer * (row / width), inner, width},
            {outer * inner * row, width, outer * row, 1});
  }

  /// Parts of the rows of `order` side by side that pool takes maxima of: tiles of its spans.
  int64_t sharedParts(const RowOrder &order) const {
    int64_t tile = kernels.at(Operation::Pool)->kernel.config.queryTile;
    return order.spans() * ((order.span + tile - 1) / tile);
  }

  /// The order in which lists were made.
  RowOrder listOrder(int64_t queries) const { return plan.shares() ? plan.poolOrder(queries) : plan.scoreOrder(queries); }
  /// All lists of a row side by side, in pieces.
  void addCandidates(KernelArguments &to, int64_t queries) const {
    RowOrder order = listOrder(queries);
    int64_t rows = order.outer * (plan.shares() ? order.spans() : order.inner), row = plan.candidateColumns();
    int64_t width = selectionColumns(plan.topK);
    for (const DeviceBuffer *buffer : {&values, &ids})
      to.view(buffer->data(), {batch(), rows, row / width, width}, {rows * row, row, width, 1});
  }

  // The steps, on `queries` queries that end `back - queries` before the end of their sequences; `all` is the whole
  // call's number, which the table has room for.
  Expected<void> scoreTop(const TensorView &q, int64_t back, void *stream);
  /// `first` is the number of the first query where a chunk is scored in parts.
  Expected<void> score(const TensorView &q, int64_t back, int64_t first, void *stream);
  Expected<void> pool(const TensorView &q, int64_t back, int64_t first, void *stream);
  Expected<void> poolTop(int64_t queries, int64_t back, bool isFirst, bool isLast, void *stream);
  Expected<void> select(int64_t queries, int64_t first, int64_t all, void *stream);
  Expected<void> attend(const TensorView &q, const TensorView &o, const RowsView &lse, int64_t back, int64_t first,
                        int64_t all, void *stream);
  Expected<void> run(const TensorView &q, const TensorView &o, const RowsView &lse, bool usesPool, void *stream);

  RecentBlocks recent;
  /// Between the scoring of a call and its attention: makes hot what an earlier call chose.
  Expected<void> promote(void *stream);
  SelectionView selection() const;
};

Expected<void> Retrieval::State::allocate() {
  const Device &device = cache->device;
  std::pair<DeviceBuffer *, int64_t> buffers[] = {
      {&slots, plan.maxBatch},    {&values, plan.listEntries()},
      {&ids, plan.listEntries()},       {&maxima, plan.maxima(plan.partQueries)},
      {&logSums, plan.logSums()}, {&pooled, plan.pooled()},
      {&table, plan.table()},     {&parts, plan.parts() * plan.headDim},
      {&partLse, plan.parts()},
  };
  for (auto [buffer, elements] : buffers) {
    auto made = DeviceBuffer::allocate(device, std::size_t(elements) * 4);
    if (!made)
      return made.error();
    *buffer = std::move(*made);
  }
  std::vector<int64_t> turns = plan.frequencies();
  auto made = DeviceBuffer::allocate(device, turns.size() * sizeof(int64_t));
  if (!made)
    return made.error();
  frequencies = std::move(*made);
  if (!turns.empty())
    if (auto done = frequencies.upload(turns.data(), turns.size() * sizeof(int64_t)); !done)
      return done;
  if (!cache->isPooled())
    return {};
  auto named = RecentBlocks::create(device, plan.maxBatch * plan.selectionHeads(), plan.topK);
  if (!named)
    return named.error();
  recent = std::move(*named);
  return {};
}

Expected<void> Retrieval::State::check(const TensorView &q, const TensorView &o, const RowsView &lse) const {
  int64_t queries = q.shape[2];
  if (queries < 0 || queries > plan.maxQueries)
    return refuse("q: got {} queries, allowed: 0 to {} (RetrievalOptions::maxQueries)", queries, plan.maxQueries);
  auto qCovered = checkTensor("q", q, plan, batch(), queries), oCovered = checkTensor("o", o, plan, batch(), queries);
  if (!qCovered)
    return qCovered.error();
  if (!oCovered)
    return oCovered.error();
  std::array<int64_t, 3> rows = {batch(), plan.queryHeads, queries};
  if (lse.shape != rows)
    return refuse("lse: got shape [{}]; it must be [{}]", fmt::join(lse.shape, ", "), fmt::join(rows, ", "));
  auto lseCovered = checkView("lse", lse, sizeof(float));
  if (!lseCovered)
    return lseCovered.error();
  for (auto [name, output] : {std::pair{"o", &*oCovered}, std::pair{"lse", &*lseCovered}})
    if (overlapsItself(*output))
      return refuse("{}: got strides by which elements lie over one another", name);
  if (overlaps(*oCovered, *qCovered) || overlaps(*oCovered, *lseCovered) || overlaps(*lseCovered, *qCovered))
    return refuse("o, lse: got memory that they share with one another or with q; outputs need memory of their own");
  for (auto [name, covered] : {std::pair{"q", &*qCovered}, std::pair{"o", &*oCovered}, std::pair{"lse", &*lseCovered}})
    if (auto there = checkPlace(name, *covered, cache->device); !there)
      return there;
  for (int64_t sequence : sequences) {
    auto slot = cache->slotOf(sequence);
    if (!slot)
      return slot.error();
    if (cache->slots[size_t(*slot)].length < queries)
      return refuse("q: got {} queries; sequence {} holds {} tokens, and the queries are its last", queries, sequence,
                    cache->slots[size_t(*slot)].length);
  }
  return {};
}

Expected<void> Retrieval::State::launch(Operation step, int64_t programs, KernelArguments &arguments,
                                        void *stream, int64_t cluster) const {
  if (programs > INT32_MAX)
    return refuse("q: got work for {} programs; one launch holds at most {}", programs, INT32_MAX);
  return kernels.at(step)->launch(programs, arguments.pointers(), stream, cluster);
}

Expected<void> Retrieval::State::scoreTop(const TensorView &q, int64_t back, void *stream) {
  RowOrder order = plan.scoreOrder(q.shape[2]);
  KernelArguments arguments;
  add(arguments, q, order);
  addLandmarks(arguments);
  addSequences(arguments);
  addTable(arguments, cache->landmarkTable, cache->maxLandmarkPages());
  addLists(arguments, values, order.outer, order.inner, plan.list);
  addLists(arguments, ids, order.outer, order.inner, plan.list);
  addFrequencies(arguments);
  arguments.numbers({order.span, plan.scoreSplits, plan.listStride, order.outerStep(), order.innerStep(),
                     order.innerStep(), plan.group(), back, plan.window});
  addRotary(arguments);
  return launch(Operation::ScoreTop, programs(Operation::ScoreTop, order, plan.scoreSplits), arguments, stream);
}

Expected<void> Retrieval::State::score(const TensorView &q, int64_t back, int64_t first, void *stream) {
  int64_t queries = q.shape[2];
  RowOrder order = plan.scoreOrder(queries);
  LogSums sums(plan, queries);
  KernelArguments arguments;
  add(arguments, q, order);
  addLandmarks(arguments);
  addSequences(arguments);
  addTable(arguments, cache->landmarkTable, cache->maxLandmarkPages());
  arguments.view(logSums.data(), {batch(), sums.split * plan.scoreSplits, order.inner},
                 {sums.split * plan.scoreSplits, 1, order.innerOf(sums.head, sums.query)});
  addFrequencies(arguments);
  arguments.numbers({order.span, plan.scoreSplits, order.outerOf(sums.head, sums.query), sums.split, order.outerStep(),
                     order.innerStep(), plan.sharesChunk() ? 0 : order.innerStep(), plan.group(), back, plan.window,
                     plan.sharesChunk() ? first : 0});
  addRotary(arguments);
  arguments.factor(plan.scale);
  return launch(Operation::Score, programs(Operation::Score, order, plan.scoreSplits), arguments, stream);
}

Expected<void> Retrieval::State::pool(const TensorView &q, int64_t back, int64_t first, void *stream) {
  int64_t queries = q.shape[2];
  RowOrder order = plan.shareOrder(queries);
  LogSums sums(plan, queries);
  int64_t all = order.outer * sharedParts(order), tile = kernels.at(Operation::Pool)->kernel.config.queryTile;
  KernelArguments arguments;
  add(arguments, q, order);
  addLandmarks(arguments);
  addSequences(arguments);
  addTable(arguments, cache->landmarkTable, cache->maxLandmarkPages());
  arguments.view(logSums.data(), {batch(), sums.split * plan.scoreSplits, columns, tile},
                 {sums.split * plan.scoreSplits, 1, 0, 1});
  arguments.view(maxima.data(), {batch() * plan.tiles, all, columns}, {all * columns, columns, 1});
  addFrequencies(arguments);
  arguments.numbers({order.span, plan.scoreSplits, plan.scoreSplits, order.outerOf(sums.head, sums.query), sums.split,
                     order.outerStep(), order.innerStep(), plan.group(), back, plan.window, plan.tiles,
                     plan.sharesChunk() ? first : 0});
  addRotary(arguments);
  arguments.factor(plan.scale);
  return launch(Operation::Pool, programs(Operation::Pool, order, plan.scoreSplits), arguments, stream);
}

Expected<void> Retrieval::State::poolTop(int64_t queries, int64_t back, bool isFirst, bool isLast, void *stream) {
  RowOrder order = plan.poolOrder(queries);
  int64_t parts = sharedParts(plan.shareOrder(queries)), spans = order.spans();
  KernelArguments arguments;
  arguments.view(maxima.data(), {batch() * plan.tiles, order.outer, parts, columns},
                 {order.outer * parts * columns, parts * columns, columns, 1});
  addSequences(arguments);
  arguments.view(pooled.data(), {batch() * plan.tiles, order.outer, spans, columns},
                 {order.outer * spans * columns, spans * columns, columns, 1});
  addLists(arguments, values, order.outer, spans, plan.list);
  addLists(arguments, ids, order.outer, spans, plan.list);
  arguments.numbers({parts / spans, plan.lists, plan.listStride, order.outerStep(), back, plan.window, plan.tiles, isFirst, isLast});
  return launch(Operation::PoolTop, batch() * order.outer * spans * plan.lists, arguments, stream);
}

Expected<void> Retrieval::State::select(int64_t queries, int64_t first, int64_t all, void *stream) {
  RowOrder order = listOrder(queries);
  int64_t inner = plan.shares() ? order.spans() : order.inner, head = tableHead(all), query = plan.list;
  KernelArguments arguments;
  addCandidates(arguments, queries);
  auto *entries = static_cast<int32_t *>(table.data()) + (plan.sharesChunk() ? 0 : first * query);
  arguments.view(entries, {batch(), order.outer, inner, plan.list},
                 {tableBatch(all), order.outerOf(head, query), order.innerOf(head, query), 1});
  arguments.numbers({order.outer, plan.lists * plan.list});
  return launch(Operation::Select, batch() * order.outer * inner, arguments, stream);
}

Expected<void> Retrieval::State::attend(const TensorView &q, const TensorView &o, const RowsView &lse, int64_t back,
                                        int64_t first, int64_t all, void *stream) {
  int64_t queries = q.shape[2], splits = plan.attendSplits, heads = plan.queryHeads, head = tableHead(all),
          query = plan.list;
  Operation step = plan.attendStep();
  bool isPart = step == Operation::AttendPart;
  RowOrder order = plan.attendOrder(queries);
  TensorView partView = denseView(parts.data(), DType::F32, {batch() * splits, heads, queries, plan.headDim});
  RowsView partRows = denseRows(static_cast<float *>(partLse.data()), {batch() * splits, heads, queries});
  KernelArguments arguments;
  add(arguments, q, order);
  addBlocks(arguments);
  addSequences(arguments);
  int64_t entries = cache->numbersOfBlock();
  arguments.view(cache->blockTable.data(), {cache->options.maxSequences, cache->maxBlocks(), plan.kvHeads},
                 {cache->maxBlocks() * entries, entries, cache->isPooled() ? 1 : 0});
  bool sharesSpans = plan.sharesChunk() || plan.granularity == Granularity::Query;
  addCandidates(arguments, queries);
  arguments.view(static_cast<int32_t *>(table.data()) + (plan.sharesChunk() ? 0 : first * query),
                 {batch(), order.outer, order.spans(), plan.list},
                 {tableBatch(all), order.outerOf(head, query), sharesSpans ? 0 : head, 1});
  add(arguments, isPart ? partView : o, order);
  add(arguments, isPart ? partRows : lse, order);
  addFrequencies(arguments);
  // Lists lie by the inner rows of the order in which they were made, then by the outer ones.
  RowOrder listed = listOrder(queries);
  int64_t outers = listed.outer, listHead = listed.innerOf(outers, 0) + listed.outerOf(1, 0),
          listQuery = listed.innerOf(0, outers) + listed.outerOf(0, 1);
  arguments.numbers({order.span, splits, order.outerStep(), order.innerStep(), plan.group(), back, plan.window,
                     order.outerOf(listHead, listQuery), sharesSpans ? 0 : listHead,
                     plan.selects ? 0 : plan.lists * plan.list});
  addRotary(arguments);
  arguments.factor(plan.scale);
  auto done = launch(step, programs(step, order, splits), arguments, stream, plan.joins ? splits : 1);
  if (!done || !isPart)
    return done;
  RowOrder merged{true, heads, queries, queries};
  int64_t rows = heads * queries, dim = plan.headDim;
  KernelArguments merging;
  merging.view(parts.data(), {batch(), rows, splits, dim}, {splits * rows * dim, dim, rows * dim, 1});
  merging.view(partLse.data(), {batch(), rows, splits}, {splits * rows, 1, rows});
  add(merging, o, merged);
  add(merging, lse, merged);
  merging.numbers({splits});
  return launch(Operation::Merge, batch() * rows, merging, stream);
}

Expected<void> Retrieval::State::promote(void *stream) {
  auto blocks = recent.take(*cache);
  if (!blocks)
    return blocks.error();
  auto changes = cache->promote(*blocks);
  if (!changes || *changes == 0)
    return changes ? Expected<void>() : changes.error();
  KernelArguments arguments;
  arguments.view(cache->changes.data(), {*changes * 2}, {1});
  arguments.view(cache->blockTable.data(), {int64_t(cache->numbers.size())}, {1});
  auto named = launch(Operation::NamePages, *changes, arguments, cache->fills.handle());
  return named ? cache->fills.join(stream) : named;
}

Expected<void> Retrieval::State::run(const TensorView &q, const TensorView &o, const RowsView &lse, bool usesPool,
                                     void *stream) {
  int64_t all = q.shape[2];
  for (int64_t first = 0; first < all; first += plan.partQueries) {
    int64_t queries = std::min(plan.partQueries, all - first), back = all - first;
    // A chunk that shares a selection chooses from what lies before all of it.
    int64_t selectBack = plan.sharesChunk() ? all : back;
    TensorView part = from(q, first, queries);
    if (auto done = plan.shares() ? score(part, selectBack, first, stream) : scoreTop(part, selectBack, stream); !done)
      return done;
    if (plan.shares())
      if (auto done = pool(part, selectBack, first, stream); !done)
        return done;
    if (plan.shares())
      if (auto done = poolTop(queries, selectBack, first == 0 || !plan.sharesChunk(), first + queries == all || !plan.sharesChunk(), stream); !done)
        return done;
    if (plan.sharesChunk())
      continue;
    if (plan.selects)
      if (auto done = select(queries, first, all, stream); !done)
        return done;
    if (usesPool && first == 0)
      if (auto done = promote(stream); !done)
        return done;
    if (auto done = attend(part, from(o, first, queries), from(lse, first, queries), back, first, all, stream); !done)
      return done;
  }
  if (!plan.sharesChunk() || all == 0)
    return {};
  if (plan.selects)
    if (auto done = select(all, 0, all, stream); !done)
      return done;
  if (usesPool)
    if (auto done = promote(stream); !done)
      return done;
  return attend(q, o, lse, all, 0, all, stream);
}

//===-- Retrieval
//---------------------------------------------------------------------------------------------------===//

Retrieval::Retrieval(std::unique_ptr<State> state) : state(std::move(state)) {}
Retrieval::Retrieval(Retrieval &&) noexcept = default;
Retrieval &Retrieval::operator=(Retrieval &&) noexcept = default;
Retrieval::~Retrieval() = default;

Expected<Retrieval> Retrieval::create(Runtime &runtime, const LandmarkCache &cache, const RetrievalOptions &options) {
  if (runtime.device().label() != cache.device().label() ||
      runtime.device().state()->context != cache.device().state()->context)
    return refuse("retrieval: cache: got one on {}; the runtime is on {}", cache.device().label(),
                  runtime.device().label());
  auto plan = RetrievalPlan::make(cache.options(), options, cache.device());
  if (!plan)
    return plan.error();
  return create(cache, *plan, [&](Operation step) { return runtime.kernelFor(*plan, step); });
}

Expected<Retrieval> Retrieval::create(const LandmarkCache &cache, const RetrievalPlan &plan, const KernelOf &kernelOf) {
  auto state = std::make_unique<State>();
  state->plan = plan;
  state->cache = &cache.state();
  std::vector<Operation> steps = plan.steps();
  if (state->cache->isPooled())
    steps.push_back(Operation::NamePages);
  for (Operation step : steps) {
    auto kernel = kernelOf(step);
    if (!kernel)
      return kernel.error();
    state->kernels[step] = std::move(*kernel);
  }
  if (auto allocated = state->allocate(); !allocated)
    return allocated.error();
  return Retrieval(std::move(state));
}

Expected<void> Retrieval::bind(std::span<const int64_t> sequences, void *stream) {
  if (auto legal = state->cache->checkStream(stream); !legal)
    return legal;
  if (int64_t(sequences.size()) > state->plan.maxBatch)
    return refuse("sequences: got {}, allowed: at most {} (RetrievalOptions::maxBatch)", sequences.size(),
                  state->plan.maxBatch);
  std::vector<int32_t> slots;
  for (int64_t sequence : sequences) {
    auto slot = state->cache->slotOf(sequence);
    if (!slot)
      return slot.error();
    slots.push_back(int32_t(*slot));
  }
  Copies copies(*state->cache->device.state(), stream);
  copies.upload(state->slots.data(), slots.data(), int64_t(slots.size() * sizeof(int32_t)));
  if (copies.status())
    state->sequences.assign(sequences.begin(), sequences.end());
  return copies.status();
}

Expected<void> Retrieval::attend(const TensorView &q, const TensorView &o, const RowsView &lse, void *stream) {
  if (auto legal = state->cache->checkStream(stream); !legal)
    return legal;
  if (auto legal = state->check(q, o, lse); !legal)
    return legal;
  state->lastQueries = q.shape[2];
  if (!state->batch() || q.shape[2] == 0)
    return {};
  LandmarkCache::State &cache = *state->cache;
  if (!cache.isPooled())
    return state->run(q, o, lse, /*usesPool=*/false, stream);
  auto captured = isCapturing(*cache.device.state(), stream);
  if (!captured)
    return captured.error();
  if (*captured)
    return state->run(q, o, lse, /*usesPool=*/false, stream);
  if (auto forked = cache.fills.fork(stream); !forked)
    return forked;
  if (auto done = state->run(q, o, lse, /*usesPool=*/true, stream); !done)
    return done;
  if (auto forked = cache.fills.fork(stream); !forked)
    return forked;
  return state->recent.note(cache, state->sequences, selection(), state->plan.window, cache.fills.handle());
}

SelectionView Retrieval::State::selection() const {
  return {static_cast<const int32_t *>(table.data()),
          {batch(), plan.selectionHeads(), plan.selectionQueries(lastQueries), plan.topK},
          {tableBatch(lastQueries), tableHead(lastQueries), plan.list, 1}};
}

SelectionView Retrieval::selection() const { return state->selection(); }

Expected<std::vector<int32_t>> Retrieval::downloadSelection() const {
  SelectionView view = selection();
  auto [batch, heads, queries, places] = view.shape;
  std::vector<int32_t> all(std::size_t(batch * view.strides[0])), dense;
  if (auto done = state->table.download(all.data(), all.size() * sizeof(int32_t)); !done)
    return done.error();
  for (int64_t row = 0; row < batch * heads * queries; ++row)
    dense.insert(dense.end(), all.begin() + row * view.strides[2], all.begin() + row * view.strides[2] + places);
  return dense;
}

int64_t Retrieval::launches(int64_t queries) const {
  const RetrievalPlan &plan = state->plan;
  int64_t parts = (queries + plan.partQueries - 1) / plan.partQueries, steps = int64_t(plan.steps().size());
  if (!plan.sharesChunk() || queries == 0)
    return parts * steps;
  return parts * 3 + steps - 3;
}

int64_t Retrieval::scratchBytes() const {
  int64_t bytes = 0;
  for (const DeviceBuffer *buffer : {&state->values, &state->ids, &state->logSums, &state->maxima, &state->pooled, &state->table, &state->parts, &state->partLse})
    bytes += int64_t(buffer->size());
  return bytes;
}

} // namespace landmark
