// A request becomes its template: aliases and parameters bound, the kernel named as the request is.
// RUN: landmark-opt %s --allow-unregistered-dialect --landmark-bind-template=template-file=%{inputs}/minimal.mlir | FileCheck %s
// The embedded template, and one of a directory.
// RUN: landmark-opt %s --landmark-bind-template | FileCheck %s --check-prefix=EMBEDDED
// RUN: landmark-opt %s --landmark-bind-template=template-dir=%{templates} | FileCheck %s --check-prefix=EMBEDDED
// A directory that lacks the file leaves the embedded template.
// RUN: landmark-opt %s --landmark-bind-template=template-dir=%{inputs} | FileCheck %s --check-prefix=EMBEDDED

// CHECK-NOT: landmark.forward
// CHECK: gpu.func @request(%{{.*}}: memref<?x?x?x32xf16, strided<[?, ?, ?, 1]>>
// CHECK-SAME: memref<?x?x?xf32, strided<[?, ?, ?]>>
// CHECK-NOT: tile.param
// CHECK-DAG: arith.constant 11 : index
// CHECK-DAG: arith.constant 32 : i32
// CHECK-DAG: arith.constant 64 : index
// CHECK-DAG: arith.constant 48 : index
// CHECK-DAG: arith.constant 3 : index
// CHECK: "test.use"
// CHECK: "test.tile"() : () -> tensor<64x32xf16>
// CHECK: "test.tile"() : () -> tensor<3x16x32xf16>
// CHECK: "test.tile"() : () -> tensor<32x32xf16>
// CHECK: "test.tile"() : () -> tensor<64x3x16xf32>
// CHECK: "test.tile"() : () -> tensor<64x3xi1>
// CHECK: "test.tile"() : () -> tensor<64xi32>

// EMBEDDED-NOT: landmark.forward
// EMBEDDED: gpu.func @request(
// EMBEDDED: landmark.program
// EMBEDDED-NOT: tile.param
// EMBEDDED: tile.store
landmark.forward @request block_size 11 head_dim 32 type f16 config <query_tile = 64, key_tile = 48, warps = 4, stages = 2>
