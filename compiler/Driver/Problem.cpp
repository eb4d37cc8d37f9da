// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>
#include <vector>

namespace landmark {

namespace {

constexpr std::array<std::pair<Operation, std::string_view>, 16> operations = {{
    {Operation::Forward, "forward"},
    {Operation::Backward, "backward"},
    {Operation::ScoreTop, "score_top"},
    {Operation::Score, "score"},
    {Operation::Pool, "pool"},
    {Operation::PoolTop, "pool_top"},
    {Operation::Select, "select"},
    {Operation::Attend, "attend"},
    {Operation::AttendPart, "attend_part"},
    {Operation::AttendJoin, "attend_join"},
    {Operation::Merge, "merge"},
    {Operation::NamePages, "name_pages"},
    {Operation::ForwardGates, "forward_gates"},
    {Operation::ForwardListed, "forward_listed"},
    {Operation::BackwardGates, "backward_gates"},
    {Operation::BackwardListed, "backward_listed"},
}};

} // namespace

std::string_view name(Operation operation) {
  for (auto [known, text] : operations)
    if (known == operation)
      return text;
  return "unknown";
}

bool isRetrieval(Operation operation) { return operation != Operation::Forward && operation != Operation::Backward && !isGated(operation); }

bool isAttention(Operation operation) {
  return operation == Operation::Attend || operation == Operation::AttendPart || operation == Operation::AttendJoin;
}

bool isGated(Operation operation) { return marksTiles(operation) || operation == Operation::ForwardListed || operation == Operation::BackwardListed; }

bool isForward(Operation operation) { return operation == Operation::Forward || operation == Operation::ForwardListed; }

bool marksTiles(Operation operation) { return operation == Operation::ForwardGates || operation == Operation::BackwardGates; }

bool isBackward(Operation operation) { return operation == Operation::Backward || operation == Operation::BackwardListed; }

std::string_view name(DType dtype) {
  switch (dtype) {
  case DType::BF16:
    return "bf16";
  case DType::F16:
    return "f16";
  case DType::F32:
    return "f32";
  }
  return "unknown";
}

int64_t byteSize(DType dtype) { return dtype == DType::F32 ? 4 : 2; }

Expected<Operation> parseOperation(std::string_view text) {
  std::vector<std::string_view> spellings;
  for (auto [operation, spelling] : operations) {
    if (text == spelling)
      return operation;
    spellings.push_back(spelling);
  }
  return Error{ErrorCode::InvalidArgument, fmt::format("operation: got '{}', allowed: {}", text, fmt::join(spellings, ", "))};
}

Expected<DType> parseDType(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, DType>, 10> spellings = {{
      {"bf16", DType::BF16},
      {"bfloat16", DType::BF16},
      {"f16", DType::F16},
      {"fp16", DType::F16},
      {"float16", DType::F16},
      {"half", DType::F16},
      {"f32", DType::F32},
      {"fp32", DType::F32},
      {"float32", DType::F32},
      {"float", DType::F32},
  }};
  for (auto [spelling, dtype] : spellings)
    if (text == spelling)
      return dtype;
  return Error{ErrorCode::InvalidArgument,
               fmt::format("dtype: got '{}', allowed: bf16 (bfloat16), f16 (fp16, float16, half), f32 (fp32, float32, "
                           "float)",
                           text)};
}

Expected<void> validate(const Problem &problem) {
  if (name(problem.operation) == "unknown")
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("operation: got {}, allowed: 0 to {}", static_cast<int>(problem.operation), operations.size() - 1)};
  if (problem.floatGradients && !isBackward(problem.operation))
    return Error{ErrorCode::InvalidArgument, fmt::format("gradients: {} has none", name(problem.operation))};
  if (problem.deterministic && !isBackward(problem.operation))
    return Error{ErrorCode::InvalidArgument, fmt::format("deterministic: {} always is; the choice is a backward's", name(problem.operation))};
  bool retrieval = isRetrieval(problem.operation);
  if (retrieval && (problem.topK < 1 || problem.topK > Problem::maxTopK))
    return Error{ErrorCode::InvalidArgument, fmt::format("top k: got {}, allowed: 1 to {}", problem.topK, Problem::maxTopK)};
  bool readsKeys = problem.operation == Operation::ScoreTop || problem.operation == Operation::Score || problem.operation == Operation::Pool || isAttention(problem.operation);
  if (problem.rotates && !readsKeys)
    return Error{ErrorCode::InvalidArgument, fmt::format("rotary embedding: {} reads no keys that it could rotate", name(problem.operation))};
  if (!retrieval && problem.topK != 0)
    return Error{ErrorCode::InvalidArgument, fmt::format("top k: got {}; {} selects nothing", problem.topK, name(problem.operation))};
  if (retrieval && problem.blockSize > Problem::maxRetrievalBlockSize)
    return Error{ErrorCode::Unsupported,
                 fmt::format("block size: got {}; retrieval takes 2 to {}", problem.blockSize, Problem::maxRetrievalBlockSize)};
  if (problem.blockSize < 2 || problem.blockSize > Problem::maxBlockSize)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("block size: got {}, allowed: 2 to {}", problem.blockSize, Problem::maxBlockSize)};
  if (isGated(problem.operation) && problem.blockSize > Problem::maxGatedBlockSize)
    return Error{ErrorCode::Unsupported, fmt::format("block size: got {}; with a gate threshold it is 2 to {}", problem.blockSize,
                                                     Problem::maxGatedBlockSize)};
  if (problem.headDim < 16 || problem.headDim > 256 || problem.headDim % 8 != 0)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("head dimension: got {}, allowed: a multiple of 8 from 16 to 256", problem.headDim)};
  if (name(problem.dtype) == "unknown")
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("dtype: got {}, allowed: bf16, f16, f32", static_cast<int>(problem.dtype))};
  return {};
}

std::string describe(const Problem &problem) {
  std::string text =
      fmt::format("{} L={} D={} {}", name(problem.operation), problem.blockSize, problem.headDim, name(problem.dtype));
  if (isRetrieval(problem.operation))
    return fmt::format("{} k={}{}", text, problem.topK, problem.rotates ? " rotary" : "");
  return text + (problem.floatGradients ? " gradients f32" : "") + (problem.deterministic ? " deterministic" : "");
}

} // namespace landmark
