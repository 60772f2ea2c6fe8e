#!/bin/sh
# Sets up the implementations of tests/matrix/table.py that tests/peers/setup.sh has not, which runs first: from the
# distribution's packages, and from the registries of Python, Node, Go, Rust and Java. Programs and libraries go to
# build/matrix. Run again, it finds what is there. What cannot be had is named, and ends it with 1.
#
#   setup.sh [PART...]
#
# Parts are what it names as it goes; without any, all of them and what tests/peers/setup.sh sets up.
set -eu

parts=" $* "

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${MATRIX_BUILD:-$root/build/matrix}
adapters=$root/tests/matrix/adapters
mkdir -p "$build"
failed=

say() { printf 'matrix: %s\n' "$*"; }

# NAME COMMAND...: what it says is shown only when it fails.
part() {
    name=$1
    shift
    case $parts in "  " | *" $name "*) ;; *) return 0 ;; esac
    if "$@" </dev/null >"$build/$name.log" 2>&1; then
        say "$name: there"
    else
        say "$name: FAILED"
        tail -n 5 "$build/$name.log"
        failed="$failed $name"
    fi
}

# A package that carries a daemon must not start it.
install_packages() {
    absent=
    for package in tinysshd libnet-ssh2-perl erlang-ssh libssh2-1-dev ruby-net-ssh ruby-net-sftp ruby-ed25519 \
        ruby-bcrypt-pbkdf curl nodejs npm maven default-jdk-headless openssh-sftp-server lsh-client lsh-server lsh-utils \
        libssl-dev zlib1g-dev; do
        case $package in
            nodejs) command -v node >/dev/null || absent="$absent $package" ;;
            npm) command -v npm >/dev/null || absent="$absent $package" ;;
            maven) command -v mvn >/dev/null || absent="$absent $package" ;;
            default-jdk-headless) command -v javac >/dev/null || absent="$absent $package" ;;
            *) dpkg -s "$package" >/dev/null 2>&1 || absent="$absent $package" ;;
        esac
    done
    [ -n "$absent" ] || return 0
    policy=/usr/sbin/policy-rc.d
    own=no
    if [ ! -e "$policy" ]; then
        own=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    # shellcheck disable=SC2086 # one word per package is meant
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $absent && done=yes || done=no
    [ "$own" = no ] || rm -f "$policy"
    [ "$done" = yes ]
}

python_environment() {
    "$build/venv/bin/python" -c 'import paramiko, asyncssh, twisted.conch.ssh, pygit2' 2>/dev/null && return
    python3 -m venv "$build/venv"
    "$build/venv/bin/pip" install --quiet --disable-pip-version-check paramiko asyncssh 'twisted[conch]' pygit2
}

node_module() {
    mkdir -p "$build/node"
    cp "$adapters"/node/* "$build/node"
    cd "$build/node"
    npm install --silent --no-audit --no-fund --ignore-scripts
}

go_program() {
    cd "$adapters/go"
    go build -o "$build/go-ssh" .
}

# NAME of a folder and of what is made there.
rust_program() {
    CARGO_TARGET_DIR="$build/$1-target" cargo build --release --locked --manifest-path "$adapters/$1/Cargo.toml"
    cp "$build/$1-target/release/$1-adapter" "$build/$1"
}

java_classes() {
    cd "$adapters/java"
    mvn -q -B "-Dadapter.build=$build/java" "-DoutputDirectory=$build/java/lib" dependency:copy-dependencies compile
}

c_program() { cc -O1 -Wall -Wextra -o "$build/$1" "$adapters/$1.c" "-l${1#lib}"; }

[ $# -gt 0 ] || "$root/tests/peers/setup.sh"
part packages install_packages
part python python_environment
part node node_module
part go go_program
part russh rust_program russh
part libssh2-newest rust_program libssh2-newest
part java java_classes
part libssh c_program libssh
part libssh2 c_program libssh2
[ -z "$failed" ] || exit 1
