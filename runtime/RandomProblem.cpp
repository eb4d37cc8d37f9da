// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RandomProblem.h"
#include "Random.h"
#include "Safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>

namespace landmark {

namespace {

constexpr std::byte guard{0xff};
constexpr int64_t guardElements = 64;

/// How a tensor lies in memory.
enum class Layout {
  Dense,     ///< [batch, head, row, column]
  RowMajor,  ///< [batch, row, head, column]
  Padded,    ///< dense, but every row is followed by an odd number of guard elements, so that rows are not aligned
  Shifted,   ///< dense, but the first element is not aligned
  Broadcast, ///< all heads share the memory of one
};

const char *name(Layout layout) {
  static constexpr std::array names = {"dense", "row-major", "padded", "shifted", "broadcast"};
  return names[static_cast<size_t>(layout)];
}

template <typename T> T pick(Random &random, std::initializer_list<T> choices) {
  return choices.begin()[random.integer(0, static_cast<int64_t>(choices.size()) - 1)];
}

Layout drawLayout(Random &random, bool mayBroadcast) {
  if (random.oneIn(2))
    return Layout::Dense;
  if (mayBroadcast && random.oneIn(4))
    return Layout::Broadcast;
  return pick(random, {Layout::RowMajor, Layout::Padded, Layout::Shifted});
}

/// A view of `shape` over a fresh buffer, all of it guard elements. Rank 4; for lse the last size is 1.
TensorView allocate(GuardedBuffer &buffer, DType dtype, std::array<int64_t, 4> shape, Layout layout, Random &random) {
  auto [batches, heads, rows, columns] = shape;
  int64_t pitch = columns + (layout == Layout::Padded ? pick<int64_t>(random, {1, 3}) : 0);
  std::array<int64_t, 4> strides = {heads * rows * pitch, rows * pitch, pitch, 1};
  if (layout == Layout::RowMajor)
    strides = {heads * rows * pitch, pitch, heads * pitch, 1};
  if (layout == Layout::Broadcast)
    strides = {rows * pitch, 0, pitch, 1};
  int64_t before = guardElements + (layout == Layout::Shifted ? 1 : 0);
  buffer.offset = before * byteSize(dtype);
  buffer.bytes.assign(static_cast<size_t>((before + batches * strides[0] + guardElements) * byteSize(dtype)), guard);
  return {buffer.bytes.data() + buffer.offset, dtype, shape, strides};
}

template <typename Body> void forEachRow(const TensorView &view, const Body &body) {
  for (int64_t batch = 0; batch < view.shape[0]; ++batch)
    for (int64_t head = 0; head < view.shape[1]; ++head)
      for (int64_t row = 0; row < view.shape[2]; ++row)
        body(row, batch * view.strides[0] + head * view.strides[1] + row * view.strides[2]);
}

void fill(const TensorView &view, Random &random, const ForwardSemantics *landmarksOf = nullptr) {
  int64_t size = byteSize(view.dtype);
  forEachRow(view, [&](int64_t row, int64_t offset) {
    // No row of P gives a landmark's value any weight; a large one shows a weight that is wrong.
    bool landmark = landmarksOf && (row + landmarksOf->phase) % landmarksOf->blockSize == landmarksOf->blockSize - 1;
    for (int64_t column = 0; column < view.shape[3]; ++column)
      fromDouble(landmark ? NAN : random.normal(), static_cast<std::byte *>(view.data) + (offset + column) * size,
                 view.dtype);
  });
}

int64_t drawBlockSize(Random &random, int64_t most) {
  int64_t drawn = random.oneIn(2) ? pick<int64_t>(random, {2,  3,  7,  8,   16,  17,  32,  33,  51,  51, 64,
                                                           64, 65, 96, 127, 128, 129, 192, 200, 255, 256})
                                  : random.integer(2, 256);
  return std::min(drawn, most);
}

int64_t drawHeadDim(Random &random, int64_t most) {
  int64_t drawn = random.oneIn(2) ? pick<int64_t>(random, {64, 80, 96, 128}) : 8 * random.integer(2, 32);
  return std::min(drawn, most / 8 * 8);
}

ForwardSemantics drawSemantics(Random &random, int64_t blockSize, int64_t headDim, int64_t history) {
  ForwardSemantics semantics;
  semantics.blockSize = blockSize;
  int64_t last = blockSize - 1;
  semantics.phase = random.oneIn(3) ? 0 : random.oneIn(4) ? last : random.integer(0, last);
  // Usually the queries are the last tokens; they may begin earlier, and may reach beyond the last key.
  semantics.qOffset = random.oneIn(6) ? random.integer(0, history + 2 * blockSize) : history;
  double sharpness = random.oneIn(4) ? 8.0 : random.oneIn(4) ? 0.1 : 1.0;
  semantics.scale = static_cast<float>(sharpness / std::sqrt(static_cast<double>(headDim)));
  return semantics;
}

/// The first byte of `buffer` that no row owns and that is no guard any more; -1 for none.
int64_t findStray(const GuardedBuffer &buffer, const TensorView &view) {
  std::vector<bool> owned(buffer.bytes.size(), false);
  int64_t size = byteSize(view.dtype);
  forEachRow(view, [&](int64_t, int64_t offset) {
    auto begin = owned.begin() + buffer.offset + offset * size;
    std::fill(begin, begin + view.shape[3] * size, true);
  });
  for (size_t byte = 0; byte < owned.size(); ++byte)
    if (!owned[byte] && buffer.bytes[byte] != guard)
      return static_cast<int64_t>(byte);
  return -1;
}

TensorView withColumn(const RowsView &rows) {
  return {rows.data,
          DType::F32,
          {rows.shape[0], rows.shape[1], rows.shape[2], 1},
          {rows.strides[0], rows.strides[1], rows.strides[2], 1}};
}

} // namespace

/// One view with the buffer that it lies in.
struct Output {
  const char *name;
  const GuardedBuffer &buffer;
  TensorView view;
};

std::string firstStray(std::initializer_list<Output> outputs) {
  for (const Output &output : outputs)
    if (int64_t stray = findStray(output.buffer, output.view); stray >= 0)
      return fmt::format("{}: byte {} from its first element lies in no row and was written", output.name, stray - output.buffer.offset);
  return "";
}

std::string RandomForward::strayWrite() const { return firstStray({{"o", oBuffer, o}, {"lse", lseBuffer, withColumn(lse)}}); }

std::string RandomBackward::strayWrite() const {
  return firstStray({{"dq", dqBuffer, dq}, {"dk", dkBuffer, dk}, {"dv", dvBuffer, dv}, {"delta", deltaBuffer, withColumn(delta)}});
}

bool RandomBackward::landmarksAreZero() const {
  bool areZero = true;
  forEachRow(dv, [&](int64_t row, int64_t offset) {
    if ((row + forward.semantics.phase) % forward.semantics.blockSize == forward.semantics.blockSize - 1)
      for (int64_t column = 0; column < dv.shape[3]; ++column)
        areZero &= toDouble(static_cast<const std::byte *>(dv.data) + (offset + column) * byteSize(dv.dtype), dv.dtype) == 0;
  });
  return areZero;
}

RandomBackward randomBackward(uint64_t seed, const RandomLimits &limits) {
  RandomBackward result;
  result.forward = randomForward(seed, limits);
  Random random(seed + 0x9e3779b97f4a7c15); // numbers of its own, so that the forward is the same without a backward
  result.problem = result.forward.problem;
  result.problem.operation = Operation::Backward;
  DType dtype = result.problem.dtype;
  result.problem.floatGradients = dtype != DType::F32 && random.oneIn(4);
  DType gradient = result.problem.gradientType();
  std::array<int64_t, 4> q = result.forward.q.shape, k = result.forward.k.shape;
  auto make = [&](GuardedBuffer &buffer, DType type, std::array<int64_t, 4> shape) {
    return allocate(buffer, type, shape, drawLayout(random, false), random);
  };
  auto makeRows = [&](GuardedBuffer &buffer) {
    TensorView view = make(buffer, DType::F32, {q[0], q[1], q[2], 1});
    return RowsView{static_cast<float *>(view.data), {q[0], q[1], q[2]}, {view.strides[0], view.strides[1], view.strides[2]}};
  };
  result.dO = make(result.dOBuffer, dtype, q);
  result.dq = make(result.dqBuffer, gradient, q);
  result.dk = make(result.dkBuffer, gradient, k);
  result.dv = make(result.dvBuffer, gradient, k);
  result.delta = makeRows(result.deltaBuffer);
  fill(result.dO, random);
  if (random.oneIn(3)) {
    result.dlse = makeRows(result.dlseBuffer);
    fill(withColumn(*result.dlse), random);
  }
  result.problem.deterministic = random.oneIn(3);
  result.description = fmt::format("{}; gradients {}{}{}", result.forward.description, name(gradient), result.dlse ? ", of lse too" : "",
                                   result.problem.deterministic ? ", deterministic" : "");
  return result;
}

RandomForward randomForward(uint64_t seed, const RandomLimits &limits) {
  Random random(seed);
  RandomForward result;
  result.problem.dtype = pick(random, {DType::BF16, DType::F16, DType::F32});
  result.problem.blockSize = drawBlockSize(random, limits.maxBlockSize);
  result.problem.headDim = drawHeadDim(random, limits.maxHeadDim);
  if (limits.problem)
    result.problem = *limits.problem;
  int64_t headDim = result.problem.headDim;
  int64_t batches = random.integer(1, limits.maxBatch), kvHeads = random.integer(1, limits.maxKvHeads);
  int64_t heads = kvHeads * random.integer(1, limits.maxGroup);
  int64_t keys = random.integer(1, limits.maxKeys);
  int64_t queries = random.oneIn(2) ? keys : random.oneIn(3) ? 1 : random.integer(1, keys);
  result.semantics = drawSemantics(random, result.problem.blockSize, headDim, keys - queries);

  std::string layouts;
  auto make = [&](GuardedBuffer &buffer, DType dtype, std::array<int64_t, 4> shape, bool mayBroadcast) {
    Layout layout = drawLayout(random, mayBroadcast);
    layouts += fmt::format(" {}", name(layout));
    return allocate(buffer, dtype, shape, layout, random);
  };
  DType dtype = result.problem.dtype;
  result.q = make(result.qBuffer, dtype, {batches, heads, queries, headDim}, false);
  result.k = make(result.kBuffer, dtype, {batches, kvHeads, keys, headDim}, true);
  result.v = make(result.vBuffer, dtype, {batches, kvHeads, keys, headDim}, true);
  result.o = make(result.oBuffer, dtype, {batches, heads, queries, headDim}, false);
  TensorView lse = make(result.lseBuffer, DType::F32, {batches, heads, queries, 1}, false);
  result.lse = {
      static_cast<float *>(lse.data), {batches, heads, queries}, {lse.strides[0], lse.strides[1], lse.strides[2]}};

  fill(result.q, random);
  fill(result.k, random);
  fill(result.v, random, &result.semantics);
  result.description =
      fmt::format("seed {}: {} B={} Hq={} Hkv={} Nq={} Nk={} phase={} q_offset={} scale={:.5g}; q, k, v, o, lse lie{}",
                  seed, describe(result.problem), batches, heads, kvHeads, queries, keys, result.semantics.phase,
                  result.semantics.qOffset, result.semantics.scale, layouts);
  return result;
}

RandomBackward denseBackward(const Problem &problem, int64_t rows, uint64_t seed) {
  Random random(seed);
  RandomBackward result;
  RandomForward &forward = result.forward;
  std::array<int64_t, 4> shape = {1, 1, rows, problem.headDim};
  auto make = [&](GuardedBuffer &buffer, DType dtype) { return allocate(buffer, dtype, shape, Layout::Dense, random); };
  auto makeRows = [&](GuardedBuffer &buffer) {
    TensorView view = allocate(buffer, DType::F32, {1, 1, rows, 1}, Layout::Dense, random);
    return denseRows(static_cast<float *>(view.data), {1, 1, rows});
  };
  forward.problem = result.problem = problem;
  forward.problem.operation = Operation::Forward;
  forward.semantics = {problem.blockSize, 0, 0, float(1 / std::sqrt(double(problem.headDim)))};
  forward.q = make(forward.qBuffer, problem.dtype);
  forward.k = make(forward.kBuffer, problem.dtype);
  forward.v = make(forward.vBuffer, problem.dtype);
  forward.o = make(forward.oBuffer, problem.dtype);
  forward.lse = makeRows(forward.lseBuffer);
  result.dO = make(result.dOBuffer, problem.dtype);
  result.dq = make(result.dqBuffer, problem.gradientType());
  result.dk = make(result.dkBuffer, problem.gradientType());
  result.dv = make(result.dvBuffer, problem.gradientType());
  result.delta = makeRows(result.deltaBuffer);
  for (const TensorView *view : {&forward.q, &forward.k, &forward.v, &result.dO})
    fill(*view, random);
  result.description = fmt::format("{} with {} rows, dense, seed {}", describe(problem), rows, seed);
  return result;
}

// Each bound of o is 1.4 to 2.5 times the worst of 400 random problems, computed by a plain float32 loop that rounds
// where the kernels do, so a defect shows. The bounds hold for logits eight times sharper than by default, which
// multiply every error in a logit, and for a single row.
//
// Matrix units cut their float32 sums off towards 0, every 16 keys, which shows in float16: cuDNN's dense attention errs by 4.3e-4 with 262,144 keys and by 1.3e-3 with 1,048,576 (one NVIDIA H200,
// 2026-11-30), 2^-29.2 and 2^-29.6 a key.
Tolerance toleranceFor(DType dtype, Target::Kind kind, int64_t keys) {
  // Statistics are float32 for every type (C7): 3e-7 at worst, but relative to an lse that may happen to lie near 0. On
  // a device exp2 and log2 are approximations good to about 2^-22.
  double lse = kind == Target::Kind::Host ? 5e-6 : 2e-5;
  switch (dtype) {
  case DType::BF16:
    // Rounding o alone costs 1.7e-3 in the norm and at most 2^-8 = 3.9e-3 in one element. That is all on the host; on a
    // device P is rounded as well, before its product with V: 2.5e-3.
    return {4e-3, lse};
  case DType::F16:
    // Three bits more: 2.2e-4 on the host and 3.6e-4 on a device; 2^-11 = 4.9e-4 in one element.
    return {kind == Target::Kind::Host ? 5e-4 : 5e-4 + keys * 0x1p-29, lse};
  case DType::F32:
    break;
  }
  // Nothing is rounded on the host: 5e-7 by default, 1.6e-6 for sharp logits. A device's matrix units take float32
  // operands with the 10 fraction bits of TF32, so there the logits are off too: 5e-4 by default and 1.1e-3 when sharp;
  // 3e-4 in the lse.
  return kind == Target::Kind::Host ? Tolerance{4e-6, lse} : Tolerance{2e-3, 1e-3};
}

// As of o, with what the backward adds: o comes rounded, and so does D; the gradients of logits are rounded before their products on a device; and they are
// differences of numbers that may be much larger, sharp logits above all.
double gradientTolerance(DType dtype, Target::Kind kind) {
  switch (dtype) {
  case DType::BF16:
    return 1.2e-2;
  case DType::F16:
    return 1.5e-3;
  case DType::F32:
    break;
  }
  return kind == Target::Kind::Host ? 2e-5 : 8e-3;
}

} // namespace landmark
