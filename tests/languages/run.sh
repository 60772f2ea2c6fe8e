#!/bin/bash
# Tests the other languages, each against the library, header and .pc as installed under a prefix of its own, and
# against an sshd beside servers of ours.
#
#   run.sh [cpp|go|python|ruby] ...      all when none is named
#
# A language that is absent is named; under CI=true that is a failure.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1
work=$(mktemp -d)
chmod 755 "$work"
# As temporary directories are meant to be, which that of a container is not always, and Ruby says so.
mkdir -m 1777 "$work/tmp"
export TMPDIR=$work/tmp
sshd_pid=
clean() {
    [ -z "$sshd_pid" ] || kill "$sshd_pid"
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM
failed=() left_out=()

say() { printf 'languages: %s\n' "$*"; }
peer() { sed -n "s/^$1=//p" build/peers/env 2>/dev/null; }

run_make() { env -u MAKEFLAGS make --no-print-directory "$@"; }
if ! run_make -C examples-c install programs PREFIX="$work/prefix" >"$work/make.log" 2>&1; then
    cat "$work/make.log"
    exit 1
fi
export PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig LD_LIBRARY_PATH=$work/prefix/lib
# Without pkg-config, what it would say.
if command -v pkg-config >/dev/null 2>&1; then
    read -ra flags <<<"$(pkg-config --cflags --libs sshwire)"
else
    flags=(-I"$work/prefix/include" -L"$work/prefix/lib" -lsshwire)
fi

# An sshd with one key for us, on a port that was free. The tests find it in SSHWIRE_TEST_... of the environment.
start_sshd() {
    local sshd account keys=$root/build/peers/keys port i
    sshd=$(peer SSHD)
    account=$(peer ACCOUNT)
    [ -n "$sshd" ] && [ -r "$keys/authorized_keys" ] || return 1
    cp "$keys/authorized_keys" "$work/authorized_keys"
    chmod 644 "$work/authorized_keys"
    for i in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + (RANDOM + i) % 20000))
        printf '%s\n' "Port $port" "AddressFamily inet" "ListenAddress 127.0.0.1" "HostKey $keys/host_ed25519" "PidFile none" \
            "AuthorizedKeysFile $work/authorized_keys" "StrictModes no" "UsePAM no" "MaxStartups 400" "MaxSessions 100" \
            "UseDNS no" "PrintMotd no" "Subsystem sftp internal-sftp" >"$work/sshd_config"
        "$sshd" -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
        sshd_pid=$!
        while kill -0 "$sshd_pid" 2>/dev/null; do
            if grep -q 'Server listening' "$work/sshd.log"; then
                export SSHWIRE_TEST_ADDRESS=127.0.0.1:$port SSHWIRE_TEST_USER=${account:-$(id -un)}
                export SSHWIRE_TEST_KEY=$keys/user_ed25519
                SSHWIRE_TEST_HOST_KEY=$(cut -d' ' -f1,2 "$keys/host_ed25519.pub")
                export SSHWIRE_TEST_HOST_KEY
                return 0
            fi
            sleep 0.05
        done
        wait "$sshd_pid"
        sshd_pid=
    done
    return 1
}
start_sshd || left_out+=("sshd")

language() { # NAME COMMAND-THAT-MUST-BE-THERE FUNCTION
    if ! command -v "$2" >/dev/null 2>&1; then
        left_out+=("$1 (no $2)")
    elif "$3" >"$work/log" 2>&1; then
        say "$(tail -n 1 "$work/log")"
    else
        cat "$work/log"
        failed+=("$1")
    fi
}

cpp() {
    local options=(-std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Werror -g -O1 -pthread) name
    for name in client server; do
        g++ "${options[@]}" -o "$work/$name" "examples-c/cpp/$name.cpp" "${flags[@]}" || return 1
    done
    g++ "${options[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all -o "$work/test" examples-c/cpp/test.cpp \
        "${flags[@]}" || return 1
    tests/languages/pair.sh "$work/server" "$work/client" || return 1
    timeout 600 "$work/test"
}

# The agent of the tests in languages that have agents.
export SSHWIRE_TEST_SSH_AGENT
SSHWIRE_TEST_SSH_AGENT=$(peer SSH_AGENT)
[ -n "$SSHWIRE_TEST_SSH_AGENT" ] || left_out+=("ssh-agent")

python() {
    local package=$root/examples-python
    tests/languages/pair.sh "python3 $package/server.py" "python3 $package/client.py" || return 1
    export SSHWIRE_TEST_HEADER=$work/prefix/include/sshwire.h SSHWIRE_TEST_SSH SSHWIRE_TEST_SFTP
    SSHWIRE_TEST_SSH=$(peer SSH) SSHWIRE_TEST_SFTP=$(peer SFTP)
    [ -n "$SSHWIRE_TEST_SSH" ] || left_out+=("ssh")
    (cd "$package/tests" && PYTHONPATH=$package timeout 900 python3 -X faulthandler -m unittest -v 2>&1) || return 1
    echo "Python: all passed"
}

ruby_ffi() {
    tests/languages/pair.sh "ruby -w examples-ruby/server.rb" "ruby -w examples-ruby/client.rb" || return 1
    # Texts are in the locale's encoding, and there may be none.
    local locale
    for locale in C.UTF-8 C; do
        SSHWIRE_TEST_HEADER=$work/prefix/include/sshwire.h LC_ALL=$locale timeout 900 ruby -w examples-ruby/test/all.rb || return 1
    done
}

# Nothing is fetched: the module needs the standard library alone, and the Go that is there.
go_tests() {
    (
        export GOFLAGS='' GOPROXY=off GOSUMDB=off GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=1 GOTRACEBACK=all
        # What pkg-config says does not count among what Go keeps built packages by, and here it differs each time.
        export CGO_LDFLAGS="-L$work/prefix/lib"
        cd examples-go || exit 1
        [ -z "$(gofmt -l .)" ] || { gofmt -d .; exit 1; }
        go vet ./... && go build -o "$work/" ./client ./server || exit 1
        "$root/tests/languages/pair.sh" "$work/server" "$work/client" || exit 1
        go test -count=1 -timeout 600s ./sshwire && go test -race -count=1 -timeout 600s ./sshwire
    )
}

[ $# -gt 0 ] || set -- cpp go python ruby
for chosen in "$@"; do
    case $chosen in
        cpp) language C++ g++ cpp ;;
        python) language Python python3 python ;;
        ruby) language Ruby ruby ruby_ffi ;;
        go) language Go go go_tests ;;
        *) say "$chosen: no such language"; exit 2 ;;
    esac
done

status=0
if [ ${#left_out[@]} -gt 0 ]; then
    say "LEFT OUT: $(IFS=,; echo "${left_out[*]}")"
    [ "${CI:-}" != true ] || { say "under CI=true nothing may be left out"; status=1; }
fi
if [ ${#failed[@]} -gt 0 ]; then
    say "FAILED: $(IFS=,; echo "${failed[*]}")"
    status=1
fi
exit $status
