// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The forward on a GPU against the oracle.
#include "../common/GatedReference.h"
#include "../common/RequireDone.h"
#include "OnDevice.h"
#include "Options.h"
#include "Random.h"
#include "Safetensors.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

using namespace landmark;
using landmark::test::OnDevice;

namespace {

Device gpu() { return *Device::cuda(0); }

/// Normal numbers, dense, one value a line apart from the next: [1, 1, rows, columns].
HostTensor randomTensor(DType dtype, int64_t rows, int64_t columns, uint64_t seed) {
  HostTensor tensor = HostTensor::zeros(dtype, {1, 1, rows, columns});
  Random random(seed);
  for (int64_t i = 0; i < rows * columns; ++i)
    fromDouble(random.normal(), tensor.bytes.data() + i * byteSize(dtype), dtype);
  return tensor;
}

TensorView viewOf(HostTensor &tensor) {
  return denseView(tensor.bytes.data(), tensor.dtype, {1, 1, tensor.shape[2], tensor.shape[3]});
}

DeviceBuffer onDevice(const Device &device, const HostTensor &tensor) {
  auto buffer = DeviceBuffer::allocate(device, tensor.bytes.size());
  REQUIRE(buffer);
  REQUIRE(buffer->upload(tensor.bytes.data(), tensor.bytes.size()));
  return std::move(*buffer);
}

/// By the schedule for a class of lengths, whatever the call's.
Expected<void> forward(Runtime &runtime, const ForwardArguments &arguments, LengthClass length) {
  CompileOptions options;
  options.length = length;
  auto prepared = runtime.prepare(arguments, options);
  return prepared ? prepared->launch() : prepared.error();
}

/// The classes whose schedules for a problem differ.
std::vector<LengthClass> classesOf(const Problem &problem, const Target &target) {
  if (defaultConfig(problem, target, LengthClass::Short) == defaultConfig(problem, target, LengthClass::Long))
    return {LengthClass::Any};
  return {LengthClass::Short, LengthClass::Long};
}

/// Compares a random problem with the oracle, by the schedules of all classes of lengths.
void runBothClasses(Runtime &runtime, uint64_t seed, const RandomLimits &limits) {
  for (LengthClass length : classesOf(randomForward(seed, limits).problem, runtime.device().target())) {
    RandomForward random = randomForward(seed, limits); // its outputs are NaN anew
    INFO(random.description << ", lengths " << describe(length));
    OnDevice there(runtime.device(), random);
    REQUIRE_DONE(forward(runtime, there.arguments(), length));
    REQUIRE_DONE(runtime.device().synchronize());
    there.download(random);
    landmark::test::checkResult(random);
  }
}

/// The output of one head, in memory that was poisoned before: what `launch` makes of the arguments there.
template <typename Launch> HostTensor outputOf(const Device &device, const HostTensor &q, const HostTensor &k, const HostTensor &v, int64_t blockSize, Launch launch) {
  HostTensor o = HostTensor::zeros(q.dtype, q.shape);
  DeviceBuffer there[] = {onDevice(device, q), onDevice(device, k), onDevice(device, v), onDevice(device, o)};
  auto lse = DeviceBuffer::allocate(device, q.shape[2] * sizeof(float));
  REQUIRE(lse);
  REQUIRE(there[3].fill(0xff));
  auto view = [&](int index, const HostTensor &tensor) { return denseView(there[index].data(), tensor.dtype, {1, 1, tensor.shape[2], tensor.shape[3]}); };
  ForwardArguments arguments{view(0, q), view(1, k), view(2, v), view(3, o), denseRows(static_cast<float *>(lse->data()), {1, 1, q.shape[2]}), blockSize};
  REQUIRE_DONE(launch(arguments));
  REQUIRE_DONE(there[3].download(o.bytes.data(), o.bytes.size()));
  return o;
}

} // namespace

TEST_CASE("random problems agree with the oracle", "[sweep]") {
  Runtime runtime(gpu());
  for (int seed = sweepFirst; seed < sweepFirst + sweepCount; ++seed)
    runBothClasses(runtime, uint64_t(seed), {});
}

TEST_CASE("problems with schedules of their own agree with the oracle", "[sweep]") {
  Runtime runtime(gpu());
  for (auto [blockSize, headDim] : {std::pair{64, 64}, {128, 64}, {256, 64}, {64, 96}, {51, 256}})
    for (uint64_t seed = 1; seed <= 12; ++seed)
      runBothClasses(runtime, seed, {.maxKeys = 900, .problem = Problem{Operation::Forward, blockSize, headDim, DType::BF16}});
}

TEST_CASE("blocks that are no multiple of 16 keys agree with the oracle", "[sweep]") {
  Runtime runtime(gpu());
  for (DType dtype : {DType::BF16, DType::F16})
    for (auto [blockSize, headDim] : {std::pair{24, 128}, {33, 64}, {40, 128}, {40, 64}, {40, 256}, {65, 96}, {72, 128}, {88, 64}, {104, 128}, {113, 64}, {120, 128}, {49, 256}})
      for (uint64_t seed = 1; seed <= 2; ++seed)
        runBothClasses(runtime, seed, {.maxKeys = 900, .problem = Problem{Operation::Forward, blockSize, headDim, dtype}});
}

TEST_CASE("a gate threshold leaves out what the oracle leaves out", "[sweep]") {
  Runtime runtime(gpu());
  for (uint64_t seed = 1; seed <= 40; ++seed)
    for (float threshold : {1e-30f, 0.03f, 0.1f, 1.0f}) {
      RandomForward random = landmark::test::randomGated(seed);
      INFO(random.description << ", gate threshold " << threshold);
      OnDevice there(runtime.device(), random);
      ForwardArguments arguments = there.arguments();
      arguments.gateThreshold = threshold;
      auto bytes = runtime.gateScratchBytes(arguments);
      REQUIRE_DONE(bytes);
      auto scratch = DeviceBuffer::allocate(runtime.device(), std::size_t(*bytes));
      REQUIRE(scratch);
      REQUIRE(scratch->fill(0xff));
      arguments.gateScratch = scratch->data();
      arguments.gateScratchBytes = *bytes;
      REQUIRE_DONE(runtime.forward(arguments));
      auto tiles = runtime.gatedTiles(arguments);
      REQUIRE_DONE(tiles);
      // What is left out goes by tiles. Ordinary copies load strides that tensor maps cannot follow; then the other kernel refuses them, or a scratch for other tiles.
      CompileOptions options;
      options.length = lengthClass(arguments.k.shape[2]);
      auto kernel = runtime.forward(problemOf(arguments), options);
      REQUIRE_DONE(kernel);
      Config config = kernel->kernel().config;
      if (!kernel->prepare(arguments))
        config = defaultConfig(problemOf(arguments), runtime.device().target(), options.length, Loads::Async);
      there.download(random);
      landmark::test::GatedReference reference = landmark::test::gatedReference(random, threshold, config);
      Tolerance tolerance = toleranceFor(random.problem.dtype, Target::Kind::NVPTX);
      CHECK(relativeError(random.lse, reference.forward) <= tolerance.lse);
      CHECK(random.strayWrite() == "");
      if (reference.isClose)
        continue;
      CHECK(relativeError(random.o, reference.forward) <= tolerance.o);
      CHECK(tiles->all == reference.tiles.all);
      CHECK(tiles->skipped == reference.tiles.skipped);
    }
}

TEST_CASE("long rows stay within the promised errors") {
  constexpr int64_t rows = 4096, columns = 128;
  const Device device = gpu();
  Runtime runtime(device);
  for (auto [dtype, most] : {std::pair{DType::BF16, 3e-3}, std::pair{DType::F16, 4e-4}, std::pair{DType::F32, 1e-3}}) {
    HostTensor q = randomTensor(dtype, rows, columns, 1), k = randomTensor(dtype, rows, columns, 2);
    HostTensor v = randomTensor(dtype, rows, columns, 3), o = HostTensor::zeros(dtype, {1, 1, rows, columns});
    DeviceBuffer buffers[] = {onDevice(device, q), onDevice(device, k), onDevice(device, v), onDevice(device, o)};
    auto lse = DeviceBuffer::allocate(device, rows * sizeof(float));
    REQUIRE(lse);
    REQUIRE(buffers[3].fill(0xff));
    auto there = [&](int index) { return denseView(buffers[index].data(), dtype, {1, 1, rows, columns}); };
    REQUIRE_DONE(runtime.forward(
        {there(0), there(1), there(2), there(3), denseRows(static_cast<float *>(lse->data()), {1, 1, rows}), 64}));
    REQUIRE_DONE(buffers[3].download(o.bytes.data(), o.bytes.size()));
    RowSelection selection;
    for (int64_t row = 0; row < rows; row += 31)
      selection.rows.push_back(row);
    auto reference =
        referenceForward(viewOf(q), viewOf(k), viewOf(v), {64, 0, 0, 1 / std::sqrt(double(columns))}, selection);
    INFO(name(dtype));
    CHECK(relativeError(viewOf(o), reference) <= most);
  }
}

TEST_CASE("weights of rows with many keys keep float16's precision") {
  // Of 300,000 keys a weight is near 2^-18, which float16 has 5 bits for.
  const Device device = gpu();
  Runtime runtime(device);
  for (auto [columns, blockSize] : {std::pair<int64_t, int64_t>{64, 64}, {128, 64}, {128, 51}, {256, 512}}) {
    constexpr int64_t rows = 8, keys = 300'000;
    HostTensor q = randomTensor(DType::F16, rows, columns, 1), k = randomTensor(DType::F16, keys, columns, 2);
    HostTensor v = randomTensor(DType::F16, keys, columns, 3);
    HostTensor o = outputOf(device, q, k, v, blockSize, [&](const ForwardArguments &arguments) { return runtime.forward(arguments); });
    INFO("D=" << columns << ", L=" << blockSize);
    CHECK(relativeError(viewOf(o), referenceForward(viewOf(q), viewOf(k), viewOf(v), {blockSize, 0, keys - rows, 1 / std::sqrt(double(columns))})) <= 4e-4 + keys * 0x1p-29); // what sums are cut off by (toleranceFor)
  }
}

TEST_CASE("float16's weights are as precise where float16 does not hold their factors") {
  // Ordinary keys of past blocks are `octaves` above or below landmarks, and weigh alike: a factor of a block, or an exponential, is then below float16's normal numbers, and their errors would be
  // the output's. The row's own block is as its landmarks are.
  const Device device = gpu();
  Runtime runtime(device);
  constexpr int64_t keys = 300'033, blockSize = 64;
  for (int64_t columns : {64, 128})
    for (double octaves : {-20.0, -11.0, 6.0, 13.0, 16.0}) {
      HostTensor q = HostTensor::zeros(DType::F16, {1, 1, 1, columns}), k = randomTensor(DType::F16, keys, columns, 2);
      HostTensor v = randomTensor(DType::F16, keys, columns, 3);
      const double scale = 1 / std::sqrt(double(columns)), apart = octaves * std::log(2.0) / (scale * columns);
      for (int64_t i = 0; i < columns; ++i)
        fromDouble(1, q.bytes.data() + i * 2, DType::F16);
      for (int64_t row = 0; row < keys / blockSize * blockSize; ++row)
        for (int64_t i = 0; i < columns && row % blockSize != blockSize - 1; ++i) {
          std::byte *at = k.bytes.data() + (row * columns + i) * 2;
          fromDouble(toDouble(at, DType::F16) + apart, at, DType::F16);
        }
      HostTensor o = outputOf(device, q, k, v, blockSize, [&](const ForwardArguments &arguments) { return runtime.forward(arguments); });
      INFO("D=" << columns << ", " << octaves << " octaves");
      CHECK(relativeError(viewOf(o), referenceForward(viewOf(q), viewOf(k), viewOf(v), {blockSize, 0, keys - 1, scale})) <= 4e-4 + keys * 0x1p-29); // what sums are cut off by (toleranceFor)
    }
}

TEST_CASE("logits far from a row's log-sum-exp are weighed right") {
  // Where exponentials less the log-sum-exp leave the range of float32 a warp takes the maximum of every block (landmark.past_weights): with random logits of
  // hundreds, and with ordinary keys that point away from queries to which landmarks point, so that what has weight is far below the log-sum-exp.
  constexpr int64_t rows = 700;
  const Device device = gpu();
  Runtime runtime(device);
  for (auto [blockSize, columns, dtype] : {std::tuple{64, 128, DType::BF16}, std::tuple{64, 64, DType::BF16}, std::tuple{51, 80, DType::BF16}, std::tuple{32, 96, DType::BF16},
                                           std::tuple{128, 128, DType::BF16}, std::tuple{64, 256, DType::BF16}, std::tuple{64, 128, DType::F16}})
    for (bool apart : {false, true})
      for (float scale : {0.3f, 4.0f, 30.0f}) {
        HostTensor q = randomTensor(dtype, rows, columns, 1), k = randomTensor(dtype, rows, columns, 2);
        HostTensor v = randomTensor(dtype, rows, columns, 3), o = HostTensor::zeros(dtype, {1, 1, rows, columns});
        for (int64_t i = 0; apart && i < rows * columns; ++i) {
          int64_t row = i / columns, at = i * byteSize(dtype);
          bool isLandmark = row % blockSize == blockSize - 1;
          fromDouble(1, q.bytes.data() + at, dtype);
          fromDouble((isLandmark ? 1.0 : -1.0) + (i % 7) / 64.0, k.bytes.data() + at, dtype);
        }
        DeviceBuffer buffers[] = {onDevice(device, q), onDevice(device, k), onDevice(device, v), onDevice(device, o)};
        auto lse = DeviceBuffer::allocate(device, rows * sizeof(float));
        REQUIRE(lse);
        REQUIRE(buffers[3].fill(0xff));
        auto there = [&](int index) { return denseView(buffers[index].data(), dtype, {1, 1, rows, columns}); };
        ForwardArguments arguments{there(0), there(1), there(2), there(3), denseRows(static_cast<float *>(lse->data()), {1, 1, rows}), blockSize};
        arguments.scale = scale;
        auto reference = referenceForward(viewOf(q), viewOf(k), viewOf(v), {blockSize, 0, 0, scale});
        for (LengthClass length : classesOf(problemOf(arguments), device.target())) {
          REQUIRE_DONE(forward(runtime, arguments, length));
          REQUIRE_DONE(buffers[3].download(o.bytes.data(), o.bytes.size()));
          INFO("L=" << blockSize << " D=" << columns << " " << name(dtype) << " scale " << scale << (apart ? ", landmarks apart" : "") << ", lengths " << describe(length));
          CHECK(relativeError(viewOf(o), reference) <= 4e-3);
          REQUIRE(buffers[3].fill(0xff));
        }
      }
}

TEST_CASE("a grid whose blocks run several programs agrees with the oracle, and repeats its bits") {
  // More programs than the last rounds of a grid have, which run alone; the last tile of a head is a part of one.
  constexpr int64_t heads = 288, rows = 530, columns = 128, repeats = 200;
  const Device device = gpu();
  Runtime runtime(device);
  const Problem problem{Operation::Forward, 64, columns, DType::BF16};
  HostTensor q = randomTensor(DType::BF16, heads * rows, columns, 1), k = randomTensor(DType::BF16, heads * rows, columns, 2);
  HostTensor v = randomTensor(DType::BF16, heads * rows, columns, 3), o = HostTensor::zeros(DType::BF16, {1, 1, heads * rows, columns});
  DeviceBuffer buffers[] = {onDevice(device, q), onDevice(device, k), onDevice(device, v), onDevice(device, o)};
  auto lse = DeviceBuffer::allocate(device, heads * rows * sizeof(float));
  REQUIRE(lse);
  auto there = [&](int index) { return denseView(buffers[index].data(), DType::BF16, {1, heads, rows, columns}); };
  ForwardArguments arguments{there(0), there(1), there(2), there(3), denseRows(static_cast<float *>(lse->data()), {1, heads, rows}), 64};
  for (int64_t programs : {2, 5}) {
    Config config = defaultConfig(problem, device.target());
    config.programs = programs;
    if (auto legal = validate(config, problem, device.target()); !legal) {
      WARN("not run on this device: " << legal.error().message);
      return;
    }
    auto kernel = runtime.forward(problem, {.config = config, .templateFile = {}, .templateDir = {}, .dumpDir = {}, .resumeText = {}});
    REQUIRE_DONE(kernel);
    REQUIRE(buffers[3].fill(0xff));
    REQUIRE_DONE(kernel->launch(arguments));
    REQUIRE_DONE(buffers[3].download(o.bytes.data(), o.bytes.size()));
    const int64_t headBytes = rows * columns * 2;
    for (int64_t head : {int64_t(0), int64_t(1), heads / 2, heads - 1}) {
      auto of = [&](HostTensor &tensor) { return denseView(tensor.bytes.data() + head * headBytes, DType::BF16, {1, 1, rows, columns}); };
      auto reference = referenceForward(of(q), of(k), of(v), {64, 0, 0, 1 / std::sqrt(double(columns))});
      INFO(programs << " programs, head " << head);
      CHECK(relativeError(of(o), reference) <= 3e-3);
    }
    HostTensor again = o;
    for (int64_t repeat = 0; repeat < repeats; ++repeat) {
      REQUIRE(buffers[3].fill(0xff));
      REQUIRE_DONE(kernel->launch(arguments));
      REQUIRE_DONE(buffers[3].download(again.bytes.data(), again.bytes.size()));
      REQUIRE(again.bytes == o.bytes);
    }
  }
}

TEST_CASE("kernels from which a pass is left out agree with the oracle") {
  constexpr int64_t rows = 900, columns = 128, blockSize = 64;
  const Device device = gpu();
  Runtime runtime(device);
  for (DType dtype : {DType::BF16, DType::F16}) {
    const Problem problem{Operation::Forward, blockSize, columns, dtype};
    if (defaultConfig(problem, device.target()).unit != MatrixUnit::Wgmma) {
      WARN("not run on this device: its schedules have none of these passes");
      return;
    }
    HostTensor q = randomTensor(dtype, rows, columns, 1), k = randomTensor(dtype, rows, columns, 2), v = randomTensor(dtype, rows, columns, 3);
    auto reference = referenceForward(viewOf(q), viewOf(k), viewOf(v), {blockSize, 0, 0, 1 / std::sqrt(double(columns))});
    for (const std::string &pass : optionalPassNames()) {
      CompileOptions options;
      options.without = {pass};
      auto kernel = runtime.forward(problem, options);
      REQUIRE_DONE(kernel);
      HostTensor o = outputOf(device, q, k, v, blockSize, [&](const ForwardArguments &arguments) { return kernel->launch(arguments); });
      INFO("without " << pass << ", " << name(dtype));
      CHECK(relativeError(viewOf(o), reference) <= toleranceFor(dtype, device.target().kind).o);
    }
  }
}

TEST_CASE("repeated launches give the same bits") {
  RandomLimits large;
  large.maxKeys = 3000;
  Runtime runtime(gpu());
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    RandomForward first = randomForward(seed, large);
    INFO(first.description);
    OnDevice there(runtime.device(), first);
    REQUIRE_DONE(runtime.forward(there.arguments()));
    there.download(first);
    for (int repeat = 0; repeat < 20; ++repeat) {
      RandomForward again = randomForward(seed, large);
      OnDevice elsewhere(runtime.device(), again);
      REQUIRE_DONE(runtime.forward(elsewhere.arguments()));
      elsewhere.download(again);
      REQUIRE(again.oBuffer.bytes == first.oBuffer.bytes);
      REQUIRE(again.lseBuffer.bytes == first.lseBuffer.bytes);
    }
  }
}

TEST_CASE("rows without keys, and with nothing but ordinary keys, get what the oracle says") {
  Runtime runtime(gpu());
  for (int64_t keys : {0, 1, 63}) {
    HostTensor host[] = {randomTensor(DType::BF16, 5, 64, 1), randomTensor(DType::BF16, keys, 64, 2), randomTensor(DType::BF16, keys, 64, 3)};
    auto buffer = DeviceBuffer::allocate(runtime.device(), 1 << 20);
    REQUIRE(buffer);
    REQUIRE_DONE(buffer->fill(0xff));
    auto *base = static_cast<std::byte *>(buffer->data());
    auto there = [&](int64_t place, int64_t rows) { return denseView(base + (place << 16), DType::BF16, {1, 1, rows, 64}); };
    for (int64_t i = 0; i < 3; ++i)
      REQUIRE_DONE(buffer->upload(host[i].bytes.data(), host[i].bytes.size(), i << 16));
    ForwardArguments arguments{there(0, 5), there(1, keys), there(2, keys), there(3, 5),
                               denseRows(reinterpret_cast<float *>(base + (4 << 16)), {1, 1, 5}), 64};
    arguments.qOffset = 70; // beyond the keys: no row sees itself
    REQUIRE_DONE(runtime.forward(arguments));
    HostTensor o = HostTensor::zeros(DType::BF16, {1, 1, 5, 64});
    std::vector<float> lse(5);
    REQUIRE_DONE(buffer->download(o.bytes.data(), o.bytes.size(), 3 << 16));
    REQUIRE_DONE(buffer->download(lse.data(), lse.size() * sizeof(float), 4 << 16));
    for (float value : lse)
      CHECK(value == -std::numeric_limits<float>::infinity());
    CHECK(std::all_of(o.bytes.begin(), o.bytes.end(), [](std::byte b) { return b == std::byte(0); }));
  }
}

TEST_CASE("offsets of rows are 64-bit") {
  // One buffer, its rows 2^26 elements apart, so that the last lie 2^31 elements and more behind the first; q, k, v, o
  // and lse side by side in each row.
  constexpr int64_t rows = 40, columns = 64, pitch = (int64_t(1) << 26) + 8, bytes = rows * pitch * 2;
  const Device device = gpu();
  auto buffer = DeviceBuffer::allocate(device, bytes);
  if (!buffer) {
    WARN("skipped: the device has no " << bytes << " bytes free");
    return;
  }
  HostTensor host[] = {randomTensor(DType::BF16, rows, columns, 4), randomTensor(DType::BF16, rows, columns, 5),
                       randomTensor(DType::BF16, rows, columns, 6),
                       HostTensor::zeros(DType::BF16, {1, 1, rows, columns})};
  constexpr int64_t rowBytes = columns * 2, part = 1024;
  for (int64_t which = 0; which < 3; ++which)
    for (int64_t row = 0; row < rows; ++row)
      REQUIRE(buffer->upload(host[which].bytes.data() + row * rowBytes, rowBytes, row * pitch * 2 + which * part));
  auto *base = static_cast<std::byte *>(buffer->data());
  auto there = [&](int64_t which) {
    return TensorView{base + which * part, DType::BF16, {1, 1, rows, columns}, {0, 0, pitch, 1}};
  };
  RowsView lse{reinterpret_cast<float *>(base + 4 * part), {1, 1, rows}, {0, 0, pitch / 2}};
  Runtime runtime(device);
  REQUIRE_DONE(runtime.forward({there(0), there(1), there(2), there(3), lse, 16}));
  std::vector<float> hostLse(rows);
  for (int64_t row = 0; row < rows; ++row) {
    REQUIRE_DONE(buffer->download(host[3].bytes.data() + row * rowBytes, rowBytes, row * pitch * 2 + 3 * part));
    REQUIRE_DONE(buffer->download(&hostLse[row], sizeof(float), row * pitch * 2 + 4 * part));
  }
  auto reference = referenceForward(viewOf(host[0]), viewOf(host[1]), viewOf(host[2]), {16, 0, 0, 0.125});
  Tolerance tolerance = toleranceFor(DType::BF16, Target::Kind::NVPTX);
  CHECK(relativeError(viewOf(host[3]), reference) <= tolerance.o);
  CHECK(relativeError(denseRows(hostLse.data(), {1, 1, rows}), reference) <= tolerance.lse);
}
