// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OnDevice.h"

#include <catch2/catch.hpp>

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

void checkResult(const RandomForward &random) {
  ReferenceForward reference = referenceForward(random.q, random.k, random.v, random.semantics);
  Tolerance tolerance = toleranceFor(random.problem.dtype, Target::Kind::NVPTX);
  CHECK(relativeError(random.o, reference) <= tolerance.o);
  CHECK(relativeError(random.lse, reference) <= tolerance.lse);
  CHECK(random.strayWrite() == "");
}

} // namespace landmark::test
