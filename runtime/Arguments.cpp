// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The judge of a forward call's arguments (docs/spec.md, section 6).
#include "Launch.h"
#include "Places.h"
#include "Views.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace landmark {

namespace {

constexpr int64_t maxPosition = INT32_MAX;

template <typename... Values> Error refuse(fmt::format_string<Values...> format, Values &&...values) {
  return Error{ErrorCode::InvalidArgument, fmt::format(format, std::forward<Values>(values)...)};
}

/// A named argument with what it covers.
struct NamedView {
  const char *name;
  Footprint footprint;
};

template <typename View> Expected<NamedView> checkView(const char *name, const View &view, int64_t elementBytes) {
  for (int64_t size : view.shape)
    if (size < 0)
      return refuse("{}: got shape [{}]; sizes must be at least 0", name, fmt::join(view.shape, ", "));
  auto covered = footprint(view);
  if (!covered)
    return refuse("{}: got shape [{}] with strides [{}]; its offsets overflow (at most 2^56 bytes are allowed)", name,
                  fmt::join(view.shape, ", "), fmt::join(view.strides, ", "));
  if (!covered->data && !covered->empty)
    return refuse("{}: got null data for shape [{}]; only an empty tensor may have none", name,
                  fmt::join(view.shape, ", "));
  if (reinterpret_cast<std::uintptr_t>(view.data) % elementBytes != 0)
    return refuse("{}: got data at {}; it must be aligned to the element's {} bytes", name,
                  static_cast<const void *>(view.data), elementBytes);
  return NamedView{name, *covered};
}

Expected<NamedView> checkTensor(const char *name, const TensorView &view, DType expected) {
  if (view.dtype != DType::BF16 && view.dtype != DType::F16 && view.dtype != DType::F32)
    return refuse("{}: got element type number {}; allowed are bf16, f16 and f32", name, int(view.dtype));
  if (view.dtype != expected)
    return refuse("{}: got {} elements while q has {}; q, k, v and o must have one type", name,
                  landmark::name(view.dtype), landmark::name(expected));
  if (view.strides[3] != 1)
    return refuse("{}: got column stride {}; columns must lie side by side (stride 1)", name, view.strides[3]);
  return checkView(name, view, byteSize(view.dtype));
}

template <std::size_t Rank>
Expected<void> checkShape(const char *name, const std::array<int64_t, Rank> &got,
                          const std::array<int64_t, Rank> &expected, const char *reason) {
  if (got == expected)
    return {};
  return refuse("{}: got shape [{}]; it must be [{}] ({})", name, fmt::join(got, ", "), fmt::join(expected, ", "),
                reason);
}

Expected<void> checkShapes(const ForwardArguments &arguments) {
  const auto &q = arguments.q.shape;
  const auto &k = arguments.k.shape;
  if (q[1] == 0)
    return refuse("q: got 0 heads; at least 1 is needed");
  if (k[1] == 0)
    return refuse("k: got 0 heads; at least 1 is needed");
  if (q[1] % k[1] != 0)
    return refuse("k: got {} heads for {} query heads; the number must divide that of the query heads", k[1], q[1]);
  if (auto fits = checkShape("k", k, {q[0], k[1], k[2], q[3]}, "batch and columns of q"); !fits)
    return fits;
  if (auto fits = checkShape("v", arguments.v.shape, k, "that of k"); !fits)
    return fits;
  if (auto fits = checkShape("o", arguments.o.shape, q, "that of q"); !fits)
    return fits;
  return checkShape("lse", arguments.lse.shape, {q[0], q[1], q[2]}, "that of q without columns");
}

Expected<void> checkScalars(const ForwardArguments &arguments) {
  int64_t queries = arguments.q.shape[2], keys = arguments.k.shape[2];
  if (arguments.phase < 0 || arguments.phase >= arguments.blockSize)
    return refuse("phase: got {}; allowed are 0 .. {} (block size - 1)", arguments.phase, arguments.blockSize - 1);
  if (arguments.scale && !(std::isfinite(*arguments.scale) && *arguments.scale > 0))
    return refuse("scale: got {}; it must be finite and above 0", *arguments.scale);
  if (!arguments.qOffset && queries > keys)
    return refuse(
        "q_offset: not given, with {} queries and {} keys; its default, keys - queries, must be at least 0: give the "
        "position of query row 0",
        queries, keys);
  int64_t offset = qOffsetOf(arguments);
  if (offset < 0)
    return refuse("q_offset: got {}; it must be at least 0", offset);
  if (keys > maxPosition - arguments.phase)
    return refuse("k: got {} keys with phase {}; positions go up to {}", keys, arguments.phase, maxPosition);
  if (queries > maxPosition - arguments.phase || offset > maxPosition - arguments.phase - queries)
    return refuse("q_offset: got {} with {} queries and phase {}; positions go up to {}", offset, queries,
                  arguments.phase, maxPosition);
  return {};
}

Expected<void> checkOverlap(const NamedView &output, std::initializer_list<const NamedView *> others) {
  if (!output.footprint.empty && overlapsItself(output.footprint))
    return refuse(
        "{}: got strides with which elements lie over one another; every element of an output needs memory of its "
        "own (each stride at least the extent of the smaller ones)",
        output.name);
  for (const NamedView *other : others)
    if (overlaps(output.footprint, other->footprint))
      return refuse("{}: got memory that it shares with {}; outputs need memory of their own", output.name,
                    other->name);
  return {};
}

Expected<void> checkPlaces(std::initializer_list<const NamedView *> views, const Device &device) {
  for (const NamedView *view : views)
    if (auto there = checkPlace(view->name, view->footprint, device); !there)
      return there;
  return {};
}

} // namespace

Problem problemOf(const ForwardArguments &arguments) {
  return {Operation::Forward, arguments.blockSize, arguments.q.shape[3], arguments.q.dtype};
}

Expected<void> validate(const ForwardArguments &arguments, const Device &device) {
  DType dtype = arguments.q.dtype;
  auto q = checkTensor("q", arguments.q, dtype);
  if (!q)
    return q.error();
  auto k = checkTensor("k", arguments.k, dtype);
  if (!k)
    return k.error();
  auto v = checkTensor("v", arguments.v, dtype);
  if (!v)
    return v.error();
  auto o = checkTensor("o", arguments.o, dtype);
  if (!o)
    return o.error();
  auto lse = checkView("lse", arguments.lse, sizeof(float));
  if (!lse)
    return lse.error();
  if (auto legal = validate(problemOf(arguments)); !legal)
    return legal;
  if (auto agree = checkShapes(arguments); !agree)
    return agree;
  if (auto legal = checkScalars(arguments); !legal)
    return legal;
  if (auto apart = checkOverlap(*o, {&*q, &*k, &*v, &*lse}); !apart)
    return apart;
  if (auto apart = checkOverlap(*lse, {&*q, &*k, &*v}); !apart)
    return apart;
  return checkPlaces({&*q, &*k, &*v, &*o, &*lse}, device);
}

} // namespace landmark
