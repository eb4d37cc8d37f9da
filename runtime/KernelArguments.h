// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_KERNELARGUMENTS_H
#define LANDMARK_RUNTIME_KERNELARGUMENTS_H

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <initializer_list>

namespace landmark {

/// A kernel's arguments, one after the other as its template declares them (see struct Kernel). A float lies in the
/// first bytes of its place. Nothing is allocated.
class KernelArguments {
public:
  KernelArguments &view(const void *data, std::initializer_list<int64_t> sizes,
                        std::initializer_list<int64_t> strides) {
    auto address = std::bit_cast<int64_t>(data);
    return numbers({address, address, 0}).numbers(sizes).numbers(strides);
  }
  KernelArguments &numbers(std::initializer_list<int64_t> all) {
    for (int64_t number : all)
      add(number);
    return *this;
  }
  KernelArguments &factor(float value) {
    static_assert(std::endian::native == std::endian::little);
    add(std::bit_cast<uint32_t>(value));
    return *this;
  }

  /// Valid as long as the object stays where it is.
  void **pointers() {
    for (std::size_t i = 0; i < count; ++i)
      table[i] = &values[i];
    return table.data();
  }

private:
  static constexpr std::size_t most = 192; ///< attention over blocks takes 123

  void add(int64_t value) {
    assert(count < most);
    values[count++] = value;
  }

  std::array<int64_t, most> values;
  std::array<void *, most> table;
  std::size_t count = 0;
};

} // namespace landmark
#endif
