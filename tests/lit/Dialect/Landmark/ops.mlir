// RUN: landmark-opt %s | landmark-opt | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>

// CHECK: landmark.forward @request block_size 51 head_dim 64 type bf16 config <query_tile = 64, key_tile = 56, warps = 4, stages = 2>
landmark.forward @request block_size 51 head_dim 64 type bf16 config <query_tile = 64, key_tile = 56, warps = 4, stages = 2>
// CHECK: landmark.forward @largest block_size 1048576 head_dim 256 type f32 config <query_tile = 1, key_tile = 1, warps = 1, stages = 1>
landmark.forward @largest block_size 1048576 head_dim 256 type f32 config <query_tile = 1, key_tile = 1, warps = 1, stages = 1>
// CHECK: landmark.forward @smallest block_size 2 head_dim 16 type f16 config
landmark.forward @smallest block_size 2 head_dim 16 type f16 config <query_tile = 1, key_tile = 1, warps = 1, stages = 1>
// CHECK: landmark.forward @step step "listed" block_size 64 head_dim 64
landmark.forward @step step "listed" block_size 64 head_dim 64 type bf16 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>
// CHECK: func.func private @attribute() attributes {config = #landmark.config<query_tile = 1, key_tile = 2, warps = 3, stages = 4>}
func.func private @attribute() attributes {config = #landmark.config<query_tile = 1, key_tile = 2, warps = 3, stages = 4>}

// CHECK: func.func @forms(
func.func @forms(%Q: !view, %K: !view, %rows: index, %section: index, %keys: index, %phase: index, %L: index, %step: index, %factor: f32,
                 %m: tensor<128xf32>, %l: tensor<128xf32>, %s: tensor<128x1x64xf32>, %g: tensor<128x64xf32>) {
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = landmark.program %{{.*}}, %{{.*}} tile %{{.*}} section %{{.*}} : memref<{{.*}}>, memref<{{.*}}>
  %batch, %head, %kv_head, %row = landmark.program %Q, %K tile %rows section %section : !view, !view
  // CHECK: landmark.block_range rows(%{{.*}}, %{{.*}}) keys(%{{.*}}) phase(%{{.*}}) block(%{{.*}}) step(%{{.*}})
  %begin, %past, %end = landmark.block_range rows(%row, %rows) keys(%keys) phase(%phase) block(%L) step(%step)
  // CHECK: landmark.locate %{{.*}} phase %{{.*}} block %{{.*}} : tensor<128xi32>, tensor<128xi32>
  %blocks, %tokens = landmark.locate %row phase %phase block %L : tensor<128xi32>, tensor<128xi32>
  // CHECK: landmark.own %{{.*}} at %{{.*}} : tensor<128xi32> -> tensor<128x1xi1>
  %own = landmark.own %blocks at %begin : tensor<128xi32> -> tensor<128x1xi1>
  // CHECK: landmark.tokens rows(%{{.*}}, %{{.*}}) at %{{.*}} keys(%{{.*}}) phase(%{{.*}}) block(%{{.*}}) : tensor<128xi32>, tensor<128xi32> -> tensor<128x1x64xi1>
  %seen = landmark.tokens rows(%blocks, %tokens) at %begin keys(%keys) phase(%phase) block(%L) : tensor<128xi32>, tensor<128xi32> -> tensor<128x1x64xi1>
  // CHECK: landmark.ordinary block(%{{.*}}) : tensor<128x1x64xi1>
  %ordinary = landmark.ordinary block(%L) : tensor<128x1x64xi1>
  // CHECK: landmark.gates rows(%{{.*}}) at %{{.*}} keys(%{{.*}}) phase(%{{.*}}) block(%{{.*}}) : tensor<128xi32> -> tensor<128x1x64xi1>
  %gates = landmark.gates rows(%blocks) at %begin keys(%keys) phase(%phase) block(%L) : tensor<128xi32> -> tensor<128x1x64xi1>
  // CHECK: landmark.gates rows(%{{.*}}) at %{{.*}} keys(%{{.*}}) phase(%{{.*}}) block(%{{.*}}) : tensor<128xi32> -> tensor<128x64xi1>
  %row_gates = landmark.gates rows(%blocks) at %begin keys(%keys) phase(%phase) block(%L) : tensor<128xi32> -> tensor<128x64xi1>
  // CHECK: landmark.past_gates at %{{.*}} below %{{.*}} phase(%{{.*}}) block(%{{.*}}) : tensor<128x64xi1>
  %past_gates = landmark.past_gates at %begin below %past phase(%phase) block(%L) : tensor<128x64xi1>
  // CHECK: landmark.stats %{{.*}}, %{{.*}} add %{{.*}} seen %{{.*}} factor %{{.*}} : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>
  %m1, %l1 = landmark.stats %m, %l add %s seen %seen factor %factor : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>
  // CHECK: landmark.stats %{{.*}}, %{{.*}} add %{{.*}} seen %{{.*}} factor %{{.*}} : tensor<128xf32>, tensor<128x64xf32>, tensor<128x64xi1>
  %m2, %l2 = landmark.stats %m1, %l1 add %g seen %past_gates factor %factor : tensor<128xf32>, tensor<128x64xf32>, tensor<128x64xi1>
  // CHECK: landmark.part_weights %{{.*}}, %{{.*}} add %{{.*}} seen %{{.*}} factor %{{.*}} : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>
  %part:4 = landmark.part_weights %m1, %l1 add %s seen %seen factor %factor : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>
  // CHECK: landmark.log_sum_exp %{{.*}}, %{{.*}} factor %{{.*}} : tensor<128xf32>
  %lse = landmark.log_sum_exp %m2, %l2 factor %factor : tensor<128xf32>
  // CHECK: landmark.add_own %{{.*}} add %{{.*}} seen %{{.*}} own %{{.*}} factor %{{.*}} : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>
  %with_own = landmark.add_own %lse add %s seen %seen own %own factor %factor : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>
  // CHECK: landmark.weights %{{.*}} seen %{{.*}} own %{{.*}} lse %{{.*}} factor %{{.*}} block(%{{.*}}) : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>, tensor<128xf32> -> tensor<128x1xf32>
  %w, %f = landmark.weights %s seen %seen own %own lse %lse factor %factor block(%L) : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>, tensor<128xf32> -> tensor<128x1xf32>
  // CHECK: landmark.past_weights %{{.*}} lse %{{.*}} factor %{{.*}} block(%{{.*}}) keys(%{{.*}}) : tensor<128x1x64xf32>, tensor<128xf32> -> tensor<128x1xf32>
  %pw, %pf, %fits, %holds = landmark.past_weights %s lse %lse factor %factor block(%L) keys(%L) : tensor<128x1x64xf32>, tensor<128xf32> -> tensor<128x1xf32>
  // CHECK: landmark.past_weights {{.*}} keys(%{{.*}}) exact :
  %ew, %ef, %always:2 = landmark.past_weights %s lse %lse factor %factor block(%L) keys(%L) exact : tensor<128x1x64xf32>, tensor<128xf32> -> tensor<128x1xf32>
  // CHECK: landmark.past_weights {{.*}} keys(%{{.*}}) half :
  %hw, %hf, %hfits, %hholds = landmark.past_weights %s lse %lse factor %factor block(%L) keys(%L) half : tensor<128x1x64xf32>, tensor<128xf32> -> tensor<128x1xf32>
  // The forms for blocks longer than a tile.
  // CHECK: landmark.own %{{.*}} at %{{.*}} : tensor<128xi32> -> tensor<128xi1>
  %own_row = landmark.own %blocks at %begin : tensor<128xi32> -> tensor<128xi1>
  // CHECK: landmark.tokens {{.*}} block(%{{.*}}) from %{{.*}} : tensor<128xi32>, tensor<128xi32> -> tensor<128x1x64xi1>
  %some = landmark.tokens rows(%blocks, %tokens) at %begin keys(%keys) phase(%phase) block(%L) from %step : tensor<128xi32>, tensor<128xi32> -> tensor<128x1x64xi1>
  // CHECK: landmark.ordinary block(%{{.*}}) from %{{.*}} : tensor<128x1x64xi1>
  %some_ordinary = landmark.ordinary block(%L) from %step : tensor<128x1x64xi1>
  // CHECK: landmark.gates {{.*}} block(%{{.*}}) from %{{.*}} : tensor<128xi32> -> tensor<128x1x64xi1>
  %some_gates = landmark.gates rows(%blocks) at %begin keys(%keys) phase(%phase) block(%L) from %step : tensor<128xi32> -> tensor<128x1x64xi1>
  // CHECK: landmark.gate_logit %{{.*}} block(%{{.*}}) : tensor<128x1x64xf32> -> tensor<128xf32>
  %gate = landmark.gate_logit %s block(%L) : tensor<128x1x64xf32> -> tensor<128xf32>
  // CHECK: landmark.block_factor %{{.*}}, %{{.*}} own %{{.*}} gate %{{.*}} lse %{{.*}} factor %{{.*}} : tensor<128xf32>, tensor<128xi1>
  %weight = landmark.block_factor %m2, %l2 own %own_row gate %gate lse %lse factor %factor : tensor<128xf32>, tensor<128xi1>
  // CHECK: landmark.spread %{{.*}} seen %{{.*}} max %{{.*}} weight %{{.*}} factor %{{.*}} : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128xf32>
  %p = landmark.spread %s seen %seen max %m2 weight %weight factor %factor : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128xf32>
  return
}
