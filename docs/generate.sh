#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes docs/generated/*.md, the reference of operations, types, attributes and passes, from the .td files:
#
#     docs/generate.sh            write the files anew
#     docs/generate.sh --check    write nothing; exit 1 and print the difference where a file is not up to date
#
# MLIR_TBLGEN and MLIR_INCLUDE_DIR name another MLIR 22 than Debian's (a build passes its own).
set -eu

tblgen=${MLIR_TBLGEN:-/usr/lib/llvm-22/bin/mlir-tblgen}
includes=${MLIR_INCLUDE_DIR:-/usr/lib/llvm-22/include}
mode=${1:-write}
case $mode in write | --check) ;; *) echo "usage: docs/generate.sh [--check]" >&2 && exit 2 ;; esac

cd "$(dirname "$0")/.."
target=docs/generated
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# generate FILE TD ARGUMENT...
generate() {
  file=$1 source=$2
  shift 2
  "$tblgen" -I . -I "$includes" "$@" "$source" >"$scratch/text"
  sed -i "/^\[TOC\]$/d" "$scratch/text"
  { echo "<!-- Made from $source by docs/generate.sh. Do not edit. -->" && cat "$scratch/text"; } >"$scratch/$file"
  rm "$scratch/text"
}

generate TileDialect.md dialects/Tile/TileOps.td -gen-dialect-doc -dialect=tile
generate LandmarkDialect.md dialects/Landmark/LandmarkOps.td -gen-dialect-doc -dialect=landmark
generate TransformsPasses.md compiler/Transforms/Passes.td -gen-pass-doc
generate ConversionPasses.md compiler/Conversion/Passes.td -gen-pass-doc

if [ "$mode" = --check ]; then
  diff -ru "$target" "$scratch" && exit 0
  echo "docs/generated is out of date: run docs/generate.sh" >&2
  exit 1
fi
mkdir -p "$target"
cp "$scratch"/*.md "$target"
