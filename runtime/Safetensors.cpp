// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Safetensors.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <optional>
#include <set>

namespace landmark {

namespace fs = std::filesystem;
using Json = nlohmann::json;

static constexpr uint64_t lengthBytes = 8;
/// The limit that other readers of the format set.
static constexpr uint64_t maxHeaderBytes = 100'000'000;
static constexpr std::string_view metadataKey = "__metadata__";

HostTensor HostTensor::zeros(DType dtype, std::vector<int64_t> shape) {
  HostTensor tensor{dtype, std::move(shape), {}};
  tensor.bytes.resize(static_cast<size_t>(tensor.elements() * byteSize(dtype)));
  return tensor;
}

int64_t HostTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

namespace {

/// Where a tensor lies, checked for itself; `begin` and `end` count bytes from the end of the header.
struct Entry {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  int64_t begin;
  int64_t end;
};

Error damaged(const fs::path &path, std::string what) {
  return {ErrorCode::IoError, fmt::format("'{}' is no valid safetensors file: {}", path.string(), what)};
}

/// Bytes of a tensor; nothing where a size is negative or the product overflows, zero sizes left out, so that no order
/// of multiplication can overflow later.
std::optional<int64_t> checkedBytes(const std::vector<int64_t> &shape, DType dtype) {
  int64_t bytes = byteSize(dtype);
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0 || (size > 0 && __builtin_mul_overflow(bytes, size, &bytes)))
      return std::nullopt;
    empty |= size == 0;
  }
  return empty ? 0 : bytes;
}

std::optional<int64_t> asCount(const Json &value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    return std::nullopt;
  return value.get<int64_t>();
}

std::optional<std::vector<int64_t>> asCounts(const Json &value) {
  if (!value.is_array())
    return std::nullopt;
  std::vector<int64_t> counts;
  for (const Json &element : value) {
    std::optional<int64_t> count = asCount(element);
    if (!count)
      return std::nullopt;
    counts.push_back(*count);
  }
  return counts;
}

std::optional<DType> asDType(const Json &value) {
  if (value == "BF16")
    return DType::BF16;
  if (value == "F16")
    return DType::F16;
  if (value == "F32")
    return DType::F32;
  return std::nullopt;
}

std::string_view formatName(DType dtype) { return dtype == DType::BF16 ? "BF16" : dtype == DType::F16 ? "F16" : "F32"; }

/// Text of a value for a message, kept short and printable whatever the file holds.
std::string quote(const Json &value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 80) + "...";
}

/// Parses the header. JSON itself lets a name occur twice, the last one winning: here that is an error, as are arrays
/// and objects nested deeper than the format has them.
Expected<Json> parseHeader(const std::string &text, const fs::path &path) {
  std::vector<std::set<std::string>> namesOfDepth(3);
  std::string problem;
  auto inspect = [&](int depth, Json::parse_event_t event, Json &parsed) {
    bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth > 2)
      problem = "its header is nested too deeply";
    if (event == Json::parse_event_t::object_start && depth <= 2)
      namesOfDepth[static_cast<size_t>(depth)].clear();
    if (event == Json::parse_event_t::key && depth <= 3 &&
        !namesOfDepth[static_cast<size_t>(depth - 1)].insert(parsed.get<std::string>()).second)
      problem = fmt::format("its header names {} twice", quote(parsed));
    return problem.empty();
  };
  Json header = text.starts_with('{') ? Json::parse(text, inspect, /*allow_exceptions=*/false) : Json();
  if (!problem.empty())
    return damaged(path, problem);
  if (!header.is_object())
    return damaged(path, "its header is no JSON object");
  return header;
}

Expected<Entry> parseEntry(const std::string &name, const Json &value, const fs::path &path) {
  auto bad = [&](std::string_view field, std::string_view allowed) {
    Json got = value.is_object() && value.contains(field) ? value[field] : Json();
    return damaged(path, fmt::format("tensor {}: {} is {}, allowed: {}", quote(name), field, quote(got), allowed));
  };
  if (!value.is_object())
    return damaged(path, fmt::format("tensor {} is described by {}, allowed: an object", quote(name), quote(value)));
  for (const auto &[field, unused] : value.items())
    if (field != "dtype" && field != "shape" && field != "data_offsets")
      return damaged(path, fmt::format("tensor {} has an unknown field {}", quote(name), quote(field)));

  std::optional<DType> dtype = value.contains("dtype") ? asDType(value["dtype"]) : std::nullopt;
  if (!dtype)
    return bad("dtype", "\"BF16\", \"F16\", \"F32\"");
  auto shape = value.contains("shape") ? asCounts(value["shape"]) : std::nullopt;
  std::optional<int64_t> bytes = shape ? checkedBytes(*shape, *dtype) : std::nullopt;
  if (!bytes)
    return bad("shape", "an array of sizes >= 0 whose product fits 63 bits");
  auto offsets = value.contains("data_offsets") ? asCounts(value["data_offsets"]) : std::nullopt;
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1] || (*offsets)[1] - (*offsets)[0] != *bytes)
    return bad("data_offsets", fmt::format("[begin, end] that lie {} bytes apart, as type and shape say", *bytes));
  return Entry{name, *dtype, std::move(*shape), (*offsets)[0], (*offsets)[1]};
}

/// The tensors must tile the data: no gap, no overlap, nothing left over.
Expected<void> checkCover(std::vector<Entry> &entries, int64_t dataBytes, const fs::path &path) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  int64_t covered = 0;
  for (const Entry &entry : entries) {
    if (entry.begin != covered)
      return damaged(path, fmt::format("tensor {} begins at byte {} of the data, allowed: {}", quote(entry.name),
                                       entry.begin, covered));
    covered = entry.end;
  }
  if (covered != dataBytes)
    return damaged(path, fmt::format("its tensors take {} bytes, but it holds {} bytes of data", covered, dataBytes));
  return {};
}

Expected<std::map<std::string, std::string>> parseMetadata(const Json &value, const fs::path &path) {
  std::map<std::string, std::string> metadata;
  if (!value.is_object())
    return damaged(path, fmt::format("__metadata__ is {}, allowed: an object of strings", quote(value)));
  for (const auto &[key, text] : value.items()) {
    if (!text.is_string())
      return damaged(path, fmt::format("__metadata__ {} is {}, allowed: a string", quote(key), quote(text)));
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

/// Reads the length and the text of the header from the start of the file.
Expected<std::string> readHeader(std::ifstream &in, uint64_t fileBytes, const fs::path &path) {
  if (fileBytes < lengthBytes)
    return damaged(path, fmt::format("it has {} bytes, allowed: at least {}", fileBytes, lengthBytes));
  unsigned char prefix[lengthBytes];
  in.read(reinterpret_cast<char *>(prefix), lengthBytes);
  uint64_t length = 0;
  for (uint64_t byte = lengthBytes; byte-- > 0;)
    length = length << 8 | prefix[byte];
  uint64_t limit = std::min(maxHeaderBytes, fileBytes - lengthBytes);
  if (!in || length > limit)
    return damaged(path, fmt::format("its header claims {} bytes, allowed: at most {}", length, limit));
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  if (!in)
    return Error{ErrorCode::IoError, fmt::format("'{}' cannot be read", path.string())};
  return text;
}

} // namespace

Expected<TensorFile> readSafetensors(const fs::path &path) {
  std::error_code status;
  if (!fs::exists(path, status))
    return Error{ErrorCode::NotFound, fmt::format("'{}' does not exist", path.string())};
  uint64_t fileBytes = fs::is_regular_file(path, status) ? fs::file_size(path, status) : 0;
  std::ifstream in(path, std::ios::binary);
  if (status || !in || !fs::is_regular_file(path, status))
    return Error{ErrorCode::IoError, fmt::format("'{}' cannot be read as a file", path.string())};

  Expected<std::string> text = readHeader(in, fileBytes, path);
  if (!text)
    return text.error();
  Expected<Json> header = parseHeader(*text, path);
  if (!header)
    return header.error();

  TensorFile file;
  std::vector<Entry> entries;
  for (const auto &[name, value] : header->items()) {
    if (name == metadataKey) {
      auto metadata = parseMetadata(value, path);
      if (!metadata)
        return metadata.error();
      file.metadata = std::move(*metadata);
      continue;
    }
    Expected<Entry> entry = parseEntry(name, value, path);
    if (!entry)
      return entry.error();
    entries.push_back(std::move(*entry));
  }
  int64_t dataBytes = static_cast<int64_t>(fileBytes - lengthBytes - text->size());
  if (Expected<void> cover = checkCover(entries, dataBytes, path); !cover)
    return cover.error();

  // Sorted and without gaps: one pass over the file reads them all.
  for (Entry &entry : entries) {
    HostTensor tensor{entry.dtype, std::move(entry.shape), {}};
    tensor.bytes.resize(static_cast<size_t>(entry.end - entry.begin));
    in.read(reinterpret_cast<char *>(tensor.bytes.data()), static_cast<std::streamsize>(tensor.bytes.size()));
    if (!in)
      return Error{ErrorCode::IoError, fmt::format("'{}' cannot be read", path.string())};
    file.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  return file;
}

/// The header, padded so that the data that follows is aligned; nothing where a string is not UTF-8.
static std::optional<std::string> headerText(const TensorFile &file, const std::vector<const std::string *> &order) {
  Json header = Json::object();
  if (!file.metadata.empty())
    header[metadataKey] = file.metadata;
  int64_t begin = 0;
  for (const std::string *name : order) {
    const HostTensor &tensor = file.tensors.at(*name);
    int64_t end = begin + static_cast<int64_t>(tensor.bytes.size());
    header[*name] = {{"dtype", formatName(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (Json::parse(text, nullptr, /*allow_exceptions=*/false) != header)
    return std::nullopt;
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

Expected<void> writeSafetensors(const fs::path &path, const TensorFile &file) {
  std::vector<const std::string *> order;
  for (const auto &[name, tensor] : file.tensors) {
    if (name == metadataKey)
      return Error{ErrorCode::InvalidArgument, fmt::format("a tensor's name: got '{}', which is reserved", name)};
    std::optional<int64_t> bytes = checkedBytes(tensor.shape, tensor.dtype);
    if (!bytes || static_cast<uint64_t>(*bytes) != tensor.bytes.size())
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("tensor '{}': its {} bytes do not match its shape and type", name, tensor.bytes.size())};
    order.push_back(&name);
  }
  // Wide elements first keeps every tensor aligned to its elements.
  std::stable_sort(order.begin(), order.end(), [&](const std::string *a, const std::string *b) {
    return byteSize(file.tensors.at(*a).dtype) > byteSize(file.tensors.at(*b).dtype);
  });
  std::optional<std::string> header = headerText(file, order);
  if (!header)
    return Error{ErrorCode::InvalidArgument, "names of tensors and metadata: allowed: UTF-8"};

  static std::atomic<unsigned> counter;
  fs::path partial = path;
  partial += fmt::format(".partial-{}-{}", ::getpid(), counter++);
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  char prefix[lengthBytes];
  for (uint64_t byte = 0; byte < lengthBytes; ++byte)
    prefix[byte] = static_cast<char>(header->size() >> (8 * byte) & 0xff);
  out.write(prefix, lengthBytes);
  out.write(header->data(), static_cast<std::streamsize>(header->size()));
  for (const std::string *name : order) {
    const std::vector<std::byte> &bytes = file.tensors.at(*name).bytes;
    out.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  out.close();

  std::error_code status;
  if (out)
    fs::rename(partial, path, status);
  if (!out || status) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    return Error{ErrorCode::IoError, fmt::format("'{}' cannot be written{}{}", path.string(), status ? ": " : "",
                                                 status ? status.message() : "")};
  }
  return {};
}

} // namespace landmark
