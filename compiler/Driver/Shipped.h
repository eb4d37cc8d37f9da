// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_DRIVER_SHIPPED_H
#define LANDMARK_COMPILER_DRIVER_SHIPPED_H

#include "landmark/Config.h"

#include <optional>
#include <vector>

namespace landmark {

/// A line of a file of compiler/Driver/shipped, which are part of the library: <target>.txt.
struct ShippedConfig {
  std::string_view problem; ///< as describe() says it
  std::string_view lengths; ///< "any", or of what classes: "short" or "long"
  std::string_view config;
  std::string_view measured; ///< device, date, sizes and time, for people
};

std::vector<ShippedConfig> shippedConfigs(std::string_view chip);

/// The schedule that was measured best for a problem and sequences of a class; nothing where none was, or where it is not legal any more. Lengths that are not known count as long.
std::optional<Config> shippedConfig(const Problem &problem, const Target &target, LengthClass length);

} // namespace landmark
#endif
