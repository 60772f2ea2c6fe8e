#!/bin/sh
# What Cargo calls for the crates of this tree, and for them alone: the compiler, and counters in what it makes. Used by
# run.sh; dependencies are compiled as always.
rustc=$1
shift
exec "$rustc" "$@" -C instrument-coverage
