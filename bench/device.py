#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Everything that a device is asked, in one call: tests, checks of files, measurements, sanitizers.

Steps run one after the other, each within its own time; what the first ones say is worth most. Every measurement is
checked against the oracle by the tool itself. Prints a line for each step; --json writes all of it. The exit code is 1
if a step failed. `python3 bench/forward.py` sets the forward beside PyTorch's dense attention.

A process that keeps the GPU's context open (the library is loaded for it) saves every step some seconds.
"""
import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
sys.path.insert(0, str(ROOT / "tests/capi"))
from landmark_ctypes import Landmark  # noqa: E402

FORWARD = [(128, 2048, 8, 16), (128, 4096, 4, 16), (128, 8192, 2, 16), (128, 16384, 1, 16), (64, 2048, 8, 32), (64, 16384, 1, 32), (96, 16384, 1, 16), (256, 16384, 1, 8)]
# Tiles enough that every ring is used again.
SANITIZED = [(operation, size.split()) for operation, size in (("forward", "-N 500 -H 2 -G 1 -D 64 -L 51"), ("forward", "-N 1024 -H 1 -D 128"), ("forward", "-N 5000 -H 1 -D 64"),
                                                               ("forward", "-N 512 -H 1 -D 256"), ("forward", "-N 1024 -H 1 -D 128 --dtype f16"), ("backward", "-N 1033 -H 2 -G 1 -D 64 -L 51"),
                                                               ("backward", "-N 512 -H 1 -D 128"), ("backward", "-N 512 -H 1 -D 128 --deterministic"), ("decode", "-N 4096 -H 8 -G 2"))]
DECODE = [(65536, 1), (262144, 1), (1048576, 1), (65536, 8), (262144, 8), (1048576, 8)]


def shape(head_dim, length, batch, heads):
    return ["-D", head_dim, "-N", length, "-B", batch, "-H", heads]


def steps(options):
    """Name, command, seconds."""
    tool, gpu, runtime = (str(BUILD / path) for path in ("compiler/tools/landmark/landmark", "tests/gpu/gpu-tests", "tests/gpu/gpu-runtime-tests"))
    on = ["--device", options.device]
    files = sorted(path for folder in options.data for path in folder.glob("*.safetensors"))
    for operation in ("forward", "backward"):
        for path in files:
            yield f"{operation} {path.stem}", [tool, "run", operation, "--verify", "-i", path, *on], 60
    for case in FORWARD:
        yield f"forward D={case[0]} N={case[1]}", [tool, "bench", "forward", *shape(*case), *on], 60
    for block in (32, 51, 128, 256):
        yield f"forward L={block}", [tool, "bench", "forward", "-L", block, *shape(128, 16384, 1, 16), *on], 60
    for head_dim, heads in ((128, 16), (64, 32)):
        yield f"forward f16 D={head_dim}", [tool, "bench", "forward", "--dtype", "f16", *shape(head_dim, 16384, 1, heads), *on], 60
    for case in FORWARD:
        for mode in ([], ["--deterministic"]):
            yield " ".join([f"backward D={case[0]} N={case[1]}", *mode]), [tool, "bench", "backward", *shape(*case), *mode, "--repeats", 20, *on], 60
    for context, batch in DECODE:
        yield f"decode N={context} B={batch}", [tool, "bench", "decode", "-N", context, "-B", batch, *on], 60
    yield "decode rotary", [tool, "bench", "decode", "--rotary", "half", "--positions", "stingy", *on], 60
    yield "prefill", [tool, "bench", "prefill", "--context", 1 << 20, *on], 120
    if options.device == "host":
        return
    yield "forward f16 of many keys", [tool, "bench", "forward", "--dtype", "f16", *shape(128, 262144, 1, 8), "-M", 128, *on], 60
    yield "backward by mma.sync", [tool, "bench", "backward", *shape(128, 16384, 1, 16), "--config", "unit=mma,query_tile=64,key_tile=64,warps=4,stages=2", *on], 60
    yield "runtime tests", [runtime, "-d", "yes"], 120
    yield "gpu tests", [gpu, "-d", "yes", "--count", options.sweep], 240
    yield "launches", [str(BUILD / "bench/runtime-bench")], 60
    sanitizer = shutil.which("compute-sanitizer")
    for kind in ("memcheck", "racecheck") if sanitizer else ():
        for operation, size in SANITIZED:
            yield f"{kind} {operation} {' '.join(size)}", [sanitizer, "--tool", kind, "--error-exitcode", 9, tool, "bench", operation, *size, "--repeats", 1], 120


def run(name, command, seconds, folder):
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    measures = "bench" in command
    started = time.perf_counter()
    try:
        done = subprocess.run([*map(str, command), *(["--json", str(report)] if measures else [])], capture_output=True, text=True, timeout=seconds)
        lines = (done.stdout + done.stderr).strip().splitlines()
        failure = None if done.returncode == 0 else f"exit code {done.returncode}: {' | '.join(lines[-3:])}"
    except (subprocess.TimeoutExpired, OSError) as error:
        lines, failure = [], str(error)
    result = {"name": name, "seconds": round(time.perf_counter() - started, 1), "failed": failure}
    if measures and not failure:
        result["result"] = json.loads(report.read_text())
    elif not failure:
        result["output"] = lines[-12:]
    return result


def figure(result):
    found = result.get("result")
    if result["failed"]:
        return f"FAILED {result['failed']}"
    if not found:
        return result["output"][-1] if result["output"] else ""
    time_of = next((f"{found[key]:.4g} {unit}" for key, unit in (("median_us", "us"), ("median_ms", "ms"), ("milliseconds", "ms")) if key in found), "")
    rate = f", {found['tflops']:.1f} TF" if "tflops" in found else ""
    return time_of + rate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or host (default: cuda:0)")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of *.safetensors to verify first")
    parser.add_argument("--only", nargs="*", default=[], help="steps whose name has one of these in it")
    parser.add_argument("--sweep", type=int, default=100, help="random problems of the GPU tests (default: 100)")
    parser.add_argument("--seconds", type=float, default=540, help="begin nothing more after this time (default: 540)")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = parser.parse_args()
    try:
        library = Landmark(str(BUILD / "runtime/liblandmarkjit.so"))
        kept = library.runtime_on(options.device)
    except (OSError, RuntimeError) as error:
        sys.exit(f"device.py: {options.device}: {error}")
    started, results = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for name, command, seconds in steps(options):
            if options.only and not any(part in name for part in options.only):
                continue
            left = options.seconds - (time.perf_counter() - started)
            results.append(run(name, command, min(seconds, left), Path(folder)) if left > 1 else {"name": name, "failed": "not begun: no time was left"})
            print(f"{name:<36} {figure(results[-1])}", flush=True)
    library.functions.landmark_runtime_free(kept)
    if options.json:
        about = {"device": options.device, "host": platform.node(), "date": time.strftime("%Y-%m-%d"), "version": library.version()}
        options.json.write_text(json.dumps({**about, "steps": results}, indent=1) + "\n")
    sys.exit(1 if any(result["failed"] for result in results) else 0)


if __name__ == "__main__":
    main()
