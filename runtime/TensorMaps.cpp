// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TensorMaps.h"

#include "Launch.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace landmark {

namespace {

constexpr int64_t alignment = 16;                  // bytes: of addresses and strides
constexpr int64_t strideLimit = int64_t(1) << 40; // bytes

/// Of every block its landmark: token every - 1, the tokens counted from `phase` in the first one.
int64_t firstRow(const TensorMap &map, int64_t phase) { return map.every > 1 ? map.every - 1 - phase : 0; }

/// Nothing is launched on an empty view.
bool isEmpty(const TensorView &view) { return std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end(); }

/// The first row of the map. A view without the rows that it is of gives its own first one: no kernel reads it, but all prefetch the map.
int64_t firstMapped(const TensorMap &map, const MappedView &mapped) {
  int64_t first = firstRow(map, mapped.phase);
  return first < mapped.view.shape[2] ? first : 0;
}

char *startOf(const TensorView &view, int64_t first) {
  return static_cast<char *>(view.data) + first * view.strides[2] * byteSize(view.dtype);
}

Expected<void> checkView(const TensorView &view, const char *name) {
  auto refuse = [&](std::string what) {
    return Error{ErrorCode::Unsupported,
                 fmt::format("{}: {}; a kernel that loads and stores by tensor maps takes multiples of {} bytes, strides above 0 and below 2^40",
                             name, what, alignment)};
  };
  if (std::bit_cast<uintptr_t>(view.data) % alignment != 0)
    return refuse(fmt::format("starts at address {}", view.data));
  for (std::size_t dim = 0; dim < 3; ++dim) {
    int64_t size = byteSize(view.dtype), stride = view.strides[dim];
    if (view.shape[dim] > 1 && (stride <= 0 || stride >= strideLimit / size || stride * size % alignment != 0))
      return refuse(fmt::format("stride {} is {} elements", dim, stride));
  }
  return {};
}

/// What both kernels load by tensor maps.
Expected<void> checkLoads(const TensorView &q, const TensorView &k, const TensorView &v) {
  // The first tile of keys is fetched in any case.
  if (k.shape[2] == 0)
    return Error{ErrorCode::Unsupported, "k: has no rows; a kernel that loads by tensor maps takes at least 1"};
  if (auto fits = checkView(q, "q"); !fits)
    return fits;
  if (auto fits = checkView(k, "k"); !fits)
    return fits;
  return checkView(v, "v");
}

} // namespace

Expected<void> checkTensorMaps(const ForwardArguments &arguments) {
  auto fits = checkLoads(arguments.q, arguments.k, arguments.v);
  return fits ? checkView(arguments.o, "o") : fits;
}

Expected<void> checkTensorMaps(const BackwardArguments &arguments) {
  if (auto fits = checkLoads(arguments.q, arguments.k, arguments.v); !fits)
    return fits;
  // Of no rows dk and dv are zero all the same, and that is for a kernel to write.
  if (arguments.q.shape[2] == 0)
    return Error{ErrorCode::Unsupported, "q: has no rows; a kernel that loads by tensor maps takes at least 1"};
  return checkView(arguments.dO, "dO");
}

MappedView mappedView(const ForwardArguments &arguments, int64_t argument) {
  switch (argument) {
  case 0:
    return {arguments.q, arguments.phase, "q"};
  case 1:
    return {arguments.k, arguments.phase, "k"};
  case 3:
    return {arguments.o, arguments.phase, "o"};
  default:
    return {arguments.v, arguments.phase, "v"};
  }
}

MappedView mappedView(const BackwardArguments &arguments, int64_t argument) {
  constexpr int64_t gradient = 5; // behind O and LSE
  if (argument == gradient)
    return {arguments.dO, arguments.phase, "dO"};
  switch (argument) {
  case 0:
    return {arguments.q, arguments.phase, "q"};
  case 1:
    return {arguments.k, arguments.phase, "k"};
  default:
    return {arguments.v, arguments.phase, "v"};
  }
}

Expected<void> encode(const cuda::Driver &driver, const TensorMap &map, const MappedView &mapped, cuda::TensorMapBytes &bytes) {
  bytes = {};
  const TensorView &view = mapped.view;
  int64_t size = byteSize(view.dtype), rows = view.shape[2], rowStride = view.strides[2];
  if (isEmpty(view))
    return {};
  int64_t first = firstMapped(map, mapped);
  rows = firstRow(map, mapped.phase) < rows ? (rows - first + map.every - 1) / map.every : 1;
  auto stride = [&](int64_t count, int64_t elements) { // of a dimension of one element it says nothing
    return static_cast<uint64_t>(count > 1 ? elements * size : alignment);
  };
  const uint64_t sizes[] = {uint64_t(view.shape[3]), uint64_t(rows), uint64_t(view.shape[1]), uint64_t(view.shape[0])};
  const uint64_t strides[] = {stride(rows, rowStride * map.every), stride(view.shape[1], view.strides[1]),
                              stride(view.shape[0], view.strides[0])};
  const uint32_t box[] = {uint32_t(map.columns), uint32_t(map.rows), 1, 1}, steps[] = {1, 1, 1, 1};
  int order = map.swizzleBytes == 32 ? cuda::Swizzle32 : map.swizzleBytes == 64 ? cuda::Swizzle64 : cuda::Swizzle128;
  int type = view.dtype == DType::F16 ? cuda::Float16 : cuda::BFloat16;
  return driver.check(driver.tensorMapEncodeTiled(&bytes, type, 4, startOf(view, first), sizes, strides, box, steps, 0, order,
                                                  cuda::PromoteTo256, 0),
                      fmt::format("cuTensorMapEncodeTiled of {}", mapped.name));
}

Expected<void> move(const cuda::Driver &driver, const TensorMap &map, const MappedView &mapped, cuda::TensorMapBytes &bytes) {
  if (isEmpty(mapped.view))
    return {};
  return driver.check(driver.tensorMapReplaceAddress(&bytes, startOf(mapped.view, firstMapped(map, mapped))), "cuTensorMapReplaceAddress");
}

} // namespace landmark
