#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Host time of a launch from Python: ours by ctypes, on PyTorch's tensors, beside Triton's launcher and PyTorch's own.

    python3 bench/launch.py [--library build/runtime/liblandmarkjit.so]

Every kernel is small, so that the host and not the GPU is what takes time: best of 20 rounds of 500 launches, each round on
an empty queue. What was launched is compared with attention in plain Python.
"""
import argparse
import ctypes
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/capi"))
from landmark_ctypes import Landmark, error_of

BLOCK, SHAPE = 64, (1, 1, 128, 64)


def microseconds(launch, rounds=20, launches=500):
    best = float("inf")
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(launches):
            launch()
        best = min(best, time.perf_counter() - start)
    torch.cuda.synchronize()
    return 1e6 * best / launches


def ours(library):
    landmark = Landmark(library)
    lib, runtime = landmark.functions, landmark.runtime_on("cuda")
    tensors = [torch.randn(SHAPE, device="cuda").bfloat16() for _ in range(4)] + [torch.empty(SHAPE[:3], device="cuda")]
    others = [torch.randn_like(tensor) for tensor in tensors]
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    prepared, arguments = landmark.prepare(runtime, tensors, BLOCK), landmark.arguments_of(*map(landmark.from_dlpack, tensors), BLOCK)
    landmark.call("landmark_runtime_settle", runtime)
    byref, launch, launch_on, forward = ctypes.byref(arguments), lib.landmark_prepared_launch, lib.landmark_prepared_launch_on, lib.landmark_forward
    q, k, v, o, lse = others
    ways = {
        "a prepared launch": lambda: launch(prepared, stream),
        "a prepared launch on other tensors": lambda: launch_on(prepared, q.data_ptr(), k.data_ptr(), v.data_ptr(), o.data_ptr(), lse.data_ptr(), stream),
        "a launch with all checks": lambda: forward(runtime, byref, stream),
    }
    for name, way in ways.items():
        landmark.check(way())
        print(f"{name:40}{microseconds(way):8.2f} us")
    torch.cuda.synchronize()
    for at in (tensors, others):
        print(f"{'relative error of o':40}{error_of(*at[:4], BLOCK):8.1e}")
    lib.landmark_prepared_free(prepared)
    lib.landmark_runtime_free(runtime)


def theirs():
    x, y = torch.zeros(1, device="cuda"), torch.zeros(1, device="cuda")
    print(f"{'PyTorch, torch.add into a tensor':40}{microseconds(lambda: torch.add(x, 1, out=y)):8.2f} us")
    q, k, v = (torch.randn(SHAPE, device="cuda").bfloat16() for _ in range(3))
    attention = torch.nn.functional.scaled_dot_product_attention
    print(f"{'PyTorch, dense attention':40}{microseconds(lambda: attention(q, k, v, is_causal=True)):8.2f} us")
    try:
        import triton
        import triton.language as tl
    except ImportError:
        return

    @triton.jit
    def touch(q, k, v, o, lse, rows, stride, scale, BLOCK: tl.constexpr):
        tl.store(lse + tl.arange(0, BLOCK), scale)

    o, lse = torch.empty_like(q), torch.empty(SHAPE[:3], device="cuda")
    print(f"{'Triton, a kernel of eight arguments':40}{microseconds(lambda: touch[(1,)](q, k, v, o, lse, 128, 64, 0.125, BLOCK=32)):8.2f} us")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--library", default=str(ROOT / "build/runtime/liblandmarkjit.so"))
torch.manual_seed(1)
print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
ours(parser.parse_args().library)
theirs()
