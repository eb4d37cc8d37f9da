// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where kernels come from: bundle, disk, compiler.
#include "Assembler.h"
#include "KernelStore.h"
#include "TemporaryFolder.h"
#include "landmark/Runtime.h"

#include <thread>

using namespace landmark;
using Catch::Matchers::Contains;
using landmark::test::readWhole;
using landmark::test::TemporaryFolder;
using landmark::test::writeWhole;
namespace fs = std::filesystem;
using Source = KernelAccount::Source;

namespace {

Knobs knobsFor(const fs::path &cacheDir) {
  Knobs knobs;
  knobs.cacheDir = cacheDir;
  knobs.cacheLimit = INT64_MAX;
  return knobs;
}

KernelRequest request(std::string_view target = "sm_80", int64_t headDim = 16) {
  Problem problem{Operation::Forward, 8, headDim, DType::F16};
  Target chip = *parseTarget(target);
  return {problem, defaultConfig(problem, chip), chip, {}, {}};
}

} // namespace

TEST_CASE("the second request for a kernel is answered by the disk") {
  TemporaryFolder folder;
  KernelStore store(knobsFor(folder.path / "cache"));
  KernelAccount first, second;
  auto compiled = store.get(request(), &first), read = store.get(request(), &second);
  REQUIRE(compiled);
  REQUIRE(read);
  CHECK(first.source == Source::Compiler);
  CHECK(first.miss == "the cache is empty");
  CHECK(first.notStored.empty());
  CHECK(first.stages.size() == 4);
  CHECK(second.source == Source::Disk);
  CHECK(second.stages.empty());
  CHECK(first.digest == second.digest);
  CHECK(compiled->ptx == read->ptx);
  REQUIRE(read->functions.size() == 1);
  CHECK(compiled->functions[0].name == read->functions[0].name);
  CHECK(compiled->functions[0].sharedBytes == read->functions[0].sharedBytes);
  CHECK(compiled->functions[0].threads == read->functions[0].threads);
  CHECK(compiled->name == read->name);
}

TEST_CASE("a host kernel from the disk runs") {
  TemporaryFolder folder;
  RuntimeOptions options;
  options.cacheDir = folder.path;
  std::vector<float> in(40 * 64, 1.0f), lse(40);
  for (int round = 0; round < 2; ++round) {
    std::vector<float> out(40 * 64);
    auto view = [](std::vector<float> &values) { return denseView(values.data(), DType::F32, {1, 1, 40, 64}); };
    Runtime runtime(Device::host(), options);
    REQUIRE(runtime.forward({view(in), view(in), view(in), view(out), denseRows(lse.data(), {1, 1, 40}), 16}));
    for (float value : out)
      REQUIRE(value == Approx(1));
  }
  auto cache = cache::DiskCache::open(folder.path, cache::Trust::Own);
  REQUIRE(cache);
  CHECK(cache->list(true)->size() == 1);
}

TEST_CASE("a damaged entry is compiled anew and replaced") {
  TemporaryFolder folder;
  KernelStore store(knobsFor(folder.path));
  auto compiled = store.get(request());
  REQUIRE(compiled);
  KernelAccount account;
  REQUIRE(store.get(request(), &account));
  fs::path file = folder.path / "kernels" / account.digest / "kernel.ptx";
  std::string damaged = readWhole(file);
  damaged[damaged.size() / 2] ^= 1;
  writeWhole(file, damaged);
  auto again = store.get(request(), &account);
  REQUIRE(again);
  CHECK(account.source == Source::Compiler);
  CHECK_THAT(account.miss, Contains("kernel.ptx has another hash"));
  CHECK(again->ptx == compiled->ptx);
  CHECK(readWhole(file) == compiled->ptx);
}

TEST_CASE("machine code is added to an entry that has PTX alone") {
  TemporaryFolder folder;
  KernelStore store(knobsFor(folder.path));
  REQUIRE(store.get(request()));
  KernelRequest assembled = request();
  int assemblies = 0;
  assembled.assemble = [&](const Kernel &kernel) -> Expected<Cubin> {
    ++assemblies;
    return Cubin{"code of " + kernel.name, "nobody"};
  };
  for (int round = 0; round < 3; ++round) {
    KernelAccount account;
    auto kernel = store.get(assembled, &account);
    REQUIRE(kernel);
    CHECK(kernel->cubin == "code of landmark_forward");
    CHECK(account.source == Source::Disk);
  }
  CHECK(assemblies == 1);
  assembled.problem.headDim = 32;
  assembled.assemble = [](const Kernel &) -> Expected<Cubin> { return Error{ErrorCode::CompileFailed, "no"}; };
  CHECK_FALSE(store.get(assembled));
}

TEST_CASE("a disk that does not work costs the cache and nothing else") {
  TemporaryFolder folder;
  writeWhole(folder.path / "file", "");
  for (const fs::path &place : {folder.path / "file", fs::path("/proc/landmark"), fs::path()}) {
    KernelAccount account;
    auto kernel = KernelStore(knobsFor(place)).get(request(), &account);
    REQUIRE(kernel);
    CHECK_FALSE(kernel->ptx.empty());
    CHECK_FALSE(account.notStored.empty());
    CHECK_FALSE(account.miss.empty());
  }
}

TEST_CASE("strict: what is not there is an error and is not compiled") {
  TemporaryFolder folder;
  KernelStore filling(knobsFor(folder.path / "bundle"));
  REQUIRE(filling.get(request()));
  Knobs knobs = knobsFor("");
  knobs.bundle = folder.path / "bundle";
  knobs.strict = true;
  KernelAccount account;
  auto kernel = KernelStore(knobs).get(request(), &account);
  REQUIRE(kernel);
  CHECK(account.source == Source::Bundle);
  auto missing = KernelStore(knobs).get(request("sm_80", 24));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::NotFound);
  CHECK_THAT(missing.error().message, Contains("D=24") && Contains("head_dim: 16 there, 24 wanted"));
  KernelRequest assembled = request();
  assembled.assemble = [](const Kernel &) -> Expected<Cubin> { return Cubin{"code", "nobody"}; };
  CHECK_FALSE(KernelStore(knobs).get(assembled));
  knobs.strict = false;
  CHECK(KernelStore(knobs).get(request("sm_80", 24)));
  CHECK(KernelStore(knobs).get(assembled));
  knobs.bundle = folder.path / "none";
  CHECK_FALSE(KernelStore(knobs).get(request()));
}

TEST_CASE("a baseline is neither kept nor taken for the optimized kernel") {
  TemporaryFolder folder;
  KernelStore store(knobsFor(folder.path));
  Problem problem{Operation::Forward, 64, 64, DType::BF16};
  Target target = *parseTarget("sm_90a");
  KernelRequest optimized{problem, defaultConfig(problem, target), target, {}, {}}, baseline = optimized;
  baseline.options.tier = Tier::Baseline;
  KernelAccount account;
  auto first = store.get(baseline, &account);
  REQUIRE(first);
  CHECK(first->tier == Tier::Baseline);
  CHECK_THAT(account.notStored, Contains("not kept"));
  CHECK_FALSE(store.find(optimized));
  auto second = store.get(optimized);
  REQUIRE(second);
  CHECK(second->tier == Tier::Optimized);
  CHECK(second->ptx.size() > first->ptx.size());
  CHECK(second->functions[0].threads == first->functions[0].threads);
  CHECK(second->tensorMaps == first->tensorMaps);
  auto kept = store.find(optimized);
  REQUIRE(kept);
  CHECK(kept->ptx == second->ptx);
  CHECK(store.get(baseline)->ptx == first->ptx);
  optimized.assemble = [](const Kernel &) -> Expected<Cubin> { return Cubin{"code", "nobody"}; };
  CHECK_FALSE(store.find(optimized)); // there is its PTX alone
  Knobs strict = knobsFor(folder.path);
  strict.strict = true;
  auto refused = KernelStore(strict).get(baseline);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::NotFound);
}

TEST_CASE("dumping compiles even what the disk holds") {
  TemporaryFolder folder;
  Knobs knobs = knobsFor(folder.path / "cache");
  REQUIRE(KernelStore(knobs).get(request()));
  knobs.dumpDir = folder.path / "dump";
  KernelAccount account;
  REQUIRE(KernelStore(knobs).get(request(), &account));
  CHECK(account.source == Source::Compiler);
  CHECK_FALSE(readWhole(folder.path / "dump" / account.digest.substr(0, 12) / "landmark_forward.tile").empty());
}

TEST_CASE("many stores on one folder compile a kernel once") {
  TemporaryFolder folder;
  std::vector<KernelAccount> accounts(8);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (KernelAccount &account : accounts)
    threads.emplace_back([&] { wrong += !KernelStore(knobsFor(folder.path)).get(request(), &account); });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(wrong == 0);
  CHECK(std::count_if(accounts.begin(), accounts.end(),
                      [](const KernelAccount &account) { return account.source == Source::Compiler; }) == 1);
}

TEST_CASE("a failure leaves a reproducer") {
  TemporaryFolder folder;
  KernelRequest broken = request();
  broken.options.templateFile = folder.path / "broken.mlir";
  broken.options.reproducerDir = folder.path / "reproducers";
  writeWhole(broken.options.templateFile, "func.func @landmark_forward() { return }\n");
  auto kernel = KernelStore(knobsFor(folder.path / "cache")).get(broken);
  REQUIRE_FALSE(kernel);
  REQUIRE_FALSE(kernel.error().notes.empty());
  CHECK_THAT(kernel.error().notes.back(), Contains("landmark-opt --run-reproducer"));
  CHECK_THAT(readWhole(folder.path / "reproducers" / "landmark_forward.tile.reproducer.mlir"),
             Contains("landmark.forward") && Contains("landmark-bind-template"));
}

TEST_CASE("knobs that mean nothing are refused by name") {
  ::setenv("LANDMARK_TUNE", "maybe", 1);
  ::setenv("LANDMARK_CACHE_LIMIT", "-1", 1);
  Knobs knobs = Knobs::fromEnvironment();
  ::unsetenv("LANDMARK_TUNE");
  ::unsetenv("LANDMARK_CACHE_LIMIT");
  CHECK(knobs.tune == TuneMode::Cached);
  CHECK(knobs.cacheLimit == int64_t(1024) << 20);
  REQUIRE(knobs.refused.size() == 2);
  CHECK_THAT(knobs.refused[0], Contains("LANDMARK_CACHE_LIMIT") && Contains("-1"));
  CHECK_THAT(knobs.refused[1], Contains("LANDMARK_TUNE") && Contains("off, cached, on"));
  CHECK(Knobs::fromEnvironment().refused.empty());
}

TEST_CASE("machine code that nobody can keep is left to the loading, and the PTX is kept") {
  TemporaryFolder folder;
  KernelStore store(knobsFor(folder.path));
  KernelRequest unkept = request();
  unkept.assemble = [](const Kernel &) -> Expected<Cubin> { return Cubin{"", "CUDA driver 13.0"}; };
  for (Source source : {Source::Compiler, Source::Disk, Source::Disk}) {
    KernelAccount account;
    auto kernel = store.get(unkept, &account);
    REQUIRE(kernel);
    CHECK(account.source == source);
    CHECK(account.assembler == "CUDA driver 13.0");
    CHECK(kernel->cubin.empty());
    CHECK_FALSE(kernel->ptx.empty());
  }
  // Who can keep it adds it.
  unkept.assemble = [](const Kernel &) -> Expected<Cubin> { return Cubin{"code", "ptxas"}; };
  CHECK(store.get(unkept)->cubin == "code");
  unkept.assemble = [](const Kernel &) -> Expected<Cubin> { return Error{ErrorCode::CompileFailed, "asked again"}; };
  CHECK(store.get(unkept));
}

TEST_CASE("an assembler is found, refused or switched off, and leaves what it refuses") {
  TemporaryFolder folder;
  auto kernel = KernelStore(knobsFor("")).get(request());
  REQUIRE(kernel);
  fs::path program = folder.path / "ptxas";
  CompileOptions options;
  options.ptxas = program;
  CHECK(assembleByPtxas(*kernel, options).error().code == ErrorCode::NotFound);
  options.ptxas = "off";
  CHECK(assembleByPtxas(*kernel, options).error().code == ErrorCode::NotFound);

  auto install = [&](const std::string &script) {
    writeWhole(program, "#!/bin/sh\n" + script + "\n");
    fs::permissions(program, fs::perms::owner_all);
  };
  options.ptxas = program;
  options.reproducerDir = folder.path / "reproducers";
  install("for last; do :; done; echo machine code > $last"); // ptxas -v -arch=... source -o object
  auto assembled = assembleByPtxas(*kernel, options);
  REQUIRE(assembled);
  CHECK(assembled->code == "machine code\n");
  CHECK(assembled->assembler == "ptxas");
  CHECK_FALSE(fs::exists(options.reproducerDir));

  install("echo 'line 7: unknown instruction'; exit 1");
  auto refused = assembleByPtxas(*kernel, options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::CompileFailed);
  fs::path left = fs::path(options.reproducerDir) / "landmark_forward.reproducer.ptx";
  REQUIRE(refused.error().notes.size() == 2);
  CHECK(refused.error().notes[0] == "line 7: unknown instruction");
  CHECK(refused.error().notes[1] == "to replay it: ptxas -arch=sm_80 '" + left.string() + "'");
  CHECK(readWhole(left) == kernel->ptx);
}

TEST_CASE("a kernel whose warps would wait for registers forever is refused") {
  Kernel kernel;
  Kernel::Function keys{"keys", 384};
  kernel.ptx = ".entry before()\n.entry keys()\n setmaxnreg.dec.sync.aligned.u32 \t24;\n setmaxnreg.inc.sync.aligned.u32 \t240;\n.entry behind()";
  CHECK(checkRegisters(kernel, keys, 168));
  CHECK(checkRegisters(kernel, keys, 161)); // 168 are set aside
  CHECK(checkRegisters(kernel, {"before", 384}, 40)); // hands none over
  CHECK(checkRegisters(kernel, {"behind", 384}, 40));
  auto refused = checkRegisters(kernel, keys, 143);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::Unsupported);
  CHECK_THAT(refused.error().message, Contains("ask for 64512") && Contains("start with 55296"));
  // A second group that gives registers away, and keeps more of them.
  keys.threads = 512;
  kernel.ptx = ".entry keys()\n setmaxnreg.dec.sync.aligned.u32 \t24;\n setmaxnreg.dec.sync.aligned.u32 \t72;\n setmaxnreg.inc.sync.aligned.u32 \t208;\n";
  CHECK(checkRegisters(kernel, keys, 128));
  CHECK_FALSE(checkRegisters(kernel, keys, 120));
  kernel.ptx = ".entry keys() no registers are moved";
  CHECK(checkRegisters(kernel, keys, 10));
}
