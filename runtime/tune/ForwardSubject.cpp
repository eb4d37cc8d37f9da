// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Subject.h"

#include "ForwardKernel.h"
#include "Random.h"
#include "RandomProblem.h"
#include "Safetensors.h"

#include <algorithm>
#include <fmt/format.h>

namespace landmark::tune {

namespace {

/// Tensors of one call in a device's memory.
class Tensors {
public:
  static Expected<Tensors> make(const Device &device, const Problem &problem, const Workload &sizes, uint64_t seed) {
    Tensors made;
    int64_t D = problem.headDim, element = byteSize(problem.dtype);
    std::array<int64_t, 4> q = {sizes.batch, sizes.heads, sizes.queryLength, D},
                           k = {sizes.batch, sizes.kvHeads, sizes.keyLength, D};
    auto place = [&](DeviceBuffer &buffer, TensorView &view, std::array<int64_t, 4> shape) -> Expected<void> {
      auto allocated = DeviceBuffer::allocate(device, std::size_t(shape[0] * shape[1] * shape[2] * D * element));
      if (!allocated)
        return allocated.error();
      buffer = std::move(*allocated);
      view = denseView(buffer.data(), problem.dtype, shape);
      return {};
    };
    ForwardArguments &call = made.arguments;
    for (auto [buffer, view, shape] : {std::tuple{&made.q, &call.q, q}, std::tuple{&made.k, &call.k, k},
                                       std::tuple{&made.v, &call.v, k}, std::tuple{&made.o, &call.o, q}})
      if (auto done = place(*buffer, *view, shape); !done)
        return done.error();
    auto lse = DeviceBuffer::allocate(device, std::size_t(q[0] * q[1] * q[2]) * sizeof(float));
    if (!lse)
      return lse.error();
    made.lse = std::move(*lse);
    call.lse = denseRows(static_cast<float *>(made.lse.data()), {q[0], q[1], q[2]});
    call.blockSize = problem.blockSize;
    for (DeviceBuffer *input : {&made.q, &made.k, &made.v})
      if (auto done = draw(*input, problem.dtype, seed++); !done)
        return done.error();
    return made;
  }

  DeviceBuffer q, k, v, o, lse;
  ForwardArguments arguments;

private:
  /// Normal numbers, the same megabyte again and again: speed does not depend on more.
  static Expected<void> draw(DeviceBuffer &buffer, DType dtype, uint64_t seed) {
    std::size_t element = std::size_t(byteSize(dtype)), piece = std::min<std::size_t>(buffer.size(), 1 << 20);
    std::vector<std::byte> numbers(piece);
    Random random(seed);
    for (std::size_t at = 0; at < piece; at += element)
      fromDouble(random.normal(), numbers.data() + at, dtype);
    for (std::size_t at = 0; at < buffer.size(); at += piece)
      if (auto done = buffer.upload(numbers.data(), std::min(piece, buffer.size() - at), at); !done)
        return done;
    return {};
  }
};

Expected<HostTensor> download(const DeviceBuffer &buffer, DType dtype, std::vector<int64_t> shape) {
  HostTensor tensor = HostTensor::zeros(dtype, std::move(shape));
  if (auto done = buffer.download(tensor.bytes.data(), tensor.bytes.size()); !done)
    return done.error();
  return tensor;
}

TensorView viewOf(HostTensor &tensor) {
  return denseView(tensor.bytes.data(), tensor.dtype,
                   {tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]});
}

/// Grouped heads, a history, a first block that was cut, a last block that is not full, rows that fill no tile.
Workload smallSizes(const Problem &problem) {
  int64_t keys = std::clamp<int64_t>(5 * problem.blockSize + problem.blockSize / 2 + 1, 150, 500);
  return {.batch = 1, .heads = 4, .kvHeads = 2, .queryLength = keys - keys / 5, .keyLength = keys};
}

class ForwardSubject : public Subject {
public:
  static Expected<std::unique_ptr<Subject>> make(const Device &device, const Problem &problem, const Workload &workload,
                                                 std::shared_ptr<ThreadPool> pool) {
    auto large = Tensors::make(device, problem, workload, 1);
    if (!large)
      return large.error();
    auto small = Tensors::make(device, problem, smallSizes(problem), 4);
    if (!small)
      return small.error();
    auto subject = std::unique_ptr<ForwardSubject>(
        new ForwardSubject(device, std::move(pool), std::move(*large), std::move(*small)));
    for (const Tensors *tensors : {&subject->large, &subject->small})
      if (auto legal = validate(tensors->arguments, device); !legal)
        return legal.error();
    if (auto done = subject->computeReference(); !done)
      return done.error();
    return std::unique_ptr<Subject>(std::move(subject));
  }

  Expected<std::function<Expected<void>()>> load(Kernel kernel) override {
    auto loaded = ForwardLoader::load(std::move(kernel), device, pool);
    if (!loaded)
      return loaded.error();
    if (auto right = check(*loaded); !right)
      return right.error();
    auto prepared = loaded->prepare(large.arguments);
    if (!prepared)
      return prepared.error();
    return std::function<Expected<void>()>([call = *prepared] { return call.launch(); });
  }

private:
  ForwardSubject(const Device &device, std::shared_ptr<ThreadPool> pool, Tensors large, Tensors small)
      : device(device), pool(std::move(pool)), large(std::move(large)), small(std::move(small)) {
    this->small.arguments.phase = this->small.arguments.blockSize / 3;
  }

  Expected<void> computeReference() {
    const ForwardArguments &call = small.arguments;
    auto fetch = [&](const DeviceBuffer &buffer, const TensorView &view) {
      return download(buffer, view.dtype, {view.shape.begin(), view.shape.end()});
    };
    auto q = fetch(small.q, call.q), k = fetch(small.k, call.k), v = fetch(small.v, call.v);
    for (const auto *tensor : {&q, &k, &v})
      if (!*tensor)
        return tensor->error();
    reference = referenceForward(viewOf(*q), viewOf(*k), viewOf(*v),
                                 {call.blockSize, call.phase, qOffsetOf(call), double(scaleOf(call))});
    return {};
  }

  Expected<void> check(const ForwardKernel &kernel) {
    constexpr unsigned char nan = 0xff;
    for (DeviceBuffer *output : {&small.o, &small.lse})
      if (auto done = output->fill(nan); !done)
        return done;
    if (auto done = kernel.launch(small.arguments); !done)
      return done;
    if (auto done = device.synchronize(); !done)
      return done;
    const auto &shape = small.arguments.o.shape;
    auto o = download(small.o, small.arguments.o.dtype, {shape.begin(), shape.end()});
    auto lse = download(small.lse, DType::F32, {shape[0], shape[1], shape[2]});
    if (!o || !lse)
      return o ? lse.error() : o.error();
    double error = relativeError(viewOf(*o), reference),
           lseError = relativeError(
               denseRows(reinterpret_cast<float *>(lse->bytes.data()), {shape[0], shape[1], shape[2]}), reference);
    Tolerance tolerance = toleranceFor(o->dtype, device.target().kind);
    if (error <= tolerance.o && lseError <= tolerance.lse)
      return {};
    return Error{ErrorCode::Mismatch,
                 fmt::format("wrong result: relative error {:.1e} of o, {:.1e} of lse", error, lseError)};
  }

  const Device device;
  const std::shared_ptr<ThreadPool> pool;
  Tensors large, small;
  ReferenceForward reference;
};

} // namespace

Expected<std::unique_ptr<Subject>> Subject::make(const Device &device, const Problem &problem, const Workload &workload,
                                                 std::shared_ptr<ThreadPool> pool) {
  if (problem.operation == Operation::Forward)
    return ForwardSubject::make(device, problem, workload, std::move(pool));
  return Error{ErrorCode::Unsupported, fmt::format("tuning: there is none for {}", name(problem.operation))};
}

} // namespace landmark::tune
