// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>

/// Tests see the code of today, not what lies in the user's cache; those of the cache name folders of their own.
int main(int argc, char **argv) {
  ::setenv("LANDMARK_CACHE", "off", 1);
  return Catch::Session().run(argc, argv);
}
