#!/bin/sh
# The library's main job in a minute: a server and a client of it talk SSH over loopback. Everything happens in a
# directory that is gone afterwards; the server listens on a free port of 127.0.0.1 only.
set -eu
bin=$1
directory=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' INT TERM

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
indent() { sed 's/^/    /'; }

step "1. A key pair for the user"
show "keygen -t ed25519 -f user_key --no-passphrase"
"$bin/keygen" -t ed25519 -f "$directory/user_key" --no-passphrase -C "demo user" | sed "s|$directory/||" | indent

step "2. A server that lets this key in"
"$bin/keygen" -t ed25519 -f "$directory/host_key" --no-passphrase -C "demo server" >/dev/null
mkdir "$directory/offered"
: >"$directory/server.log" # looked at before the server has begun
show "server --listen 127.0.0.1:0 --host-key host_key --authorized-keys user_key.pub --sftp offered &"
"$bin/server" --listen 127.0.0.1:0 --host-key "$directory/host_key" --authorized-keys "$directory/user_key.pub" \
    --sftp "$directory/offered" -v >"$directory/server.log" 2>&1 &
server=$!
tries=0
until grep -q '^listening on' "$directory/server.log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$directory/server.log"
        exit 1
    fi
    sleep 0.1
done
indent <"$directory/server.log"
port=$(sed -n 's/^listening on .*://p' "$directory/server.log")
fingerprint=$(sed -n 's/^host key [^ ]* //p' "$directory/server.log")

run() { "$bin/exec" -p "$port" -l demo --batch "$@"; }

step "3. A client that knows the server's fingerprint logs in with the key and runs a command"
show "exec -v -i user_key --fingerprint $fingerprint 127.0.0.1 'echo Hello from the other side; uname -sr'"
run -v -i "$directory/user_key" --fingerprint "$fingerprint" 127.0.0.1 'echo Hello from the other side; uname -sr' \
    >"$directory/output" 2>&1
# One line tells the algorithms, the others are the log.
grep -v '^sshwire' "$directory/output" | indent

step "4. Input and output pass through, and so does the exit status"
show "printf 'three\\none\\ntwo\\n' | exec -i user_key ... 127.0.0.1 'sort; exit 7'"
status=0
printf 'three\none\ntwo\n' \
    | run -i "$directory/user_key" --fingerprint "$fingerprint" 127.0.0.1 'sort; exit 7' >"$directory/output" || status=$?
indent <"$directory/output"
printf '    (exit status %s)\n' "$status"
[ "$status" = 7 ]

step "5. 64 MiB there and back, new keys each 8 MiB while they run"
show "head -c 64M /dev/urandom | tee original | exec --rekey-bytes 8388608 ... 127.0.0.1 cat | cmp - original"
head -c 67108864 /dev/urandom >"$directory/original"
run -i "$directory/user_key" --fingerprint "$fingerprint" --rekey-bytes 8388608 127.0.0.1 cat \
    <"$directory/original" >"$directory/copy"
cmp "$directory/original" "$directory/copy"
printf '    %s bytes, not one of them changed\n' "$(wc -c <"$directory/copy")"

step "6. Files: the same 64 MiB to the server's directory and back; nothing outside of it can be had"
sftp() { "$bin/sftp" -p "$port" -l demo --batch -i "$directory/user_key" --fingerprint "$fingerprint" "$@"; }
show "sftp ... 127.0.0.1 put original photos.tar"
sftp 127.0.0.1 put "$directory/original" photos.tar
show "sftp ... -L 127.0.0.1 ls"
sftp -L 127.0.0.1 ls | indent
show "sftp ... 127.0.0.1 get photos.tar copy"
rm "$directory/copy"
sftp 127.0.0.1 get photos.tar "$directory/copy"
cmp "$directory/original" "$directory/copy"
printf '    %s bytes, not one of them changed\n' "$(wc -c <"$directory/copy")"
show "sftp ... 127.0.0.1 get ../../../etc/passwd"
if sftp 127.0.0.1 get ../../../etc/passwd "$directory/stolen" >"$directory/output" 2>&1; then
    echo "that must not have worked"
    exit 1
fi
indent <"$directory/output"

step "7. A server with another host key is refused before anything is sent to it"
show "exec -i user_key --fingerprint SHA256:AAAA... 127.0.0.1 true"
if run -i "$directory/user_key" --fingerprint SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 127.0.0.1 true \
    >"$directory/output" 2>&1; then
    echo "that must not have worked"
    exit 1
fi
indent <"$directory/output"

step "8. And so is a user whose key the server does not know"
"$bin/keygen" -t ed25519 -f "$directory/other_key" --no-passphrase >/dev/null
show "exec -i other_key --fingerprint ... 127.0.0.1 true"
if run -i "$directory/other_key" --fingerprint "$fingerprint" 127.0.0.1 true >"$directory/output" 2>&1; then
    echo "that must not have worked"
    exit 1
fi
indent <"$directory/output"

step "What the server saw"
sed "s|$directory/||" "$directory/server.log" | grep '^server:' | indent

printf '\nAll of it worked. The programs are in build/bin (try --help), their sources in examples-c.\n'
