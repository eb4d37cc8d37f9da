#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws a roofline from the JSON of forward.py: speed over FLOPs per byte that must move at least once."""
import argparse
import json
import sys

try:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D
except ImportError:
    sys.exit("plot.py: matplotlib is missing: python3 -m pip install matplotlib")

LABELS = {"ours": ("Landmark JIT", "tab:red"), "cudnn": ("cuDNN, dense", "tab:blue"),
          "flash": ("PyTorch's flash, dense", "tab:gray")}  # fmt: skip
MARKERS = {64: "s", 96: "^", 128: "o", 256: "D"}


def draw_ceilings(axes, ceilings, intensities):
    matmul, copy = ceilings["matmul_tflops"], ceilings["copy_tbs"]
    ridge = matmul / copy  # TFLOP/s over TB/s is FLOP per byte
    left, right = min(ridge, *intensities) / 2, max(ridge, *intensities) * 2
    axes.plot([left, ridge, right], [left * copy, matmul, matmul], color="black", linewidth=1)
    axes.annotate(f"8192³ matrix product {matmul:.0f} TFLOP/s", (right, matmul), ha="right", va="bottom",
                  fontsize=8, xytext=(-4, 2), textcoords="offset points")  # fmt: skip
    axes.annotate(f"device copy {copy:.2f} TB/s", (left, left * copy), va="top", fontsize=8, xytext=(10, 0),
                  textcoords="offset points")  # fmt: skip


def draw_points(axes, cases, key):
    """The cases of one implementation; those that differ in length alone are joined."""
    series = {}
    for case in cases:
        if "tflops" in case[key]:
            point = (case["flops"] / case["bytes"], case[key]["tflops"])
            series.setdefault((case["head_dim"], case["block_size"], case["dtype"]), []).append(point)
    for (head_dim, block_size, dtype), points in series.items():
        filled = block_size == 64 and dtype == "bf16"
        axes.plot(*zip(*sorted(points)), color=LABELS[key][1], marker=MARKERS.get(head_dim, "x"), markersize=5,
                  linewidth=0.8, fillstyle="full" if filled else "none")  # fmt: skip


def draw_legend(axes, cases):
    keys = [key for key in LABELS if any("tflops" in case[key] for case in cases)]
    handles = [Line2D([], [], color=LABELS[key][1], label=LABELS[key][0]) for key in keys]
    handles += [Line2D([], [], color="black", linestyle="", marker=MARKERS.get(d, "x"), label=f"D={d}")
                for d in sorted({case["head_dim"] for case in cases})]  # fmt: skip
    handles.append(Line2D([], [], color="black", linestyle="", marker="o", fillstyle="none", label="other L or fp16"))
    axes.legend(handles=handles, fontsize=8, loc="lower left")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", help="what forward.py --json wrote")
    parser.add_argument("svg", help="file to write")
    options = parser.parse_args()
    with open(options.json) as file:
        report = json.load(file)
    cases = report["cases"]
    if not report["ceilings"]:
        sys.exit(f"plot.py: {options.json} has no ceilings: run forward.py where PyTorch sees the GPU")
    if not any("tflops" in case[key] for case in cases for key in LABELS):
        sys.exit(f"plot.py: {options.json} has no measured case")

    matplotlib.rcParams["svg.hashsalt"] = "landmark"  # the same JSON gives the same file
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte moved at least once (q, k, v read, o written)",
             ylabel="TFLOP/s", title=f"Causal forward on {report['device']}, {report['date'][:10]}")  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.grid(True, which="both", linewidth=0.3)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_minor_formatter("{x:.0f}")
    axes.tick_params(which="both", labelsize=8)
    draw_ceilings(axes, report["ceilings"], [case["flops"] / case["bytes"] for case in cases])
    for key in LABELS:
        draw_points(axes, cases, key)
    draw_legend(axes, cases)
    axes.set_ylim(min(100, axes.get_ylim()[0]), 1.2 * max(axes.get_ylim()[1], report["ceilings"]["matmul_tflops"]))
    figure.savefig(options.svg, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
