#!/bin/bash
# Makes the release archive of a commit, with the sources of everything that it needs.
#
#   dist.sh [OUT [COMMIT]]      OUT/sshwire-VERSION.tar.xz and its SHA-256; build/dist and HEAD unless told otherwise
#
# It builds without a network: `cargo build --release --offline --locked`. Names are in order, owners and times fixed (the
# commit's time), so that the same commit gives the same bytes anywhere with the same tools. Nothing prebuilt is in it. Beside
# the tree there are vendor/, .cargo/config.toml that leads there, THIRD-PARTY.txt with the notices of the linked packages,
# and sbom.cdx.json. Needs git, Python 3.11, xz, GNU tar and cargo-cyclonedx.
set -eu
command -v cargo-cyclonedx >/dev/null || { echo "dist: cargo install --locked cargo-cyclonedx"; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-$root/build/dist}
commit=$(git -C "$root" rev-parse --verify "${2:-HEAD}^{commit}")
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH LC_ALL=C
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

version=$(git -C "$root" show "$commit:Cargo.toml" | sed -n 's/^version = "\(.*\)"/\1/p' | head -n 1)
name=sshwire-$version
tree=$work/$name
git -C "$root" archive --prefix="$name/" "$commit" | tar -x -C "$work"

(cd "$tree" && cargo vendor --quiet --locked --versioned-dirs vendor >/dev/null)
python3 -B "$here/trim_vendor.py" "$tree" "$tree/vendor"
python3 -B "$here/licences.py" "$tree" "$tree/vendor" "$tree/THIRD-PARTY.txt"
python3 -B "$here/sbom.py" "$tree" "$tree/sbom.cdx.json"
mkdir -p "$tree/.cargo"
printf '%s\n' '' '# All dependencies are in vendor/.' '[source.crates-io]' 'replace-with = "vendored-sources"' '' \
    '[source.vendored-sources]' 'directory = "vendor"' >>"$tree/.cargo/config.toml"

mkdir -p "$out"
archive=$out/$name.tar.xz
tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX \
    -C "$work" -cf - "$name" | xz -3 --threads=1 >"$archive.new"
mv "$archive.new" "$archive"
(cd "$out" && sha256sum "$name.tar.xz" | tee "$name.tar.xz.sha256")
