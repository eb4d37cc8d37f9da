// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OnDevice.h"

#include <catch2/catch.hpp>
#include <utility>

namespace landmark::test {

namespace {

template <typename View> DeviceBuffer copy(const Device &device, const GuardedBuffer &from, View &view) {
  auto buffer = DeviceBuffer::allocate(device, from.bytes.size());
  REQUIRE(buffer);
  REQUIRE(buffer->upload(from.bytes.data(), from.bytes.size()));
  view.data = reinterpret_cast<decltype(view.data)>(static_cast<std::byte *>(buffer->data()) + from.offset);
  return std::move(*buffer);
}

} // namespace

OnDevice::OnDevice(const Device &device, const RandomForward &random)
    : call{random.q,
           random.k,
           random.v,
           random.o,
           random.lse,
           random.problem.blockSize,
           random.semantics.phase,
           float(random.semantics.scale),
           random.semantics.qOffset} {
  q = copy(device, random.qBuffer, call.q);
  k = copy(device, random.kBuffer, call.k);
  v = copy(device, random.vBuffer, call.v);
  o = copy(device, random.oBuffer, call.o);
  lse = copy(device, random.lseBuffer, call.lse);
}

void OnDevice::download(RandomForward &random) const {
  REQUIRE(o.download(random.oBuffer.bytes.data(), o.size()));
  REQUIRE(lse.download(random.lseBuffer.bytes.data(), lse.size()));
}

GradientsOnDevice::GradientsOnDevice(const Device &device, const RandomBackward &random) : forward(device, random.forward) {
  const ForwardArguments &told = forward.arguments();
  call = {told.q,    told.k,    told.v,       told.o,         told.lse,   random.dO,  random.dq,
          random.dk, random.dv, random.delta, told.blockSize, told.phase, told.scale, told.qOffset};
  dO = copy(device, random.dOBuffer, call.dO);
  dq = copy(device, random.dqBuffer, call.dq);
  dk = copy(device, random.dkBuffer, call.dk);
  dv = copy(device, random.dvBuffer, call.dv);
  delta = copy(device, random.deltaBuffer, call.delta);
  if (random.dlse) {
    call.dlse = random.dlse;
    dlse = copy(device, random.dlseBuffer, *call.dlse);
  }
  call.deterministic = random.problem.deterministic;
  if (call.deterministic)
    return;
  // More than any schedule takes, full of NaN.
  auto [batch, heads, rows, columns] = call.q.shape;
  auto made = DeviceBuffer::allocate(device, std::size_t(batch * heads * (rows + 256) * (columns + 2)) * sizeof(float));
  REQUIRE(made);
  scratch = std::move(*made);
  REQUIRE(scratch.fill(0xff));
  call.scratch = scratch.data();
  call.scratchBytes = int64_t(scratch.size());
}

void GradientsOnDevice::download(RandomBackward &random) const {
  forward.download(random.forward);
  for (auto [from, to] : {std::pair{&dq, &random.dqBuffer}, std::pair{&dk, &random.dkBuffer}, std::pair{&dv, &random.dvBuffer},
                          std::pair{&delta, &random.deltaBuffer}})
    REQUIRE(from->download(to->bytes.data(), from->size()));
}

void checkResult(const RandomBackward &random) {
  const RandomForward &forward = random.forward;
  ReferenceBackward reference =
      referenceBackward({.q = forward.q, .k = forward.k, .v = forward.v, .dO = random.dO, .dlse = random.dlse}, forward.semantics);
  double most = gradientTolerance(random.problem.dtype, Target::Kind::NVPTX);
  CHECK(relativeError(random.dq, reference.rows, reference.dq) <= most);
  CHECK(relativeError(random.dk, reference.keys, reference.dk) <= most);
  CHECK(relativeError(random.dv, reference.keys, reference.dv) <= most);
  CHECK(random.landmarksAreZero());
  CHECK(random.strayWrite() == "");
}

void checkResult(const RandomForward &random) {
  ReferenceForward reference = referenceForward(random.q, random.k, random.v, random.semantics);
  Tolerance tolerance = toleranceFor(random.problem.dtype, Target::Kind::NVPTX);
  CHECK(relativeError(random.o, reference) <= tolerance.o);
  CHECK(relativeError(random.lse, reference) <= tolerance.lse);
  CHECK(random.strayWrite() == "");
}

} // namespace landmark::test
