// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Safetensors.h"
#include "Random.h"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

using namespace landmark;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

/// A folder of its own for every test, removed with it.
struct Folder {
  fs::path path;
  Folder() {
    static int count = 0;
    path =
        fs::temp_directory_path() / ("safetensors-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
};

std::string slurp(const fs::path &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spill(const fs::path &path, const std::string &bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string withLength(std::string header, const std::string &data, uint64_t claimed) {
  std::string prefix(8, '\0');
  std::memcpy(prefix.data(), &claimed, 8); // the tests run on little-endian machines
  return prefix + header + data;
}

std::string fileOf(const std::string &header, const std::string &data = "") {
  return withLength(header, data, header.size());
}

/// The message of reading `bytes`; empty where they are read.
std::string readMessage(const std::string &bytes) {
  Folder folder;
  spill(folder.path / "file", bytes);
  auto file = readSafetensors(folder.path / "file");
  if (file)
    return "";
  CHECK(file.error().code == ErrorCode::IoError);
  return file.error().message;
}

TensorFile sample() {
  TensorFile file;
  Random random(3);
  for (auto [name, dtype, shape] : {std::tuple("q", DType::BF16, std::vector<int64_t>{1, 2, 3, 5}),
                                    {"lse", DType::F32, {1, 2, 3}},
                                    {"half \"quoted\" \xc3\xa9", DType::F16, {7}},
                                    {"scalar", DType::F32, {}},
                                    {"empty", DType::F16, {4, 0, 2}}}) {
    HostTensor tensor = HostTensor::zeros(dtype, shape);
    for (int64_t index = 0; index < tensor.elements(); ++index)
      fromDouble(random.normal(), &tensor.bytes[static_cast<size_t>(index * byteSize(dtype))], dtype);
    file.tensors[name] = tensor;
  }
  file.metadata = {{"block_size", "64"}, {"scale", "0.125"}, {"text", "two\nlines"}};
  return file;
}

void checkEqual(const TensorFile &a, const TensorFile &b) {
  CHECK(a.metadata == b.metadata);
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (const auto &[name, tensor] : a.tensors) {
    INFO(name);
    REQUIRE(b.tensors.count(name) == 1);
    CHECK(b.tensors.at(name).dtype == tensor.dtype);
    CHECK(b.tensors.at(name).shape == tensor.shape);
    CHECK(b.tensors.at(name).bytes == tensor.bytes);
  }
}

} // namespace

TEST_CASE("files come back as they were written") {
  Folder folder;
  fs::path path = folder.path / "a.safetensors";
  REQUIRE(writeSafetensors(path, sample()));
  auto file = readSafetensors(path);
  REQUIRE(file);
  checkEqual(sample(), *file);
  CHECK(slurp(path).substr(8, 1) == "{");

  REQUIRE(writeSafetensors(path, TensorFile{})); // replaces
  file = readSafetensors(path);
  REQUIRE(file);
  checkEqual(TensorFile{}, *file);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a file that another writer made is read") {
  std::string header = R"({"b":{"shape":[2],"data_offsets":[4,8],"dtype":"F16"},"__metadata__":{"format":"pt"},)"
                       R"("a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]}}   )";
  Folder folder;
  spill(folder.path / "f", fileOf(header, std::string("\x80\x3f\x00\xc0\x00\x3c\x00\xc0", 8)));
  auto file = readSafetensors(folder.path / "f");
  REQUIRE(file);
  CHECK(file->metadata.at("format") == "pt");
  const HostTensor &a = file->tensors.at("a"), &b = file->tensors.at("b");
  CHECK(a.shape == std::vector<int64_t>{2, 1});
  CHECK(toDouble(&a.bytes[0], a.dtype) == 1);
  CHECK(toDouble(&a.bytes[2], a.dtype) == -2);
  CHECK(toDouble(&b.bytes[0], b.dtype) == 1);
  CHECK(toDouble(&b.bytes[2], b.dtype) == -2);
}

TEST_CASE("a file cut anywhere is refused") {
  Folder folder;
  fs::path path = folder.path / "whole";
  REQUIRE(writeSafetensors(path, sample()));
  std::string whole = slurp(path);
  int accepted = 0;
  for (size_t length = 0; length < whole.size(); ++length)
    accepted += readMessage(whole.substr(0, length)).empty();
  CHECK(accepted == 0);
  CHECK_THAT(readMessage(whole + "x"), Contains("bytes of data"));
}

TEST_CASE("every flipped bit of the header gives an answer or an error") {
  Folder folder;
  fs::path path = folder.path / "whole";
  REQUIRE(writeSafetensors(path, sample()));
  std::string whole = slurp(path);
  uint64_t length;
  std::memcpy(&length, whole.data(), 8);
  for (size_t byte = 0; byte < 8 + length; ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      spill(path, flipped);
      auto file = readSafetensors(path);
      if (!file) {
        CHECK(!file.error().message.empty());
        continue;
      }
      // What is still valid (a changed letter of a name, say) must be consistent in itself.
      for (const auto &[name, tensor] : file->tensors)
        CHECK(tensor.bytes.size() == static_cast<size_t>(tensor.elements() * byteSize(tensor.dtype)));
    }
}

TEST_CASE("headers that lie about their length are refused before memory is taken for them") {
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  for (uint64_t claimed : {uint64_t{1} << 20, uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 7})
    CHECK_THAT(readMessage(withLength(header, "1234", claimed)), Contains("claims " + std::to_string(claimed)));
  CHECK_THAT(readMessage(withLength(header, "1234", 0)), Contains("no JSON object"));
  CHECK(readMessage(fileOf(header, "1234")) == "");
}

TEST_CASE("hostile headers are refused") {
  auto one = [](const std::string &fields, const std::string &data = "12345678") {
    return readMessage(fileOf("{\"a\":" + fields + "}", data));
  };
  std::string ranges = "\"data_offsets\":[0,8]", type = "\"dtype\":\"F32\",";
  CHECK(one("{" + type + "\"shape\":[2]," + ranges + "}") == "");
  for (const char *shape :
       {"[-2]", "[-1,-2]", "[3]", "[1]", "[2.0]", "[\"2\"]", "2", "null", "[[2]]", "{}", "[4294967296,4294967296]",
        "[9223372036854775807,9223372036854775807]", "[18446744073709551615]", "[18446744073709551618]",
        "[4611686018427387906]", "[4294967296,4294967296,0]", "[1e400]"}) {
    INFO(shape);
    CHECK_THAT(one("{" + type + "\"shape\":" + shape + "," + ranges + "}"), Contains("safetensors"));
  }
  for (const char *offsets : {"[8,0]", "[0,9]", "[1,9]", "[0]", "[0,8,8]", "[-8,0]", "[0,-8]", "\"0,8\"", "null",
                              "[0.0,8.0]", "[18446744073709551608,0]", "[9223372036854775800,9223372036854775808]"}) {
    INFO(offsets);
    CHECK_THAT(one("{" + type + "\"shape\":[2],\"data_offsets\":" + offsets + "}"), Contains("safetensors"));
  }
  for (const char *dtype : {"\"I64\"", "\"F8_E4M3\"", "\"f32\"", "\"\"", "32", "null", "[]"}) {
    INFO(dtype);
    CHECK_THAT(one("{\"dtype\":" + std::string(dtype) + ",\"shape\":[2]," + ranges + "}"), Contains("\"BF16\""));
  }
  CHECK_THAT(one("{\"shape\":[2]," + ranges + "}"), Contains("dtype"));
  CHECK_THAT(one("{" + type + ranges + "}"), Contains("shape"));
  CHECK_THAT(one("{" + type + "\"shape\":[2]}"), Contains("data_offsets"));
  CHECK_THAT(one("{" + type + "\"shape\":[2]," + ranges + ",\"extra\":1}"), Contains("extra"));
  CHECK_THAT(one("[]"), Contains("an object"));
  CHECK_THAT(one("{" + type + type + "\"shape\":[2]," + ranges + "}"), Contains("twice"));
}

TEST_CASE("tensors must tile the data") {
  auto entry = [](const char *name, int begin, int end) {
    return "\"" + std::string(name) + "\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string((end - begin) / 4) +
           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  auto two = [&](const std::string &a, const std::string &b) {
    return readMessage(fileOf("{" + a + "," + b + "}", std::string(16, 'x')));
  };
  CHECK(two(entry("a", 0, 8), entry("b", 8, 16)) == "");
  CHECK(two(entry("b", 8, 16), entry("a", 0, 8)) == "");
  CHECK_THAT(two(entry("a", 0, 12), entry("b", 8, 16)), Contains("\"b\" begins at byte 8")); // overlap
  CHECK_THAT(two(entry("a", 0, 16), entry("b", 0, 16)), Contains("begins at byte 0"));       // the same bytes
  CHECK_THAT(two(entry("a", 0, 4), entry("b", 8, 16)), Contains("\"b\" begins at byte 8"));  // gap
  CHECK_THAT(two(entry("a", 4, 8), entry("b", 8, 16)), Contains("\"a\" begins at byte 4"));  // gap in front
  CHECK_THAT(two(entry("a", 0, 4), entry("b", 4, 8)), Contains("16 bytes of data"));         // left over
  CHECK_THAT(two(entry("a", 0, 8), entry("b", 8, 20)), Contains("20 bytes"));                // beyond the end
  CHECK_THAT(two(entry("a", 0, 8), entry("a", 8, 16)), Contains("\"a\" twice"));
}

TEST_CASE("headers that are no header are refused") {
  for (std::string header :
       {"", " ", "{", "{}}", "[]", "null", "7", " {}", "{\"a\":}", "{'a':1}", "\xff\xfe{}", "{\"__metadata__\":[]}",
        "{\"__metadata__\":{\"a\":1}}", "{\"__metadata__\":{\"a\":{}}}", "{\"a\xff\":{}}"}) {
    INFO(header);
    CHECK_THAT(readMessage(fileOf(header)), Contains("no valid safetensors file"));
  }
  CHECK(readMessage(fileOf("{}")) == "");
  CHECK_THAT(readMessage(fileOf("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}")), Contains("twice"));
  std::string deep = "{\"a\":" + std::string(200000, '[') + std::string(200000, ']') + "}";
  CHECK_THAT(readMessage(fileOf(deep)), Contains("nested"));
  std::string deepObjects;
  for (int level = 0; level < 100000; ++level)
    deepObjects += "{\"a\":";
  CHECK_THAT(readMessage(fileOf(deepObjects)), Contains("nested"));
}

TEST_CASE("what is no file is refused, and what cannot be written leaves nothing behind") {
  Folder folder;
  auto missing = readSafetensors(folder.path / "missing");
  REQUIRE(!missing);
  CHECK(missing.error().code == ErrorCode::NotFound);
  CHECK(readSafetensors(folder.path).error().code == ErrorCode::IoError);

  CHECK(writeSafetensors(folder.path / "no" / "such" / "folder", sample()).error().code == ErrorCode::IoError);
  TensorFile file = sample();
  file.tensors["q"].bytes.pop_back();
  CHECK_THAT(writeSafetensors(folder.path / "f", file).error().message, Contains("'q'"));
  file = sample();
  file.tensors["q"].shape = {-1, -30};
  CHECK(writeSafetensors(folder.path / "f", file).error().code == ErrorCode::InvalidArgument);
  file = sample();
  file.metadata["bad"] = "\xff";
  CHECK_THAT(writeSafetensors(folder.path / "f", file).error().message, Contains("UTF-8"));
  file = sample();
  file.tensors["__metadata__"] = file.tensors["q"];
  CHECK_THAT(writeSafetensors(folder.path / "f", file).error().message, Contains("reserved"));
  fs::create_directories(folder.path / "taken" / "inside");
  CHECK(writeSafetensors(folder.path / "taken", sample()).error().code == ErrorCode::IoError);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

//===---------------------------------------------------------------------------------------------------------------===//
// Element conversions
//===---------------------------------------------------------------------------------------------------------------===//

namespace {

double fromBits(uint16_t bits, DType dtype) {
  std::byte element[2];
  std::memcpy(element, &bits, 2);
  return toDouble(element, dtype);
}

uint16_t toBits(double value, DType dtype) {
  std::byte element[2];
  fromDouble(value, element, dtype);
  uint16_t bits;
  std::memcpy(&bits, element, 2);
  return bits;
}

/// The definition of the format, in other words than the code: (-1)^s * 1.f * 2^(e - bias).
double byDefinition(uint16_t bits, int mantissa, int bias) {
  int exponent = (bits & 0x7fff) >> mantissa, most = 0x7fff >> mantissa;
  double fraction = std::ldexp(bits & ((1 << mantissa) - 1), -mantissa);
  double magnitude = exponent == most ? (fraction == 0 ? INFINITY : NAN)
                     : exponent == 0  ? std::ldexp(fraction, 1 - bias)
                                      : std::ldexp(1 + fraction, exponent - bias);
  return bits & 0x8000 ? -magnitude : magnitude;
}

} // namespace

TEST_CASE(
    "all 16-bit patterns convert, and back; between two neighbours the nearer one wins, the even one at the middle") {
  for (auto [dtype, mantissa, bias] : {std::tuple(DType::BF16, 7, 127), {DType::F16, 10, 15}}) {
    auto infinity = static_cast<uint16_t>(0x7fff >> mantissa << mantissa);
    int wrong = 0;
    for (uint32_t pattern = 0; pattern < 65536; ++pattern) {
      auto bits = static_cast<uint16_t>(pattern);
      double value = fromBits(bits, dtype), expected = byDefinition(bits, mantissa, bias);
      if (std::isnan(expected)) {
        wrong += !std::isnan(value) || !std::isnan(fromBits(toBits(value, dtype), dtype));
        continue;
      }
      wrong += value != expected || std::signbit(value) != std::signbit(expected) || toBits(value, dtype) != bits;
      if ((bits & 0x7fff) == infinity)
        continue;
      // The next value away from 0; beyond the largest finite number the format goes on as if it had one more exponent.
      auto next = static_cast<uint16_t>(bits + 1);
      bool lastFinite = (next & 0x7fff) == infinity;
      double below = fromBits(static_cast<uint16_t>(bits - 1), dtype);
      double nextValue = lastFinite ? value + (value - below) : fromBits(next, dtype);
      double middle = (value + nextValue) / 2;
      uint16_t even = bits % 2 == 0 ? bits : next;
      wrong += toBits(middle, dtype) != even;
      wrong += toBits(std::nextafter(middle, value), dtype) != bits;
      wrong += toBits(std::nextafter(middle, nextValue), dtype) != next;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("conversions round once, and what is out of range is infinite") {
  // Through float32 this would first round to the middle, then down to the even neighbour.
  CHECK(toBits(1 + std::ldexp(1, -8) + std::ldexp(1, -40), DType::BF16) == 0x3f81);
  CHECK(toBits(1 + std::ldexp(1, -11) + std::ldexp(1, -40), DType::F16) == 0x3c01);
  CHECK(toBits(65519.99, DType::F16) == 0x7bff);
  CHECK(toBits(65520, DType::F16) == 0x7c00);
  for (DType dtype : {DType::BF16, DType::F16}) {
    CHECK(std::isinf(fromBits(toBits(1e300, dtype), dtype)));
    CHECK(fromBits(toBits(-INFINITY, dtype), dtype) == -INFINITY);
    CHECK(toBits(1e-300, dtype) == 0);
    CHECK(toBits(-std::numeric_limits<double>::denorm_min(), dtype) == 0x8000);
    CHECK(std::isnan(fromBits(toBits(NAN, dtype), dtype)));
  }
  std::byte element[4];
  fromDouble(0.1, element, DType::F32);
  CHECK(toDouble(element, DType::F32) == 0.1f);
}
