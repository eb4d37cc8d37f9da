// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Verify.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <set>

namespace landmark::tool {

namespace {

Errors compare(const TensorView &q, const TensorView &k, const TensorView &v, const ForwardSemantics &semantics,
               const RowSelection &selection, const TensorView &o, const RowsView &lse) {
  ReferenceForward reference = referenceForward(q, k, v, semantics, selection);
  return {relativeError(o, reference), relativeError(lse, reference)};
}

/// Rows 0, 1 and the last, those beside block borders near the start, middle and end, and some in between.
std::vector<int64_t> sampleRows(int64_t rows, const ForwardSemantics &semantics, int64_t maxRows) {
  std::set<int64_t> chosen;
  auto add = [&](int64_t row) {
    if (row >= 0 && row < rows && int64_t(chosen.size()) < maxRows)
      chosen.insert(row);
  };
  for (int64_t row : {int64_t(0), int64_t(1), rows - 2, rows - 1})
    add(row);
  int64_t toBorder = semantics.blockSize - (semantics.qOffset + semantics.phase) % semantics.blockSize;
  int64_t blocks = rows / semantics.blockSize;
  for (int64_t block : {int64_t(0), int64_t(1), blocks / 3, blocks / 2, blocks - 2, blocks - 1})
    for (int64_t beside : {-2, -1, 0, 1})
      add(toBorder + block * semantics.blockSize + beside);
  int64_t step = std::max<int64_t>(1, rows / std::max<int64_t>(1, maxRows - int64_t(chosen.size())));
  for (int64_t row = step / 2; row < rows; row += step)
    add(row);
  return {chosen.begin(), chosen.end()};
}

/// The part of a view that belongs to some heads of one batch.
TensorView headsOf(TensorView view, int64_t batch, int64_t head, int64_t count) {
  int64_t offset = batch * view.strides[0] + head * view.strides[1];
  view.data = static_cast<std::byte *>(view.data) + offset * byteSize(view.dtype);
  view.shape[0] = 1;
  view.shape[1] = count;
  return view;
}

RowsView headsOf(RowsView view, int64_t batch, int64_t head, int64_t count) {
  view.data += batch * view.strides[0] + head * view.strides[1];
  view.shape[0] = 1;
  view.shape[1] = count;
  return view;
}

template <typename View> View headOf(const View &view, int64_t batch, int64_t head) { return headsOf(view, batch, head, 1); }

BackwardInputs oracleInputs(const GradientInputs &inputs) {
  const Inputs &forward = inputs.forward;
  BackwardInputs oracle{viewOf(forward.q), viewOf(forward.k), viewOf(forward.v), viewOf(inputs.dO)};
  if (inputs.dlse)
    oracle.dlse = rowsOf(*inputs.dlse);
  return oracle;
}

/// Above a gate threshold of 0 the errors are shown, not judged: what it leaves out is no error of the kernel.
std::vector<Comparison> compare(const ReferenceBackward &reference, const TensorView &dq, const TensorView &dk, const TensorView &dv, const Inputs &inputs,
                                const Device &device) {
  double most = inputs.gateThreshold > 0 ? std::numeric_limits<double>::infinity() : gradientTolerance(inputs.q.dtype, device.target().kind);
  return {{"dq", relativeError(dq, reference.rows, reference.dq), most},
          {"dk", relativeError(dk, reference.keys, reference.dk), most},
          {"dv", relativeError(dv, reference.keys, reference.dv), most}};
}

} // namespace

Errors compareWithOracle(const Inputs &inputs, const Outputs &outputs) {
  return compare(viewOf(inputs.q), viewOf(inputs.k), viewOf(inputs.v), semanticsOf(inputs), {}, viewOf(outputs.o),
                 rowsOf(outputs.lse));
}

Errors compareSample(const Inputs &inputs, const Outputs &outputs, int64_t maxRows, int64_t maxHeads) {
  TensorView q = viewOf(inputs.q), k = viewOf(inputs.k), v = viewOf(inputs.v);
  int64_t heads = q.shape[1], group = heads / k.shape[1], all = q.shape[0] * heads, count = std::min(maxHeads, all);
  ForwardSemantics semantics = semanticsOf(inputs);
  if (all == 0 || q.shape[2] == 0)
    return {};
  RowSelection selection{sampleRows(q.shape[2], semantics, maxRows)};
  Errors worst;
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = count == 1 ? 0 : i * (all - 1) / (count - 1);
    int64_t batch = index / heads, head = index % heads;
    Errors errors =
        compare(headOf(q, batch, head), headOf(k, batch, head / group), headOf(v, batch, head / group), semantics,
                selection, headOf(viewOf(outputs.o), batch, head), headOf(rowsOf(outputs.lse), batch, head));
    worst = {std::max(worst.o, errors.o), std::max(worst.lse, errors.lse)};
  }
  return worst;
}

std::vector<Comparison> compareWithOracle(const GradientInputs &inputs, const Gradients &gradients, const Device &device) {
  ReferenceBackward reference = referenceBackward(oracleInputs(inputs), semanticsOf(inputs.forward));
  return compare(reference, viewOf(gradients.dq), viewOf(gradients.dk), viewOf(gradients.dv), inputs.forward, device);
}

std::vector<Comparison> compareSample(const GradientInputs &inputs, const Outputs &forward, const Gradients &gradients, const Device &device) {
  BackwardInputs whole = oracleInputs(inputs);
  whole.o = viewOf(forward.o);
  whole.lse = rowsOf(forward.lse);
  ForwardSemantics semantics = semanticsOf(inputs.forward);
  int64_t kvHeads = whole.k.shape[1], all = whole.k.shape[0] * kvHeads;
  if (all == 0 || whole.q.shape[2] == 0 || whole.k.shape[2] == 0)
    return {};
  // A block costs all rows that see it: few blocks, of long ones the last.
  int64_t group = whole.q.shape[1] / kvHeads, last = (whole.k.shape[2] + semantics.phase - 1) / semantics.blockSize;
  std::set<int64_t> blocks = {last};
  if (semantics.blockSize <= 512)
    blocks.insert({0, last / 2});
  BackwardSelection selection{sampleRows(whole.q.shape[2], semantics, 32), {blocks.begin(), blocks.end()}};
  std::vector<Comparison> worst;
  std::set<int64_t> heads = {0};
  if (group < 4)
    heads.insert(all - 1);
  for (int64_t index : heads) {
    int64_t batch = index / kvHeads, kvHead = index % kvHeads;
    auto queries = [&](const auto &view) { return headsOf(view, batch, kvHead * group, group); };
    auto keys = [&](const TensorView &view) { return headsOf(view, batch, kvHead, 1); };
    BackwardInputs part{queries(whole.q), keys(whole.k), keys(whole.v), queries(whole.dO), queries(*whole.o), queries(*whole.lse)};
    if (whole.dlse)
      part.dlse = queries(*whole.dlse);
    auto errors = compare(referenceBackward(part, semantics, selection), queries(viewOf(gradients.dq)), keys(viewOf(gradients.dk)),
                          keys(viewOf(gradients.dv)), inputs.forward, device);
    worst.resize(errors.size());
    for (std::size_t i = 0; i < errors.size(); ++i)
      if (worst[i].tensor.empty() || !(errors[i].error <= worst[i].error))
        worst[i] = errors[i];
  }
  return worst;
}

Expected<void> judge(const std::vector<Comparison> &comparisons, std::string_view against) {
  std::vector<std::string> wrong;
  for (const auto &[tensor, error, tolerance] : comparisons) {
    fmt::print("{:3} against {}: relative error {:.2e} ({})\n", tensor, against, error,
               std::isinf(tolerance) ? "what was skipped included, for which no bound is promised" : fmt::format("at most {:.1e}", tolerance));
    if (!(error <= tolerance))
      wrong.push_back(fmt::format("{:.2e} of {} (at most {:.1e})", error, tensor, tolerance));
  }
  if (wrong.empty())
    return {};
  return Error{ErrorCode::Mismatch, fmt::format("the result differs from {}: relative error {}", against, fmt::join(wrong, ", "))};
}

std::vector<Comparison> comparisonsOf(const Errors &errors, const Inputs &inputs, const Device &device) {
  Tolerance tolerance = toleranceFor(inputs.q.dtype, device.target().kind, inputs.k.shape[2]);
  // What a gate threshold leaves out is no error of the kernel; it is shown.
  double mostOfO = inputs.gateThreshold > 0 ? std::numeric_limits<double>::infinity() : tolerance.o;
  return {{"o", errors.o, mostOfO}, {"lse", errors.lse, tolerance.lse}};
}

Expected<void> judge(const Errors &errors, std::string_view against, DType dtype, const Device &device) {
  Tolerance tolerance = toleranceFor(dtype, device.target().kind);
  return judge({{"o", errors.o, tolerance.o}, {"lse", errors.lse, tolerance.lse}}, against);
}

} // namespace landmark::tool
