#!/bin/bash
# The C tests of many threads under ThreadSanitizer: the library, its dependencies and Rust's standard library built
# anew with it, so that no lock is hidden from it. By hand: the build takes minutes.
#
#     tests/c/tsan.sh [SECONDS]
#
# Needs the component rust-src of the toolchain in use (rustup component add rust-src) and gcc. The fast provider of
# cryptography is C and assembly that would not be watched, so the portable one takes its place.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-30}
host=$(rustc -vV | sed -n 's/^host: //p')
libraries=$(rustc --print sysroot)/lib/rustlib
[ -d "$libraries/src/rust/library" ] || { echo "rust-src is not installed" >&2; exit 1; }
[ "$host" = x86_64-unknown-linux-gnu ] || { echo "no ThreadSanitizer for $host here" >&2; exit 1; }
runtime=$(echo "$libraries/$host"/lib/librustc*_rt.tsan.a)
target=${CARGO_TARGET_DIR:-$PWD/target}/tsan
# The sanitizer is not among the stable options of the compiler, hence the variable.
CARGO_TARGET_DIR=$target RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=thread" \
    cargo build --locked -Zbuild-std --target "$host" --no-default-features
export SSHWIRE_TEST_SLOW=20
failed=0
for name in threads turns loops callbacks handles pulled virtual listener; do
    gcc -std=c11 -g -O1 -fsanitize=thread -Iinclude -Itests/c -c -o "$target/$name.o" "tests/c/$name.c"
    gcc -no-pie -o "$target/$name" "$target/$name.o" "$target/$host/debug/libsshwire.a" \
        -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive -Wl,-z,noexecstack -pthread -ldl -lm -lrt -lgcc_s
    arguments=()
    case $name in threads | turns | loops) arguments=("$seconds" 8) ;; esac
    timeout $((seconds + 300)) "$target/$name" "${arguments[@]}" || { echo "$name: FAILED"; failed=1; }
done
exit "$failed"
