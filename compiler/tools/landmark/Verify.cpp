// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Verify.h"

#include <algorithm>
#include <fmt/format.h>
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

/// The part of a view that belongs to one head.
TensorView headOf(TensorView view, int64_t batch, int64_t head) {
  int64_t offset = batch * view.strides[0] + head * view.strides[1];
  view.data = static_cast<std::byte *>(view.data) + offset * byteSize(view.dtype);
  view.shape[0] = view.shape[1] = 1;
  return view;
}

RowsView headOf(RowsView view, int64_t batch, int64_t head) {
  view.data += batch * view.strides[0] + head * view.strides[1];
  view.shape[0] = view.shape[1] = 1;
  return view;
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

Expected<void> judge(const Errors &errors, std::string_view against, DType dtype, const Device &device) {
  Tolerance tolerance = toleranceFor(dtype, device.target().kind);
  bool good = errors.o <= tolerance.o && errors.lse <= tolerance.lse;
  fmt::print("o   against {}: relative error {:.2e} (at most {:.0e})\n", against, errors.o, tolerance.o);
  fmt::print("lse against {}: relative error {:.2e} (at most {:.0e})\n", against, errors.lse, tolerance.lse);
  if (good)
    return {};
  return Error{ErrorCode::Mismatch,
               fmt::format("the result differs from {}: relative error {:.2e} of o (at most {:.0e}), "
                           "{:.2e} of lse (at most {:.0e})",
                           against, errors.o, tolerance.o, errors.lse, tolerance.lse)};
}

} // namespace landmark::tool
