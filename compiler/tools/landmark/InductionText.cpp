// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "InductionText.h"

#include "Random.h"

#include <algorithm>
#include <cmath>

namespace landmark::tool {

namespace {

constexpr double matchLogit = 10.0;   ///< of two equal contexts at the default scale
constexpr float landmarkLogit = 8.0f; ///< of a landmark whose block holds the context as one of its rarest
constexpr float ownShare = 0.3f;      ///< by which the query heads of a group differ
constexpr int64_t rarest = 8;         ///< places that a landmark stands for

} // namespace

InductionText::InductionText(int64_t blockSize, int64_t headDim, int64_t heads, int64_t kvHeads, DType dtype,
                             uint64_t seed)
    : blockSize(blockSize), headDim(headDim), heads(heads), kvHeads(kvHeads), dtype(dtype), surprises(256, 8.0) {
  Random random(seed);
  auto draw = [&](int64_t rows, auto make) {
    Row table(size_t(rows * headDim));
    for (float &value : table)
      value = make(random.normal());
    return table;
  };
  auto sign = [](double number) { return number < 0 ? -1.0f : 1.0f; };
  for (int64_t kvHead = 0; kvHead < kvHeads; ++kvHead) {
    keyEmbedding.push_back(draw(reach * 256, sign));
    valueEmbedding.push_back(draw(256, [](double number) { return float(number); }));
    for (int64_t member = 0; member < heads / kvHeads; ++member)
      queryEmbedding.push_back(draw(reach * 256, sign));
  }
}

void InductionText::add(unsigned char byte) {
  history.push_back(byte);
  bytesBefore.push_back(int64_t(bytes.size()));
  bytes.push_back(byte);
  if (tokens() % blockSize == blockSize - 1) {
    history.push_back(landmark);
    bytesBefore.push_back(int64_t(bytes.size()));
  }
}

void InductionText::announce(const std::string &text) {
  std::vector<int64_t> counts(256, 1);
  for (unsigned char byte : text)
    ++counts[byte];
  for (int byte = 0; byte < 256; ++byte)
    surprises[size_t(byte)] = std::log2(double(text.size() + 256) / double(counts[size_t(byte)]));
}

/// Bits of the context that ends before byte `before`.
double InductionText::surprise(int64_t before) const {
  double sum = 0;
  for (int64_t back = 1; back <= std::min(reach, before); ++back)
    sum += surprises[bytes[size_t(before - back)]];
  return sum;
}

void InductionText::addContext(const Row &embedding, int64_t before, float factor, float *sum) const {
  Row product(size_t(headDim), factor * std::sqrt(float(matchLogit) / std::sqrt(float(headDim))));
  for (int64_t back = 0; back < std::min(reach, before); ++back) {
    const float *signs = &embedding[size_t((back * 256 + bytes[size_t(before - 1 - back)]) * headDim)];
    for (int64_t column = 0; column < headDim; ++column)
      product[size_t(column)] *= signs[column];
  }
  for (int64_t column = 0; column < headDim; ++column)
    sum[column] += product[size_t(column)];
}

void InductionText::landmarkKey(int64_t kvHead, int64_t position, float *sum) const {
  std::vector<int64_t> places;
  for (int64_t token = position - blockSize + 1; token < position; ++token)
    places.push_back(bytesBefore[size_t(token)]);
  auto isRarer = [&](int64_t a, int64_t b) { return surprise(a) > surprise(b); };
  std::stable_sort(places.begin(), places.end(), isRarer);
  for (size_t i = 0; i < std::min<size_t>(rarest, places.size()); ++i)
    addContext(keyEmbedding[size_t(kvHead)], places[i], landmarkLogit / float(matchLogit), sum);
}

void InductionText::embed(int64_t first, int64_t count, HostTensor &k, HostTensor &v, ThreadPool &pool) const {
  k = v = HostTensor::zeros(dtype, {1, kvHeads, count, headDim});
  constexpr int64_t rowsOfTask = 256;
  int64_t tasks = (count + rowsOfTask - 1) / rowsOfTask;
  pool.run(kvHeads * tasks, [&](int64_t task) {
    int64_t kvHead = task / tasks, begin = task % tasks * rowsOfTask;
    std::vector<float> sum(static_cast<size_t>(headDim));
    for (int64_t row = begin; row < std::min(count, begin + rowsOfTask); ++row) {
      int64_t position = first + row, offset = (kvHead * count + row) * headDim * byteSize(dtype);
      std::fill(sum.begin(), sum.end(), 0.0f);
      bool isLandmark = token(position) == landmark;
      if (isLandmark)
        landmarkKey(kvHead, position, sum.data());
      else
        addContext(keyEmbedding[size_t(kvHead)], bytesBefore[size_t(position)], 1, sum.data());
      for (int64_t column = 0; column < headDim; ++column)
        fromDouble(double(sum[size_t(column)]), k.bytes.data() + offset + column * byteSize(dtype), dtype);
      if (isLandmark)
        continue;
      const float *value = &valueEmbedding[size_t(kvHead)][size_t(token(position) * headDim)];
      for (int64_t column = 0; column < headDim; ++column)
        fromDouble(double(value[column]), v.bytes.data() + offset + column * byteSize(dtype), dtype);
    }
  });
}

HostTensor InductionText::query() const {
  HostTensor q = HostTensor::zeros(dtype, {1, heads, 1, headDim});
  for (int64_t head = 0; head < heads; ++head) {
    std::vector<float> sum(size_t(headDim), 0.0f);
    addContext(keyEmbedding[size_t(head / (heads / kvHeads))], int64_t(bytes.size()), 1, sum.data());
    addContext(queryEmbedding[size_t(head)], int64_t(bytes.size()), ownShare, sum.data());
    for (int64_t column = 0; column < headDim; ++column)
      fromDouble(double(sum[size_t(column)]), q.bytes.data() + (head * headDim + column) * byteSize(dtype), dtype);
  }
  return q;
}

unsigned char InductionText::nearest(const HostTensor &o) const {
  double best = -INFINITY;
  int found = 0;
  for (int byte = 0; byte < 256; ++byte) {
    double sum = 0;
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t column = 0; column < headDim; ++column)
        sum += toDouble(o.bytes.data() + (head * headDim + column) * byteSize(dtype), dtype) *
               double(valueEmbedding[size_t(head / (heads / kvHeads))][size_t(byte * headDim + column)]);
    if (sum > best) {
      best = sum;
      found = byte;
    }
  }
  return static_cast<unsigned char>(found);
}

} // namespace landmark::tool
