// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TextInput.h"
#include "Random.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace landmark {

namespace {

constexpr int64_t maxHeads = 1024;
constexpr int64_t vocabulary = TextInput::landmarkToken + 1;

/// How much each of the last bytes weighs in a context, the newest first; the squares sum to 1.
constexpr std::array<double, 4> contextWeights = {0.6, 0.54, 0.46, 0.37};

/// Logit, at the default scale, of two equal contexts at equal positions. Unrelated ones lie around 0 with a standard
/// deviation of about this over sqrt(D): rows are then decided by their matches and the mass still spreads over several
/// blocks.
constexpr double matchLogit = 10.0;

/// How far a landmark's logit follows what its block holds: at 1 one block takes nearly all of a row, at 0 all are
/// equal.
constexpr double landmarkGain = 0.5;

using Rows = std::vector<double>; // [row, headDim]

Expected<void> checkOptions(std::string_view text, const TextOptions &options) {
  if (Expected<void> valid = validate(Problem{Operation::Forward, options.blockSize, options.headDim, options.dtype});
      !valid)
    return valid;
  if (text.empty())
    return Error{ErrorCode::InvalidArgument, "text: got 0 bytes, allowed: at least 1"};
  if (options.kvHeads < 1 || options.kvHeads > maxHeads)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("key/value heads: got {}, allowed: 1 to {}", options.kvHeads, maxHeads)};
  if (options.heads < 1 || options.heads > maxHeads || options.heads % options.kvHeads != 0)
    return Error{ErrorCode::InvalidArgument, fmt::format("query heads: got {}, allowed: a multiple of {} up to {}",
                                                         options.heads, options.kvHeads, maxHeads)};
  // Heads times columns stay below 2^18, so nothing overflows for a text of this length.
  constexpr size_t maxText = size_t{1} << 40;
  if (text.size() > maxText)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("text: got {} bytes, allowed: at most {}", text.size(), maxText)};
  return {};
}

std::vector<uint16_t> tokenize(std::string_view text, int64_t blockSize) {
  std::vector<uint16_t> tokens;
  int64_t ordinary = 0;
  for (char byte : text) {
    tokens.push_back(static_cast<unsigned char>(byte));
    if (++ordinary % (blockSize - 1) == 0)
      tokens.push_back(TextInput::landmarkToken);
  }
  return tokens;
}

Rows drawRows(Random &random, int64_t columns) {
  Rows rows(static_cast<size_t>(vocabulary * columns));
  for (double &value : rows)
    value = random.normal();
  return rows;
}

/// Embeddings for q and k. Fast rotary pairs soon make two equal contexts look unlike each other, so content goes into
/// the slow ones, as training puts it there: the energy of a pair grows with its index and is `energy` per column on
/// average.
Rows drawContent(Random &random, int64_t columns, double energy) {
  Rows rows = drawRows(random, columns);
  int64_t half = columns / 2;
  for (size_t index = 0; index < rows.size(); ++index) {
    auto pair = static_cast<double>(static_cast<int64_t>(index) % half);
    rows[index] *= std::sqrt(energy * (2 * pair + 1) / static_cast<double>(half));
  }
  return rows;
}

double *rowOf(Rows &rows, int64_t row, int64_t columns) { return &rows[static_cast<size_t>(row * columns)]; }
const double *rowOf(const Rows &rows, int64_t row, int64_t columns) {
  return &rows[static_cast<size_t>(row * columns)];
}

void addScaled(double *sum, const double *row, double factor, int64_t columns) {
  for (int64_t column = 0; column < columns; ++column)
    sum[column] += factor * row[column];
}

/// The context of every token: the embeddings of the last bytes, starting `skip` bytes back. Landmarks are stepped
/// over, so that equal text has equal contexts wherever the blocks' borders fall; a landmark itself gets the mean of
/// its block.
Rows contexts(const std::vector<uint16_t> &tokens, const Rows &embedding, size_t skip, const TextOptions &options) {
  int64_t columns = options.headDim, blockSize = options.blockSize;
  Rows result(tokens.size() * static_cast<size_t>(columns));
  std::vector<uint16_t> bytes;
  // The mean of n contexts that are unlike each other is sqrt(n) shorter than they are.
  double meanFactor = landmarkGain / std::sqrt(static_cast<double>(blockSize - 1));
  for (int64_t row = 0; row < static_cast<int64_t>(tokens.size()); ++row) {
    double *sum = rowOf(result, row, columns);
    if (tokens[static_cast<size_t>(row)] == TextInput::landmarkToken) {
      for (int64_t other = row - blockSize + 1; other < row; ++other)
        addScaled(sum, rowOf(result, other, columns), meanFactor, columns);
      continue;
    }
    bytes.push_back(tokens[static_cast<size_t>(row)]);
    for (size_t back = 0; back < contextWeights.size() && back + skip < bytes.size(); ++back)
      addScaled(sum, rowOf(embedding, bytes[bytes.size() - 1 - skip - back], columns), contextWeights[back], columns);
  }
  return result;
}

/// Turns the pairs (column, column + columns/2) by the row's position: the half layout.
void applyRotary(Rows &rows, int64_t columns) {
  int64_t half = columns / 2;
  for (int64_t row = 0; row < static_cast<int64_t>(rows.size()) / columns; ++row)
    for (int64_t pair = 0; pair < half; ++pair) {
      double frequency = std::pow(10000.0, -static_cast<double>(pair) / static_cast<double>(half));
      double angle = static_cast<double>(row) * frequency;
      double &x = rows[static_cast<size_t>(row * columns + pair)];
      double &y = rows[static_cast<size_t>(row * columns + pair + half)];
      double turned = x * std::cos(angle) - y * std::sin(angle);
      y = x * std::sin(angle) + y * std::cos(angle);
      x = turned;
    }
}

void storeHead(const Rows &rows, int64_t head, HostTensor &tensor) {
  int64_t size = byteSize(tensor.dtype);
  std::byte *out = tensor.bytes.data() + head * static_cast<int64_t>(rows.size()) * size;
  for (double value : rows) {
    fromDouble(value, out, tensor.dtype);
    out += size;
  }
}

} // namespace

Expected<TextInput> textInput(std::string_view text, const TextOptions &options) {
  if (Expected<void> valid = checkOptions(text, options); !valid)
    return valid.error();

  TextInput input;
  input.tokens = tokenize(text, options.blockSize);
  int64_t length = static_cast<int64_t>(input.tokens.size()), columns = options.headDim;
  input.q = HostTensor::zeros(options.dtype, {1, options.heads, length, columns});
  input.k = HostTensor::zeros(options.dtype, {1, options.kvHeads, length, columns});
  input.v = HostTensor::zeros(options.dtype, {1, options.kvHeads, length, columns});

  Random random(options.seed);
  double energy = matchLogit / std::sqrt(static_cast<double>(columns));
  int64_t group = options.heads / options.kvHeads;
  for (int64_t kvHead = 0; kvHead < options.kvHeads; ++kvHead) {
    Rows keyEmbedding = drawContent(random, columns, energy);
    Rows keys = contexts(input.tokens, keyEmbedding, /*skip=*/1, options);
    applyRotary(keys, columns);
    storeHead(keys, kvHead, input.k);

    Rows valueEmbedding = drawRows(random, columns);
    Rows values(keys.size());
    for (int64_t row = 0; row < length; ++row)
      std::copy_n(rowOf(valueEmbedding, input.tokens[static_cast<size_t>(row)], columns), columns,
                  rowOf(values, row, columns));
    storeHead(values, kvHead, input.v);

    for (int64_t member = 0; member < group; ++member) {
      // Query heads of a group share the keys and differ in what they make of a byte.
      Rows queryEmbedding = drawContent(random, columns, 0.1 * energy);
      addScaled(queryEmbedding.data(), keyEmbedding.data(), 1.0, vocabulary * columns);
      Rows queries = contexts(input.tokens, queryEmbedding, /*skip=*/0, options);
      applyRotary(queries, columns);
      storeHead(queries, kvHead * group + member, input.q);
    }
  }
  return input;
}

} // namespace landmark
