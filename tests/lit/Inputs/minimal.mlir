gpu.module @kernels {
  gpu.func @any_name(%Q: !view, %K: !view, %V: !view, %O: !view, %LSE: !rows_view, %phase: index, %q_offset: index, %scale: f32, %section: index) kernel {
    %L = tile.param "block_size" : index
    %D = tile.param "head_dim" : i32
    %rows = tile.param "query_tile" : index
    %keys = tile.param "key_tile" : index
    %blocks = tile.param "tile_blocks" : index
    %landmarks = tile.param "tile_landmarks" : index
    "test.use"(%L, %D, %rows, %keys, %blocks, %landmarks) : (index, i32, index, index, index, index) -> ()
    %q = "test.tile"() : () -> !q_tile
    %kv = "test.tile"() : () -> !kv_tile
    %gate = "test.tile"() : () -> !gate_tile
    %s = "test.tile"() : () -> !s_tile
    %own = "test.tile"() : () -> !own
    %row = "test.tile"() : () -> !row_index
    gpu.return
  }
}
