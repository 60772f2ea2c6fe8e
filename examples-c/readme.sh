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
# Not on the port of the README, which may be taken.
sed -i 's/"localhost", 2222,/"localhost", PORT,/' "$directory/2.c"
# Starts the server in a file on a port that is free.
serve() { # FILE
    for port in 22221 22222 22223 22224 22225; do
        "${CC:-cc}" "${options[@]}" -DPORT="$port" -o "$directory/server" "$1" "${library[@]}"
        "$directory/server" >"$directory/host_key" &
        server=$!
        sleep 1
        kill -0 "$server" 2>/dev/null && return
        server=
    done
    echo "the server of the README does not start"
    exit 1
}
options=(-std=c11 -Wall -Wextra -Wpedantic -Werror)
library=("-I$prefix/include" "-L$prefix/lib" "-Wl,-rpath,$prefix/lib" -lsshwire)
"${CC:-cc}" "${options[@]}" -o "$directory/client" "$directory/1.c" "${library[@]}"
serve "$directory/2.c"
says() { timeout 30 "$directory/client" "127.0.0.1:$port" "$(cat "$directory/host_key")" "$@"; }
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

# The client says so where a server does not do what it was asked.
fails() { # HOW SED-EXPRESSION
    kill "$server"
    sed "$2" "$directory/2.c" >"$directory/3.c"
    if cmp -s "$directory/2.c" "$directory/3.c"; then
        echo "$1: the server of the README has changed, and its change with it"
        exit 1
    fi
    serve "$directory/3.c"
    local status=0
    says alice wonderland 'good morning' >/dev/null || status=$?
    echo "$1: $status"
    [ "$status" = 255 ]
}
fails "a command that is refused" 's/SSH_REQUEST_EXEC, on_exec/SSH_REQUEST_SHELL, on_exec/'
fails "a channel that is refused" 's/SSH_REQUEST_CHANNEL_OPEN, on_open/SSH_REQUEST_SUBSYSTEM, on_open/'
fails "a command that a signal ends" 's/send_exit_status(channel, 0)/send_exit_signal(channel, "KILL", false, "")/'
fails "a connection that is lost" 's/ssh_channel_send_exit_status(channel, 0)/_exit(0)/; 1i #include <unistd.h>'
