"""What is measured: every combination of a client, a server and a task that the budget asks for, and some beside it."""
import collections

GCM, CHACHA, CTR = "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"
CIPHERS = (GCM, CHACHA, CTR)
MLKEM = "mlkem768x25519-sha256"
KEX = "curve25519-sha256"
GROUPS = ("bulk", "ciphers", "several", "handshake", "trips", "delay", "files", "slow-files", "tree", "active")
# Peers whose figures are so much lower that they get less to do.
SLOW = ("paramiko", "asyncssh")
CLIENTS = ("sshwire", "openssh", "libssh", "libssh2", "russh", "go", "paramiko", "asyncssh")
SERVERS = ("sshwire", "openssh", "libssh", "russh", "go")
FILE_CLIENTS = ("openssh", "libssh", "libssh2", "paramiko", "asyncssh")
DELAYS, FILE_DELAYS = (50, 200), (10, 100)
MIB = 1 << 20
BULK = ("down", "up", "both", "channels", "sftpget", "sftpput", "sftpread", "sftpwrite")
TREE_FILES, TREE_SIZE = 10000, 1024
ACTIVE = 500

# Milliseconds of a round trip in `delay`; `kex` is empty for the one that all figures are taken with.
Task = collections.namedtuple("Task", "group mode cipher client server delay kex amount")


def task(group, mode, client, server, amount, cipher=GCM, delay=0, kex=""):
    return Task(group, mode, cipher, client, server, delay, kex, amount)


def pairs_of_bulk(clients, servers):
    """Our pair, the peers' own pairs, all clients with two servers, and two clients with all servers."""
    pairs = {("sshwire", "sshwire"), ("openssh", "openssh"), ("russh", "russh")}
    pairs |= {(client, server) for client in clients for server in ("openssh", "russh")}
    pairs |= {(client, server) for client in ("openssh", "russh") for server in servers}
    return sorted(pairs)


def bulk():
    for client, server in pairs_of_bulk(CLIENTS, SERVERS):
        for mode in ("down", "up"):
            yield task("bulk", mode, client, server, (64 if client in SLOW else 512) * MIB)
    for mode in ("down", "up"):
        yield task("bulk", mode, "tcp", "tcp", 2048 * MIB)


def ciphers():
    quick = [client for client in CLIENTS if client not in SLOW]
    pairs = {("sshwire", "sshwire"), ("russh", "russh")}
    pairs |= {(client, "openssh") for client in quick} | {("openssh", server) for server in SERVERS}
    for cipher in (CHACHA, CTR):
        for client, server in sorted(pairs):
            for mode in ("down", "up"):
                yield task("ciphers", mode, client, server, 256 * MIB, cipher=cipher)


def several():
    for mode in ("both", "channels", "down", "up"):
        yield task("several", mode, "sshwire", "sshwire", 512 * MIB)


def handshakes():
    # For half a second: in less, what shows is the beginning of a process.
    for peer, amount in (("sshwire", 1000), ("russh", 1000), ("go", 500), ("libssh", 250), ("openssh", 10)):
        yield task("handshake", "handshake", peer, peer, amount)
    for client in CLIENTS:
        yield task("handshake", "handshake", client, "openssh", 10)
    yield task("handshake", "handshake", "sshwire", "sshwire", 1000, kex=MLKEM)


def trips():
    for client in CLIENTS:
        amount = 1000 if client in SLOW else 16000
        yield task("trips", "echo", client, "russh", amount)
        if client != "openssh":
            yield task("trips", "exec", client, "russh", amount // 4)
    yield task("trips", "echo", "sshwire", "sshwire", 16000)
    yield task("trips", "exec", "sshwire", "sshwire", 4000)
    yield task("trips", "echo", "openssh", "openssh", 2000)
    yield task("trips", "echo", "sshwire", "openssh", 2000)
    yield task("trips", "echo", "tcp", "tcp", 10000)


def delayed():
    for delay in DELAYS:
        # What stops at a window for each round trip does so from the beginning; what grows needs time to show it.
        little, much = (32, 768) if delay == 50 else (8, 768)
        for mode in ("down", "up"):
            for client in ("openssh", "libssh", "russh", "go"):
                yield task("delay", mode, client, "openssh", little * MIB, delay=delay)
            yield task("delay", mode, "sshwire", "openssh", (much if mode == "down" else little) * MIB, delay=delay)
            yield task("delay", mode, "sshwire", "sshwire", much * MIB, delay=delay)
            yield task("delay", mode, "tcp", "tcp", much * MIB, delay=delay)


def files():
    for mode in ("sftpget", "sftpput"):
        for client in FILE_CLIENTS:
            yield task("files", mode, client, "openssh", (32 if client in SLOW else 512) * MIB)
        yield task("files", mode, "openssh", "sshwire", 512 * MIB)
    for mode in ("sftpget", "sftpput", "sftpread", "sftpwrite"):
        for server in ("openssh", "sshwire"):
            yield task("files", mode, "sshwire", server, 512 * MIB)


def slow_files():
    for delay in FILE_DELAYS:
        for mode in ("sftpget", "sftpput"):
            yield task("slow-files", mode, "openssh", "openssh", 32 * MIB, delay=delay)
            yield task("slow-files", mode, "asyncssh", "openssh", 32 * MIB, delay=delay)
            for server in ("openssh", "sshwire"):
                yield task("slow-files", mode, "sshwire", server, 256 * MIB, delay=delay)
        for mode in ("sftpread", "sftpwrite"):
            yield task("slow-files", mode, "sshwire", "sshwire", 128 * MIB, delay=delay)


def trees():
    for client in ("sshwire", "openssh"):
        for server in ("sshwire", "openssh"):
            for mode in ("sftpputtree", "sftpgettree"):
                yield task("tree", mode, client, server, TREE_FILES)


def actives():
    for server in ("sshwire", "russh", "go"):
        yield task("active", "active", "sshwire", server, ACTIVE)


MAKERS = {
    "bulk": bulk, "ciphers": ciphers, "several": several, "handshake": handshakes, "trips": trips, "delay": delayed,
    "files": files, "slow-files": slow_files, "tree": trees, "active": actives,
}


def tasks(groups, scale):
    """All tasks of some groups, each once, with its amount scaled."""
    found = collections.OrderedDict()
    for group in groups:
        for one in MAKERS[group]():
            amount = one.amount if group in ("tree", "active") else max(5, int(one.amount * scale))
            found.setdefault(one._replace(amount=amount), None)
    return list(found)
