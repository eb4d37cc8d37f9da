// RUN: landmark-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{block_size must be 2 to 1048576 (C5), got 1}}
landmark.forward @short_block block_size 1 head_dim 64 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{block_size must be 2 to 1048576 (C5), got 1048577}}
landmark.forward @long_block block_size 1048577 head_dim 64 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{head_dim must be a multiple of 8 from 16 to 256, got 8}}
landmark.forward @head_dim_8 block_size 64 head_dim 8 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{head_dim must be a multiple of 8 from 16 to 256, got 264}}
landmark.forward @head_dim_264 block_size 64 head_dim 264 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{head_dim must be a multiple of 8 from 16 to 256, got 20}}
landmark.forward @head_dim_20 block_size 64 head_dim 20 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{type must be bf16, f16 or f32, got 'f64'}}
landmark.forward @type_f64 block_size 64 head_dim 64 type f64 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{type must be bf16, f16 or f32, got 'i32'}}
landmark.forward @type_i32 block_size 64 head_dim 64 type i32 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{the fields of a config are positive}}
landmark.forward @config_query_tile block_size 64 head_dim 64 type bf16 config <query_tile = 0, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{the fields of a config are positive}}
landmark.forward @config_key_tile block_size 64 head_dim 64 type bf16 config <query_tile = 64, key_tile = 0, warps = 4, stages = 2>

// -----

// expected-error @below {{the fields of a config are positive}}
landmark.forward @config_warps block_size 64 head_dim 64 type bf16 config <query_tile = 64, key_tile = 64, warps = 0, stages = 2>

// -----

// expected-error @below {{the fields of a config are positive}}
landmark.forward @config_stages block_size 64 head_dim 64 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 0>

// -----

func.func @program_rank(%q: memref<?x?x64xbf16>, %i: index) {
  // expected-error @below {{must be 4D memref of floating-point values}}
  %b, %h, %g, %r = landmark.program %q, %q tile %i section %i : memref<?x?x64xbf16>, memref<?x?x64xbf16>
  return
}

// -----

func.func @locate_types(%i: index) {
  // expected-error @below {{yields two tiles of rank 1 of i32, of one type}}
  %b, %t = landmark.locate %i phase %i block %i : tensor<64xi32>, tensor<32xi32>
  return
}

// -----

func.func @locate_rank(%i: index) {
  // expected-error @below {{yields two tiles of rank 1 of i32, of one type}}
  %b, %t = landmark.locate %i phase %i block %i : tensor<64x1xi32>, tensor<64x1xi32>
  return
}

// -----

func.func @locate_element(%i: index) {
  // expected-error @below {{yields two tiles of rank 1 of i32, of one type}}
  %b, %t = landmark.locate %i phase %i block %i : tensor<64xi64>, tensor<64xi64>
  return
}

// -----

func.func @own_blocks(%r: tensor<64x1xi32>, %i: index) {
  // expected-error @below {{takes the block of every row, an i32}}
  %o = landmark.own %r at %i : tensor<64x1xi32> -> tensor<64x1xi1>
  return
}

// -----

func.func @own_element(%r: tensor<64xi64>, %i: index) {
  // expected-error @below {{takes the block of every row, an i32}}
  %o = landmark.own %r at %i : tensor<64xi64> -> tensor<64x1xi1>
  return
}

// -----

func.func @own_rank(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, or every row and block}}
  %o = landmark.own %r at %i : tensor<64xi32> -> tensor<64x1x8xi1>
  return
}

// -----

func.func @own_rows(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, or every row and block}}
  %o = landmark.own %r at %i : tensor<64xi32> -> tensor<32x1xi1>
  return
}

// -----

func.func @own_mask(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, or every row and block}}
  %o = landmark.own %r at %i : tensor<64xi32> -> tensor<64x1xi8>
  return
}

// -----

func.func @tokens_rows(%r: tensor<64xi32>, %t: tensor<32xi32>, %i: index) {
  // expected-error @below {{takes blocks and tokens of the same rows}}
  %s = landmark.tokens rows(%r, %t) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32>, tensor<32xi32> -> tensor<64x1x8xi1>
  return
}

// -----

func.func @tokens_element(%r: tensor<64xi16>, %t: tensor<64xi16>, %i: index) {
  // expected-error @below {{takes the block of every row, an i32}}
  %s = landmark.tokens rows(%r, %t) at %i keys(%i) phase(%i) block(%i) : tensor<64xi16>, tensor<64xi16> -> tensor<64x1x8xi1>
  return
}

// -----

func.func @tokens_rank(%r: tensor<64xi32>, %t: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.tokens rows(%r, %t) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32>, tensor<64xi32> -> tensor<64x8xi1>
  return
}

// -----

func.func @gates_rank(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, block and token, or every row and landmark}}
  %s = landmark.gates rows(%r) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32> -> tensor<64xi1>
  return
}

// -----

func.func @gates_first_token(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{has no first token where columns are landmarks}}
  %s = landmark.gates rows(%r) at %i keys(%i) phase(%i) block(%i) from %i : tensor<64xi32> -> tensor<64x8xi1>
  return
}

// -----

func.func @add_own_logits(%e: tensor<64xf32>, %s: tensor<64x8xf32>, %p: tensor<64x8xi1>, %o: tensor<64x1xi1>, %c: f32) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %n = landmark.add_own %e add %s seen %p own %o factor %c : tensor<64xf32>, tensor<64x8xf32>, tensor<64x8xi1>, tensor<64x1xi1>
  return
}

// -----

func.func @add_own_seen(%e: tensor<64xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x16xi1>, %o: tensor<64x1xi1>, %c: f32) {
  // expected-error @below {{takes an i1 for every logit}}
  %n = landmark.add_own %e add %s seen %p own %o factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x1x16xi1>, tensor<64x1xi1>
  return
}

// -----

func.func @add_own_blocks(%e: tensor<64xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x2xi1>, %c: f32) {
  // expected-error @below {{takes an i1 for every row and block}}
  %n = landmark.add_own %e add %s seen %p own %o factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x2xi1>
  return
}

// -----

func.func @add_own_rows(%e: tensor<32xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %c: f32) {
  // expected-error @below {{takes the log-sum-exp of every row}}
  %n = landmark.add_own %e add %s seen %p own %o factor %c : tensor<32xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>
  return
}

// -----

func.func @tokens_shape(%r: tensor<64xi32>, %t: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.tokens rows(%r, %t) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32>, tensor<64xi32> -> tensor<32x1x8xi1>
  return
}

// -----

func.func @gates_shape(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.gates rows(%r) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32> -> tensor<32x1x8xi1>
  return
}

// -----

func.func @tokens_mask(%r: tensor<64xi32>, %t: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.tokens rows(%r, %t) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32>, tensor<64xi32> -> tensor<64x1x8xi32>
  return
}

// -----

func.func @gates_mask(%r: tensor<64xi32>, %i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.gates rows(%r) at %i keys(%i) phase(%i) block(%i) : tensor<64xi32> -> tensor<64x1x8xi32>
  return
}

// -----

func.func @gates_rows(%r: tensor<64x1xi32>, %i: index) {
  // expected-error @below {{takes the block of every row, an i32}}
  %s = landmark.gates rows(%r) at %i keys(%i) phase(%i) block(%i) : tensor<64x1xi32> -> tensor<64x1x8xi1>
  return
}

// -----

func.func @ordinary_rank(%i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.ordinary block(%i) : tensor<64x8xi1>
  return
}

// -----

func.func @ordinary_mask(%i: index) {
  // expected-error @below {{yields an i1 for every row, block and token}}
  %s = landmark.ordinary block(%i) : tensor<64x1x8xi32>
  return
}

// -----

func.func @past_gates_rank(%i: index) {
  // expected-error @below {{yields an i1 for every row and landmark}}
  %s = landmark.past_gates at %i below %i phase(%i) block(%i) : tensor<64xi1>
  return
}

// -----

func.func @past_gates_mask(%i: index) {
  // expected-error @below {{yields an i1 for every row and landmark}}
  %s = landmark.past_gates at %i below %i phase(%i) block(%i) : tensor<64x8xi32>
  return
}

// -----

func.func @stats_rows(%m: tensor<32xf32>, %l: tensor<32xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %c: f32) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<32xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>
  return
}

// -----

func.func @stats_rank(%m: tensor<64x1xf32>, %l: tensor<64x1xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %c: f32) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<64x1xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>
  return
}

// -----

func.func @stats_element(%m: tensor<64xf16>, %l: tensor<64xf16>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %c: f32) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<64xf16>, tensor<64x1x8xf32>, tensor<64x1x8xi1>
  return
}

// -----

func.func @stats_logits_rank(%m: tensor<64xf32>, %l: tensor<64xf32>, %s: tensor<64xf32>, %p: tensor<64xi1>, %c: f32) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<64xf32>, tensor<64xf32>, tensor<64xi1>
  return
}

// -----

func.func @stats_logits(%m: tensor<64xf32>, %l: tensor<64xf32>, %s: tensor<64x1x8xbf16>, %p: tensor<64x1x8xi1>, %c: f32) {
  // expected-error @below {{takes logits of f32, got 'bf16'}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<64xf32>, tensor<64x1x8xbf16>, tensor<64x1x8xi1>
  return
}

// -----

func.func @stats_seen(%m: tensor<64xf32>, %l: tensor<64xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x8xi1>, %c: f32) {
  // expected-error @below {{takes an i1 for every logit}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x8xi1>
  return
}

// -----

func.func @stats_mask(%m: tensor<64xf32>, %l: tensor<64xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi8>, %c: f32) {
  // expected-error @below {{takes an i1 for every logit}}
  %a, %b = landmark.stats %m, %l add %s seen %p factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi8>
  return
}

// -----

func.func @part_weights_rows(%m: tensor<32xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %c: f32) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %w:4 = landmark.part_weights %m, %m add %s seen %p factor %c : tensor<32xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>
  return
}

// -----

func.func @part_weights_logits(%m: tensor<64xf32>, %s: tensor<64x1x8xbf16>, %p: tensor<64x1x8xi1>, %c: f32) {
  // expected-error @below {{takes logits of f32, got 'bf16'}}
  %w:4 = landmark.part_weights %m, %m add %s seen %p factor %c : tensor<64xf32>, tensor<64x1x8xbf16>, tensor<64x1x8xi1>
  return
}

// -----

func.func @part_weights_seen(%m: tensor<64xf32>, %s: tensor<64x1x8xf32>, %p: tensor<64x8xi1>, %c: f32) {
  // expected-error @below {{takes an i1 for every logit}}
  %w:4 = landmark.part_weights %m, %m add %s seen %p factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x8xi1>
  return
}

// -----

func.func @log_sum_exp_rank(%m: tensor<64x1xf32>, %c: f32) {
  // expected-error @below {{takes one f32 a row}}
  %a = landmark.log_sum_exp %m, %m factor %c : tensor<64x1xf32>
  return
}

// -----

func.func @block_factor_rank(%m: tensor<64x1xf32>, %o: tensor<64xi1>, %c: f32) {
  // expected-error @below {{takes one f32 a row}}
  %a = landmark.block_factor %m, %m own %o gate %m lse %m factor %c : tensor<64x1xf32>, tensor<64xi1>
  return
}

// -----

func.func @log_sum_exp_element(%m: tensor<64xf64>, %c: f32) {
  // expected-error @below {{takes one f32 a row}}
  %a = landmark.log_sum_exp %m, %m factor %c : tensor<64xf64>
  return
}

// -----

func.func @block_factor_element(%m: tensor<64xf64>, %o: tensor<64xi1>, %c: f32) {
  // expected-error @below {{takes one f32 a row}}
  %a = landmark.block_factor %m, %m own %o gate %m lse %m factor %c : tensor<64xf64>, tensor<64xi1>
  return
}

// -----

func.func @block_factor_own(%m: tensor<64xf32>, %o: tensor<32xi1>, %c: f32) {
  // expected-error @below {{takes an i1 for every row}}
  %a = landmark.block_factor %m, %m own %o gate %m lse %m factor %c : tensor<64xf32>, tensor<32xi1>
  return
}

// -----

func.func @block_factor_mask(%m: tensor<64xf32>, %o: tensor<64xi32>, %c: f32) {
  // expected-error @below {{takes an i1 for every row}}
  %a = landmark.block_factor %m, %m own %o gate %m lse %m factor %c : tensor<64xf32>, tensor<64xi32>
  return
}

// -----

func.func @weights_rank(%s: tensor<64x8xf32>, %p: tensor<64x8xi1>, %o: tensor<64xi1>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x8xf32>, tensor<64x8xi1>, tensor<64xi1>, tensor<64xf32> -> tensor<64xf32>
  return
}

// -----

func.func @weights_element(%s: tensor<64x1x8xf16>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf16>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_seen(%s: tensor<64x1x8xf32>, %p: tensor<64x1x16xi1>, %o: tensor<64x1xi1>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes an i1 for every logit}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x16xi1>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_mask(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xf32>, %o: tensor<64x1xi1>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes an i1 for every logit}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xf32>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_own(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64xi1>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes an i1 for every row and block}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64xi1>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_own_mask(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi8>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes an i1 for every row and block}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi8>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_rows(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %l: tensor<32xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes the log-sum-exp of every row}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<32xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_lse_rank(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %l: tensor<64x1xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes the log-sum-exp of every row}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64x1xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_lse_element(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %l: tensor<64xf16>, %c: f32, %i: index) {
  // expected-error @below {{takes the log-sum-exp of every row}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf16> -> tensor<64x1xf32>
  return
}

// -----

func.func @weights_factors(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %o: tensor<64x1xi1>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{yields one f32 for every row and block}}
  %w, %f = landmark.weights %s seen %p own %o lse %l factor %c block(%i) : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64x1xi1>, tensor<64xf32> -> tensor<64x2xf32>
  return
}

// -----

func.func @past_weights_rank(%s: tensor<64x8xf32>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %w, %f, %fits, %holds = landmark.past_weights %s lse %l factor %c block(%i) keys(%i) : tensor<64x8xf32>, tensor<64xf32> -> tensor<64xf32>
  return
}

// -----

func.func @past_weights_exact_half(%s: tensor<64x1x8xf32>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{that is exact holds in every type, in float16 too}}
  %w, %f, %fits, %holds = landmark.past_weights %s lse %l factor %c block(%i) keys(%i) exact half : tensor<64x1x8xf32>, tensor<64xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @past_weights_rows(%s: tensor<64x1x8xf32>, %l: tensor<32xf32>, %c: f32, %i: index) {
  // expected-error @below {{takes the log-sum-exp of every row}}
  %w, %f, %fits, %holds = landmark.past_weights %s lse %l factor %c block(%i) keys(%i) : tensor<64x1x8xf32>, tensor<32xf32> -> tensor<64x1xf32>
  return
}

// -----

func.func @past_weights_factors(%s: tensor<64x1x8xf32>, %l: tensor<64xf32>, %c: f32, %i: index) {
  // expected-error @below {{yields one f32 for every row and block}}
  %w, %f, %fits, %holds = landmark.past_weights %s lse %l factor %c block(%i) keys(%i) : tensor<64x1x8xf32>, tensor<64xf32> -> tensor<64x1xf16>
  return
}

// -----

func.func @gate_logit_blocks(%s: tensor<64x2x8xf32>, %i: index) {
  // expected-error @below {{takes logits by row, one block and token, in f32}}
  %g = landmark.gate_logit %s block(%i) : tensor<64x2x8xf32> -> tensor<64xf32>
  return
}

// -----

func.func @gate_logit_rank(%s: tensor<64x8xf32>, %i: index) {
  // expected-error @below {{takes logits by row, one block and token, in f32}}
  %g = landmark.gate_logit %s block(%i) : tensor<64x8xf32> -> tensor<64xf32>
  return
}

// -----

func.func @gate_logit_element(%s: tensor<64x1x8xbf16>, %i: index) {
  // expected-error @below {{takes logits by row, one block and token, in f32}}
  %g = landmark.gate_logit %s block(%i) : tensor<64x1x8xbf16> -> tensor<64xbf16>
  return
}

// -----

func.func @gate_logit_rows(%s: tensor<64x1x8xf32>, %i: index) {
  // expected-error @below {{yields one logit a row}}
  %g = landmark.gate_logit %s block(%i) : tensor<64x1x8xf32> -> tensor<32xf32>
  return
}

// -----

func.func @gate_logit_result(%s: tensor<64x1x8xf32>, %i: index) {
  // expected-error @below {{yields one logit a row}}
  %g = landmark.gate_logit %s block(%i) : tensor<64x1x8xf32> -> tensor<64xf16>
  return
}

// -----

func.func @spread_rank(%s: tensor<64xf32>, %p: tensor<64xi1>, %m: tensor<64xf32>, %c: f32) {
  // expected-error @below {{takes logits by row, in f32}}
  %w = landmark.spread %s seen %p max %m weight %m factor %c : tensor<64xf32>, tensor<64xi1>, tensor<64xf32>
  return
}

// -----

func.func @spread_element(%s: tensor<64x1x8xf16>, %p: tensor<64x1x8xi1>, %m: tensor<64xf32>, %c: f32) {
  // expected-error @below {{takes logits by row, in f32}}
  %w = landmark.spread %s seen %p max %m weight %m factor %c : tensor<64x1x8xf16>, tensor<64x1x8xi1>, tensor<64xf32>
  return
}

// -----

func.func @spread_seen(%s: tensor<64x1x8xf32>, %p: tensor<64x8xi1>, %m: tensor<64xf32>, %c: f32) {
  // expected-error @below {{takes an i1 for every logit}}
  %w = landmark.spread %s seen %p max %m weight %m factor %c : tensor<64x1x8xf32>, tensor<64x8xi1>, tensor<64xf32>
  return
}

// -----

func.func @spread_rows(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %m: tensor<32xf32>, %c: f32) {
  // expected-error @below {{takes a maximum and a weight for every row}}
  %w = landmark.spread %s seen %p max %m weight %m factor %c : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<32xf32>
  return
}

// -----

func.func @spread_row_element(%s: tensor<64x1x8xf32>, %p: tensor<64x1x8xi1>, %m: tensor<64xf16>, %c: f32) {
  // expected-error @below {{takes a maximum and a weight for every row}}
  %w = landmark.spread %s seen %p max %m weight %m factor %c : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64xf16>
  return
}

// -----

// expected-error @below {{step must be gates or listed, got lists}}
landmark.forward @unknown_step step "lists" block_size 64 head_dim 64 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// -----

// expected-error @below {{block_size of a step must be 2 to 128, got 129}}
landmark.forward @long_step step "gates" block_size 129 head_dim 64 type bf16 config <query_tile = 32, key_tile = 64, warps = 1, stages = 2>
