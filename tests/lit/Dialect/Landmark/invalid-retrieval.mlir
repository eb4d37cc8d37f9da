// RUN: landmark-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{step must be score_top, score, pool, pool_top, select, attend, attend_part, attend_join, merge or name_pages, got 'guess'}}
landmark.retrieve @k step "guess" block_size 64 head_dim 128 top_k 4 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>

// -----

// expected-error @below {{block_size must be 2 to 256, got 257}}
landmark.retrieve @k step "attend" block_size 257 head_dim 128 top_k 4 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>

// -----

// expected-error @below {{head_dim must be a multiple of 8 from 16 to 256, got 20}}
landmark.retrieve @k step "attend" block_size 64 head_dim 20 top_k 4 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>

// -----

// expected-error @below {{top_k must be 1 to 128, got 0}}
landmark.retrieve @k step "attend" block_size 64 head_dim 128 top_k 0 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>

// -----

// expected-error @below {{type must be bf16, f16 or f32, got 'i32'}}
landmark.retrieve @k step "attend" block_size 64 head_dim 128 top_k 4 type i32 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>

// -----

func.func @limit(%b: index, %limit: tensor<16xf32>) {
  // expected-error @below {{takes the limit of every row, an i32}}
  %seen = landmark.candidates at %b below %limit : tensor<16xf32> -> tensor<16x64xi1>
  return
}

// -----

func.func @candidates(%b: index, %limit: tensor<16xi32>) {
  // expected-error @below {{yields an i1 for every row and landmark}}
  %seen = landmark.candidates at %b below %limit : tensor<16xi32> -> tensor<8x64xi1>
  return
}

// -----

func.func @numbers_of(%b: index, %seen: tensor<16xi1>) {
  // expected-error @below {{takes an i1 for every row and landmark}}
  %ids = landmark.numbers at %b seen %seen : tensor<16xi1> -> tensor<16xi32>
  return
}

// -----

func.func @numbers(%b: index, %seen: tensor<16x64xi1>) {
  // expected-error @below {{yields an i32 for every row and landmark}}
  %ids = landmark.numbers at %b seen %seen : tensor<16x64xi1> -> tensor<16x64xf32>
  return
}

// -----

func.func @list(%k: index, %s: tensor<16x64xf32>, %ids: tensor<16x64xi32>, %v: tensor<16x8xf32>, %i: tensor<16x16xi32>) {
  // expected-error @below {{keeps an f32 and an i32 for every row and place}}
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k : tensor<16x8xf32>, tensor<16x16xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  return
}

// -----

func.func @added(%k: index, %s: tensor<8x64xf32>, %ids: tensor<8x64xi32>, %v: tensor<16x8xf32>, %i: tensor<16x8xi32>) {
  // expected-error @below {{takes an f32 and an i32 for every row and candidate}}
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k : tensor<16x8xf32>, tensor<16x8xi32>, tensor<8x64xf32>, tensor<8x64xi32>
  return
}

// -----

func.func @choose(%v: memref<?x?x?x32xf32>, %i: memref<?x?x?x32xi32>, %n: index) {
  // expected-error @below {{yields an i32 for every row and place}}
  %list = landmark.choose %v, %i[%n, %n] candidates %n keep %n : memref<?x?x?x32xf32>, memref<?x?x?x32xi32> -> tensor<8xi32>
  return
}

// -----

func.func @pieces(%v: memref<?x?x?x32xf32>, %i: memref<?x?x?x16xi32>, %n: index) {
  // expected-error @below {{reads values and ids in pieces of the same number of columns, a multiple of 8}}
  %list = landmark.choose %v, %i[%n, %n] candidates %n keep %n : memref<?x?x?x32xf32>, memref<?x?x?x16xi32> -> tensor<8x8xi32>
  return
}

// -----

func.func @entry(%i: tensor<16x8xf32>, %n: index) {
  // expected-error @below {{takes an i32 for every row and place}}
  %entry = landmark.entry %i at %n : tensor<16x8xf32>
  return
}

// -----

func.func @logits(%m: tensor<16xf32>, %s: tensor<16x64xf32>, %seen: tensor<16x64xi1>, %own: tensor<16xi1>, %c: f32, %L: index) {
  // expected-error @below {{takes logits by row, block and token, in f32}}
  %w, %m1, %l1, %kept = landmark.online %m, %m add %s seen %seen own %own factor %c block(%L) : tensor<16xf32>, tensor<16x64xf32>, tensor<16x64xi1>, tensor<16xi1>
  return
}

// -----

func.func @seen(%m: tensor<16xf32>, %s: tensor<16x1x64xf32>, %seen: tensor<16x1x32xi1>, %own: tensor<16x1xi1>, %c: f32, %L: index) {
  // expected-error @below {{takes an i1 for every logit}}
  %w, %m1, %l1, %kept = landmark.online %m, %m add %s seen %seen own %own factor %c block(%L) : tensor<16xf32>, tensor<16x1x64xf32>, tensor<16x1x32xi1>, tensor<16x1xi1>
  return
}

// -----

func.func @own(%m: tensor<16xf32>, %s: tensor<16x1x64xf32>, %seen: tensor<16x1x64xi1>, %own: tensor<16xi1>, %c: f32, %L: index) {
  // expected-error @below {{takes an i1 for every row and block}}
  %w, %m1, %l1, %kept = landmark.online %m, %m add %s seen %seen own %own factor %c block(%L) : tensor<16xf32>, tensor<16x1x64xf32>, tensor<16x1x64xi1>, tensor<16xi1>
  return
}

// -----

func.func @rows(%m: tensor<8xf32>, %s: tensor<16x1x64xf32>, %seen: tensor<16x1x64xi1>, %own: tensor<16x1xi1>, %c: f32, %L: index) {
  // expected-error @below {{keeps one f32 a row of the logits}}
  %w, %m1, %l1, %kept = landmark.online %m, %m add %s seen %seen own %own factor %c block(%L) : tensor<8xf32>, tensor<16x1x64xf32>, tensor<16x1x64xi1>, tensor<16x1xi1>
  return
}

// -----

func.func @finish(%m: tensor<16x8xf32>) {
  // expected-error @below {{takes one f32 a row}}
  %inverse, %lse = landmark.finish %m, %m : tensor<16x8xf32>
  return
}

// -----

func.func @join(%m: tensor<16xi32>) {
  // expected-error @below {{takes tiles of f32}}
  %both = landmark.join %m, %m : tensor<16xi32>
  return
}

// -----

func.func @share(%m: tensor<16xi32>) {
  // expected-error @below {{takes one f32 a row, or one}}
  %part = landmark.share %m of %m : tensor<16xi32>
  return
}
