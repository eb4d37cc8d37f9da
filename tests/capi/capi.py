# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C API through ctypes, on whatever tensors there are: PyTorch's and NumPy's by DLPack, else plain memory.

    python3 tests/capi/capi.py liblandmarkjit.so [--time]

--time measures a prepared launch on a GPU (needs PyTorch).
"""
import argparse
import array
import ctypes
import math
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("library")
parser.add_argument("--time", action="store_true")
options = parser.parse_args()


def module(name):
    try:
        return __import__(name)
    except ImportError:
        return None


# They bring an LLVM each; ours comes last, so that it would be the one to suffer.
torch, triton, numpy = module("torch"), module("triton"), module("numpy")
lib = ctypes.CDLL(options.library)


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32), ("shape", ctypes.c_int64 * 4), ("strides", ctypes.c_int64 * 4)]


class Arguments(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t)] + [(name, Tensor) for name in ("q", "k", "v", "o", "lse")] + [
        ("block_size", ctypes.c_int64), ("phase", ctypes.c_int64), ("scale", ctypes.c_float), ("q_offset", ctypes.c_int64)]


class RuntimeOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("cache_dir", ctypes.c_char_p), ("cache_limit", ctypes.c_int64), ("bundle", ctypes.c_char_p), ("strict", ctypes.c_int32), ("tune", ctypes.c_int32)]


for function in ("landmark_version", "landmark_error_message", "landmark_device_label"):
    getattr(lib, function).restype = ctypes.c_char_p
lib.landmark_error_message.argtypes = lib.landmark_error_free.argtypes = lib.landmark_device_label.argtypes = [ctypes.c_void_p]
FALLIBLE = {
    "landmark_device_open": [ctypes.c_char_p, ctypes.c_void_p],
    "landmark_runtime_create": [ctypes.c_void_p] * 3,
    "landmark_tensor_from_dlpack": [ctypes.c_void_p] * 2,
    "landmark_tensor_dense": [ctypes.c_void_p, ctypes.c_int, ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p],
    "landmark_forward": [ctypes.c_void_p] * 3,
    "landmark_forward_prepare": [ctypes.c_void_p] * 4,
    "landmark_prepared_launch": [ctypes.c_void_p] * 2,
}
for name, types in FALLIBLE.items():
    getattr(lib, name).restype, getattr(lib, name).argtypes = ctypes.c_void_p, types
for name in ("landmark_device_free", "landmark_runtime_free", "landmark_prepared_free", "landmark_forward_arguments_init", "landmark_runtime_options_init"):
    getattr(lib, name).argtypes, getattr(lib, name).restype = [ctypes.c_void_p], None


def call(name, *arguments):
    error = getattr(lib, name)(*arguments)
    if error:
        message = lib.landmark_error_message(error).decode()
        lib.landmark_error_free(error)
        raise RuntimeError(message)


get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def from_dlpack(tensor):
    capsule = tensor.__dlpack__()  # its deleter runs with the capsule
    result = Tensor()
    call("landmark_tensor_from_dlpack", get_pointer(capsule, b"dltensor"), ctypes.byref(result))
    return result


def from_memory(values, shape):
    result = Tensor()
    address = ctypes.addressof((ctypes.c_float * len(values)).from_buffer(values))
    call("landmark_tensor_dense", address, 2, len(shape), (ctypes.c_int64 * len(shape))(*shape), ctypes.byref(result))
    return result


def runtime_on(device):
    handle, made, chosen = ctypes.c_void_p(), ctypes.c_void_p(), RuntimeOptions()
    lib.landmark_runtime_options_init(ctypes.byref(chosen))
    chosen.cache_dir = b""
    call("landmark_device_open", device.encode(), ctypes.byref(handle))
    call("landmark_runtime_create", handle, ctypes.byref(chosen), ctypes.byref(made))
    lib.landmark_device_free(handle)
    return made


def arguments_of(q, k, v, o, lse, block):
    made = Arguments()
    lib.landmark_forward_arguments_init(ctypes.byref(made))
    made.q, made.k, made.v, made.o, made.lse, made.block_size = q, k, v, o, lse, block
    return made


def reference(q, k, v, block):
    """Grouped softmax after docs/spec.md, for lists of rows of floats."""
    scale, outputs, normalisers = 1 / math.sqrt(len(q[0])), [], []
    for i, query in enumerate(q):
        logits = [scale * sum(a * b for a, b in zip(query, key)) for key in k[: i + 1]]
        own = i // block
        weights = {j: math.exp(logits[j]) for j in range(own * block, i + 1) if j % block != block - 1}
        gates = {c: math.exp(logits[c * block + block - 1]) for c in range(own)}
        z = sum(weights.values()) + sum(gates.values())
        for c, gate in gates.items():
            inside = {j: math.exp(logits[j]) for j in range(c * block, c * block + block - 1)}
            for j, weight in inside.items():
                weights[j] = gate * weight / sum(inside.values())
        outputs.append([sum(w * v[j][d] for j, w in weights.items()) / z for d in range(len(v[0]))])
        normalisers.append(math.log(z) if z else -math.inf)
    return outputs, normalisers


def numbers(count, seed):
    state = seed
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        yield state / 2**30 - 1


def close(got, wanted, tolerance):
    norm = math.sqrt(sum(w * w for w in wanted))
    error = math.sqrt(sum((g - w) ** 2 for g, w in zip(got, wanted))) / norm
    assert error <= tolerance, f"relative error {error:.2e} above {tolerance:.0e}"


ROWS, COLUMNS, BLOCK = 21, 16, 5
SHAPE = (1, 1, ROWS, COLUMNS)


def check(tensors, read, tolerance, runtime):
    """tensors: q, k, v, o, lse as landmark tensors; read(): o and lse as lists."""
    call("landmark_forward", runtime, ctypes.byref(arguments_of(*tensors, BLOCK)), None)
    inputs = [[list(numbers(ROWS * COLUMNS, seed))[r * COLUMNS : (r + 1) * COLUMNS] for r in range(ROWS)] for seed in (1, 2, 3)]
    outputs, normalisers = reference(*inputs, BLOCK)
    o, lse = read()
    close(o, [x for row in outputs for x in row], tolerance)
    close(lse, normalisers, tolerance)


def plain_memory(runtime):
    values = [array.array("f", numbers(ROWS * COLUMNS, seed)) for seed in (1, 2, 3)]
    o, lse = array.array("f", [math.nan] * (ROWS * COLUMNS)), array.array("f", [math.nan] * ROWS)
    check([from_memory(x, SHAPE) for x in (*values, o)] + [from_memory(lse, SHAPE[:3])], lambda: (o.tolist(), lse.tolist()), 1e-5, runtime)


def with_numpy(runtime):
    for dtype, tolerance in ((numpy.float32, 1e-5), (numpy.float16, 2e-3)):
        # Rows apart and heads first: strides that are not dense.
        tensors = [numpy.zeros((ROWS, 1, 1, 2 * COLUMNS), dtype).transpose(1, 2, 0, 3)[..., :COLUMNS] for _ in range(4)]
        for seed, tensor in enumerate(tensors[:3], 1):
            tensor[:] = numpy.array(list(numbers(ROWS * COLUMNS, seed))).reshape(SHAPE)
        lse = numpy.zeros(SHAPE[:3], numpy.float32)
        check([from_dlpack(x) for x in (*tensors, lse)], lambda: (tensors[3].ravel().tolist(), lse.ravel().tolist()), tolerance, runtime)
    try:
        from_dlpack(numpy.zeros((2, 2)))
    except RuntimeError as refused:
        assert "64 bits" in str(refused), refused
    else:
        raise AssertionError("float64 was taken")


def with_torch(runtime, device):
    inputs = [torch.tensor(list(numbers(ROWS * COLUMNS, seed))).reshape(SHAPE).to(device, torch.bfloat16) for seed in (1, 2, 3)]
    o, lse = torch.empty_like(inputs[0]), torch.empty(SHAPE[:3], device=device)
    check([from_dlpack(x) for x in (*inputs, o, lse)], lambda: (o.float().flatten().tolist(), lse.flatten().tolist()), 2e-2, runtime)


def time_launch(runtime):
    shape = (1, 1, 128, 64)
    tensors = [torch.ones(shape, device="cuda", dtype=torch.bfloat16) for _ in range(4)] + [torch.ones(shape[:3], device="cuda")]
    prepared = ctypes.c_void_p()
    call("landmark_forward_prepare", runtime, ctypes.byref(arguments_of(*map(from_dlpack, tensors), 64)), None, ctypes.byref(prepared))
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    launch, best = lib.landmark_prepared_launch, math.inf
    for _ in range(20):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(500):
            launch(prepared, stream)
        best = min(best, (time.perf_counter() - start) / 500)
    torch.cuda.synchronize()
    lib.landmark_prepared_free(prepared)
    print(f"a prepared launch by ctypes takes {best * 1e6:.2f} us")


host = runtime_on("host")
plain_memory(host)
print("plain memory: right")
if numpy:
    with_numpy(host)
    print("NumPy: right")
if torch:
    with_torch(host, "cpu")
    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")  # the context that ours joins
        gpu = runtime_on("cuda")
        with_torch(gpu, "cuda")
        if options.time:
            time_launch(gpu)
        lib.landmark_runtime_free(gpu)
    print("PyTorch: right")
lib.landmark_runtime_free(host)
print(f"landmark {lib.landmark_version().decode()} beside {[m.__name__ for m in (torch, triton, numpy) if m]}: passed")
sys.exit(0)
