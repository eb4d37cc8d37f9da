#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lines of compiler/Driver/shipped/<target>.txt, of the results that bench/tune.py or `landmark tune` keep.

    python3 bench/shipped.py tuned/tuning/nvidia-h200.json --into compiler/Driver/shipped/sm_90a.txt

A line overrides the rule for its problem in a class of lengths, short or long. So a config gets one where, beside the rule's
own in the same measurements, it is faster by --gain on the mean of the class's workloads and not slower by --loss on any of
them. A config for both classes gets one line. Lines of the same problems and classes are replaced, or dropped where they were not
the default that was measured; others are left. Without --into the new ones are printed.
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


head, shipped = [], {}  # by problem and class of lengths, as what follows
if options.into:
    with open(options.into) as file:
        for line in file:
            fields = [field.strip() for field in line.split("|")]
            if line.startswith("#"):
                head.append(line)
            elif len(fields) == 4:
                shipped.update(((fields[0], lengths), tuple(fields[2:])) for lengths in (("short", "long") if fields[1] == "any" else (fields[1],)))

measurements = {}
for result in kept["results"]:  # the latest first
    if result["problem"]["operation"] in ("forward", "backward"):  # retrieval's plan chooses by its rows
        measurements.setdefault((name(result["problem"]), result["lengths"].split()[0]), []).append(result)
lines = {key: line for key, line in shipped.items() if key not in measurements}
for (problem, lengths), results in measurements.items():
    ratios = [speedups(result) for result in results]
    means = {config: math.prod(ratio[config] for ratio in ratios) ** (1 / len(ratios))
             for config in ratios[0] if all(ratio.get(config, 0) >= 1 - options.loss for ratio in ratios)}
    best = max(means, key=means.get, default=None)
    if best is not None and means[best] >= 1 + options.gain:
        latest = results[0]
        lines[problem, lengths] = (best, f"{'; '.join(measured(result, best) for result in results)}; best of {len(latest['timings'])} of "
                                         f"{latest['candidates']}; {kept['device']}, {latest['driver']}, {latest['date'][:10]}")
    else:
        if shipped.get((problem, lengths), [None])[0] == results[0]["default"]:
            lines[problem, lengths] = shipped[problem, lengths]
        print(f"# {problem}, {lengths}: the default stays; the best config for all workloads is {100 * (means.get(best, 1) - 1):.1f}% faster")

text = []
for (problem, lengths), (config, said) in sorted(lines.items()):
    other = lines.get((problem, "short" if lengths == "long" else "long"))
    if other is None or other[0] != config:
        text.append(f"{problem} | {lengths} | {config} | {said}\n")
    elif lengths == "short":
        text.append(f"{problem} | any | {config} | {said if said == other[1] else said + '; ' + other[1]}\n")
if options.into:
    with open(options.into, "w") as file:
        file.writelines(head + text)
else:
    print(*text, sep="", end="")
