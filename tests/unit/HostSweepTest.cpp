// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random problems on the host target against the oracle, through the public interface.
#include "Random.h"
#include "RandomProblem.h"
#include "Safetensors.h"
#include "landmark/Runtime.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace landmark;

namespace {

/// Runs one problem and checks errors and guards. Outputs start as NaN, so a row left out shows.
void check(Runtime &runtime, const RandomForward &random) {
  INFO(random.description);
  ForwardArguments arguments{random.q,
                             random.k,
                             random.v,
                             random.o,
                             random.lse,
                             random.problem.blockSize,
                             random.semantics.phase,
                             float(random.semantics.scale),
                             random.semantics.qOffset};
  auto done = runtime.forward(arguments);
  INFO((done ? std::string("launched") : done.error().message));
  REQUIRE(done);
  ReferenceForward reference = referenceForward(random.q, random.k, random.v, random.semantics);
  Tolerance tolerance = toleranceFor(random.problem.dtype, Target::Kind::Host);
  CHECK(relativeError(random.o, reference) <= tolerance.o);
  CHECK(relativeError(random.lse, reference) <= tolerance.lse);
  CHECK(random.strayWrite() == "");
}

} // namespace

TEST_CASE("300 random problems on the host agree with the oracle", "[sweep]") {
  Runtime runtime(Device::host());
  for (uint64_t seed = 1; seed <= 300; ++seed)
    check(runtime, randomForward(seed));
}

TEST_CASE("small problems on the host agree with the oracle", "[sweep]") {
  Runtime runtime(Device::host());
  RandomLimits small;
  small.maxKeys = 40;
  small.maxHeadDim = 64;
  small.maxBlockSize = 8;
  for (uint64_t seed = 1001; seed <= 1040; ++seed)
    check(runtime, randomForward(seed, small));
}

TEST_CASE("long rows on the host stay within the promised errors") {
  constexpr int64_t rows = 4096, columns = 128;
  Runtime runtime(Device::host());
  for (auto [dtype, most] : {std::pair{DType::BF16, 3e-3}, std::pair{DType::F16, 4e-4}, std::pair{DType::F32, 2e-6}}) {
    Random random(7);
    HostTensor tensors[4];
    TensorView views[4];
    for (int i = 0; i < 4; ++i) {
      tensors[i] = HostTensor::zeros(dtype, {1, 1, rows, columns});
      views[i] = denseView(tensors[i].bytes.data(), dtype, {1, 1, rows, columns});
      for (int64_t element = 0; element < rows * columns; ++element)
        fromDouble(random.normal(), tensors[i].bytes.data() + element * byteSize(dtype), dtype);
    }
    std::vector<float> lse(rows);
    REQUIRE(runtime.forward({views[0], views[1], views[2], views[3], denseRows(lse.data(), {1, 1, rows}), 64}));
    RowSelection selection;
    for (int64_t row = 0; row < rows; row += 31)
      selection.rows.push_back(row);
    auto reference =
        referenceForward(views[0], views[1], views[2], {64, 0, 0, 1 / std::sqrt(double(columns))}, selection);
    INFO(name(dtype));
    CHECK(relativeError(views[3], reference) <= most);
  }
}
