// Retrieval over a pool of hot pages: names in the table what was copied, and what lies on the host alone again.       (SPEC: docs/spec.md, section 2)
//
// A program writes one number. CHANGES holds pairs, a place in TABLE and the number that belongs there: [pair * 2] and [pair * 2 + 1]. It lies in the host's memory,
// where a kernel reads all pairs at once, while copies of a number each take longer than those of the pages.

gpu.module @kernels {
  gpu.func @landmark_name_pages(%CHANGES: !changes, %TABLE: !changes) kernel {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %two = arith.constant 2 : index
    %numbers = memref.dim %CHANGES, %zero : !changes
    %pairs = arith.divui %numbers, %two : index
    %pair = tile.program of %pairs
    %at = arith.muli %pair, %two : index
    %next = arith.addi %at, %one : index
    %place_number = memref.load %CHANGES[%at] : !changes
    %number = memref.load %CHANGES[%next] : !changes
    %place = arith.index_cast %place_number : i64 to index
    memref.store %number, %TABLE[%place] : !changes
    gpu.return
  }
}
