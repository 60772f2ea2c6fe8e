#!/bin/sh
# install.sh RELEASE-DIRECTORY DESTINATION [PREFIX]: installs library, header and .pc below DESTINATION. The .pc says
# PREFIX, which differs from DESTINATION when a package is made. A file that did not change is left alone.
set -eu
release=$1
destination=$2
prefix=${3:-$2}
root=$(cd "$(dirname "$0")/.." && pwd)

put() { # FROM TO MODE
    cmp -s "$1" "$2" || install -m "$3" "$1" "$2"
}

# Cargo keeps one output directory of build.rs for each set of features it has seen; the newest belongs to this build.
# shellcheck disable=SC2012
out=$(dirname "$(ls -t "$release"/build/sshwire-*/out/sshwire.pc | head -n 1)")
version=$(sed -n 's/^Version: //p' "$out/sshwire.pc")
major=${version%%.*}

mkdir -p "$destination/lib/pkgconfig" "$destination/include"
put "$release/libsshwire.so" "$destination/lib/libsshwire.so.$version" 755
put "$release/libsshwire.a" "$destination/lib/libsshwire.a" 644
ln -sf "libsshwire.so.$version" "$destination/lib/libsshwire.so.$major"
ln -sf "libsshwire.so.$major" "$destination/lib/libsshwire.so"
put "$root/include/sshwire.h" "$destination/include/sshwire.h" 644

filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
sed -e "s|@PREFIX@|$prefix|" -e "s|@LIBDIR@|$prefix/lib|" -e "s|@INCLUDEDIR@|$prefix/include|" \
    "$out/sshwire.pc" >"$filled"
# Programs depend on this file, so it is made newer when the library behind it is.
if ! cmp -s "$filled" "$destination/lib/pkgconfig/sshwire.pc" \
    || [ "$destination/lib/libsshwire.so.$version" -nt "$destination/lib/pkgconfig/sshwire.pc" ] \
    || [ "$destination/include/sshwire.h" -nt "$destination/lib/pkgconfig/sshwire.pc" ]; then
    install -m 644 "$filled" "$destination/lib/pkgconfig/sshwire.pc"
fi
