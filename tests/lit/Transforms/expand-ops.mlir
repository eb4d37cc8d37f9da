// RUN: landmark-opt %s --landmark-expand-ops --split-input-file | FileCheck %s --implicit-check-not=landmark.

// Programs are numbered by 32-bit arithmetic; the group of heads that share a key head divides.
// CHECK-LABEL: @program
// CHECK-SAME: %[[Q:[^:]*]]: memref<?x?x?x64xbf16, {{[^)]*}}, %[[K:[^:]*]]: memref<?x?x?x64xbf16
// CHECK: memref.dim %[[Q]]
// CHECK: memref.dim %[[Q]]
// CHECK: %[[HEADS:.*]] = arith.index_cast
// CHECK: memref.dim %[[K]]
// CHECK: %[[KV_HEADS:.*]] = arith.index_cast
// CHECK: memref.dim %[[Q]]
// CHECK: tile.program of
// CHECK: %[[GROUP:.*]] = arith.divui %[[HEADS]], %[[KV_HEADS]] : i32
// CHECK: arith.divui %{{.*}}, %[[GROUP]] : i32
// CHECK: return %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : index, index, index, index
!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
func.func @program(%Q: !view, %K: !view, %tile: index, %section: index) -> (index, index, index, index) {
  %b, %h, %g, %r = landmark.program %Q, %K tile %tile section %section : !view, !view
  return %b, %h, %g, %r : index, index, index, index
}

// -----

// `past` is rounded down to the step; `begin` leaves block 0 out where the phase shortens it.
// CHECK-LABEL: @block_range
// CHECK-SAME: %{{[^:]*}}: index, %{{[^:]*}}: index, %{{[^:]*}}: index, %[[PHASE:[^:]*]]: index, %{{[^:]*}}: index, %[[STEP:[^:]*]]: index
// CHECK: %[[REST:.*]] = arith.remui %[[FULL:.*]], %[[STEP]]
// CHECK: %[[PAST:.*]] = arith.subi %[[FULL]], %[[REST]]
// CHECK: arith.cmpi ne, %[[PHASE]],
// CHECK: arith.minsi %[[STEP]], %[[PAST]]
// CHECK: %[[BEGIN:.*]] = arith.select
// CHECK: return %[[BEGIN]], %[[PAST]], %{{.*}}
func.func @block_range(%first: index, %last: index, %keys: index, %phase: index, %L: index, %step: index) -> (index, index, index) {
  %begin, %past, %end = landmark.block_range rows(%first, %last) keys(%keys) phase(%phase) block(%L) step(%step)
  return %begin, %past, %end : index, index, index
}

// -----

// CHECK-LABEL: @locate
// CHECK: tile.iota : tensor<64xi32>
// CHECK: %[[BLOCKS:.*]] = arith.divui %[[PLACES:.*]], %[[L:.*]] : tensor<64xi32>
// CHECK: %[[TOKENS:.*]] = arith.remui %[[PLACES]], %[[L]] : tensor<64xi32>
// CHECK: return %[[BLOCKS]], %[[TOKENS]]
func.func @locate(%first: index, %phase: index, %L: index) -> (tensor<64xi32>, tensor<64xi32>) {
  %blocks, %tokens = landmark.locate %first phase %phase block %L : tensor<64xi32>, tensor<64xi32>
  return %blocks, %tokens : tensor<64xi32>, tensor<64xi32>
}

// -----

// CHECK-LABEL: @own
// CHECK-SAME: %[[ROWS:.*]]: tensor<64xi32>
// CHECK: %[[BY_BLOCK:.*]] = tile.broadcast %{{.*}} to [1] : tensor<2xi32> -> tensor<64x2xi32>
// CHECK: %[[BY_ROW:.*]] = tile.broadcast %[[ROWS]] to [0] : tensor<64xi32> -> tensor<64x2xi32>
// CHECK: arith.cmpi eq, %[[BY_BLOCK]], %[[BY_ROW]] : tensor<64x2xi32>
func.func @own(%blocks: tensor<64xi32>, %b: index) -> tensor<64x2xi1> {
  %own = landmark.own %blocks at %b : tensor<64xi32> -> tensor<64x2xi1>
  return %own : tensor<64x2xi1>
}

// -----

// CHECK-LABEL: @own_block
// CHECK-SAME: %[[ROWS:.*]]: tensor<64xi32>
// CHECK: arith.cmpi eq, %[[ROWS]], %{{.*}} : tensor<64xi32>
func.func @own_block(%blocks: tensor<64xi32>, %b: index) -> tensor<64xi1> {
  %own = landmark.own %blocks at %b : tensor<64xi32> -> tensor<64xi1>
  return %own : tensor<64xi1>
}

// -----

// A token counts between a lower bound that its block gives and an upper one of its row and block: one comparison of places from the lower one on.
// CHECK-LABEL: @tokens
// CHECK: %[[LOW:.*]] = arith.maxsi %{{.*}} : tensor<2xi32>
// CHECK: %[[TOKEN:.*]] = tile.broadcast %{{.*}} to [1] : tensor<8xi32> -> tensor<2x8xi32>
// CHECK: %[[LOWS:.*]] = tile.broadcast %[[LOW]] to [0] : tensor<2xi32> -> tensor<2x8xi32>
// CHECK: %[[PLACE:.*]] = arith.subi %[[TOKEN]], %[[LOWS]]
// CHECK: %[[PLACES:.*]] = tile.broadcast %[[PLACE]] to [1, 2] : tensor<2x8xi32> -> tensor<64x2x8xi32>
// CHECK: %[[COUNT:.*]] = arith.maxsi %{{.*}} : tensor<64x2xi32>
// CHECK: %[[COUNTS:.*]] = tile.broadcast %[[COUNT]] to [0, 1] : tensor<64x2xi32> -> tensor<64x2x8xi32>
// CHECK: %[[SEEN:.*]] = arith.cmpi ult, %[[PLACES]], %[[COUNTS]]
// CHECK: return %[[SEEN]]
func.func @tokens(%blocks: tensor<64xi32>, %tokens: tensor<64xi32>, %b: index, %keys: index, %phase: index, %L: index) -> tensor<64x2x8xi1> {
  %seen = landmark.tokens rows(%blocks, %tokens) at %b keys(%keys) phase(%phase) block(%L) : tensor<64xi32>, tensor<64xi32> -> tensor<64x2x8xi1>
  return %seen : tensor<64x2x8xi1>
}

// -----

// In a part of a block the numbers of tokens start at the part's first.
// CHECK-LABEL: @tokens_from
// CHECK-SAME: %[[FIRST:[^ ]*]]: index)
// CHECK: %[[NUMBER:.*]] = arith.index_cast %[[FIRST]] : index to i32
// CHECK: %[[START:.*]] = tensor.splat %[[NUMBER]] : tensor<8xi32>
// CHECK: arith.addi %[[START]], %{{.*}} : tensor<8xi32>
func.func @tokens_from(%blocks: tensor<64xi32>, %tokens: tensor<64xi32>, %b: index, %first: index) -> tensor<64x1x8xi1> {
  %seen = landmark.tokens rows(%blocks, %tokens) at %b keys(%b) phase(%b) block(%b) from %first : tensor<64xi32>, tensor<64xi32> -> tensor<64x1x8xi1>
  return %seen : tensor<64x1x8xi1>
}

// -----

// CHECK-LABEL: @ordinary
// CHECK: %[[SEEN:.*]] = arith.cmpi ult, %{{.*}}, %{{.*}} : tensor<8xi32>
// CHECK: tile.broadcast %[[SEEN]] to [2] : tensor<8xi1> -> tensor<64x2x8xi1>
func.func @ordinary(%L: index) -> tensor<64x2x8xi1> {
  %seen = landmark.ordinary block(%L) : tensor<64x2x8xi1>
  return %seen : tensor<64x2x8xi1>
}

// -----

// CHECK-LABEL: @gates
// CHECK: %[[COUNTED:.*]] = arith.cmpi ult, %{{.*}} : tensor<64x2xi32>
// CHECK: %[[LANDMARK:.*]] = arith.cmpi eq, %{{.*}} : tensor<8xi32>
// CHECK-DAG: tile.broadcast %[[COUNTED]] to [0, 1] : tensor<64x2xi1> -> tensor<64x2x8xi1>
// CHECK-DAG: tile.broadcast %[[LANDMARK]] to [2] : tensor<8xi1> -> tensor<64x2x8xi1>
// CHECK: arith.andi %{{.*}} : tensor<64x2x8xi1>
func.func @gates(%blocks: tensor<64xi32>, %b: index, %keys: index, %phase: index, %L: index) -> tensor<64x2x8xi1> {
  %seen = landmark.gates rows(%blocks) at %b keys(%keys) phase(%phase) block(%L) : tensor<64xi32> -> tensor<64x2x8xi1>
  return %seen : tensor<64x2x8xi1>
}

// -----

// Columns that are landmarks, and nothing else, need no comparison with the place of one: one comparison, of the blocks from the first counted one on with how many of
// them are complete and past, none where that is less than nothing.
// CHECK-LABEL: @row_gates
// CHECK-SAME: %[[ROWS:[^:]*]]: tensor<64xi32>
// CHECK: %[[BARE:.*]] = arith.cmpi eq, %{{.*}} : index
// CHECK: %[[FIRST:.*]] = arith.select %[[BARE]], %c1_i32, %c0_i32
// CHECK: %[[END:.*]] = arith.minsi %[[ROWS]], %{{.*}} : tensor<64xi32>
// CHECK: %[[FIRSTS:.*]] = tensor.splat %[[FIRST]]
// CHECK: %[[LEFT:.*]] = arith.subi %[[END]], %[[FIRSTS]]
// CHECK: %[[COUNT:.*]] = arith.maxsi %[[LEFT]], %{{.*}} : tensor<64xi32>
// CHECK: arith.subi %{{.*}}, %[[FIRST]] : i32
// CHECK: %[[COUNTS:.*]] = tile.broadcast %[[COUNT]] to [0] : tensor<64xi32> -> tensor<64x16xi32>
// CHECK: %[[COUNTED:.*]] = arith.cmpi ult, %{{.*}}, %[[COUNTS]] : tensor<64x16xi32>
// CHECK: return %[[COUNTED]] : tensor<64x16xi1>
func.func @row_gates(%blocks: tensor<64xi32>, %b: index, %keys: index, %phase: index, %L: index) -> tensor<64x16xi1> {
  %seen = landmark.gates rows(%blocks) at %b keys(%keys) phase(%phase) block(%L) : tensor<64xi32> -> tensor<64x16xi1>
  return %seen : tensor<64x16xi1>
}

// -----

// CHECK-LABEL: @past_gates
// CHECK: arith.cmpi slt, %{{.*}} : tensor<16xi32>
// CHECK: arith.xori %{{.*}} : tensor<16xi1>
// CHECK: tile.broadcast %{{.*}} to [1] : tensor<16xi1> -> tensor<64x16xi1>
func.func @past_gates(%b: index, %past: index, %phase: index, %L: index) -> tensor<64x16xi1> {
  %seen = landmark.past_gates at %b below %past phase(%phase) block(%L) : tensor<64x16xi1>
  return %seen : tensor<64x16xi1>
}

// -----

// Unseen logits are -inf before the maximum; the old sum is scaled to the new one.
// CHECK-LABEL: @stats
// CHECK: %[[MASKED:.*]] = arith.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<64x1x8xi1>, tensor<64x1x8xf32>
// CHECK: tile.reduce{{ +}}max %[[MASKED]] along [1, 2] : tensor<64x1x8xf32> -> tensor<64xf32>
// CHECK: %[[MAX:.*]] = arith.maxnumf
// CHECK: %[[KEPT:.*]] = arith.mulf
// CHECK: math.exp2 %{{.*}} : tensor<64x1x8xf32>
// CHECK: %[[ADDED:.*]] = tile.reduce{{ +}}sum %{{.*}} along [1, 2] : tensor<64x1x8xf32> -> tensor<64xf32>
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %[[ADDED]] : tensor<64xf32>
// CHECK: return %[[MAX]], %[[SUM]]
func.func @stats(%m: tensor<64xf32>, %l: tensor<64xf32>, %s: tensor<64x1x8xf32>, %seen: tensor<64x1x8xi1>, %c: f32) -> (tensor<64xf32>, tensor<64xf32>) {
  %m1, %l1 = landmark.stats %m, %l add %s seen %seen factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>
  return %m1, %l1 : tensor<64xf32>, tensor<64xf32>
}

// -----

// CHECK-LABEL: @log_sum_exp
// CHECK-SAME: %{{[^:]*}}: tensor<64xf32>, %[[SUM:[^:]*]]: tensor<64xf32>
// CHECK: %[[LOG:.*]] = math.log2 %[[SUM]]
// CHECK: arith.addf %{{.*}}, %[[LOG]]
func.func @log_sum_exp(%m: tensor<64xf32>, %l: tensor<64xf32>, %c: f32) -> tensor<64xf32> {
  %lse = landmark.log_sum_exp %m, %l factor %c : tensor<64xf32>
  return %lse : tensor<64xf32>
}

// -----

// The own block's log-sum-exp, -inf where no block of the tile is the row's own, and the sum of two powers.
// CHECK-LABEL: @add_own
// CHECK-SAME: %[[LSE:[^:]*]]: tensor<64xf32>, %{{[^:]*}}: tensor<64x2x8xf32>, %{{[^:]*}}: tensor<64x2x8xi1>, %[[OWN:[^:]*]]: tensor<64x2xi1>
// CHECK: %[[SUM:.*]] = tile.reduce{{ +}}sum %{{.*}} along [2] : tensor<64x2x8xf32> -> tensor<64x2xf32>
// CHECK: %[[LOG:.*]] = math.log2 %[[SUM]]
// CHECK: %[[BLOCK:.*]] = arith.addf %{{.*}}, %[[LOG]]
// CHECK: %[[CHOSEN:.*]] = arith.select %[[OWN]], %[[BLOCK]], %{{.*}} : tensor<64x2xi1>, tensor<64x2xf32>
// CHECK: %[[ROW:.*]] = tile.reduce{{ +}}max %[[CHOSEN]] along [1] : tensor<64x2xf32> -> tensor<64xf32>
// CHECK: arith.maxnumf %[[LSE]], %[[ROW]]
// CHECK-COUNT-2: math.exp2 %{{.*}} : tensor<64xf32>
// CHECK: math.log2 %{{.*}} : tensor<64xf32>
func.func @add_own(%lse: tensor<64xf32>, %s: tensor<64x2x8xf32>, %seen: tensor<64x2x8xi1>, %own: tensor<64x2xi1>, %c: f32) -> tensor<64xf32> {
  %next = landmark.add_own %lse add %s seen %seen own %own factor %c : tensor<64xf32>, tensor<64x2x8xf32>, tensor<64x2x8xi1>, tensor<64x2xi1>
  return %next : tensor<64xf32>
}

// -----

// One factor a row and block: from the maximum in the own block, from the landmark's column and the sum in a past one.
// CHECK-LABEL: @weights
// CHECK-SAME: %[[S:[^:]*]]: tensor<64x2x8xf32>, %{{[^:]*}}: tensor<64x2x8xi1>, %[[OWN:[^:]*]]: tensor<64x2xi1>
// CHECK: tile.reduce{{ +}}max %{{.*}} along [2] : tensor<64x2x8xf32> -> tensor<64x2xf32>
// CHECK: %[[INNER:.*]] = math.exp2 %{{.*}} : tensor<64x2x8xf32>
// CHECK: tile.reduce{{ +}}sum %[[INNER]] along [2]
// CHECK: %[[GATE:.*]] = tile.column %[[S]] at 5 : tensor<64x2x8xf32> -> tensor<64x2xf32>
// CHECK: arith.select %[[OWN]], %{{.*}}, %[[GATE]]
// CHECK: math.exp2 %{{.*}} : tensor<64x2xf32>
// CHECK: arith.divf %{{.*}} fastmath<afn> : tensor<64x2xf32>
// CHECK: %[[PRODUCT:.*]] = arith.mulf %{{.*}} : tensor<64x2xf32>
// CHECK: %[[FACTOR:.*]] = arith.select %{{.*}}, %{{.*}}, %[[PRODUCT]] : tensor<64x2xi1>, tensor<64x2xf32>
// CHECK: return %[[INNER]], %[[FACTOR]]
func.func @weights(%s: tensor<64x2x8xf32>, %seen: tensor<64x2x8xi1>, %own: tensor<64x2xi1>, %lse: tensor<64xf32>, %c: f32) -> (tensor<64x2x8xf32>, tensor<64x2xf32>) {
  %L = arith.constant 6 : index
  %w, %f = landmark.weights %s seen %seen own %own lse %lse factor %c block(%L) : tensor<64x2x8xf32>, tensor<64x2x8xi1>, tensor<64x2xi1>, tensor<64xf32> -> tensor<64x2xf32>
  return %w, %f : tensor<64x2x8xf32>, tensor<64x2xf32>
}

// -----

// Without a maximum: exponentials less the row's log-sum-exp, in one operation each, of which the landmark's is the block's gate, and whether sums and factors are in
// their range.
// CHECK-LABEL: @past_weights
// CHECK-SAME: %[[S:[^:]*]]: tensor<64x2x8xf32>, %[[LSE:[^:]*]]: tensor<64xf32>
// CHECK-NOT: tile.reduce{{ +}}max
// CHECK: %[[SHIFT:.*]] = arith.negf %[[LSE]]
// CHECK: %[[SHIFTS:.*]] = tile.broadcast %[[SHIFT]] to [0]
// CHECK: %[[EXPONENT:.*]] = math.fma %[[S]], %{{.*}}, %[[SHIFTS]] : tensor<64x2x8xf32>
// CHECK: %[[ALL:.*]] = math.exp2 %[[EXPONENT]]
// CHECK: %[[INNER:.*]] = arith.select %{{.*}}, %[[ALL]], %{{.*}} : tensor<64x2x8xi1>, tensor<64x2x8xf32>
// CHECK: %[[SUM:.*]] = tile.reduce{{ +}}sum %[[INNER]] along [2]
// CHECK: %[[GATE:.*]] = tile.column %[[ALL]] at 5 : tensor<64x2x8xf32> -> tensor<64x2xf32>
// CHECK-NOT: math.exp2
// CHECK: %[[ABOVE:.*]] = arith.maxnumf %[[SUM]], %{{.*}} : tensor<64x2xf32>
// CHECK: %[[SHARE:.*]] = arith.divf %{{.*}}, %[[ABOVE]] fastmath<afn>
// CHECK: %[[FACTOR:.*]] = arith.mulf %[[GATE]], %[[SHARE]]
// CHECK: %[[MOST:.*]] = arith.maxnumf %[[FACTOR]], %[[SUM]]
// CHECK: %[[FIT:.*]] = arith.cmpf ole, %[[MOST]], %{{.*}} : tensor<64x2xf32>
// CHECK: %[[FITS:.*]] = tile.all %[[FIT]] : tensor<64x2xi1>
// CHECK: return %[[INNER]], %[[FACTOR]], %[[FITS]], %[[FITS]]
func.func @past_weights(%s: tensor<64x2x8xf32>, %lse: tensor<64xf32>, %c: f32, %n: index) -> (tensor<64x2x8xf32>, tensor<64x2xf32>, i1, i1) {
  %L = arith.constant 6 : index
  %e, %f, %fits, %holds = landmark.past_weights %s lse %lse factor %c block(%L) keys(%n) : tensor<64x2x8xf32>, tensor<64xf32> -> tensor<64x2xf32>
  return %e, %f, %fits, %holds : tensor<64x2x8xf32>, tensor<64x2xf32>, i1, i1
}

// -----

// Whether float16 holds them: 64 times a factor and a sum are at most 2^27 over the keys that a row sees, a number that is known outside of the loop, and at most the type's largest.
// CHECK-LABEL: @half_past_weights
// CHECK-SAME: %[[N:[^ :]*]]: index
// CHECK: %[[KEYS:.*]] = arith.index_cast %[[N]] : index to i32
// CHECK: %[[LENGTH:.*]] = arith.sitofp %[[KEYS]]
// CHECK: %[[ERRORS:.*]] = arith.constant 0x4D000000 : f32
// CHECK: %[[SHARE:.*]] = arith.divf %[[ERRORS]], %[[LENGTH]] : f32
// CHECK: %[[LARGEST:.*]] = arith.constant 6.550400e+04 : f32
// CHECK: %[[BOUND:.*]] = arith.minnumf %[[LARGEST]], %[[SHARE]] : f32
// CHECK: scf.for
// CHECK: %[[SUM:.*]] = tile.reduce{{ +}}sum
// CHECK: %[[FIT:.*]] = arith.cmpf ole, %{{.*}}, %{{.*}} : tensor<64x2xf32>
// CHECK: %[[FITS:.*]] = tile.all %[[FIT]]
// CHECK: %[[TIMES:.*]] = arith.constant dense<6.400000e+01> : tensor<64x2xf32>
// CHECK: %[[RAISED:.*]] = arith.mulf %{{.*}}, %[[TIMES]] : tensor<64x2xf32>
// CHECK: %[[BOUNDS:.*]] = tensor.splat %[[BOUND]] : tensor<64x2xf32>
// CHECK: %[[MOST:.*]] = arith.maxnumf %[[RAISED]], %[[SUM]]
// CHECK: %[[BELOW:.*]] = arith.cmpf ole, %[[MOST]], %[[BOUNDS]]
// CHECK: %[[HOLDS:.*]] = tile.all %[[BELOW]]
// CHECK: scf.yield %[[FITS]], %[[HOLDS]]
func.func @half_past_weights(%n: index, %s: tensor<64x2x8xf32>, %lse: tensor<64xf32>, %c: f32) -> (i1, i1) {
  %L = arith.constant 6 : index
  %no = arith.constant false
  %last:2 = scf.for %i = %L to %n step %L iter_args(%a = %no, %b = %no) -> (i1, i1) {
    %e, %f, %fits, %holds = landmark.past_weights %s lse %lse factor %c block(%L) keys(%n) half : tensor<64x2x8xf32>, tensor<64xf32> -> tensor<64x2xf32>
    scf.yield %fits, %holds : i1, i1
  }
  return %last#0, %last#1 : i1, i1
}

// -----

// Exact: with the maximum of every block, which fits always.
// CHECK-LABEL: @exact_past_weights
// CHECK: tile.reduce{{ +}}max %{{.*}} along [2] : tensor<64x2x8xf32> -> tensor<64x2xf32>
// CHECK: %[[INNER:.*]] = math.exp2 %{{.*}} : tensor<64x2x8xf32>
// CHECK-NOT: tile.all
// CHECK: %[[FITS:.*]] = arith.constant true
// CHECK: return %[[INNER]], %{{.*}}, %[[FITS]], %[[FITS]]
func.func @exact_past_weights(%s: tensor<64x2x8xf32>, %lse: tensor<64xf32>, %c: f32) -> (tensor<64x2x8xf32>, tensor<64x2xf32>, i1, i1) {
  %L = arith.constant 6 : index
  %e, %f, %fits, %holds = landmark.past_weights %s lse %lse factor %c block(%L) keys(%L) exact : tensor<64x2x8xf32>, tensor<64xf32> -> tensor<64x2xf32>
  return %e, %f, %fits, %holds : tensor<64x2x8xf32>, tensor<64x2xf32>, i1, i1
}

// -----

// The last part of a block of 21 tokens in tiles of 8 ends at column 4.
// CHECK-LABEL: @gate_logit
// CHECK: tile.column %{{.*}} at 4 : tensor<64x1x8xf32> -> tensor<64x1xf32>
// CHECK: return %{{.*}} : tensor<64xf32>
func.func @gate_logit(%s: tensor<64x1x8xf32>) -> tensor<64xf32> {
  %L = arith.constant 21 : index
  %g = landmark.gate_logit %s block(%L) : tensor<64x1x8xf32> -> tensor<64xf32>
  return %g : tensor<64xf32>
}

// -----

// CHECK-LABEL: @block_factor
// CHECK-SAME: %{{[^:]*}}: tensor<64xf32>, %[[SUM:[^:]*]]: tensor<64xf32>, %[[OWN:[^:]*]]: tensor<64xi1>, %[[GATE:[^:]*]]: tensor<64xf32>
// CHECK: arith.select %[[OWN]], %{{.*}}, %[[GATE]]
// CHECK: math.exp2
// CHECK: arith.divf %{{.*}}, %[[SUM]] fastmath<afn>
func.func @block_factor(%m: tensor<64xf32>, %n: tensor<64xf32>, %own: tensor<64xi1>, %g: tensor<64xf32>, %lse: tensor<64xf32>, %c: f32) -> tensor<64xf32> {
  %w = landmark.block_factor %m, %n own %own gate %g lse %lse factor %c : tensor<64xf32>, tensor<64xi1>
  return %w : tensor<64xf32>
}

// -----

// CHECK-LABEL: @spread
// CHECK: %[[INNER:.*]] = math.exp2 %{{.*}} : tensor<64x1x8xf32>
// CHECK: tile.broadcast %{{.*}} to [0] : tensor<64xf32> -> tensor<64x1x8xf32>
// CHECK: arith.mulf %[[INNER]], %{{.*}} : tensor<64x1x8xf32>
func.func @spread(%s: tensor<64x1x8xf32>, %seen: tensor<64x1x8xi1>, %m: tensor<64xf32>, %w: tensor<64xf32>, %c: f32) -> tensor<64x1x8xf32> {
  %p = landmark.spread %s seen %seen max %m weight %w factor %c : tensor<64x1x8xf32>, tensor<64x1x8xi1>, tensor<64xf32>
  return %p : tensor<64x1x8xf32>
}

// -----

// One exponential of every logit, relative to the new maximum; the old one says what is kept. A row of which nothing is seen yet has 0 subtracted.
// CHECK-LABEL: @part_weights
// CHECK-SAME: %[[M:[^:]*]]: tensor<64xf32>, %[[N:[^:]*]]: tensor<64xf32>, %[[S:[^:]*]]: tensor<64x1x8xf32>, %[[SEEN:[^:]*]]: tensor<64x1x8xi1>
// CHECK: %[[LOGITS:.*]] = arith.select %[[SEEN]], %[[S]], %{{.*}}
// CHECK: %[[MOST:.*]] = tile.reduce max %[[LOGITS]] along [1, 2]
// CHECK: %[[NEW:.*]] = arith.maxnumf %[[M]], %[[MOST]]
// CHECK: %[[SHIFT:.*]] = arith.select %{{.*}}, %{{.*}}, %[[NEW]]
// CHECK: %[[OFFSET:.*]] = arith.mulf %[[SHIFT]],
// CHECK: %[[OLD:.*]] = arith.mulf %[[M]],
// CHECK: %[[DISTANCE:.*]] = arith.subf %[[OLD]], %[[OFFSET]]
// CHECK: %[[KEPT:.*]] = math.exp2 %[[DISTANCE]] fastmath<afn> : tensor<64xf32>
// CHECK: %[[W:.*]] = math.exp2 %{{.*}} : tensor<64x1x8xf32>
// CHECK: %[[SCALED:.*]] = arith.mulf %[[N]], %[[KEPT]]
// CHECK: %[[ADDED:.*]] = tile.reduce sum %[[W]] along [1, 2]
// CHECK: %[[SUM:.*]] = arith.addf %[[SCALED]], %[[ADDED]]
// CHECK: return %[[W]], %[[NEW]], %[[SUM]], %[[KEPT]]
func.func @part_weights(%m: tensor<64xf32>, %n: tensor<64xf32>, %s: tensor<64x1x8xf32>, %seen: tensor<64x1x8xi1>, %c: f32) -> (tensor<64x1x8xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %w, %m1, %n1, %kept = landmark.part_weights %m, %n add %s seen %seen factor %c : tensor<64xf32>, tensor<64x1x8xf32>, tensor<64x1x8xi1>
  return %w, %m1, %n1, %kept : tensor<64x1x8xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}
