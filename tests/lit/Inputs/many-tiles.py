# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# A loop that carries so many tiles that tables of them grow while it is converted.
count = 100
row = "tensor<8xf32>"
names = [f"%t{i}" for i in range(count)]
print(f"""gpu.module @kernels {{
  gpu.func @many(%x: f32, %n: index, %O: memref<?x?x?xf32, strided<[?, ?, ?]>>) kernel {{
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %start = tensor.splat %x : {row}
    %r:{count} = scf.for %i = %zero to %n step %one iter_args({", ".join(f"{name} = %start" for name in names)}) -> ({", ".join([row] * count)}) {{""")
for i, name in enumerate(names):
    print(f"      %n{i} = arith.addf {name}, {names[i - 1]} : {row}")
print(f"      scf.yield {', '.join(f'%n{i}' for i in range(count))} : {', '.join([row] * count)}")
print("    }")
for i in range(count):
    print(f"    %row{i} = arith.constant {8 * i} : index")
    print(f"    tile.store %r#{i}, %O[%zero, %zero, %row{i}] below %n : {row}, memref<?x?x?xf32, strided<[?, ?, ?]>>")
print("    gpu.return\n  }\n}")
