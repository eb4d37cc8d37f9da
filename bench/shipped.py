#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lines of compiler/Driver/shipped/<target>.txt, of the results that landmark tune keeps.

    python3 bench/shipped.py ~/.cache/landmark-jit/tuning/nvidia-h200.json --into compiler/Driver/shipped/sm_90a.txt

replaces the lines of the same problems and leaves the others; without --into it prints the new ones.
"""
import argparse
import json

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("results")
parser.add_argument("--into")
options = parser.parse_args()
with open(options.results) as file:
    kept = json.load(file)


def name(problem):
    """As the library's describe() does."""
    text = f"{problem['operation']} L={problem['block_size']} D={problem['head_dim']} {problem['dtype']}"
    if problem["top_k"]:
        return text + f" k={problem['top_k']}"
    return text + (" gradients f32" if problem["float_gradients"] else "") + (" deterministic" if problem["deterministic"] else "")


lines = {}
for result in kept["results"]:  # the latest first
    sizes, best = result["workload"], result["timings"][0]
    measured = (f"{best['median_ms']:.4f} ms for batch {sizes['batch']}, {sizes['heads']} heads over {sizes['kv_heads']}, {sizes['query_length']} queries, "
                f"{sizes['key_length']} keys; best of {len(result['timings'])} of {result['candidates']}; {kept['device']}, {result['driver']}, {result['date'][:10]}")
    lines.setdefault(name(result["problem"]), f"{name(result['problem'])} | {result['config']} | {measured}\n")
if options.into:
    with open(options.into) as file:
        others = [line for line in file if line.startswith("#") or line.split("|")[0].strip() not in lines]
    with open(options.into, "w") as file:
        file.writelines(others + sorted(lines.values()))
else:
    print(*lines.values(), sep="", end="")
