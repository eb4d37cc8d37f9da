// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a problem to a kernel. No MLIR or LLVM header is included here.
#ifndef LANDMARK_COMPILER_H
#define LANDMARK_COMPILER_H

#include "landmark/Export.h"
#include "landmark/Config.h"
#include "landmark/Problem.h"
#include "landmark/Stage.h"
#include "landmark/Target.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <string_view>

namespace landmark {

/// How much is done for a kernel's speed. Both tiers have the same launch and compute the same bits.
enum class Tier {
  Baseline, ///< compiled in less than half of the time: no product runs beside other work, and no code stands twice for that
  Optimized,
};

LANDMARK_API std::string_view name(Tier tier); ///< "baseline", "optimized"
LANDMARK_API Expected<Tier> parseTier(std::string_view text);

/// Whether a schedule has a baseline that is worth compiling first: that of a forward by wgmma and tensor maps whose blocks fit a key tile.
LANDMARK_API bool hasBaseline(const Problem &problem, const Config &config);

struct CompileOptions {
  /// The schedule; the shipped default of the problem and target where empty, or that of `length`.
  std::optional<Config> config;
  /// A template file to use in place of the embedded one; empty for none.
  std::string templateFile;
  /// A directory whose files replace embedded templates of the same name; empty for none.
  std::string templateDir;
  /// A folder that receives the text of every stage passed, as "<kernel>.<stage>"; empty for none.
  std::string dumpDir;
  /// Continues from the text of a stage (Landmark, Tile, Scheduled, NVVM or PTX), edited perhaps, instead of running what comes before it. The
  /// problem and the config must be those that the text was made for.
  std::optional<Stage> resumeStage = std::nullopt;
  std::string resumeText;
  /// A folder that receives a reproducer when a pass fails: the module that the failing pipeline was given, with the
  /// pipeline in it. The error's last note is the command that replays it. Empty for none.
  std::string reproducerDir = {};
  /// Told after each stage how long it took, in milliseconds, in the compiling thread.
  std::function<void(Stage, double milliseconds)> onStage = {};
  /// The assembler to run: a file; empty for ptxas of PATH or of /usr/local/cuda/bin, "off" for none.
  std::string ptxas = {};
  /// The lengths that a schedule is chosen for where `config` is empty. The kernel runs all others too.
  LengthClass length = LengthClass::Any;
  Tier tier = Tier::Optimized;
  /// Passes of a CUDA target's schedule to leave out, to measure what each gives: of optionalPassNames(). What is left is right, slower, and perhaps rounded otherwise. One
  /// that the kernel would not run is no error; a name of no such pass, and any for the host, is InvalidArgument.
  std::vector<std::string> without = {};
};

/// The names that CompileOptions::without takes.
LANDMARK_API std::vector<std::string> optionalPassNames();

/// A tensor map that a kernel takes (CUDA driver API, "cuTensorMapEncodeTiled"): boxes of `rows` x `columns` elements of a view of rank 4.
struct TensorMap {
  int64_t argument = 0;     ///< the view: its number among the arguments, 0 to 3 for Q, K, V, O, 5 for dO
  int64_t rows = 0;         ///< of a box
  int64_t columns = 0;
  int64_t swizzleBytes = 0; ///< 32, 64 or 128
  int64_t every = 1;        ///< above 1: the map's rows are the landmark keys of blocks of that many tokens

  bool operator==(const TensorMap &) const = default;
};

/// A compiled kernel.
///
/// Both targets take the same arguments, an array of pointers to them in this order (the expanded memref descriptors of
/// the template's signature; a view of rank R is {base, aligned base, offset, R sizes, R strides}, all 64-bit, strides in
/// elements):
///
///     Q, K, V, O   views of rank 4: [batch, head, row, D], the last stride 1
///     LSE          view of rank 3: [batch, head, row], float32
///   backward only:
///     dO           view of rank 4
///     dLSE, delta  views of rank 3, float32; dLSE has no rows where the log-sum-exp is not differentiated
///     dQ, dK, dV   views of rank 4
///   backward that adds dq up in memory only (addsQueryGradients(); templates/backward_add.mlir), in scratch of the caller's, rows rounded up to 16:
///     SUM          view of rank 4, float32, of fragments (tile.write_fragments)
///     ROW_LSE, ROW_DELTA  views of rank 3, float32
///   steps of a forward with a gate threshold and the first of a backward with one (templates/forward_gates.mlir, backward_gates.mlir):
///     MASKS        view of rank 3, int32
///     LISTS, COUNTS views of rank 4, int32
///   the second step of a backward with a gate threshold (what the templates of a backward have where `listed`):
///     LISTS, COUNTS of the kernel that goes by queries, where there is one, and KEY_LISTS, KEY_COUNTS: views of rank 4, int32
///   all:
///     phase        int64   tokens of the first block that precede key 0
///     q_offset     int64   absolute position of query row 0
///     scale        float   factor of the logits
///     section      int64   heads that are walked side by side (see programs())
///   where there are MASKS only:
///     floor        float   logarithm, in base 2, of the threshold
///     list_tile    int64   query rows of a program that takes a list
///     list_step    int64   blocks of its key tiles
///     and, where `tensorMaps` is not empty, one tensor map of 128 bytes for each
///
/// An operation is one function or several, launched in their order on one stream. One program of a function computes `config.queryTile` rows of one
/// head; of landmark_backward_keys and landmark_backward_gates_lists, `config.keyTile` keys (of the kernel that takes the lists) of one key/value head; of landmark_forward_gates_lists, `list_tile` rows. Programs are numbered 0 .. programs()-1 (keyPrograms()-1); on a GPU a
/// program is a thread block of a one-dimensional grid, or, with `config.programs` above 1, a grid of
/// programs() / config.programs to programs() blocks runs them all, the first blocks several neighbours each.
struct Kernel {
  Problem problem;
  Target target;
  Config config;
  std::string name;    ///< "landmark_forward", "landmark_backward"
  std::string ptx;     ///< CUDA only, null-terminated text
  std::vector<TensorMap> tensorMaps;
  std::string cubin = {};  ///< CUDA only: the PTX assembled for `target`; empty where nobody has done so yet

  /// Host only: runs one program. Safe to call from many threads at once. Valid while this object (or a copy) lives.
  using HostEntry = void (*)(void **arguments, int64_t program);
  struct Function {
    std::string name;        ///< symbol: "landmark_forward"; "landmark_backward_queries", "landmark_backward_keys", or "landmark_backward_prepare", "..._keys", "..._finish"
    int64_t threads = 0;     ///< CUDA only: threads of a block
    int64_t sharedBytes = 0; ///< CUDA only: dynamic shared memory to launch with
    /// CUDA only: waits by itself for the kernel before it in its stream, and so may be launched before that one has ended (CUDA driver API,
    /// "programmatic stream serialization").
    bool waitsForGrid = false;
    HostEntry hostEntry = nullptr;
  };
  std::vector<Function> functions; ///< in the order of their launches
  std::shared_ptr<void> hostCode;  ///< owns the code behind the host entries
  std::string hostObject = {};     ///< host only: that code as a relocatable object file
  Tier tier = Tier::Optimized;
};

/// How many programs cover a launch; 0 when there is nothing to do.
LANDMARK_API int64_t programs(const Config &config, int64_t batch, int64_t queryHeads, int64_t queryLength);
/// The same for a function whose programs go by tiles of keys.
LANDMARK_API int64_t keyPrograms(const Config &config, const Problem &problem, int64_t batch, int64_t kvHeads, int64_t keyLength, int64_t phase);

/// A compiler. Objects are independent of each other; one object may be used from one thread at a time.
class LANDMARK_API Compiler {
public:
  Compiler();
  ~Compiler();
  Compiler(Compiler &&) noexcept;
  Compiler &operator=(Compiler &&) noexcept;

  /// Compiles to something launchable: PTX for CUDA targets, machine code in this process for the host.
  /// A failure's notes hold the compiler's diagnostics, each with its file, line and column.
  Expected<Kernel> compile(const Problem &problem, const Target &target, const CompileOptions &options = {});

  /// The text of the kernel at `stage`. Cubin is binary.
  Expected<std::string> emit(const Problem &problem, const Target &target, Stage stage,
                             const CompileOptions &options = {});

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// The template that a compilation of `problem` for `target` under `config` starts from.
LANDMARK_API Expected<std::string> templateText(const Problem &problem, const Config &config, const Target &target,
                                                const CompileOptions &options);

/// This machine's CPU as host kernels are made for it: its model and the instruction sets that it has.
LANDMARK_API std::string hostCpu();

/// Links `kernel.hostObject`, which was made on a CPU with the same hostCpu(), into this process.
LANDMARK_API Expected<void> loadHostObject(Kernel &kernel);

/// What ptxas says of one function of a kernel.
struct ResourceUse {
  std::string function;
  int64_t registers = 0;
  int64_t spillStoreBytes = 0;
  int64_t spillLoadBytes = 0;
  int64_t stackBytes = 0;
  int64_t staticSharedBytes = 0;
  int64_t dynamicSharedBytes = 0;
  int64_t threads = 0;
  std::string serialized; ///< why every wgmma waits for the one before, in ptxas's words and with its number; empty if none does
};

/// Assembles the kernel's PTX with ptxas (CompileOptions::ptxas). NotFound if there is none.
LANDMARK_API Expected<std::vector<ResourceUse>> resourceUse(const Kernel &kernel, const std::string &ptxas = "");

} // namespace landmark
#endif
