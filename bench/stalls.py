#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Says where an iteration's cycles go: Nsight Compute's samples of one launch, in the loop with the most products.

    bench/stalls.py -- forward -D 128 -N 8192 -B 2    # profiles `landmark bench forward ...`; needs ncu and a device
    bench/stalls.py --csv profile.csv                 # what `ncu --import FILE --page source --csv` wrote

The loop's instructions are those that run about as often as its products. They are printed in the order of the code, cut
where something is begun, waited for or exchanged: the share of the loop's samples, and what warps waited for.
"""
import argparse
import collections
import csv
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "build/compiler/tools/landmark/landmark"
MARKS = re.compile(r"HGMMA|HMMA|DEPBAR|BAR\.|SYNCS|VOTE|SHFL|MUFU\.RCP|BRA\b")

Instruction = collections.namedtuple("Instruction", "number text samples executed stalls")


def profile(options):
    """The source page of one launch, as ncu prints it."""
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/report.ncu-rep"
        bench = [str(options.landmark), "bench", *options.bench, "--repeats", "1"]
        launch = ["ncu", "--clock-control", "none", "--set", "full", "-k", f"regex:{options.kernel}", "-c", "1"]
        page = ["ncu", "--import", report, "--page", "source", "--csv"]
        try:
            subprocess.run([*launch, "-o", report, *bench], check=True, stdout=subprocess.DEVNULL)
            return subprocess.run(page, check=True, stdout=subprocess.PIPE, text=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"stalls.py: {error}")


def instructions(text):
    rows = list(csv.reader(text.splitlines()))
    header = next((i for i, row in enumerate(rows) if "Source" in row and "# Samples" in row), None)
    if header is None:
        sys.exit("stalls.py: no page of sources with samples; was it made by `ncu --page source --csv`?")
    names = rows[header]
    reasons = [name for name in names if name.startswith("stall_") and "(" not in name]

    def number(row, name):
        return int(row[names.index(name)] or 0)

    def instruction(i, row):
        stalls = collections.Counter({name.removeprefix("stall_"): number(row, name) for name in reasons})
        text, executed = row[names.index("Source")].strip(), number(row, "Instructions Executed")
        return Instruction(i, text, number(row, "# Samples"), executed, stalls)

    return [instruction(i, row) for i, row in enumerate(rows[header + 1 :]) if len(row) == len(names)]


def loop_of(code):
    """What runs as often as the most frequent matrix product, but for a twentieth."""
    most = max((i.executed for i in code if re.search(r"HGMMA|HMMA", i.text)), default=0)
    if not most:
        sys.exit("stalls.py: the launch ran no matrix product")
    return [i for i in code if 0.93 * most <= i.executed <= 1.05 * most]


def top(stalls, count):
    whole = sum(stalls.values()) or 1
    return ", ".join(f"{name} {100 * value / whole:.0f}%" for name, value in stalls.most_common(count) if value)


def print_parts(loop):
    samples = sum(i.samples for i in loop) or 1
    share, length, stalls = 0, 0, collections.Counter()
    print("  share  instr.  up to                                              waits")
    for i in loop:
        share, length, stalls = share + i.samples, length + 1, stalls + i.stalls
        if MARKS.search(i.text) or i.samples > 0.012 * samples:
            print(f"{100 * share / samples:6.2f}%  {length:6}  {i.text[:50]:50} {top(stalls, 3)}")
            share, length, stalls = 0, 0, collections.Counter()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, help="a page of sources to read, in place of a launch")
    parser.add_argument("--kernel", default="landmark_forward", metavar="REGEX",
                        help="kernel to profile (default: %(default)s)")  # fmt: skip
    parser.add_argument("--landmark", type=Path, default=TOOL, help="the tool (default: the one in build/)")
    parser.add_argument("bench", nargs="*", metavar="-- OPTION", help="after --: what `landmark bench` is to run")
    options = parser.parse_args()
    if bool(options.csv) == bool(options.bench):
        parser.error("name either --csv or, after --, what to run")
    code = instructions(options.csv.read_text() if options.csv else profile(options))
    loop = loop_of(code)
    whole, inside = sum(i.samples for i in code) or 1, sum(i.samples for i in loop)
    waits = top(sum((i.stalls for i in loop), collections.Counter()), 8)
    print(f"{len(loop)} instructions of an iteration, {100 * inside / whole:.0f}% of {whole} samples; waits: {waits}\n")
    print_parts(loop)


if __name__ == "__main__":
    main()
