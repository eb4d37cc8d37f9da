// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels compiled on demand and launched. Nothing here throws or aborts on bad input; a call that fails has changed
// nothing and launched nothing.
#ifndef LANDMARK_RUNTIME_H
#define LANDMARK_RUNTIME_H

#include "landmark/Compiler.h"
#include "landmark/Device.h"
#include "landmark/RuntimeOptions.h"
#include "landmark/Tensor.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace landmark {

class LoadedKernel;

/// Landmark attention of `q` over `k` and `v`, into `o` and `lse`. All memory belongs to the caller and lies on the
/// device that runs it (device, managed or registered host memory for a GPU).
///
///     q, o   [batch, query heads, query length, D]
///     k, v   [batch, key/value heads, key length, D]      key/value heads divide query heads (grouped heads)
///     lse    [batch, query heads, query length]           float32: log of the normaliser, natural; -inf with o = 0 for
///     a
///                                                         row that sees nothing
///
/// q, k, v and o have one element type. Strides count elements and are arbitrary (64-bit, 0 and negative ones
/// included), but columns lie side by side (stride 1), no element of an output lies over another, and outputs share no
/// memory with anything else. A view without elements may have null data. Empty batches, no queries and no keys are
/// valid.
struct ForwardArguments {
  TensorView q;
  TensorView k;
  TensorView v;
  TensorView o;
  RowsView lse;
  int64_t blockSize = 0; ///< tokens of a block, its landmark included; must be given
  int64_t phase = 0;     ///< how many tokens of the first block precede key 0; 0 .. blockSize - 1
  /// Factor of the logits, finite and above 0; 1 / sqrt(D) by default.
  std::optional<float> scale = std::nullopt;
  /// Absolute position of query row 0, at least 0. By default key length - query length: the queries are the last
  /// tokens.
  std::optional<int64_t> qOffset = std::nullopt;
};

/// Judges everything that can be judged without a kernel. The error names the argument, what it got and what is
/// allowed.
LANDMARK_API Expected<void> validate(const ForwardArguments &arguments, const Device &device);

/// The kernel that the arguments need.
LANDMARK_API Problem problemOf(const ForwardArguments &arguments);

/// Other memory for a prepared call. Null for an empty tensor alone.
struct ForwardPointers {
  void *q = nullptr;
  void *k = nullptr;
  void *v = nullptr;
  void *o = nullptr;
  float *lse = nullptr;
};

/// A forward call that is checked and packed once and launched many times. A call of `launch` allocates nothing, looks
/// nothing up by name, takes no lock on a GPU and waits for nothing, so it may be captured in a CUDA graph. A cheap
/// handle; safe to use from many threads, each with a stream of its own.
class LANDMARK_API PreparedForward {
public:
  /// Runs on the memory it was prepared with; `stream` as in ForwardKernel::launch.
  Expected<void> launch(void *stream = nullptr) const;
  /// Runs on other memory in the same shapes and strides. Null pointers and alignment are checked; that the memory is
  /// the device's and outputs share none with anything else is the caller's to see to.
  Expected<void> launch(const ForwardPointers &pointers, void *stream = nullptr) const;

private:
  friend class ForwardKernel;
  struct State;
  explicit PreparedForward(std::shared_ptr<const State> state) : shared(std::move(state)) {}
  std::shared_ptr<const State> shared;
};

/// A compiled forward kernel on its device. A cheap handle; safe to use from many threads at once. It stays valid when
/// its Runtime is gone.
class LANDMARK_API ForwardKernel {
public:
  const Kernel &kernel() const;
  const Device &device() const;

  /// Runs the kernel on `arguments`, whose D, block size and type must be the kernel's.
  ///
  /// GPU: asynchronous. `stream` is a CUstream of the device's context, null for the default stream; the memory must
  /// stay valid until the stream has passed the launch. What goes wrong inside a kernel is reported by a later call, as
  /// the driver does. Host: `stream` must be null; the calling thread and the runtime's workers compute, and the result
  /// is there on return.
  Expected<void> launch(const ForwardArguments &arguments, void *stream = nullptr) const;

  /// Does once what `launch` does before it launches. The handle keeps the kernel alive, not the memory.
  Expected<PreparedForward> prepare(const ForwardArguments &arguments) const;

private:
  friend struct ForwardLoader;
  friend class PreparedForward;
  struct State;
  explicit ForwardKernel(std::shared_ptr<const State> state) : shared(std::move(state)) {}
  std::shared_ptr<const State> shared;
};

/// One device with the kernels used on it so far. Safe to use from many threads at once: a kernel that several ask for
/// is compiled once while the others wait, and different kernels compile side by side. A failed compilation is not
/// kept. The 256 kernels used last are; others go when the last handle to them does.
///
/// Kernels are also kept on disk (docs/cache.md), for other processes and later ones. Whatever is wrong with the disk
/// costs the time to compile and nothing else.
class LANDMARK_API Runtime {
public:
  explicit Runtime(Device device = Device::best(), const RuntimeOptions &options = {});
  ~Runtime();
  Runtime(Runtime &&) noexcept;
  Runtime &operator=(Runtime &&) noexcept;

  const Device &device() const;

  /// The kernel for a problem, compiled if this is the first request for it. Template files are read at that time only.
  /// Where `options` names no template directory, that of the environment variable LANDMARK_TEMPLATE_DIR holds.
  Expected<ForwardKernel> forward(const Problem &problem, const CompileOptions &options = {});

  /// validate, compile if needed, launch. Without a config in the options of `prepare` the schedule is the default one,
  /// of those that can load the views: tensor maps cannot describe every stride.
  Expected<void> forward(const ForwardArguments &arguments, void *stream = nullptr);
  Expected<PreparedForward> prepare(const ForwardArguments &arguments, const CompileOptions &options = {});

private:
  Expected<ForwardKernel> kernelFor(const ForwardArguments &arguments, const CompileOptions &options);

  friend class Retrieval;
  /// A step of retrieval.
  Expected<std::shared_ptr<const LoadedKernel>> step(const Problem &problem, const CompileOptions &options);

  struct State;
  std::unique_ptr<State> state;
};

} // namespace landmark
#endif
