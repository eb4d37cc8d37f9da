// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Views.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace landmark {

namespace {

/// Keeps the dimensions ordered by |stride|.
void insert(Footprint &view, Footprint::Dimension dimension) {
  int place = view.rank++;
  for (; place > 0 && std::abs(view.dimensions[place - 1].stride) > std::abs(dimension.stride); --place)
    view.dimensions[place] = view.dimensions[place - 1];
  view.dimensions[place] = dimension;
}

std::optional<Footprint> measure(const void *data, int64_t elementBytes, std::span<const int64_t> shape,
                                 std::span<const int64_t> strides) {
  Footprint view{.data = static_cast<const std::byte *>(data), .elementBytes = elementBytes, .highest = elementBytes};
  int64_t total = elementBytes;
  for (int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(total, std::max<int64_t>(size, 1), &total))
      return std::nullopt;
    view.empty |= size == 0;
  }
  for (std::size_t d = 0; d < shape.size() && !view.empty; ++d) {
    int64_t stride, reach;
    if (shape[d] == 1)
      continue;
    if (__builtin_mul_overflow(strides[d], elementBytes, &stride) ||
        __builtin_mul_overflow(stride, shape[d] - 1, &reach) || std::abs(reach / 2) > maxViewBytes / 2)
      return std::nullopt;
    (stride < 0 ? view.lowest : view.highest) += reach;
    insert(view, {shape[d], stride});
  }
  if (view.highest > maxViewBytes || view.lowest < -maxViewBytes)
    return std::nullopt;
  return view;
}

/// One dimension of the difference of two views: index differences `least` .. `most`, times `stride` > 0.
struct Difference {
  int64_t stride, least, most;
};

/// Whether `offset` less some sum of the differences lies strictly between `least` and `most`, the differences given largest stride first and
/// nested. At every level only the two multiples next to the offset can leave a rest that the smaller dimensions reach.
bool reaches(std::span<const Difference> differences, int64_t offset, int64_t least, int64_t most) {
  if (differences.empty())
    return least < offset && offset < most;
  auto [stride, low, high] = differences.front();
  int64_t quotient = offset / stride;
  for (int64_t index = quotient - 1; index <= quotient + 1; ++index)
    if (low <= index && index <= high && reaches(differences.subspan(1), offset - index * stride, least, most))
      return true;
  return false;
}

/// The same bytes with dimensions that lie without a gap taken as part of the element: a row of columns side by side.
Footprint merged(Footprint view) {
  int taken = 0;
  for (; taken < view.rank && view.dimensions[taken].stride == view.elementBytes; ++taken)
    view.elementBytes *= view.dimensions[taken].size;
  std::copy(view.dimensions.begin() + taken, view.dimensions.begin() + view.rank, view.dimensions.begin());
  view.rank -= taken;
  return view;
}

/// The index differences of two views, largest stride first; nothing if they are not nested.
std::optional<std::vector<Difference>> joined(const Footprint &a, const Footprint &b) {
  std::vector<Difference> all;
  auto extend = [&](int64_t stride, int64_t size, bool first) {
    // A negative stride walks the same bytes from the other end, which only moves the range of the indices.
    int64_t reach = stride < 0 ? 1 - size : size - 1;
    int64_t length = stride < 0 ? -stride : stride;
    auto known = std::find_if(all.begin(), all.end(), [&](const Difference &d) { return d.stride == length; });
    Difference &entry = known == all.end() ? all.emplace_back(Difference{length, 0, 0}) : *known;
    int64_t low = std::min<int64_t>(reach, 0), high = std::max<int64_t>(reach, 0);
    entry.least += first ? low : -high;
    entry.most += first ? high : -low;
  };
  for (auto [size, stride] : a.extents())
    extend(stride, size, true);
  for (auto [size, stride] : b.extents())
    extend(stride, size, false);
  std::sort(all.begin(), all.end(), [](auto &x, auto &y) { return x.stride > y.stride; });
  // Nested with room for both views: the reach of the smaller dimensions stays below each stride.
  int64_t extent = std::max(a.elementBytes, b.elementBytes);
  for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
    if (entry->stride < extent)
      return std::nullopt;
    extent += std::max(entry->most, -entry->least) * entry->stride;
  }
  return all;
}

} // namespace

std::optional<Footprint> footprint(const TensorView &view) {
  return measure(view.data, byteSize(view.dtype), view.shape, view.strides);
}

std::optional<Footprint> footprint(const RowsView &view) {
  return measure(view.data, sizeof(float), view.shape, view.strides);
}

bool overlapsItself(const Footprint &view) {
  int64_t extent = view.elementBytes;
  for (auto [size, stride] : view.extents()) {
    if (std::abs(stride) < extent)
      return true;
    extent += (size - 1) * std::abs(stride);
  }
  return false;
}

bool overlaps(const Footprint &a, const Footprint &b) {
  if (a.empty || b.empty)
    return false;
  if (a.data + a.highest <= b.data + b.lowest || b.data + b.highest <= a.data + a.lowest)
    return false;
  Footprint left = merged(a), right = merged(b);
  auto differences = joined(left, right);
  return !differences || reaches(*differences, right.data - left.data, -right.elementBytes, left.elementBytes);
}

} // namespace landmark
