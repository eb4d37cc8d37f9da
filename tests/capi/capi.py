# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C API through ctypes, on whatever tensors there are: PyTorch's and NumPy's by DLPack, else plain memory.

    python3 tests/capi/capi.py liblandmarkjit.so
"""
import argparse
import array
import ctypes
import math
import sys

from landmark_ctypes import Landmark, reference, relative_error

parser = argparse.ArgumentParser()
parser.add_argument("library")
options = parser.parse_args()


def module(name):
    try:
        return __import__(name)
    except ImportError:
        return None


# They bring an LLVM each; ours comes last, so that it would be the one to suffer.
torch, triton, numpy = module("torch"), module("triton"), module("numpy")
landmark = Landmark(options.library)


def numbers(count, seed):
    state = seed
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        yield state / 2**30 - 1


def close(got, wanted, tolerance):
    error = relative_error(got, wanted)
    assert error <= tolerance, f"relative error {error:.2e} above {tolerance:.0e}"


ROWS, COLUMNS, BLOCK = 21, 16, 5
SHAPE = (1, 1, ROWS, COLUMNS)


def check(tensors, read, tolerance, runtime):
    """tensors: q, k, v, o, lse as landmark tensors; read(): o and lse as lists."""
    landmark.call("landmark_forward", runtime, ctypes.byref(landmark.arguments_of(*tensors, BLOCK)), None)
    inputs = [[list(numbers(ROWS * COLUMNS, seed))[r * COLUMNS : (r + 1) * COLUMNS] for r in range(ROWS)] for seed in (1, 2, 3)]
    outputs, normalisers = reference(*inputs, BLOCK)
    o, lse = read()
    close(o, [x for row in outputs for x in row], tolerance)
    close(lse, normalisers, tolerance)


def plain_memory(runtime):
    values = [array.array("f", numbers(ROWS * COLUMNS, seed)) for seed in (1, 2, 3)]
    o, lse = array.array("f", [math.nan] * (ROWS * COLUMNS)), array.array("f", [math.nan] * ROWS)
    check([landmark.from_memory(x, SHAPE) for x in (*values, o)] + [landmark.from_memory(lse, SHAPE[:3])], lambda: (o.tolist(), lse.tolist()), 1e-5, runtime)


def with_numpy(runtime):
    for dtype, tolerance in ((numpy.float32, 1e-5), (numpy.float16, 2e-3)):
        # Rows apart and heads first: strides that are not dense.
        tensors = [numpy.zeros((ROWS, 1, 1, 2 * COLUMNS), dtype).transpose(1, 2, 0, 3)[..., :COLUMNS] for _ in range(4)]
        for seed, tensor in enumerate(tensors[:3], 1):
            tensor[:] = numpy.array(list(numbers(ROWS * COLUMNS, seed))).reshape(SHAPE)
        lse = numpy.zeros(SHAPE[:3], numpy.float32)
        check([landmark.from_dlpack(x) for x in (*tensors, lse)], lambda: (tensors[3].ravel().tolist(), lse.ravel().tolist()), tolerance, runtime)
    try:
        landmark.from_dlpack(numpy.zeros((2, 2)))
    except RuntimeError as refused:
        assert "64 bits" in str(refused), refused
    else:
        raise AssertionError("float64 was taken")


def with_torch(runtime, device):
    inputs = [torch.tensor(list(numbers(ROWS * COLUMNS, seed))).reshape(SHAPE).to(device, torch.bfloat16) for seed in (1, 2, 3)]
    o, lse = torch.empty_like(inputs[0]), torch.empty(SHAPE[:3], device=device)
    check([landmark.from_dlpack(x) for x in (*inputs, o, lse)], lambda: (o.float().flatten().tolist(), lse.flatten().tolist()), 2e-2, runtime)


host = landmark.runtime_on("host")
plain_memory(host)
print("plain memory: right")
if numpy:
    with_numpy(host)
    print("NumPy: right")
if torch:
    with_torch(host, "cpu")
    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")  # the context that ours joins
        gpu = landmark.runtime_on("cuda")
        with_torch(gpu, "cuda")
        landmark.functions.landmark_runtime_free(gpu)
    print("PyTorch: right")
landmark.functions.landmark_runtime_free(host)
print(f"landmark {landmark.version()} beside {[m.__name__ for m in (torch, triton, numpy) if m]}: passed")
sys.exit(0)
