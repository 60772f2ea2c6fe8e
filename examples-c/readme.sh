#!/bin/bash
# Compiles the two C programs of README.md as they stand there, and has one talk to the other.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=$root/build/prefix
directory=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$directory"
}
trap finish EXIT

awk -v directory="$directory" '/^```c$/ {n++; inside=1; next} /^```$/ {inside=0} inside {print > (directory "/" n ".c")}' \
    "$root/README.md"
for program in 1 2; do
    # Not on the port of the README, which may be taken.
    sed -i 's/"localhost", 2222,/"localhost", PORT,/' "$directory/$program.c"
done
port=0
for port in 22221 22222 22223 22224 22225; do
    for program in 1 2; do
        "${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -DPORT="$port" -o "$directory/$program" \
            "$directory/$program.c" -I"$prefix/include" -L"$prefix/lib" -Wl,-rpath,"$prefix/lib" -lsshwire
    done
    "$directory/2" >"$directory/host_key" &
    server=$!
    sleep 1
    kill -0 "$server" 2>/dev/null && break
    server=
done
if [ -z "$server" ]; then
    echo "the server of the README does not start"
    exit 1
fi
says() { timeout 30 "$directory/1" "127.0.0.1:$port" "$(cat "$directory/host_key")" "$@"; }
# Others that are there already are no hindrance, and those that say nothing neither.
exec 3<>"/dev/tcp/127.0.0.1/$port" 4<>"/dev/tcp/127.0.0.1/$port"
output=$(says alice wonderland 'good morning')
echo "$output"
[ "$output" = "good morning" ]
running=
for number in 1 2 3 4 5 6 7 8; do
    says alice wonderland "number $number" >"$directory/said$number" &
    running="$running $!"
done
for one in $running; do wait "$one"; done
for number in 1 2 3 4 5 6 7 8; do [ "$(cat "$directory/said$number")" = "number $number" ]; done
exec 3>&- 4>&-
if says alice looking-glass 'good morning' 2>"$directory/refusal"; then
    echo "a wrong password was enough"
    exit 1
fi
cat "$directory/refusal"
