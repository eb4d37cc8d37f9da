// RUN: landmark-opt %s --pass-pipeline='builtin.module(gpu.module(convert-tile-to-nvvm))' --split-input-file | FileCheck %s --implicit-check-not=tile. --implicit-check-not='tensor<'

// Columns are combined within a thread, then across the four lanes of a quad: two rows by two blocks, two shuffles each.
// CHECK-LABEL: @reduce_columns(
// CHECK-COUNT-8: nvvm.shfl.sync{{ +}}bfly
// CHECK-NOT: nvvm.shfl
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @reduce_columns() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !s
    %m = tile.reduce max %x along [2] : !s -> !b
    gpu.return
  }
}

// -----

// What a thread has of a row, six numbers, is four chains and a tree, or, in order, one chain.
// CHECK-LABEL: @reduce_chains(
// CHECK: %[[A:.*]] = arith.addf
// CHECK-NEXT: %[[B:.*]] = arith.addf %{{[^,]*}}, %{{[^,]*}} :
// CHECK-NEXT: %[[C:.*]] = arith.addf %[[A]], %[[B]] :
// CHECK-NEXT: %[[D:.*]] = arith.addf %{{[^,]*}}, %{{[^,]*}} :
// CHECK-NEXT: arith.addf %[[C]], %[[D]] :
// CHECK-LABEL: @reduce_in_order(
// CHECK: %[[A:.*]] = arith.addf
// CHECK-NEXT: %[[B:.*]] = arith.addf %[[A]], %{{[^,]*}} :
// CHECK-NEXT: %[[C:.*]] = arith.addf %[[B]], %{{[^,]*}} :
// CHECK-NEXT: %[[D:.*]] = arith.addf %[[C]], %{{[^,]*}} :
// CHECK-NEXT: arith.addf %[[D]], %{{[^,]*}} :
!s = tensor<16x1x24xf32, #tile.fragment<[row, block, column], 1>>
!b = tensor<16x1xf32, #tile.fragment<[row, block], 1>>
gpu.module @kernels {
  gpu.func @reduce_chains() kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %x = arith.constant dense<1.0> : !s
    %sum = tile.reduce sum %x along [2] : !s -> !b
    gpu.return
  }
  gpu.func @reduce_in_order() kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %x = arith.constant dense<1.0> : !s
    %sum = tile.reduce sum %x along [2] in_order : !s -> !b
    gpu.return
  }
}

// -----

// Blocks are all in one thread.
// CHECK-LABEL: @reduce_blocks(
// CHECK-COUNT-2: arith.addf
// CHECK-NOT: arith.addf
// CHECK-NOT: nvvm.shfl
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @reduce_blocks() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !b
    %m = tile.reduce sum %x along [1] : !b -> !r
    gpu.return
  }
}

// -----

// A column is fetched from the lane of the quad that holds it, once for each row and block.
// CHECK-LABEL: @column(
// CHECK: %[[LANE:.*]] = arith.constant 2 : i32
// CHECK-COUNT-4: nvvm.shfl.sync{{ +}}idx
// CHECK-NOT: nvvm.shfl
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @column() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !s
    %c = tile.column %x at 5 : !s -> !b
    gpu.return
  }
}

// -----

// A broadcast renames registers, masks are one scalar an element.
// CHECK-LABEL: @broadcast(
// CHECK-COUNT-8: arith.cmpf olt
// CHECK-NOT: arith.cmpf
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @broadcast() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !s
    %r = arith.constant dense<1.0> : !r
    %w = tile.broadcast %r to [0] : !r -> !s
    %m = arith.cmpf olt, %x, %w : !s
    gpu.return
  }
}

// -----

// The target's own exponential and logarithm, its maximum, which knows no NaN, and its reciprocal for quotients that may be approximated.
// CHECK-LABEL: @functions(
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
// CHECK-COUNT-2: arith.divf
// CHECK-COUNT-2: llvm.intr.maxnum
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @functions(%v: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = tensor.splat %v : !r
    %e = math.exp2 %x : !r
    %l = math.log2 %e : !r
    %d = arith.divf %l, %e fastmath<afn> : !r
    %exact = arith.divf %d, %e : !r
    %m = arith.maxnumf %exact, %l : !r
    gpu.return
  }
}

// -----

// A row's second part has its own offset, which is there once the first power of its first part is; parts alternate between rows, and powers follow exponents.
// CHECK-LABEL: @staggered(
// CHECK: %[[FIRST:.*]] = llvm.intr.fma
// CHECK-COUNT-3: llvm.intr.fma
// CHECK: %[[POWER:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%[[FIRST]])
// CHECK-COUNT-3: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// CHECK: %[[LATER:.*]] = llvm.intr.fma(%[[POWER]], %{{.*}}, %{{.*}})
// CHECK: llvm.intr.fma
// CHECK: llvm.intr.fma(%{{.*}}, %{{.*}}, %[[LATER]])
// CHECK: llvm.intr.fma(%{{.*}}, %{{.*}}, %[[LATER]])
// CHECK-COUNT-2: llvm.intr.fma
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// CHECK-NOT: llvm.intr.fma
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @staggered(%v: f32, %c: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = tensor.splat %v : !s
    %r = tensor.splat %c : !r
    %e = tile.staggered_exp2 %x times %c plus %r parts 2 : !s, !r
    gpu.return
  }
}

// -----

// Casts to 16 bits go in pairs of neighbouring columns.
// CHECK-LABEL: @cast(
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"
// CHECK-NOT: ff2bf16x2
!h = tensor<32x2x8xbf16, #tile.fragment<[row, block, column], 2>>
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @cast() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %x = arith.constant dense<1.0> : !s
    %h = tile.cast %x : !s -> !h
    gpu.return
  }
}

// -----

// Numbers of rows come from warp and lane, numbers of columns from the lane, numbers of blocks from neither.
// CHECK-LABEL: @iota(
// CHECK: gpu.thread_id{{ +}}x
!r = tensor<32xi32, #tile.fragment<[row], 2>>
!c = tensor<8xi32, #tile.fragment<[column], 2>>
!b = tensor<2xi32, #tile.fragment<[block], 2>>
gpu.module @kernels {
  gpu.func @iota() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %r = tile.iota : !r
    %c = tile.iota : !c
    %b = tile.iota : !b
    gpu.return
  }
}

// -----

// Loops and branches carry a thread's scalars.
// CHECK-LABEL: @control(
// CHECK: scf.for {{.*}} -> (f32, f32)
// CHECK: scf.if {{.*}} -> (f32, f32)
!s = tensor<32x2x8xf32, #tile.fragment<[row, block, column], 2>>
!b = tensor<32x2xf32, #tile.fragment<[row, block], 2>>
!r = tensor<32xf32, #tile.fragment<[row], 2>>
gpu.module @kernels {
  gpu.func @control(%n: index, %c: i1, %x: f32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %r0 = tensor.splat %x : !r
    %r = scf.for %i = %zero to %n step %one iter_args(%acc = %r0) -> !r {
      %next = scf.if %c -> !r {
        %sum = arith.addf %acc, %r0 : !r
        scf.yield %sum : !r
      } else {
        scf.yield %acc : !r
      }
      scf.yield %next : !r
    }
    gpu.return
  }
}

// -----

!mask = tensor<32x2xi1, #tile.fragment<[row, block], 2>>
!rows = tensor<32xf32, #tile.fragment<[row], 2>>

// What a warp has of a mask: each thread's share, then a vote.
// CHECK-LABEL: gpu.func @all(
// CHECK-COUNT-3: arith.andi %{{.*}} : i1
// CHECK: %[[ALL:.*]] = nvvm.vote.sync all %{{.*}}, %{{.*}} -> i1
// CHECK: scf.if %[[ALL]]
gpu.module @kernels {
  gpu.func @all(%x: memref<?x?x?xf32, strided<[?, ?, ?]>>, %n: index) kernel {
    %zero = arith.constant 0 : index
    %rows = tile.iota : tensor<32xi32, #tile.fragment<[row], 2>>
    %blocks = tile.iota : tensor<2xi32, #tile.fragment<[block], 2>>
    %row = tile.broadcast %rows to [0] : tensor<32xi32, #tile.fragment<[row], 2>> -> tensor<32x2xi32, #tile.fragment<[row, block], 2>>
    %block = tile.broadcast %blocks to [1] : tensor<2xi32, #tile.fragment<[block], 2>> -> tensor<32x2xi32, #tile.fragment<[row, block], 2>>
    %mask = arith.cmpi sgt, %row, %block : tensor<32x2xi32, #tile.fragment<[row, block], 2>>
    %all = tile.all %mask : !mask
    %ones = arith.constant dense<1.0> : !rows
    scf.if %all {
      tile.store %ones, %x[%zero, %zero, %zero] below %n : !rows, memref<?x?x?xf32, strided<[?, ?, ?]>>
    }
    gpu.return
  }
}

// -----

!x = tensor<16x8xf32, #tile.fragment<[row, column], 1>>

// One operation an element, which the upstream lowering would call a function for.
// CHECK-LABEL: gpu.func @fma(
// CHECK-COUNT-4: llvm.intr.fma(%{{.*}}, %{{.*}}, %{{.*}}) : (f32, f32, f32) -> f32
// CHECK-NOT: math.fma
gpu.module @kernels {
  gpu.func @fma(%out: memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>, %a: f32, %n: index) kernel {
    %zero = arith.constant 0 : index
    %x = tensor.splat %a : !x
    %one = arith.constant dense<1.0> : !x
    %y = math.fma %x, %one, %x : !x
    tile.store %y, %out[%zero, %zero, %zero] below %n : !x, memref<?x?x?x8xf32, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}

// -----

// Places of columns from a block's first token on: that of the thread's first column, and a constant. So no column's number is kept.
// CHECK-LABEL: @column_range(
// CHECK: %[[FIRST:.*]] = arith.subi %{{.*}}, %arg0 : i32
// CHECK: %[[SECOND:.*]] = arith.addi %[[FIRST]], %c1_i32{{.*}} : i32
// CHECK: arith.cmpi ult, %[[SECOND]], %arg1 : i32
!t = tensor<8xi32, #tile.fragment<[column], 1>>
!b = tensor<1xi32, #tile.fragment<[block], 1>>
!bt = tensor<1x8xi32, #tile.fragment<[block, column], 1>>
!rb = tensor<16x1xi32, #tile.fragment<[row, block], 1>>
!s = tensor<16x1x8xi32, #tile.fragment<[row, block, column], 1>>
gpu.module @kernels {
  gpu.func @column_range(%low: i32, %count: i32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %token = tile.iota : !t
    %tokens = tile.broadcast %token to [1] : !t -> !bt
    %l = tensor.splat %low : !b
    %lows = tile.broadcast %l to [0] : !b -> !bt
    %place = arith.subi %tokens, %lows : !bt
    %places = tile.broadcast %place to [1, 2] : !bt -> !s
    %c = tensor.splat %count : !rb
    %counts = tile.broadcast %c to [0, 1] : !rb -> !s
    %seen = arith.cmpi ult, %places, %counts : !s
    gpu.return
  }
}
