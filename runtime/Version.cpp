// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "landmark/Version.h"

const char *landmark::version() { return LANDMARK_VERSION; }
