// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"
#include "RandomProblem.h"
#include "tune/Subject.h"
#include "tune/Tensors.h"

#include <fmt/format.h>

namespace landmark::tune {

namespace {

/// A forward call's tensors.
struct ForwardTensors {
  Placed q, k, v, o, lse;
  ForwardArguments arguments;

  Expected<void> make(const Device &device, const Problem &problem, const Workload &sizes, uint64_t seed) {
    std::vector<int64_t> rows = {sizes.batch, sizes.heads, sizes.queryLength},
                         queries = {sizes.batch, sizes.heads, sizes.queryLength, problem.headDim},
                         keys = {sizes.batch, sizes.kvHeads, sizes.keyLength, problem.headDim};
    auto placed = place(device, {{&q, problem.dtype, queries},
                                 {&k, problem.dtype, keys},
                                 {&v, problem.dtype, keys},
                                 {&o, problem.dtype, queries},
                                 {&lse, DType::F32, rows}});
    if (!placed)
      return placed;
    for (Placed *input : {&q, &k, &v})
      if (auto drawn = input->draw(seed++); !drawn)
        return drawn;
    arguments = {q.tensor(), k.tensor(), v.tensor(), o.tensor(), lse.rows(), problem.blockSize};
    return {};
  }
};

class ForwardSubject : public Subject {
public:
  ForwardSubject(const Device &device, const Problem &problem, std::shared_ptr<ThreadPool> pool)
      : device(device), problem(problem), pool(std::move(pool)) {}

  Config initial() const override { return defaultConfig(problem, device.target(), length); }

  Expected<void> make(const Workload &workload) {
    length = lengthClass(workload.keyLength);
    if (auto made = large.make(device, problem, workload, 1); !made)
      return made;
    if (auto made = small.make(device, problem, smallSizes(problem), 4); !made)
      return made;
    small.arguments.phase = problem.blockSize / 3;
    for (const ForwardTensors *tensors : {&large, &small})
      if (auto legal = validate(tensors->arguments, device); !legal)
        return legal;
    return computeReference();
  }

  Expected<std::function<Expected<void>()>> load(Kernel kernel) override {
    auto loaded = KernelHandle::load<ForwardKernel>(std::move(kernel), device, pool);
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
  Expected<void> computeReference() {
    const ForwardArguments &call = small.arguments;
    auto q = small.q.download(), k = small.k.download(), v = small.v.download();
    for (const auto *tensor : {&q, &k, &v})
      if (!*tensor)
        return tensor->error();
    reference = referenceForward(viewOf(*q), viewOf(*k), viewOf(*v),
                                 {call.blockSize, call.phase, qOffsetOf(call), double(scaleOf(call))});
    return {};
  }

  Expected<void> check(const ForwardKernel &kernel) {
    for (Placed *output : {&small.o, &small.lse})
      if (auto done = output->poison(); !done)
        return done;
    if (auto done = kernel.launch(small.arguments); !done)
      return done;
    if (auto done = device.synchronize(); !done)
      return done;
    auto o = small.o.download(), lse = small.lse.download();
    if (!o || !lse)
      return o ? lse.error() : o.error();
    double error = relativeError(viewOf(*o), reference), lseError = relativeError(rowsOf(*lse), reference);
    Tolerance tolerance = toleranceFor(o->dtype, device.target().kind);
    if (error <= tolerance.o && lseError <= tolerance.lse)
      return {};
    return Error{ErrorCode::Mismatch,
                 fmt::format("wrong result: relative error {:.1e} of o, {:.1e} of lse", error, lseError)};
  }

  const Device device;
  const Problem problem;
  LengthClass length = LengthClass::Any; ///< of the workload
  const std::shared_ptr<ThreadPool> pool;
  ForwardTensors large, small;
  ReferenceForward reference;
};

} // namespace

Expected<std::unique_ptr<Subject>> makeForwardSubject(const Device &device, const Problem &problem,
                                                      const Workload &workload, std::shared_ptr<ThreadPool> pool) {
  auto subject = std::make_unique<ForwardSubject>(device, problem, std::move(pool));
  if (auto made = subject->make(workload); !made)
    return made.error();
  return std::unique_ptr<Subject>(std::move(subject));
}

} // namespace landmark::tune
