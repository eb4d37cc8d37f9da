// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions of single elements, by the definition of a binary floating-point format with an implicit leading bit.
#include "Safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace landmark {

namespace {

struct Format16 {
  int mantissaBits;
  int minExponent; ///< of the smallest normal number, and of all subnormal ones

  constexpr uint64_t infinity() const { return 0x7fff >> mantissaBits << mantissaBits; }
};

constexpr Format16 bf16Format{7, -126};
constexpr Format16 f16Format{10, -14};

/// 2^exponent, for the exponents of normal numbers.
double powerOfTwo(int exponent) { return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52); }

uint16_t encode(double value, Format16 format) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  uint64_t sign = bits >> 63 << 15;
  if (std::isnan(value)) // the quiet NaN
    return static_cast<uint16_t>(sign | format.infinity() | uint64_t{1} << (format.mantissaBits - 1));
  if (std::isinf(value))
    return static_cast<uint16_t>(sign | format.infinity());
  int exponent = std::max(static_cast<int>(bits >> 52 & 0x7ff) - 1023, format.minExponent);
  // Units of the last place. A normal number's hidden bit and a carry out of rounding both add to the exponent field as
  // they should; what passes the largest finite number becomes infinity.
  double units = std::nearbyint(std::fabs(value) * powerOfTwo(format.mantissaBits - exponent));
  uint64_t magnitude =
      static_cast<uint64_t>(units) + (static_cast<uint64_t>(exponent - format.minExponent) << format.mantissaBits);
  return static_cast<uint16_t>(sign | std::min(magnitude, format.infinity()));
}

double decode(uint16_t bits, Format16 format) {
  uint64_t magnitude = bits & 0x7fff;
  uint64_t fraction = magnitude & ((uint64_t{1} << format.mantissaBits) - 1);
  int field = static_cast<int>(magnitude >> format.mantissaBits);
  double value;
  if (magnitude > format.infinity())
    value = std::numeric_limits<double>::quiet_NaN();
  else if (magnitude == format.infinity())
    value = std::numeric_limits<double>::infinity();
  else if (field == 0)
    value = static_cast<double>(fraction) * powerOfTwo(format.minExponent - format.mantissaBits);
  else
    value = static_cast<double>(fraction | uint64_t{1} << format.mantissaBits) *
            powerOfTwo(format.minExponent + field - 1 - format.mantissaBits);
  return bits & 0x8000 ? -value : value;
}

} // namespace

double toDouble(const std::byte *element, DType dtype) {
  if (dtype == DType::F32) {
    float value;
    std::memcpy(&value, element, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, element, sizeof bits);
  return decode(bits, dtype == DType::BF16 ? bf16Format : f16Format);
}

void fromDouble(double value, std::byte *element, DType dtype) {
  if (dtype == DType::F32) {
    float rounded = static_cast<float>(value);
    std::memcpy(element, &rounded, sizeof rounded);
    return;
  }
  uint16_t bits = encode(value, dtype == DType::BF16 ? bf16Format : f16Format);
  std::memcpy(element, &bits, sizeof bits);
}

} // namespace landmark
