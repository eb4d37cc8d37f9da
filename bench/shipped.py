#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lines of compiler/Driver/shipped/<target>.txt, of the results that bench/tune.py or `landmark tune` keep.

    python3 bench/shipped.py tuned/tuning/nvidia-h200.json --into compiler/Driver/shipped/sm_90a.txt

A line overrides the rule for its problem at any length. So a config gets one where, beside the rule's own in the same
measurements, it is faster by --gain on the mean of the problem's workloads and not slower by --loss on any of them. Lines of
the same problems are replaced or dropped, others left; without --into the new ones are printed.
"""
import argparse
import json
import math

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("results")
parser.add_argument("--into")
parser.add_argument("--gain", type=float, default=0.015)
parser.add_argument("--loss", type=float, default=0.005)
options = parser.parse_args()
with open(options.results) as file:
    kept = json.load(file)


def name(problem):
    """As the library's describe() does."""
    text = f"{problem['operation']} L={problem['block_size']} D={problem['head_dim']} {problem['dtype']}"
    return text + (" gradients f32" if problem["float_gradients"] else "") + (" deterministic" if problem["deterministic"] else "")


def speedups(result):
    """How much faster than the default each config was; those measured in turns with it say it best."""
    found = {}
    for timings in (result["timings"], result["finals"]):
        times = {timing["config"]: timing["median_ms"] for timing in timings}
        found.update((config, times[result["default"]] / time) for config, time in times.items() if result["default"] in times)
    return found


def measured(result, config):
    sizes, (time, default) = result["workload"], ({t["config"]: t["median_ms"] for t in result["timings"] + result["finals"]}[c] for c in (config, result["default"]))
    return (f"{time:.4f} ms (the rule's {default:.4f}) for batch {sizes['batch']}, {sizes['heads']} heads over {sizes['kv_heads']}, "
            f"{sizes['query_length']} queries, {sizes['key_length']} keys")


problems, lines = {}, {}
for result in kept["results"]:  # the latest first
    if result["problem"]["operation"] in ("forward", "backward"):  # retrieval's plan chooses by its rows
        problems.setdefault(name(result["problem"]), []).append(result)
for problem, results in problems.items():
    ratios = [speedups(result) for result in results]
    means = {config: math.prod(ratio[config] for ratio in ratios) ** (1 / len(ratios))
             for config in ratios[0] if all(ratio.get(config, 0) >= 1 - options.loss for ratio in ratios)}
    best = max(means, key=means.get, default=None)
    if best is not None and means[best] >= 1 + options.gain:
        latest = results[0]
        lines[problem] = (f"{problem} | {best} | {'; '.join(measured(result, best) for result in results)}; best of {len(latest['timings'])} of "
                          f"{latest['candidates']}; {kept['device']}, {latest['driver']}, {latest['date'][:10]}\n")
    else:
        print(f"# {problem}: the rule stays; the best config for all workloads is {100 * (means.get(best, 1) - 1):.1f}% faster")
if options.into:
    with open(options.into) as file:
        others = [line for line in file if line.startswith("#") or line.split("|")[0].strip() not in problems]
    with open(options.into, "w") as file:
        file.writelines(others + sorted(lines.values()))
else:
    print(*lines.values(), sep="", end="")
