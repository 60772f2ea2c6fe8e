#!/bin/sh
# peers.sh CONTRACT INTO: builds the other libraries' clients and servers for the benchmarks.
#
# CONTRACT is a folder with programs that follow the command line of contract_client.c and contract_server.c: c/, rust/, go/
# and py/. Each becomes INTO/NAME_client or INTO/NAME_server; run.py takes every one that it finds there. What cannot be
# built is named, and is absent from the report. Nothing is written into CONTRACT. Run again, it builds what is missing.
#
# Debian packages: libssh-dev libssh2-1-dev, golang-golang-x-crypto-dev or the Go module proxy; and cargo.
set -u

contract=$(cd "$1" && pwd)
mkdir -p "$2"
into=$(cd "$2" && pwd)
work=$into/work
mkdir -p "$work"

say() { printf 'peers: %s\n' "$*"; }
absent() { say "ABSENT: $1, see $work/$1.log"; }

c_program() { # name, source, library
    [ -x "$into/$1" ] && return
    cc -O2 -w -o "$into/$1" "$contract/c/$2" "-l$3" >"$work/$1.log" 2>&1 || absent "$1"
}

# libssh2's releases with AES-GCM are newer than some distributions'; the crate carries the source of one.
libssh2_bundled() {
    [ -x "$into/libssh2_client" ] && return
    if (
        set -e
        mkdir -p "$work/libssh2/src"
        cd "$work/libssh2"
        : >src/lib.rs
        printf '[package]\nname = "l2"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nlibssh2-sys = "0.3"\n[workspace]\n' >Cargo.toml
        CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} cargo vendor vendor
        source=vendor/libssh2-sys/libssh2
        # shellcheck disable=SC2046 # one word for each file
        cc -O2 -w -DLIBSSH2_OPENSSL -DHAVE_UNISTD_H -DHAVE_INTTYPES_H -DHAVE_SYS_SELECT_H -DHAVE_SYS_SOCKET_H \
            -DHAVE_SYS_TIME_H -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_SYS_UIO_H -DHAVE_SYS_IOCTL_H -DHAVE_SYS_UN_H \
            -DHAVE_O_NONBLOCK -DHAVE_POLL -DHAVE_SELECT -DHAVE_GETTIMEOFDAY -DHAVE_SNPRINTF -DHAVE_EXPLICIT_BZERO \
            -I"$source/include" -I"$source/src" -o "$into/libssh2_client" "$contract/c/libssh2_client.c" \
            $(ls "$source"/src/*.c | grep -v -E 'mbedtls\.c|libgcrypt\.c|wincng\.c|os400qc3\.c|wolfssl') -lcrypto
    ) >"$work/libssh2_client.log" 2>&1; then :; else absent libssh2_client; fi
}

russh() {
    [ -x "$into/russh_server" ] && return
    if (
        set -e
        mkdir -p "$work/rust"
        cd "$work/rust"
        cp -r "$contract/rust/Cargo.toml" "$contract/rust/src" .
        CARGO_TARGET_DIR=target cargo build --release --bin russh_client --bin russh_server --bin wirelimit
        for program in russh_client russh_server wirelimit; do
            cp "$work/rust/target/release/$program" "$into/$program"
        done
    ) >"$work/russh.log" 2>&1; then :; else absent russh; fi
}

go_programs() {
    [ -x "$into/go_server" ] && return
    if (
        set -e
        mkdir -p "$work/go/client" "$work/go/server"
        cd "$work/go"
        cp "$contract/go/main.go" client/
        cp "$contract/go/server/main.go" server/
        [ -e go.mod ] || go mod init bench
        go get golang.org/x/crypto/ssh
        go build -o "$into/go_client" ./client
        go build -o "$into/go_server" ./server
    ) >"$work/go.log" 2>&1; then :; else absent go; fi
}

python_clients() {
    [ -x "$into/asyncssh_client" ] && return
    if (
        set -e
        python3 -m venv "$work/venv"
        "$work/venv/bin/pip" install --quiet paramiko asyncssh
        for name in paramiko asyncssh; do
            printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$work/venv/bin/python" "$contract/py/${name}_client.py" \
                >"$into/${name}_client"
            chmod 755 "$into/${name}_client"
        done
    ) >"$work/python.log" 2>&1; then :; else absent python; fi
}

c_program libssh_client libssh_client.c ssh
c_program libssh_server libssh_server.c ssh
libssh2_bundled
go_programs
python_clients
russh
say "in $into: $(cd "$into" && ls | grep -E '_client$|_server$|^wirelimit$' | tr '\n' ' ')"
