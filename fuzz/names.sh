#!/bin/sh
# Prints the names of the targets, from the table in ../src/fuzzing/mod.rs.
sed -n 's/^    target("\([a-z0-9_]*\)",.*/\1/p' "$(dirname "$0")/../src/fuzzing/mod.rs"
