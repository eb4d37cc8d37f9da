// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whatever text and numbers come in, an answer or an error with a reason comes out: no crash, no hang. The seed is
// fixed, a failure prints its input.
#include <landmark/Compiler.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

using namespace landmark;

namespace {

using Random = std::mt19937_64;

template <typename Range> auto pick(Random &random, const Range &range) {
  return *(std::begin(range) + random() % std::size(range));
}

const int64_t numbers[] = {0,
                           1,
                           2,
                           3,
                           4,
                           5,
                           7,
                           8,
                           9,
                           11,
                           15,
                           16,
                           17,
                           24,
                           31,
                           32,
                           48,
                           64,
                           100,
                           128,
                           256,
                           300,
                           -1,
                           -8,
                           1 << 20,
                           1 << 30,
                           INT32_MAX,
                           INT64_C(1) << 31,
                           INT64_C(1) << 40,
                           INT64_MAX,
                           INT64_MIN};

/// What every failure owes its reader.
template <typename T> void checkReason(const Expected<T> &result) {
  if (!result)
    REQUIRE((!result.error().message.empty() || !result.error().notes.empty()));
}

//===-- Specs
//-------------------------------------------------------------------------------------------------------===//

std::string noise(Random &random, std::initializer_list<std::string_view> words) {
  std::string text;
  for (size_t count = random() % 4; count != SIZE_MAX; --count) {
    switch (random() % 4) {
    case 0:
      text += static_cast<char>(random() % 256);
      break;
    case 1:
      text += std::to_string(pick(random, numbers));
      break;
    default:
      text += pick(random, words);
    }
  }
  return text;
}

std::string configText(Random &random) {
  return noise(random, {"query_tile=", "key_tile=", "warps=", "stages=", ",", "=", "16", "4", "64"});
}

/// A config, near one that is legal oftener than not.
Config randomConfig(Random &random) {
  Config config{16 << random() % 4, 8 << random() % 4, 1 << random() % 3, 1 + int64_t(random() % 3)};
  int64_t Config::*fields[] = {&Config::queryTile, &Config::keyTile, &Config::warps, &Config::stages};
  if (random() % 2)
    config.*pick(random, fields) = pick(random, numbers);
  return config;
}

Problem randomProblem(Random &random) {
  Problem problem;
  problem.operation = static_cast<Operation>(random() % (random() % 4 ? 2 : random() % 4 ? 10 : 13));
  problem.floatGradients = random() % 8 == 0;
  problem.topK = random() % 8 == 0 ? pick(random, numbers) : isRetrieval(problem.operation) ? 1 + random() % 8 : 0;
  problem.blockSize = random() % 4 ? 2 + random() % 63 : pick(random, numbers);
  problem.headDim = random() % 4 ? 16 + 8 * (random() % 4) : pick(random, numbers);
  problem.dtype = static_cast<DType>(random() % (random() % 8 ? 3 : 5));
  return problem;
}

Target randomTarget(Random &random) {
  static const char *const names[] = {"host", "sm_80", "sm_90a"};
  if (random() % 8)
    return *parseTarget(pick(random, names));
  return {random() % 2 ? Target::Kind::Host : Target::Kind::NVPTX, noise(random, {"sm_", "80", "90a", "host", "-1"})};
}

//===-- Texts
//-------------------------------------------------------------------------------------------------------===//

bool isWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '%' || c == '.' || c == '!' || c == '#';
}

/// Start and length of every token: a word, or a character of its own.
std::vector<std::pair<size_t, size_t>> tokens(const std::string &text) {
  std::vector<std::pair<size_t, size_t>> found;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (isWord(text[i]))
      while (end < text.size() && isWord(text[end]))
        ++end;
    if (!std::isspace(static_cast<unsigned char>(text[i])))
      found.push_back({i, end - i});
    i = end;
  }
  return found;
}

/// Start and length of every number that is no part of a name; sizes of types ("16x") among them.
std::vector<std::pair<size_t, size_t>> numbersIn(const std::string &text) {
  std::vector<std::pair<size_t, size_t>> found;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])))
      ++end;
    bool startsWord = i == 0 || !isWord(text[i - 1]) || text[i - 1] == 'x';
    if (end > i && startsWord)
      found.push_back({i, end - i});
    i = std::max(end, i + 1);
  }
  return found;
}

void replaceAll(std::string &text, const std::string &from, const std::string &to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

std::string join(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line + "\n";
  return text;
}

void mutateLines(std::string &text, Random &random) {
  std::vector<std::string> lines = linesOf(text);
  size_t from = random() % lines.size(), to = random() % lines.size();
  std::string line = lines[from];
  if (random() % 2) // delete or move
    lines.erase(lines.begin() + from);
  if (random() % 2) // duplicate or move
    lines.insert(lines.begin() + std::min(to, lines.size()), line);
  text = join(lines);
}

void mutateTokens(std::string &text, Random &random) {
  auto all = tokens(text);
  auto a = pick(random, all), b = pick(random, all);
  std::string first = text.substr(a.first, a.second), second = text.substr(b.first, b.second);
  switch (random() % 3) {
  case 0: // one for another
    text.replace(a.first, a.second, second);
    break;
  case 1: // swapped
    if (a.first > b.first)
      std::swap(a, b), std::swap(first, second);
    text.replace(b.first, b.second, first).replace(a.first, a.second, second);
    break;
  default: // one for another everywhere: types and sizes stay consistent, so that more than the parser is reached
    if (second.find(first) == second.npos)
      replaceAll(text, first, second);
  }
}

void mutateNumber(std::string &text, Random &random) {
  auto all = numbersIn(text);
  if (all.empty())
    return;
  auto [start, length] = pick(random, all);
  std::string number = std::to_string(pick(random, numbers)), old = text.substr(start, length);
  if (random() % 2)
    text.replace(start, length, number);
  else if (number.find(old) == number.npos)
    replaceAll(text, (random() % 2 ? "x" : "<") + old + "x", (random() % 2 ? "x" : "<") + number + "x");
}

void mutateBytes(std::string &text, Random &random) {
  size_t start = random() % text.size(), length = 1 + random() % 16;
  switch (random() % 3) {
  case 0:
    text[start] = static_cast<char>(random() % 256);
    break;
  case 1:
    text.erase(start, length);
    break;
  default:
    text.insert(start, text.substr(start, length));
  }
}

/// The parser makes room for as many results as a use such as "%0#4294967296" names; MLIR's own, and out of reach here.
bool namesHugeResult(const std::string &text) {
  for (size_t at = text.find('#'); at != text.npos; at = text.find('#', at + 1))
    if (at + 5 < text.size() &&
        std::all_of(text.begin() + at + 1, text.begin() + at + 6, [](unsigned char c) { return std::isdigit(c); }))
      return true;
  return false;
}

std::string mutate(std::string text, Random &random) {
  for (size_t count = 1 + (random() % 4 == 0); count && !text.empty(); --count) {
    void (*const ways[])(std::string &, Random &) = {mutateLines,  mutateTokens, mutateTokens,
                                                     mutateNumber, mutateNumber, mutateBytes};
    pick(random, ways)(text, random);
  }
  return text;
}

/// A file that goes when the test ends.
class ScratchFile {
public:
  ScratchFile()
      : path(std::filesystem::temp_directory_path() /
             ("landmark-fuzz-" + std::to_string(std::random_device()()) + ".mlir")) {}
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  std::string write(const std::string &text) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    return path.string();
  }

private:
  std::filesystem::path path;
};

/// A text at a stage, small, and how far it is compiled.
struct Seed {
  Target target;
  Problem problem;
  Config config;
  Stage stage, last;
  std::string text;
};

std::vector<Seed> seeds(Compiler &compiler) {
  std::vector<Seed> all;
  Problem whole{Operation::Forward, 8, 16, DType::BF16}, odd{Operation::Forward, 11, 16, DType::F32};
  auto add = [&](const char *target, const Problem &problem, const Config &config, Stage stage, Stage last) {
    CompileOptions options;
    options.config = config;
    auto text = compiler.emit(problem, *parseTarget(target), stage, options);
    REQUIRE(text);
    all.push_back({*parseTarget(target), problem, config, stage, last, *text});
  };
  for (Stage stage : {Stage::Template, Stage::Landmark, Stage::Tile, Stage::Scheduled}) {
    Stage last = stage <= Stage::Landmark ? Stage::Scheduled : Stage::NVVM;
    add("sm_80", whole, {16, 8, 1, 2}, stage, last);
    add("sm_80", odd, {32, 16, 1, 1}, stage, last);
  }
  add("host", whole, {16, 8, 1, 1}, Stage::Template, Stage::Scheduled);
  add("host", odd, {16, 16, 1, 1}, Stage::Tile, Stage::NVVM);
  return all;
}

/// Longest time that one input took, for a look at hangs in the making.
class Slowest {
public:
  template <typename Body> void measure(const std::string &what, Body body) {
    auto start = std::chrono::steady_clock::now();
    body();
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds > longest)
      longest = seconds, name = what;
  }
  ~Slowest() { WARN("slowest input: " << longest << " s, " << name); }

private:
  double longest = 0;
  std::string name;
};

} // namespace

TEST_CASE("specs of any kind are answered or refused", "[fuzz]") {
  Random random(20240917);
  Compiler compiler;
  Slowest slowest;
  int compiled = 0;
  for (int input = 0; input < 2000; ++input) {
    checkReason(parseOperation(noise(random, {"forward", "back"})));
    checkReason(parseDType(noise(random, {"bf16", "float", "32"})));
    checkReason(parseTarget(noise(random, {"sm_", "80", "90a", "host"})));
    checkReason(parseStage(noise(random, {"tile", "ptx", "llvm"})));
    checkReason(targetForCapability(static_cast<int>(pick(random, numbers)), static_cast<int>(pick(random, numbers))));

    Problem problem = randomProblem(random);
    Target target = randomTarget(random);
    Config config = randomConfig(random);
    checkReason(validate(problem));
    if (auto parsed = parseConfig(configText(random), config))
      config = random() % 4 ? config : *parsed;
    INFO("input " << input << ": " << describe(problem) << " on '" << target.chip << "', " << describe(config));
    auto legal = validate(config, problem, target);
    checkReason(legal);

    CompileOptions options;
    if (random() % 4 || !validate(problem))
      options.config = config;
    // Any stage by name, but whole compilations only now and then: they take a hundred times as long.
    auto stage = static_cast<Stage>(
        random() % (legal && compiled >= 10 ? static_cast<int>(Stage::Scheduled) : static_cast<int>(Stage::PTX) + 1));
    slowest.measure(describe(problem) + " " + target.chip, [&] {
      auto text = compiler.emit(problem, target, stage, options);
      checkReason(text);
      compiled += text && stage >= Stage::NVVM;
    });
  }
  CHECK(compiled > 0);
}

TEST_CASE("texts of any kind are compiled or diagnosed", "[fuzz]") {
  Random random(20240918);
  Compiler compiler;
  ScratchFile file;
  Slowest slowest;
  std::vector<Seed> all = seeds(compiler);
  int answered = 0, input = 0;
  while (input < 8000) {
    const Seed &seed = all[random() % all.size()];
    std::string text = mutate(seed.text, random);
    if (namesHugeResult(text))
      continue;
    ++input;
    CompileOptions options;
    options.config = seed.config;
    if (seed.stage == Stage::Template) {
      options.templateFile = file.write(text);
    } else {
      options.resumeStage = seed.stage;
      options.resumeText = text;
    }
    INFO("input " << input << ", a " << name(seed.stage) << " of " << describe(seed.problem) << " on "
                  << seed.target.chip << ":\n"
                  << text);
    slowest.measure(std::to_string(input), [&] {
      auto result = compiler.emit(seed.problem, seed.target, seed.last, options);
      checkReason(result);
      answered += bool(result);
    });
    if (input % 500 == 0)
      compiler = Compiler(); // what a context has interned stays in it
  }
  CHECK(answered > 500);
}
