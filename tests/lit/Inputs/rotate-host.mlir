!view = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
gpu.module @kernels {
  gpu.func @rotate(%K: !view, %O: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, %first: index, %step: index, %low: index, %F: memref<?xi64>, %half: i1, %n: index) kernel {
    %zero = arith.constant 0 : index
    %k = tile.load %K[%zero, %zero, %zero] in [%zero, %n) : !view -> tensor<64x64xbf16>
    %r = tile.rotate %k at %first step %step low %low by %F half %half : tensor<64x64xbf16>, memref<?xi64> -> tensor<64x64xbf16>
    tile.store %r, %O[%zero, %zero, %zero] below %n : tensor<64x64xbf16>, memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
    gpu.return
  }
}
