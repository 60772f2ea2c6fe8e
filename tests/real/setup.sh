#!/bin/sh
# Sets up what tests/real/run.py needs beside tests/peers/setup.sh, which runs first: sshfs from the distribution's
# packages, ansible in a Python environment of its own. What cannot be had is named, and ends it with 1.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build/real
mkdir -p "$build"
"$root/tests/peers/setup.sh"
if ! command -v sshfs >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends sshfs </dev/null >"$build/apt.log" 2>&1 \
        || { tail -n 5 "$build/apt.log"; echo "real: no sshfs"; exit 1; }
fi
if [ ! -x "$build/venv/bin/ansible" ]; then
    { python3 -m venv "$build/venv" && "$build/venv/bin/pip" install --quiet --disable-pip-version-check ansible-core; } \
        </dev/null >"$build/pip.log" 2>&1 || { tail -n 5 "$build/pip.log"; echo "real: no ansible"; exit 1; }
fi
[ -e /dev/fuse ] || { echo "real: no /dev/fuse, so no sshfs"; exit 1; }
