// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Transforms/Templates.h"
#include "compiler/Transforms/RetrievalTemplates.h"

#include "compiler/Driver/ForwardConfig.h"
#include "compiler/Driver/RetrievalConfig.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace landmark {
namespace {

struct EmbeddedTemplate {
  const char *name;
  const char *text;
};
const EmbeddedTemplate embedded[] = {
#include "templates/Templates.inc"
};

Expected<Template> readTemplate(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf()))
    return Error{ErrorCode::NotFound, fmt::format("template: cannot read '{}'", path.string())};
  return Template{path.string(), text.str()};
}

/// Landmarks in a tile of them: few, as what is beyond a row's last block is computed for nothing, half a tile a program. Those of retrieval are a page of them, or a part.
int64_t tileLandmarks(const Problem &problem, const Config &config) {
  if (isRetrieval(problem.operation))
    return config.keyTile;
  return marksTiles(problem.operation) ? markedBlocks : std::min<int64_t>(config.keyTile, 32);
}

} // namespace

std::vector<std::string> kernelNames(const std::string &base, Operation operation, bool adds) {
  if (marksTiles(operation))
    return {base + "_masks", base + "_lists"};
  if (!isBackward(operation))
    return {base};
  if (adds)
    return {base + "_prepare", base + "_keys", base + "_finish"};
  return {base + "_queries", base + "_keys"};
}

std::string templateName(const Problem &problem, const Config &config, bool adds) {
  if (isRetrieval(problem.operation))
    return fmt::format("{}.mlir", name(isAttention(problem.operation) ? Operation::Attend : problem.operation));
  bool isWide = problem.operation == Operation::Forward && !keepsBlockOutput(problem, config);
  bool takesLists = isGated(problem.operation) && !marksTiles(problem.operation); // of the template that serves without them too
  Operation operation = !takesLists ? problem.operation : isBackward(problem.operation) ? Operation::Backward : Operation::Forward;
  return fmt::format("{}{}.mlir", name(operation), isLongBlock(problem, config) ? (isWide ? "_long_wide" : "_long") : adds ? "_add" : "");
}

Expected<Template> findTemplate(const std::string &name, const std::string &file, const std::string &dir) {
  if (!file.empty())
    return readTemplate(file);
  if (!dir.empty()) {
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::path(dir) / name, error))
      return readTemplate(std::filesystem::path(dir) / name);
    if (!std::filesystem::is_directory(dir, error))
      return Error{ErrorCode::NotFound, fmt::format("template directory: '{}' is not a directory", dir)};
  }
  for (const EmbeddedTemplate &entry : embedded)
    if (name == entry.name)
      return Template{name, entry.text};
  return Error{ErrorCode::NotFound, fmt::format("template: there is none named '{}'", name)};
}

std::string typeAliases(const Problem &problem, const Config &config, const KeyTiling &tiling) {
  if (isRetrieval(problem.operation))
    return retrievalAliases(problem, config);
  int64_t rows = config.queryTile, keyRows = tiling.queryTile, blocks = tileBlocks(problem, config), tokens = config.keyTile / blocks;
  int64_t gates = tileLandmarks(problem, config), tail = tailColumns(problem, config), dim = problem.headDim;
  std::string_view type = name(problem.dtype), gradient = name(problem.gradientType());
  auto tile = [](std::string_view element, std::initializer_list<int64_t> shape) {
    return fmt::format("tensor<{}x{}>", fmt::join(shape, "x"), element);
  };
  const std::pair<const char *, std::string> aliases[] = {
      {"view", fmt::format("memref<?x?x?x{}x{}, strided<[?, ?, ?, 1]>>", dim, type)},
      {"grad_view", fmt::format("memref<?x?x?x{}x{}, strided<[?, ?, ?, 1]>>", dim, gradient)},
      {"sum_view", fmt::format("memref<?x?x?x{0}xf32, strided<[?, ?, {0}, 1]>>", dim)},
      {"packed_rows", "memref<?x?x?xf32, strided<[?, ?, 1]>>"},
      {"rows_view", "memref<?x?x?xf32, strided<[?, ?, ?]>>"},
      {"words", "memref<?x?x?xi32, strided<[?, ?, ?]>>"},
      {"lists", "memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>"},
      {"tail_tile", tile(type, {1, tail, dim})},
      {"tail_s", tile("f32", {rows, 1, tail})},
      {"tail_p", tile(type, {rows, 1, tail})},
      {"tail_seen", tile("i1", {rows, 1, tail})},
      {"q_tile", tile(type, {rows, dim})},
      {"kv_tile", tile(type, {blocks, tokens, dim})},
      {"gate_tile", tile(type, {gates, dim})},
      {"s_tile", tile("f32", {rows, blocks, tokens})},
      {"p_tile", tile(type, {rows, blocks, tokens})},
      {"seen", tile("i1", {rows, blocks, tokens})},
      {"own", tile("i1", {rows, blocks})},
      {"factors", tile("f32", {rows, blocks})},
      {"g_tile", tile("f32", {rows, gates})},
      {"gates", tile("i1", {rows, gates})},
      {"gate_ids", tile("i32", {rows, gates})},
      {"columns", tile("f32", {gates})},
      {"column_ids", tile("i32", {gates})},
      {"o_tile", tile("f32", {rows, dim})},
      {"d_tile", tile("f32", {config.keyTile, dim})},
      {"dq_tile", tile(gradient, {rows, dim})},
      {"dkv_tile", tile(gradient, {config.keyTile, dim})},
      {"row", tile("f32", {rows})},
      {"row_index", tile("i32", {rows})},
      {"row_mask", tile("i1", {rows})},
      {"key_q_tile", tile(type, {keyRows, dim})},
      {"key_o_tile", tile("f32", {keyRows, dim})},
      {"key_s_tile", tile("f32", {keyRows, blocks, tokens})},
      {"key_p_tile", tile(type, {keyRows, blocks, tokens})},
      {"key_seen", tile("i1", {keyRows, blocks, tokens})},
      {"key_own", tile("i1", {keyRows, blocks})},
      {"key_row", tile("f32", {keyRows})},
      {"key_row_index", tile("i32", {keyRows})},
  };
  std::string text;
  for (const auto &[alias, definition] : aliases)
    text += fmt::format("!{} = {} ", alias, definition);
  return text;
}

Expected<int64_t> parameter(const std::string &name, const Problem &problem, const Config &config, const KeyTiling &tiling) {
  const std::map<std::string, int64_t> values = {
      {"block_size", problem.blockSize},
      {"ordinary_tokens", problem.blockSize - 1},
      {"head_dim", problem.headDim},
      {"query_tile", config.queryTile},
      {"key_query_tile", tiling.queryTile},
      {"key_tile", config.keyTile},
      {"tail_tokens", tailTokens(problem, config)},
      {"tail_ordinary", tailTokens(problem, config) - 1},
      {"tile_blocks", tileBlocks(problem, config)},
      {"tile_landmarks", tileLandmarks(problem, config)},
      {"page_landmarks", Problem::landmarksPerPage},
      {"tile_tokens", tileTokens(problem, config)},
      {"passes", tiling.passes},
      {"top_k", problem.topK},
      {"holds_list", holdsList(config)},
      {"rotates", problem.rotates},
      {"weight_exponent", problem.dtype == DType::F16 ? halfWeightExponent : 0},
      {"listed", problem.operation == Operation::ForwardListed || problem.operation == Operation::BackwardListed},
      {"joins", problem.operation == Operation::AttendJoin},
  };
  auto found = values.find(name);
  if (found != values.end())
    return found->second;
  std::vector<std::string> names;
  for (const auto &value : values)
    names.push_back(value.first);
  return Error{ErrorCode::NotFound, fmt::format("there is no parameter '{}'; there are {}", name, fmt::join(names, ", "))};
}

} // namespace landmark
