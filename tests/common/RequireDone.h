// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TESTS_REQUIREDONE_H
#define LANDMARK_TESTS_REQUIREDONE_H

#include <catch2/catch.hpp>

#include <string>

/// Requires an Expected to hold its value, and says its error if it does not.
#define REQUIRE_DONE(...)                                                                                              \
  do {                                                                                                                 \
    auto done = __VA_ARGS__;                                                                                           \
    INFO((done ? std::string() : done.error().message));                                                               \
    REQUIRE(done);                                                                                                     \
  } while (false)

#endif
