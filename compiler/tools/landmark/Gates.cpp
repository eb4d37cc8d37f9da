// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Gates.h"

#include <algorithm>
#include <cmath>

namespace landmark::tool {

namespace {

std::vector<double> rowOf(const TensorView &view, int64_t head, int64_t row) {
  std::vector<double> values(view.shape[3]);
  auto *element = static_cast<const std::byte *>(view.data) +
                  (head * view.strides[1] + row * view.strides[2]) * byteSize(view.dtype);
  for (double &value : values) {
    value = toDouble(element, view.dtype);
    element += byteSize(view.dtype);
  }
  return values;
}

double dot(const std::vector<double> &a, const std::vector<double> &b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

/// Adds the gates of one row to `gates`: one softmax over the landmarks of the past blocks and the row's own block.
void addRow(const TensorView &q, const TensorView &k, const ForwardSemantics &semantics, int64_t head, int64_t row,
            Gates &gates) {
  int64_t length = semantics.blockSize, position = row + semantics.qOffset;
  int64_t kvHead = head / (q.shape[1] / k.shape[1]), own = (position + semantics.phase) / length;
  std::vector<double> query = rowOf(q, head, row), logits;
  std::vector<int64_t> blocks;
  auto add = [&](int64_t key, int64_t block) {
    if (key < 0 || key >= k.shape[2])
      return;
    logits.push_back(semantics.scale * dot(query, rowOf(k, kvHead, key)));
    blocks.push_back(block);
  };
  // A landmark with nothing before it in its block gates nothing (C6).
  for (int64_t block = semantics.phase == length - 1 ? 1 : 0; block < own; ++block)
    add((block + 1) * length - 1 - semantics.phase, block);
  int64_t ownEnd = std::min(position, (own + 1) * length - 2 - semantics.phase);
  for (int64_t key = std::max<int64_t>(0, own * length - semantics.phase); key <= ownEnd; ++key)
    add(key, own);
  if (logits.empty())
    return;
  double most = *std::max_element(logits.begin(), logits.end()), sum = 0;
  for (double &logit : logits)
    sum += logit = std::exp(logit - most);
  for (std::size_t i = 0; i < logits.size(); ++i)
    (blocks[i] == own ? gates.own : gates.past[blocks[i]]) += logits[i] / sum;
}

} // namespace

Gates lastRowsGates(const Inputs &inputs, int64_t rows) {
  TensorView q = viewOf(inputs.q), k = viewOf(inputs.k);
  ForwardSemantics semantics = semanticsOf(inputs);
  int64_t end = q.shape[2], count = std::min(rows, end);
  Gates gates{0, std::vector<double>((end + semantics.qOffset + semantics.phase) / semantics.blockSize + 1)};
  for (int64_t head = 0; head < q.shape[1]; ++head)
    for (int64_t row = end - count; row < end; ++row)
      addRow(q, k, semantics, head, row, gates);
  double share = 1.0 / double(std::max<int64_t>(1, count * q.shape[1]));
  gates.own *= share;
  for (double &gate : gates.past)
    gate *= share;
  return gates;
}

} // namespace landmark::tool
