// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel is launched with: pointers to its arguments, views expanded as MLIR expands the template's signature.
#ifndef LANDMARK_RUNTIME_ARGUMENTTABLE_H
#define LANDMARK_RUNTIME_ARGUMENTTABLE_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace landmark {

/// A view as seven numbers or more: pointers, offset, sizes, strides.
template <std::size_t Rank> struct ViewDescriptor {
  static constexpr std::size_t fields = 3 + 2 * Rank;
  void *base, *aligned;
  int64_t offset;
  std::array<int64_t, Rank> sizes, strides;

  template <typename View>
  explicit ViewDescriptor(const View &view) : base(view.data), aligned(view.data), offset(0), sizes(view.shape), strides(view.strides) {}
};

/// Pointers to arguments in their order; what they point to must outlive it.
template <std::size_t Count> class ArgumentTable {
public:
  template <std::size_t Rank> void add(ViewDescriptor<Rank> &view) {
    add(view.base);
    add(view.aligned);
    add(view.offset);
    for (int64_t &size : view.sizes)
      add(size);
    for (int64_t &stride : view.strides)
      add(stride);
  }
  template <typename Scalar> void add(Scalar &scalar) { table[used++] = &scalar; }

  void **data() { return table.data(); }

private:
  std::array<void *, Count> table;
  std::size_t used = 0;
};

} // namespace landmark
#endif
