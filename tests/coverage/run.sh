#!/bin/bash
# Runs the suite with counters in the library, and writes which lines of src/ it has run.
#
#   run.sh [PART...]      rust, programs, install, languages, readme, demo; all when none is named. `report` alone makes the
#                         page of what was collected before
#
# Everything is built apart, in build/coverage. What parts collect adds up until build/coverage/raw is removed. Needs the
# llvm-profdata and llvm-cov of the compiler's LLVM: rustup's llvm-tools, or the distribution's llvm-NN. Ends with 1 when
# less than 90 % is covered. A test that fails is told of, and counts as what it has run.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1
build=$root/build/coverage
raw=$build/raw
export CARGO_TARGET_DIR=$build/target CARGO_INCREMENTAL=0
# What programs are linked with is optimized as little as what the tests are, so that lines stay apart.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
export RUSTC_WORKSPACE_WRAPPER=$root/tests/coverage/rustc.sh
# Processes of one program add up in a few files. It is said with its whole path, since some change their directory.
export LLVM_PROFILE_FILE=$raw/%4m.profraw
mkdir -p "$raw"
# Some processes are of the account that sshd logs in.
chmod 1777 "$raw"

version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
tools=
for folder in "$(rustc --print sysroot)"/lib/rustlib/*/bin "/usr/lib/llvm-$version/bin"; do
    [ -x "$folder/llvm-cov" ] && [ -x "$folder/llvm-profdata" ] && tools=$folder && break
done
[ -n "$tools" ] || { echo "coverage: no llvm-cov of LLVM $version: rustup component add llvm-tools, or install llvm-$version"; exit 1; }

failed=()
part() { # NAME COMMAND...
    local name=$1
    shift
    printf '\n=== %s\n' "$name"
    "$@" </dev/null || failed+=("$name")
}
run_make() { env -u MAKEFLAGS make --no-print-directory "$@"; }
wants() { case " $parts " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

parts=${*:-rust programs install languages readme demo}
if [ "$parts" != report ]; then
    part "peers" tests/peers/setup.sh
    part "library and programs" run_make -C examples-c programs probes
fi
if wants rust; then part "Rust tests" cargo test --locked --no-fail-fast; fi
if wants install; then part "installation" tests/install/run.sh; fi
if wants languages; then part "other languages" tests/languages/run.sh; fi
if wants readme; then part "programs of the README" examples-c/readme.sh; fi
if wants demo; then part "demo" run_make -C examples-c demo; fi

# The programs of the tests, as Cargo tells them, and the shared library that those in C have loaded.
objects=$(cargo test --locked --no-run --message-format=json 2>/dev/null \
    | python3 -c 'import json, sys
for line in sys.stdin:
    made = json.loads(line).get("executable")
    if made: print(made)')" $CARGO_TARGET_DIR/debug/deps/libsshwire.so"
"$tools/llvm-profdata" merge --sparse --failure-mode=all -o "$build/all.profdata" "$raw"/*.profraw || exit 1
# shellcheck disable=SC2086
python3 -B tests/coverage/report.py --tools "$tools" --profile "$build/all.profdata" --objects $objects \
    --library "$CARGO_TARGET_DIR/release/libsshwire.so" --gaps "$build/gaps.txt" --write docs/coverage.md
status=$?
for name in "${failed[@]}"; do
    echo "coverage: these tests have failed: $name"
done
exit $status
