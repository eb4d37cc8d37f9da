// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_KERNELARGUMENTS_H
#define LANDMARK_RUNTIME_KERNELARGUMENTS_H

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace landmark {

/// A kernel's arguments, one after the other as its template declares them (see struct Kernel). A float lies in the
/// first bytes of its place.
class KernelArguments {
public:
  KernelArguments &view(const void *data, std::initializer_list<int64_t> sizes,
                        std::initializer_list<int64_t> strides) {
    auto address = std::bit_cast<int64_t>(data);
    values.insert(values.end(), {address, address, 0});
    values.insert(values.end(), sizes);
    values.insert(values.end(), strides);
    return *this;
  }
  KernelArguments &numbers(std::initializer_list<int64_t> all) {
    values.insert(values.end(), all);
    return *this;
  }
  KernelArguments &factor(float value) {
    static_assert(std::endian::native == std::endian::little);
    values.push_back(std::bit_cast<uint32_t>(value));
    return *this;
  }

  /// Valid until more is added.
  void **pointers() {
    table.clear();
    for (int64_t &value : values)
      table.push_back(&value);
    return table.data();
  }

private:
  std::vector<int64_t> values;
  std::vector<void *> table;
};

} // namespace landmark
#endif
