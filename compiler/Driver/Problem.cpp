// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Problem.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace landmark {

std::string_view name(Operation operation) {
  switch (operation) {
  case Operation::Forward:
    return "forward";
  case Operation::Backward:
    return "backward";
  }
  return "unknown";
}

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
  for (Operation operation : {Operation::Forward, Operation::Backward})
    if (text == name(operation))
      return operation;
  return Error{ErrorCode::InvalidArgument, fmt::format("operation: got '{}', allowed: forward, backward", text)};
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
                 fmt::format("operation: got {}, allowed: forward, backward", static_cast<int>(problem.operation))};
  if (problem.floatGradients && problem.operation != Operation::Backward)
    return Error{ErrorCode::InvalidArgument, fmt::format("gradients: {} has none", name(problem.operation))};
  if (problem.blockSize < 2 || problem.blockSize > Problem::maxBlockSize)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("block size: got {}, allowed: 2 to {}", problem.blockSize, Problem::maxBlockSize)};
  if (problem.headDim < 16 || problem.headDim > 256 || problem.headDim % 8 != 0)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("head dimension: got {}, allowed: a multiple of 8 from 16 to 256", problem.headDim)};
  if (name(problem.dtype) == "unknown")
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("dtype: got {}, allowed: bf16, f16, f32", static_cast<int>(problem.dtype))};
  return {};
}

std::string describe(const Problem &problem) {
  return fmt::format("{} L={} D={} {}{}", name(problem.operation), problem.blockSize, problem.headDim,
                     name(problem.dtype), problem.floatGradients ? " gradients f32" : "");
}

} // namespace landmark
