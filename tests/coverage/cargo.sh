#!/bin/bash
# Cargo for the makefiles while coverage is measured: what they want optimized is built as the tests are, so that the code is
# counted line by line and compiled once.
words=()
for word in "$@"; do
    [ "$word" = --release ] || words+=("$word")
done
exec cargo "${words[@]}"
