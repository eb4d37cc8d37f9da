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
#include "landmark/Tuning.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace landmark {

/// Landmark attention of `q` over `k` and `v`, into `o` and `lse`. All memory belongs to the caller and lies on the
/// device that runs it (device, managed or registered host memory for a GPU).
///
///     q, o   [batch, query heads, query length, D]
///     k, v   [batch, key/value heads, key length, D]      key/value heads divide query heads (grouped heads)
///     lse    [batch, query heads, query length]           float32: log of the normaliser, natural; -inf with
///                                                         o = 0 for a row that sees nothing
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
  /// Above 0 (at most 1): key tiles in which every gate of every row of a query tile is below it are skipped. What a
  /// skipped block would have added lacks in `o`, a share of at most its gate for each row; the other weights and `lse`
  /// stay what they are, so nothing is normalised again. 0 is exact and costs nothing. For blocks of at most 128 tokens.
  float gateThreshold = 0;
  /// With a threshold: scratch on the device, aligned to 4 bytes, overwritten by every launch. How much it takes says
  /// gateScratchBytes() of the kernel or the runtime.
  void *gateScratch = nullptr;
  int64_t gateScratchBytes = 0;
};

/// Tiles of a launch with a gate threshold (of a backward those of its kernel that goes by keys), those at the edges, which are never skipped, left out.
struct GatedTiles {
  int64_t skipped = 0;
  int64_t all = 0;
};

/// Gradients of landmark attention: of what forward() computed from `q`, `k` and `v`, given that of its output. As there, all memory belongs to the
/// caller.
///
///     q, o, dO, dq   [batch, query heads, query length, D]
///     k, v, dk, dv   [batch, key/value heads, key length, D]   dk and dv are sums over the query heads of a group
///     lse            [batch, query heads, query length]        as forward() left it, like o
///     dlse           the same shape: gradient of lse, where that is an output too (float32); else none
///     delta          the same shape: scratch that is overwritten (float32), so that a launch allocates nothing
///
/// q, k, v, o and dO have one element type; dq, dk and dv have that type too, or are all float32. Strides are as free as forward()'s; dq, dk, dv and delta
/// share no memory with anything else. A landmark's gradient of v is exactly 0, as is all that concerns a row that sees nothing.
///
/// On a GPU programs may add dq up in memory, in an order that differs from run to run, and dq then in its rounding: that is faster, and takes `scratch`. With `deterministic` two calls with
/// the same arguments give the same bits, as they always do on the host.
struct BackwardArguments {
  TensorView q;
  TensorView k;
  TensorView v;
  TensorView o;
  RowsView lse;
  TensorView dO;
  TensorView dq;
  TensorView dk;
  TensorView dv;
  RowsView delta;
  int64_t blockSize = 0; ///< these four: what forward() was told
  int64_t phase = 0;
  std::optional<float> scale = std::nullopt;
  std::optional<int64_t> qOffset = std::nullopt;
  std::optional<RowsView> dlse = std::nullopt;
  bool deterministic = false;
  /// Scratch on the device, aligned to 16 bytes, overwritten by every launch. How much it takes says backwardScratchBytes() of the runtime or scratchBytes() of
  /// the kernel: 4 (D + 2) bytes for each row of q (rounded up to 16 for each head) and 896 for each head, or none; and with a gate threshold what marks and lists of tiles take.
  void *scratch = nullptr;
  int64_t scratchBytes = 0;
  /// Above 0 (at most 1): past tiles of query rows and keys in which every gate is below it are skipped. What they hold lacks in dq, dk and dv: of every row and skipped block no more than its
  /// gate times what the whole of one block can add. 0 is exact and costs nothing. For blocks of at most 128 tokens; the forward may have had the same threshold, another one or none.
  float gateThreshold = 0;
};

/// Judges everything that can be judged without a kernel. The error names the argument, what it got and what is
/// allowed.
LANDMARK_API Expected<void> validate(const ForwardArguments &arguments, const Device &device);
LANDMARK_API Expected<void> validate(const BackwardArguments &arguments, const Device &device);

/// The kernel that the arguments need.
LANDMARK_API Problem problemOf(const ForwardArguments &arguments);
LANDMARK_API Problem problemOf(const BackwardArguments &arguments);

class LoadedKernel;
struct RetrievalPlan;

/// Other memory for a prepared call. Null for an empty tensor alone.
struct ForwardPointers {
  void *q = nullptr;
  void *k = nullptr;
  void *v = nullptr;
  void *o = nullptr;
  float *lse = nullptr;
};

/// A forward call that is checked and packed once and launched many times. A call of `launch` allocates nothing, looks
/// nothing up by name, takes no lock on a GPU and waits for nothing, so it may be captured in a CUDA graph, which waits
/// for the optimized kernel. A cheap handle; safe to use from many threads, each with a stream of its own.
class LANDMARK_API PreparedForward {
public:
  /// Runs on the memory it was prepared with; `stream` as in ForwardKernel::launch.
  Expected<void> launch(void *stream = nullptr) const;
  /// Runs on other memory in the same shapes and strides, but the same scratch for a gate threshold, so that of such
  /// launches one must be done before the next begins. Null pointers and alignment are checked; that the memory is the
  /// device's and outputs share none with anything else is the caller's to see to.
  Expected<void> launch(const ForwardPointers &pointers, void *stream = nullptr) const;

private:
  friend class ForwardKernel;
  struct State;
  explicit PreparedForward(std::shared_ptr<const State> state) : shared(std::move(state)) {}
  std::shared_ptr<const State> shared;
};

/// A compiled forward kernel on its device, or the kernels of a forward with a gate threshold, which a launch queues one
/// after the other. A cheap handle; safe to use from many threads at once. It stays valid when its Runtime is gone.
class LANDMARK_API ForwardKernel {
public:
  /// The kernel that is launched now: a baseline, its `tier` says, until the optimized one is there. The reference stays valid as long as the handle.
  const Kernel &kernel() const;
  const Device &device() const;

  /// Waits until that is the optimized one; at once where it is. An error says why it cannot be made; the baseline runs on.
  Expected<void> settle() const;

  /// Runs the kernel on `arguments`, whose D, block size and type must be the kernel's.
  ///
  /// GPU: asynchronous. `stream` is a CUstream of the device's context, null for the default stream; the memory must
  /// stay valid until the stream has passed the launch. What goes wrong inside a kernel is reported by a later call, as
  /// the driver does. Host: `stream` must be null; the calling thread and the runtime's workers compute, and the result
  /// is there on return.
  Expected<void> launch(const ForwardArguments &arguments, void *stream = nullptr) const;

  /// Does once what `launch` does before it launches. The handle keeps the kernel alive, not the memory.
  Expected<PreparedForward> prepare(const ForwardArguments &arguments) const;

  /// Scratch that `arguments` need for their gate threshold; 0 without one.
  Expected<int64_t> gateScratchBytes(const ForwardArguments &arguments) const;
  /// How many tiles the last launch with this scratch skipped. Waits for the device.
  Expected<GatedTiles> gatedTiles(const ForwardArguments &arguments) const;

private:
  friend struct KernelHandle;
  friend class Runtime;
  explicit ForwardKernel(std::shared_ptr<const LoadedKernel> kernel, std::shared_ptr<const LoadedKernel> gates = nullptr)
      : shared(std::move(kernel)), gates(std::move(gates)) {}
  Expected<int64_t> check(const ForwardArguments &arguments) const;
  std::shared_ptr<const LoadedKernel> shared;
  std::shared_ptr<const LoadedKernel> gates; ///< what marks and lists tiles for `shared`; null without a threshold
};

/// Other memory for a prepared backward; dlse where it was prepared with one. The scratch stays the same, so that of launches with one that takes any one must be done
/// before the next begins.
struct BackwardPointers {
  void *q = nullptr;
  void *k = nullptr;
  void *v = nullptr;
  void *o = nullptr;
  float *lse = nullptr;
  void *dO = nullptr;
  void *dq = nullptr;
  void *dk = nullptr;
  void *dv = nullptr;
  float *delta = nullptr;
  float *dlse = nullptr;
};

/// A backward call that is checked and packed once; in all else as PreparedForward.
class LANDMARK_API PreparedBackward {
public:
  Expected<void> launch(void *stream = nullptr) const;
  Expected<void> launch(const BackwardPointers &pointers, void *stream = nullptr) const;

private:
  friend class BackwardKernel;
  struct State;
  explicit PreparedBackward(std::shared_ptr<const State> state) : shared(std::move(state)) {}
  std::shared_ptr<const State> shared;
};

/// A compiled backward on its device, or the kernels of one with a gate threshold; in all else as ForwardKernel. A launch queues two or three functions on the stream, with a threshold up to
/// three more before them.
class LANDMARK_API BackwardKernel {
public:
  const Kernel &kernel() const;
  const Device &device() const;
  Expected<void> settle() const;
  Expected<void> launch(const BackwardArguments &arguments, void *stream = nullptr) const;
  Expected<PreparedBackward> prepare(const BackwardArguments &arguments) const;

  /// Scratch that a launch on `arguments` needs.
  Expected<int64_t> scratchBytes(const BackwardArguments &arguments) const;
  /// How many tiles the last launch with this scratch skipped. Waits for the device.
  Expected<GatedTiles> gatedTiles(const BackwardArguments &arguments) const;

private:
  friend struct KernelHandle;
  friend class PreparedBackward;
  friend class Runtime;
  explicit BackwardKernel(std::shared_ptr<const LoadedKernel> kernel, std::shared_ptr<const LoadedKernel> gates = nullptr, std::shared_ptr<const LoadedKernel> lists = nullptr)
      : shared(std::move(kernel)), gates(std::move(gates)), lists(std::move(lists)) {}
  std::shared_ptr<const LoadedKernel> shared;
  /// With a threshold: what marks tiles and lists those of rows, and what lists those of keys where a kernel goes by queries.
  std::shared_ptr<const LoadedKernel> gates, lists;
};

/// One device with the kernels used on it so far. Safe to use from many threads at once: a kernel that several ask for
/// is compiled once while the others wait, and different kernels compile side by side. A failed compilation is not
/// kept. The 256 kernels used last are; others go when the last handle to them does.
///
/// Kernels are also kept on disk (docs/cache.md), for other processes and later ones. Whatever is wrong with the disk
/// costs the time to compile and nothing else.
///
/// A kernel that nobody has kept may run as its baseline first, which compiles in less than half of the time and computes
/// the same bits, while the optimized one is compiled in the background (docs/tiers.md). settle() waits for it.
class LANDMARK_API Runtime {
public:
  explicit Runtime(Device device = Device::best(), const RuntimeOptions &options = {});
  ~Runtime();
  Runtime(Runtime &&) noexcept;
  Runtime &operator=(Runtime &&) noexcept;

  const Device &device() const;

  /// The kernel for a problem of the operation, compiled if this is the first request for it. Template files are read at that time only.
  /// Where `options` names no template directory, that of the environment variable LANDMARK_TEMPLATE_DIR holds. A problem of Operation::ForwardListed or BackwardListed is that of
  /// a forward or backward with a gate threshold; config and template file are then those of its last step, whose template is that without a threshold.
  Expected<ForwardKernel> forward(const Problem &problem, const CompileOptions &options = {});
  Expected<BackwardKernel> backward(const Problem &problem, const CompileOptions &options = {});

  /// validate, compile if needed, launch. Without a config in the options of `prepare` the schedule is the one for the
  /// class of the keys' length (or of the options'), of those that can load the views: tensor maps cannot describe every
  /// stride. So one problem may have two kernels, one for short sequences.
  Expected<void> forward(const ForwardArguments &arguments, void *stream = nullptr);
  Expected<void> backward(const BackwardArguments &arguments, void *stream = nullptr);
  Expected<PreparedForward> prepare(const ForwardArguments &arguments, const CompileOptions &options = {});
  Expected<PreparedBackward> prepare(const BackwardArguments &arguments, const CompileOptions &options = {});
  /// As ForwardKernel's, of the kernel that forward(arguments) runs.
  Expected<int64_t> gateScratchBytes(const ForwardArguments &arguments);
  Expected<GatedTiles> gatedTiles(const ForwardArguments &arguments);
  /// As BackwardKernel's scratchBytes, of the kernel that backward(arguments) runs; the scratch in `arguments` may still be none.
  Expected<int64_t> backwardScratchBytes(const BackwardArguments &arguments);
  Expected<GatedTiles> gatedTiles(const BackwardArguments &arguments);

  /// Waits until every kernel that was asked for so far is the optimized one; what is timed before may be a baseline. The
  /// first error says why one cannot be made.
  Expected<void> settle();

  /// Finds the fastest schedule for a problem on this device by measurement and keeps it beside the cache
  /// (docs/tuning.md): later requests that name no config get it, of this Runtime too. Takes as long as many
  /// compilations do. CompileFailed where no config computes what the oracle does.
  Expected<TuneResult> tune(const Problem &problem, const TuneOptions &options = {});

private:
  friend class Retrieval;
  Expected<ForwardKernel> kernelFor(const ForwardArguments &arguments, const CompileOptions &options);
  Expected<BackwardKernel> kernelFor(const BackwardArguments &arguments, const CompileOptions &options);
  /// A step of retrieval, with the schedule that was tuned for it, else the plan's.
  Expected<std::shared_ptr<const LoadedKernel>> kernelFor(const RetrievalPlan &plan, Operation step);

  struct State;
  std::unique_ptr<State> state;
};

} // namespace landmark
#endif
