# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes a small forward problem as safetensors: q, k, v of [1, 2, 24, 16] in float32, and with "wrong" an output that is not theirs;
# with "gradients" do as well, with "wrong-gradients" a dq that is not theirs.
import json
import math
import struct
import sys

path, kind = sys.argv[1], sys.argv[2]
shape = [1, 2, 24, 16]
shapes = {"q": shape, "k": shape, "v": shape}
if "gradients" in kind:
    shapes["do"] = shape
if kind == "wrong-gradients":
    shapes["dq"] = shape
if kind == "wrong":
    shapes |= {"o": shape, "lse": shape[:3]}
header, data = {"__metadata__": {"block_size": "8"}}, b""
for number, (name, size) in enumerate(shapes.items()):
    count = math.prod(size)
    values = struct.pack(f"<{count}f", *(math.sin(1.7 * i + number) for i in range(count)))
    header[name] = {"dtype": "F32", "shape": size, "data_offsets": [len(data), len(data) + len(values)]}
    data += values
text = json.dumps(header).encode()
with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
