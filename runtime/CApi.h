// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of the C API share. Exceptions, of which only those of exhausted memory are possible, end in `guarded`.
#ifndef LANDMARK_RUNTIME_CAPI_H
#define LANDMARK_RUNTIME_CAPI_H

#include "landmark.h"

#include "landmark/Runtime.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

struct landmark_error {
  landmark::Error error;
};
struct landmark_device {
  landmark::Device device;
  std::string label;
};
struct landmark_runtime {
  landmark::Runtime runtime;
};

namespace landmark::capi {

template <typename... Values> Error refuse(fmt::format_string<Values...> format, Values &&...values) {
  return {ErrorCode::InvalidArgument, fmt::format(format, std::forward<Values>(values)...)};
}

/// What is returned where there is not even memory for an error. Never freed.
inline landmark_error *exhausted() {
  static landmark_error error{{ErrorCode::DeviceError, "the host has not enough memory"}};
  return &error;
}

/// Runs `body`, which returns Expected<void>, and hands its error out.
template <typename Body> landmark_error *guarded(Body body) noexcept {
  try {
    Expected<void> done = body();
    return done ? nullptr : new landmark_error{done.error()};
  } catch (const std::exception &) {
    return exhausted();
  }
}

inline Expected<void> given(std::initializer_list<std::pair<const char *, const void *>> pointers) {
  for (auto [name, pointer] : pointers)
    if (!pointer)
      return refuse("{}: got NULL", name);
  return {};
}

/// Sets a structure of the caller's, which may be that of another version, to as much of the defaults as it holds.
template <typename Struct> void initialise(Struct *made, std::size_t size, const Struct &defaults) {
  if (!made || size < sizeof(std::size_t))
    return;
  std::memset(static_cast<void *>(made), 0, size);
  std::memcpy(static_cast<void *>(made), &defaults, std::min(size, sizeof(Struct)));
  made->size = size;
}

/// A structure of the caller's, which may be that of an earlier version, over the defaults of this one.
template <typename Struct>
Expected<Struct> completed(const Struct *from, void (*init)(Struct *, std::size_t), const char *name) {
  Struct whole;
  init(&whole, sizeof(whole));
  if (!from)
    return whole;
  if (from->size < sizeof(std::size_t) || from->size > sizeof(Struct))
    return refuse("{}: got a structure of {} bytes; {}_init sets its size, which is at most {} in this version", name,
                  from->size, name, sizeof(Struct));
  std::memcpy(&whole, from, from->size);
  whole.size = sizeof(Struct);
  return whole;
}

inline Expected<DType> dtypeOf(const char *name, int32_t dtype) {
  if (dtype < LANDMARK_BF16 || dtype > LANDMARK_F32)
    return refuse("{}: got element type number {}; allowed are LANDMARK_BF16, LANDMARK_F16 and LANDMARK_F32", name,
                  dtype);
  return DType(dtype);
}

inline Expected<void> checkRank(const char *name, const landmark_tensor &tensor, int32_t rank, const char *meaning) {
  if (tensor.rank == rank)
    return {};
  return refuse("{}: got rank {}; it must be {}, {}", name, tensor.rank, rank, meaning);
}

inline Expected<TensorView> viewOf(const char *name, const landmark_tensor &tensor) {
  if (auto ranked = checkRank(name, tensor, 4, "[batch, head, row, D]"); !ranked)
    return ranked.error();
  auto dtype = dtypeOf(name, tensor.dtype);
  if (!dtype)
    return dtype.error();
  TensorView view{tensor.data, *dtype};
  std::copy_n(tensor.shape, 4, view.shape.begin());
  std::copy_n(tensor.strides, 4, view.strides.begin());
  return view;
}

inline Expected<RowsView> rowsOf(const char *name, const landmark_tensor &tensor) {
  if (auto ranked = checkRank(name, tensor, 3, "[batch, head, row]"); !ranked)
    return ranked.error();
  if (tensor.dtype != LANDMARK_F32)
    return refuse("{}: got element type number {}; it must be LANDMARK_F32", name, tensor.dtype);
  RowsView view{static_cast<float *>(tensor.data)};
  std::copy_n(tensor.shape, 3, view.shape.begin());
  std::copy_n(tensor.strides, 3, view.strides.begin());
  return view;
}

} // namespace landmark::capi
#endif
