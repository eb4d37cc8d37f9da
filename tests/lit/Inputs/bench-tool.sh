#!/bin/bash
# Stands for the tool: a kernel of 600 TFLOP/s, of 500 without tile-a, and wrong without tile-b.
if [ "$1" = info ]; then
  printf 'tile-a\ntile-b\n'
  exit 0
fi
speed=600
while [ $# -gt 0 ]; do
  case "$1 $2" in
    "--without tile-a") speed=500 ;;
    "--without tile-b") echo "above the tolerance" >&2; exit 3 ;;
    "--json "*) report=$2 ;;
  esac
  shift
done
# Most launches take 1 ms, and some so much longer that the mean is 2.
echo "{\"tflops\": $((2 * speed)), \"median_ms\": 1, \"mean_ms\": 2}" > "$report"
