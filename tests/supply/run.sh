#!/bin/bash
# Checks what the library is made of, and that anybody can make the same.
#
#   run.sh [PART...]     all of these, or those that are named:
#
#   deny         licences, bans and sources of the dependencies, by deny.toml; without a network
#   advisories   known flaws and yanked versions; fetches the advisory database of RustSec with git. Where it cannot be
#                reached this is told, and is no failure unless ADVISORIES=required; git's url.<base>.insteadOf leads to a copy
#   sbom         the list of packages is the one of Cargo.lock
#   dist         the release archive, made from two clones in different folders, is the same byte for byte
#   offline      what is in the archive builds without a network and with an empty Cargo home
#   library      libsshwire.so built in two folders is the same byte for byte
#
# Needs cargo-deny and cargo-cyclonedx, `cargo install --locked cargo-deny cargo-cyclonedx`; one that is missing is a failure.
# `dist` takes the commit that is checked out; `offline` and `library` take the archive that `dist` has made.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/supply
mkdir -p "$build"
failed=() left_out=()

part() { # NAME COMMAND...
    local name=$1
    shift
    printf '\n=== %s\n' "$name"
    "$@" </dev/null
    case $? in
        0) ;;
        77) left_out+=("$name") ;;
        *) failed+=("$name") ;;
    esac
}

deny() { (cd "$root" && cargo deny --offline check bans licenses sources); }

advisories() {
    if (cd "$root" && cargo deny fetch db) >"$build/fetch.log" 2>&1; then
        (cd "$root" && cargo deny check advisories)
    elif [ "${ADVISORIES:-}" = required ]; then
        cat "$build/fetch.log"
        return 1
    else
        echo "LEFT OUT: the advisory database cannot be reached"
        return 77
    fi
}

sbom() { python3 -B "$here/sbom.py" "$root" "$build/sbom.cdx.json"; }

# Two clones, one of them in a folder with a longer name.
dist() {
    local clone
    rm -rf "$build/one" "$build/another"
    for clone in "$build/one" "$build/another/folder/of/the/same"; do
        git clone --quiet "$root" "$clone" || return 1
        git -C "$clone" checkout --quiet --detach "$(git -C "$root" rev-parse HEAD)" || return 1
        "$clone/tests/supply/dist.sh" "$clone/build/dist" || return 1
    done
    cmp "$build"/one/build/dist/*.tar.xz "$build"/another/folder/of/the/same/build/dist/*.tar.xz || return 1
    mkdir -p "$build/dist"
    cp "$build"/one/build/dist/* "$build/dist/"
    echo "dist: the same twice"
}

# Builds the archive's content, with nothing of this account's and, where the system lets us, without a network.
build_in() { # FOLDER
    local tree apart=()
    mkdir -p "$1/home"
    tar -xJf "$(ls "$build"/dist/*.tar.xz)" -C "$1" || return 1
    tree=$(ls -d "$1"/sshwire-*/)
    tree=${tree%/}
    if unshare --net true 2>/dev/null; then apart=(unshare --net); else echo "supply: cannot take the network away"; fi
    (cd "$tree" && env CARGO_HOME="$1/home" CARGO_TARGET_DIR="$tree/target" CARGO_INCREMENTAL=0 \
        RUSTFLAGS="--remap-path-prefix=$tree=/sshwire" CFLAGS="-ffile-prefix-map=$tree=/sshwire" \
        "${apart[@]}" cargo build --release --offline --locked --quiet)
}

offline() {
    rm -rf "$build/first"
    build_in "$build/first" && ls -l "$build"/first/sshwire-*/target/release/libsshwire.so
}

library() {
    local one=$build/first another=$build/second/in/another/place
    [ -n "$(ls "$one"/sshwire-*/target/release/libsshwire.so 2>/dev/null)" ] || offline || return 1
    rm -rf "$build/second"
    build_in "$another" || return 1
    sha256sum "$one"/sshwire-*/target/release/libsshwire.so "$another"/sshwire-*/target/release/libsshwire.so
    cmp "$one"/sshwire-*/target/release/libsshwire.so "$another"/sshwire-*/target/release/libsshwire.so \
        && echo "library: the same in two folders"
}

for name in "${@:-all}"; do
    case $name in
        all) for each in deny advisories sbom dist offline library; do part "$each" "$each"; done ;;
        deny | advisories | sbom | dist | offline | library) part "$name" "$name" ;;
        *) echo "no part $name"; exit 64 ;;
    esac
done
[ ${#left_out[@]} -eq 0 ] || printf '\nLEFT OUT: %s\n' "${left_out[*]}"
if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFAILED: %s\n' "${failed[*]}"
    exit 1
fi
