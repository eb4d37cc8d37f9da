// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files of named tensors: an 8-byte little-endian header length, a JSON header, then the data.
// Format: https://github.com/huggingface/safetensors (README, section "Format").
#ifndef LANDMARK_RUNTIME_SAFETENSORS_H
#define LANDMARK_RUNTIME_SAFETENSORS_H

#include "landmark/Problem.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace landmark {

/// A dense row-major tensor in host memory, of any rank.
struct HostTensor {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  static HostTensor zeros(DType dtype, std::vector<int64_t> shape);
  int64_t elements() const;
};

struct TensorFile {
  std::map<std::string, HostTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Refuses what is damaged or hostile (lengths beyond the file, overlapping or missing ranges, negative or overflowing shapes,
/// unknown or unsupported types, duplicate names, invalid JSON) before allocating for it.
Expected<TensorFile> readSafetensors(const std::filesystem::path &path);

/// Writes beside `path` and renames, so that a failure leaves no half-written file.
Expected<void> writeSafetensors(const std::filesystem::path &path, const TensorFile &file);

/// Element conversions, round to nearest even.
double toDouble(const std::byte *element, DType dtype);
void fromDouble(double value, std::byte *element, DType dtype);

} // namespace landmark
#endif
