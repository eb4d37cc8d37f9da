// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys, entries, locks: what the cache on disk believes and what not.
#include "cache/DiskCache.h"
#include "TemporaryFolder.h"

#include <fcntl.h>
#include <random>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace landmark;
using namespace landmark::cache;
using landmark::test::readWhole;
using landmark::test::TemporaryFolder;
using landmark::test::writeWhole;
namespace fs = std::filesystem;

namespace {

const Target sm80{Target::Kind::NVPTX, "sm_80"};
constexpr int64_t noLimit = INT64_MAX;

Key keyNamed(const std::string &name) { return Key({{"name", name}}); }

/// A kernel that nobody could run; the cache does not mind.
Kernel fakeKernel(const std::string &text) {
  Kernel kernel;
  kernel.target = sm80;
  kernel.name = "landmark_forward";
  kernel.ptx = "// " + text + std::string(700, 'p');
  kernel.cubin = "\x7f"
                 "ELF" +
                 text + std::string(300, '\0');
  kernel.functions = {{"landmark_forward_a", 128, 1234}, {"landmark_forward_b", 256, 56}};
  kernel.tensorMaps = {{1, 64, 32, 128, 51}};
  kernel.tensorMaps = {{0, 64, 128, 128, 1}, {1, 2, 64, 32, 51}};
  return kernel;
}

void store(const DiskCache &cache, const std::string &name, int64_t limit = noLimit) {
  Kernel kernel = fakeKernel(name);
  REQUIRE(cache.store(manifestOf(keyNamed(name), kernel, "test"), filesOf(kernel), limit, false));
}

fs::path entryOf(const TemporaryFolder &folder, const std::string &name) {
  return folder.path / "kernels" / keyNamed(name).digest;
}

DiskCache open(const TemporaryFolder &folder) {
  auto cache = DiskCache::create(folder.path);
  REQUIRE(cache);
  return *cache;
}

} // namespace

TEST_CASE("no two lists of fields have one key") {
  std::vector<std::vector<Field>> lists = {
      {},
      {{"", ""}},
      {{"a", "b"}},
      {{"ab", ""}},
      {{"", "ab"}},
      {{"a", ""}, {"b", ""}},
      {{"a", "b"}, {"c", "d"}},
      {{"c", "d"}, {"a", "b"}},
      {{"a", "bc"}, {"", "d"}},
      {{"a", std::string("b\0", 2)}},
  };
  std::vector<std::string> digests;
  for (auto &fields : lists)
    digests.push_back(Key(fields).digest);
  std::sort(digests.begin(), digests.end());
  CHECK(std::unique(digests.begin(), digests.end()) == digests.end());
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a kernel's key holds what decides its code and nothing else") {
  Problem problem;
  Config config = defaultConfig(problem, sm80);
  auto digest = [](const Problem &problem, const Config &config, const Target &target, const CompileOptions &options) {
    auto key = keyOf(problem, config, target, options);
    REQUIRE(key);
    return key->digest;
  };
  std::string base = digest(problem, config, sm80, {});
  for (auto change : std::initializer_list<void (*)(Problem &)>{[](Problem &p) { p.blockSize = 51; },
                                                                [](Problem &p) { p.headDim = 64; },
                                                                [](Problem &p) { p.dtype = DType::F16; },
                                                                [](Problem &p) { p.operation = Operation::Backward; },
                                                                [](Problem &p) { p.floatGradients = true; },
                                                                [](Problem &p) { p.deterministic = true; },
                                                                [](Problem &p) { p.topK = 3; }}) {
    Problem other = problem;
    change(other);
    CHECK(digest(other, config, sm80, {}) != base);
  }
  for (auto change : std::initializer_list<void (*)(Config &)>{
           [](Config &c) { c.queryTile *= 2; }, [](Config &c) { c.keyTile *= 2; }, [](Config &c) { c.warps *= 2; },
           [](Config &c) { c.stages += 1; }, [](Config &c) { c.unit = MatrixUnit::Wgmma; },
           [](Config &c) { c.loads = Loads::Tma; }, [](Config &c) { c.programs = 2; },
           [](Config &c) { c.overlap = true; }, [](Config &c) { c.pingPong = true; }, [](Config &c) { c.dqGroup = true; }}) {
    Config other = config;
    change(other);
    CHECK(digest(problem, other, sm80, {}) != base);
  }
  CHECK(digest(problem, config, {Target::Kind::NVPTX, "sm_90"}, {}) != base);

  TemporaryFolder folder;
  auto text = templateText(problem, config, sm80, {});
  REQUIRE(text);
  CompileOptions options;
  options.templateFile = folder.path / "mine.mlir";
  writeWhole(options.templateFile, *text);
  CHECK(digest(problem, config, sm80, options) == base);
  writeWhole(options.templateFile, *text + " ");
  CHECK(digest(problem, config, sm80, options) != base);
  options = {};
  options.dumpDir = options.reproducerDir = folder.path;
  CHECK(digest(problem, config, sm80, options) == base);
  options.resumeStage = Stage::Tile;
  std::string empty = digest(problem, config, sm80, options);
  options.resumeText = "x";
  CHECK(digest(problem, config, sm80, options) != empty);
}

TEST_CASE("an entry comes back as it went in, and belongs to its user alone") {
  TemporaryFolder folder;
  DiskCache cache = open(folder);
  CHECK(cache.find(keyNamed("a")).error().code == ErrorCode::NotFound);
  store(cache, "a");
  auto found = cache.find(keyNamed("a"));
  REQUIRE(found);
  Kernel kernel = kernelOf(found->first, found->second, {}, {}, sm80), original = fakeKernel("a");
  CHECK(kernel.ptx == original.ptx);
  CHECK(kernel.cubin == original.cubin);
  CHECK(kernel.name == original.name);
  REQUIRE(kernel.functions.size() == 2);
  CHECK(kernel.functions[0].name == "landmark_forward_a");
  CHECK(kernel.functions[0].threads == 128);
  CHECK(kernel.functions[0].sharedBytes == 1234);
  CHECK(kernel.functions[1].name == "landmark_forward_b");
  CHECK(kernel.functions[1].threads == 256);
  CHECK(kernel.functions[1].sharedBytes == 56);
  CHECK(kernel.tensorMaps == original.tensorMaps);
  CHECK(kernel.tensorMaps == original.tensorMaps);
  CHECK(found->first.assembler == "test");
  CHECK(fs::status(entryOf(folder, "a")).permissions() == fs::perms::owner_all);
  for (const auto &file : fs::directory_iterator(entryOf(folder, "a")))
    CHECK(file.status().permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  store(cache, "a"); // in place of the first
  CHECK(cache.find(keyNamed("a")));
}

TEST_CASE("of 500 damaged entries none is accepted") {
  TemporaryFolder folder;
  DiskCache cache = open(folder);
  std::mt19937 random(7);
  auto below = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random); };
  int accepted = 0;
  for (int i = 0; i < 500; ++i) {
    store(cache, "a");
    store(cache, "b");
    fs::path entry = entryOf(folder, "a"), other = entryOf(folder, "b");
    const char *names[] = {"manifest.json", "kernel.ptx", "kernel.cubin"};
    fs::path name = names[below(3)];
    std::string contents = readWhole(entry / name);
    switch (i % 8) {
    case 0: // one bit
      contents[below(contents.size())] ^= char(1 << below(8));
      writeWhole(entry / name, contents);
      break;
    case 1: // cut off
      writeWhole(entry / name, contents.substr(0, below(contents.size())));
      break;
    case 2: // longer
      writeWhole(entry / name, contents + char(below(256)));
      break;
    case 3: // the other entry's file
      writeWhole(entry / name, readWhole(other / name));
      break;
    case 4: // gone
      fs::remove(entry / name);
      break;
    case 5: // the whole other entry
      fs::remove_all(entry);
      fs::rename(other, entry);
      break;
    case 6: // files of one entry in each other's place
      fs::rename(entry / "kernel.ptx", entry / "x");
      fs::rename(entry / "kernel.cubin", entry / "kernel.ptx");
      fs::rename(entry / "x", entry / "kernel.cubin");
      break;
    case 7: // a link to a good file, and a file too many
      if (below(2)) {
        fs::rename(entry / name, folder.path / "kept");
        fs::create_symlink(folder.path / "kept", entry / name);
      } else {
        writeWhole(entry / "more", "");
      }
      break;
    }
    auto found = cache.find(keyNamed("a"));
    accepted += bool(found);
    if (!found)
      CHECK(found.error().code == ErrorCode::IoError);
    auto listed = cache.list(true);
    REQUIRE(listed);
    for (const Listed &one : *listed)
      if (one.digest == keyNamed("a").digest)
        accepted += one.damage.empty();
  }
  CHECK(accepted == 0);
}

TEST_CASE("what others own or may write to is not believed") {
  TemporaryFolder folder;
  DiskCache cache = open(folder);
  store(cache, "a");
  fs::path entry = entryOf(folder, "a");
  for (const fs::path &place : {entry, entry / "manifest.json", entry / "kernel.cubin"}) {
    INFO(place);
    fs::perms before = fs::status(place).permissions();
    for (fs::perms loose : {fs::perms::group_write, fs::perms::others_write}) {
      fs::permissions(place, before | loose);
      CHECK_FALSE(cache.find(keyNamed("a")));
    }
    fs::permissions(place, before);
    CHECK(cache.find(keyNamed("a")));
    if (::geteuid() == 0) {
      REQUIRE(::chown(place.c_str(), 65534, 65534) == 0);
      CHECK_FALSE(cache.find(keyNamed("a")));
      REQUIRE(::chown(place.c_str(), 0, 0) == 0);
    }
  }
  for (const fs::path &place : {folder.path, folder.path / "kernels"}) {
    fs::permissions(place, fs::perms::owner_all | fs::perms::others_write);
    auto refused = DiskCache::create(folder.path);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Catch::Contains("not trusted"));
    fs::permissions(place, fs::perms::owner_all);
  }
  CHECK(DiskCache::create(folder.path));
}

TEST_CASE("a folder that cannot be made is an error, and nothing else") {
  TemporaryFolder folder;
  writeWhole(folder.path / "file", "");
  CHECK_FALSE(DiskCache::create(folder.path / "file"));
  CHECK_FALSE(DiskCache::create(folder.path / "file" / "below"));
  CHECK_FALSE(DiskCache::create("/proc/landmark"));
  CHECK_FALSE(DiskCache::open(folder.path / "none", Trust::Own));
  CHECK_FALSE(fs::exists(folder.path / "none"));
  CHECK(DiskCache::create(folder.path / "a" / "b" / "c"));
}

TEST_CASE("entries used longest ago go first") {
  TemporaryFolder folder;
  DiskCache cache = open(folder);
  std::vector<std::string> names = {"a", "b", "c", "d"};
  for (const std::string &name : names) {
    store(cache, name);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  auto listed = cache.list(false);
  REQUIRE(listed);
  int64_t each = listed->front().bytes;
  REQUIRE(cache.find(keyNamed("a"))); // used, so b is the oldest now
  store(cache, "e", 3 * each + each / 2);
  CHECK(cache.find(keyNamed("a")));
  CHECK_FALSE(cache.find(keyNamed("b")));
  CHECK_FALSE(cache.find(keyNamed("c")));
  CHECK(cache.find(keyNamed("d")));
  CHECK(cache.find(keyNamed("e")));
  store(cache, "f", 0); // what was just stored stays
  CHECK(cache.find(keyNamed("f")));
  CHECK(cache.list(false)->size() == 1);
}

TEST_CASE("pruning removes what is damaged and what dead processes left") {
  TemporaryFolder folder;
  DiskCache cache = open(folder);
  store(cache, "a");
  store(cache, "b");
  writeWhole(entryOf(folder, "b") / "kernel.ptx", "");
  fs::path kernels = folder.path / "kernels", stale = kernels / ".stage-old", young = kernels / ".stage-new";
  for (const fs::path &place : {stale, young, kernels / ".trash-x"})
    fs::create_directory(place), fs::permissions(place, fs::perms::owner_all);
  timespec old[2] = {{1000, 0}, {1000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, stale.c_str(), old, 0) == 0);
  REQUIRE(cache.lock(keyNamed("a")));
  REQUIRE(cache.lock(keyNamed("gone")));
  auto held = cache.lock(keyNamed("held"));
  auto pruned = cache.prune(noLimit);
  REQUIRE(pruned);
  CHECK(pruned->entries == 1);
  CHECK(cache.find(keyNamed("a")));
  CHECK(cache.find(keyNamed("b")).error().code == ErrorCode::NotFound);
  CHECK_FALSE(fs::exists(stale));
  CHECK_FALSE(fs::exists(kernels / ".trash-x"));
  CHECK(fs::exists(young));
  CHECK(fs::exists(folder.path / "locks" / keyNamed("a").digest));
  CHECK_FALSE(fs::exists(folder.path / "locks" / keyNamed("gone").digest));
  CHECK(fs::exists(folder.path / "locks" / keyNamed("held").digest));
  REQUIRE(cache.clear());
  CHECK(fs::is_empty(kernels));
}

TEST_CASE("a miss names the fields in which the nearest entry differs") {
  TemporaryFolder folder;
  DiskCache cache = open(folder);
  Key there({{"size", "1"}, {"type", "x"}, {"text", std::string(1000, 'a')}});
  CHECK(cache.explainMiss(there) == "the cache is empty");
  Kernel kernel = fakeKernel("a");
  REQUIRE(cache.store(manifestOf(there, kernel, ""), filesOf(kernel), noLimit, false));
  std::string why = cache.explainMiss(Key({{"size", "2"}, {"type", "x"}, {"text", std::string(1000, 'b')}}));
  CHECK_THAT(why, Catch::Contains("size: 1 there, 2 wanted") && Catch::Contains("text: sha256:"));
  CHECK_THAT(why, !Catch::Contains("type:"));
  writeWhole(folder.path / "kernels" / there.digest / "kernel.ptx", "short");
  CHECK_THAT(cache.explainMiss(there), Catch::Contains("kernel.ptx has 5 bytes"));
}

TEST_CASE("a lock ends with its holder") {
  TemporaryFolder folder;
  auto place = Directory::open(folder.path, Trust::Own);
  REQUIRE(place);
  {
    auto held = FileLock::acquire(*place, "x", 0);
    REQUIRE(held);
    CHECK_FALSE(FileLock::acquire(*place, "x", 0));
    CHECK(FileLock::acquire(*place, "y", 0));
    held->discard();
    CHECK(FileLock::acquire(*place, "x", 0)); // a new file
  }
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    auto held = FileLock::acquire(*place, "z", 0);
    char told = held ? 'y' : 'n';
    if (::write(ready[1], &told, 1) == 1)
      ::pause();
    ::_exit(0);
  }
  char told = 0;
  REQUIRE(::read(ready[0], &told, 1) == 1);
  CHECK(told == 'y');
  CHECK_FALSE(FileLock::acquire(*place, "z", 50));
  std::thread killer([child] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ::kill(child, SIGKILL);
  });
  CHECK(FileLock::acquire(*place, "z", 10000));
  killer.join();
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}
