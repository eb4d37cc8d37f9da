// RUN: landmark-opt %s | landmark-opt | FileCheck %s

!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>

// CHECK: landmark.retrieve @attend step "attend" block_size 64 head_dim 128 top_k 4 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>
landmark.retrieve @attend step "attend" block_size 64 head_dim 128 top_k 4 type bf16 config <query_tile = 16, key_tile = 64, warps = 1, stages = 2>

// CHECK-LABEL: func @geometry
func.func @geometry(%Q: !view, %n: index, %rows: index, %splits: index, %phase: index, %L: index) {
  // CHECK: landmark.task %{{.*}} span %{{.*}} tile %{{.*}} splits %{{.*}} : memref
  %batch, %outer, %span, %row, %end, %split = landmark.task %Q span %n tile %rows splits %splits : !view
  // CHECK: landmark.part %{{.*}} of %{{.*}} to %{{.*}} step %{{.*}}
  %begin, %stop = landmark.part %split of %splits to %n step %rows
  // CHECK: landmark.locate %{{.*}} step %{{.*}} phase %{{.*}} block %{{.*}} : tensor<16xi32>, tensor<16xi32>
  %blocks, %tokens = landmark.locate %row step %n phase %phase block %L : tensor<16xi32>, tensor<16xi32>
  return
}

// CHECK-LABEL: func @selection
func.func @selection(%b: index, %k: index, %limit: tensor<16xi32>, %s: tensor<16x64xf32>, %v: tensor<16x8xf32>, %i: tensor<16x8xi32>) -> tensor<16x8xi32> {
  // CHECK: landmark.candidates at %{{.*}} below %{{.*}} : tensor<16xi32> -> tensor<16x64xi1>
  %seen = landmark.candidates at %b below %limit : tensor<16xi32> -> tensor<16x64xi1>
  // CHECK: landmark.numbers at %{{.*}} seen %{{.*}} : tensor<16x64xi1> -> tensor<16x64xi32>
  %ids = landmark.numbers at %b seen %seen : tensor<16x64xi1> -> tensor<16x64xi32>
  // CHECK: landmark.top_k %{{.*}}, %{{.*}} add %{{.*}}, %{{.*}} keep %{{.*}} : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  %v1, %i1 = landmark.top_k %v, %i add %s, %ids keep %k : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  // CHECK: landmark.top_k {{.*}} keep %{{.*}} across :
  %v2, %i2 = landmark.top_k %v1, %i1 add %s, %ids keep %k across : tensor<16x8xf32>, tensor<16x8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
  // CHECK: landmark.entry %{{.*}} at %{{.*}} : tensor<16x8xi32>
  %entry = landmark.entry %i1 at %k : tensor<16x8xi32>
  return %i1 : tensor<16x8xi32>
}

// CHECK-LABEL: func @softmax
func.func @softmax(%m: tensor<16xf32>, %l: tensor<16xf32>, %s: tensor<16x1x64xf32>, %seen: tensor<16x1x64xi1>, %own: tensor<16x1xi1>, %c: f32, %L: index) {
  // CHECK: landmark.online %{{.*}}, %{{.*}} add %{{.*}} seen %{{.*}} own %{{.*}} factor %{{.*}} block(%{{.*}}) : tensor<16xf32>, tensor<16x1x64xf32>, tensor<16x1x64xi1>, tensor<16x1xi1>
  %w, %m1, %l1, %kept = landmark.online %m, %l add %s seen %seen own %own factor %c block(%L) : tensor<16xf32>, tensor<16x1x64xf32>, tensor<16x1x64xi1>, tensor<16x1xi1>
  // CHECK: landmark.finish %{{.*}}, %{{.*}} : tensor<16xf32>
  %inverse, %lse = landmark.finish %m1, %l1 : tensor<16xf32>
  // CHECK: landmark.join %{{.*}}, %{{.*}} : tensor<16xf32>
  %both = landmark.join %lse, %m : tensor<16xf32>
  %wide = tile.broadcast %lse to [0] : tensor<16xf32> -> tensor<16x64xf32>
  // CHECK: landmark.join %{{.*}}, %{{.*}} : tensor<16x64xf32>
  %every = landmark.join %wide, %wide : tensor<16x64xf32>
  // CHECK: landmark.share %{{.*}} of %{{.*}} : tensor<16xf32>
  %share = landmark.share %lse of %both : tensor<16xf32>
  // CHECK: landmark.stats {{.*}} factor %{{.*}} exact :
  %m2, %l2 = landmark.stats %m1, %l1 add %s seen %seen factor %c exact : tensor<16xf32>, tensor<16x1x64xf32>, tensor<16x1x64xi1>
  return
}
