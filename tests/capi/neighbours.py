# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The library in one process with PyTorch and Triton, which bring an LLVM of their own, loaded before them and after.

    python3 tests/capi/neighbours.py liblandmarkjit.so       exits with 77 where there is no PyTorch, no Triton or no GPU
"""
import os
import subprocess
import sys

SKIPPED = 77


def import_neighbours():
    try:
        import torch
        import triton
        import triton.language
    except ImportError as missing:
        print(missing)
        sys.exit(SKIPPED)
    if not torch.cuda.is_available():
        print("no GPU")
        sys.exit(SKIPPED)
    return torch, triton


def doubled(torch, triton):
    """Compiles and runs a kernel of Triton's, a new one for every block size."""
    tl = triton.language

    @triton.jit
    def double(x, y, count, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(y + at, 2 * tl.load(x + at, at < count), at < count)

    x = torch.arange(1000, device="cuda", dtype=torch.float32)
    for block in (64, 128):
        y = torch.zeros_like(x)
        double[(triton.cdiv(1000, block),)](x, y, 1000, BLOCK=block)
        assert torch.equal(y, 2 * x)


def multiplied(torch):
    a, b = (torch.randn(256, 256, device="cuda") for _ in range(2))
    product = (a.double() @ b.double()).float()
    assert torch.allclose(torch.nn.functional.linear(a, b.T), product, rtol=1e-2, atol=1e-1)


def attended(torch, landmark, runtime, head_dim):
    from landmark_ctypes import error_of

    rows, block = 150, 64
    q, k, v = (torch.randn(1, 1, rows, head_dim, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    o, lse = torch.full_like(q, float("nan")), torch.empty(1, 1, rows, device="cuda")
    landmark.forward(runtime, (q, k, v, o, lse), block, torch.cuda.current_stream().cuda_stream)
    torch.cuda.synchronize()
    error = error_of(q, k, v, o, block)
    assert error < 4e-3, error


def run(library, order):
    from landmark_ctypes import Landmark

    landmark = Landmark(library) if order == "first" else None
    torch, triton = import_neighbours()
    torch.manual_seed(1)
    landmark = landmark or Landmark(library)
    runtime = landmark.runtime_on("cuda")
    for head_dim in (64, 128):  # by turns: what one has set up must serve after the other
        attended(torch, landmark, runtime, head_dim)
        doubled(torch, triton)
        multiplied(torch)
    landmark.functions.landmark_runtime_free(runtime)
    print(f"loaded {order}, with torch {torch.__version__}, triton {triton.__version__}: right")


if len(sys.argv) == 3:
    run(*sys.argv[1:])
else:
    for order in ("first", "last"):
        done = subprocess.run([sys.executable, os.path.abspath(__file__), sys.argv[1], order])
        if done.returncode:
            sys.exit(done.returncode if done.returncode == SKIPPED else 1)
