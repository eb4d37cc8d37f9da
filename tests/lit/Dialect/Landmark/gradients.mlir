// RUN: landmark-opt %s | landmark-opt | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>

// CHECK: landmark.backward @request block_size 51 head_dim 64 type bf16 gradient f32 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>
landmark.backward @request block_size 51 head_dim 64 type bf16 gradient f32 passes 1 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>
// CHECK: landmark.backward @step step "listed" block_size 51 head_dim 64 type bf16 gradient f32 passes 1 adds row_tile 32 config
landmark.backward @step step "listed" block_size 51 head_dim 64 type bf16 gradient f32 passes 1 adds row_tile 32 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>
// CHECK: landmark.backward @wide block_size 2 head_dim 256 type f16 gradient f16 passes 2 config
landmark.backward @wide block_size 2 head_dim 256 type f16 gradient f16 passes 2 config <query_tile = 64, key_tile = 64, warps = 4, stages = 2>

// CHECK: func.func @forms(
func.func @forms(%Q: !view, %K: !view, %n: index, %factor: f32, %row: tensor<128xf32>, %s: tensor<128x1x64xf32>, %seen: tensor<128x1x64xi1>,
                 %own: tensor<128x1xi1>, %own_row: tensor<128xi1>) {
  // CHECK: landmark.key_program %{{.*}}, %{{.*}} tiles %{{.*}} section %{{.*}} : memref<{{.*}}>, memref<{{.*}}>
  %batch, %kv_head, %head, %heads, %tile = landmark.key_program %Q, %K tiles %n section %n : !view, !view
  // CHECK: landmark.row_range blocks(%{{.*}}, %{{.*}}) rows(%{{.*}}, %{{.*}}) keys(%{{.*}}) phase(%{{.*}}) block(%{{.*}}) tile(%{{.*}})
  %first, %edges, %tiles = landmark.row_range blocks(%tile, %n) rows(%n, %n) keys(%n) phase(%n) block(%n) tile(%n)
  // CHECK: landmark.group_tile %{{.*}} heads(%{{.*}}) first(%{{.*}}) tiles(%{{.*}}) tile(%{{.*}})
  %h, %r = landmark.group_tile %n heads(%head) first(%first) tiles(%tiles) tile(%n)
  // CHECK: landmark.gradients %{{.*}}, %{{.*}} seen %{{.*}} own %{{.*}} lse %{{.*}} delta %{{.*}} factor %{{.*}} block(%{{.*}}) : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>, tensor<128xf32>
  %p, %ds = landmark.gradients %s, %s seen %seen own %own lse %row delta %row factor %factor block(%n) : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128x1xi1>, tensor<128xf32>
  // CHECK: landmark.past_gradients %{{.*}}, %{{.*}} lse %{{.*}} delta %{{.*}} factor %{{.*}} block(%{{.*}}) : tensor<128x1x64xf32>, tensor<128xf32>
  %pp, %pds, %fits = landmark.past_gradients %s, %s lse %row delta %row factor %factor block(%n) : tensor<128x1x64xf32>, tensor<128xf32>
  // CHECK: landmark.past_gradients {{.*}} block(%{{.*}}) exact :
  %ep, %eds, %always = landmark.past_gradients %s, %s lse %row delta %row factor %factor block(%n) exact : tensor<128x1x64xf32>, tensor<128xf32>
  // CHECK: landmark.product_stats %{{.*}}, %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} seen %{{.*}} factor %{{.*}} : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>
  %m, %l, %t = landmark.product_stats %row, %row, %row add %s, %s seen %seen factor %factor : tensor<128xf32>, tensor<128x1x64xf32>, tensor<128x1x64xi1>
  // CHECK: landmark.part_gradients %{{.*}}, %{{.*}} seen %{{.*}} own %{{.*}} stats %{{.*}}, %{{.*}}, %{{.*}} gate %{{.*}} lse %{{.*}} delta %{{.*}} factor %{{.*}} block(%{{.*}}) from %{{.*}} : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128xi1>, tensor<128xf32>
  %p2, %ds2 = landmark.part_gradients %s, %s seen %seen own %own_row stats %m, %l, %t gate %row lse %row delta %row factor %factor block(%n) from %n : tensor<128x1x64xf32>, tensor<128x1x64xi1>, tensor<128xi1>, tensor<128xf32>
  return
}
// CHECK: landmark.backward @shared block_size 64 head_dim 128 type bf16 gradient bf16 passes 1 row_tile 64 config
landmark.backward @shared block_size 64 head_dim 128 type bf16 gradient bf16 passes 1 row_tile 64 config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>
// CHECK: landmark.backward @quick block_size 64 head_dim 64 type bf16 gradient bf16 passes 1 adds row_tile 64 quick config
landmark.backward @quick block_size 64 head_dim 64 type bf16 gradient bf16 passes 1 adds row_tile 64 quick config <query_tile = 128, key_tile = 128, warps = 8, stages = 2>
