// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors in landmark.h: dense ones, and those that DLPack describes.
#include "CApi.h"

using namespace landmark;
using namespace landmark::capi;

namespace {

/// DLPack's structure, as its specification lays it out (https://dmlc.github.io/dlpack/latest/c_api.html).
struct DLPackTensor {
  void *data;
  int32_t deviceType, deviceId;
  int32_t rank;
  uint8_t typeCode, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t byteOffset;
};

Expected<DType> dtypeOf(const DLPackTensor &from) {
  constexpr int floats = 2, brainFloats = 4;
  if (from.lanes == 1 && from.typeCode == brainFloats && from.bits == 16)
    return DType::BF16;
  if (from.lanes == 1 && from.typeCode == floats && from.bits == 16)
    return DType::F16;
  if (from.lanes == 1 && from.typeCode == floats && from.bits == 32)
    return DType::F32;
  return refuse("dl_tensor: got elements of type code {}, {} bits, {} lanes; allowed are bfloat16, float16 and float32",
                from.typeCode, from.bits, from.lanes);
}

Expected<landmark_tensor> tensorOf(const DLPackTensor &from) {
  constexpr int32_t cpu = 1, cuda = 2, cudaHost = 3, cudaManaged = 13;
  if (std::none_of(std::begin({cpu, cuda, cudaHost, cudaManaged}), std::end({cpu, cuda, cudaHost, cudaManaged}),
                   [&](int32_t type) { return type == from.deviceType; }))
    return refuse("dl_tensor: got memory of device type {}; allowed are the CPU's (1) and CUDA's (2, 3, 13)",
                  from.deviceType);
  if (from.rank < 1 || from.rank > LANDMARK_MAX_RANK)
    return refuse("dl_tensor: got rank {}; allowed are 1 to {}", from.rank, LANDMARK_MAX_RANK);
  auto dtype = dtypeOf(from);
  if (!dtype)
    return dtype.error();
  landmark_tensor tensor;
  auto dense = landmark_tensor_dense(from.data ? static_cast<char *>(from.data) + from.byteOffset : nullptr,
                                     landmark_dtype(*dtype), from.rank, from.shape, &tensor);
  if (dense) {
    Error error = dense->error;
    landmark_error_free(dense);
    return error;
  }
  if (from.strides)
    std::copy_n(from.strides, from.rank, tensor.strides);
  return tensor;
}

} // namespace

landmark_error *landmark_tensor_dense(void *data, landmark_dtype dtype, int32_t rank, const int64_t *shape,
                                      landmark_tensor *tensor) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"shape", shape}, {"tensor", tensor}}); !complete)
      return complete;
    if (rank < 1 || rank > LANDMARK_MAX_RANK)
      return refuse("rank: got {}; allowed are 1 to {}", rank, LANDMARK_MAX_RANK);
    if (auto known = dtypeOf("dtype", dtype); !known)
      return known.error();
    landmark_tensor made{data, dtype, rank, {}, {}};
    int64_t stride = 1;
    for (int32_t d = rank - 1; d >= 0; --d) {
      made.shape[d] = shape[d];
      made.strides[d] = stride;
      if (shape[d] < 0 || __builtin_mul_overflow(stride, std::max<int64_t>(1, shape[d]), &stride))
        return refuse("shape: got {} in dimension {}; sizes must be at least 0, and fewer than 2^63 elements in all",
                      shape[d], d);
    }
    *tensor = made;
    return {};
  });
}

landmark_error *landmark_tensor_from_dlpack(const void *dl_tensor, landmark_tensor *tensor) {
  return guarded([&]() -> Expected<void> {
    if (auto complete = given({{"dl_tensor", dl_tensor}, {"tensor", tensor}}); !complete)
      return complete;
    auto made = tensorOf(*static_cast<const DLPackTensor *>(dl_tensor));
    if (!made)
      return made.error();
    *tensor = *made;
    return {};
  });
}
