#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Verifies and measures the forward kernels, with PyTorch's attention on the same device beside them.

One call: checks files against the oracle (--data), measures the device's ceilings, then for each case runs `landmark
bench forward`, which checks its own result, and PyTorch's dense causal attention by cuDNN and by its flash kernel on
the same shapes. Prints a table; --json writes everything. A result that fails its check is never given as a speed.

FLOPs are those of dense causal attention, 2 * batch * heads * N^2 * D, for all three. Bytes are what must move at
least once: q, k and v read, o written.
"""
import argparse
import dataclasses
import datetime
import fnmatch
import json
import math
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

try:
    import torch
except ImportError:
    torch = None

TOOL = Path(__file__).resolve().parents[1] / "build/compiler/tools/landmark/landmark"
SUSTAINED = 2  # seconds
PEERS = {"cudnn": "CUDNN_ATTENTION", "flash": "FLASH_ATTENTION"}


@dataclasses.dataclass(frozen=True)
class Case:
    head_dim: int
    length: int
    batch: int
    heads: int
    block_size: int = 64
    dtype: str = "bf16"

    @property
    def name(self):
        return f"{self.dtype}-D{self.head_dim}-L{self.block_size}-N{self.length // 1024}k"

    @property
    def flops(self):
        return 2 * self.batch * self.heads * self.length**2 * self.head_dim

    @property
    def bytes_moved(self):
        return 4 * self.batch * self.heads * self.length * self.head_dim * 2  # both types have two bytes


LONGEST = 16384
LENGTHS = (2048, 4096, 8192, LONGEST)
CASES = (
    [Case(128, n, LONGEST // n, 16) for n in LENGTHS]
    + [Case(64, n, LONGEST // n, 32) for n in LENGTHS]
    + [Case(128, LONGEST, 1, 16, block_size=block) for block in (32, 40, 51, 72, 128, 256)]
    + [Case(256, LONGEST, 1, 8), Case(96, LONGEST, 1, 16)]
    + [Case(128, LONGEST, 1, 16, dtype="f16"), Case(64, LONGEST, 1, 32, dtype="f16")]
)


# The tool


def run_tool(options, *arguments):
    """Runs the tool. Returns its output and why it failed, None if it did not."""
    command = [str(options.landmark), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.timeout)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {options.timeout:g} s"
    except OSError as error:
        return "", f"cannot be run: {error}"
    if done.returncode == 0:
        return done.stdout, None
    reason = done.stderr.strip().removeprefix("landmark: error: ") or "no message"
    return done.stdout, f"exit code {done.returncode}: {reason}"


def config_option(options):
    return ["--config", options.config] if options.config else []


def kernel_options(options):
    return [*config_option(options), "--device", options.device, *options.tool_options]


def finite(text):
    """The number, or None for what JSON cannot say."""
    return float(text) if math.isfinite(float(text)) else None


def verify(options):
    """`landmark run forward --verify` on every file of the folders."""
    results = []
    for path in sorted(path for folder in options.data for path in folder.glob("*.safetensors")):
        output, failure = run_tool(options, "run", "forward", "--verify", "--input", path, *kernel_options(options))
        found = re.findall(r"^(o|lse) +against (.+): relative error (\S+)", output, re.MULTILINE)
        if failure is None and not found:
            failure = "the tool reported no error figure"
        errors = [{"tensor": tensor, "against": against, "relative_error": finite(e)} for tensor, against, e in found]
        results.append({"file": path.name, "passed": failure is None, "errors": errors, "failure": failure})
        worst = {tensor: max(float(e) for name, _, e in found if name == tensor) for tensor, _, _ in found}
        figures = ", ".join(f"{tensor} {error:.2e}" for tensor, error in worst.items())
        print(f"{'FAILED' if failure else 'pass':<7} {path.name:<44} {failure or figures}", flush=True)
    print(f"verified: {sum(r['passed'] for r in results)} of {len(results)} files pass\n", flush=True)
    return results


def measure_ours(options, case):
    """What `landmark bench forward` reports, or {"failed": why} without any figure."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "bench.json"
        _, failure = run_tool(
            options, "bench", "forward", "--head-dim", case.head_dim, "--block-size", case.block_size,
            "--dtype", case.dtype, "--batch", case.batch, "--heads", case.heads, "--length", case.length,
            "--repeats", options.repeats, "--json", report, *kernel_options(options))  # fmt: skip
        if failure:
            return {"failed": failure}
        result = json.loads(report.read_text())
    kept = ("version", "device", "target", "config", "compile_ms", "repeats", "median_ms", "min_ms", "relative_error",
            "relative_error_lse", "tolerance", "tolerance_lse")  # fmt: skip
    return {key: result[key] for key in kept} | {"tflops": case.flops / result["median_ms"] / 1e9}


def measure_compile(options):
    """Compiles to PTX in a process of their own, as `landmark compile --time` measures them: the first and the median."""
    output, failure = run_tool(
        options, "compile", "forward", "--head-dim", 128, "--block-size", 64, "--target", options.compile_time,
        "--time", options.compile_repeats, *config_option(options))  # fmt: skip
    found = re.search(r"first compilation ([0-9.]+) ms, median of [0-9]+ ([0-9.]+) ms", output)
    if failure or not found:
        print(f"\ncompile to PTX FAILED: {failure or output}", flush=True)
        return {"target": options.compile_time, "failed": str(failure or output)}
    print(f"\n{output.strip()}", flush=True)
    return {"target": options.compile_time, "head_dim": 128, "block_size": 64, "repeats": options.compile_repeats,
            "first_ms": float(found[1]), "median_ms": float(found[2])}  # fmt: skip


# PyTorch


def call_ms(call, repeats):
    """As `landmark bench` times: warm-up of 3 calls and 0.1 s, then an event pair around each call of a full queue."""
    start, warmed = time.perf_counter(), 0
    while warmed < 3 or time.perf_counter() - start < 0.1:
        call()
        torch.cuda.synchronize()
        warmed += 1
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for before, after in pairs:
        before.record()
        call()
        after.record()
    torch.cuda.synchronize()
    return [before.elapsed_time(after) for before, after in pairs]


def median_ms(call, repeats):
    return statistics.median(call_ms(call, repeats))


def measure_ceilings(options):
    """The matrix product's speed by the median of some calls, as cases are measured, and by the mean of SUSTAINED
    seconds, in which a card comes to its power limit."""
    size, copied = 8192, 4 << 30

    def product(dtype):
        a, b = (torch.randn(size, size, device=options.device, dtype=dtype) for _ in range(2))
        return lambda: torch.matmul(a, b)

    products = {"bf16": product(torch.bfloat16), "f16": product(torch.float16)}
    milliseconds = median_ms(products["bf16"], options.repeats)
    calls = math.ceil(1000 * SUSTAINED / milliseconds)
    sustained = {name: 2 * size**3 / statistics.mean(call_ms(call, calls)) / 1e9 for name, call in products.items()}
    matmul = 2 * size**3 / milliseconds / 1e9
    source = torch.ones(copied, device=options.device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = 2 * copied / median_ms(lambda: target.copy_(source), options.repeats) / 1e9
    print(f"ceilings: {size}^3 bf16 matrix product {matmul:.0f} TFLOP/s, over {SUSTAINED} s {sustained['bf16']:.0f}, "
          f"in fp16 {sustained['f16']:.0f}; device copy {copy:.2f} TB/s\n", flush=True)  # fmt: skip
    return {"matmul_tflops": matmul, "matmul_sustained_tflops": sustained, "copy_tbs": copy}


def measure_peers(options, case):
    """Dense causal attention by each backend: its speed or {"unavailable": why}."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    dtype = {"bf16": torch.bfloat16, "f16": torch.float16}[case.dtype]
    shape = (case.batch, case.heads, case.length, case.head_dim)
    q, k, v = (torch.randn(shape, device=options.device, dtype=dtype) for _ in range(3))

    def measure(backend):
        with warnings.catch_warnings(record=True) as reasons, sdpa_kernel(getattr(SDPBackend, backend)):
            warnings.simplefilter("always")
            try:
                attend = torch.nn.functional.scaled_dot_product_attention
                milliseconds = median_ms(lambda: attend(q, k, v, is_causal=True), options.repeats)
            except RuntimeError as error:
                return {"unavailable": " ".join([str(error), *(str(w.message) for w in reasons)])[:500]}
        return {"median_ms": milliseconds, "tflops": case.flops / milliseconds / 1e9}

    with torch.no_grad():
        return {peer: measure(backend) for peer, backend in PEERS.items()}


def missing_peers(options):
    """Why PyTorch cannot be measured on the device; None if it can."""
    if not options.device.startswith("cuda"):
        return f"not measured on {options.device}"
    if torch is None:
        return "PyTorch is not installed"
    return None if torch.cuda.is_available() else "PyTorch sees no GPU"


# The report


def driver_version(options):
    index = options.device.partition(":")[2] or "0"
    try:
        query = ["nvidia-smi", "-i", index, "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def environment(options, without_torch):
    output, _ = run_tool(options, "--version")
    versions = {"landmark": output.strip(), "python": platform.python_version()}
    if without_torch:
        return {"device": options.device, "driver": driver_version(options), "versions": versions}
    versions |= {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    name = torch.cuda.get_device_name(options.device)
    return {"device": name, "driver": driver_version(options), "versions": versions}


HEADER = " ".join([f"{'case':<20} {'ours TF':>8} {'error':>9}",
                   *(f"{title:>7}" for title in ("cuDNN", "flash", "/cuDNN", "/flash", "/matmul")),
                   " config"])  # fmt: skip


def row(result, ceilings):
    ours, peers = result["ours"].get("tflops"), [result[peer].get("tflops") for peer in PEERS]

    def number(value, width, digits):
        return f"{'-' if value is None else format(value, f'.{digits}f'):>{width}}"

    def ratio(to):
        return number(ours / to if ours and to else None, 7, 3)

    error = f"{result['ours']['relative_error']:.2e}" if ours else "-"
    return " ".join([
        f"{result['case']:<20}", number(ours, 8, 1) if ours else f"{'FAILED':>8}", f"{error:>9}",
        *(number(peer, 7, 1) for peer in peers), *map(ratio, peers), ratio(ceilings and ceilings["matmul_tflops"]),
        "", result["ours"].get("config") or result["ours"]["failed"].splitlines()[0]])  # fmt: skip


def print_unavailable(cases):
    """Each peer's reasons, once, with the cases that they stand for."""
    reasons = {}
    for result in cases:
        for peer in PEERS:
            if "unavailable" in result[peer]:
                reasons.setdefault((peer, result[peer]["unavailable"]), []).append(result["case"])
    for (peer, reason), names in reasons.items():
        print(f"{peer} unavailable for {', '.join(names)}: {reason}", flush=True)


def measure_case(options, case, without_torch):
    result = {"case": case.name, **dataclasses.asdict(case), "flops": case.flops, "bytes": case.bytes_moved}
    result["ours"] = measure_ours(options, case)
    absent = {peer: {"unavailable": without_torch} for peer in PEERS}
    return result | (absent if without_torch else measure_peers(options, case))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code 1 if a file, a case or the compile failed.\ncases: " + " ".join(case.name for case in CASES))
    parser.add_argument("--landmark", type=Path, default=TOOL, help="the tool (default: the one in build/)")
    parser.add_argument("--data", type=Path, nargs="+", default=[], metavar="DIR",
                        help="first verify the *.safetensors files of these folders")
    parser.add_argument("--cases", nargs="+", default=["*"], metavar="PATTERN",
                        help="cases to measure, as '*-D128-L64-*'; '' for none (default: all)")
    parser.add_argument("--config", help="schedule of every kernel, as landmark's --config takes it")
    parser.add_argument("--device", default="cuda:0", help="cuda:N or host (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=50, help="launches to time, at least 1 (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=120, metavar="S",
                        help="seconds after which a run of the tool counts as failed (default: %(default)g)")
    parser.add_argument("--compile-time", nargs="?", const="sm_90a", metavar="TARGET",
                        help="also time a cold compile to PTX at D=128, L=64 (default target: %(const)s)")
    parser.add_argument("--compile-repeats", type=int, default=10, help="compiles to time (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results, after each case")
    parser.add_argument("tool_options", nargs="*", metavar="-- OPTION",
                        help="after --: further options of `landmark run` and `landmark bench`")
    options = parser.parse_args()
    if min(options.repeats, options.compile_repeats) < 1:
        parser.error("--repeats, --compile-repeats: must be at least 1")
    if absent := [str(folder) for folder in options.data if not any(folder.glob("*.safetensors"))]:
        parser.error(f"--data: no *.safetensors in {', '.join(absent)}")
    options.cases = [case for case in CASES if any(fnmatch.fnmatchcase(case.name, p) for p in options.cases)]
    if not (options.cases or options.data or options.compile_time):
        parser.error("--cases: nothing matches; the names stand under --help")
    return options


def main():
    options = parse_arguments()
    without_torch = missing_peers(options)
    if not without_torch:
        torch.cuda.set_device(options.device)
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    report = {"date": date, **environment(options, without_torch), "ceilings": None, "verified": [], "cases": []}
    print(f"{report['device']}, driver {report['driver']}, {report['versions']}, {date}\n", flush=True)

    def save():
        if options.json:
            options.json.write_text(json.dumps(report, indent=2) + "\n")

    report["verified"] = verify(options) if options.data else []
    if without_torch:
        print(f"no ceilings and peers: {without_torch}\n", flush=True)
    elif options.cases:
        report["ceilings"] = measure_ceilings(options)
        torch.cuda.empty_cache()
    save()
    if options.cases:
        print(HEADER, flush=True)
    for case in options.cases:
        report["cases"].append(measure_case(options, case, without_torch))
        print(row(report["cases"][-1], report["ceilings"]), flush=True)
        save()
    if not without_torch:
        print_unavailable(report["cases"])
    if options.compile_time:
        report["compile"] = measure_compile(options)
        save()
    failed = (any(not result["passed"] for result in report["verified"])
              or any("failed" in case["ours"] for case in report["cases"]) or "failed" in report.get("compile", {}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
