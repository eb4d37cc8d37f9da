// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel is specialised on (docs/spec.md names the symbols). Everything else is a run-time argument: batch, head
// counts, lengths, strides, phase, query offset and scale never cause a compilation.
#ifndef LANDMARK_PROBLEM_H
#define LANDMARK_PROBLEM_H

#include "landmark/Export.h"
#include "landmark/Expected.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace landmark {

/// What a kernel computes. ForwardGates and ForwardListed are the steps of a forward with a gate threshold, BackwardGates and BackwardListed those of a backward with one; those from
/// ScoreTop to NamePages are the steps of retrieval
/// (docs/spec.md, sections 2 and 5; the templates of the same names say what each does).
enum class Operation { Forward, Backward, ScoreTop, Score, Pool, PoolTop, Select, Attend, AttendPart, AttendJoin, Merge, NamePages, ForwardGates, ForwardListed, BackwardGates, BackwardListed };

/// Element type of q, k, v and o. Logits, statistics and accumulators are float32 for all of them (C7).
enum class DType { BF16, F16, F32 };

LANDMARK_API std::string_view name(Operation operation); ///< "forward", "backward", "score_top", ...
LANDMARK_API bool isRetrieval(Operation operation);
LANDMARK_API bool isAttention(Operation operation); ///< the attention of retrieval, all of it, a part that merge joins, or a part that is joined with the others at once
LANDMARK_API bool isGated(Operation operation);    ///< a step of a forward or a backward with a gate threshold
LANDMARK_API bool marksTiles(Operation operation); ///< the first of them, which marks and lists tiles
LANDMARK_API bool isForward(Operation operation);  ///< computes the output, with lists of tiles or without
LANDMARK_API bool isBackward(Operation operation); ///< computes gradients, with lists of tiles or without
LANDMARK_API std::string_view name(DType dtype);         ///< "bf16", "f16", "f32"
LANDMARK_API int64_t byteSize(DType dtype);
LANDMARK_API Expected<Operation> parseOperation(std::string_view text);
LANDMARK_API Expected<DType> parseDType(std::string_view text); ///< accepts "bf16", "bfloat16", "f16", "fp16", "float16", "f32", ...

struct Problem {
  Operation operation = Operation::Forward;
  int64_t blockSize = 64; ///< L: tokens of a block, its landmark included; 2 .. maxBlockSize
  int64_t headDim = 128;  ///< D: a multiple of 8 from 16 to 256
  DType dtype = DType::BF16;
  bool floatGradients = false; ///< backward: dq, dk and dv are float32 whatever `dtype` is
  int64_t topK = 0;            ///< retrieval only: blocks to select; 1 .. maxTopK
  bool rotates = false;        ///< retrieval only, where keys are read: a rotary embedding is applied to queries and keys on load
  bool deterministic = false;  ///< backward only: the same bits in every run, as the host's always are; else dq may be added up in any order where that is faster

  DType gradientType() const { return floatGradients ? DType::F32 : dtype; } ///< of dq, dk and dv

  static constexpr int64_t maxTopK = 128;
  static constexpr int64_t maxRetrievalBlockSize = 256; ///< a page of a block is one tile
  static constexpr int64_t maxGatedBlockSize = 128;     ///< a key tile holds whole blocks
  static constexpr int64_t landmarksPerPage = 64;       ///< landmark keys side by side, and columns of a tile of them
  static constexpr int64_t maxBlockSize = 1 << 20;
  bool operator==(const Problem &) const = default;
};

/// Whether the values lie in the ranges given above; the error names the field, its value and what is allowed.
LANDMARK_API Expected<void> validate(const Problem &problem);

/// "forward L=64 D=128 bf16", "backward L=64 D=128 bf16 gradients f32"
LANDMARK_API std::string describe(const Problem &problem);

} // namespace landmark
#endif
