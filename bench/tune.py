#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tunes many problems on a GPU in one bounded call, each on two workloads: many short sequences and one long one.

    python3 bench/tune.py [--operation forward] [--seconds 600] [--results FOLDER]

Results are kept in FOLDER/tuning, of which bench/shipped.py makes what the library ships. Every config is checked against
the oracle before it is timed. What has no time left is not tuned, and said so.
"""
import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/capi"))
from landmark_ctypes import Landmark  # noqa: E402

TOKENS = 16384
numbers = lambda text: [int(number) for number in text.split(",")]  # noqa: E731
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--library", default=str(ROOT / "build/runtime/liblandmarkjit.so"))
parser.add_argument("--device", default="cuda")
parser.add_argument("--operation", default="forward", choices=["forward", "backward"])
parser.add_argument("--head-dims", type=numbers, default=[128, 64, 96, 256])
parser.add_argument("--block-sizes", type=numbers, default=[64, 51, 32, 128, 256])
parser.add_argument("--lengths", type=numbers, default=[2048, TOKENS])
parser.add_argument("--seconds", type=float, default=600, help="of all, about")
parser.add_argument("--results", default="tuned", help="folder for results and compiled kernels")
options = parser.parse_args()

landmark = Landmark(options.library)
runtime = landmark.runtime_on(options.device, options.results)
problems = [(head_dim, block, length) for block in options.block_sizes for head_dim in options.head_dims for length in options.lengths]
end = time.monotonic() + options.seconds
for done, (head_dim, block, length) in enumerate(problems):
    name = f"{options.operation} D={head_dim} L={block} N={length}"
    left = end - time.monotonic()
    if left <= 0:
        print(f"{name}: not tuned, the time is up", flush=True)
        continue
    try:
        result = landmark.tune(runtime, options.operation, head_dim, block, batch=max(1, TOKENS // length), heads=max(1, 2048 // head_dim), key_length=length,
                               seconds=max(1.0, 2 * left / (len(problems) - done)))
    except RuntimeError as error:
        print(f"{name}: not tuned, {error}", flush=True)
        continue
    print(f"{name}: {result.milliseconds:.4f} ms, {result.config.decode()}, best of {result.measured} of {result.legal} in {result.seconds:.1f} s", flush=True)
