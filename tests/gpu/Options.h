// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_TESTS_GPU_OPTIONS_H
#define LANDMARK_TESTS_GPU_OPTIONS_H

/// Random problems of the sweep: --count of the command line.
extern int sweepCount;

#endif
