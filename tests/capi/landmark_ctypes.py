# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The part of landmark.h that the Python programs here use, through ctypes, and attention to compare with."""
import ctypes
import math

POINTER, TEXT = ctypes.c_void_p, ctypes.c_char_p


class Tensor(ctypes.Structure):
    _fields_ = [("data", POINTER), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32), ("shape", ctypes.c_int64 * 4), ("strides", ctypes.c_int64 * 4)]


class Arguments(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t)] + [(name, Tensor) for name in ("q", "k", "v", "o", "lse")] + [
        ("block_size", ctypes.c_int64), ("phase", ctypes.c_int64), ("scale", ctypes.c_float), ("q_offset", ctypes.c_int64),
        ("gate_threshold", ctypes.c_float), ("gate_scratch", POINTER), ("gate_scratch_bytes", ctypes.c_int64)]


class RuntimeOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("cache_dir", TEXT), ("cache_limit", ctypes.c_int64), ("bundle", TEXT), ("strict", ctypes.c_int32), ("tune", ctypes.c_int32), ("tiers", ctypes.c_int32)]


class Problem(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("operation", TEXT), ("block_size", ctypes.c_int64), ("head_dim", ctypes.c_int64), ("dtype", ctypes.c_int32),
                ("float_gradients", ctypes.c_int32), ("top_k", ctypes.c_int64)]


class TuneOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t)] + [(name, ctypes.c_int64) for name in ("batch", "heads", "kv_heads", "query_length", "key_length")] + [
        ("exhaustive", ctypes.c_int32), ("seconds", ctypes.c_double)]


class TuneResult(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("config", ctypes.c_char * 256), ("milliseconds", ctypes.c_double), ("measured", ctypes.c_int64), ("legal", ctypes.c_int64),
                ("seconds", ctypes.c_double), ("kept", ctypes.c_int32)]


FALLIBLE = {  # functions that return an error or NULL
    "landmark_device_open": [TEXT, POINTER],
    "landmark_device_synchronize": [POINTER],
    "landmark_runtime_create": [POINTER] * 3,
    "landmark_runtime_settle": [POINTER],
    "landmark_tensor_from_dlpack": [POINTER] * 2,
    "landmark_tensor_dense": [POINTER, ctypes.c_int, ctypes.c_int32, POINTER, POINTER],
    "landmark_tune": [POINTER] * 4,
    "landmark_forward": [POINTER] * 3,
    "landmark_forward_prepare": [POINTER] * 4,
    "landmark_prepared_launch": [POINTER] * 2,
    "landmark_prepared_launch_on": [POINTER] * 7,
}
FREE = ("landmark_device_free", "landmark_runtime_free", "landmark_prepared_free", "landmark_error_free")

get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
get_pointer.restype, get_pointer.argtypes = POINTER, [ctypes.py_object, TEXT]


class Landmark:
    """A loaded library; `functions` holds its functions for calls in which every microsecond counts."""

    def __init__(self, path):
        self.functions = lib = ctypes.CDLL(path)
        lib.landmark_version.restype = lib.landmark_error_message.restype = TEXT
        lib.landmark_error_message.argtypes = [POINTER]
        for name, types in FALLIBLE.items():
            getattr(lib, name).restype, getattr(lib, name).argtypes = POINTER, types
        for name in FREE:
            getattr(lib, name).restype, getattr(lib, name).argtypes = None, [POINTER]

    def call(self, name, *arguments):
        self.check(getattr(self.functions, name)(*arguments))

    def check(self, error):
        if error:
            message = self.functions.landmark_error_message(error).decode()
            self.functions.landmark_error_free(error)
            raise RuntimeError(message)

    def version(self):
        return self.functions.landmark_version().decode()

    def from_dlpack(self, tensor):
        capsule = tensor.__dlpack__()  # its deleter runs with the capsule
        result = Tensor()
        self.call("landmark_tensor_from_dlpack", get_pointer(capsule, b"dltensor"), ctypes.byref(result))
        return result

    def from_memory(self, values, shape):
        result = Tensor()
        address = ctypes.addressof((ctypes.c_float * len(values)).from_buffer(values))
        self.call("landmark_tensor_dense", address, 2, len(shape), (ctypes.c_int64 * len(shape))(*shape), ctypes.byref(result))
        return result

    def initial(self, structure, function):
        """A structure as the library initialises it, whose own may have grown since this was written."""
        made = structure()
        getattr(self.functions, function)(ctypes.byref(made), ctypes.c_size_t(ctypes.sizeof(structure)))
        return made

    def runtime_on(self, device, cache=""):
        handle, made = POINTER(), POINTER()
        chosen = self.initial(RuntimeOptions, "landmark_runtime_options_init")
        chosen.cache_dir = cache.encode()
        self.call("landmark_device_open", device.encode(), ctypes.byref(handle))
        self.call("landmark_runtime_create", handle, ctypes.byref(chosen), ctypes.byref(made))
        self.functions.landmark_device_free(handle)
        return made

    def arguments_of(self, q, k, v, o, lse, block):
        made = self.initial(Arguments, "landmark_forward_arguments_init")
        made.q, made.k, made.v, made.o, made.lse, made.block_size = q, k, v, o, lse, block
        return made

    def tune(self, runtime, operation, head_dim, block, **sizes):
        """Of a bf16 problem."""
        problem, options = self.initial(Problem, "landmark_problem_init"), self.initial(TuneOptions, "landmark_tune_options_init")
        result = self.initial(TuneResult, "landmark_tune_result_init")
        problem.operation, problem.head_dim, problem.block_size = operation.encode(), head_dim, block
        for name, value in sizes.items():
            setattr(options, name, value)
        self.call("landmark_tune", runtime, ctypes.byref(problem), ctypes.byref(options), ctypes.byref(result))
        return result

    def forward(self, runtime, tensors, block, stream=None):
        """On q, k, v, o, lse that speak DLPack."""
        self.call("landmark_forward", runtime, ctypes.byref(self.arguments_of(*map(self.from_dlpack, tensors), block)), stream)

    def prepare(self, runtime, tensors, block):
        prepared = POINTER()
        arguments = self.arguments_of(*map(self.from_dlpack, tensors), block)
        self.call("landmark_forward_prepare", runtime, ctypes.byref(arguments), None, ctypes.byref(prepared))
        return prepared


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


def relative_error(got, wanted):
    norm = math.sqrt(sum(w * w for w in wanted))
    return math.sqrt(sum((g - w) ** 2 for g, w in zip(got, wanted))) / norm


def error_of(q, k, v, o, block):
    """Relative error of PyTorch's tensors o, of one batch and head."""
    rows = [tensor.double().cpu()[0, 0].tolist() for tensor in (q, k, v)]
    return relative_error(o.double().cpu().flatten().tolist(), [x for row in reference(*rows, block)[0] for x in row])
