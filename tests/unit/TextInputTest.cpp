// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TextInput.h"
#include "RandomProblem.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <set>

using namespace landmark;
using Catch::Matchers::Contains;

namespace {

std::string sampleText(int lines) {
  std::string text;
  for (int line = 0; line < lines; ++line)
    text += "Line " + std::to_string(line * 7919 % 1000) + " of a text about nothing in particular; ";
  return text;
}

double element(const HostTensor &tensor, int64_t head, int64_t row, int64_t column) {
  int64_t index = (head * tensor.shape[2] + row) * tensor.shape[3] + column;
  return toDouble(&tensor.bytes[static_cast<size_t>(index * byteSize(tensor.dtype))], tensor.dtype);
}

double logit(const TextInput &input, int64_t head, int64_t kvHead, int64_t row, int64_t key) {
  double sum = 0;
  for (int64_t column = 0; column < input.q.shape[3]; ++column)
    sum += element(input.q, head, row, column) * element(input.k, kvHead, key, column);
  return sum / std::sqrt(static_cast<double>(input.q.shape[3]));
}

} // namespace

TEST_CASE("a landmark follows every L-1 bytes") {
  for (int64_t blockSize : {2, 3, 51, 64}) {
    std::string text = sampleText(5) + '\xff' + '\0';
    auto input = textInput(text, {.blockSize = blockSize, .headDim = 16});
    REQUIRE(input);
    std::string back;
    for (size_t row = 0; row < input->tokens.size(); ++row) {
      bool landmark = static_cast<int64_t>(row) % blockSize == blockSize - 1;
      CHECK((input->tokens[row] == TextInput::landmarkToken) == landmark);
      if (!landmark)
        back += static_cast<char>(input->tokens[row]);
    }
    CHECK(back == text);
    CHECK(input->tokens.size() == text.size() + text.size() / static_cast<size_t>(blockSize - 1));
  }
}

TEST_CASE("text gives tensors of the shapes and type asked for, the same for the same seed") {
  std::string text = sampleText(4);
  for (DType dtype : {DType::BF16, DType::F16, DType::F32}) {
    TextOptions options{.blockSize = 16, .headDim = 24, .heads = 6, .kvHeads = 3, .dtype = dtype, .seed = 5};
    auto input = textInput(text, options);
    REQUIRE(input);
    auto length = static_cast<int64_t>(input->tokens.size());
    CHECK(input->q.shape == std::vector<int64_t>{1, 6, length, 24});
    CHECK(input->k.shape == std::vector<int64_t>{1, 3, length, 24});
    CHECK(input->v.shape == input->k.shape);
    CHECK(input->v.dtype == dtype);
    CHECK(input->q.bytes == textInput(text, options)->q.bytes);
    options.seed = 6;
    CHECK(input->q.bytes != textInput(text, options)->q.bytes);
  }
}

TEST_CASE("rows look at places that follow the text they end on") {
  // The same rare phrase twice, hundreds of bytes apart: its last byte must look at the byte behind the first
  // occurrence.
  std::string phrase = "quixotic zephyr";
  std::string text = sampleText(3) + phrase + sampleText(6) + phrase;
  auto input = textInput(text, {.blockSize = 64, .headDim = 128});
  REQUIRE(input);
  std::vector<int64_t> rowOfByte;
  for (size_t row = 0; row < input->tokens.size(); ++row)
    if (input->tokens[row] != TextInput::landmarkToken)
      rowOfByte.push_back(static_cast<int64_t>(row));
  int64_t query = rowOfByte[text.size() - 1];
  int64_t match = rowOfByte[text.find(phrase) + phrase.size()];
  for (int64_t head = 0; head < 4; ++head) {
    double matched = logit(*input, head, head / 2, query, match);
    int64_t higher = 0;
    for (int64_t key = 0; key < query; ++key)
      higher += logit(*input, head, head / 2, query, key) > matched;
    CHECK(higher <= query / 20);
  }
}

TEST_CASE("gates are neither flat nor one-hot") {
  constexpr int64_t blockSize = 64;
  auto input = textInput(sampleText(100), {.blockSize = blockSize, .headDim = 64});
  REQUIRE(input);
  int64_t query = static_cast<int64_t>(input->tokens.size()) - 2, blocks = query / blockSize;
  REQUIRE(blocks > 30);
  for (int64_t head = 0; head < 4; ++head) {
    std::vector<double> gates;
    double sum = 0, entropy = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      gates.push_back(std::exp(logit(*input, head, head / 2, query, (block + 1) * blockSize - 1)));
      sum += gates.back();
    }
    for (double gate : gates)
      entropy -= gate / sum * std::log(gate / sum);
    double effectiveBlocks = std::exp(entropy);
    CHECK(effectiveBlocks > 1.2);
    CHECK(effectiveBlocks < 0.8 * static_cast<double>(blocks));
  }
}

TEST_CASE("empty texts and options out of range are refused") {
  auto message = [](std::string_view text, TextOptions options) {
    auto input = textInput(text, options);
    return input ? std::string() : input.error().message;
  };
  CHECK_THAT(message("", {}), Contains("text: got 0 bytes"));
  CHECK_THAT(message("a", {.blockSize = 1}), Contains("block size: got 1"));
  CHECK_THAT(message("a", {.headDim = 12}), Contains("head dimension: got 12"));
  CHECK_THAT(message("a", {.heads = 0}), Contains("query heads: got 0"));
  CHECK_THAT(message("a", {.heads = 3, .kvHeads = 2}), Contains("query heads: got 3"));
  CHECK_THAT(message("a", {.kvHeads = 0}), Contains("key/value heads: got 0"));
  CHECK_THAT(message("a", {.heads = int64_t{1} << 40, .kvHeads = 1}), Contains("query heads"));
  CHECK(message("a", {}) == "");
}

TEST_CASE("random problems cover what they are meant to") {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    RandomForward p = randomForward(seed, {.maxKeys = 60, .maxHeadDim = 128});
    INFO(p.description);
    REQUIRE(validate(p.problem));
    REQUIRE(p.semantics.phase >= 0);
    REQUIRE(p.semantics.phase < p.problem.blockSize);
    REQUIRE(p.semantics.qOffset >= 0);
    REQUIRE(p.q.shape[1] % p.k.shape[1] == 0);
    REQUIRE(p.q.strides[3] == 1);
    seen.insert(std::string(name(p.problem.dtype)));
    seen.insert(p.semantics.phase == 0 ? "uncut" : p.semantics.phase == p.problem.blockSize - 1 ? "bare" : "cut");
    seen.insert(p.problem.blockSize > 128 ? "long" : p.problem.blockSize % 2 ? "odd" : "even");
    seen.insert(p.q.shape[2] == p.k.shape[2] ? "square" : p.q.shape[2] == 1 ? "one query" : "history");
    seen.insert(p.semantics.qOffset + p.q.shape[2] > p.k.shape[2] ? "beyond" : "within");
    seen.insert(p.q.shape[1] == p.k.shape[1] ? "ungrouped" : "grouped");
    for (const char *layout : {"dense", "row-major", "padded", "shifted", "broadcast"})
      if (p.description.find(layout) != std::string::npos)
        seen.insert(layout);
  }
  CHECK(seen.size() == 3 + 3 + 3 + 3 + 2 + 2 + 5);
}

TEST_CASE("random problems start with NaN in every output and notice a stray write") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    RandomForward p = randomForward(seed, {.maxKeys = 30, .maxHeadDim = 64});
    INFO(p.description);
    ReferenceForward reference = referenceForward(p.q, p.k, p.v, p.semantics);
    CHECK(std::isinf(relativeError(p.o, reference)));
    CHECK(p.strayWrite().empty());
    // Writing every row in full is no stray write; the element before the first row and the one behind the buffer's
    // rows are.
    auto *o = static_cast<std::byte *>(p.o.data);
    for (int64_t batch = 0; batch < p.o.shape[0]; ++batch)
      for (int64_t head = 0; head < p.o.shape[1]; ++head)
        for (int64_t row = 0; row < p.o.shape[2]; ++row)
          for (int64_t column = 0; column < p.o.shape[3]; ++column)
            fromDouble(1,
                       o + (batch * p.o.strides[0] + head * p.o.strides[1] + row * p.o.strides[2] + column) *
                               byteSize(p.o.dtype),
                       p.o.dtype);
    CHECK(p.strayWrite().empty());
    p.oBuffer.bytes.back() = std::byte{0};
    CHECK_THAT(p.strayWrite(), Contains("o: byte"));
    p.oBuffer.bytes.back() = std::byte{0xff};
    p.lse.data[-1] = 0;
    CHECK_THAT(p.strayWrite(), Contains("lse: byte -"));
    if (p.o.strides[2] > p.o.shape[3] && p.o.strides[1] > p.o.strides[2]) { // padded: between rows
      p.lse.data[-1] = std::numeric_limits<float>::quiet_NaN();
      fromDouble(1, o + p.o.shape[3] * byteSize(p.o.dtype), p.o.dtype);
      CHECK_THAT(p.strayWrite(), Contains("o: byte"));
    }
  }
}

TEST_CASE("the same seed gives the same problem") {
  RandomForward a = randomForward(11), b = randomForward(11), c = randomForward(12);
  CHECK(a.description == b.description);
  CHECK(a.qBuffer.bytes == b.qBuffer.bytes);
  CHECK(a.vBuffer.bytes == b.vBuffer.bytes);
  CHECK(a.description != c.description);
}
