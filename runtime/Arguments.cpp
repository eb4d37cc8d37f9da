// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The judge of a call's arguments (docs/spec.md, section 6).
#include "Launch.h"
#include "Places.h"
#include "Views.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <span>
#include <vector>

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

Expected<NamedView> checkColumns(const char *name, const TensorView &view) {
  if (view.strides[3] != 1)
    return refuse("{}: got column stride {}; columns must lie side by side (stride 1)", name, view.strides[3]);
  return checkView(name, view, byteSize(view.dtype));
}

Expected<NamedView> checkTensor(const char *name, const TensorView &view, DType expected) {
  if (view.dtype != DType::BF16 && view.dtype != DType::F16 && view.dtype != DType::F32)
    return refuse("{}: got element type number {}; allowed are bf16, f16 and f32", name, int(view.dtype));
  if (view.dtype != expected)
    return refuse("{}: got {} elements while q has {}; q, k, v and o must have one type", name,
                  landmark::name(view.dtype), landmark::name(expected));
  return checkColumns(name, view);
}

/// Of the scratch of a backward, which is read and written in pieces of that size.
constexpr int64_t scratchAlignment = 16;

/// A gradient of the type `expected`, which the first of them has.
Expected<NamedView> checkGradient(const char *name, const TensorView &view, DType type, DType expected) {
  if (view.dtype != type && view.dtype != DType::F32)
    return refuse("{}: got {} elements; they must be {}, as q's, or f32", name, landmark::name(view.dtype), landmark::name(type));
  if (view.dtype != expected)
    return refuse("{}: got {} elements while dq has {}; dq, dk and dv must have one type", name, landmark::name(view.dtype), landmark::name(expected));
  return checkColumns(name, view);
}


/// The views that forward and backward share, each judged by itself.
Expected<std::array<NamedView, 5>> checkForward(const ForwardArguments &arguments) {
  std::array<NamedView, 5> views;
  DType dtype = arguments.q.dtype;
  std::size_t next = 0;
  for (auto [name, view] : {std::pair{"q", &arguments.q}, std::pair{"k", &arguments.k}, std::pair{"v", &arguments.v}, std::pair{"o", &arguments.o}}) {
    auto checked = checkTensor(name, *view, dtype);
    if (!checked)
      return checked.error();
    views[next++] = *checked;
  }
  auto lse = checkView("lse", arguments.lse, sizeof(float));
  if (!lse)
    return lse.error();
  views[next] = *lse;
  return views;
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

/// Shapes of what only a backward has; the others agree already.
Expected<void> checkGradientShapes(const BackwardArguments &arguments) {
  const auto &q = arguments.q.shape, &k = arguments.k.shape;
  if (auto fits = checkShape("dO", arguments.dO.shape, q, "that of q"); !fits)
    return fits;
  if (auto fits = checkShape("dq", arguments.dq.shape, q, "that of q"); !fits)
    return fits;
  if (auto fits = checkShape("dk", arguments.dk.shape, k, "that of k"); !fits)
    return fits;
  if (auto fits = checkShape("dv", arguments.dv.shape, k, "that of k"); !fits)
    return fits;
  std::array<int64_t, 3> rows = {q[0], q[1], q[2]};
  if (auto fits = checkShape("delta", arguments.delta.shape, rows, "that of q without columns"); !fits)
    return fits;
  return arguments.dlse ? checkShape("dlse", arguments.dlse->shape, rows, "that of q without columns") : Expected<void>();
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

Expected<void> checkOverlap(const NamedView &output, std::span<const NamedView *const> others) {
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

Expected<void> checkPlaces(std::span<const NamedView> views, const Device &device) {
  for (const NamedView &view : views)
    if (auto there = checkPlace(view.name, view.footprint, device); !there)
      return there;
  return {};
}

Expected<void> checkThreshold(float threshold) {
  return threshold >= 0 && threshold <= 1 ? Expected<void>() : refuse("gate_threshold: got {}; it must be 0 to 1", threshold);
}

/// The threshold, and the scratch as far as it is given: how much is needed knows the kernel.
Expected<void> checkGates(const ForwardArguments &arguments, const std::array<NamedView, 5> &views, const Device &device) {
  if (auto legal = checkThreshold(arguments.gateThreshold); !legal)
    return legal;
  if (arguments.gateThreshold == 0)
    return {};
  if (arguments.gateScratchBytes < 0)
    return refuse("gate_scratch: got {} bytes; it must be at least 0", arguments.gateScratchBytes);
  int64_t words = arguments.gateScratch ? arguments.gateScratchBytes / int64_t(sizeof(float)) : 0;
  auto scratch = checkView("gate_scratch", denseRows(static_cast<float *>(arguments.gateScratch), {1, 1, words}), sizeof(float));
  if (!scratch)
    return scratch.error();
  if (auto apart = checkOverlap(*scratch, std::array<const NamedView *, 5>{&views[0], &views[1], &views[2], &views[3], &views[4]}); !apart)
    return apart;
  return checkPlace(scratch->name, scratch->footprint, device);
}

} // namespace

Problem problemOf(const ForwardArguments &arguments) {
  return {arguments.gateThreshold > 0 ? Operation::ForwardListed : Operation::Forward, arguments.blockSize, arguments.q.shape[3], arguments.q.dtype};
}

Expected<void> validate(const ForwardArguments &arguments, const Device &device) {
  auto views = checkForward(arguments);
  if (!views)
    return views.error();
  auto &[q, k, v, o, lse] = *views;
  if (auto legal = validate(problemOf(arguments)); !legal)
    return legal;
  if (auto agree = checkShapes(arguments); !agree)
    return agree;
  if (auto legal = checkScalars(arguments); !legal)
    return legal;
  if (auto apart = checkOverlap(o, std::array<const NamedView *, 4>{&q, &k, &v, &lse}); !apart)
    return apart;
  if (auto apart = checkOverlap(lse, std::array<const NamedView *, 3>{&q, &k, &v}); !apart)
    return apart;
  if (auto legal = checkGates(arguments, *views, device); !legal)
    return legal;
  return checkPlaces(*views, device);
}

Problem problemOf(const BackwardArguments &arguments) {
  return {arguments.gateThreshold > 0 ? Operation::BackwardListed : Operation::Backward, arguments.blockSize, arguments.q.shape[3], arguments.q.dtype, arguments.dq.dtype != arguments.q.dtype, /*topK=*/0, /*rotates=*/false,
          arguments.deterministic};
}

Expected<void> validate(const BackwardArguments &arguments, const Device &device) {
  ForwardArguments forward = forwardOf(arguments);
  auto views = checkForward(forward);
  if (!views)
    return views.error();
  std::vector<NamedView> inputs(views->begin(), views->end()), outputs;
  DType type = arguments.q.dtype;
  auto take = [](Expected<NamedView> view, std::vector<NamedView> &into) -> Expected<void> {
    if (!view)
      return view.error();
    into.push_back(*view);
    return {};
  };
  if (auto good = take(checkTensor("dO", arguments.dO, type), inputs); !good)
    return good;
  for (auto [name, view] : {std::pair{"dq", &arguments.dq}, std::pair{"dk", &arguments.dk}, std::pair{"dv", &arguments.dv}})
    if (auto good = take(checkGradient(name, *view, type, arguments.dq.dtype), outputs); !good)
      return good;
  if (auto good = take(checkView("delta", arguments.delta, sizeof(float)), outputs); !good)
    return good;
  if (auto legal = checkThreshold(arguments.gateThreshold); !legal)
    return legal;
  if (arguments.scratchBytes < 0)
    return refuse("scratch: got {} bytes; it must be at least 0", arguments.scratchBytes);
  int64_t numbers = arguments.scratch ? arguments.scratchBytes / int64_t(sizeof(float)) : 0; // how many are needed knows the kernel
  if (auto good = take(checkView("scratch", denseRows(static_cast<float *>(arguments.scratch), {1, 1, numbers}), scratchAlignment), outputs); !good)
    return good;
  if (arguments.dlse)
    if (auto good = take(checkView("dlse", *arguments.dlse, sizeof(float)), inputs); !good)
      return good;
  if (auto legal = validate(problemOf(arguments)); !legal)
    return legal;
  if (auto agree = checkShapes(forward); !agree)
    return agree;
  if (auto agree = checkGradientShapes(arguments); !agree)
    return agree;
  if (auto legal = checkScalars(forward); !legal)
    return legal;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<const NamedView *> others;
    for (const NamedView &input : inputs)
      others.push_back(&input);
    for (std::size_t other = 0; other < i; ++other)
      others.push_back(&outputs[other]);
    if (auto apart = checkOverlap(outputs[i], others); !apart)
      return apart;
  }
  if (auto there = checkPlaces(inputs, device); !there)
    return there;
  return checkPlaces(outputs, device);
}

} // namespace landmark
