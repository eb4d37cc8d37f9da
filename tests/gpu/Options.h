// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TESTS_GPU_OPTIONS_H
#define LANDMARK_TESTS_GPU_OPTIONS_H

/// Random problems of the sweep and the seed of the first: --count and --first of the command line, so that several processes can share a sweep.
extern int sweepCount, sweepFirst;

#endif
