// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tests that need a GPU. Without one: exit code 77, which ctest shows as skipped.
#define CATCH_CONFIG_RUNNER
#include "Options.h"
#include "landmark/Device.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

int sweepCount = 300;
int sweepFirst = 1;

int main(int argc, char **argv) {
  ::setenv("LANDMARK_CACHE", "off", 1); // tests of the cache name folders of their own
  ::setenv("LANDMARK_TIERS", "off", 1); // and those of tiers ask for them: the others are about optimized kernels
  Catch::Session session;
  session.cli(session.cli() |
              Catch::clara::Opt(sweepCount, "number")["--count"]("random problems of the sweep (default 300)") |
              Catch::clara::Opt(sweepFirst, "number")["--first"]("seed of the first of them (default 1)"));
  if (int refused = session.applyCommandLine(argc, argv))
    return refused;
  if (auto device = landmark::Device::cuda(0); !device) {
    std::printf("skipped: no CUDA device (%s)\n", device.error().message.c_str());
    constexpr int skipped = 77;
    return skipped;
  }
  return session.run();
}
