// The steps of a forward and of a backward with a gate threshold: two kernels that mark and list, then those that take the lists.
// RUN: landmark-opt %s --landmark-bind-template -split-input-file | FileCheck %s
// RUN: not landmark-opt %s -split-input-file --landmark-bind-template=template-file=%{templates}/forward.mlir 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: a template holds the two kernels of a forward_gates, this one 1

// CHECK: gpu.func @mark_masks(
// CHECK-SAME: memref<?x?x?xi32, strided<[?, ?, ?]>>
// CHECK-SAME: memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>
// 32 landmarks, whatever a key tile holds, are the bits of a word.
// CHECK: tile.dot {{.*}} -> tensor<32x32xf32>
// CHECK: tile.store {{.*}} : tensor<32xi32>, memref<?x?x?xi32,
// CHECK: gpu.func @mark_lists(
// CHECK-NOT: tensor
// CHECK: memref.store
landmark.forward @mark step "gates" block_size 11 head_dim 32 type f16 config <query_tile = 32, key_tile = 48, warps = 1, stages = 2>

// -----

// CHECK: gpu.func @take(
// CHECK-SAME: memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>, %{{[^:]*}}: memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>
// CHECK: memref.load
// The log-sum-exp is known, and complete.
// CHECK-NOT: landmark.stats
// CHECK: tile.read_rows
// CHECK: tile.dot {{.*}} -> tensor<64x3x16xf32>
// CHECK-NOT: landmark.add_own
// CHECK: tile.store
// CHECK-NOT: tile.store
landmark.forward @take step "listed" block_size 11 head_dim 32 type f16 config <query_tile = 64, key_tile = 48, warps = 4, stages = 2>

// -----

// Without a threshold there are no lists, nor a branch on them.
// CHECK: gpu.func @take_all(
// CHECK-NOT: xi32, strided
// CHECK-NOT: memref.load
// CHECK: landmark.stats
// CHECK: landmark.add_own
// CHECK: tile.store
// CHECK: tile.store
landmark.forward @take_all block_size 11 head_dim 32 type f16 config <query_tile = 64, key_tile = 48, warps = 4, stages = 2>

// -----

// Marks of a backward are made with the log-sum-exp that it is given; lists of tiles of rows begin where marks do.
// CHECK: gpu.func @mark_gradients_masks(
// CHECK: tile.read_rows
// CHECK-NOT: landmark.stats
// CHECK: tile.store {{.*}} : tensor<32xi32>, memref<?x?x?xi32,
// CHECK: gpu.func @mark_gradients_lists(
// CHECK-NOT: tensor
// CHECK: landmark.row_range {{.*}} align 32
landmark.backward @mark_gradients step "gates" block_size 11 head_dim 32 type f16 gradient f16 passes 1 config <query_tile = 32, key_tile = 48, warps = 1, stages = 2>

// -----

// Lists of both kernels,
// CHECK: gpu.func @repeat_queries({{.*}}memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>, %{{[^:]*}}: memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>, %{{[^:]*}}: memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>, %{{[^:]*}}: memref<?x?x?x?xi32, strided<[?, ?, ?, ?]>>
// CHECK: memref.load
// CHECK: gpu.func @repeat_keys(
// CHECK: memref.load
landmark.backward @repeat step "listed" block_size 11 head_dim 32 type f16 gradient f16 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// or of the one that there is.
// CHECK: gpu.func @add_prepare({{.*}}xi32{{.*}}xi32
// CHECK-NOT: memref.load
// CHECK: gpu.func @add_keys(
// CHECK: memref.load
// CHECK: tile.write_fragments add
// CHECK: gpu.func @add_finish(
landmark.backward @add step "listed" block_size 11 head_dim 32 type f16 gradient f16 passes 1 adds config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// Without a threshold neither has lists, nor a branch on them.
// CHECK: gpu.func @whole_queries(
// CHECK-NOT: xi32, strided
// CHECK-NOT: memref.load
// CHECK: gpu.func @whole_keys(
// CHECK-NOT: xi32, strided
// CHECK-NOT: memref.load
landmark.backward @whole block_size 11 head_dim 32 type f16 gradient f16 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>
