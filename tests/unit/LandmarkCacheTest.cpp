// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cache against a simple model of it: every sequence a list of numbered tokens.
#include "landmark/LandmarkCache.h"
#include "HotPages.h"
#include "Random.h"
#include "Safetensors.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace landmark;

namespace {

constexpr int64_t headDim = 16;

/// Keys, or values, of tokens given by their numbers: column 0 holds the number, column 1 the head, column 2 which of
/// the two.
HostTensor rowsOf(const std::vector<int32_t> &tokens, int64_t heads, int which) {
  int64_t count = int64_t(tokens.size());
  HostTensor tensor = HostTensor::zeros(DType::F32, {1, heads, count, headDim});
  auto *data = reinterpret_cast<float *>(tensor.bytes.data());
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t row = 0; row < count; ++row) {
      float *at = data + (head * count + row) * headDim;
      at[0] = float(tokens[size_t(row)]);
      at[1] = float(head);
      at[2] = float(which);
      at[headDim - 1] = -float(tokens[size_t(row)]);
    }
  return tensor;
}

TensorView viewOf(HostTensor &tensor) {
  return denseView(tensor.bytes.data(), tensor.dtype,
                   {tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]});
}

CacheOptions smallOptions() {
  CacheOptions options;
  options.blockSize = 4;
  options.kvHeads = 2;
  options.headDim = headDim;
  options.dtype = DType::F32;
  options.maxSequences = 12;
  options.maxTokens = 1500;
  options.budgetBytes = 3 << 20;
  options.slabBytes = 100 << 10;
  return options;
}

/// A cache and what it should hold.
class Checked {
  struct Held {
    std::vector<int32_t> tokens;
    int64_t dropped = 0;
  };

public:
  explicit Checked(const CacheOptions &options, uint64_t seed)
      : options(options), random(seed), cache(LandmarkCache::create(Device::host(), options)) {
    REQUIRE(cache);
  }

  void open() {
    auto id = cache->open();
    REQUIRE(bool(id) == (int64_t(model.size()) < options.maxSequences));
    if (id)
      addSequence(*id, {});
  }

  void fork() {
    auto from = pick();
    auto id = cache->fork(from->first);
    REQUIRE(bool(id) == (int64_t(model.size()) < options.maxSequences));
    if (id)
      addSequence(*id, from->second);
  }

  void append() {
    auto to = pick();
    int64_t count = random.oneIn(3) ? 1 : random.oneIn(20) ? random.integer(0, 1600) : random.integer(0, 40);
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < count; ++i)
      tokens.push_back(nextToken++ % (1 << 23)); // exact as a float
    HostTensor k = rowsOf(tokens, options.kvHeads, 0), v = rowsOf(tokens, options.kvHeads, 1);
    CacheUsage before = cache->usage();
    auto done = cache->append(to->first, viewOf(k), viewOf(v));
    if (done)
      appended(to->second, tokens, *cache->dropped(to->first), before);
    else
      refusedToAppend(to->first, to->second, count, done.error(), before);
  }

  void truncate() {
    auto at = pick();
    int64_t size = int64_t(at->second.tokens.size());
    int64_t length = random.oneIn(4) ? size - std::min<int64_t>(size, random.integer(0, 6)) : random.integer(0, size);
    REQUIRE(cache->truncate(at->first, length));
    at->second.tokens.resize(size_t(length));
    REQUIRE(!cache->truncate(at->first, length + 1));
    REQUIRE(!cache->truncate(at->first, -1));
  }

  void close() {
    auto at = pick();
    REQUIRE(cache->close(at->first));
    REQUIRE(cache->close(at->first).error().code == ErrorCode::NotFound);
    REQUIRE(!cache->length(at->first));
    model.erase(at);
  }

  void step() {
    int64_t choice = random.integer(0, 99);
    if (model.empty() || choice < 8)
      open();
    else if (choice < 16)
      fork();
    else if (choice < 66)
      append();
    else if (choice < 86)
      truncate();
    else if (choice < 98)
      close();
    else if (auto at = pick(); at != model.end())
      check(at->first, at->second);
  }

  /// Every token of the sequence, its landmarks, and a part of it.
  void check(int64_t id, const Held &held) {
    const std::vector<int32_t> &tokens = held.tokens;
    REQUIRE(*cache->dropped(id) == held.dropped);
    auto length = cache->length(id);
    REQUIRE(length);
    REQUIRE(*length == int64_t(tokens.size()));
    int64_t first = random.integer(0, *length);
    std::vector<int32_t> part(tokens.begin() + first, tokens.end());
    HostTensor k = HostTensor::zeros(DType::F32, {1, options.kvHeads, int64_t(part.size()), headDim}), v = k;
    REQUIRE(cache->read(id, first, viewOf(k), viewOf(v)));
    REQUIRE(k.bytes == rowsOf(part, options.kvHeads, 0).bytes);
    REQUIRE(v.bytes == rowsOf(part, options.kvHeads, 1).bytes);
    std::vector<int32_t> landmarks;
    for (int64_t j = options.blockSize - 1; j < *length; j += options.blockSize)
      landmarks.push_back(tokens[size_t(j)]);
    HostTensor keys = HostTensor::zeros(DType::F32, {1, options.kvHeads, int64_t(landmarks.size()), headDim});
    REQUIRE(cache->readLandmarks(id, 0, viewOf(keys)));
    REQUIRE(keys.bytes == rowsOf(landmarks, options.kvHeads, 0).bytes);
  }

  void checkAll() {
    int64_t tokens = 0;
    for (const auto &[id, held] : model) {
      check(id, held);
      tokens += int64_t(held.tokens.size());
    }
    CacheUsage usage = cache->usage();
    REQUIRE(usage.sequences == int64_t(model.size()));
    REQUIRE(usage.tokens == tokens);
    REQUIRE(usage.evictedTokens == evicted);
    REQUIRE(usage.bytesAllocated <= options.budgetBytes);
    REQUIRE(usage.bytesInUse <= usage.bytesAllocated);
    REQUIRE(usage.pages * options.blockSize <= tokens + int64_t(model.size()) * options.blockSize);
  }

  void closeAll() {
    while (!model.empty())
      close();
    CacheUsage usage = cache->usage();
    REQUIRE(usage.pages == 0);
    REQUIRE(usage.sharedPages == 0);
    REQUIRE(usage.landmarkPages == 0);
    REQUIRE(usage.bytesInUse == 0);
  }

  int refused = 0;
  int64_t evicted = 0, evictedForMemory = 0;

private:
  using Model = std::map<int64_t, Held>;

  int64_t group() const { return 64 * options.blockSize; } ///< what a ring drops at a time
  /// Groups that a ring drops for the length alone.
  int64_t groupsTooMany(const Held &held, int64_t count) const {
    int64_t over = int64_t(held.tokens.size()) + count - options.maxTokens;
    return over <= 0 ? 0 : (over + group() - 1) / group();
  }

  void appended(Held &held, const std::vector<int32_t> &tokens, int64_t dropped, const CacheUsage &before) {
    int64_t lost = dropped - held.dropped, count = int64_t(tokens.size()), forLength = groupsTooMany(held, count);
    REQUIRE((lost % group() == 0 && lost >= forLength * group() && lost <= int64_t(held.tokens.size())));
    REQUIRE((lost == 0 || options.eviction == Eviction::Ring));
    if (lost > forLength * group()) { // then memory was short
      int64_t pageBytes = 2 * options.kvHeads * options.blockSize * headDim * 4,
              landmarkBytes = options.kvHeads * 64 * headDim * 4;
      int64_t room = before.budgetBytes - before.bytesInUse,
              needed = (count / options.blockSize + 2) * pageBytes + (count / group() + 2) * landmarkBytes;
      int64_t idleLandmarks = (before.capacityLandmarkPages - before.landmarkPages) * landmarkBytes,
              idlePages = (before.capacityPages - before.pages) * pageBytes;
      REQUIRE(room < needed + std::max(idleLandmarks, idlePages)); // pages of one kind are none of the other
      evictedForMemory += lost;
    }
    evicted += lost;
    held.dropped = dropped;
    held.tokens.erase(held.tokens.begin(), held.tokens.begin() + lost);
    held.tokens.insert(held.tokens.end(), tokens.begin(), tokens.end());
    REQUIRE(int64_t(held.tokens.size()) <= options.maxTokens);
  }

  void refusedToAppend(int64_t id, const Held &held, int64_t count, const Error &error, const CacheUsage &before) {
    ++refused;
    int64_t groups = options.eviction == Eviction::Ring ? int64_t(held.tokens.size()) / group() : 0;
    bool isTooLong = groupsTooMany(held, count) > groups;
    REQUIRE(error.code == (isTooLong ? ErrorCode::InvalidArgument : ErrorCode::DeviceError));
    CacheUsage after = cache->usage();
    REQUIRE(after.pages == before.pages);
    REQUIRE(after.tokens == before.tokens);
    REQUIRE(after.evictedTokens == before.evictedTokens);
    check(id, held);
  }

  void addSequence(int64_t id, Held held) {
    REQUIRE(everUsed.insert(id).second);
    model[id] = std::move(held);
  }
  Model::iterator pick() {
    auto at = model.begin();
    if (!model.empty())
      std::advance(at, random.integer(0, int64_t(model.size()) - 1));
    return at;
  }

  CacheOptions options;
  Random random;
  Expected<LandmarkCache> cache;
  Model model;
  std::set<int64_t> everUsed;
  int32_t nextToken = 1;
};

} // namespace

TEST_CASE("100,000 random operations leave the cache as a simple model of it", "[sweep]") {
  Checked checked(smallOptions(), 1);
  for (int operation = 1; operation <= 100000; ++operation) {
    checked.step();
    if (operation % 5000 == 0)
      checked.checkAll();
  }
  checked.closeAll();
  CHECK(checked.refused > 100); // the budget and the length were reached
  CHECK(checked.evicted == 0);
}

TEST_CASE("100,000 random operations leave a ring as a simple model of it", "[sweep]") {
  CacheOptions options = smallOptions();
  options.eviction = Eviction::Ring;
  options.maxTokens = 1100;
  options.budgetBytes = 400 << 10;
  Checked checked(options, 2);
  for (int operation = 1; operation <= 100000; ++operation) {
    checked.step();
    if (operation % 5000 == 0)
      checked.checkAll();
  }
  checked.closeAll();
  CHECK(checked.refused > 100);
  CHECK(checked.evicted > 20 * 256);
  CHECK(checked.evictedForMemory > 10 * 256);
}

TEST_CASE("a ring drops its oldest blocks where it is full, and none before") {
  CacheOptions options = smallOptions();
  options.eviction = Eviction::Ring;
  options.maxTokens = 300;
  auto cache = LandmarkCache::create(Device::host(), options);
  REQUIRE(cache);
  auto id = cache->open();
  REQUIRE(id);
  std::vector<int32_t> tokens;
  auto append = [&](int64_t count) {
    std::vector<int32_t> fresh;
    for (int64_t i = 0; i < count; ++i)
      fresh.push_back(int32_t(tokens.size()) + int32_t(i));
    HostTensor k = rowsOf(fresh, options.kvHeads, 0), v = rowsOf(fresh, options.kvHeads, 1);
    auto done = cache->append(*id, viewOf(k), viewOf(v));
    if (done)
      tokens.insert(tokens.end(), fresh.begin(), fresh.end());
    return bool(done);
  };
  CHECK(!append(301));
  REQUIRE(append(300));
  CHECK(*cache->dropped(*id) == 0);
  auto fork = cache->fork(*id);
  REQUIRE(fork);
  REQUIRE(append(1));
  CHECK(*cache->dropped(*id) == 256);
  CHECK(*cache->length(*id) == 45);
  CHECK(*cache->dropped(*fork) == 0);
  CHECK(*cache->length(*fork) == 300);
  CHECK(!append(256)); // there is no whole group left to drop
  CHECK(*cache->length(*id) == 45);
  REQUIRE(append(255));
  REQUIRE(append(200));
  CHECK(*cache->dropped(*id) == 512);
  CHECK(cache->usage().evictedTokens == 512);
  int64_t length = *cache->length(*id);
  HostTensor k = HostTensor::zeros(DType::F32, {1, options.kvHeads, length, headDim}), v = k;
  REQUIRE(cache->read(*id, 0, viewOf(k), viewOf(v)));
  CHECK(k.bytes == rowsOf({tokens.begin() + 512, tokens.end()}, options.kvHeads, 0).bytes);
  CHECK(!cache->dropped(*id + 100));
}

TEST_CASE("hot pages give way in the order of their last use, but not in the round that uses them") {
  HotPages pool(3);
  CHECK(pool.use(10) == -1);
  int64_t first = pool.take(10), second = pool.take(11), third = pool.take(12);
  CHECK(std::set<int64_t>{first, second, third} == std::set<int64_t>{0, 1, 2});
  CHECK(pool.take(13) == -1); // all were used in this round
  CHECK(pool.used() == 3);
  pool.nextRound();
  CHECK(pool.use(10) == first);
  CHECK(pool.use(12) == third);
  CHECK(pool.take(13) == second);
  CHECK(pool.use(11) == -1);
  pool.nextRound();
  CHECK(pool.use(10) == first);
  pool.nextRound();
  pool.drop(13);
  CHECK(pool.used() == 2);
  CHECK(pool.use(13) == -1);
  CHECK(pool.take(14) == second); // what was dropped goes first,
  CHECK(pool.take(15) == third);  // then what was used the longest time ago
  CHECK(pool.use(10) == first);
}

TEST_CASE("forks share pages until one of them goes on") {
  CacheOptions options = smallOptions();
  auto cache = LandmarkCache::create(Device::host(), options);
  REQUIRE(cache);
  auto first = cache->open();
  REQUIRE(first);
  std::vector<int32_t> tokens(10);
  HostTensor k = rowsOf(tokens, options.kvHeads, 0);
  REQUIRE(cache->append(*first, viewOf(k), viewOf(k)));
  CHECK(cache->usage().pages == 3);
  auto second = cache->fork(*first);
  REQUIRE(second);
  CHECK(cache->usage().pages == 3);
  CHECK(cache->usage().sharedPages == 3);
  CHECK(cache->usage().tokens == 20);
  HostTensor one = rowsOf({77}, options.kvHeads, 0);
  REQUIRE(cache->append(*second, viewOf(one), viewOf(one)));
  CHECK(cache->usage().pages == 4); // the incomplete block was copied
  CHECK(cache->usage().sharedPages == 2);
  REQUIRE(cache->append(*first, viewOf(one), viewOf(one)));
  CHECK(cache->usage().pages == 4); // and is the other's own by now
  REQUIRE(cache->close(*first));
  CHECK(cache->usage().pages == 3);
  CHECK(cache->usage().sharedPages == 0);
}

TEST_CASE("memory grows in slabs up to the budget, and is used again") {
  CacheOptions options = smallOptions();
  auto cache = LandmarkCache::create(Device::host(), options);
  REQUIRE(cache);
  CHECK(cache->usage().bytesAllocated == 0);
  auto id = cache->open();
  REQUIRE(id);
  HostTensor one = rowsOf({1}, options.kvHeads, 0);
  REQUIRE(cache->append(*id, viewOf(one), viewOf(one)));
  CacheUsage usage = cache->usage();
  CHECK(usage.bytesAllocated <= options.slabBytes);
  CHECK(usage.bytesAllocated > options.slabBytes / 2);
  for (int i = 0; i < 3; ++i) {
    HostTensor many = rowsOf(std::vector<int32_t>(1000), options.kvHeads, 0);
    REQUIRE(cache->append(*id, viewOf(many), viewOf(many)));
    REQUIRE(cache->truncate(*id, 1));
  }
  CHECK(cache->usage().bytesAllocated < 3 * 1000 * 2 * options.kvHeads * headDim * 4);
  CHECK(cache->usage().pages == 1);
}

TEST_CASE("a budget of just the pages that sequences take is enough, whatever slabs are") {
  CacheOptions options = smallOptions();
  constexpr int64_t blocks = 65; // a page of landmark keys, and one key of the next
  int64_t pageBytes = 2 * options.kvHeads * options.blockSize * headDim * 4, landmarkBytes = options.kvHeads * 64 * headDim * 4;
  options.budgetBytes = options.maxSequences * (blocks * pageBytes + 2 * landmarkBytes);
  auto cache = LandmarkCache::create(Device::host(), options);
  REQUIRE(cache);
  HostTensor rows = rowsOf(std::vector<int32_t>(blocks * options.blockSize), options.kvHeads, 0);
  for (int64_t i = 0; i < options.maxSequences; ++i) {
    auto id = cache->open();
    REQUIRE(id);
    auto done = cache->append(*id, viewOf(rows), viewOf(rows));
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done);
  }
}

TEST_CASE("the cache refuses what it cannot do and says why") {
  CacheOptions options = smallOptions();
  auto refused = [](CacheOptions wrong, const char *what) {
    auto made = LandmarkCache::create(Device::host(), wrong);
    REQUIRE(!made);
    INFO(made.error().message);
    CHECK(made.error().message.find(what) != std::string::npos);
  };
  auto with = [&](auto change) {
    CacheOptions wrong = options;
    change(wrong);
    return wrong;
  };
  refused(with([](auto &o) { o.blockSize = 1; }), "block size");
  refused(with([](auto &o) { o.blockSize = 257; }), "block size");
  refused(with([](auto &o) { o.headDim = 20; }), "head dimension");
  refused(with([](auto &o) { o.kvHeads = 0; }), "kvHeads");
  refused(with([](auto &o) { o.maxSequences = 0; }), "maxSequences");
  refused(with([](auto &o) { o.maxTokens = int64_t(1) << 31; }), "maxTokens");
  refused(with([](auto &o) { o.budgetBytes = 0; }), "budgetBytes");
  refused(with([](auto &o) { o.slabBytes = -1; }), "slabBytes");
  refused(with([](auto &o) { o.eviction = Eviction(2); }), "eviction");
  refused(with([](auto &o) { o.eviction = Eviction::Ring, o.maxTokens = 255; }), "maxTokens");
  refused(with([](auto &o) { o.hotBytes = 1 << 20; }), "hotBytes");
  refused(with([](auto &o) { o.placement = Placement::Host, o.hotBytes = 100; }), "hotBytes");

  auto cache = LandmarkCache::create(Device::host(), options);
  REQUIRE(cache);
  auto id = cache->open();
  REQUIRE(id);
  HostTensor k = rowsOf({1, 2, 3}, options.kvHeads, 0), two = rowsOf({1, 2}, options.kvHeads, 0);
  auto append = [&](TensorView keys, TensorView values, const char *what) {
    auto done = cache->append(*id, keys, values);
    REQUIRE(!done);
    INFO(done.error().message);
    CHECK(done.error().message.starts_with(what));
    CHECK(*cache->length(*id) == 0);
    CHECK(cache->usage().pages == 0);
  };
  TensorView good = viewOf(k);
  auto changed = [&](auto change) {
    TensorView wrong = good;
    change(wrong);
    return wrong;
  };
  append(changed([](auto &v) { v.dtype = DType::BF16; }), good, "k:");
  append(changed([](auto &v) { v.shape[0] = 2; }), good, "k:");
  append(changed([](auto &v) { v.shape[1] = 1; }), good, "k:");
  append(changed([](auto &v) { v.shape[2] = -1; }), good, "k:");
  append(changed([](auto &v) { v.shape[3] = 8; }), good, "k:");
  append(changed([](auto &v) { v.strides[3] = 2; }), good, "k:");
  append(changed([](auto &v) { v.strides[1] = int64_t(1) << 60; }), good, "k:");
  append(changed([](auto &v) { v.data = nullptr; }), good, "k:");
  append(changed([](auto &v) { v.data = static_cast<std::byte *>(v.data) + 1; }), good, "k:");
  append(good, viewOf(two), "v:");
  CHECK(cache->append(*id + 1, good, good).error().code == ErrorCode::NotFound);
  CHECK(cache->append(-1, good, good).error().code == ErrorCode::NotFound);
  int stream = 0;
  CHECK(!cache->append(*id, good, good, &stream));
  CHECK(!cache->open(&stream));
  CHECK(!cache->fork(*id, &stream));
  CHECK(!cache->truncate(*id, 0, &stream));
  TensorView none = changed([](auto &v) {
    v.shape[2] = 0;
    v.data = nullptr;
  });
  CHECK(cache->append(*id, none, none));
  REQUIRE(cache->append(*id, good, good));
  CHECK(!cache->read(*id, 1, good, good));
  CHECK(!cache->read(*id, -1, viewOf(two), viewOf(two)));
  CHECK(!cache->readLandmarks(*id, 0, viewOf(two)));
}

TEST_CASE("rows given in any strides arrive as they are") {
  CacheOptions options = smallOptions();
  std::vector<int32_t> tokens;
  for (int32_t token = 1; token <= 23; ++token)
    tokens.push_back(token);
  HostTensor dense = rowsOf(tokens, options.kvHeads, 0);
  // [token, head, D], padded, and its rows from the last to the first.
  int64_t count = int64_t(tokens.size()), pitch = headDim + 3;
  std::vector<float> memory(size_t(count * options.kvHeads * pitch), -1.0f);
  auto *from = reinterpret_cast<const float *>(dense.bytes.data());
  for (int64_t head = 0; head < options.kvHeads; ++head)
    for (int64_t row = 0; row < count; ++row)
      std::copy_n(from + (head * count + row) * headDim, headDim,
                  memory.data() + ((count - 1 - row) * options.kvHeads + head) * pitch);
  TensorView view{memory.data() + (count - 1) * options.kvHeads * pitch,
                  DType::F32,
                  {1, options.kvHeads, count, headDim},
                  {0, pitch, -options.kvHeads * pitch, 1}};
  auto cache = LandmarkCache::create(Device::host(), options);
  REQUIRE(cache);
  auto id = cache->open();
  REQUIRE(id);
  REQUIRE(cache->append(*id, view, view));
  HostTensor k = HostTensor::zeros(DType::F32, dense.shape), v = k;
  REQUIRE(cache->read(*id, 0, viewOf(k), viewOf(v)));
  CHECK(k.bytes == dense.bytes);
  CHECK(v.bytes == dense.bytes);
}
