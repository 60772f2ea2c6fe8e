"""Turns the figures of run.py into a page with tables and plots."""
import os
import statistics

import budget
import plan
from figures import Figures

NAMES = {plan.GCM: "aes128-gcm", plan.CHACHA: "chacha20-poly1305", plan.CTR: "aes256-ctr + hmac-sha2-256-etm"}
TITLES = {
    "bulk": "Bulk, aes128-gcm", "ciphers": "Bulk, other ciphers", "several": "Several streams at once",
    "handshake": "Handshakes", "trips": "Round trips", "delay": "Bulk over a slow line", "files": "One file by SFTP",
    "slow-files": "One file by SFTP over a slow line", "tree": "10,000 files of 1 KiB by SFTP",
    "active": "500 active connections",
}


def table(head, rows):
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(text + ["| " + " | ".join(row) + " |" for row in rows])


def spread(values, form):
    return f"{form(statistics.median(values))} ({form(min(values))}–{form(max(values))})"


def megabytes(value):
    return f"{value / 1e6:,.0f}"


def whole(value):
    return f"{value:,.0f}"


def cpu(values, mode):
    """CPU seconds for each GiB, or microseconds for each round trip, handshake or file."""
    value = statistics.median(values)
    return f"{value * budget.GIB:.2f}" if mode in plan.BULK else f"{value * 1e6:,.0f}"


def budget_table(figures):
    rows = []
    for line in budget.lines(figures):
        ratio = "" if line.ratio is None else f"{line.ratio:.2f} ×"
        theirs = f"{budget.shown(line.theirs, line.unit)} ({line.against})" if line.theirs is not None else line.against
        rows.append([line.text, budget.shown(line.ours, line.unit), theirs, ratio, line.must, line.aim, line.verdict])
    return table(["", "libsshwire", "compared with", "ratio", "must be", "aim", ""], rows)


def label_of(key):
    mode, cipher, client, server, delay, kex = key
    words = [mode] + ([NAMES[cipher]] if cipher != plan.GCM else []) + ([f"{delay} ms"] if delay else [])
    return ", ".join(words + ([kex] if kex else [])), f"{client} → {server}"


def group_table(figures, group):
    rows = []
    keys = [key for key, results in figures.tasks.items() if results[0]["group"] == group and key[2] != "wire"]
    def place(key):
        """What belongs together, the quickest first."""
        mode, cipher, client, server, delay, kex = key
        rate = figures.median("rate", mode, client, server, cipher=cipher, delay=delay, kex=kex)
        return delay, cipher != plan.GCM, cipher, mode, kex, -rate

    keys.sort(key=place)
    for key in keys:
        mode, cipher, client, server, delay, kex = key
        if mode == "first":
            continue
        named = {"cipher": cipher, "delay": delay, "kex": kex}
        form = megabytes if mode in plan.BULK else whole
        what, pair = label_of(key)
        rows.append([
            what, pair, spread(figures.values("rate", mode, client, server, **named), form),
            cpu(figures.values("client_cpu", mode, client, server, **named), mode),
            cpu(figures.values("server_cpu", mode, client, server, **named), mode),
        ])
    bulk = all(key[0] in plan.BULK for key in keys)
    unit, each = ("MB/s", "s/GiB") if bulk else ("per second", "µs each")
    return table(["", "client → server", unit, f"client CPU, {each}", f"server CPU, {each}"], rows)


def limit_table(figures):
    rows = []
    for cipher, name in NAMES.items():
        if figures.wire("rate", cipher):
            rows.append([
                name, megabytes(figures.wire("rate", cipher)), f"{figures.wire('client_cpu', cipher) * budget.GIB:.2f}",
                f"{figures.wire('server_cpu', cipher) * budget.GIB:.2f}",
            ])
    head = ["framing and cipher, no protocol", "MB/s", "receiver CPU, s/GiB", "sender CPU, s/GiB"]
    return table(head, rows) if rows else ""


def idle_table(idle):
    def kib(one, side):
        return f"{one[side]:.1f}" if side in one else "–"
    rows = [
        [name, whole(one["connections"]), kib(one, "client_kib"), kib(one, "server_kib")]
        for name, one in idle.items() if name != "many"
    ]
    text = table(["", "connections", "client, KiB for each", "server, KiB for each"], rows) if rows else ""
    ours, many = idle.get("sshwire"), idle.get("many")
    if ours:
        text += (
            f"\n\nThreads with {ours['connections']:,} connections: {ours['client_threads']} in our client, "
            f"{ours['server_threads']} in our server ({ours['server_threads_before']} before)."
        )
    if many:
        text += (
            f"\n\n{many['connections']:,} connections in one server process: made in {many['seconds_to_connect']:.1f} s, "
            f"{many['threads']} threads ({many['threads_before']} before), {many['kib']:.1f} KiB for each, "
            f"{many['cpu_percent']:.2f} % of one core while each was asked every {many['keepalive']} s."
        )
    return text


def text(run):
    """The page, without its introduction."""
    figures = Figures(run)
    parts = ["## The budget\n", budget_table(figures)]
    for group in plan.GROUPS:
        if any(results[0]["group"] == group for results in figures.tasks.values()):
            parts += [f"\n## {TITLES[group]}\n", group_table(figures, group)]
            if group == "bulk" and limit_table(figures):
                parts += ["", limit_table(figures)]
    if figures.idle:
        parts += ["\n## Idle connections\n", idle_table(figures.idle)]
    return "\n".join(parts)


INTRODUCTION = """# Performance

Written by `make -C benches run`; changes made here are lost.

{cpu}, {cores} cores, Linux {kernel}; {openssh}; libsshwire at {revision}, {date}. {repetitions} repetitions, which took
{minutes:.1f} minutes, with a load of {load:.1f} on the machine before they began.
{absent_text}{failed_text}
{plots}

## What is measured

Clients and servers over the loopback interface of one machine, whose cores they share. Each repetition goes through
everything in a new random order, so that what drifts on the machine hits all alike. Compare figures within this page only.
Figures are medians, with the lowest and the highest in brackets. Key exchange is {kex} unless another one is named, the host
key {host_key}, the user's key Ed25519, and the MAC, where the cipher needs one, {mac}. Our programs are
`benches/contract_client.c` and `benches/contract_server.c`, over the public header alone; the other libraries' programs follow
the same command line.

- *down* is a command that writes zeros, read to the end; *up* writes to a command that throws it away, until its exit
  status is here. Connecting is not counted in the rate. In the server's CPU time it is.
- *both* goes to `cat` and back at once; its rate counts one way. *channels* is *down* over 16 channels of one connection.
- *handshake* is a whole connection: TCP, key exchange, public key, disconnect. OpenSSH's client runs `true` as well and
  is a process each time, so its figures are those of the program a person calls, not of its protocol code.
- *echo* sends one byte to `cat` and waits for it to come back. *exec* runs `true` on a connection that is open.
- Our server and the other libraries' answer these commands themselves; sshd starts real processes.
- A slow line is a program between the two that holds each byte back for half of the time named, at any rate.
- *sftpget* and *sftpput* move a file in one call, *sftpread* and *sftpwrite* in plain calls of 32 KiB. Files are in memory.
  What OpenSSH's `sftp` takes for logging in and out is measured and taken off.
- *active* is a byte every 10 ms on each connection, to `cat` and back; the client is ours. Of our server's echoes
  eight have a thread each, which is what *echo* and *both* use, and all others share one (`benches/contract_echoes.c`).
- *Idle* is resident memory: the growth of the one process divided by the connections, and for servers with a process for each
  connection that of all of them, shared pages counted once (PSS).

"""

COLOURS = {"sshwire": "#1b6ca8", "openssh": "#b5651d", "libssh": "#8a8d3b", "russh": "#9b59b6", "go": "#3aa6a0"}
BAR, GAP, LEFT, WIDTH, TOP = 16, 12, 300, 960, 40


def svg(title, groups, form):
    """Horizontal bars, in groups with a heading each, coloured by who it is."""
    most = max((value for _, bars in groups for _, _, value in bars), default=1) or 1
    height = TOP + sum(22 + len(bars) * BAR + GAP for _, bars in groups)
    scale = (WIDTH - LEFT - 90) / most
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15" fill="#222">{title}</text>',
    ]
    y = TOP
    for heading, bars in groups:
        out.append(f'<text x="12" y="{y + 14}" font-weight="bold" fill="#222">{heading}</text>')
        y += 22
        for who, label, value in bars:
            width = max(1.0, value * scale)
            out.append(f'<text x="{LEFT - 10}" y="{y + 11}" text-anchor="end" fill="#222">{label}</text>')
            colour = COLOURS.get(who, "#999999")
            out.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 3}" fill="{colour}"/>')
            out.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 11}" font-size="11" fill="#444">{form(value)}</text>')
            y += BAR
        y += GAP
    out.append("</svg>")
    return "\n".join(out) + "\n"


def bars_of(figures, what, tasks, side=0):
    """Bars of tasks that differ in who takes part; `side` tells whose colour they have."""
    found = []
    for task in tasks:
        mode, client, server, more = task
        value = figures.median(what, mode, client, server, **more)
        if value:
            found.append(((client, server)[side], f"{client} → {server}", value))
    return found


def plots(figures):
    """The end of the name, the title and the groups of bars of each plot, and how its values are written."""
    everyone = [(client, server) for client in plan.CLIENTS for server in plan.SERVERS]
    alike = [(peer, peer) for peer in plan.SERVERS]
    with_ours = sorted({pair for pair in everyone if "sshwire" in pair} | set(alike))
    with_russh = [(peer, "russh") for peer in plan.CLIENTS if peer != "russh"]

    def bars(what, mode, pairs, side=0, **more):
        return bars_of(figures, what, [(mode, *pair, more) for pair in pairs], side)

    def gib(value):
        return f"{value * budget.GIB:.2f}"
    yield "", "One stream, MB/s (client → server)", [
        (f"{mode}, {name}", bars("rate", mode, with_ours, cipher=cipher))
        for cipher, name in NAMES.items() for mode in ("down", "up")
    ], megabytes
    yield "-cpu", "CPU seconds for each GiB, aes128-gcm", [
        ("client, download from sshd", bars("client_cpu", "down", [(peer, "openssh") for peer in plan.CLIENTS[:6]])),
        ("client, upload to sshd", bars("client_cpu", "up", [(peer, "openssh") for peer in plan.CLIENTS[:6]])),
        ("server, download by OpenSSH", bars("server_cpu", "down", [("openssh", peer) for peer in plan.SERVERS], 1)),
        ("server, upload by OpenSSH", bars("server_cpu", "up", [("openssh", peer) for peer in plan.SERVERS], 1)),
    ], gib
    yield "-trips", "For each second", [
        ("handshakes", bars("rate", "handshake", alike)),
        ("echo of one byte", bars("rate", "echo", alike + with_russh)),
        ("commands on one connection", bars("rate", "exec", alike + with_russh)),
    ], whole
    yield "-files", "SFTP, MB/s", [
        (f"{mode[4:]}{f', {delay} ms' if delay else ''}", bars("rate", mode, everyone, delay=delay))
        for delay in (0,) + plan.FILE_DELAYS for mode in ("sftpget", "sftpput")
    ], megabytes
    yield "-slow", "One stream over a slow line, MB/s", [
        (f"{mode}, {delay} ms", bars("rate", mode, everyone, delay=delay))
        for delay in plan.DELAYS for mode in ("down", "up")
    ], megabytes


def write(folder, run):
    figures, facts = Figures(run), dict(run["facts"])
    shown = []
    for name, title, groups, form in plots(figures):
        groups = [group for group in groups if group[1]]
        if groups:
            shown.append(f"![{title}](performance{name}.svg)")
            with open(os.path.join(folder, f"performance{name}.svg"), "w", encoding="utf-8") as file:
                file.write(svg(title, groups, form))
    facts["plots"] = "\n\n".join(shown)
    facts["absent_text"] = f"Absent: {', '.join(facts['absent'])}.\n" if facts["absent"] else ""
    facts["failed_text"] = f"Failed: {'; '.join(facts['failed'])}.\n" if facts["failed"] else ""
    with open(os.path.join(folder, "performance.md"), "w", encoding="utf-8") as file:
        file.write(INTRODUCTION.format(**facts) + text(run) + "\n")
