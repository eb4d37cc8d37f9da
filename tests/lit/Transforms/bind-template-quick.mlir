// Weights without a maximum, where the request asks for them.
// RUN: landmark-opt %s --landmark-bind-template -split-input-file | FileCheck %s

// Threads of eight warps keep the logits.
// CHECK: gpu.func @keeps(
// CHECK: landmark.past_weights
// CHECK-NOT: exact
// CHECK-NOT: half
// CHECK-NOT: anew
// CHECK: gpu.return
landmark.forward @keeps block_size 64 head_dim 128 type bf16 quick config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>

// -----

// Those of twelve multiply once more, and so do those that have many blocks, or keep exponentials in 32 bits until it is known that float16 holds them.
// CHECK: gpu.func @multiplies(
// CHECK: landmark.past_weights
// CHECK-NOT: exact
// CHECK: tile.dot {{.*}} anew
landmark.forward @multiplies block_size 64 head_dim 64 type bf16 quick config <query_tile = 192, key_tile = 128, warps = 12, stages = 2>

// -----

// CHECK: gpu.func @half(
// CHECK: landmark.past_weights {{.*}} half
// CHECK: tile.dot {{.*}} anew
landmark.forward @half block_size 64 head_dim 128 type f16 quick config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>

// -----

// CHECK: gpu.func @many(
// CHECK: tile.dot {{.*}} anew
landmark.forward @many block_size 32 head_dim 128 type bf16 quick config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>

// -----

// CHECK: gpu.func @exact(
// CHECK: landmark.past_weights {{.*}} exact
// CHECK-NOT: half
landmark.forward @exact block_size 64 head_dim 128 type bf16 config <query_tile = 128, key_tile = 64, warps = 4, stages = 2>

// -----

// A backward multiplies both products once more, whatever its threads hold.
// CHECK: gpu.func @gradients_keys(
// CHECK: landmark.past_gradients
// CHECK-NOT: exact
// CHECK: tile.dot {{.*}} anew
// CHECK: tile.dot {{.*}} anew
// CHECK: landmark.gradients
landmark.backward @gradients block_size 64 head_dim 64 type bf16 gradient bf16 passes 1 adds row_tile 64 quick config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>

// -----

// CHECK: gpu.func @plain_keys(
// CHECK: landmark.past_gradients {{.*}} exact
landmark.backward @plain block_size 64 head_dim 64 type bf16 gradient bf16 passes 1 adds row_tile 64 config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>
