// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Launch.h"
#include "LoadedKernel.h"
#include "RandomProblem.h"
#include "tune/Subject.h"
#include "tune/Tensors.h"

#include <fmt/format.h>

namespace landmark::tune {

namespace {

/// A backward call's tensors.
struct BackwardTensors {
  Placed q, k, v, o, lse, dO, dq, dk, dv, delta, scratch;
  BackwardArguments arguments;

  /// Inputs are drawn; o and lse are no forward's, which speed does not depend on.
  Expected<void> make(const Device &device, const Problem &problem, const Workload &sizes, uint64_t seed) {
    std::vector<int64_t> rows = {sizes.batch, sizes.heads, sizes.queryLength},
                         queries = {sizes.batch, sizes.heads, sizes.queryLength, problem.headDim},
                         keys = {sizes.batch, sizes.kvHeads, sizes.keyLength, problem.headDim};
    DType type = problem.dtype, gradient = problem.gradientType();
    // As much as any schedule takes.
    int64_t scratchRows = sizes.batch * sizes.heads * ((sizes.queryLength + 15) / 16 * 16);
    auto placed = place(device, {{&q, type, queries},
                                 {&k, type, keys},
                                 {&v, type, keys},
                                 {&o, type, queries},
                                 {&lse, DType::F32, rows},
                                 {&dO, type, queries},
                                 {&dq, gradient, queries},
                                 {&dk, gradient, keys},
                                 {&dv, gradient, keys},
                                 {&delta, DType::F32, rows},
                                 {&scratch, DType::F32, {1, 1, problem.deterministic ? 0 : scratchRows * (problem.headDim + 2)}}});
    if (!placed)
      return placed;
    for (Placed *input : {&q, &k, &v, &o, &lse, &dO})
      if (auto drawn = input->draw(seed++); !drawn)
        return drawn;
    arguments = {q.tensor(),  k.tensor(),  v.tensor(),  o.tensor(),   lse.rows(),       dO.tensor(),
                 dq.tensor(), dk.tensor(), dv.tensor(), delta.rows(), problem.blockSize};
    arguments.deterministic = problem.deterministic;
    RowsView sums = scratch.rows();
    arguments.scratch = sums.data;
    arguments.scratchBytes = sums.shape[2] * int64_t(sizeof(float));
    return {};
  }
};

class BackwardSubject : public Subject {
public:
  BackwardSubject(const Device &device, const Problem &problem, std::shared_ptr<ThreadPool> pool)
      : device(device), problem(problem), pool(std::move(pool)) {}

  Config initial() const override { return defaultConfig(problem, device.target(), length); }

  Expected<void> make(const Workload &workload) {
    length = lengthClass(workload.keyLength);
    if (auto made = large.make(device, problem, workload, 1); !made)
      return made;
    if (auto made = small.make(device, problem, smallSizes(problem), 8); !made)
      return made;
    small.arguments.phase = problem.blockSize / 3;
    for (const BackwardTensors *tensors : {&large, &small})
      if (auto legal = validate(tensors->arguments, device); !legal)
        return legal;
    return computeReference();
  }

  Expected<std::function<Expected<void>()>> load(Kernel kernel) override {
    auto loaded = KernelHandle::load<BackwardKernel>(std::move(kernel), device, pool);
    if (!loaded)
      return loaded.error();
    if (auto right = check(*loaded); !right)
      return right.error();
    return std::function<Expected<void>()>([this, call = *loaded] { return call.launch(large.arguments); });
  }

private:
  /// The oracle's forward gives o and lse, its backward the gradients.
  Expected<void> computeReference() {
    const BackwardArguments &call = small.arguments;
    auto q = small.q.download(), k = small.k.download(), v = small.v.download(), dO = small.dO.download();
    for (const auto *tensor : {&q, &k, &v, &dO})
      if (!*tensor)
        return tensor->error();
    ForwardArguments forwardCall = forwardOf(call);
    ForwardSemantics semantics{call.blockSize, call.phase, qOffsetOf(forwardCall), double(scaleOf(forwardCall))};
    ReferenceForward forward = referenceForward(viewOf(*q), viewOf(*k), viewOf(*v), semantics);
    if (auto done = small.o.upload(rounded(forward.o, small.o.dtype, small.o.shape)); !done)
      return done;
    if (auto done = small.lse.upload(rounded(forward.lse, DType::F32, small.lse.shape)); !done)
      return done;
    reference = referenceBackward({.q = viewOf(*q), .k = viewOf(*k), .v = viewOf(*v), .dO = viewOf(*dO)}, semantics);
    return {};
  }

  Expected<void> check(const BackwardKernel &kernel) {
    for (Placed *output : {&small.dq, &small.dk, &small.dv, &small.delta, &small.scratch})
      if (auto done = output->poison(); !done)
        return done;
    if (auto done = kernel.launch(small.arguments); !done)
      return done;
    if (auto done = device.synchronize(); !done)
      return done;
    auto dq = small.dq.download(), dk = small.dk.download(), dv = small.dv.download();
    for (const auto *tensor : {&dq, &dk, &dv})
      if (!*tensor)
        return tensor->error();
    double ofQ = relativeError(viewOf(*dq), reference.rows, reference.dq),
           ofK = relativeError(viewOf(*dk), reference.keys, reference.dk),
           ofV = relativeError(viewOf(*dv), reference.keys, reference.dv);
    if (double most = gradientTolerance(small.q.dtype, device.target().kind); ofQ <= most && ofK <= most && ofV <= most)
      return {};
    return Error{ErrorCode::Mismatch,
                 fmt::format("wrong result: relative error {:.1e} of dq, {:.1e} of dk, {:.1e} of dv", ofQ, ofK, ofV)};
  }

  const Device device;
  const Problem problem;
  LengthClass length = LengthClass::Any; ///< of the workload
  const std::shared_ptr<ThreadPool> pool;
  BackwardTensors large, small;
  ReferenceBackward reference;
};

} // namespace

Expected<std::unique_ptr<Subject>> makeBackwardSubject(const Device &device, const Problem &problem,
                                                       const Workload &workload, std::shared_ptr<ThreadPool> pool) {
  auto subject = std::make_unique<BackwardSubject>(device, problem, std::move(pool));
  if (auto made = subject->make(workload); !made)
    return made.error();
  return std::unique_ptr<Subject>(std::move(subject));
}

} // namespace landmark::tune
