// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What memory a strided view covers. Views are judged in bytes, of any rank.
#ifndef LANDMARK_RUNTIME_VIEWS_H
#define LANDMARK_RUNTIME_VIEWS_H

#include "landmark/Tensor.h"

#include <cstddef>
#include <optional>
#include <span>

namespace landmark {

/// A view as bytes: the innermost "dimension" is the element itself.
struct Footprint {
  struct Dimension {
    int64_t size;
    int64_t stride; ///< bytes
  };
  const std::byte *data = nullptr;
  int64_t elementBytes = 1;
  std::array<Dimension, 4> dimensions =
      {}; ///< the first `rank`: those of more than one element, by increasing |stride|
  int rank = 0;
  bool empty = false;
  int64_t lowest = 0;  ///< first byte relative to data
  int64_t highest = 0; ///< one past the last byte relative to data

  std::span<const Dimension> extents() const { return {dimensions.data(), std::size_t(rank)}; }
};

/// No address space is larger; below it sums of offsets cannot overflow.
constexpr int64_t maxViewBytes = int64_t(1) << 56;

/// Nothing if a size is negative, the elements would take more than 2^63 bytes, or an offset exceeds maxViewBytes.
std::optional<Footprint> footprint(const TensorView &view);
std::optional<Footprint> footprint(const RowsView &view);

/// Whether some bytes may belong to two elements. Exact for nested dimensions (each stride at least the extent of all
/// smaller ones); true for those that are not nested.
bool overlapsItself(const Footprint &view);

/// Whether the views may share bytes. Exact where their address ranges are apart, and where their dimensions have the
/// same strides and are nested (parts of one packed tensor); true otherwise.
bool overlaps(const Footprint &a, const Footprint &b);

} // namespace landmark
#endif
