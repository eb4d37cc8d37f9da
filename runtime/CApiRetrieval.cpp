// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cache of blocks and retrieval in landmark.h.
#include "CApi.h"

#include "landmark/Retrieval.h"

using namespace landmark;
using namespace landmark::capi;

struct landmark_cache {
  std::shared_ptr<LandmarkCache> cache;
};
struct landmark_retrieval {
  std::shared_ptr<LandmarkCache> cache; ///< outlives what follows
  Retrieval retrieval;
};

static_assert(int(Placement::Device) == LANDMARK_PLACEMENT_DEVICE && int(Placement::Host) == LANDMARK_PLACEMENT_HOST);
static_assert(int(Eviction::None) == LANDMARK_EVICTION_NONE && int(Eviction::Ring) == LANDMARK_EVICTION_RING);
static_assert(int(Granularity::QueryHead) == LANDMARK_PER_QUERY_HEAD && int(Granularity::Query) == LANDMARK_PER_QUERY);
static_assert(int(RotaryLayout::None) == LANDMARK_ROTARY_NONE &&
              int(RotaryLayout::Interleaved) == LANDMARK_ROTARY_INTERLEAVED);
static_assert(int(Positions::True) == LANDMARK_POSITIONS_TRUE && int(Positions::Stingy) == LANDMARK_POSITIONS_STINGY);

namespace {

/// A number of the caller's as one of an enumeration whose first is 0.
template <typename Enum> Expected<Enum> enumOf(const char *name, int32_t number, Enum last) {
  if (number < 0 || number > int32_t(last))
    return refuse("{}: got {}; allowed are 0 to {}", name, number, int32_t(last));
  return Enum(number);
}

Expected<CacheOptions> optionsOf(const landmark_cache_options *from) {
  auto whole = completed(from, landmark_cache_options_init, "landmark_cache_options");
  if (!whole)
    return whole.error();
  auto dtype = dtypeOf("options.dtype", whole->dtype);
  if (!dtype)
    return dtype.error();
  auto placement = enumOf("options.placement", whole->placement, Placement::Host);
  auto eviction = enumOf("options.eviction", whole->eviction, Eviction::Ring);
  if (!placement || !eviction)
    return placement ? eviction.error() : placement.error();
  return CacheOptions{whole->block_size,    whole->kv_heads,     whole->head_dim,   *dtype,     whole->max_sequences,
                      whole->max_tokens,    whole->budget_bytes, whole->slab_bytes, *placement, whole->hot_bytes,
                      *eviction};
}

Expected<RetrievalOptions> optionsOf(const landmark_retrieval_options *from) {
  auto whole = completed(from, landmark_retrieval_options_init, "landmark_retrieval_options");
  if (!whole)
    return whole.error();
  auto granularity = enumOf("options.granularity", whole->granularity, Granularity::Query);
  auto layout = enumOf("options.rotary_layout", whole->rotary_layout, RotaryLayout::Interleaved);
  auto positions = enumOf("options.rotary_positions", whole->rotary_positions, Positions::Stingy);
  if (!granularity)
    return granularity.error();
  if (!layout || !positions)
    return layout ? positions.error() : layout.error();
  RetrievalOptions options;
  options.queryHeads = whole->query_heads;
  options.topK = whole->top_k;
  options.window = whole->window;
  options.granularity = *granularity;
  if (whole->scale != 0)
    options.scale = whole->scale;
  options.rotary = {*layout, *positions, whole->rotary_base, whole->rotary_scaling};
  options.maxBatch = whole->max_batch;
  options.maxQueries = whole->max_queries;
  options.scratchBytes = whole->scratch_bytes;
  if (whole->score_splits != 0)
    options.scoreSplits = whole->score_splits;
  if (whole->attend_splits != 0)
    options.attendSplits = whole->attend_splits;
  return options;
}

/// `call` takes the cache.
template <typename Call> landmark_error *onCache(const landmark_cache *cache, Call call) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"cache", cache}}); !complete)
      return complete;
    return call(*cache->cache);
  });
}

/// Hands out the number that `call` returns.
template <typename Call> Expected<void> put(const char *name, int64_t *to, Call call) {
  if (auto complete = given({{name, to}}); !complete)
    return complete;
  auto made = call();
  if (!made)
    return made.error();
  *to = *made;
  return {};
}

/// `call` takes views of k and v.
template <typename Call>
Expected<void> onPair(const landmark_tensor *k, const landmark_tensor *v, Call call) {
  if (auto complete = given({{"k", k}, {"v", v}}); !complete)
    return complete;
  auto keys = viewOf("k", *k);
  if (!keys)
    return keys.error();
  auto values = viewOf("v", *v);
  return values ? call(*keys, *values) : values.error();
}

} // namespace

void landmark_cache_options_init(landmark_cache_options *options, size_t size) {
  const CacheOptions defaults;
  initialise(options, size,
             {0, defaults.blockSize, defaults.kvHeads, defaults.headDim, int32_t(defaults.dtype),
              int32_t(defaults.placement), defaults.maxSequences, defaults.maxTokens, defaults.budgetBytes,
              defaults.slabBytes, defaults.hotBytes, int32_t(defaults.eviction)});
}

landmark_error *landmark_cache_create(const landmark_device *device, const landmark_cache_options *options,
                                      landmark_cache **cache) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"device", device}, {"options", options}, {"cache", cache}}); !complete)
      return complete;
    auto converted = optionsOf(options);
    if (!converted)
      return converted.error();
    auto made = LandmarkCache::create(device->device, *converted);
    if (!made)
      return made.error();
    *cache = new landmark_cache{std::make_shared<LandmarkCache>(std::move(*made))};
    return {};
  });
}
void landmark_cache_free(landmark_cache *cache) { delete cache; }

landmark_error *landmark_cache_open(landmark_cache *cache, void *stream, int64_t *sequence) {
  return onCache(cache,
                 [&](LandmarkCache &on) { return put("sequence", sequence, [&] { return on.open(stream); }); });
}
landmark_error *landmark_cache_fork(landmark_cache *cache, int64_t sequence, void *stream, int64_t *fork) {
  return onCache(cache,
                 [&](LandmarkCache &on) { return put("fork", fork, [&] { return on.fork(sequence, stream); }); });
}
landmark_error *landmark_cache_append(landmark_cache *cache, int64_t sequence, const landmark_tensor *k,
                                      const landmark_tensor *v, void *stream) {
  return onCache(cache, [&](LandmarkCache &on) {
    return onPair(k, v, [&](const TensorView &keys, const TensorView &values) {
      return on.append(sequence, keys, values, stream);
    });
  });
}
landmark_error *landmark_cache_truncate(landmark_cache *cache, int64_t sequence, int64_t length, void *stream) {
  return onCache(cache, [&](LandmarkCache &on) { return on.truncate(sequence, length, stream); });
}
landmark_error *landmark_cache_close(landmark_cache *cache, int64_t sequence) {
  return onCache(cache, [&](LandmarkCache &on) { return on.close(sequence); });
}
landmark_error *landmark_cache_length(const landmark_cache *cache, int64_t sequence, int64_t *length) {
  return onCache(cache,
                 [&](LandmarkCache &on) { return put("length", length, [&] { return on.length(sequence); }); });
}
landmark_error *landmark_cache_dropped(const landmark_cache *cache, int64_t sequence, int64_t *dropped) {
  return onCache(cache,
                 [&](LandmarkCache &on) { return put("dropped", dropped, [&] { return on.dropped(sequence); }); });
}
landmark_error *landmark_cache_read(const landmark_cache *cache, int64_t sequence, int64_t first,
                                    const landmark_tensor *k, const landmark_tensor *v, void *stream) {
  return onCache(cache, [&](LandmarkCache &on) {
    return onPair(k, v, [&](const TensorView &keys, const TensorView &values) {
      return on.read(sequence, first, keys, values, stream);
    });
  });
}
landmark_error *landmark_cache_read_landmarks(const landmark_cache *cache, int64_t sequence, int64_t first,
                                              const landmark_tensor *k, void *stream) {
  return onCache(cache, [&](LandmarkCache &on) -> Expected<void> {
    if (auto complete = given({{"k", k}}); !complete)
      return complete;
    auto keys = viewOf("k", *k);
    return keys ? on.readLandmarks(sequence, first, *keys, stream) : keys.error();
  });
}

void landmark_cache_usage_init(landmark_cache_usage *usage, size_t size) { initialise(usage, size, {}); }
landmark_error *landmark_cache_get_usage(const landmark_cache *cache, landmark_cache_usage *usage) {
  return onCache(cache, [&](LandmarkCache &on) -> Expected<void> {
    if (auto complete = given({{"usage", usage}}); !complete)
      return complete;
    auto known = completed(usage, landmark_cache_usage_init, "landmark_cache_usage");
    if (!known)
      return known.error();
    std::size_t size = usage->size;
    CacheUsage is = on.usage();
    landmark_cache_usage all = {size,
                                is.sequences,
                                is.tokens,
                                is.pages,
                                is.sharedPages,
                                is.landmarkPages,
                                is.capacityPages,
                                is.capacityLandmarkPages,
                                is.bytesInUse,
                                is.bytesAllocated,
                                is.budgetBytes,
                                is.hotPages,
                                is.hotCapacity,
                                is.hotHits,
                                is.hotMisses,
                                is.evictedTokens};
    std::memcpy(usage, &all, size);
    return {};
  });
}

void landmark_retrieval_options_init(landmark_retrieval_options *options, size_t size) {
  const RetrievalOptions defaults;
  initialise(options, size,
             {0, defaults.queryHeads, defaults.topK, defaults.window, int32_t(defaults.granularity), 0,
              defaults.maxBatch, defaults.maxQueries, defaults.scratchBytes, 0, 0, int32_t(defaults.rotary.layout),
              int32_t(defaults.rotary.positions), defaults.rotary.base, defaults.rotary.scaling});
}

landmark_error *landmark_retrieval_create(landmark_runtime *runtime, landmark_cache *cache,
                                          const landmark_retrieval_options *options, landmark_retrieval **retrieval) {
  return guarded([&]() -> Expected<void> {
    if (auto complete =
            given({{"runtime", runtime}, {"cache", cache}, {"options", options}, {"retrieval", retrieval}});
        !complete)
      return complete;
    auto converted = optionsOf(options);
    if (!converted)
      return converted.error();
    auto made = Retrieval::create(runtime->runtime, *cache->cache, *converted);
    if (!made)
      return made.error();
    *retrieval = new landmark_retrieval{cache->cache, std::move(*made)};
    return {};
  });
}
void landmark_retrieval_free(landmark_retrieval *retrieval) { delete retrieval; }

landmark_error *landmark_retrieval_bind(landmark_retrieval *retrieval, const int64_t *sequences, size_t count,
                                        void *stream) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"retrieval", retrieval}}); !complete)
      return complete;
    if (count > 0 && !sequences)
      return refuse("sequences: got NULL");
    return retrieval->retrieval.bind({sequences, count}, stream);
  });
}

landmark_error *landmark_retrieval_attend(landmark_retrieval *retrieval, const landmark_tensor *q,
                                          const landmark_tensor *o, const landmark_tensor *lse, void *stream) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"retrieval", retrieval}, {"q", q}, {"o", o}, {"lse", lse}}); !complete)
      return complete;
    auto queries = viewOf("q", *q);
    if (!queries)
      return queries.error();
    auto outputs = viewOf("o", *o);
    if (!outputs)
      return outputs.error();
    auto rows = rowsOf("lse", *lse);
    return rows ? retrieval->retrieval.attend(*queries, *outputs, *rows, stream) : rows.error();
  });
}

landmark_error *landmark_retrieval_selection(const landmark_retrieval *retrieval, landmark_selection *selection) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"retrieval", retrieval}, {"selection", selection}}); !complete)
      return complete;
    SelectionView view = retrieval->retrieval.selection();
    selection->data = view.data;
    std::copy(view.shape.begin(), view.shape.end(), selection->shape);
    std::copy(view.strides.begin(), view.strides.end(), selection->strides);
    return {};
  });
}

landmark_error *landmark_retrieval_download_selection(const landmark_retrieval *retrieval, int32_t *ids, size_t count) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"retrieval", retrieval}, {"ids", ids}}); !complete)
      return complete;
    auto all = retrieval->retrieval.downloadSelection();
    if (!all)
      return all.error();
    if (count != all->size())
      return refuse("count: got {}; the selection has {} ids", count, all->size());
    std::copy(all->begin(), all->end(), ids);
    return {};
  });
}
