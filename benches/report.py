"""Turns the figures of run.py into tables and a plot."""
import os
import statistics

PAIRS = [("sshwire", "sshwire"), ("sshwire", "openssh"), ("openssh", "sshwire"), ("openssh", "openssh")]
NAMES = {
    "aes128-gcm@openssh.com": "aes128-gcm", "aes256-gcm@openssh.com": "aes256-gcm",
    "chacha20-poly1305@openssh.com": "chacha20-poly1305", "aes256-ctr": "aes256-ctr + hmac-sha2-256-etm",
}
RATES = {"handshake": "handshakes", "echo": "echo round trips", "exec": "commands"}


def group(results):
    """The repetitions of each combination."""
    groups = {}
    for result in results:
        key = (result["mode"], result["cipher"], result["client"], result["server"])
        groups.setdefault(key, []).append(result)
    return groups


def rates(repetitions):
    return [result["amount"] / result["seconds"] for result in repetitions]


def spread(values, form):
    return f"{form(statistics.median(values))} ({form(min(values))}–{form(max(values))})"


def pair_name(pair):
    return f"{pair[0]} → {pair[1]}"


def lines_of(groups, modes):
    return sorted({key[:2] for key in groups if key[0] in modes}, key=lambda key: (modes.index(key[0]), order(key[1])))


def order(cipher):
    return list(NAMES).index(cipher) if cipher in NAMES else len(NAMES)


def table(head, rows):
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(text + ["| " + " | ".join(row) + " |" for row in rows])


def rate_table(groups, modes, unit, label):
    rows = []
    for line in lines_of(groups, modes):
        cells, medians = [label(line)], {}
        for pair in PAIRS:
            values = rates(groups[line + pair]) if line + pair in groups else []
            cells.append(spread(values, unit) if values else "–")
            if values:
                medians[pair] = statistics.median(values)
        ours, theirs = medians.get(PAIRS[0]), medians.get(PAIRS[-1])
        cells.append(f"**{ours / theirs:.1f}×**" if ours and theirs else "–")
        rows.append(cells)
    return table(["", *map(pair_name, PAIRS), "ours / OpenSSH"], rows)


def cpu_table(groups, modes, scale, label):
    rows = []
    for line in lines_of(groups, modes):
        cells = [label(line)]
        for pair in PAIRS:
            repetitions = groups.get(line + pair)
            if not repetitions:
                cells.append("–")
                continue
            client, server = (
                statistics.median(scale(line[0]) * result[side] / result["amount"] for result in repetitions)
                for side in ("client_cpu", "server_cpu")
            )
            cells.append(f"{client:.2f} + {server:.2f}")
        rows.append(cells)
    return table(["", *map(pair_name, PAIRS)], rows)


def bulk_label(line):
    return f"{line[0]}, {NAMES.get(line[1], line[1])}"


def megabytes(value):
    return f"{value / 1e6:,.0f}"


def whole(value):
    return f"{value:,.0f}"


def idle_table(idle):
    ours, theirs = idle["sshwire"], idle["openssh"]
    rows = [
        ["sshwire server", whole(ours["connections"]), f"{ours['server_kib']:.1f}",
         f"{ours['server_threads']} threads in one process"],
        ["sshwire client", whole(ours["connections"]), f"{ours['client_kib']:.1f}",
         f"{ours['client_threads']} threads in one process"],
        ["OpenSSH server", whole(theirs["connections"]), f"{theirs['server_kib']:.1f}",
         f"{theirs['server_processes']:.0f} processes for each connection"],
        ["OpenSSH client", whole(theirs["connections"]), f"{theirs['client_kib']:.1f}",
         "1 process for each connection"],
    ]
    return table(["", "idle connections", "KiB for each", ""], rows)


def text(facts, idle, results):
    """The page, without its introduction."""
    parts = ["## Idle connections\n", idle_table(idle)]
    if results:
        groups = group(results)
        parts += [
            "\n## Bulk\n",
            f"MB/s over one channel, median (lowest–highest) of {facts['repetitions']} times "
            f"{facts['bulk_mib']} MiB; client → server.\n",
            rate_table(groups, ["down", "up"], megabytes, bulk_label),
            "\nCPU seconds for each GiB, client + server:\n",
            cpu_table(groups, ["down", "up"], lambda _: 1 << 30, bulk_label),
            "\n## Round trips\n",
            "For each second, with the first cipher above.\n",
            rate_table(groups, list(RATES), whole, lambda line: RATES[line[0]]),
            "\nCPU milliseconds for each, client + server:\n",
            cpu_table(groups, list(RATES), lambda _: 1000, lambda line: RATES[line[0]]),
        ]
    return "\n".join(parts)


INTRODUCTION = """# Performance

Written by `make -C benches run`; changes made here are lost.

![Bulk throughput of each pair of client and server](performance.svg)

{cpu}, {cores} cores, Linux {kernel}; {openssh}; libsshwire at {revision}, {date}. The run took {minutes:.1f} minutes,
with a load of {load:.1f} on the machine before it began.

## What is measured

Four pairs, libsshwire and OpenSSH as client and as server, over the loopback interface of one machine, where client and
server share its cores. Each repetition goes through everything in a new random order, so that what drifts on the machine
hits all pairs alike. Compare figures within this page only. Key exchange is {kex}, the host key {host_key}, the user's
key Ed25519, and the MAC, where the cipher needs one, {mac}. The programs are `benches/contract_client.c` and
`benches/contract_server.c`, over the public header alone.

- *down* is a command that writes zeros, read to the end; *up* writes to a command that throws it away, until its exit
  status is here. Connecting is not counted in the rate. In the server's CPU time it is.
- *handshake* is a whole connection: TCP, key exchange, public key, disconnect. OpenSSH's client runs `true` as well and
  is a process each time, so its figures are those of the program a person calls, not of its protocol code.
- *echo* sends one byte to `cat` and waits for it to come back.
- *exec* runs `true` on a connection that is open. OpenSSH's client does that through a control socket, with a process
  each time.
- Our server answers these commands itself; sshd starts real processes, which costs it most of *exec* and some of the rest.
- *Idle* is resident memory: for ours the growth of the one process divided by the connections, for OpenSSH that of all
  its processes with shared pages counted once (PSS).

"""


def bars(groups):
    """One group of bars for each direction and cipher."""
    return [
        (bulk_label(line), [statistics.median(rates(groups[line + pair])) if line + pair in groups else 0 for pair in PAIRS])
        for line in lines_of(groups, ["down", "up"])
    ]


COLOURS = ["#1b6ca8", "#7fb4d9", "#e0b173", "#b5651d"]
BAR, GAP, LEFT, WIDTH, TOP = 14, 14, 270, 960, 66


def svg(groups):
    data = bars(groups)
    most = max((value for _, values in data for value in values), default=1) or 1
    height = TOP + len(data) * (BAR * len(PAIRS) + GAP) + 10
    scale = (WIDTH - LEFT - 90) / most
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="22" font-size="15" fill="#222">Bulk throughput over loopback, MB/s (client → server)</text>',
    ]
    for index, pair in enumerate(PAIRS):
        x = 12 + index * 180
        out.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{COLOURS[index]}"/>')
        out.append(f'<text x="{x + 18}" y="46" fill="#222">{pair_name(pair)}</text>')
    y = TOP
    for label, values in data:
        middle = y + BAR * len(PAIRS) / 2 + 4
        out.append(f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end" fill="#222">{label}</text>')
        for index, value in enumerate(values):
            top = y + index * BAR
            width = max(1.0, value * scale)
            out.append(f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[index]}"/>')
            out.append(f'<text x="{LEFT + width + 6:.1f}" y="{top + 10}" font-size="10" fill="#444">{megabytes(value)}</text>')
        y += BAR * len(PAIRS) + GAP
    out.append("</svg>")
    return "\n".join(out) + "\n"


def write(folder, facts, idle, results):
    with open(os.path.join(folder, "performance.md"), "w", encoding="utf-8") as file:
        file.write(INTRODUCTION.format(**facts) + text(facts, idle, results) + "\n")
    with open(os.path.join(folder, "performance.svg"), "w", encoding="utf-8") as file:
        file.write(svg(group(results)))
