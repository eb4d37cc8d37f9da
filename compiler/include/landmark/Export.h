// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_EXPORT_H
#define LANDMARK_EXPORT_H

/// Marks what the shared library exports; everything else in it, LLVM and MLIR included, is hidden.
#define LANDMARK_API __attribute__((visibility("default")))

#endif
