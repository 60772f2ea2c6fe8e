"""The budget: for each line our figure, what it is compared with, the ratio, and whether that is enough."""
import collections

import plan

Line = collections.namedtuple("Line", "text ours theirs against ratio must aim verdict unit")
PEERS = ("openssh", "libssh", "libssh2", "russh", "go", "paramiko", "asyncssh")
FILE_PEERS = plan.FILE_CLIENTS
GIB = 1 << 30


def judge(ratio, must, aim):
    """Ratios that must be at least something are given as positive limits, at most something as negative ones.

    Some lines have only an aim.
    """
    def holds(limit):
        return ratio >= limit if limit > 0 else ratio <= -limit
    if ratio is None:
        return "not measured"
    if aim is not None and holds(aim):
        return "aim reached"
    if must is None:
        return "aim not reached"
    return "reached" if holds(must) else "**missed**"


def limit_text(limit):
    if limit is None:
        return ""
    return f"≥ {limit:g} ×" if limit > 0 else f"≤ {-limit:g} ×"


class Budget:
    """Collects the lines."""

    def __init__(self, figures):
        self.figures, self.lines = figures, []

    def add(self, text, ours, theirs, against, must, aim=None, unit="MB/s"):
        ratio = ours / theirs if ours is not None and theirs else None
        self.lines.append(
            Line(text, ours, theirs, against, ratio, limit_text(must), limit_text(aim), judge(ratio, must, aim), unit)
        )

    def absolute(self, text, ours, must, aim=None, unit=""):
        """A line with a limit of its own, not a ratio."""
        verdict = judge(ours, must, aim)
        must, aim = (limit_text(one).replace(" ×", f" {unit}".rstrip()) for one in (must, aim))
        self.lines.append(Line(text, ours, None, "", None, must, aim, verdict, unit))

    def best(self, what, mode, pairs, better=max, **more):
        value, pair = self.figures.best(what, mode, pairs, better, **more)
        return value, f"{pair[0]} → {pair[1]}" if pair else "no peer"


def bulk(budget):
    figures, ours = budget.figures, ("sshwire", "sshwire")
    for mode in ("down", "up"):
        rate = figures.median("rate", mode, *ours)
        text = f"{mode}, our client and server, aes128-gcm"
        for peer, must in (("russh", 1.05), ("openssh", 2)):
            budget.add(text, rate, figures.median("rate", mode, peer, peer), f"{peer} → {peer}", must)
        budget.add(text, rate, figures.wire("rate"), "the wire limit", None, 0.85)
    for mode, must, aim in (("down", -0.9, -0.7), ("up", -0.95, -0.8)):
        for server in ("openssh", "russh"):
            peers = [(peer, server) for peer in PEERS]
            budget.add(
                f"{mode} with {server}, aes128-gcm: client CPU per GiB",
                figures.median("client_cpu", mode, "sshwire", server),
                *budget.best("client_cpu", mode, peers, min), must, aim, "s/GiB",
            )
    for mode in ("down", "up"):
        for client in ("openssh", "russh"):
            cpu = figures.median("server_cpu", mode, client, "sshwire")
            text = f"{mode}, {client}'s client, aes128-gcm: server CPU per GiB"
            budget.add(text, cpu, figures.median("server_cpu", mode, client, "openssh"), "sshd", -0.4, unit="s/GiB")
            peers = [(client, server) for server in plan.SERVERS[1:]]
            budget.add(text, cpu, *budget.best("server_cpu", mode, peers, min), -1, -0.9, "s/GiB")


def ciphers(budget):
    figures = budget.figures
    for cipher, must in ((plan.CTR, -1), (plan.CHACHA, -1.1)):
        for mode in ("down", "up"):
            name = cipher.split("@", maxsplit=1)[0]
            budget.add(
                f"{mode} with openssh, {name}: client CPU per GiB",
                figures.median("client_cpu", mode, "sshwire", "openssh", cipher=cipher),
                *budget.best("client_cpu", mode, [(peer, "openssh") for peer in PEERS], min, cipher=cipher),
                must, -0.9, "s/GiB",
            )
            budget.add(
                f"{mode}, openssh's client, {name}: server CPU per GiB",
                figures.median("server_cpu", mode, "openssh", "sshwire", cipher=cipher),
                *budget.best("server_cpu", mode, [("openssh", peer) for peer in plan.SERVERS[1:]], min, cipher=cipher),
                must, -0.9, "s/GiB",
            )


def several(budget):
    figures, ours = budget.figures, ("sshwire", "sshwire")
    one_way = figures.median("rate", "down", *ours)
    both = figures.median("rate", "both", *ours)
    # Each byte goes there and back.
    budget.add("both directions at once", both and 2 * both, one_way, "one direction", 1.2)
    budget.add("16 channels at once, total", figures.median("rate", "channels", *ours), one_way, "one channel", 0.95)
    budget.absolute("16 channels at once: the slowest", figures.median("slowest", "channels", *ours), 0.8, unit="× mean")


def round_trips(budget):
    figures, ours = budget.figures, ("sshwire", "sshwire")
    russh = figures.median("rate", "handshake", "russh", "russh")
    rate = figures.median("rate", "handshake", *ours)
    budget.add("handshakes, curve25519", rate, russh, "russh → russh", 1.7, unit="/s")
    budget.add(
        "handshakes, mlkem768x25519", figures.median("rate", "handshake", *ours, kex=plan.MLKEM), russh,
        "russh → russh, curve25519", 1.3, unit="/s",
    )
    with_russh = [(peer, "russh") for peer in PEERS]
    budget.add(
        "echo of 1 byte, russh server", figures.median("rate", "echo", "sshwire", "russh"),
        *budget.best("rate", "echo", with_russh), 1.1, unit="/s",
    )
    echo = figures.median("rate", "echo", *ours)
    budget.add("echo, our client and server", echo, figures.median("rate", "echo", "tcp", "tcp"), "TCP", None, 0.75, "/s")
    budget.add(
        "echo, our client and server", echo, figures.median("rate", "echo", "russh", "russh"), "russh → russh", 1.3,
        unit="/s",
    )
    peer, name = budget.best("rate", "exec", with_russh)
    budget.add(
        "exec, russh server", figures.median("rate", "exec", "sshwire", "russh"), peer, name, 1.1, unit="/s",
    )
    budget.add("exec, our client and server", figures.median("rate", "exec", *ours), peer, name, None, 1.5, "/s")


def delays(budget):
    figures = budget.figures
    for delay in plan.DELAYS:
        down = budget.best("rate", "down", [(peer, "openssh") for peer in PEERS], delay=delay)
        for text, mode, server in (
            ("download from sshd", "down", "openssh"),
            ("download from our server", "down", "sshwire"),
            ("upload to our server", "up", "sshwire"),
        ):
            rate = figures.median("rate", mode, "sshwire", server, delay=delay)
            budget.add(f"{delay} ms: {text}", rate, *down, 5)
            tcp = figures.median("rate", mode, "tcp", "tcp", delay=delay)
            budget.add(f"{delay} ms: {text}", rate, tcp, "TCP", None, 0.9)
        up = budget.best("rate", "up", [(peer, "openssh") for peer in PEERS], delay=delay)
        budget.add(
            f"{delay} ms: upload to sshd", figures.median("rate", "up", "sshwire", "openssh", delay=delay), *up, 0.98
        )


def files(budget):
    figures = budget.figures
    for modes, bare in ((("sftpget", "sftpread"), "down"), (("sftpput", "sftpwrite"), "up")):
        for mode in modes:
            for server in ("openssh", "sshwire"):
                rate = figures.median("rate", mode, "sshwire", server)
                text = f"SFTP {mode[4:]} with {'sshd' if server == 'openssh' else 'our server'}"
                openssh = figures.median("rate", modes[0], "openssh", "openssh")
                budget.add(text, rate, openssh, "openssh → openssh", 1.3)
                libssh = figures.median("rate", modes[0], "libssh", "openssh")
                budget.add(text, rate, libssh, "libssh → openssh", 3)
                budget.add(text, rate, figures.median("rate", bare, "sshwire", server), "a bare channel", None, 0.8)
    for delay in plan.FILE_DELAYS:
        for mode, server in (("sftpget", "openssh"), ("sftpget", "sshwire"), ("sftpput", "sshwire")):
            budget.add(
                f"{delay} ms: SFTP {mode[4:]} with {'sshd' if server == 'openssh' else 'our server'}",
                figures.median("rate", mode, "sshwire", server, delay=delay),
                figures.median("rate", mode, "openssh", "openssh", delay=delay), "openssh → openssh",
                4 if delay >= 100 else 1,
            )
        budget.add(
            f"{delay} ms: SFTP put with sshd", figures.median("rate", "sftpput", "sshwire", "openssh", delay=delay),
            *budget.best("rate", "sftpput", [(peer, "openssh") for peer in FILE_PEERS], delay=delay), 1,
        )
    for mode in ("sftpputtree", "sftpgettree"):
        for server in ("openssh", "sshwire"):
            budget.add(
                f"10,000 files of 1 KiB, {mode[4:7]} with {'sshd' if server == 'openssh' else 'our server'}",
                figures.median("rate", mode, "sshwire", server),
                figures.median("rate", mode, "openssh", "openssh"), "openssh → openssh", 3, unit="files/s",
            )


def connections(budget):
    figures, idle = budget.figures, budget.figures.idle
    for side in ("client", "server"):
        key = f"{side}_kib"
        peers = {name: one[key] for name, one in idle.items() if name not in ("sshwire", "many") and key in one}
        best = min(peers, key=peers.get) if peers else None
        budget.add(
            f"memory of an idle connection, {side}", idle.get("sshwire", {}).get(key), peers.get(best), best or "no peer",
            -0.8, unit="KiB",
        )
        budget.absolute(f"memory of an idle connection, {side}", idle.get("sshwire", {}).get(key), None, -12, "KiB")
    many = idle.get("many", {})
    count = many.get("connections", idle.get("sshwire", {}).get("connections", 0))
    budget.absolute(f"{count:,} idle connections: server CPU", many.get("cpu_percent"), -1, unit="%")
    p50, p99 = (figures.median(name, "active", "sshwire", "sshwire") for name in ("p50_us", "p99_us"))
    budget.add("500 active connections: 99th percentile of an echo", p99, p50, "the median", -3, unit="µs")
    budget.add(
        "500 active connections, total", figures.median("rate", "active", "sshwire", "sshwire"),
        *budget.best("rate", "active", [("sshwire", "russh"), ("sshwire", "go")]), 1, unit="/s",
    )
    size = figures.facts.get("library_bytes")
    budget.absolute("size of the stripped library", size and size / (1 << 20), -4, -3, "MiB")
    first = figures.median("seconds", "first", "sshwire", "none")
    budget.absolute("first ssh_transport_new", first and 1000 * first, -5, unit="ms")


def lines(figures):
    budget = Budget(figures)
    for part in (bulk, ciphers, several, round_trips, delays, files, connections):
        part(budget)
    return budget.lines


def shown(value, unit):
    if value is None:
        return "–"
    if unit == "MB/s":
        return f"{value / 1e6:,.0f} MB/s"
    if unit == "s/GiB":
        return f"{value * GIB:.2f} s/GiB"
    if unit in ("/s", "files/s", "µs"):
        return f"{value:,.0f} {unit}" if unit != "/s" else f"{value:,.0f}/s"
    return f"{value:.2f} {unit}"
