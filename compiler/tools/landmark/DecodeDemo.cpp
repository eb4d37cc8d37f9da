// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// landmark decode-demo: a needle in a million tokens of text, found by its landmark.
#include "Command.h"
#include "InductionText.h"
#include "Knobs.h"
#include "Timing.h"
#include "Workspace.h"
#include "landmark/Retrieval.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <map>
#include <sys/resource.h>
#include <unistd.h>

namespace landmark::tool {

namespace {

constexpr int64_t appendedAtOnce = 8192;
constexpr int64_t shownBytes = 48;

struct Options {
  std::string text = "/usr/include", dtype = "bf16", device = "auto";
  std::string needle = "The vault opens with Zq7^kV~8", prompt = "The vault opens with Zq7^";
  int64_t tokens = 1000000, steps = 4, blockSize = 64, headDim = 192, heads = 4, kvHeads = 2, topK = 8;
  double depth = 0.37;
  uint64_t seed = 1;
};

/// A bar on a terminal; a line for every tenth elsewhere.
class Progress {
public:
  explicit Progress(const char *what) : what(what), isTerminal(isatty(STDERR_FILENO)) {}
  void show(int64_t done, int64_t all) {
    int64_t steps = isTerminal ? 40 : 10, now = all ? done * steps / all : steps;
    if (now == shown)
      return;
    shown = now;
    if (isTerminal)
      fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3}%{}", what, "", now, "", steps - now, done * 100 / all,
                 now == steps ? "\n" : "");
    else
      fmt::print(stderr, "{}: {}%\n", what, done * 100 / all);
    std::fflush(stderr);
  }

private:
  const char *what;
  bool isTerminal;
  int64_t shown = -1;
};

/// The bytes of a file, or of a folder's files in the order of their names, up to `most`.
Expected<std::string> readText(const std::string &path, int64_t most) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<fs::path> files;
  if (fs::is_directory(path, failed))
    for (auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, failed);
         !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed))
      if (entry->is_regular_file(failed))
        files.push_back(entry->path());
  if (!fs::is_directory(path, failed))
    files.push_back(path);
  std::sort(files.begin(), files.end());
  std::string text;
  for (const fs::path &file : files) {
    std::ifstream stream(file, std::ios::binary);
    std::size_t before = text.size(), room = std::size_t(most) - before;
    text.resize(std::size_t(most));
    stream.read(text.data() + before, std::streamsize(room));
    text.resize(before + std::size_t(stream.gcount()));
    if (int64_t(text.size()) == most)
      break;
  }
  if (text.empty())
    return Error{ErrorCode::IoError, fmt::format("{}: cannot be read, or holds no text", path)};
  return text;
}

/// How a token is shown: what cannot be printed as a dot.
std::string shown(const InductionText &text, int64_t first, int64_t count) {
  std::string result;
  for (int64_t position = first; position < std::min(first + count, text.tokens()); ++position) {
    int token = text.token(position);
    result += token >= 0x20 && token < 0x7f ? char(token) : token == '\n' ? ' ' : '.';
  }
  return result;
}

/// The cache with the text in it, and what attends to it.
class Session {
public:
  Session(const Options &options, DType dtype, const Device &device)
      : options(options), dtype(dtype), device(device), runtime(device), pool(Knobs::fromEnvironment().threads),
        text(options.blockSize, options.headDim, options.heads, options.kvHeads, dtype, options.seed) {}

  Expected<void> prepare(const std::string &bytes) {
    text.announce(bytes);
    for (unsigned char byte : bytes)
      text.add(byte);
    CacheOptions cacheOptions;
    cacheOptions.blockSize = options.blockSize;
    cacheOptions.kvHeads = options.kvHeads;
    cacheOptions.headDim = options.headDim;
    cacheOptions.dtype = dtype;
    cacheOptions.maxTokens = text.tokens() + 2 * options.steps + options.blockSize;
    int64_t blocks = cacheOptions.maxTokens / options.blockSize + 2;
    int64_t rows = 2 * blocks * options.blockSize + blocks + Problem::landmarksPerPage;
    cacheOptions.budgetBytes = rows * options.kvHeads * options.headDim * byteSize(dtype);
    auto made = LandmarkCache::create(device, cacheOptions);
    if (!made)
      return made.error();
    cache = std::make_unique<LandmarkCache>(std::move(*made));
    auto opened = cache->open();
    if (!opened)
      return opened.error();
    sequence = *opened;
    return {};
  }

  /// Appends all tokens that the cache has not yet.
  Expected<void> append(Progress *progress = nullptr) {
    int64_t from = *cache->length(sequence), all = text.tokens();
    for (int64_t first = from; first < all; first += appendedAtOnce) {
      HostTensor k, v;
      text.embed(first, std::min(appendedAtOnce, all - first), k, v, pool);
      auto kThere = upload(device, k), vThere = upload(device, v);
      if (!kThere)
        return kThere.error();
      if (!vThere)
        return vThere.error();
      auto view = [&](const DeviceBuffer &buffer) {
        return denseView(buffer.data(), dtype, {1, options.kvHeads, k.shape[2], options.headDim});
      };
      if (auto done = cache->append(sequence, view(*kThere), view(*vThere)); !done)
        return done;
      if (auto done = device.synchronize(); !done)
        return done;
      if (progress)
        progress->show(std::min(first + appendedAtOnce, all) - from, all - from);
    }
    return {};
  }

  struct Step {
    HostTensor o;
    std::vector<int32_t> blocks; ///< [head, place]
    double microseconds = 0;
  };

  /// The last token's query against all that the cache holds, `repeats` times.
  Expected<Step> attend(Retrieval &retrieval, int repeats) {
    HostTensor q = text.query();
    auto qThere = upload(device, q), oThere = upload(device, q),
         lseThere = upload(device, HostTensor::zeros(DType::F32, {options.heads}));
    for (auto *buffer : {&qThere, &oThere, &lseThere})
      if (!*buffer)
        return buffer->error();
    std::array<int64_t, 4> shape = {1, options.heads, 1, options.headDim};
    auto call = [&] {
      return retrieval.attend(denseView(qThere->data(), dtype, shape), denseView(oThere->data(), dtype, shape),
                              denseRows(static_cast<float *>(lseThere->data()), {1, options.heads, 1}));
    };
    if (auto done = call(); !done)
      return done.error();
    auto times = timeCalls(device, repeats, call);
    if (!times)
      return times.error();
    Step step{std::move(q), {}, median(*times) * 1000};
    if (auto done = oThere->download(step.o.bytes.data(), step.o.bytes.size()); !done)
      return done.error();
    auto blocks = retrieval.downloadSelection();
    if (!blocks)
      return blocks.error();
    step.blocks = std::move(*blocks);
    return step;
  }

  Expected<Retrieval> retrieval(int64_t topK, int64_t window, std::optional<int64_t> splits) {
    RetrievalOptions wanted;
    wanted.queryHeads = options.heads;
    wanted.topK = topK;
    wanted.window = window;
    wanted.attendSplits = splits;
    auto made = Retrieval::create(runtime, *cache, wanted);
    if (!made)
      return made;
    if (auto bound = made->bind(std::array{sequence}); !bound)
      return bound.error();
    return made;
  }

  const Options &options;
  DType dtype;
  Device device;
  Runtime runtime;
  ThreadPool pool;
  InductionText text;
  std::unique_ptr<LandmarkCache> cache;
  int64_t sequence = 0;
};

/// Blocks in the order of how many heads chose them.
std::vector<std::pair<int32_t, int>> votes(const std::vector<int32_t> &blocks) {
  std::map<int32_t, int> count;
  for (int32_t block : blocks)
    if (block >= 0)
      ++count[block];
  std::vector<std::pair<int32_t, int>> order(count.begin(), count.end());
  std::stable_sort(order.begin(), order.end(), [](auto a, auto b) { return a.second > b.second; });
  return order;
}

std::string withNeedle(const Options &options, std::string text, int64_t &place) {
  int64_t ordinary = options.tokens / options.blockSize * (options.blockSize - 1);
  int64_t fill = std::max<int64_t>(0, ordinary - int64_t(options.needle.size() + options.prompt.size()) - 3);
  text.resize(std::min(text.size(), std::size_t(fill)));
  place = int64_t(double(text.size()) * options.depth);
  place -= place % (options.blockSize - 1); // in one block, if it is not longer
  text.insert(std::size_t(place), "\n" + options.needle + "\n");
  return text + "\n" + options.prompt;
}

void printMemory(const Session &session) {
  CacheUsage usage = session.cache->usage();
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  constexpr double mebi = 1 << 20;
  fmt::print("memory: {:.1f} MiB of keys, values and landmark keys on {} ({} pages, of {:.1f} MiB taken); the process "
             "{:.1f} MiB on the host at most\n",
             double(usage.bytesInUse) / mebi, session.device.label(), usage.pages, double(usage.bytesAllocated) / mebi,
             double(used.ru_maxrss) / 1024);
}

Expected<void> decode(Session &session, int64_t needleBlock) {
  const Options &options = session.options;
  auto retrieval = session.retrieval(options.topK, 0, std::nullopt);
  if (!retrieval)
    return retrieval.error();
  std::string answer;
  std::vector<double> times;
  for (int64_t step = 0; step < options.steps; ++step) {
    auto found = session.attend(*retrieval, 5);
    if (!found)
      return found.error();
    times.push_back(found->microseconds);
    if (step == 0) {
      fmt::print("\nthe text ends on '{}'; of {} blocks its landmarks choose\n",
                 shown(session.text, session.text.tokens() - shownBytes, shownBytes),
                 session.text.tokens() / options.blockSize);
      auto order = votes(found->blocks);
      for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 5); ++i)
        fmt::print("  block {:<6} by {} of {} heads{} '{}'\n", order[i].first, order[i].second, options.heads,
                   std::abs(order[i].first - needleBlock) <= 1 ? ", the needle," : "",
                   shown(session.text, order[i].first * options.blockSize, options.blockSize - 1));
    }
    unsigned char next = session.text.nearest(found->o);
    answer += next >= 0x20 && next < 0x7f ? char(next) : '.';
    session.text.add(next);
    if (auto done = session.append(); !done)
      return done;
  }
  fmt::print("\n{} steps on: '{}'\n", options.steps, options.prompt + answer);
  double mine = median(times);
  auto all = session.retrieval(1, INT32_MAX,
                               64); // every block in the window: dense attention to the same pages, split over programs
  if (!all)
    return all.error();
  auto dense = session.attend(*all, 5);
  if (!dense)
    return dense.error();
  fmt::print("{:.1f} us a token; dense landmark attention to the same pages: {:.1f} us, {:.1f} times as long\n", mine,
             dense->microseconds, dense->microseconds / mine);
  return {};
}

Expected<void> decodeDemo(const Options &options) {
  auto device = Device::parse(options.device);
  if (!device)
    return device.error();
  auto dtype = parseDType(options.dtype);
  if (!dtype)
    return dtype.error();
  Problem problem{Operation::Attend, options.blockSize, options.headDim, *dtype, /*floatGradients=*/false, options.topK};
  if (auto legal = validate(problem); !legal)
    return legal;
  if (options.heads % options.kvHeads != 0)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("--heads: got {}, allowed: a multiple of --kv-heads, {}", options.heads, options.kvHeads)};
  auto text = readText(options.text, options.tokens);
  if (!text)
    return text.error();
  int64_t place = 0;
  std::string whole = withNeedle(options, std::move(*text), place);
  Session session(options, *dtype, *device);
  if (auto done = session.prepare(whole); !done)
    return done;
  int64_t needleBlock = place / (options.blockSize - 1);
  fmt::print("{}: {} tokens with landmarks, in blocks of {}; the needle '{}' in block {}\n", options.text,
             session.text.tokens(), options.blockSize, options.needle, needleBlock);
  fmt::print("on {}, {} query and {} key/value heads, D={}, {}\n", tool::describe(*device), options.heads,
             options.kvHeads, options.headDim, name(*dtype));
  std::fflush(stdout);
  Stopwatch filling;
  Progress progress("embed and append");
  if (auto done = session.append(&progress); !done)
    return done;
  fmt::print("filled in {:.1f} s\n", filling.milliseconds() / 1000);
  printMemory(session);
  return decode(session, needleBlock);
}

} // namespace

Command addDecodeDemo(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("decode-demo", "Find a needle in a long text by its landmark, token by token");
  CLI::Range heads(int64_t(1), int64_t(256));
  command->add_option("--text", options->text, "Text file, or folder whose files are read one after the other")
      ->capture_default_str();
  command->add_option("--tokens,-N", options->tokens, "Tokens of the context at most, landmarks included")
      ->check(CLI::Range(int64_t(256), int64_t(1) << 27))
      ->capture_default_str();
  command->add_option("--needle", options->needle, "What is put into the text")->capture_default_str();
  command->add_option("--depth", options->depth, "Where: 0 is the start of the text, 1 its end")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--prompt", options->prompt, "What the text ends on: a part of the needle, to be gone on with")
      ->capture_default_str();
  command->add_option("--steps", options->steps, "Tokens to decode")
      ->check(CLI::Range(int64_t(1), int64_t(100000)))
      ->capture_default_str();
  command->add_option("--block-size,-L", options->blockSize, "Tokens of a block: a landmark follows every L - 1 bytes")
      ->capture_default_str();
  command->add_option("--head-dim,-D", options->headDim, "Head dimension")->capture_default_str();
  command->add_option("--heads,-H", options->heads, "Query heads")->check(heads)->capture_default_str();
  command->add_option("--kv-heads,-G", options->kvHeads, "Key/value heads")->check(heads)->capture_default_str();
  command->add_option("--top-k,-k", options->topK, "Blocks that a query chooses: 1 to 128")->capture_default_str();
  command->add_option("--dtype", options->dtype, "bf16, f16 or f32")->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the byte embeddings")->capture_default_str();
  addDevice(*command, options->device);
  command->footer("The text becomes keys and values (a fixed random embedding of bytes, as an induction head sees "
                  "them) in a cache of blocks; the needle stands somewhere\n"
                  "in it. Queries of the last bytes choose blocks by their landmarks, and what was found is decoded as "
                  "the next byte.\n\nExamples:\n"
                  "  landmark decode-demo\n"
                  "  landmark decode-demo --device host --tokens 100000 --text /usr/share/doc --depth 0.9");
  return {command, [options] { return decodeDemo(*options); }};
}

} // namespace landmark::tool
