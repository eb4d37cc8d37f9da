// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_DIALECTS_TILE_DIALECT
#define LANDMARK_DIALECTS_TILE_DIALECT

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::landmark::tile";
  let summary = "How one program computes on tiles";
  let description = [{
    The `tile` dialect moves tiles between memory and registers, multiplies them and reduces them. A tile is a ranked tensor of static
    shape; its arithmetic is upstream's `arith` and `math`, its control flow `scf`, global memory is a `memref`, and the program stands
    in a `gpu.func`.

    A tile program has two forms. In the *target-free* form tensors carry no encoding and operands of `tile.dot` are tensors. In the
    *scheduled* form, made by the passes of a target, operands that come from memory stand in shared-memory rings (`tile.alloc`,
    `tile.copy`, `tile.slot`) and every tensor carries a `#tile.fragment` layout that says which thread holds which element.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::gpu::GPUDialect"];
}

#endif
