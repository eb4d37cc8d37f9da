// RUN: landmark-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{block_size must be 2 to 1048576 (C5), got 1}}
landmark.backward @request block_size 1 head_dim 64 type bf16 gradient bf16 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{gradient must be the type or f32, got 'f16'}}
landmark.backward @request block_size 8 head_dim 64 type bf16 gradient f16 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{passes must be 1 or 2, got 3}}
landmark.backward @request block_size 8 head_dim 64 type bf16 gradient bf16 passes 3 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

func.func @gradients_logits(%s: tensor<64x8xf32>, %p: tensor<64x8xi1>, %o: tensor<64x1xi1>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %w, %d = landmark.gradients %s, %s seen %p own %o lse %r delta %r factor %c block(%L) : tensor<64x8xf32>, tensor<64x8xi1>, tensor<64x1xi1>, tensor<64xf32>
  return
}

// -----

func.func @gradients_seen(%s: tensor<64x1x8xf32>, %p: tensor<64x8xi1>, %o: tensor<64x1xi1>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes an i1 for every logit}}
  %w, %d = landmark.gradients %s, %s seen %p own %o lse %r delta %r factor %c block(%L) : tensor<64x1x8xf32>, tensor<64x8xi1>, tensor<64x1xi1>, tensor<64xf32>
  return
}

// -----

func.func @gradients_own(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64xi1>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes an i1 for every row and block}}
  %w, %d = landmark.gradients %s, %s seen %p own %o lse %r delta %r factor %c block(%L) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64xi1>, tensor<64xf32>
  return
}

// -----

func.func @gradients_rows(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %r: tensor<32xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes a log-sum-exp and a delta for every row}}
  %w, %d = landmark.gradients %s, %s seen %p own %o lse %r delta %r factor %c block(%L) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<32xf32>
  return
}

// -----

func.func @product_stats_rows(%s: tensor<64x8xf32>, %p: tensor<64x8xi1>, %r: tensor<32xf32>, %c: f32) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %m, %n, %t = landmark.product_stats %r, %r, %r add %s, %s seen %p factor %c : tensor<32xf32>, tensor<64x8xf32>, tensor<64x8xi1>
  return
}

// -----

func.func @product_stats_element(%s: tensor<64x8xf16>, %p: tensor<64x8xi1>, %r: tensor<64xf32>, %c: f32) {
  // expected-error @below {{takes logits of f32, got 'f16'}}
  %m, %n, %t = landmark.product_stats %r, %r, %r add %s, %s seen %p factor %c : tensor<64xf32>, tensor<64x8xf16>, tensor<64x8xi1>
  return
}

// -----

func.func @product_stats_seen(%s: tensor<64x8xf32>, %p: tensor<64x16xi1>, %r: tensor<64xf32>, %c: f32) {
  // expected-error @below {{takes an i1 for every logit}}
  %m, %n, %t = landmark.product_stats %r, %r, %r add %s, %s seen %p factor %c : tensor<64xf32>, tensor<64x8xf32>, tensor<64x16xi1>
  return
}

// -----

func.func @part_blocks(%s: tensor<64x2x8xf32>, %p: tensor<64x2x8xi1>, %o: tensor<64xi1>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes logits by row, one block and token, in f32}}
  %w, %d = landmark.part_gradients %s, %s seen %p own %o stats %r, %r, %r gate %r lse %r delta %r factor %c block(%L) from %L : tensor<64x2x8xf32>, tensor<64x2x8xi1>, tensor<64xi1>, tensor<64xf32>
  return
}

// -----

func.func @part_seen(%s: tensor<64x1x8xf32>, %p: tensor<64x2x8xi1>, %o: tensor<64xi1>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes an i1 for every logit}}
  %w, %d = landmark.part_gradients %s, %s seen %p own %o stats %r, %r, %r gate %r lse %r delta %r factor %c block(%L) from %L : tensor<64x1x8xf32>, tensor<64x2x8xi1>, tensor<64xi1>, tensor<64xf32>
  return
}

// -----

func.func @part_rows(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64xi1>, %r: tensor<32xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes statistics, a log-sum-exp and a delta for every row}}
  %w, %d = landmark.part_gradients %s, %s seen %p own %o stats %r, %r, %r gate %r lse %r delta %r factor %c block(%L) from %L : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64xi1>, tensor<32xf32>
  return
}

// -----

func.func @part_own(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes an i1 for every row}}
  %w, %d = landmark.part_gradients %s, %s seen %p own %o stats %r, %r, %r gate %r lse %r delta %r factor %c block(%L) from %L : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf32>
  return
}

// -----

// expected-error @below {{row_tile must be 1 to query_tile, got 128}}
landmark.backward @request block_size 8 head_dim 64 type bf16 gradient bf16 passes 1 row_tile 128 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{step must be gates or listed, got marks}}
landmark.backward @unknown_step step "marks" block_size 8 head_dim 64 type bf16 gradient bf16 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{block_size of a step must be 2 to 128, got 129}}
landmark.backward @long_step step "listed" block_size 129 head_dim 64 type bf16 gradient bf16 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{a gates step neither adds nor has a row_tile}}
landmark.backward @adding_gates step "gates" block_size 8 head_dim 64 type bf16 gradient bf16 passes 1 adds config <query_tile = 32, key_tile = 64, warps = 1, stages = 2>

// -----

// expected-error @below {{a gates step neither adds nor has a row_tile}}
landmark.backward @sharing_gates step "gates" block_size 8 head_dim 64 type bf16 gradient bf16 passes 1 row_tile 16 config <query_tile = 32, key_tile = 64, warps = 1, stages = 2>

// -----

func.func @past_gradients_rank(%s: tensor<64x8xf32>, %r: tensor<64xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %p, %ds, %fits = landmark.past_gradients %s, %s lse %r delta %r factor %c block(%L) : tensor<64x8xf32>, tensor<64xf32>
  return
}

// -----

func.func @past_gradients_rows(%s: tensor<64x1x8xf32>, %r: tensor<32xf32>, %c: f32, %L: index) {
  // expected-error @below {{takes a log-sum-exp and a delta for every row}}
  %p, %ds, %fits = landmark.past_gradients %s, %s lse %r delta %r factor %c block(%L) : tensor<64x1x8xf32>, tensor<32xf32>
  return
}
