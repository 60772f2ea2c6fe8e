#!/bin/sh
# Sets up the other programs that the tests talk to: OpenSSH, dropbear, libssh, PuTTY, lftp, rclone, curl, git, rsync and an X
# server without a screen from the distribution's packages, the newest OpenSSH of its coming release, paramiko, asyncssh
# and ssh-audit in a Python environment of their own.
# Everything that is not a package lies under build/peers; nothing is installed into the machine's Python. Run again, it
# finds all there and returns at once.
#
# What cannot be had is named. That is a warning, except under CI=true, where it is a failure: a check that did not
# run must not look like one that passed.
#
# Result: build/peers/env, lines NAME=path that tests/interop and the Makefile read. An absent peer has no line.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
peers=$root/build/peers
mkdir -p "$peers"
PATH=$PATH:/usr/sbin:/sbin
export PATH

say() { printf 'peers: %s\n' "$*"; }

have() { command -v "$1" >/dev/null 2>&1; }

# Package: the file or program that shows that it is there.
package_present() {
    case $1 in
        openssh-server) have sshd ;;
        openssh-client) have ssh && have sftp && have scp && have ssh-keygen && have ssh-agent && have ssh-add ;;
        xvfb) have Xvfb ;;
        xauth) have xauth ;;
        x11-utils) have xdpyinfo ;;
        dropbear-bin) have dropbear && have dbclient && have dropbearkey ;;
        libssh-dev) [ -e /usr/include/libssh/libssh.h ] ;;
        lftp) have lftp ;;
        rclone) have rclone ;;
        curl) have curl ;;
        git) have git ;;
        rsync) have rsync ;;
        putty-tools) have psftp && have puttygen ;;
        libgcrypt20-dev) [ -e /usr/include/gcrypt.h ] ;;
        valgrind) have valgrind ;;
        g++) have g++ ;;
        ruby) have ruby ;;
        ruby-ffi) have ruby && ruby -e 'require "ffi"' 2>/dev/null ;;
        ruby-minitest) have ruby && ruby -e 'require "minitest"' 2>/dev/null ;;
        golang-go) have go ;;
        pkg-config) have pkg-config ;;
        cmake) have cmake ;;
        man-db) have man ;;
        procps) have ps ;;
        python3-venv) "$(system_python)" -c 'import venv, ensurepip' 2>/dev/null ;;
        *) return 1 ;;
    esac
}

system_python() {
    if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else echo python3; fi
}

absent_packages() {
    for package in openssh-server openssh-client dropbear-bin libssh-dev libgcrypt20-dev lftp rclone curl git rsync \
        putty-tools valgrind g++ procps python3-venv xvfb xauth x11-utils; do
        package_present "$package" || printf '%s ' "$package"
    done
    # Not to talk to, but what the installation and other languages are tested with.
    for package in pkg-config cmake man-db golang-go ruby ruby-ffi ruby-minitest; do
        package_present "$package" || printf '%s ' "$package"
    done
}

# A package that carries a daemon must not start it: the tests start their own, on ports of their own.
policy=/usr/sbin/policy-rc.d
own_policy=no
remove_policy() { if [ "$own_policy" = yes ]; then rm -f "$policy"; own_policy=no; fi; }
trap remove_policy EXIT
trap 'exit 1' INT TERM

install_packages() {
    if [ "$(id -u)" != 0 ] || ! have apt-get; then
        return 0
    fi
    if [ ! -e "$policy" ]; then
        own_policy=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    say "installing: $*"
    # Package lists may be missing or old; so a first failure only means that they are fetched.
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" \
        </dev/null >"$peers/apt.log" 2>&1; then
        apt-get update </dev/null >>"$peers/apt.log" 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" \
            </dev/null >>"$peers/apt.log" 2>&1 || tail -n 5 "$peers/apt.log"
    fi
    remove_policy
}

# shellcheck disable=SC2046 # one word per package is meant
wanted=$(absent_packages)
# shellcheck disable=SC2086
[ -z "$wanted" ] || install_packages $wanted

venv=$peers/venv
venv_ready() { "$venv/bin/python" -c 'import asyncssh, paramiko, ssh_audit' 2>/dev/null; }
if ! venv_ready && package_present python3-venv; then
    say "building a Python environment with paramiko, asyncssh and ssh-audit"
    rm -rf "$venv"
    { "$(system_python)" -m venv "$venv" \
        && "$venv/bin/pip" install --quiet --disable-pip-version-check paramiko asyncssh ssh-audit; } \
        </dev/null >"$peers/pip.log" 2>&1 || tail -n 5 "$peers/pip.log"
fi

# The newest OpenSSH that the distribution has for anybody, unpacked with the libraries it was built for and run with
# their loader. Nothing of it is installed: the machine keeps its own.
newest=$peers/newest
newest_ready() { "$newest/bin/ssh" -V >/dev/null 2>&1 && "$newest/bin/sshd" -V >/dev/null 2>&1; }

# Does apt-get, or another of its family, as if this machine had nothing installed and one source.
# A mirror that is some weeks behind is new enough; what it gives is signed all the same.
apt_newest() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::sourcelist="$newest/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=- \
        -o Dir::State::lists="$newest/apt/lists" -o Dir::State::status="$newest/apt/status" -o Dir::Cache="$newest/apt" \
        -o Acquire::Languages=none -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false "$@" </dev/null
}

# Programs that start others of theirs do so by a path: each has a script there that runs it with its own libraries.
newest_program() {
    mkdir -p "$newest/bin"
    {
        printf '#!/bin/sh\n'
        printf 'exec "%s" --library-path "%s" --argv0 "%s" "%s" "$@"\n' "$newest_loader" "$newest_libraries" "$2" "$2"
    } >"$newest/bin/$1"
    chmod 755 "$newest/bin/$1"
}

unpack_newest() {
    from=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 !~ /-/ { print $1; exit }')
    [ -n "$from" ] || return 1
    rm -rf "$newest"
    mkdir -p "$newest/apt/lists/partial" "$newest/apt/archives/partial" "$newest/root"
    : >"$newest/apt/status"
    for suite in sid testing; do
        printf 'deb [target=Packages signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
            "$from" "$suite" >"$newest/apt/sources.list"
        apt_newest apt-get update || continue
        # What they need, without what would only be needed to install them.
        packages=$(apt_newest apt-get install -s --no-install-recommends openssh-server openssh-client \
            | awk '$1 == "Inst" && $2 ~ /^(lib|zlib|openssh)/ && $2 !~ /perl|pam-/ { print $2 }')
        [ -n "$packages" ] || continue
        # shellcheck disable=SC2086 # one word per package is meant
        (cd "$newest/apt/archives" && apt_newest apt-get download $packages) || continue
        for package in "$newest"/apt/archives/*.deb; do
            dpkg-deb -x "$package" "$newest/root" || return 1
        done
        break
    done
    rm -rf "$newest/apt" "$newest/root/usr/share"
    newest_loader=$(find "$newest/root" -name 'ld-linux*.so.*' | head -n 1)
    newest_libraries=$(dirname "$(find "$newest/root" -name libc.so.6 | head -n 1)")
    [ -n "$newest_loader" ] || return 1
    for program in ssh ssh-keygen ssh-agent ssh-add sftp scp; do
        newest_program "$program" "$newest/root/usr/bin/$program"
    done
    newest_program sshd "$newest/root/usr/sbin/sshd"
    for program in sshd-session sshd-auth sftp-server; do
        newest_program "$program" "$newest/root/usr/lib/openssh/$program"
    done
}

if ! newest_ready && have apt-get && have dpkg-deb; then
    say "unpacking the newest OpenSSH"
    unpack_newest >"$peers/newest.log" 2>&1 || tail -n 5 "$peers/newest.log"
fi

# sshd checks passwords against accounts of the machine, so the tests need one. Its password is random and known to
# this directory only, so the account opens no door on a machine that also runs an sshd of its own. Each checkout has
# one of its own, so that two may be tested at once.
account=sshwt$(printf %s "$root" | cksum | cut -d' ' -f1)
if [ "$(id -u)" = 0 ] && have useradd && have chpasswd; then
    id "$account" >/dev/null 2>&1 || useradd --create-home --shell /bin/sh "$account"
    if [ ! -s "$peers/password" ]; then
        (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$peers/password")
    fi
    printf '%s:%s\n' "$account" "$(cat "$peers/password")" | chpasswd
fi

# sshd wants a place to lock its unprivileged half into; the package leaves that to the service manager.
if [ "$(id -u)" = 0 ] && have sshd; then
    mkdir -p /run/sshd
fi

# Keys of every type, made once: RSA takes its time.
keys=$peers/keys
make_key() {
    [ -s "$keys/$1" ] || ssh-keygen -q -C "$1" -f "$keys/$1" -N "$2" -t "$3" -b "$4" </dev/null
}
if have ssh-keygen; then
    mkdir -p "$keys"
    for role in host user; do
        make_key "${role}_ed25519" '' ed25519 256
        for bits in 256 384 521; do make_key "${role}_ecdsa$bits" '' ecdsa "$bits"; done
        make_key "${role}_rsa" '' rsa 3072
    done
    make_key user_encrypted 'correct horse' ed25519 256
    make_key user_stranger '' ed25519 256
    cat "$keys"/user_ed25519.pub "$keys"/user_ecdsa*.pub "$keys"/user_rsa.pub "$keys"/user_encrypted.pub \
        >"$keys/authorized_keys"
fi

{
    for name in sshd ssh sftp scp git rsync ssh-keygen ssh-agent ssh-add Xvfb xauth xdpyinfo dropbear dropbearkey \
        dbclient psftp puttygen lftp rclone curl valgrind; do
        # sshd insists on being started by its full path.
        have "$name" && printf '%s=%s\n' "$(echo "$name" | tr 'a-z-' 'A-Z_')" "$(command -v "$name")"
    done
    if newest_ready; then
        for name in sshd ssh sftp ssh-keygen ssh-agent ssh-add; do
            printf 'NEWEST_%s=%s\n' "$(echo "$name" | tr 'a-z-' 'A-Z_')" "$newest/bin/$name"
        done
    fi
    if venv_ready; then
        printf 'PYTHON=%s\n' "$venv/bin/python"
        printf 'ASYNCSSH=%s\n' "$venv/bin/python"
        printf 'SSH_AUDIT=%s\n' "$venv/bin/ssh-audit"
    fi
    if [ -e /usr/include/libssh/libssh.h ]; then
        printf 'LIBSSH_DEV=yes\n'
    fi
    if [ -e /usr/include/gcrypt.h ]; then
        printf 'GCRYPT=yes\n'
    fi
    if id "$account" >/dev/null 2>&1 && [ -r "$peers/password" ]; then
        printf 'ACCOUNT=%s\nACCOUNT_PASSWORD=%s\n' "$account" "$peers/password"
    fi
} >"$peers/env.new"
mv "$peers/env.new" "$peers/env"

missing=$(absent_packages)
newest_ready || missing="$missing newest OpenSSH"
venv_ready || missing="$missing paramiko asyncssh ssh-audit (PyPI)"
grep -q '^ACCOUNT=' "$peers/env" || missing="$missing account:$account (needs root)"
missing=$(echo "$missing" | sed 's/^ *//; s/ *$//')
if [ -n "$missing" ]; then
    say "MISSING: $missing"
    if [ "${CI:-}" = true ]; then
        say "under CI=true nothing may be missing"
        exit 1
    fi
else
    say "all there: $("$venv/bin/pip" list --disable-pip-version-check 2>/dev/null \
        | awk '/^(paramiko|asyncssh|ssh-audit) / {printf "%s %s, ", $1, $2}')$(ssh -V 2>&1 | cut -d, -f1)"
fi
