#!/bin/bash
# pair.sh SERVER CLIENT: the example programs of one language, the one against the other. A server takes PORT
# PUBLIC-KEY-LINE and says its host key; a client takes HOST:PORT HOST-KEY-LINE USER PRIVATE-KEY-FILE COMMAND. Each may
# be several words.
set -u
read -ra server <<<"$1"
read -ra client <<<"$2"
work=$(mktemp -d)
server_pid=
trap '[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null; rm -rf "$work"' EXIT

keygen=$(cd "$(dirname "$0")/../.." && pwd)/build/bin/keygen
for name in friend stranger; do "$keygen" -N -f "$work/$name" >"$work/keygen.log" || exit 1; done
for i in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + (RANDOM + i) % 20000))
    "${server[@]}" "$port" "$(cut -d' ' -f1,2 "$work/friend.pub")" >"$work/host_key" 2>"$work/server.log" &
    server_pid=$!
    while kill -0 "$server_pid" 2>/dev/null && [ ! -s "$work/host_key" ]; do sleep 0.05; done
    [ ! -s "$work/host_key" ] || break
    wait "$server_pid"
    server_pid=
done
[ -n "$server_pid" ] || { cat "$work/server.log"; echo "the server does not start"; exit 1; }
sleep 0.1
host_key=$(cut -d' ' -f1,2 "$work/host_key")

said=$("${client[@]}" "127.0.0.1:$port" "$host_key" alice "$work/friend" "good morning") \
    || { cat "$work/server.log"; echo "the client failed"; exit 1; }
[ "$said" = "You said: good morning" ] || { echo "the client said: $said"; exit 1; }
refuse() { # WHAT-IT-MUST-SAY ARGUMENT...
    if "${client[@]}" "${@:2}" >"$work/said" 2>&1 || ! grep -q "$1" "$work/said"; then
        cat "$work/said"
        echo "not refused with $1"
        exit 1
    fi
}
refuse SSH_ERR_AUTH "127.0.0.1:$port" "$host_key" alice "$work/stranger" "good morning"
refuse SSH_ERR_HOSTKEY "127.0.0.1:$port" "$(cut -d' ' -f1,2 "$work/stranger.pub")" alice "$work/friend" "good morning"
