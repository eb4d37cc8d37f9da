// RUN: not landmark-opt %s --tile-pipeline-loads=stages=0 2>&1 | FileCheck %s
// RUN: not landmark-opt %s --tile-pipeline-loads=stages=9 2>&1 | FileCheck %s
// RUN: not landmark-opt %s --tile-pipeline-loads=warps=0 2>&1 | FileCheck %s
// RUN: not landmark-opt %s --tile-pipeline-loads=warps=33 2>&1 | FileCheck %s
// CHECK: error: tile-pipeline-loads takes 1 to 8 stages and 1 to 32 warps
gpu.module @kernels {
}
