#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures what each pass gives that a kernel is right without, by `landmark bench ... --without PASS`.

    bench/passes.py -- forward -D 128 -N 16384 --repeats 1500     # all of them
    bench/passes.py --rounds 5 --passes tile-keep-leads tile-scale-late -- forward -D 128 -N 8192 -B 2

Kernels are measured in turns, all of them once a round, as cards warm up and clocks step; the median of the rounds
counts, and of a round the mean of its launches, as their median is that of a step of the clock, of which each is 1%. At
a card's power limit means of two seconds (--repeats) repeat within 0.25%, of half a second within 1%. Each checks its
result against the oracle; one that fails its check has no speed. The exit code is 1 if one did.
"""
import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from forward import TOOL, run_tool


def measure(options, without):
    """TFLOP/s of the mean, and why there are none, None if there are."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "bench.json"
        left_out = ["--without", without] if without else []
        _, failure = run_tool(options, "bench", *options.bench, *left_out, "--json", report)
        if failure:
            return None, failure
        result = json.loads(report.read_text())
        return result["tflops"] * result["median_ms"] / result["mean_ms"], None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landmark", default=TOOL, help="the tool (default: the one in build/)")
    parser.add_argument("--passes", nargs="+", metavar="PASS", help="passes to leave out, one at a time (default: all of `landmark info --passes`)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kernel (default: 3)")
    parser.add_argument("--timeout", type=float, default=120, metavar="S", help="seconds after which a run of the tool counts as failed (default: 120)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results of all rounds")
    parser.add_argument("bench", nargs="+", metavar="-- OPTION", help="after --: what `landmark bench` is to run")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds: got {options.rounds}; it must be at least 1")
    names, failure = run_tool(options, "info", "--passes")
    if failure:
        sys.exit(f"passes.py: {options.landmark}: {failure}")
    kernels = ["", *(options.passes or names.split())]

    speeds, failures = {kernel: [] for kernel in kernels}, {}
    for _ in range(options.rounds):
        for kernel in (kernel for kernel in kernels if kernel not in failures):
            speed, failure = measure(options, kernel)
            if failure:
                failures[kernel] = failure
            else:
                speeds[kernel].append(speed)
    whole = None if "" in failures else statistics.median(speeds[""])
    for kernel in kernels:
        label = f"without {kernel}" if kernel else "all passes"
        if kernel in failures:
            print(f"{label:<38} FAILED {failures[kernel]}")
            continue
        speed = statistics.median(speeds[kernel])
        gain = f"  the pass gives {100 * (whole / speed - 1):+.1f}%" if kernel and whole else ""
        print(f"{label:<38} {speed:7.1f} TF{gain}")
    if options.json:
        results = [{"without": kernel, "tflops": speeds[kernel], "failed": failures.get(kernel)} for kernel in kernels]
        options.json.write_text(json.dumps({"bench": options.bench, "rounds": options.rounds, "kernels": results}, indent=1) + "\n")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
