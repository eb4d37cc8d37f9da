// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A text as keys, values and queries, some at a time: an induction head of a fixed random embedding, for contexts of
// any length.
#ifndef LANDMARK_TOOLS_INDUCTIONTEXT_H
#define LANDMARK_TOOLS_INDUCTIONTEXT_H

#include "Safetensors.h"
#include "ThreadPool.h"

#include <cstdint>
#include <string>
#include <vector>

namespace landmark::tool {

/// The embedding of a few bytes is the product of a sign vector for each of them, so that contexts that differ in one
/// byte are unlike each other. As in `landmark demo` the query of a position holds the last few bytes and the key the
/// few bytes before it, so that a row attends to what once followed the text that it ends on. There are no rotary
/// positions, which lose sight of what is a million tokens away, and a landmark's key is the mean of the places of its
/// block whose bytes are the rarest in the text: what is peculiar to it.
class InductionText {
public:
  InductionText(int64_t blockSize, int64_t headDim, int64_t heads, int64_t kvHeads, DType dtype, uint64_t seed);

  static constexpr int landmark = -1;

  /// Counts the bytes of the text to come: which of them are rare.
  void announce(const std::string &text);
  /// Adds a byte, and the landmark that it brings where it ends a block.
  void add(unsigned char byte);

  int64_t tokens() const { return int64_t(history.size()); }
  int token(int64_t position) const { return history[size_t(position)]; } ///< a byte, or `landmark`

  /// Keys and values of tokens [first, first + count), [1, key/value heads, count, D].
  void embed(int64_t first, int64_t count, HostTensor &k, HostTensor &v, ThreadPool &pool) const;
  /// The query of the last token, [1, heads, 1, D].
  HostTensor query() const;
  /// The byte whose value is nearest to what the heads of `o` [1, heads, 1, D] found.
  unsigned char nearest(const HostTensor &o) const;

private:
  static constexpr int64_t reach = 4; ///< bytes of a context

  using Row = std::vector<float>;
  /// Adds the context that ends before byte `bytesBefore`.
  void addContext(const Row &embedding, int64_t bytesBefore, float factor, float *sum) const;
  double surprise(int64_t bytesBefore) const;
  void landmarkKey(int64_t kvHead, int64_t position, float *sum) const;

  int64_t blockSize, headDim, heads, kvHeads;
  DType dtype;
  std::vector<int> history;
  std::vector<unsigned char> bytes; ///< without landmarks
  std::vector<int64_t> bytesBefore; ///< of every token
  std::vector<double> surprises;    ///< of every byte, in bits
  std::vector<Row> keyEmbedding;    ///< of each key/value head: signs [back, byte, D]
  std::vector<Row> queryEmbedding;  ///< of each head
  std::vector<Row> valueEmbedding;  ///< of each key/value head: [byte, D]
};

} // namespace landmark::tool
#endif
