#!/bin/bash
# Runs every test there is; says at the end which parts failed. Under CI=true a peer that cannot be had is a failure.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
failed=()

part() { # NAME COMMAND...
    local name=$1 began=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    if "$@" </dev/null; then
        printf '=== %s: passed in %d s\n' "$name" $((SECONDS - began))
    else
        printf '=== %s: FAILED after %d s\n' "$name" $((SECONDS - began))
        failed+=("$name")
    fi
}

part "peers" tests/peers/setup.sh
part "library and programs" make --no-print-directory -C examples-c programs probes
part "Rust tests" cargo test --locked --no-fail-fast
part "Rust tests, portable crypto" cargo test --locked --no-default-features --lib
if [ -x tests/c/run.sh ]; then
    part "C tests" tests/c/run.sh
fi
part "installation" tests/install/run.sh
part "other languages" tests/languages/run.sh
part "programs of the README" examples-c/readme.sh
part "demo" make --no-print-directory -C examples-c demo

if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFAILED: %s\n' "$(IFS=,; echo "${failed[*]}")"
    exit 1
fi
printf '\nAll passed in %d s.\n' "$SECONDS"
